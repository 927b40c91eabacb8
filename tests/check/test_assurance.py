"""The record of how the checker was tested is about the checker that is here."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from exactfd.check import checker

RECORD = Path(__file__).parent.parent.parent / "docs" / "checker-assurance.md"


@pytest.mark.skipif(not RECORD.exists(), reason="the checker alone, without the pages of the project")
def test_the_record_is_about_this_checker() -> None:
    (recorded,) = re.findall(r"sha256 ([0-9a-f]{64})", RECORD.read_text())
    found = hashlib.sha256(Path(checker.__file__).read_bytes()).hexdigest()
    assert found == recorded, (
        "exactfd/check/checker.py has changed since the run that docs/checker-assurance.md records: repeat the run for "
        f"the functions that have changed, look at the survivors, and then write sha256 {found} there"
    )
