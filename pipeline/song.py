"""The song document: everything about a song in one value, and in one JSON file (`songwright.song/1`).

Every other file is written from it. It holds sections -> lines -> words -> syllables -> notes, the chords, the form,
the settings with the reasons for them, and a seed for every line. `Song.from_json(song.to_json()) == song`, and the
same song always gives the same bytes. `pipeline/data/song.schema.json` describes the file for other programs.

Times are whole ticks, 480 to the quarter note. Bars begin at `pickup`, `pickup + bar`, ...; the bar before is short.
A note that is not the first of its syllable continues it (melisma).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Any

from align.meter import TICKS_PER_BEAT, Meter
from align.rhythm import LineRhythm, Rhythm, RhythmNote, SectionSpan
from lyrics.document import Line, Lyrics, Role, Section, Syllable, Word
from melody.theory import Chord, ChordSpan, Key
from pipeline.errors import SongError
from pipeline.json_fields import Fields, JsonError, load_json
from pipeline.seeds import MAX_SEED, line_seed
from pipeline.version import VERSION

FORMAT = "songwright.song/1"
PROGRAM = f"songwright {VERSION}"
MIDI_LYRICS = ("plain", "hyphen", "rp017", "kar")  # see pipeline.midi
BACKING = ("in-place", "skip")  # what is done with (backing words)


@dataclass(frozen=True, slots=True)
class Note:
    """One sung note."""

    onset: int  # ticks from the start of the song
    duration: int  # ticks, > 0
    pitch: int  # MIDI number, 60 = C4

    @property
    def end(self) -> int:
        """Tick where the note stops."""
        return self.onset + self.duration


@dataclass(frozen=True, slots=True)
class SungSyllable:
    """A syllable with its notes: one, or several for a melisma."""

    text: str
    phones: tuple[str, ...]
    stress: int
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class SungWord:
    """A word as in `lyrics.document.Word`, with sung syllables."""

    text: str
    written: str
    token: int
    syllables: tuple[SungSyllable, ...]
    content: bool
    prefix: str = ""
    suffix: str = ""
    backing: bool = False
    in_dictionary: bool = True

    def printed(self, index: int) -> str:
        """Text of a syllable as it stands under its note, punctuation included."""
        text = self.syllables[index].text
        if index == 0:
            text = self.prefix + text
        if index == len(self.syllables) - 1:
            text += self.suffix
        return text


@dataclass(frozen=True, slots=True)
class SungLine:
    """A line with everything needed to make it again."""

    id: str  # section id and number in the section from 1: "v1.3"
    text: str  # as written
    number: int  # line in the source text, from 1
    rhyme: str  # rhyme label in its section: "A", "B", ..., "-" for none
    seed: int  # 64-bit; derives from (song seed, id, revision)
    revision: int  # 0, and one more with every re-roll
    locked: bool  # a locked line is never sung again; only the key and the tempo of the whole song reach it
    start: int  # ticks: the line's own stretch of time, pick-up included
    end: int
    follows: str | None  # id of the earlier line whose rhythm this one keeps or adapts
    words: tuple[SungWord, ...]

    @property
    def notes(self) -> tuple[Note, ...]:
        """All notes of the line, in order."""
        return tuple(note for word in self.words for syllable in word.syllables for note in syllable.notes)


@dataclass(frozen=True, slots=True)
class SungSection:
    """A section in the order of singing; `start` is its first bar line, so a pick-up lies before it."""

    id: str
    role: Role
    label: str
    tagged: bool
    repeat_of: str | None  # id of the earlier section that it repeats
    start: int
    end: int
    lines: tuple[SungLine, ...]

    @property
    def first_tick(self) -> int:
        """Where the section is first heard: its bar line, or the pick-up before it."""
        return min([self.start, *(line.notes[0].onset for line in self.lines[:1])])


@dataclass(frozen=True, slots=True)
class SongSettings:
    """What was asked for or chosen, and why."""

    key: Key
    tempo_qpm: float  # quarter notes per minute
    meter: Meter
    style: str
    voice: str
    low: int  # lowest and highest MIDI pitch of the voice
    high: int
    chords: tuple[str, ...] = ()  # chord symbols given by the user
    backing: str = "in-place"
    midi_lyrics: str = "plain"
    reasons: tuple[tuple[str, str], ...] = ()  # (setting, why), in the order in which they are told

    @property
    def tempo_text(self) -> str:
        """The tempo without needless decimals: "96", "92.5"."""
        return f"{self.tempo_qpm:.6f}".rstrip("0").rstrip(".")


@dataclass(frozen=True, slots=True)
class Song:
    """A whole song."""

    title: str
    seed: int
    settings: SongSettings
    pickup: int  # ticks of the short first bar, 0 if the song starts on a downbeat
    end: int  # ticks: the last bar line
    sections: tuple[SungSection, ...]
    chords: tuple[ChordSpan, ...]
    program: str = PROGRAM  # name and version of the program that wrote the document

    @property
    def form(self) -> tuple[str, ...]:
        """The sections in order of singing, repeats under the id of what they repeat: ("v1", "c1", "v2", "c1")."""
        return tuple(section.repeat_of or section.id for section in self.sections)

    @property
    def lines(self) -> tuple[SungLine, ...]:
        """All lines, in order."""
        return tuple(line for section in self.sections for line in section.lines)

    @property
    def length_seconds(self) -> float:
        """How long the song lasts."""
        return self.end / TICKS_PER_BEAT * 60 / self.settings.tempo_qpm

    def to_lyrics(self) -> Lyrics:
        """Return the words as the lyrics stage gave them."""
        sections = (
            Section(
                id=section.id,
                role=section.role,
                label=section.label,
                lines=tuple(Line(line.text, tuple(map(_word, line.words)), line.number) for line in section.lines),
                tagged=section.tagged,
                repeat_of=section.repeat_of,
            )
            for section in self.sections
        )
        return Lyrics(tuple(sections), self.title)

    def to_rhythm(self) -> Rhythm:
        """Return the rhythm as the align stage gave it."""
        index = {line.id: position for position, line in enumerate(self.lines)}
        lines = []
        for section_index, section in enumerate(self.sections):
            for line_index, line in enumerate(section.lines):
                syllables = [syllable for word in line.words for syllable in word.syllables]
                notes = tuple(
                    RhythmNote(note.onset, note.duration, position, held=part > 0)
                    for position, syllable in enumerate(syllables)
                    for part, note in enumerate(syllable.notes)
                )
                follows = None if line.follows is None else index[line.follows]
                lines.append(LineRhythm(section_index, line_index, line.start, line.end, notes, follows))
        spans = (SectionSpan(i, section.start, section.end) for i, section in enumerate(self.sections))
        return Rhythm(self.settings.meter, self.pickup, tuple(lines), tuple(spans), self.end)

    def to_json(self) -> str:
        """Write the document: deterministic, UTF-8 letters as they are, one syllable or chord to a line."""
        return _layout(_song_to_json(self)) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> "Song":
        """Read a document; SongError says what is wrong with it and where."""
        try:
            song = _song_from_json(Fields(load_json(text), "$"))
        except JsonError as error:
            raise SongError(error.path, error.problem) from error
        check(song)
        return song


def chord_symbol(chord: Chord, key: Key) -> str:
    """Write a chord as the key spells it, without double accidentals, so that `Chord.parse` reads it back."""
    symbol = chord.symbol(key.fifths)
    return symbol if "##" not in symbol and "bb" not in symbol else chord.symbol(0)


def check(song: Song) -> None:
    """Raise SongError where the parts of a song contradict each other."""
    settings = song.settings
    bar = settings.meter.bar_ticks
    if settings.low > settings.high:
        raise SongError("$.settings.voice", f"low ({settings.low}) is above high ({settings.high})")
    if song.pickup >= bar:
        raise SongError("$.pickup", f"must be shorter than a bar ({bar} ticks), got {song.pickup}")
    if song.end < song.pickup or (song.end - song.pickup) % bar:
        raise SongError("$.end", f"must lie on a bar line (pickup + a multiple of {bar}), got {song.end}")
    _check_chords(song)
    section_ids: set[str] = set()
    line_ids: set[str] = set()
    previous_end = 0  # of the note before, in the whole song
    for i, section in enumerate(song.sections):
        path = f"$.sections[{i}]"
        if section.id in section_ids:
            raise SongError(f"{path}.id", f"{section.id!r} is used twice")
        if section.repeat_of is not None and section.repeat_of not in section_ids:
            raise SongError(f"{path}.repeat_of", f"{section.repeat_of!r} is not an earlier section")
        if not song.sections[i - 1].start <= section.start <= section.end <= song.end and i:
            raise SongError(path, f"the section does not lie between the one before and the end ({song.end})")
        section_ids.add(section.id)
        for j, line in enumerate(section.lines):
            place = f"{path}.lines[{j}]"
            if line.id != f"{section.id}.{j + 1}":
                raise SongError(f"{place}.id", f'must be "{section.id}.{j + 1}", got {line.id!r}')
            if line.follows is not None and line.follows not in line_ids:
                raise SongError(f"{place}.follows", f"{line.follows!r} is not an earlier line")
            if line.seed != line_seed(song.seed, line.id, line.revision):
                raise SongError(f"{place}.seed", "does not derive from the song's seed, the line's id and its revision")
            line_ids.add(line.id)
            previous_end = _check_line(song, line, place, previous_end)


def _check_chords(song: Song) -> None:
    end = 0
    for i, span in enumerate(song.chords):
        if span.onset < end or span.onset + span.duration > song.end:
            raise SongError(f"$.chords[{i}]", "overlaps the chord before it or lasts longer than the song")
        end = span.onset + span.duration


def _check_line(song: Song, line: SungLine, path: str, previous_end: int) -> int:
    """Check one line's words and notes; return where its last note ends."""
    if not line.words:
        raise SongError(f"{path}.words", "a line needs at least one word")
    for k, word in enumerate(line.words):
        if not word.syllables:
            raise SongError(f"{path}.words[{k}].syllables", "a word needs at least one syllable")
        if "".join(syllable.text for syllable in word.syllables) != word.text:
            raise SongError(f"{path}.words[{k}]", f"the syllables do not spell {word.text!r}")
        for m, syllable in enumerate(word.syllables):
            place = f"{path}.words[{k}].syllables[{m}]"
            if not syllable.notes:
                raise SongError(f"{place}.notes", f"the syllable {syllable.text!r} has no note")
            for n, note in enumerate(syllable.notes):
                here = f"{place}.notes[{n}]"
                if note.onset < previous_end:
                    raise SongError(here, f"starts at {note.onset}, before the last note ends ({previous_end})")
                if not line.start <= note.onset < note.end <= line.end <= song.end:
                    raise SongError(here, f"does not lie within its line ({line.start} to {line.end})")
                if not song.settings.low <= note.pitch <= song.settings.high:
                    raise SongError(
                        here,
                        f"pitch {note.pitch} is outside the voice's range "
                        f"({song.settings.low} to {song.settings.high})",
                    )
                previous_end = note.end
    return previous_end


