"""Write a song as MusicXML 4.0: one vocal part with its words, chord symbols and rehearsal marks, repeats written out.

The file validates against the MusicXML 4.0 schema. It carries no date, so the same song gives the same bytes.
"""

import re
import xml.etree.ElementTree as ElementTree
from bisect import bisect_right
from itertools import pairwise
from pathlib import Path
from xml.etree.ElementTree import Element

from align.meter import TICKS_PER_BEAT
from melody.theory import ChordSpan, Key
from pipeline.files import write_files
from pipeline.notation import (
    Bar,
    SpelledPitch,
    Sung,
    Symbol,
    choose_clef,
    engrave,
    key_alterations,
    spell_pitch,
    split_name,
)
from pipeline.song import Song, SungSection, chord_symbol

_DOCTYPE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN"'
    ' "http://www.musicxml.org/dtds/partwise.dtd">\n'
)
# Chord quality -> the kind of MusicXML, and the degrees (value, alteration) that it adds.
_KINDS: dict[str, tuple[str, tuple[tuple[int, int], ...]]] = {
    "": ("major", ()),
    "m": ("minor", ()),
    "dim": ("diminished", ()),
    "aug": ("augmented", ()),
    "7": ("dominant", ()),
    "m7": ("minor-seventh", ()),
    "maj7": ("major-seventh", ()),
    "m7b5": ("half-diminished", ()),
    "dim7": ("diminished-seventh", ()),
    "6": ("major-sixth", ()),
    "m6": ("minor-sixth", ()),
    "sus4": ("suspended-fourth", ()),
    "sus2": ("suspended-second", ()),
    "7sus4": ("suspended-fourth", ((7, 0),)),  # an added seventh counts from the dominant seventh: 0 is minor
    "add9": ("major", ((9, 0),)),
    "9": ("dominant-ninth", ()),
    "m9": ("minor-ninth", ()),
    "maj9": ("major-ninth", ()),
    "5": ("power", ()),
    "aug7": ("augmented-seventh", ()),
    "mMaj7": ("major-minor", ()),
    "69": ("major-sixth", ((9, 0),)),
    "madd9": ("minor", ((9, 0),)),
    "7b5": ("dominant", ((5, -1),)),
    "7b9": ("dominant", ((9, -1),)),
    "7#9": ("dominant", ((9, 1),)),
    "11": ("dominant-11th", ()),
    "m11": ("minor-11th", ()),
    "13": ("dominant-13th", ()),
}
_SYLLABIC = {(True, True): "single", (True, False): "begin", (False, False): "middle", (False, True): "end"}
_ACCIDENTALS = {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}
# What XML 1.0 cannot hold at all (https://www.w3.org/TR/xml/#charsets).
_NOT_XML = "[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
_IN_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_IN_ATTRIBUTES = _IN_TEXT | str.maketrans({'"': "&quot;", "\r": "&#13;", "\n": "&#10;", "\t": "&#09;"})
# A new section, or a new line of lyrics, starts a new system once so many bars stand on the old one.
_BARS_BEFORE_SECTION, _BARS_BEFORE_LINE = 2, 3


def write_musicxml(song: Song, path: Path | str, *, force: bool = False) -> None:
    """Write the song to a file; FileExistsError if there is one already and `force` is not set."""
    write_files({Path(path): musicxml_bytes(song)}, force=force)


def musicxml_bytes(song: Song, *, for_engraver: bool = False) -> bytes:
    """Return the song as a MusicXML file.

    Every melisma gets an `<extend>`, and written hyphens stay ("Wi-", "Fi"). Engravers draw one hyphen between the
    syllables of a word and no extender there; a program that takes the file literally does so `for_engraver`.
    Raises ValueError if a note's onset or length is no multiple of a sixty-fourth note.
    """
    root = Element("score-partwise", version="4.0")
    _sub(_sub(root, "work"), "work-title", song.title)
    identification = _sub(root, "identification")
    _sub(identification, "creator", song.program, type="composer")
    _sub(_sub(identification, "encoding"), "software", song.program)
    score_part = _sub(_sub(root, "part-list"), "score-part", id="P1")
    _sub(score_part, "part-name", "Voice")
    part = _sub(root, "part", id="P1")
    _write_bars(song, part)
    if for_engraver:
        _simplify_syllables(part)
    lines = [_DOCTYPE]
    _write(root, "", lines)
    return "".join(lines).encode()


