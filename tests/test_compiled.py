"""When compiled loops are used, and that nothing needs them."""

import pytest

from exactfd import compiled
from exactfd.errors import InputError, MissingExtraError


@pytest.fixture
def no_loops_yet(monkeypatch):
    monkeypatch.setattr(compiled, "_loaded", {})


def test_an_unknown_mode_is_named(monkeypatch):
    monkeypatch.setenv(compiled.VARIABLE, "yes")
    with pytest.raises(InputError, match="EXACTFD_COMPILED: expected auto, always or never, found 'yes'"):
        compiled.mode()


def test_by_default_a_process_works_for_a_second_first(monkeypatch, no_loops_yet):
    monkeypatch.delenv(compiled.VARIABLE, raising=False)
    monkeypatch.setattr(compiled.time, "process_time", lambda: 0.9)
    assert compiled.loops("json") is None
    monkeypatch.setattr(compiled.time, "process_time", lambda: 1.1)
    assert compiled.loops("json").__name__ == "json"
    monkeypatch.setattr(compiled.time, "process_time", lambda: 0.9)  # what is loaded stays
    assert compiled.loops("json").__name__ == "json"
    monkeypatch.setenv(compiled.VARIABLE, "never")
    assert compiled.loops("json") is None


def test_what_cannot_be_imported_is_done_without_unless_it_is_asked_for(monkeypatch, no_loops_yet):
    monkeypatch.delenv(compiled.VARIABLE, raising=False)
    monkeypatch.setattr(compiled.time, "process_time", lambda: 1.1)
    assert compiled.loops("exactfd.nowhere") is None
    monkeypatch.setenv(compiled.VARIABLE, "always")
    with pytest.raises(MissingExtraError, match=r"EXACTFD_COMPILED=always .* pip install 'exactfd\[fast\]'"):
        compiled.loops("exactfd.nowhere")