def iter_syllables(line: SungLine) -> Iterator[tuple[SungWord, int, SungSyllable]]:
    """Yield (word, index in the word, syllable) in order."""
    for word in line.words:
        for index, syllable in enumerate(word.syllables):
            yield word, index, syllable


def _word(word: SungWord) -> Word:
    return Word(
        text=word.text,
        written=word.written,
        token=word.token,
        syllables=tuple(Syllable(s.text, s.phones, s.stress) for s in word.syllables),
        content=word.content,
        prefix=word.prefix,
        suffix=word.suffix,
        backing=word.backing,
        in_dictionary=word.in_dictionary,
    )


# --- writing ---------------------------------------------------------------------------------------------------------


def _song_to_json(song: Song) -> dict[str, Any]:
    settings = song.settings
    tempo = settings.tempo_qpm
    return {
        "format": FORMAT,
        "program": song.program,
        "title": song.title,
        "seed": song.seed,
        "settings": {
            "key": str(settings.key),
            "tempo_qpm": int(tempo) if tempo == int(tempo) else tempo,
            "meter": str(settings.meter),
            "style": settings.style,
            "voice": {"name": settings.voice, "low": settings.low, "high": settings.high},
            "chords": list(settings.chords),
            "backing": settings.backing,
            "midi_lyrics": settings.midi_lyrics,
            "reasons": dict(settings.reasons),
        },
        "ticks_per_quarter": TICKS_PER_BEAT,
        "pickup": song.pickup,
        "end": song.end,
        "form": list(song.form),
        "sections": [_section_to_json(section) for section in song.sections],
        "chords": [
            {"onset": span.onset, "duration": span.duration, "symbol": chord_symbol(span.chord, settings.key)}
            for span in song.chords
        ],
    }


