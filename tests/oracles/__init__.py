"""Independent answers: nothing here imports the package under test.

Networks are plain lists of ``(W, b)`` with entries of type ``fractions.Fraction`` (``W`` a list of rows) and a string
``"identity"`` or ``"relu"`` for the output layer. Everything is written to be obviously right, not to be fast.
"""
