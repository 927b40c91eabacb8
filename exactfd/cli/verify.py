"""``exactfd verify``: re-check a certificate, with the standard library alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from exactfd.cli import exits
from exactfd.cli.options import Answer, answer_options, seconds
from exactfd.cli.output import aligned, write_answer
from exactfd.cli.progress import reporting
from exactfd.errors import InputError

if TYPE_CHECKING:
    from exactfd.check import Verdict


@click.command("verify", short_help="Is the claim of a certificate proved?")
@click.argument("certificate", metavar="CERT")
@click.option("--allow-trust", is_flag=True, help='Accept steps marked {"rule": "trust"}; they are still counted.')
@click.option("--time-limit", type=seconds, metavar="TIME", help="Give up after TIME (30, 5m, 2h): not proved.")
@click.option("--latex", is_flag=True, help="Print a LaTeX fragment of the claim and its evidence, once it is proved.")
@answer_options
def command(certificate: str, allow_trust: bool, time_limit: float | None, latex: bool, answer: Answer) -> int:
    """Re-check every step of a certificate; nothing in the file is trusted.

    Exit codes: 0 proved, 1 not proved, 3 malformed.
    """
    if latex and allow_trust:
        raise click.UsageError("--latex states what is proved, so nothing can be trusted: leave out --allow-trust")
    from exactfd.check import check_bytes
    from exactfd.io.files import located, read_bytes

    with located(certificate):
        data = read_bytes(certificate)
    with reporting(quiet=answer.quiet, writing_to=answer.output) as progress:
        verdict = check_bytes(
            data,
            allow_trust=allow_trust,
            time_limit=time_limit,
            progress=lambda steps: progress("steps checked", steps, None),
        )
    if verdict.malformed:
        if answer.json:
            write_answer(answer, verdict.to_dict(), [])
        raise InputError(f"{certificate}: {verdict.reason}")
    lines = _lines(verdict)
    if latex and verdict.valid:
        from exactfd.certificates.document import loads
        from exactfd.certificates.latex import fragment

        lines = [fragment(loads(data))]
    write_answer(answer, verdict.to_dict(), lines)
    return exits.ANSWERED if verdict.valid else exits.FALSE


def _lines(verdict: Verdict) -> list[str]:
    rows = [("steps checked", str(verdict.steps)), ("steps trusted", str(verdict.trusted_steps))]
    if not verdict.valid:
        return [*aligned(rows), f"NOT PROVED: {verdict.claim}", f"reason: {verdict.reason}"]
    trusting = f" (if the {verdict.trusted_steps} trusted steps are true)" if verdict.trusted_steps else ""
    return [*aligned(rows), f"proved{trusting}: {verdict.claim}"]
