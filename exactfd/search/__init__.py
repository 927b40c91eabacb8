"""Search for a parameter that has a property or violates a claim; what is found is exact, small and certified."""

from __future__ import annotations

from exactfd.search.claims import PredicateError
from exactfd.search.named import CLAIMS
from exactfd.search.pairs import along_path
from exactfd.search.run import SearchResult, search

__all__ = ["CLAIMS", "PredicateError", "SearchResult", "along_path", "search"]
