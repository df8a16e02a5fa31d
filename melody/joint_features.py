"""What the joint network is told about notes: the words under them, their place in bar, line and song, their chords.

The joint network (melody/joint.py) chooses rest, duration and pitch of each note in turn, so nothing here may look at
the rhythm ahead: the words, the form and the chords are known before the melody is, the onset of a note only when its
rest is chosen. What is not known (a melody without words, a song without chords) is zero, with a column that says so.

Letters in shapes: N notes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from align.corpus import CorpusSong
from align.meter import Meter
from lyrics.cmudict import bare, pronunciations
from lyrics.document import Lyrics, Role
from lyrics.function_words import is_function_word
from lyrics.syllable import VOWELS
from melody.features import (
    METERS,
    REFRAIN,
    STYLES,
    UNKNOWN,
    VERSE,
    quality_class,
    rhyme_distances,
    rhyme_sounds,
)
from melody.theory import ChordSpan, Key

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

MEANING = 24  # dimensions of the meaning of a line, where it is used

# The columns of `text_features` in order: name and width. Ablations blank them by name.
BLOCKS = {
    "words known": 1,
    "stress": 4,
    "next stress": 4,
    "word": 4,  # first, last syllable of its word; first, last of the next
    "held": 2,  # this note continues the syllable before; the next one does
    "function": 2,  # a function word; the next one is
    "word length": 4,
    "vowel": 16,
    "closed": 1,  # consonants follow the vowel
    "line known": 1,
    "since": 7,
    "left": 8,
    "through": 2,
    "line mod 4": 4,
    "line ends": 3,  # first line, last line of its section, last line of the song
    "rhyme": 6,
    "role": 3,
    "style": 6,
    "mode": 1,
    "meter": 5,
    "meaning": MEANING,
}
NUM_FEATURES = sum(BLOCKS.values())
PROSODY = ("words known", "stress", "next stress", "word", "held", "function", "word length", "vowel", "closed")
POSITION = ("line known", "since", "left", "through")
SECTION = ("line mod 4", "line ends", "rhyme", "role")
# The kinds of condition that can be left out one by one; harmony and metre are not among the columns of the text.
CONDITIONS: Mapping[str, tuple[str, ...]] = {
    "prosody": PROSODY,
    "position": POSITION,
    "section": SECTION,
    "style": ("style",),
    "meaning": ("meaning",),
}
_LEFT_EDGES = np.array([1, 2, 3, 4, 5, 7, 10])
_SINCE_EDGES = np.array([1, 2, 3, 4, 6, 9])
_VOWEL_INDEX = {vowel: index for index, vowel in enumerate(sorted(VOWELS))}
_BARS_LEFT_EDGES = np.array([1, 2, 3, 4, 8, 16])
UNKNOWN_BARS = 7

NUM_PLACE = 6 + 5 + 12 + 4 + 8
NUM_CHORD = 13 + 8 + 12


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """What is known of the notes of a song before any of them is chosen. Arrays of length N."""

    stress: Ints  # 0 none, 1 primary, 2 secondary, 3 unknown
    first: Ints  # 1 at the first syllable of a word
    last: Ints
    held: Ints  # 1 where the note continues the syllable of the note before
    function: Ints
    word_length: Ints  # syllables, 1..4
    vowel: Ints  # index of the vowel in ARPAbet, 15 unknown
    closed: Ints
    line: Ints  # from 0 without gaps
    line_index: Ints  # in its section
    lines_left: Ints
    song_end: Ints
    rhyme: Ints  # as in melody.features: 0..3, 4 unknown
    answered: Ints
    role: Ints
    style: int
    minor: bool
    meter: Meter
    words_known: bool = True
    lines_known: bool = True
    meaning: Floats | None = None  # (N, MEANING)


@dataclass(frozen=True, slots=True, eq=False)
class Clock:
    """Where ticks stand in bars, and how far the end is."""

    meter: Meter
    origin: int = 0  # tick of the first downbeat
    end: int | None = None  # tick at which the melody must have ended, None if that is open

    def places(self, ticks: Ints) -> Floats:
        """Describe moments, any shape, in NUM_PLACE columns; see `places`."""
        full = np.full(ticks.shape, METERS.index(str(self.meter)))
        end = np.full(ticks.shape, -1 if self.end is None else self.end - self.origin)
        return places(ticks - self.origin, full, end)


def places(ticks: Ints, meter: Ints, end: Ints) -> Floats:
    """Describe moments in NUM_PLACE columns: strength, pulse, eighth of the bar, bar mod 4, bars left.

    `ticks` count from the first downbeat, `meter` are indices into METERS, `end` is the tick at which the melody must
    have ended, negative where that is open. All of one shape.
    """
    bar_ticks, pulse_ticks, strengths = _meter_tables()
    bar, place = np.divmod(ticks, bar_ticks[meter])
    pulse, off = np.divmod(place, pulse_ticks[meter])
    last = -(-end // bar_ticks[meter]) - 1
    left = np.searchsorted(_BARS_LEFT_EDGES, np.maximum(0, last - bar), side="right")
    return np.concatenate(
        (
            _eye(6)[strengths[meter, place]],
            _eye(5)[np.where(off == 0, np.minimum(pulse, 3), 4)],
            _eye(12)[np.minimum(place // 240, 11)],
            _eye(4)[bar % 4],
            _eye(8)[np.where(end < 0, UNKNOWN_BARS, left)],
        ),
        axis=-1,
    )


@cache
def _meter_tables() -> tuple[Ints, Ints, Ints]:
    """Ticks of a bar and of a pulse, and the strength of every tick of a bar, by metre."""
    meters = [Meter.parse(name) for name in METERS]
    bars = np.array([meter.bar_ticks for meter in meters])
    strengths = np.zeros((len(meters), bars.max()), dtype=np.int64)
    for row, meter in zip(strengths, meters, strict=True):
        row[: meter.bar_ticks] = [meter.strength(tick) for tick in range(meter.bar_ticks)]
    return bars, np.array([meter.pulse_ticks for meter in meters]), strengths


@cache
def _eye(size: int) -> Floats:
    return np.eye(size, dtype=np.float32)


def corpus_text(song: CorpusSong, minor: bool, refrain: frozenset[int] | None = None) -> Text:
    """Describe a song of the corpus; `refrain` are the lines that every verse sings alike, None if unknown."""
    per_word: list[list[int]] = [[] for _ in song.words]
    for index, syllable in enumerate(song.syllables):
        per_word[syllable.word].append(index)
    vowel, closed, function, length = (np.zeros(len(song.syllables), dtype=np.int64) for _ in range(4))
    for word, members in zip(song.words, per_word, strict=True):
        sounds = _sounds(bare(word), len(members))
        for place, index in enumerate(members):
            vowel[index], closed[index] = sounds[place] if sounds else (15, 0)
            function[index] = is_function_word(bare(word))
            length[index] = min(4, len(members))
    syllables = np.array([note.syllable for note in song.notes])
    lines = np.array([syllable.line for syllable in song.syllables])
    _, line = np.unique(lines[syllables], return_inverse=True)
    num_lines = int(line[-1]) + 1
    if song.lines_from_source:
        back, answer = rhyme_distances(rhyme_sounds(song)[:num_lines], [0] * num_lines)
        rhyme, answered = np.array(back)[line], np.array(answer)[line]
    else:
        rhyme, answered = np.full(len(line), 4), np.zeros(len(line), dtype=np.int64)
    roles = [UNKNOWN if refrain is None else REFRAIN if i in refrain else VERSE for i in range(num_lines)]
    return Text(
        stress=np.array([3 if s.stress is None else s.stress for s in song.syllables])[syllables],
        first=np.array([song.syllables[n.syllable].first and not n.held for n in song.notes], dtype=np.int64),
        last=np.array([song.syllables[n.syllable].last for n in song.notes], dtype=np.int64),
        held=np.array([note.held for note in song.notes], dtype=np.int64),
        function=function[syllables],
        word_length=length[syllables],
        vowel=vowel[syllables],
        closed=closed[syllables],
        line=line,
        line_index=line,
        lines_left=num_lines - 1 - line,
        song_end=(line == num_lines - 1).astype(np.int64),
        rhyme=rhyme,
        answered=answered,
        role=np.array(roles)[line],
        style=STYLES.index(song.style) if song.style in STYLES else -1,
        minor=minor,
        meter=song.meter,
    )


def lyrics_text(
    lyrics: Lyrics, meter: Meter, style: str, minor: bool, rhymes: Sequence[Sequence[str]] | None = None
) -> Text:
    """Describe new lyrics, a note per syllable; `rhymes[section][line]` is a rhyme label, "-" where there is none."""
    rows: list[tuple[int, ...]] = []
    labels: list[str] = []
    sections: list[int] = []
    spans: list[tuple[int, int, int]] = []  # index in the section, lines left in it, role
    for number, section in enumerate(lyrics.sections):
        for index, line in enumerate(section.lines):
            for word in line.words:
                for place, syllable in enumerate(word.syllables):
                    sound = _sound(syllable.phones)
                    rows.append(
                        (
                            syllable.stress,
                            place == 0,
                            place == len(word.syllables) - 1,
                            not word.content,
                            min(4, len(word.syllables)),
                            *sound,
                            len(spans),
                        )
                    )
            label = rhymes[number][index] if rhymes else ""
            labels.append("" if label == "-" else label)
            sections.append(number)
            refrain = section.role in (Role.CHORUS, Role.HOOK)
            spans.append(
                (
                    index,
                    len(section.lines) - 1 - index,
                    REFRAIN if refrain else VERSE if section.role is Role.VERSE else UNKNOWN,
                )
            )
    stress, first, last, function, length, vowel, closed, line_of = np.array(rows, dtype=np.int64).reshape(-1, 8).T
    position, left, role = np.array(spans, dtype=np.int64).reshape(-1, 3).T
    back, answer = rhyme_distances(labels, sections)
    return Text(
        stress=stress,
        first=first,
        last=last,
        held=np.zeros_like(stress),
        function=function,
        word_length=length,
        vowel=vowel,
        closed=closed,
        line=line_of,
        line_index=position[line_of],
        lines_left=left[line_of],
        song_end=(line_of == len(spans) - 1).astype(np.int64),
        rhyme=np.array(back, dtype=np.int64)[line_of] if rhymes else np.full(len(line_of), 4),
        answered=np.array(answer, dtype=np.int64)[line_of],
        role=role[line_of],
        style=STYLES.index(style) if style in STYLES else -1,
        minor=minor,
        meter=meter,
    )


def no_text(num_notes: int, meter: Meter, style: str, minor: bool) -> Text:
    """Describe notes of a melody without words, of which nothing is known but metre, style and mode."""
    zeros = np.zeros(num_notes, dtype=np.int64)
    return Text(
        *(zeros,) * 15,
        style=STYLES.index(style) if style in STYLES else -1,
        minor=minor,
        meter=meter,
        words_known=False,
        lines_known=False,
    )


def text_features(text: Text) -> Floats:
    """Lay out what is known of the notes, (N, NUM_FEATURES), in the order of `BLOCKS`."""
    num_notes = len(text.stress)
    starts = np.flatnonzero(np.diff(text.line, prepend=-1))
    sizes = np.diff(np.append(starts, num_notes))
    since = np.arange(num_notes) - np.repeat(starts, sizes)
    left = np.repeat(sizes, sizes) - 1 - since
    through = since / np.maximum(1, np.repeat(sizes, sizes) - 1)
    words = np.float32(text.words_known)
    lines = np.float32(text.lines_known)

    def after(column: Ints, last: int) -> Ints:
        return np.append(column[1:], last)[:num_notes]

    columns = (
        np.full((num_notes, 1), words),
        words * _eye(4)[text.stress],
        words * _eye(4)[after(text.stress, 3)],
        words * np.stack((text.first, text.last, after(text.first, 1), after(text.last, 1)), axis=1),
        words * np.stack((text.held, after(text.held, 0)), axis=1),
        words * np.stack((text.function, after(text.function, 0)), axis=1),
        words * _eye(4)[np.maximum(1, text.word_length) - 1],
        words * _eye(16)[text.vowel],
        words * text.closed[:, None],
        np.full((num_notes, 1), lines),
        lines * _eye(7)[np.searchsorted(_SINCE_EDGES, since, side="right")],
        lines * _eye(8)[np.searchsorted(_LEFT_EDGES, left, side="right")],
        lines * np.stack((through, np.sin(np.pi * through)), axis=1),
        lines * _eye(4)[text.line_index % 4],
        lines * np.stack((text.line_index == 0, text.lines_left == 0, text.song_end), axis=1),
        lines * np.concatenate((_eye(5)[text.rhyme], text.answered[:, None].astype(np.float32)), axis=1),
        lines * _eye(3)[text.role],
        np.broadcast_to(_eye(6)[text.style], (num_notes, 6)),
        np.full((num_notes, 1), text.minor),
        np.broadcast_to(_eye(5)[METERS.index(str(text.meter))], (num_notes, 5)),
        np.zeros((num_notes, MEANING)) if text.meaning is None else text.meaning,
    )
    return np.concatenate([np.asarray(column, dtype=np.float32) for column in columns], axis=1)


def block_columns(names: Sequence[str]) -> Ints:
    """Positions of feature blocks among the columns of `text_features`."""
    ends = dict(zip(BLOCKS, np.cumsum(list(BLOCKS.values())).tolist(), strict=True))
    return np.array([column for name in names for column in range(ends[name] - BLOCKS[name], ends[name])], dtype=int)


def _silence() -> Floats:
    row = np.zeros(NUM_CHORD, dtype=np.float32)
    row[12] = row[13] = 1
    return row


NO_CHORD = _silence()


@dataclass(frozen=True, slots=True, eq=False)
class Harmony:
    """The chords of a song, asked by tick."""

    key: Key
    chords: tuple[ChordSpan, ...] = ()
    _starts: Ints = field(init=False)
    _rows: Floats = field(init=False)

    def __post_init__(self) -> None:
        """Lay out the chords once: a row of NUM_CHORD columns each, and a last row for silence."""
        rows = np.zeros((len(self.chords) + 1, NUM_CHORD), dtype=np.float32)
        rows[-1] = NO_CHORD
        for row, span in zip(rows, self.chords, strict=False):
            row[(span.chord.root - self.key.tonic) % 12] = 1
            row[13 + quality_class(span.chord)] = 1
            for pitch_class in span.chord.pitch_classes:
                row[21 + (pitch_class - self.key.tonic) % 12] = 1
        object.__setattr__(self, "_starts", np.array([span.onset for span in self.chords], dtype=np.int64))
        object.__setattr__(self, "_rows", rows)

    def at(self, ticks: Ints) -> Floats:
        """Describe the chord that sounds at each tick, (..., NUM_CHORD): root, quality, tones, from the tonic."""
        if not self.chords:
            return np.broadcast_to(self._rows[-1], (*ticks.shape, NUM_CHORD))
        ends = self._starts + np.array([span.duration for span in self.chords])
        index = np.searchsorted(self._starts, ticks, side="right") - 1
        return self._rows[np.where((index < 0) | (ticks >= ends[index]), len(self.chords), index)]


def _sounds(word: str, count: int) -> list[tuple[int, int]]:
    """Vowel and closedness of each syllable of a dictionary word that has `count` of them; [] if there is none."""
    for phones in pronunciations(word):
        vowels = [i for i, phone in enumerate(phones) if phone[-1].isdigit()]
        if len(vowels) == count:
            ends = [*vowels[1:], len(phones) + 1]
            # A single consonant between vowels begins the next syllable.
            return [
                (_VOWEL_INDEX[phones[i].rstrip("012")], int(end - i > 2)) for i, end in zip(vowels, ends, strict=True)
            ]
    return []


def _sound(phones: Sequence[str]) -> tuple[int, int]:
    for index, phone in enumerate(phones):
        if phone[-1].isdigit():
            return _VOWEL_INDEX[phone.rstrip("012")], int(index + 1 < len(phones))
    return 15, 0


def line_texts(song: CorpusSong) -> list[str]:
    """Return the words of each line that has notes, joined: what the meaning of a line is taken from."""
    pairs = [(syllable.line, syllable.word) for syllable in song.syllables]
    return [
        " ".join(song.words[word] for word in dict.fromkeys(word for _, word in members))
        for _, members in groupby(pairs, key=lambda pair: pair[0])
    ]
