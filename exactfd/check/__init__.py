"""The certificate checker: Python's standard library only, and nothing else of this project.

The whole checker is the file ``checker.py``, which also runs alone: ``python checker.py CERTIFICATE``.
"""

from exactfd.check.checker import Verdict, check_bytes, check_document, check_file

__all__ = ["Verdict", "check_bytes", "check_document", "check_file"]