def _section_to_json(section: SungSection) -> dict[str, Any]:
    return {
        "id": section.id,
        "role": section.role.value,
        "label": section.label,
        "tagged": section.tagged,
        "repeat_of": section.repeat_of,
        "start": section.start,
        "end": section.end,
        "lines": [_line_to_json(line) for line in section.lines],
    }


def _line_to_json(line: SungLine) -> dict[str, Any]:
    return {
        "id": line.id,
        "text": line.text,
        "number": line.number,
        "rhyme": line.rhyme,
        "seed": f"{line.seed:016x}",  # as text: 64 bits are more than many JSON readers keep
        "revision": line.revision,
        "locked": line.locked,
        "start": line.start,
        "end": line.end,
        "follows": line.follows,
        "words": [_word_to_json(word) for word in line.words],
    }


def _word_to_json(word: SungWord) -> dict[str, Any]:
    return {
        "text": word.text,
        "written": word.written,
        "token": word.token,
        "content": word.content,
        "prefix": word.prefix,
        "suffix": word.suffix,
        "backing": word.backing,
        "in_dictionary": word.in_dictionary,
        "syllables": [
            {
                "text": syllable.text,
                "phones": " ".join(syllable.phones),
                "stress": syllable.stress,
                "notes": [
                    {"onset": note.onset, "duration": note.duration, "pitch": note.pitch} for note in syllable.notes
                ],
            }
            for syllable in word.syllables
        ],
    }


