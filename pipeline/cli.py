"""The command line. Each command reads its options, calls one function of the library and writes what comes back.

Results go to stdout, everything else to stderr. Exit codes: 0 ok, 1 failed (the disk, a missing package), 2 bad usage
or bad input, 130 interrupted. Bad input is one sentence; a traceback is always a bug of this program.
"""

import io
import json
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lyrics.document import LyricsError
from pipeline.errors import MissingExtraError, OutputExistsError, SettingsError, SongError
from pipeline.version import VERSION

if TYPE_CHECKING:
    from lyrics.pronounce import Pronouncer
    from pipeline.song import Song

# Heavy modules are imported inside the commands, so that `songwright --help` is instant.

# The networks are so small that threads of the linear algebra library cost more than they give, many times more when
# other programs use the cores. It reads this when numpy is imported; who sets it keeps what they set.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

app = typer.Typer(
    name="songwright",
    help="Turn lyrics into songs that people can sing.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Lyrics = Annotated[Path, typer.Argument(metavar="LYRICS.txt|-", help="Lyrics as UTF-8 text; - reads standard input.")]
Output = Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the files.")]
Formats = Annotated[
    str, typer.Option("--format", "-f", metavar="LIST", help="Any of mid, musicxml, json, txt, cho, svg, wav.")
]
Seed = Annotated[int, typer.Option(help="Another number gives another song.")]
KeyName = Annotated[str | None, typer.Option("--key", metavar="KEY", help='"D major", "F# minor", "Bbm".')]
Tempo = Annotated[float | None, typer.Option(metavar="QPM", help="Quarter notes per minute.")]
MeterName = Annotated[str | None, typer.Option("--meter", metavar="METER", help="4/4, 3/4, 2/4, 6/8 or 12/8.")]
Style = Annotated[str | None, typer.Option(metavar="NAME", help="popular, folk, hymn, carol or spiritual.")]
Voice = Annotated[
    str | None, typer.Option(metavar="NAME", help="soprano, mezzo, alto, tenor, baritone, bass or medium.")
]
VoiceRange = Annotated[str | None, typer.Option("--range", metavar="LOW-HIGH", help="For example C3-E4.")]
Chords = Annotated[str | None, typer.Option(metavar="CHORDS", help='"Am F C G": repeated through the song.')]
Title = Annotated[str | None, typer.Option(help="Title of the song, if the lyrics do not say it.")]
Pronunciations = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Your own pronunciations: a word and its ARPAbet sounds a line.")
]
MidiLyrics = Annotated[str, typer.Option(metavar="NAME", help="plain, hyphen, rp017 or kar.")]
Backing = Annotated[str, typer.Option(metavar="NAME", help="What to do with (backing words): in-place or skip.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite files that exist.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing on stderr but errors.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more on stderr.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"songwright {VERSION}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Turn lyrics into songs that people can sing."""


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
    with _reporting(verbose):
        from lyrics.parse import read_lyrics
        from pipeline.compose import compose as compose_song
        from pipeline.names import safe_name, slug, title_from_stem
        from pipeline.render import parse_formats

        names = parse_formats(formats)
        from_stdin = str(lyrics) == "-"
        parsed = read_lyrics(None if from_stdin else lyrics, _pronouncer(pronunciations))
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
        written = _write(song, output, slug(song.title) if named else safe_name(lyrics.stem), names, force)
        if not quiet:
            _tell(song)
        if as_json:
            _print_json(_summary(song) | {"files": [str(path) for path in written]})
        else:
            for path in written:
                typer.echo(str(path))


@app.command()
def analyze(
    lyrics: Lyrics, pronunciations: Pronunciations = None, as_json: AsJson = False, verbose: Verbose = False
) -> None:
    """Show what can be read off LYRICS: syllables, stress, metre, rhyme, sections, mood, themes."""
    with _reporting(verbose):
        from dataclasses import asdict

        from lyrics.analysis import analyze as analyze_lyrics
        from lyrics.parse import read_lyrics

        parsed = read_lyrics(None if str(lyrics) == "-" else lyrics, _pronouncer(pronunciations))
        analysis = analyze_lyrics(parsed)
        if as_json:
            _print_json(asdict(analysis))
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
    with _reporting(verbose):
        from dataclasses import replace

        from pipeline.names import safe_name, slug
        from pipeline.render import parse_formats
        from pipeline.song import MIDI_LYRICS, Song

        names = parse_formats(formats)
        from_stdin = str(song) == "-"
        document = Song.from_json(_read(song))
        if midi_lyrics is not None:
            if midi_lyrics not in MIDI_LYRICS:
                raise SettingsError(f"midi lyrics must be one of {', '.join(MIDI_LYRICS)}, got {midi_lyrics!r}")
            document = replace(document, settings=replace(document.settings, midi_lyrics=midi_lyrics))
        stem = slug(document.title) if from_stdin else safe_name(song.stem)
        written = _write(document, output, stem, names, force)
        if not quiet:
            typer.echo(f"{document.title}: {document.settings.key}, {document.settings.meter}", err=True)
        if as_json:
            _print_json(_summary(document) | {"files": [str(path) for path in written]})
        else:
            for path in written:
                typer.echo(str(path))


@contextmanager
def _reporting(verbose: bool) -> Iterator[None]:
    """Turn failures that the user can act on into one sentence and an exit code."""
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(message)s", stream=sys.stderr, force=True)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8, a file name that is no text
    try:
        yield
        sys.stdout.flush()
    except KeyboardInterrupt as error:
        raise typer.Exit(130) from error
    except BrokenPipeError as error:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from error
    except OutputExistsError as error:
        raise _failure(f"{error.filename} exists already; use --force to overwrite it", 2) from error
    except (LyricsError, SettingsError, SongError) as error:
        raise _failure(str(error), 2) from error
    except MissingExtraError as error:
        raise _failure(str(error), 1) from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise _failure(f"{where}{error.strerror or error}", 1) from error


def _failure(message: str, code: int) -> typer.Exit:
    typer.echo(f"Error: {message}", err=True)
    return typer.Exit(code)


def _read(path: Path) -> bytes:
    """Read a file, or standard input for "-"; a file that cannot be read is bad input."""
    if str(path) == "-":
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise SettingsError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error


def _pronouncer(path: Path | None) -> "Pronouncer":
    from lyrics.pronounce import Pronouncer

    try:
        return Pronouncer(path)
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror or error}") from error


def _write(song: "Song", folder: Path, stem: str, formats: Sequence[str], force: bool) -> list[Path]:
    from pipeline.files import write_files
    from pipeline.render import render

    paths = {name: folder / f"{stem}.{name}" for name in formats}
    contents = render(song, formats)
    write_files({paths[name]: content for name, content in contents.items()}, force=force)
    return list(paths.values())


def _tell(song: "Song") -> None:
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
    for name, value in values.items():
        reason = f"  ({reasons[name]})" if name in reasons else ""
        typer.echo(f"{name + ':':7} {value}{reason}", err=True)
    minutes, seconds = divmod(round(song.length_seconds), 60)
    typer.echo(f"{'form:':7} {', '.join(section.label for section in song.sections)}; {minutes}:{seconds:02}", err=True)


def _summary(song: "Song") -> dict[str, Any]:
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


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))
