"""The JSON schema describes what the checker reads."""

from __future__ import annotations

import copy
import json
from importlib.resources import files
from typing import Any

import jsonschema
import pytest

from check import plain
from check.plain import NETS
from check.test_claims import documents
from exactfd.check import check_document

SCHEMA = json.loads((files("exactfd") / "schemas" / "certificate-v1.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
DOCUMENTS = {
    **documents(),
    "batch, size": plain.batch_rank(NETS["glmw"], [[1]], "<=", "size"),
    "batch, theory": plain.batch_rank(NETS["glmw"], [[1]], "<=", "theory"),
    "batch, at least": plain.batch_rank(NETS["glmw"], [[1]], ">="),
    "dimension, theory": plain.functional_dimension(NETS["glmw"], "<=", "theory"),
    "dimension, at least": plain.functional_dimension(NETS["glmw"], ">="),
    "top cells, no box": plain.top_cells(NETS["dead"]),
}


def places(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [here] if here else []
    for key, entry in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        found += places(entry, (*here, key))
    return found


def test_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_accepts(document: dict[str, Any]) -> None:
    VALIDATOR.validate(document)
    for key in document["evidence"]:
        trusting = {**document, "evidence": {**document["evidence"], key: {"rule": "trust"}}}
        VALIDATOR.validate(trusting)


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_what_the_schema_refuses_is_malformed(document: dict[str, Any]) -> None:
    """And what has a wrong type or a key too many is refused by both."""
    for path in places(document):
        for junk in (None, 1.5, "x", {"surplus": 1}):
            wrong: Any = copy.deepcopy(document)
            here = wrong
            for step in path[:-1]:
                here = here[step]
            here[path[-1]] = junk
            if VALIDATOR.is_valid(wrong):
                assert path == ("produced_by",) or (path == ("claim", "box") and junk is None), (path, junk)
            else:
                verdict = check_document(wrong)
                assert not verdict.valid
                # the digest and the claim are looked at before the evidence
                assert verdict.malformed or not verdict.reason.startswith("claim"), (path, junk, verdict)
