"""The commands that write words: write, song, rewrite."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.commands.common import (
    AsJson,
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
    Style,
    Tempo,
    Verbose,
    Voice,
    VoiceRange,
    app,
    print_json,
    pronouncer,
    read_input,
    reporting,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from lyrics.writing.request import Request
    from lyrics.writing.writer import WrittenLyrics

Theme = Annotated[str, typer.Argument(metavar="THEME", help='What it is about: "leaving home by train at night".')]
Form = Annotated[
    str, typer.Option(metavar="FORM", help="V verse, C chorus, P pre-chorus, B bridge, H hook, I intro, O outro.")
]
Lines = Annotated[str, typer.Option(metavar="N", help="Lines of a section: 4, or by section V:8,C:4.")]
Syllables = Annotated[
    str, typer.Option(metavar="N", help="Of a line: 8, a pattern 8.6.8.6, by section V:8.6.8.6,C:7, or natural.")
]
RhymeScheme = Annotated[
    str, typer.Option("--rhyme", metavar="SCHEME", help="ABAB, AABB, XAXA, none, or by section V:ABAB,C:AABB.")
]
Metre = Annotated[str, typer.Option(metavar="NAME", help="iambic, trochaic or free.")]
SongTitle = Annotated[str, typer.Option("--title", help="Title; the first line of the chorus ends on it.")]
MoodName = Annotated[str, typer.Option("--mood", metavar="NAME", help="sad, dark, calm, happy or excited.")]
Use = Annotated[str, typer.Option(metavar="WORDS", help="Words or phrases that must occur, with commas between.")]
Avoid = Annotated[str, typer.Option(metavar="WORDS", help="Words that must not occur, with commas between.")]
To = Annotated[str, typer.Option(metavar="NAME", help="Whom the song addresses, by name.")]
Explicit = Annotated[bool, typer.Option("--explicit/--clean", help="Whether swear words may occur.")]
Slant = Annotated[bool, typer.Option("--slant/--perfect", help="Whether slant rhymes may stand in for perfect ones.")]
Model = Annotated[
    str | None, typer.Option(metavar="NAME", help="Name from `songwright models`, hub id, or folder of the model.")
]
Seed = Annotated[int, typer.Option(help="Another number gives other words.")]
_TRIAL = "Here we are"


def _file_or_stdout(path: Path | None) -> Path | None:
    return None if path == Path("-") else path


OutputFile = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", callback=_file_or_stdout, help="Write here, not to stdout."),
]


@app.command()
def write(
    theme: Theme,
    output: OutputFile = None,
    form: Form = "V-C-V-C-B-C",
    lines: Lines = "",
    syllables: Syllables = "natural",
    rhyme: RhymeScheme = "",
    metre: Metre = "free",
    title: SongTitle = "",
    mood: MoodName = "",
    use: Use = "",
    avoid: Avoid = "",
    to: To = "",
    explicit: Explicit = False,
    slant: Slant = True,
    model: Model = None,
    seed: Seed = 0,
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write lyrics about THEME with a language model, and print them."""
    with reporting(verbose):
        request = _request(
            theme, form, lines, syllables, rhyme, metre, title, mood, use, avoid, to, explicit, slant, seed
        )
        _check(output, force)
        written = _write(request, model, quiet)
        _deliver(written.text, _summary(written, request, model), output, as_json, force)


