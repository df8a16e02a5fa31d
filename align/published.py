"""Songs as their authors published them: MusicXML (plain or zipped) and ABC, read into the notes that are sung.

These readers know what the public sources of docs/data.md use, no more: one voice that sings, verses under it, ties,
tuplets, changes of metre and key, pick-ups, repeat signs (which are kept as signs, see align/repeats.py). `music21`
reads MusicXML as well, at seconds a file, but not the inline voices and the verses of ABC Plus. Sources: the MusicXML
4.0 specification; the ABC standard 2.1 with the voices and aligned words of abcm2ps.
"""

import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from align.meter import TICKS_PER_BEAT

_MOST_BYTES = 50_000_000  # of a score once it is unpacked


class ScoreError(ValueError):
    """A file that is no score, or has no words to sing; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class PublishedNote:
    """A sung note. Times are ticks from the start."""

    onset: int
    duration: int  # ties joined
    pitch: int
    bar: int  # from 0; in ABC and MusicXML alike the pick-up is bar 0
    words: tuple[tuple[str, str], ...]  # (verse, syllable) for each verse that has one here


@dataclass(frozen=True, slots=True)
class PublishedVoice:
    """The voice of a score that sings."""

    name: str
    time_signature: str  # the first one
    key_fifths: int
    notes: tuple[PublishedNote, ...]

    @property
    def verses(self) -> tuple[str, ...]:
        """Numbers of the verses, in the order in which they first occur."""
        return tuple(dict.fromkeys(verse for note in self.notes for verse, _ in note.words))


def read_score(path: Path) -> PublishedVoice:
    """Read a .mxl, .musicxml, .xml or .abc file; of several voices the one with most words. ScoreError otherwise."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ScoreError(f"cannot read {path}: {error.strerror}") from error
    if path.suffix.lower() == ".abc":
        return read_abc(content.decode("utf-8", errors="replace"))
    return read_musicxml(content)


# MusicXML


def _unpacked(content: bytes) -> bytes:
    """Return the score inside a .mxl file, or the content as it is."""
    if not content.startswith(b"PK"):
        return content
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [name for name in archive.namelist() if not name.startswith("META-INF")]
            if "META-INF/container.xml" in archive.namelist():
                with suppress(ElementTree.ParseError):  # some writers do not escape the score's name
                    container = ElementTree.fromstring(archive.read("META-INF/container.xml"))
                    roots = [item.get("full-path") for item in container.iter() if item.tag.endswith("rootfile")]
                    names = [name for name in names if name in roots] or names
            name = next(name for name in names if name.lower().endswith((".xml", ".musicxml")))
            if archive.getinfo(name).file_size > _MOST_BYTES:
                raise ScoreError("the score is larger than 50 MB")
            return archive.read(name)
    except (zipfile.BadZipFile, KeyError, StopIteration) as error:
        raise ScoreError("the file is no compressed MusicXML score") from error


def read_musicxml(content: bytes) -> PublishedVoice:
    """Read the voice with most words of a MusicXML score, partwise."""
    return _that_sings(musicxml_voices(content))


def musicxml_voices(content: bytes) -> tuple[PublishedVoice, ...]:
    """Read all voices of a MusicXML score that have words, partwise; ScoreError if there are none."""
    if len(content) > _MOST_BYTES:
        raise ScoreError("the score is larger than 50 MB")
    try:
        root = ElementTree.fromstring(_unpacked(content))
    except ElementTree.ParseError as error:
        raise ScoreError(f"the file is no MusicXML score: {error}") from error
    if root.tag != "score-partwise":
        raise ScoreError(f"the file is no partwise MusicXML score but <{root.tag}>")
    names = {part.get("id"): part.findtext("part-name", "") for part in root.iter("score-part")}
    voices = [
        voice for part in root.iter("part") for voice in _xml_voices(part, (names.get(part.get("id")) or "").strip())
    ]
    _that_sings(voices)
    return tuple(voice for voice in voices if voice.verses)


def _that_sings(voices: Sequence[PublishedVoice]) -> PublishedVoice:
    best = max(voices, key=lambda voice: sum(len(note.words) for note in voice.notes), default=None)
    if best is None or not best.verses:
        raise ScoreError("no voice of the score has words")
    return best


_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


def _number(text: str | None, default: Fraction) -> Fraction:
    try:
        return Fraction(text.strip()) if text else default
    except (ValueError, ZeroDivisionError):
        return default


