"""A find on disk: networks, points and certificates, each file whole or absent."""

from __future__ import annotations

import json
import os
from typing import Any

from exactfd.errors import InputError
from exactfd.io import save
from exactfd.io.files import StrPath, write_atomically
from exactfd.rationals import format_rational
from exactfd.search.run import SearchResult


def base_of(path: StrPath, claim: str) -> str:
    """Beginning of the names of all files: ``path`` without ``.json``, or the claim's name in a folder.

    Raises ``InputError`` where the folder does not exist.
    """
    name = os.fspath(path)
    if os.path.isdir(name) or name.endswith(os.sep):
        name = os.path.join(name, claim)
    folder = os.path.dirname(os.path.realpath(name))
    if not os.path.isdir(folder):
        raise InputError(f"{os.fspath(path)}: expected a place to write, found no directory {folder}")
    return name.removesuffix(".json")


def save_result(result: SearchResult, path: StrPath) -> list[dict[str, Any]]:
    """Write what was found, or the candidate that came closest; ``what``, ``file`` of every file, in order.

    ``BASE.json`` is the first network, ``BASE-2.json`` the second; ``BASE.points.json`` a batch of points;
    ``BASE.certificate.json``, ``BASE.certificate-2.json``, ... are the certificates. Without a find
    ``BASE.closest.json`` is the closest candidate, where the claim says what that means.
    """
    base = base_of(path, result.claim)
    written = []
    if result.closest is not None:
        name = f"{base}.closest.json"
        save(result.closest, name)
        written.append({"what": "closest candidate, no find", "file": name})
    for number, network in enumerate(result.networks, 1):
        name = f"{base}{_suffix(number)}.json"
        save(network, name)
        written.append({"what": f"network {number}", "file": name})
    if result.points is not None:
        points = [[format_rational(x) for x in point] for point in result.points]
        name = f"{base}.points.json"
        write_atomically(name, json.dumps({"format": "exactfd-points", "version": 1, "points": points}) + "\n")
        written.append({"what": "points", "file": name})
    for number, (about, certificate) in enumerate(result.certificates, 1):
        name = f"{base}.certificate{_suffix(number)}.json"
        certificate.save(name)
        written.append({"what": f"certificate: {about}", "file": name})
    return written


def _suffix(number: int) -> str:
    return "" if number == 1 else f"-{number}"
