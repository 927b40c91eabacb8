"""Fixtures of the tests of bounds that patterns give."""

import pytest

from exactfd import compiled


@pytest.fixture(params=["never", "always"])
def both_ways(request, monkeypatch):
    """With the compiled loops and without."""
    monkeypatch.setenv(compiled.VARIABLE, request.param)