def _xml_voices(part: ElementTree.Element, name: str) -> Iterator[PublishedVoice]:
    drafts: dict[str, list[dict[str, Any]]] = {}
    divisions, bar_start = Fraction(1), Fraction(0)
    time_signature, fifths = "", 0
    for bar, measure in enumerate(part.iter("measure")):
        now = furthest = Fraction(0)
        for element in measure:
            if element.tag == "attributes":
                divisions = _number(element.findtext("divisions"), divisions) or Fraction(1)
                if not time_signature and element.find("time/beats") is not None:
                    time_signature = f"{element.findtext('time/beats')}/{element.findtext('time/beat-type')}"
                    fifths = int(_number(element.findtext("key/fifths"), Fraction(0)))
            elif element.tag in ("backup", "forward"):
                step = _number(element.findtext("duration"), Fraction(0)) / divisions
                now = max(Fraction(0), now + (step if element.tag == "forward" else -step))
            elif element.tag == "note" and element.find("grace") is None:
                length = _number(element.findtext("duration"), Fraction(0)) / divisions
                with_last = element.find("chord") is not None
                if element.find("pitch") is not None and element.find("cue") is None:
                    voice = drafts.setdefault(element.findtext("voice", "1"), [])
                    _xml_note(element, voice, bar_start + now, length, bar, with_last)
                if not with_last:
                    now += length
            furthest = max(furthest, now)
        bar_start += furthest
    for voice in drafts.values():
        yield PublishedVoice(name, time_signature, fifths, tuple(_note(draft) for draft in voice))


def _xml_note(
    element: ElementTree.Element, voice: list[dict[str, Any]], onset: Fraction, length: Fraction, bar: int, chord: bool
) -> None:
    """Add a note to a voice, join it to the one it is tied to, or raise a chord's top note."""
    octave = int(_number(element.findtext("pitch/octave"), Fraction(4)))
    alter = int(_number(element.findtext("pitch/alter"), Fraction(0)))
    pitch = 12 * (octave + 1) + _STEPS.get(element.findtext("pitch/step", "C"), 0) + alter
    words = []
    for lyric in element.findall("lyric"):
        text = "".join(part.text or "" for part in lyric if part.tag in ("text", "elision"))
        if text.strip():
            words.append((lyric.get("number") or "1", text.strip()))
    if chord:
        if voice and pitch > voice[-1]["pitch"]:
            voice[-1]["pitch"] = pitch
        if voice and words:
            voice[-1]["words"] += words
        return
    stops = any(tie.get("type") == "stop" for tie in element.findall("tie"))
    if stops and voice and voice[-1]["pitch"] == pitch and voice[-1]["onset"] + voice[-1]["duration"] == onset:
        voice[-1]["duration"] += length
        return
    voice.append({"onset": onset, "duration": length, "pitch": pitch, "bar": bar, "words": words})


def _note(draft: dict[str, Any]) -> PublishedNote:
    return PublishedNote(
        round(draft["onset"] * TICKS_PER_BEAT),
        round(draft["duration"] * TICKS_PER_BEAT),
        draft["pitch"],
        draft["bar"],
        tuple(draft["words"]),
    )


# ABC

_TOKEN = re.compile(
    r"""(?P<comment>%.*$)|(?P<decoration>![^!]*!|\+[^+ ]*\+)|(?P<annotation>"[^"]*")|(?P<grace>\{[^}]*\})
    |(?P<field>\[[A-Za-z]:[^\]]*\])|(?P<ending>\[\d)|(?P<chord>\[[^\]|:]*\](?P<chord_length>\d*/*\d*))
    |(?P<tuplet>\(\d(?::\d?){0,2})|(?P<bar>\|\]|\[\||:?\|+:?\d?|::)
    |(?P<note>[_^=]*[A-Ga-g][,']*\d*/*\d*)|(?P<rest>[zxZXy]\d*/*\d*)|(?P<broken>[<>]+)|(?P<tie>-)|(?P<other>.)""",
    re.VERBOSE,
)
_SHARPS, _FLATS = "FCGDAEB", "BEADGCF"
_MODES = {
    "": 0,
    "maj": 0,
    "ion": 0,
    "mix": -1,
    "dor": -2,
    "m": -3,
    "min": -3,
    "aeo": -3,
    "phr": -4,
    "loc": -5,
    "lyd": 1,
}
_TUPLETS = {2: 3, 3: 2, 4: 3, 5: 2, 6: 2, 7: 2, 8: 3, 9: 2}