_encode_any = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
_CONSTANTS = {None: "null", True: "true", False: "false"}
_DEEP = {"sections", "lines", "words", "syllables", "settings", "chords", "reasons"}  # these get lines of their own


def _encode(value: Any) -> str:
    """Write a value; for plain ones, of which there are thousands, without the set-up of the library's encoder."""
    if type(value) is str:
        return encode_basestring(value)
    if type(value) is int:
        return str(value)
    if value is None or value is True or value is False:
        return _CONSTANTS[value]
    return _encode_any(value)


def _layout(value: Any, indent: str = "") -> str:
    """Indent what is large, and keep syllables, chords and lists of numbers on one line, for people who read it."""
    inner = indent + "  "
    if isinstance(value, dict) and _DEEP & value.keys():
        fields = (
            f"{inner}{_encode(name)}: {_layout(item, inner) if name in _DEEP else _encode(item)}"
            for name, item in value.items()
        )
        return "{\n" + ",\n".join(fields) + f"\n{indent}}}"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(inner + _layout(item, inner) for item in value) + f"\n{indent}]"
    return _encode(value)


# --- reading ---------------------------------------------------------------------------------------------------------


def _song_from_json(fields: Fields) -> Song:
    found = fields.text("format")
    if found != FORMAT:
        raise JsonError("$.format", f"this program reads {FORMAT!r}, got {found!r}")
    program = fields.text("program")
    title = fields.text("title")
    seed = fields.integer("seed", 0, MAX_SEED)
    settings = _settings_from_json(fields.inside("settings"))
    if (ticks := fields.integer("ticks_per_quarter", 1)) != TICKS_PER_BEAT:
        raise JsonError("$.ticks_per_quarter", f"must be {TICKS_PER_BEAT}, got {ticks}")
    pickup, end = fields.integer("pickup", 0), fields.integer("end", 0)
    form = fields.texts("form")
    sections = tuple(_section_from_json(item) for item in fields.items("sections"))
    chords = tuple(_chord_from_json(item) for item in fields.items("chords"))
    fields.done()
    song = Song(title, seed, settings, pickup, end, sections, chords, program)
    if form != song.form:
        raise JsonError("$.form", f"must name the sections in order, {list(song.form)}, got {list(form)}")
    return song