def _write(element: Element, indent: str, lines: list[str]) -> None:
    """Append an element as indented lines: in half the time of the library, which looks for name spaces."""
    start = element.tag
    for name, value in element.attrib.items():
        start += f' {name}="{value if value.isalnum() else value.translate(_IN_ATTRIBUTES)}"'
    if len(element):
        lines.append(f"{indent}<{start}>\n")
        for child in element:
            _write(child, indent + " ", lines)
        lines.append(f"{indent}</{element.tag}>\n")
    elif element.text:
        text = element.text if element.text.isalnum() else element.text.translate(_IN_TEXT)
        lines.append(f"{indent}<{start}>{text}</{element.tag}>\n")
    else:
        lines.append(f"{indent}<{start} />\n")


def _simplify_syllables(part: Element) -> None:
    """Leave one hyphen, the engraver's, after a syllable that its word goes on after."""
    for lyric in part.iter("lyric"):
        if lyric.findtext("syllabic") in ("begin", "middle"):
            text, extend = lyric.find("text"), lyric.find("extend")
            if text is not None and text.text is not None:
                text.text = text.text.removesuffix("-")
            if extend is not None:
                lyric.remove(extend)


def _sub(parent: Element, tag: str, text: str | int | None = None, /, **attributes: str) -> Element:
    element = ElementTree.SubElement(parent, tag, attributes)
    if text is not None:
        text = str(text)
        element.text = text if text.isprintable() else re.sub(_NOT_XML, "\ufffd", text)
    return element


def _write_bars(song: Song, part: Element) -> None:
    engraved = engrave(song)
    onsets = [span.onset for span in song.chords]
    breaks = _system_breaks(song, [bar for bar, _ in engraved])
    sections = list(song.sections)
    chords = list(song.chords)
    accidentals = _Accidentals(song.settings.key)
    following: dict[int, int] = {}  # by onset: the next other pitch
    sung = [note for line in song.lines for note in line.notes]
    for before, after in reversed(list(pairwise(sung))):
        same = after.pitch == before.pitch
        following[before.onset] = following.get(after.onset, after.pitch) if same else after.pitch
    for position, (bar, symbols) in enumerate(engraved):
        implicit = {} if bar.number else {"implicit": "yes"}
        measure = _sub(part, "measure", number=str(bar.number), **implicit)
        if bar.start in breaks:
            _sub(measure, "print", **{"new-system": "yes"})
        if position == 0:
            _write_attributes(song, measure)
            _write_tempo(song, measure)
        last_bar = position == len(engraved) - 1
        while sections and (sections[0].start < bar.end or last_bar):
            _write_rehearsal(sections.pop(0), measure)
        accidentals.new_bar()
        for symbol in symbols:
            end = symbol.start + symbol.duration
            while chords and chords[0].onset < end:
                _write_harmony(chords.pop(0), symbol.start, song.settings.key, measure)
            note = _sub(measure, "note")
            if symbol.sung is None:
                _write_rest(symbol, note)
            else:
                index = bisect_right(onsets, symbol.sung.note.onset) - 1
                chord = song.chords[index].chord if index >= 0 else None
                sounding = symbol.sung.note
                pitch = spell_pitch(sounding.pitch, song.settings.key, chord, following.get(sounding.onset))
                _write_note(symbol, symbol.sung, pitch, accidentals, note)
        if last_bar:
            _sub(_sub(measure, "barline", location="right"), "bar-style", "light-heavy")


