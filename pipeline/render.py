"""Every file format that a song can be written in, in one table."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from lyrics.errors import need
from pipeline.errors import SettingsError
from pipeline.song import Song


class Format(NamedTuple):
    """One file format; its name is the extension of its files."""

    about: str
    write: Callable[[Song], bytes]


def _json(song: Song) -> bytes:
    return song.to_json().encode()


def _midi(song: Song) -> bytes:
    from pipeline.midi import midi_bytes

    return midi_bytes(song)


def _musicxml(song: Song) -> bytes:
    from pipeline.musicxml import musicxml_bytes

    return musicxml_bytes(song)


def _text(song: Song) -> bytes:
    from pipeline.sheet import sheet_text

    return sheet_text(song).encode()


def _chordpro(song: Song) -> bytes:
    from pipeline.sheet import chordpro_text

    return chordpro_text(song).encode()


def _svg(song: Song) -> bytes:
    """Engrave the score with verovio, its pages one below the other."""
    need("the format svg", "audio", "verovio")
    import verovio

    from pipeline.musicxml import musicxml_bytes

    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.setOptions(
        {
            "adjustPageHeight": True,
            "breaks": "encoded" if len(song.lines) > 1 else "auto",
            "footer": "none",
            "lyricWordSpace": 1.6,
            "pageHeight": 60000,
            "scale": 45,
            "xmlIdSeed": 1,  # the ids of elements, random otherwise
        }
    )
    if not toolkit.loadData(musicxml_bytes(song, for_engraver=True).decode()):
        raise RuntimeError("verovio could not read the score that this program wrote")
    pages = [toolkit.renderToSVG(number) for number in range(1, toolkit.getPageCount() + 1)]
    return (pages[0] if len(pages) == 1 else _stack(pages)).encode()


def _stack(pages: Sequence[str]) -> str:
    """Put pages of SVG one below the other."""
    import xml.etree.ElementTree as ElementTree

    svg = "{http://www.w3.org/2000/svg}svg"
    ElementTree.register_namespace("", "http://www.w3.org/2000/svg")
    ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    whole = ElementTree.Element(svg)
    top = width = 0.0
    for page in pages:
        root = ElementTree.fromstring(page)
        root.set("y", f"{top:g}")
        top += float(root.get("height", "0").removesuffix("px"))
        width = max(width, float(root.get("width", "0").removesuffix("px")))
        whole.append(root)
    whole.set("width", f"{width:g}px")
    whole.set("height", f"{top:g}px")
    return ElementTree.tostring(whole, encoding="unicode")


def _wav(song: Song) -> bytes:
    """Play the MIDI file with the SoundFont that pretty_midi carries."""
    need("the format wav", "audio", "midirenderer", "pretty_midi")
    from midirenderer import render_wave_from

    from pipeline.midi import midi_bytes

    spec = find_spec("pretty_midi")
    assert spec is not None
    assert spec.origin is not None
    sound_font = Path(spec.origin).with_name("TimGM6mb.sf2").read_bytes()
    return bytes(render_wave_from(sound_font, midi_bytes(song)))


FORMATS = {
    "mid": Format("Standard MIDI File with lyrics", _midi),
    "musicxml": Format("score for notation programs (MusicXML 4.0)", _musicxml),
    "json": Format("the song document", _json),
    "txt": Format("lyrics with chords above the lines", _text),
    "cho": Format("lyrics with chords in ChordPro", _chordpro),
    "svg": Format("picture of the score (needs the extra [audio])", _svg),
    "wav": Format("sound (needs the extra [audio])", _wav),
}
DEFAULT_FORMATS = ("mid", "musicxml", "json")


def parse_formats(text: str) -> tuple[str, ...]:
    """Read "mid,musicxml"; SettingsError for a format that is not in the table."""
    names = tuple(dict.fromkeys(name.strip().lower().removeprefix(".") for name in text.split(",") if name.strip()))
    unknown = [name for name in names if name not in FORMATS]
    if unknown or not names:
        found = unknown[0] if unknown else text
        raise SettingsError(f"format must be one or more of {', '.join(FORMATS)}, separated by commas, got {found!r}")
    return names


def render(song: Song, formats: Sequence[str] = DEFAULT_FORMATS) -> dict[str, bytes]:
    """Make the contents of every file in memory, by format.

    Raises MissingExtraError for a format whose package is not installed, ValueError for notes that a score cannot hold.
    """
    return {name: FORMATS[name].write(song) for name in formats}
