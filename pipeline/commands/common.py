"""What all commands share: the app, the options, and how failures are told.

Each command reads its options, calls one function of the library and writes what comes back.

Results go to stdout, everything else to stderr. Exit codes: 0 ok, 1 failed (the disk, a missing package), 2 bad usage
or bad input, 130 interrupted. Bad input is one sentence; a traceback is always a bug of this program.
"""

import io
import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lyrics.document import LyricsError
from lyrics.errors import ModelChoiceError, RequestError
from pipeline.errors import MissingExtraError, ModelFileError, OutputExistsError, SettingsError, SongError, TuneError
from pipeline.version import VERSION

if TYPE_CHECKING:
    from lyrics.document import Lyrics as ParsedLyrics
    from lyrics.pronounce import Pronouncer

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
KeyName = Annotated[str | None, typer.Option("--key", metavar="KEY", help='"D major", "F# minor", "Bbm"; or "minor".')]
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


@contextmanager
def reporting(verbose: bool) -> Iterator[None]:
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
        raise failure(f"{error.filename} exists already; use --force to overwrite it", 2) from error
    except (LyricsError, ModelChoiceError, RequestError, SettingsError, SongError, TuneError) as error:
        raise failure(str(error), 2) from error
    except (MissingExtraError, ModelFileError) as error:
        raise failure(str(error), 1) from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise failure(f"{where}{error.strerror or error}", 1) from error


def failure(message: str, code: int) -> typer.Exit:
    """Say what is wrong on stderr; raise the result to end with the exit code."""
    typer.echo(f"Error: {message}", err=True)
    return typer.Exit(code)


def read_input(path: Path, most: int = -1) -> bytes:
    """Read a file, or standard input for "-", at most so many bytes; a file that cannot be read is bad input."""
    if str(path) == "-":
        from lyrics.parse import standard_input

        return standard_input().read(most)
    try:
        with path.open("rb") as file:
            return file.read(most)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise SettingsError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error


def pronouncer(path: Path | None) -> "Pronouncer":
    """Return a pronouncer with the user's own file, if one is given; a file that cannot be read is bad input."""
    from lyrics.pronounce import Pronouncer

    try:
        return Pronouncer(path)
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror or error}") from error


def tell_left_out(parsed: "ParsedLyrics") -> None:
    """Say on stderr what of a text is not sung, if there is anything: chords, time stamps."""
    if parsed.left_out:
        typer.echo(f"left out: {', '.join(parsed.left_out)}", err=True)


def print_json(value: Any) -> None:
    """Print one JSON object on stdout."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))
