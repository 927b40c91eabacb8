"""Writing claims and their evidence, in the format of ``docs/certificate-v1.md``; ``exactfd.check`` re-checks them.

Producing a certificate may use everything in this package. The checker uses nothing of it.
"""

from __future__ import annotations

from exactfd.certificates.cells import f_vector_certificate, top_cells_certificate
from exactfd.certificates.document import Certificate
from exactfd.certificates.functions import function_certificate, symmetry_certificate
from exactfd.certificates.ranks import batch_certificate, dimension_certificate

__all__ = [
    "Certificate",
    "batch_certificate",
    "dimension_certificate",
    "f_vector_certificate",
    "function_certificate",
    "symmetry_certificate",
    "top_cells_certificate",
]