@app.command()
def song(
    theme: Theme,
    output: Output = Path("."),
    formats: Formats = "mid,musicxml,json,txt",
    form: Form = "V-C-V-C-B-C",
    lines: Lines = "",
    syllables: Syllables = "natural",
    rhyme: RhymeScheme = "",
    metre: Metre = "free",
    title: SongTitle = "",
    mood: MoodName = "",
    use: Use = "",
    avoid: Avoid = "",
    to: To = "",
    explicit: Explicit = False,
    slant: Slant = True,
    model: Model = None,
    key: KeyName = None,
    tempo: Tempo = None,
    meter: MeterName = None,
    style: Style = None,
    voice: Voice = None,
    voice_range: VoiceRange = None,
    chords: Chords = None,
    pronunciations: Pronunciations = None,
    midi_lyrics: MidiLyrics = "plain",
    seed: Seed = 0,
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write a song about THEME, words and music, and print the files written."""
    with reporting(verbose):
        from lyrics.parse import parse_lyrics
        from pipeline.commands.songs import summary, tell, write_song
        from pipeline.compose import compose as compose_song
        from pipeline.files import check_folder
        from pipeline.names import slug
        from pipeline.render import parse_formats

        names = parse_formats(formats)
        request = _request(
            theme, form, lines, syllables, rhyme, metre, title, mood, use, avoid, to, explicit, slant, seed
        )
        settings: dict[str, Any] = {
            "key": key,
            "tempo": tempo,
            "meter": meter,
            "style": style,
            "voice": voice,
            "voice_range": voice_range,
            "chords": () if chords is None else chords,
            "midi_lyrics": midi_lyrics,
        }
        said = pronouncer(pronunciations)
        compose_song(_TRIAL, seed=seed, **settings)  # bad settings are told before the words are written
        check_folder(output)
        written = _write(request, model, quiet)
        with _kept(written.text):
            composed = compose_song(parse_lyrics(written.text, said), seed=seed, **settings)
            files = write_song(composed, output, slug(composed.title), names, force, (pronunciations,))
        if not quiet:
            tell(composed)
        if as_json:
            result = summary(composed) | {"lyrics": _summary(written, request, model)}
            print_json(result | {"files": [str(path) for path in files]})
        else:
            for path in files:
                typer.echo(str(path))


@app.command()
def rewrite(
    lyrics: Lyrics,
    line: Annotated[str, typer.Option(metavar="ID", help="The line, as in v1.3: third line of the first verse.")] = "",
    section: Annotated[str, typer.Option(metavar="ID", help="The section, as in c1: the first chorus.")] = "",
    choices: Annotated[int, typer.Option(help="Print so many ways to write it, and not the lyrics.")] = 1,
    theme: Annotated[str, typer.Option(help="What it is about, if not what the lyrics are about.")] = "",
    mood: MoodName = "",
    avoid: Avoid = "",
    explicit: Explicit = False,
    slant: Slant = True,
    model: Model = None,
    seed: Seed = 0,
    output: OutputFile = None,
    pronunciations: Pronunciations = None,
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write one line or section of LYRICS anew, with its syllables and rhymes; all else stays byte for byte."""
    with reporting(verbose):
        from lyrics.errors import RequestError
        from lyrics.parse import decode_text, parse_lyrics
        from lyrics.writing.request import Request
        from lyrics.writing.rewrite import check_place
        from lyrics.writing.rewrite import rewrite as rewrite_lyrics

        if line and section:
            raise RequestError("give either --line or --section, not both")
        if not line and not section:
            raise RequestError("say what to rewrite: --line v1.3 or --section c1")
        text = decode_text(read_input(lyrics), str(lyrics))
        said = pronouncer(pronunciations)
        request = Request(
            theme, mood=mood.strip().lower(), avoid=_listed(avoid), explicit=explicit, slant=slant, seed=seed
        )
        check_place(parse_lyrics(text, said), request, line=line, section=section, choices=choices)
        inputs = (lyrics, pronunciations)
        _check(output, force, inputs)
        loaded = _load(model, quiet)
        found = rewrite_lyrics(text, loaded, request, line=line, section=section, choices=choices, pronouncer=said)
        if choices == 1:
            result = found[0].text
        else:
            result = "\n".join("\n".join(way.lines) + ("\n" if section else "") for way in found) + "\n"
        shown = {"line": line or None, "section": section or None, "choices": [list(way.lines) for way in found]}
        _deliver(result, shown | {"text": found[0].text}, output, as_json, force, inputs)


def _request(
    theme: str,
    form: str,
    lines: str,
    syllables: str,
    rhyme: str,
    metre: str,
    title: str,
    mood: str,
    use: str,
    avoid: str,
    to: str,
    explicit: bool,
    slant: bool,
    seed: int,
) -> "Request":
    """Make a request of the options, and refuse at once what contradicts itself."""
    from lyrics.writing.plan import check
    from lyrics.writing.request import Request

    request = Request(
        theme=theme,
        form=form,
        lines=lines,
        syllables=syllables,
        rhyme=rhyme,
        metre=metre.strip().lower(),
        title=title.strip(),
        mood=mood.strip().lower(),
        use=_listed(use),
        avoid=_listed(avoid),
        to=to.strip(),
        explicit=explicit,
        slant=slant,
        seed=seed,
    )
    check(request)
    return request


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _load(name: str | None, quiet: bool) -> Any:
    """Load the language model; the first time it is fetched."""
    from lyrics.lm import load_model
    from lyrics.model_store import DEFAULT_MODEL

    with _bar(quiet, "reading the model"):
        return load_model(name or DEFAULT_MODEL)


def _write(request: "Request", name: str | None, quiet: bool) -> "WrittenLyrics":
    from lyrics.writing.writer import write as write_lyrics

    model = _load(name, quiet)
    with _bar(quiet, "writing") as progress:
        return write_lyrics(request, model, progress=progress)


@contextmanager
def _bar(quiet: bool, what: str) -> "Iterator[Callable[[int, int], None] | None]":
    """Show progress on a terminal."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _check(output: Path | None, force: bool, inputs: Sequence[Path | None] = ()) -> None:
    """Refuse before the work what would be refused after it."""
    if output is not None:
        from pipeline.files import check_files

        check_files([output], inputs=inputs, force=force)


@contextmanager
def _kept(text: str) -> "Iterator[None]":
    """Print what the language model has written if it cannot be used: it took long."""
    try:
        yield
    except Exception:
        typer.echo(text, err=True)
        raise


def _deliver(
    text: str,
    shown: dict[str, Any],
    output: Path | None,
    as_json: bool,
    force: bool,
    inputs: Sequence[Path | None] = (),
) -> None:
    if output is not None:
        from pipeline.files import write_files

        with _kept(text):
            write_files({output: text.encode()}, inputs=inputs, force=force)
    if as_json:
        print_json(shown)
    elif output is not None:
        typer.echo(str(output))
    else:
        typer.echo(text, nl=not text.endswith("\n"))


def _summary(written: "WrittenLyrics", request: "Request", model: str | None) -> dict[str, Any]:
    """Return what --json prints about lyrics."""
    from dataclasses import asdict

    return {
        "title": written.title,
        "theme": request.theme,
        "seed": written.seed,
        "model": model or "default",
        "sections": [asdict(section) for section in written.sections],
        "text": written.text,
    }