@dataclass(slots=True)
class _AbcVoice:
    """A voice while it is read."""

    notes: list[dict[str, Any]]
    written: list[dict[str, Any]]  # for every written note of the latest line, tied ones too, its entry in `notes`
    now: Fraction = Fraction(0)
    bar: int = 0
    bar_begin: Fraction = Fraction(0)
    verse: int = 0  # verses under that line so far
    tied: bool = False
    accidentals: dict[str, int] | None = None
    broken: Fraction = Fraction(1)  # factor of the next note after > or <
    tuplet: tuple[int, Fraction] = (0, Fraction(1))


def read_abc(text: str) -> PublishedVoice:
    """Read the voice with most words of an ABC tune, the first tune of the text."""
    fields: dict[str, str] = {}
    voices: dict[str, _AbcVoice] = {}
    current = ""
    in_body = False
    unit = Fraction(1, 8)
    lines = text.replace("\r", "").split("\n")
    state: dict[str, Any] = {"unit": unit, "fifths": 0, "meter": "4/4"}
    for line in lines:
        if line.startswith("%") or not line.strip():
            continue
        field = re.match(r"([A-Za-z]):\s*(.*)", line)
        if field and not line.startswith("|"):
            name, value = field.groups()
            value = re.sub(r"%.*", "", value).strip() if name not in "wW" else value
            if name == "X" and in_body:
                break  # another tune
            if name == "w" and current in voices:
                _align_words(voices[current], value)
            elif name == "V" and in_body:
                current = value.split()[0] if value else current
                voices.setdefault(current, _AbcVoice([], []))
            elif name in "MLK":
                _abc_field(name, value, state)
                in_body = in_body or name == "K"
                if name == "M" and not in_body and "L" not in fields:
                    state["unit"] = Fraction(1, 16) if _abc_meter(value) < Fraction(3, 4) else Fraction(1, 8)
                if name == "M":
                    fields.setdefault("M", _abc_meter_name(value))
                if name == "K":
                    fields.setdefault("K", str(state["fifths"]))
            if name != "M":
                fields.setdefault(name, value)
            continue
        if in_body:
            current = _abc_music(line, voices, current, state)
    found = [
        PublishedVoice(
            name, fields.get("M", "4/4"), int(fields.get("K", 0)), tuple(_note(draft) for draft in voice.notes)
        )
        for name, voice in voices.items()
    ]
    return _that_sings(found)


def _abc_meter_name(value: str) -> str:
    return {"C": "4/4", "C|": "2/2"}.get(value, value)


def _abc_meter(value: str) -> Fraction:
    try:
        return Fraction(_abc_meter_name(value))
    except (ValueError, ZeroDivisionError):
        return Fraction(1)


def _abc_field(name: str, value: str, state: dict[str, Any]) -> None:
    if name == "L":
        state["unit"] = _number(value, state["unit"])
    elif name == "M":
        state["meter"] = _abc_meter_name(value)
    elif name == "K":
        match = re.match(r"([A-G])([#b]?)\s*([A-Za-z]*)", value)
        if match:
            letter, accidental, mode = match.groups()
            fifths = "FCGDAEB".index(letter) - 1 + 7 * {"": 0, "#": 1, "b": -1}[accidental]
            state["fifths"] = fifths + _MODES.get(mode.lower()[:3] if mode.lower() != "m" else "m", 0)


def _abc_length(text: str) -> Fraction:
    """Read "3/2", "/", "//", "/4", "2", "" as a factor of the unit length."""
    match = re.fullmatch(r"(\d*)(/*)(\d*)", text)
    if match is None:
        return Fraction(1)
    number, slashes, divisor = match.groups()
    value = Fraction(int(number or 1))
    if slashes:
        value /= int(divisor) if divisor and int(divisor) else 2 ** len(slashes)
    return value


def _abc_pitch(token: str, accidentals: dict[str, int], fifths: int) -> tuple[int, str]:
    """Return the MIDI number of a note, and the rest of its token: the length."""
    match = re.match(r"([_^=]*)([A-Ga-g])([,']*)", token)
    assert match is not None  # the tokenizer found it
    sign, letter, marks = match.groups()
    octave = (5 if letter.islower() else 4) + marks.count("'") - marks.count(",")
    place = f"{letter.upper()}{octave}"
    if sign:
        accidentals[place] = sign.count("^") - sign.count("_")
    shift = accidentals.get(place)
    if shift is None:
        name = letter.upper()
        shift = (name in _SHARPS[: max(0, fifths)]) - (name in _FLATS[: max(0, -fifths)])
    return 12 * (octave + 1) + _STEPS[letter.upper()] + shift, token[match.end() :]


