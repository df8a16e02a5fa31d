"""The command that makes a library of songs of a data set of lyrics: batch."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.commands.common import (
    Backing,
    Chords,
    KeyName,
    MeterName,
    MidiLyrics,
    Pronunciations,
    Quiet,
    Seed,
    Style,
    Tempo,
    Verbose,
    Voice,
    VoiceRange,
    app,
    failure,
    reporting,
)
from pipeline.commands.write import Form, Lines, Metre, Model, MoodName, RhymeScheme, Syllables
from pipeline.errors import SettingsError
from pipeline.names import counted

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from pipeline.batch.run import Outcome, Progress
    from pipeline.batch.shards import RowDone, ShardDone

Column = Annotated[str | None, typer.Option(metavar="NAME", help="Column of the input with a setting for each row.")]


@app.command()
def batch(
    source: Annotated[
        str,
        typer.Argument(
            metavar="INPUT",
            help="Lyrics: a folder of .txt, a .jsonl, .csv or .parquet file, a pattern in quotes, a data set (its name "
            "on the Hugging Face hub, or its folder); - reads JSON lines from standard input.",
        ),
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="DIR", help="Folder for the songs, or an fsspec URL.")
    ],
    text_column: Annotated[
        str | None, typer.Option(metavar="NAME", help="Column with the lyrics [lyrics, else text].")
    ] = None,
    id_column: Annotated[
        str | None, typer.Option(metavar="NAME", help="Column with the ids [id, else the row].")
    ] = None,
    title_column: Annotated[str | None, typer.Option(metavar="NAME", help="Column with the titles [title].")] = None,
    key_column: Column = None,
    tempo_column: Column = None,
    meter_column: Column = None,
    style_column: Column = None,
    voice_column: Column = None,
    seed_column: Column = None,
    split: Annotated[str, typer.Option(metavar="NAME", help="Split of a data set.")] = "train",
    config: Annotated[str | None, typer.Option(metavar="NAME", help="Configuration of a data set.")] = None,
    limit: Annotated[int | None, typer.Option(metavar="N", help="Read only the first rows.")] = None,
    formats: Annotated[
        str, typer.Option("--format", "-f", metavar="LIST", help="Files to write beside the tables, as of compose.")
    ] = "",
    seed: Seed = 0,
    key: KeyName = None,
    tempo: Tempo = None,
    meter: MeterName = None,
    style: Style = None,
    voice: Voice = None,
    voice_range: VoiceRange = None,
    chords: Chords = None,
    pronunciations: Pronunciations = None,
    midi_lyrics: MidiLyrics = "plain",
    backing: Backing = "in-place",
    shard_size: Annotated[int, typer.Option(metavar="N", help="Rows in a part of the tables.")] = 100,
    workers: Annotated[int | None, typer.Option("--workers", "-w", metavar="N", help="Processes [all cores].")] = None,
    engine: Annotated[str, typer.Option(metavar="NAME", help="local or ray.")] = "local",
    address: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Of a Ray cluster; else a local one.")] = None,
    write: Annotated[
        bool, typer.Option("--write", help="The rows hold themes: a language model writes the lyrics first.")
    ] = False,
    model: Model = None,
    form: Form = "V-C-V-C-B-C",
    lines: Lines = "",
    syllables: Syllables = "natural",
    rhyme: RhymeScheme = "",
    metre: Metre = "free",
    mood: MoodName = "",
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first row that fails.")] = False,
    max_failures: Annotated[int | None, typer.Option(metavar="N", help="Stop when more rows have failed.")] = None,
    log: Annotated[Path | None, typer.Option(metavar="FILE", help="Log file [DIR/log.txt].")] = None,
    force: Annotated[bool, typer.Option("--force", help="Begin anew in a folder that holds another batch.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print progress and result as JSON, one object a line.")
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Compose a song to every row of INPUT; run it again to go on where it was stopped."""
    with reporting(verbose):
        from pipeline.batch.inputs import open_source
        from pipeline.batch.job import Columns, Job, Writing
        from pipeline.batch.run import run_batch
        from pipeline.render import parse_formats

        columns = Columns(
            text=text_column,
            id=id_column,
            title=title_column,
            key=key_column,
            tempo=tempo_column,
            meter=meter_column,
            style=style_column,
            voice=voice_column,
            seed=seed_column,
        )
        writing = Writing(model, form, lines, syllables, rhyme, metre, mood)
        if not write and writing != Writing():
            raise SettingsError("--model, --form, --lines, --syllables, --rhyme, --metre and --mood need --write")
        job = Job(
            columns,
            writing=writing if write else None,
            seed=seed,
            key=key,
            tempo=tempo,
            meter=meter,
            style=style,
            voice=voice,
            voice_range=voice_range,
            chords=chords,
            backing=backing,
            midi_lyrics=midi_lyrics,
            pronunciations=_pronunciations(pronunciations),
            formats=parse_formats(formats) if formats else (),
            shard_size=shard_size,
        )
        rows = open_source(source, split=split, config=config, limit=limit)
        if rows.ignored and not quiet:
            typer.echo(f"only the .txt files in {source} are read, not {_names(rows.ignored)}", err=True)
        with _Teller(as_json, quiet) as teller:
            outcome = run_batch(
                rows,
                output,
                job,
                workers=workers,
                engine=engine,
                address=address,
                max_failures=0 if strict else max_failures,
                force=force,
                log=log,
                on_progress=teller.tell,
                count=teller.wants_total,
            )
        _finish(outcome, output, as_json, quiet, teller)


