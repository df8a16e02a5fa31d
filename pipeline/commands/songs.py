"""The commands that make and show songs: compose, analyze, render."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.commands.common import (
    AsJson,
    Backing,
    Chords,
    Force,
    Formats,
    KeyName,
    Lyrics,
    MeterName,
    MidiLyrics,
    Output,
    Pronunciations,
    Quiet,
    Seed,
    Style,
    Tempo,
    Title,
    Verbose,
    Voice,
    VoiceRange,
    app,
    print_json,
    pronouncer,
    read_input,
    reporting,
    tell_left_out,
)
from pipeline.errors import SettingsError, SongError

if TYPE_CHECKING:
    from pipeline.song import Song

# Heavy modules are imported inside the commands, so that `songwright --help` is instant.


@app.command()
def compose(
    lyrics: Lyrics,
    output: Output = Path("."),
    formats: Formats = "mid,musicxml,json",
    seed: Seed = 0,
    key: KeyName = None,
    tempo: Tempo = None,
    meter: MeterName = None,
    style: Style = None,
    voice: Voice = None,
    voice_range: VoiceRange = None,
    chords: Chords = None,
    title: Title = None,
    pronunciations: Pronunciations = None,
    midi_lyrics: MidiLyrics = "plain",
    backing: Backing = "in-place",
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Compose a song to LYRICS and print the files written."""
    with reporting(verbose):
        from lyrics.parse import read_lyrics
        from pipeline.compose import compose as compose_song
        from pipeline.names import safe_name, slug, title_from_stem
        from pipeline.render import parse_formats

        names = parse_formats(formats)
        from_stdin = str(lyrics) == "-"
        parsed = read_lyrics(None if from_stdin else lyrics, pronouncer(pronunciations))
        song = compose_song(
            parsed,
            seed=seed,
            key=key,
            tempo=tempo,
            meter=meter,
            style=style,
            voice=voice,
            voice_range=voice_range,
            chords=() if chords is None else chords,
            title=title,
            name=None if from_stdin else title_from_stem(lyrics.stem),
            midi_lyrics=midi_lyrics,
            backing=backing,
        )
        named = title or parsed.title or from_stdin
        stem = slug(song.title) if named else safe_name(lyrics.stem)
        written = write_song(song, output, stem, names, force, (lyrics, pronunciations))
        if not quiet:
            tell_left_out(parsed)
            tell(song)
        print_files(song, written, as_json)


