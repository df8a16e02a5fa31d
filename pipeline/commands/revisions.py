"""The command that changes a song and leaves the rest of it alone: revise."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.common import (
    AsJson,
    Force,
    Formats,
    Output,
    Pronunciations,
    Quiet,
    Verbose,
    app,
    print_json,
    pronouncer,
    reporting,
)
from pipeline.commands.songs import read_song, summary, write_song
from pipeline.errors import SettingsError

LineNames = "a line (v1.2), a section (c1) or all; may be given several times"


@app.command()
def revise(
    song: Annotated[Path, typer.Argument(metavar="SONG.json|-", help="A song document; - reads standard input.")],
    reroll: Annotated[list[str] | None, typer.Option(metavar="LINE", help=f"Sing again: {LineNames}.")] = None,
    keep_rhythm: Annotated[bool, typer.Option("--keep-rhythm", help="With --reroll: another melody alone.")] = False,
    words: Annotated[
        list[str] | None, typer.Option(metavar="LINE=WORDS", help='Other words for a line: v1.2="Sail on".')
    ] = None,
    lock: Annotated[list[str] | None, typer.Option(metavar="LINE", help=f"Protect: {LineNames}.")] = None,
    unlock: Annotated[list[str] | None, typer.Option(metavar="LINE", help=f"Free again: {LineNames}.")] = None,
    transpose: Annotated[int | None, typer.Option(metavar="N", help="Semitones up, or down if negative.")] = None,
    key: Annotated[str | None, typer.Option(metavar="KEY", help='Transpose to "D major", the nearer way.')] = None,
    tempo: Annotated[float | None, typer.Option(metavar="QPM", help="Quarter notes per minute.")] = None,
    pronunciations: Pronunciations = None,
    output: Output = Path("."),
    formats: Formats = "mid,musicxml,json",
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Change lines of SONG, its key or its tempo, leave the rest note for note, and print the files written."""
    with reporting(verbose):
        from pipeline import revise as revising
        from pipeline.names import safe_name, slug
        from pipeline.render import parse_formats

        names = parse_formats(formats)
        if not any((reroll, words, lock, unlock)) and transpose is None and key is None and tempo is None:
            raise SettingsError(
                "say what to change: --reroll, --words, --lock, --unlock, --transpose, --key or --tempo"
            )
        if transpose is not None and key is not None:
            raise SettingsError("give either --transpose or --key, not both")
        if keep_rhythm and not reroll:
            raise SettingsError("--keep-rhythm goes with --reroll")
        from_stdin = str(song) == "-"
        before = read_song(song)
        after = before
        if unlock:
            after = revising.lock(after, revising.select(after, unlock), locked=False)
        spoken = pronouncer(pronunciations)
        for wish in words or ():
            name, sign, text = wish.partition("=")
            lines = revising.select(after, [name])
            if not sign or len(lines) != 1:
                raise SettingsError(f'words must look like v1.2="Sail on, my sailor", got {wish!r}')
            after = revising.replace_words(after, lines[0], text, spoken)
        if reroll:
            after = revising.reroll(after, revising.select(after, reroll), keep_rhythm=keep_rhythm)
        if lock:
            after = revising.lock(after, revising.select(after, lock))
        if transpose is not None:
            after = revising.transpose(after, transpose)
        if key is not None:
            after = revising.to_key(after, key)
        if tempo is not None:
            after = revising.set_tempo(after, tempo)
        stem = slug(after.title) if from_stdin else safe_name(song.stem)
        written = write_song(after, output, stem, names, force, (pronunciations,))
        pairs = list(zip(before.lines, after.lines, strict=True))
        changed = [line.id for old, line in pairs if replace(old, locked=line.locked) != line]
        if not quiet:
            for name, state in (("locked", True), ("unlocked", False)):
                ids = [line.id for old, line in pairs if line.locked is state is not old.locked]
                if ids:
                    typer.echo(f"{name}: {', '.join(ids)}", err=True)
            typer.echo(f"changed: {', '.join(changed) or 'no line'}", err=True)
            typer.echo(
                f"{after.title}: {after.settings.key}, {after.settings.tempo_text} quarter notes a minute", err=True
            )
            if outside := revising.beyond_voices(after):
                typer.echo(f"note: the melody {outside}", err=True)
        if as_json:
            print_json(summary(after) | {"changed": changed, "files": [str(path) for path in written]})
        else:
            for path in written:
                typer.echo(str(path))