def _abc_music(line: str, voices: dict[str, _AbcVoice], current: str, state: dict[str, Any]) -> str:
    """Read a line of music into its voice; return the voice that goes on."""
    fresh: set[str] = set()
    for match in _TOKEN.finditer(line):
        kind, token = match.lastgroup, match.group()
        if kind == "chord_length":
            kind = "chord"
        if kind == "comment":
            break
        if kind == "field":
            name, value = token[1], token[3:-1].strip()
            if name == "V":
                current = value.split()[0]
            else:
                _abc_field(name, value, state)
            continue
        voice = voices.setdefault(current, _AbcVoice([], []))
        if voice.accidentals is None:
            voice.accidentals = {}
        if current not in fresh:
            fresh.add(current)
            voice.written, voice.verse = [], 0
        if kind == "bar":
            if voice.now > voice.bar_begin:
                voice.bar += 1
                voice.bar_begin = voice.now
            voice.accidentals = {}
        elif kind == "tuplet":
            count = int(token[1])
            numbers = [int(n) if n else None for n in token[2:].split(":")[1:]]
            into = (numbers[0] if numbers else None) or _TUPLETS.get(count, 2)
            num_notes = (numbers[1] if len(numbers) > 1 else None) or count
            voice.tuplet = (num_notes, Fraction(into, count))
        elif kind == "broken":
            short = Fraction(1, 2 ** len(token))
            factor = 2 - short if token[0] == ">" else short
            if voice.notes:
                old = voice.notes[-1]["last"]
                voice.notes[-1]["duration"] += old * (factor - 1)
                voice.now += old * (factor - 1)
                voice.broken = 2 - factor
        elif kind == "tie":
            voice.tied = True
        elif kind in ("note", "rest", "chord"):
            _abc_note(kind, token, match.group("chord_length") or "", voice, state)
    return current


def _abc_note(kind: str, token: str, chord_length: str, voice: _AbcVoice, state: dict[str, Any]) -> None:
    assert voice.accidentals is not None
    pitch: int | None = None
    if kind == "note":
        pitch, rest = _abc_pitch(token, voice.accidentals, state["fifths"])
        factor = _abc_length(rest)
    elif kind == "chord":
        inner = re.findall(r"[_^=]*[A-Ga-g][,']*\d*/*\d*", token[: len(token) - len(chord_length)])
        if not inner:
            return
        read = [_abc_pitch(note, voice.accidentals, state["fifths"]) for note in inner]
        pitch = max(p for p, _ in read)
        factor = _abc_length(read[0][1]) * _abc_length(chord_length)
    elif token[0] == "y":
        return  # a blank on paper
    else:
        factor = _abc_length(token[1:])
        if token[0] in "ZX":  # whole bars
            length = factor * _abc_meter(state["meter"]) * 4
            voice.now += length
            return
    length = factor * state["unit"] * 4 * voice.broken
    voice.broken = Fraction(1)
    left, scale = voice.tuplet
    if left:
        length *= scale
        voice.tuplet = (left - 1, scale)
    if pitch is not None:
        last = voice.notes[-1] if voice.notes else None
        if voice.tied and last is not None and last["pitch"] == pitch and last["onset"] + last["duration"] == voice.now:
            last["duration"] += length
            last["last"] = length
            voice.written.append({"bar": voice.bar, "words": []})  # a place for words, but not a note of its own
        else:
            voice.notes.append(
                {"onset": voice.now, "duration": length, "pitch": pitch, "bar": voice.bar, "words": [], "last": length}
            )
            voice.written.append(voice.notes[-1])
    voice.tied = False
    voice.now += length


def _align_words(voice: _AbcVoice, text: str) -> None:
    """Put a `w:` line under the latest line of music: a verse more each time.

    Every written note has a place, one that is tied to the note before too; words there are sung on that note.
    """
    voice.verse += 1
    verse = str(voice.verse)
    notes = voice.written
    bars = [note["bar"] for note in notes]
    at = 0
    text = re.sub(r"%.*", "", text).replace("\\-", "\u2011")
    for token in re.findall(r"\||\*|_|-|[^\s|*_-]+", text):
        if token == "|":
            here = bars[at - 1] if at else (bars[0] - 1 if bars else 0)
            at = next((i for i, bar in enumerate(bars) if bar > here and i >= at), len(notes))
        elif token in ("*", "_"):
            at += 1
        elif token != "-":
            if at < len(notes):
                notes[at]["words"].append((verse, token.replace("~", " ").replace("\u2011", "-")))
            at += 1