@app.command()
def analyze(
    lyrics: Lyrics,
    deep: Annotated[
        bool, typer.Option("--deep", help="Let the language model judge the mood too; needs the extra [lm].")
    ] = False,
    pronunciations: Pronunciations = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Show what can be read off LYRICS: syllables, metre, rhyme, form, hook, mood, themes, what is hard to sing."""
    with reporting(verbose):
        from dataclasses import asdict

        from lyrics.analysis import analyze as analyze_lyrics
        from lyrics.embedding import can_embed
        from lyrics.meaning import find_deep_mood, find_mood_by_meaning
        from lyrics.mood import find_mood
        from lyrics.parse import read_lyrics

        parsed = read_lyrics(None if str(lyrics) == "-" else lyrics, pronouncer(pronunciations))
        tell_left_out(parsed)
        judge_mood = find_deep_mood if deep else find_mood_by_meaning if can_embed() else find_mood
        analysis = analyze_lyrics(parsed, judge_mood=judge_mood)
        if as_json:
            print_json(asdict(analysis))
        else:
            from rich.console import Console

            from pipeline.analysis_view import show

            show(parsed, analysis, Console(highlight=False))


@app.command()
def render(
    song: Annotated[Path, typer.Argument(metavar="SONG.json|-", help="A song document; - reads standard input.")],
    output: Output = Path("."),
    formats: Formats = "mid,musicxml",
    midi_lyrics: Annotated[
        str | None, typer.Option(metavar="NAME", help="plain, hyphen, rp017 or kar, instead of the document's.")
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write SONG in other formats and print the files written."""
    with reporting(verbose):
        from dataclasses import replace

        from pipeline.names import safe_name, slug
        from pipeline.render import parse_formats
        from pipeline.song import MIDI_LYRICS

        names = parse_formats(formats)
        from_stdin = str(song) == "-"
        document = read_song(song)
        if midi_lyrics is not None:
            if midi_lyrics not in MIDI_LYRICS:
                raise SettingsError(f"midi lyrics must be one of {', '.join(MIDI_LYRICS)}, got {midi_lyrics!r}")
            document = replace(document, settings=replace(document.settings, midi_lyrics=midi_lyrics))
        stem = slug(document.title) if from_stdin else safe_name(song.stem)
        written = write_song(document, output, stem, names, force, (song,))
        if not quiet:
            typer.echo(f"{document.title}: {document.settings.key}, {document.settings.meter}", err=True)
        print_files(document, written, as_json)


def read_song(path: Path) -> "Song":
    """Read a song document, or standard input for "-"; SongError names the file and the place in it."""
    from pipeline.song import Song

    try:
        return Song.from_json(read_input(path))
    except SongError as error:
        name = "standard input" if str(path) == "-" else str(path)
        raise SongError(name, str(error).removeprefix("$: ")) from error


def write_song(
    song: "Song", folder: Path, stem: str, formats: Sequence[str], force: bool, inputs: Sequence[Path | None] = ()
) -> list[Path]:
    """Write a song in all formats, all files or none, and never over one of `inputs`; return their paths."""
    from pipeline.files import write_files
    from pipeline.render import render

    paths = {name: folder / f"{stem}.{name}" for name in formats}
    contents = render(song, formats)
    write_files({paths[name]: content for name, content in contents.items()}, inputs=inputs, force=force)
    return list(paths.values())


def tell(song: "Song") -> None:
    """Say what was chosen, and why."""
    from pipeline.names import pitch_name

    settings = song.settings
    reasons = dict(settings.reasons)
    values = {
        "title": song.title,
        "key": str(settings.key),
        "tempo": f"{settings.tempo_text} quarter notes a minute",
        "meter": str(settings.meter),
        "style": settings.style,
        "voice": f"{settings.voice} ({pitch_name(settings.low)}-{pitch_name(settings.high)})",
    }
    if settings.chords:
        values["chords"] = " ".join(settings.chords)
    for name, value in values.items():
        reason = f"  ({reasons[name]})" if name in reasons else ""
        typer.echo(f"{name + ':':7} {value}{reason}", err=True)
    minutes, seconds = divmod(round(song.length_seconds), 60)
    typer.echo(f"{'form:':7} {', '.join(section.label for section in song.sections)}; {minutes}:{seconds:02}", err=True)


def summary(song: "Song") -> dict[str, Any]:
    """Return what --json prints about a song."""
    settings = song.settings
    return {
        "title": song.title,
        "seed": song.seed,
        "key": str(settings.key),
        "tempo_qpm": settings.tempo_qpm,
        "meter": str(settings.meter),
        "style": settings.style,
        "voice": settings.voice,
        "range": [settings.low, settings.high],
        "reasons": dict(settings.reasons),
        "sections": [section.label for section in song.sections],
        "num_lines": len(song.lines),
        "num_syllables": sum(len(word.syllables) for line in song.lines for word in line.words),
        "num_notes": sum(len(line.notes) for line in song.lines),
        "length_seconds": round(song.length_seconds, 3),
    }


def print_files(song: "Song", written: Sequence[Path], as_json: bool) -> None:
    """Print the files of a song, one a line, or one JSON object about it."""
    if as_json:
        print_json(summary(song) | {"files": [str(path) for path in written]})
    else:
        for path in written:
            typer.echo(str(path))
