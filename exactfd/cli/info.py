"""``exactfd info``: what is in the file."""

from __future__ import annotations

import click

from exactfd.cli import exits
from exactfd.cli.options import Answer, Source, answer_options, network_options
from exactfd.cli.output import aligned, shape, write_answer


@click.command("info", short_help="What is in a network file.")
@network_options
@answer_options
def command(source: Source, answer: Answer) -> int:
    """Architecture, number of parameters, upper bound D' and digest of a network file."""
    network, assumed = source.load_and_tell()
    document = {
        "architecture": list(network.architecture),
        "output_activation": network.output_activation,
        "output_activation_assumed": assumed,
        "parametric_dimension": network.parametric_dimension,
        "upper_bound": network.upper_bound,
        "hidden_neurons": network.hidden_neurons,
        "max_bits": network.max_bits,
        "digest": network.digest,
        "rounded_to": source.rounded_to,
    }
    rows = [
        ("architecture", shape(network.architecture, network.output_activation)),
        ("parameters D", str(network.parametric_dimension)),
        ("upper bound D'", f"{network.upper_bound} (D minus {network.hidden_neurons} hidden neurons)"),
        ("longest integer", f"{network.max_bits} bits"),
        ("sha256", network.digest),
    ]
    if source.rounded_to is not None:
        rows.append(("rounded to", f"multiples of {source.rounded_to}"))
    lines = aligned(rows)
    if assumed:
        lines.append(
            "the output activation is assumed: this file format does not hold it; "
            "--output-activation identity or relu says it"
        )
    write_answer(answer, document, lines)
    return exits.ANSWERED
