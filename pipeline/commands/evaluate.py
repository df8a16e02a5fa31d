"""The command that measures melodies: `songwright evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.common import AsJson, Force, Quiet, Verbose, app, reporting


@app.command()
def evaluate(
    subject: Annotated[
        Path,
        typer.Argument(
            metavar="WHAT",
            help="A checkpoint folder; song documents or tunes, MIDI for one (a folder or one); or a table.",
        ),
    ],
    data: Annotated[Path, typer.Option(metavar="TABLE", help="Human melodies to compare with; see docs/data.md.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for evaluation.json and evaluation.png.")
    ] = Path("."),
    seed: Annotated[int, typer.Option(help="Seed of what is sung and of the random notes.")] = 0,
    most: Annotated[int, typer.Option("--songs", metavar="N", help="Use only so many held-out songs or lines.")] = 0,
    two_sample: Annotated[
        bool, typer.Option("--two-sample", help="Also train a classifier to tell them from human songs.")
    ] = False,
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Measure melodies against human ones: the published statistics, distances, prosody, copying, and more."""
    with reporting(verbose):
        from lyrics.errors import need

        need("evaluating", "train", "pyarrow", "matplotlib", *(("sklearn",) if two_sample else ()))
        from rich.console import Console
        from rich.table import Table

        from pipeline.files import write_files
        from pipeline.report import draw, table_rows
        from pipeline.report import evaluate as measure

        report = measure(subject, data, seed=seed, most=max(0, most), two_sample=two_sample)
        paths = {output / "evaluation.json": report.to_json().encode(), output / "evaluation.png": draw(report)}
        write_files(paths, force=force)
        if as_json:
            typer.echo(report.to_json(), nl=False)
            return
        if not quiet:
            counts = ", ".join(f"{count} {name}" for name, count in report.counts.items() if count)
            typer.echo(counts, err=True)
        view = Table("figure", "real", "judged", "people (ceiling)", "random notes (floor)")
        for row in table_rows(report):
            view.add_row(*row)
        Console(width=110, highlight=False).print(view)
        for path in paths:
            typer.echo(str(path))