def _system_breaks(song: Song, all_bars: list[Bar]) -> set[int]:
    """Ticks of the bar lines where a new system begins: with a section, or with a line once the old one is filled."""
    length = song.settings.meter.bar_ticks
    enough: dict[int, int] = {}  # bars that must stand on the old system, by tick
    for line in song.lines:
        # A line that starts in the second half of a bar starts with a pick-up: that stays at the end of the old system.
        bar_number = (line.notes[0].onset - song.pickup + length // 2) // length
        enough[song.pickup + bar_number * length] = _BARS_BEFORE_LINE
    for section in song.sections:
        enough[section.start] = _BARS_BEFORE_SECTION
    breaks: set[int] = set()
    last = 0
    for bar in all_bars:
        if bar.start in enough and bar.start - last >= enough[bar.start] * length:
            breaks.add(bar.start)
            last = bar.start
    return breaks


def _write_attributes(song: Song, measure: Element) -> None:
    settings = song.settings
    attributes = _sub(measure, "attributes")
    _sub(attributes, "divisions", TICKS_PER_BEAT)
    key = _sub(attributes, "key")
    _sub(key, "fifths", settings.key.fifths)
    _sub(key, "mode", settings.key.mode)
    time = _sub(attributes, "time")
    _sub(time, "beats", settings.meter.numerator)
    _sub(time, "beat-type", settings.meter.denominator)
    chosen = choose_clef(settings.low, settings.high)
    clef = _sub(attributes, "clef")
    _sub(clef, "sign", chosen.sign)
    _sub(clef, "line", chosen.line)
    if chosen.octave_change:
        _sub(clef, "clef-octave-change", chosen.octave_change)


def _write_tempo(song: Song, measure: Element) -> None:
    settings = song.settings
    compound = settings.meter.denominator == 8
    direction = _sub(measure, "direction", placement="above")
    metronome = _sub(_sub(direction, "direction-type"), "metronome", parentheses="no")
    _sub(metronome, "beat-unit", "quarter")
    if compound:
        _sub(metronome, "beat-unit-dot")
    beats_per_minute = settings.tempo_qpm / (1.5 if compound else 1)
    _sub(metronome, "per-minute", f"{beats_per_minute:.2f}".rstrip("0").rstrip("."))
    _sub(direction, "sound", tempo=settings.tempo_text)


def _write_rehearsal(section: SungSection, measure: Element) -> None:
    direction = _sub(measure, "direction", placement="above")
    _sub(_sub(direction, "direction-type"), "rehearsal", section.label, halign="left")


def _write_harmony(span: ChordSpan, now: int, key: Key, measure: Element) -> None:
    chord = span.chord
    # As in the written symbol, which avoids double accidentals: "F#m7/C#" -> "F#", "C#".
    root, _, bass = chord_symbol(chord, key).partition("/")
    root = root.removesuffix(chord.quality)
    harmony = _sub(measure, "harmony")
    _write_step(_sub(harmony, "root"), "root", root)
    kind, degrees = _KINDS[chord.quality]
    _sub(harmony, "kind", kind, text=chord.quality)
    if bass:
        _write_step(_sub(harmony, "bass"), "bass", bass)
    for value, alter in degrees:
        # The kind's text says it already.
        degree = _sub(harmony, "degree", **{"print-object": "no"})
        _sub(degree, "degree-value", value)
        _sub(degree, "degree-alter", alter)
        _sub(degree, "degree-type", "alter" if value == 5 else "add")
    if span.onset != now:
        _sub(harmony, "offset", span.onset - now)


def _write_step(element: Element, tag: str, name: str) -> None:
    step, alter = split_name(name)
    _sub(element, f"{tag}-step", step)
    if alter:
        _sub(element, f"{tag}-alter", alter)


def _write_rest(symbol: Symbol, note: Element) -> None:
    _sub(note, "rest", **({} if symbol.type else {"measure": "yes"}))
    _sub(note, "duration", symbol.duration)
    _sub(note, "voice", 1)
    if symbol.type:
        _sub(note, "type", symbol.type)
        for _ in range(symbol.dots):
            _sub(note, "dot")
    if symbol.triplet:
        _write_triplet(note)
        if symbol.tuplet:
            _sub(_sub(note, "notations"), "tuplet", type=symbol.tuplet)


def _write_triplet(note: Element) -> None:
    modification = _sub(note, "time-modification")
    _sub(modification, "actual-notes", 3)
    _sub(modification, "normal-notes", 2)


def _write_note(symbol: Symbol, sung: Sung, spelled: SpelledPitch, accidentals: "_Accidentals", note: Element) -> None:
    pitch = _sub(note, "pitch")
    _sub(pitch, "step", spelled.step)
    if spelled.alter:
        _sub(pitch, "alter", spelled.alter)
    _sub(pitch, "octave", spelled.octave)
    _sub(note, "duration", symbol.duration)
    ties = [kind for kind, there in (("stop", symbol.tied_from), ("start", symbol.tied_to)) if there]
    for kind in ties:
        _sub(note, "tie", type=kind)
    _sub(note, "voice", 1)
    _sub(note, "type", symbol.type)
    for _ in range(symbol.dots):
        _sub(note, "dot")
    if (accidental := accidentals.printed(spelled, tied=symbol.tied_from)) is not None:
        _sub(note, "accidental", accidental)
    if symbol.triplet:
        _write_triplet(note)
    for level, beam in enumerate(symbol.beams, 1):
        _sub(note, "beam", beam, number=str(level))
    slurs = _slurs(symbol, sung)
    if ties or slurs or symbol.tuplet:
        notations = _sub(note, "notations")
        for kind in ties:
            _sub(notations, "tied", type=kind)
        for kind in slurs:
            _sub(notations, "slur", type=kind, number="1")
        if symbol.tuplet:
            _sub(notations, "tuplet", type=symbol.tuplet)
    if sung.part == 0 and not symbol.tied_from:
        _write_lyric(sung, note)


def _slurs(symbol: Symbol, sung: Sung) -> list[str]:
    """Slurs reach from the first notehead of a melisma to its last, tied ones included."""
    if len(sung.syllable.notes) == 1:
        return []
    starts = sung.part == 0 and not symbol.tied_from
    stops = sung.last_part and not symbol.tied_to
    return ["start"] * starts + ["stop"] * stops


def _write_lyric(sung: Sung, note: Element) -> None:
    if not sung.word.printed(sung.index):
        return  # a note without words
    lyric = _sub(note, "lyric", number="1")
    word_starts, word_ends = sung.index == 0, sung.index == len(sung.word.syllables) - 1
    _sub(lyric, "syllabic", _SYLLABIC[word_starts, word_ends])
    _sub(lyric, "text", sung.word.printed(sung.index))
    if len(sung.syllable.notes) > 1:
        # On the first note alone: readers draw the line to the last one, and none takes a bare extender for a syllable.
        _sub(lyric, "extend")


class _Accidentals:
    """Which accidentals must be printed: those that differ from the signature and from earlier ones in the bar."""

    def __init__(self, key: Key) -> None:
        self._signature = key_alterations(key.fifths)
        self._bar: dict[tuple[str, int], int] = {}

    def new_bar(self) -> None:
        self._bar = {}

    def printed(self, pitch: SpelledPitch, *, tied: bool) -> str | None:
        """Return the accidental to print, None if there is none; a tie carries its accidental over the bar line."""
        place = (pitch.step, pitch.octave)
        if tied or self._bar.get(place, self._signature[pitch.step]) == pitch.alter:
            return None
        self._bar[place] = pitch.alter
        return _ACCIDENTALS[pitch.alter]