def _settings_from_json(fields: Fields) -> SongSettings:
    voice = fields.inside("voice")
    settings = SongSettings(
        key=fields.parsed("key", Key.parse),
        tempo_qpm=fields.number("tempo_qpm", 4, 1000),
        meter=fields.parsed("meter", Meter.parse),
        style=fields.text("style"),
        voice=voice.text("name"),
        low=voice.integer("low", 0, 127),
        high=voice.integer("high", 0, 127),
        chords=fields.texts("chords"),
        backing=fields.one_of("backing", BACKING),
        midi_lyrics=fields.one_of("midi_lyrics", MIDI_LYRICS),
        reasons=fields.text_items("reasons"),
    )
    voice.done()
    fields.done()
    return settings


def _chord_from_json(fields: Fields) -> ChordSpan:
    span = ChordSpan(fields.integer("onset", 0), fields.integer("duration", 1), fields.parsed("symbol", Chord.parse))
    fields.done()
    return span


def _section_from_json(fields: Fields) -> SungSection:
    section = SungSection(
        id=fields.text("id"),
        role=fields.parsed("role", Role),
        label=fields.text("label"),
        tagged=fields.boolean("tagged"),
        repeat_of=fields.optional_text("repeat_of"),
        start=fields.integer("start", 0),
        end=fields.integer("end", 0),
        lines=tuple(_line_from_json(item) for item in fields.items("lines")),
    )
    fields.done()
    return section


def _line_from_json(fields: Fields) -> SungLine:
    line = SungLine(
        id=fields.text("id"),
        text=fields.text("text"),
        number=fields.integer("number", 1),
        rhyme=fields.text("rhyme"),
        seed=fields.parsed("seed", _hexadecimal),
        revision=fields.integer("revision", 0),
        locked=fields.boolean("locked"),
        start=fields.integer("start", 0),
        end=fields.integer("end", 0),
        follows=fields.optional_text("follows"),
        words=tuple(_word_from_json(item) for item in fields.items("words")),
    )
    fields.done()
    return line


def _hexadecimal(text: str) -> int:
    if len(text) != 16 or not set(text) <= set("0123456789abcdef"):
        raise ValueError(f"must be 16 hexadecimal digits, got {text!r}")
    return int(text, 16)


def _word_from_json(fields: Fields) -> SungWord:
    word = SungWord(
        text=fields.text("text"),
        written=fields.text("written"),
        token=fields.integer("token", 0),
        content=fields.boolean("content"),
        prefix=fields.text("prefix"),
        suffix=fields.text("suffix"),
        backing=fields.boolean("backing"),
        in_dictionary=fields.boolean("in_dictionary"),
        syllables=tuple(_syllable_from_json(item) for item in fields.items("syllables")),
    )
    fields.done()
    return word


def _syllable_from_json(fields: Fields) -> SungSyllable:
    syllable = SungSyllable(
        text=fields.text("text"),
        phones=tuple(fields.text("phones").split()),
        stress=fields.integer("stress", 0, 2),
        notes=tuple(_note_from_json(item) for item in fields.items("notes")),
    )
    fields.done()
    return syllable


def _note_from_json(fields: Fields) -> Note:
    note = Note(fields.integer("onset", 0), fields.integer("duration", 1), fields.integer("pitch", 0, 127))
    fields.done()
    return note