def _pronunciations(path: Path | None) -> str | None:
    """Read the user's pronunciations and check them before the first row is."""
    if path is None:
        return None
    from pipeline.commands.common import pronouncer

    pronouncer(path)
    return path.read_text(encoding="utf-8-sig")


def _names(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return ", ".join(Path(path).name for path in paths[:3]) + more


class _Teller:
    """Tells how a run goes: a bar on a terminal, JSON lines, or nothing."""

    def __init__(self, as_json: bool, quiet: bool) -> None:
        import sys

        self._as_json = as_json
        self._with_bar = not quiet and not as_json and sys.stderr.isatty()
        self._bar: Bar | None = None
        self._next = time.monotonic() + 1  # nothing is shown in the first second
        self.last_failure: Any = None
        self.wants_total = as_json or self._with_bar

    def __enter__(self) -> "_Teller":
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def tell(self, progress: "Progress", event: "RowDone | ShardDone") -> None:
        """Tell where a run stands, once in a while."""
        failure = getattr(event, "failure", None) or next(iter(getattr(event, "failures", ())), None)
        self.last_failure = failure or self.last_failure
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + (1 if self._as_json else 0.1)
        if self._as_json:
            typer.echo(json.dumps({"event": "progress"} | _numbers(progress)))
        elif self._with_bar:
            self._show(progress)

    def _show(self, progress: "Progress") -> None:
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            self._bar = Progress(
                TextColumn("composing"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]:.1f} songs/s, {task.fields[failures]} failed"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self._task = self._bar.add_task("", total=progress.total, rate=0.0, failures=0)
            self._bar.start()
        self._bar.update(self._task, completed=progress.rows, rate=progress.rows_per_second, failures=progress.failures)


def _numbers(progress: "Progress") -> dict[str, Any]:
    left = progress.seconds_left
    return {
        "rows": progress.rows,
        "failures": progress.failures,
        "total": progress.total,
        "found": progress.found,
        "songs_per_second": round(progress.rows_per_second, 2),
        "seconds": round(progress.seconds, 2),
        "seconds_left": None if left is None else round(left, 1),
    }


def _finish(outcome: "Outcome", output: str, as_json: bool, quiet: bool, teller: _Teller) -> None:
    """Say how it ended; exit with 3 if rows failed."""
    progress = outcome.progress
    if as_json:
        typer.echo(json.dumps({"event": "end", "complete": outcome.complete, "output": output} | _numbers(progress)))
    elif outcome.complete:
        typer.echo(output)
    if not outcome.complete:
        last = teller.last_failure
        if last is None:
            raise SettingsError("too many rows had failed before")
        raise failure(
            f"stopped after {counted(progress.failures, 'failed row')}; the last was {last.place}: {last.message}", 3
        )
    if not quiet:
        typer.echo(
            counted(progress.rows - progress.failures, "song")
            + (f" ({counted(progress.found, 'row')} done before)" if progress.found else "")
            + (f", {counted(progress.failures, 'row')} failed: see errors.jsonl" if progress.failures else "")
            + f"; {progress.rows_per_second:.1f} a second",
            err=True,
        )
    if progress.failures:
        raise typer.Exit(3)
