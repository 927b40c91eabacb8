"""The JSON document around a claim."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import exactfd
from exactfd.check import Verdict, check_bytes, checker
from exactfd.io.files import StrPath, write_atomically
from exactfd.network import Network
from exactfd.rationals import format_rational


@dataclass(frozen=True)
class Certificate:
    """A claim about one network with its evidence.

    Attributes
    ----------
    network
        The network that the claim is about.
    claim, evidence
        JSON-ready values of ``docs/certificate-v1.md``, sections 2 and 3.
    """

    network: Network
    claim: dict[str, Any]
    evidence: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The whole document."""
        return {
            "format": "exactfd-certificate",
            "version": 1,
            "produced_by": f"exactfd {exactfd.__version__}",
            "network": self.network.to_dict(),
            "digest": self.network.digest,
            "claim": self.claim,
            "evidence": self.evidence,
        }

    def dumps(self) -> str:
        """The document as JSON without spaces."""
        return json.dumps(self.to_dict(), separators=(",", ":"), ensure_ascii=True)

    def beyond_limits(self) -> str | None:
        """What of this document the checker refuses whatever it proves (section 5 of the format), or None."""
        text = self.dumps()
        longest = max(map(len, re.findall(f"[0-9]{{{checker.MAX_DIGITS},}}", text)), default=0)
        if longest > checker.MAX_DIGITS:
            return f"a number of {longest} digits, more than {checker.MAX_DIGITS}"
        if len(text) > checker.MAX_BYTES:
            return f"more than {checker.MAX_BYTES >> 20} MiB"
        rows = len(self.evidence.get("lower", {}).get("rows", ()))
        return f"a minor of {rows} rows, more than {checker.MAX_MINOR}" if rows > checker.MAX_MINOR else None

    def check(self, *, time_limit: float | None = None) -> Verdict:
        """What the stand-alone checker says about this document, as ``exactfd verify`` would about its file."""
        return check_bytes(self.dumps().encode("ascii"), time_limit=time_limit)

    def save(self, path: StrPath) -> int:
        """Write the document atomically, compressed where the name ends in ``.gz``; returns the number of bytes."""
        data = self.dumps().encode("ascii")
        if str(path).endswith(".gz"):
            # no time stamp: the same claim gives the same file; level 9 takes three times as long for a few per cent
            data = gzip.compress(data, compresslevel=6, mtime=0)
        write_atomically(path, data)
        return len(data)

    def __repr__(self) -> str:
        what = {key: value for key, value in self.claim.items() if key not in ("points", "other")}
        return f"Certificate({what}, sha256:{self.network.digest[:12]})"

    def _repr_html_(self) -> str:
        return f"<code>{self!r}</code>"


def sparse(vector: Sequence[Any]) -> list[list[Any]]:
    """A vector as pairs ``[index, number]`` without its zeros."""
    return [[index, str(entry)] for index, entry in enumerate(vector) if entry != 0]


def texts(values: Sequence[Any]) -> list[str]:
    """Rational numbers as text."""
    return [format_rational(value) for value in values]


def loads(data: bytes) -> dict[str, Any]:
    """The document in bytes that have been checked (``exactfd.check`` bounds sizes and reports what is malformed)."""
    document: dict[str, Any] = json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
    return document
