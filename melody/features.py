"""What the melody network is told about a note before it is sung, for songs of the corpus and for new songs alike.

Conventions: N notes, L lines (phrases), K copy sources. Pitch is counted in *classes*: semitones above `LOWEST` under
an anchor, which is the tonic nearest below the middle of the song's register, so that everything is transposition
invariant by construction. For minor keys the anchor is the minor tonic. The rhythm, the words and the chords are known
before the melody is, so features may look ahead in them; pitch is only ever seen behind.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from align.meter import Meter
from align.rhythm import Rhythm
from lyrics.cmudict import bare, pronunciations
from lyrics.document import Lyrics, Role
from melody.theory import QUALITIES, Chord, ChordSpan, Key

if TYPE_CHECKING:
    from align.corpus import CorpusSong

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

LOWEST = -14  # class 0 lies a ninth below the anchor; human songs reach from -14 to +19 around it
NUM_CLASSES = 36
NUM_INTERVALS = 25  # -12 .. 12 semitones; wider leaps count as an octave
SOURCES = ("line before", "two lines before", "four lines before", "line of most similar rhythm")
STYLES = ("popular", "folk", "hymn", "carol", "spiritual")
METERS = ("4/4", "3/4", "2/4", "6/8", "12/8")
UNKNOWN, VERSE, REFRAIN = 0, 1, 2  # section roles that the corpus can teach
_MATCH_WINDOW = 8  # lines looked back for one of similar rhythm: keeps the cost linear in the number of lines
_MATCH_SHARE = 0.6  # share of common onsets that makes two rhythms similar
NUM_QUALITIES = 8  # no chord, major, minor, diminished, dominant, minor seventh, major seventh, anything else


class Frame(NamedTuple):
    """Everything about a song but its pitches. Arrays of length N unless said otherwise."""

    meter: Meter
    style: int  # index into STYLES, -1 unknown
    minor: bool
    onset: Ints  # ticks
    duration: Ints  # ticks
    place: Ints  # ticks from the bar line
    strength: Ints  # 0 .. 5, see Meter.strength
    stress: Ints  # 0 none, 1 primary, 2 secondary, 3 unknown
    word_first: Ints  # 1 at the first syllable of a word
    word_last: Ints
    held: Ints  # 1 where the note continues the syllable of the note before
    line: Ints  # index of the line, from 0 without gaps
    chord_root: Ints  # semitones above the tonic, 12 where no chord sounds
    chord_quality: Ints  # quality class, 0 where no chord sounds
    chord_tones: Floats  # (N, 12): 1 where the pitch class, counted from the tonic, belongs to the chord
    line_role: Ints  # (L,): UNKNOWN, VERSE or REFRAIN
    line_rhyme: Ints  # (L,): rhymes with the line so many lines back (3: three or more), 0 none, 4 unknown
    line_answered: Ints  # (L,): 1 where a later line of the section rhymes with this one
    line_index: Ints  # (L,): index of the line in its section
    lines_left: Ints  # (L,): lines after this one in its section
    song_end: Ints  # (L,): 1 for the last line of the song


class Copies(NamedTuple):
    """For every note, the notes of earlier lines at the same place (the K sources of `SOURCES`)."""

    note: Ints  # (N, K): index of the earlier note that sounds at the same place of its line, -1 where there is none
    exact: NDArray[np.bool_]  # (N, K): that note also begins at the same place
    similarity: Floats  # (N, K): share of onsets that the two lines have in common


def anchor_pitch(middle: float, tonic: int) -> int:
    """Return the MIDI number of the tonic that classes are counted from, for a register around `middle`.

    The middle lies 3 semitones under the anchor to 8 above it: melodies between two tonics (authentic) and melodies
    around one (plagal) both keep most of their notes above it.
    """
    return round(middle - ((middle - tonic + 3) % 12 - 3))


def corpus_frame(
    song: "CorpusSong", key: Key, chords: Sequence[ChordSpan], refrain_lines: frozenset[int] | None = None
) -> Frame:
    """Describe a song of the corpus; `refrain_lines` are the lines that every verse sings alike, None if unknown."""
    syllables = [song.syllables[note.syllable] for note in song.notes]
    lines = np.array([syllable.line for syllable in syllables], dtype=np.int64)
    _, line = np.unique(lines, return_inverse=True)
    num_lines = int(line[-1]) + 1
    rhyme, answered = rhyme_distances(rhyme_sounds(song), [0] * num_lines)
    if not song.lines_from_source:  # the line breaks were guessed, so nothing is known about rhyme
        rhyme, answered = [4] * num_lines, [0] * num_lines
    roles = [UNKNOWN if refrain_lines is None else REFRAIN if i in refrain_lines else VERSE for i in range(num_lines)]
    columns = np.array(
        [
            (
                note.onset,
                note.duration,
                note.place,
                song.meter.strength(note.place),
                3 if syllable.stress is None else syllable.stress,
                syllable.first and not note.held,
                syllable.last,
                note.held,
            )
            for note, syllable in zip(song.notes, syllables, strict=True)
        ],
        dtype=np.int64,
    ).T
    index = np.arange(num_lines)
    return _frame(
        song.meter,
        song.style,
        key,
        chords,
        np.concatenate((columns, line[None])),
        np.stack((roles, rhyme, answered, index, index[::-1], index == num_lines - 1)),
    )


def refrains(songs: Iterable["CorpusSong"]) -> dict[str, frozenset[int]]:
    """Find the lines that stand in every verse, by song id; songs whose verses or lines are not known are left out."""
    verses: dict[str, list[list[str]]] = {}
    for song in songs:
        if len(song.lines_text) == song.num_lines:
            texts = [" ".join(map(bare, line.split())) for line in song.lines_text]
            verses.setdefault(song.song_id, []).append(texts)
    return {
        song_id: frozenset(i for i, line in enumerate(texts[0]) if all(line in other for other in texts[1:]))
        for song_id, texts in verses.items()
        if len(texts) > 1
    }


def lyrics_frame(
    lyrics: Lyrics,
    rhythm: Rhythm,
    chords: Sequence[ChordSpan],
    key: Key,
    style: str,
    rhymes: Sequence[Sequence[str]],
) -> Frame:
    """Describe a new song; `rhymes[section][line]` is the rhyme label of a line, "-" where it rhymes with none."""
    columns: list[tuple[int, ...]] = []
    roles, labels, sections, indices, left = [], [], [], [], []
    for number, line in enumerate(rhythm.lines):
        section = lyrics.sections[line.section]
        words = section.lines[line.line].words
        places = [
            # A note without words, of a tune that was given or continued, has a stress that nobody knows.
            (syllable.stress if syllable.text else 3, i == 0, i == len(word.syllables) - 1)
            for word in words
            for i, syllable in enumerate(word.syllables)
        ]
        for note in line.notes:
            stress, first, last = places[note.syllable]
            place = rhythm.place(note.onset)
            strength = rhythm.meter.strength(place)
            columns.append(
                (note.onset, note.duration, place, strength, stress, first and not note.held, last, note.held, number)
            )
        roles.append(
            REFRAIN if section.role in (Role.CHORUS, Role.HOOK) else VERSE if section.role is Role.VERSE else UNKNOWN
        )
        label = rhymes[line.section][line.line]
        labels.append("" if label == "-" else label)
        sections.append(line.section)
        indices.append(line.line)
        left.append(len(section.lines) - 1 - line.line)
    rhyme, answered = rhyme_distances(labels, sections)
    song_end = np.arange(len(rhythm.lines)) == len(rhythm.lines) - 1
    return _frame(
        rhythm.meter,
        style,
        key,
        chords,
        np.array(columns, dtype=np.int64).reshape(-1, 9).T,
        np.array((roles, rhyme, answered, indices, left, song_end.tolist()), dtype=np.int64),
    )


def _frame(
    meter: Meter, style: str, key: Key, chords: Sequence[ChordSpan], notes: Ints, lines: NDArray[np.int64]
) -> Frame:
    """Put a frame together from the columns of its notes (9, N) and of its lines (6, L), in the order of `Frame`."""
    onset, duration, place, strength, stress, first, last, held, line = notes
    role, rhyme, answered, index, left, song_end = lines.astype(np.int64)
    root, quality, tones = _chords_at(onset, chords, key)
    return Frame(
        meter=meter,
        style=STYLES.index(style) if style in STYLES else -1,
        minor=key.mode == "minor",
        onset=onset,
        duration=duration,
        place=place,
        strength=strength,
        stress=stress,
        word_first=first,
        word_last=last,
        held=held,
        line=line,
        chord_root=root,
        chord_quality=quality,
        chord_tones=tones,
        line_role=role,
        line_rhyme=rhyme,
        line_answered=answered,
        line_index=index,
        lines_left=left,
        song_end=song_end,
    )


def quality_class(chord: Chord) -> int:
    """Bring the many qualities together in the few that decide what is sung over them (NUM_QUALITIES)."""
    above = set(QUALITIES[chord.quality])
    if 4 in above and 8 not in above:
        return 4 if 10 in above else 6 if 11 in above else 1
    if 3 in above:
        return 3 if 6 in above else 5 if 10 in above else 2
    return 7


def _chords_at(onsets: Ints, chords: Sequence[ChordSpan], key: Key) -> tuple[Ints, Ints, Floats]:
    """Root, quality class and tones (from the tonic) of the chord that sounds at each onset."""
    num_notes = len(onsets)
    if not chords:
        return np.full(num_notes, 12), np.zeros(num_notes, dtype=np.int64), np.zeros((num_notes, 12), dtype=np.float32)
    kinds: dict[Chord, int] = {}
    which = np.array([kinds.setdefault(span.chord, len(kinds)) for span in chords])
    roots = np.array([(chord.root - key.tonic) % 12 for chord in kinds])
    qualities = np.array([quality_class(chord) for chord in kinds])
    tones = np.zeros((len(kinds), 12), dtype=np.float32)
    for row, chord in enumerate(kinds):
        tones[row, [(pitch_class - key.tonic) % 12 for pitch_class in chord.pitch_classes]] = 1
    starts = np.array([span.onset for span in chords])
    ends = np.array([span.onset + span.duration for span in chords])
    at = np.searchsorted(starts, onsets, side="right") - 1
    silent = (at < 0) | (onsets >= ends[at])
    kind = which[at]
    return (
        np.where(silent, 12, roots[kind]),
        np.where(silent, 0, qualities[kind]),
        np.where(silent[:, None], np.float32(0), tones[kind]),
    )


def rhyme_sounds(song: "CorpusSong") -> list[str]:
    """Return what each line of a song of the corpus must share to rhyme: its last sounds from the stressed vowel on."""
    last: dict[int, str] = {}
    for syllable in song.syllables:
        last[syllable.line] = song.words[syllable.word]
    return [_rhyme_part(word) for word in last.values()]


def _rhyme_part(word: str) -> str:
    """Return the sound from the last stressed vowel on, or the last three letters of a word without a pronunciation."""
    for phones in pronunciations(bare(word)):
        vowels = [i for i, phone in enumerate(phones) if phone[-1] in "12"] or [
            i for i, phone in enumerate(phones) if phone[-1].isdigit()
        ]
        return " ".join(phone.rstrip("012") for phone in phones[vowels[-1] :])
    return bare(word)[-3:]


def rhyme_distances(ends: Sequence[str], sections: Sequence[int]) -> tuple[list[int], list[int]]:
    """Distance (at most 3) to the line of the same section that each line rhymes with; whether it is answered."""
    back, answered = [0] * len(ends), [0] * len(ends)
    latest: dict[tuple[int, str], int] = {}
    for index, (end, section) in enumerate(zip(ends, sections, strict=True)):
        earlier = latest.get((section, end)) if end else None
        if earlier is not None:
            back[index] = min(3, index - earlier)
            answered[earlier] = 1
        latest[section, end] = index
    return back, answered


def copy_sources(frame: Frame) -> Copies:
    """Find for every note what was sung at the same place of earlier lines. Linear in the number of lines."""
    num_notes = len(frame.onset)
    note = np.full((num_notes, len(SOURCES)), -1, dtype=np.int64)
    exact = np.zeros((num_notes, len(SOURCES)), dtype=np.bool_)
    similarity = np.zeros((num_notes, len(SOURCES)), dtype=np.float32)
    bar = frame.meter.bar_ticks
    lines: list[tuple[int, list[int]]] = []  # (index of the first note, onsets counted from the line's first downbeat)
    sets: list[frozenset[int]] = []
    bounds = [*np.flatnonzero(np.diff(frame.line, prepend=-1)).tolist(), num_notes]
    onsets, places = frame.onset.tolist(), frame.place.tolist()
    for number, (start, end) in enumerate(pairwise(bounds)):
        # A line that begins in the second half of a bar begins with a pick-up to the next one.
        origin = onsets[start] - places[start] + (bar if 2 * places[start] >= bar else 0)
        places_here = [onset - origin for onset in onsets[start:end]]
        here = frozenset(places_here)
        shares = [
            len(here & sets[j]) / max(len(here), len(sets[j])) for j in range(max(0, number - _MATCH_WINDOW), number)
        ]
        best = -1
        if shares and max(shares) >= _MATCH_SHARE:
            best = number - len(shares) + shares.index(max(shares))
        for k, source in enumerate((number - 1, number - 2, number - 4, best)):
            if source < 0:
                continue
            first, there = lines[source]
            for i, place in enumerate(places_here):
                j = max(0, bisect_right(there, place) - 1)
                note[start + i, k] = first + j
                exact[start + i, k] = there[j] == place
            similarity[start:end, k] = shares[source - number] if number - source <= len(shares) else 0
        lines.append((start, places_here))
        sets.append(here)
    return Copies(note, exact, similarity)


_DURATION_EDGES = np.array([121, 241, 361, 481, 721, 961, 1441])
_LEFT_EDGES = np.array([1, 2, 3, 4, 5, 7, 10])
_SINCE_EDGES = np.array([1, 2, 3, 4, 6, 9])


@cache
def _eye(size: int) -> Floats:
    return np.eye(size, dtype=np.float32)


def _next(column: Ints, last: int) -> Ints:
    return np.append(column[1:], last)


# The columns of `static_features` in order: name, width. Ablations blank them by name.
STATIC = {
    "strength": 6,
    "pulse": 5,
    "duration": 8,
    "gap": 3,
    "next strength": 6,
    "next duration": 8,
    "stress": 4,
    "next stress": 4,
    "word": 4,  # first, last syllable of a word; first, last of the next note
    "held": 2,  # this note, the next note
    "left": 8,
    "since": 7,
    "arch": 2,
    "line mod 4": 4,
    "line ends": 4,  # first line, last line of the section, last line of the song, next note begins a line
    "rhyme": 6,
    "role": 3,
    "style": 6,
    "mode": 1,
    "meter": 5,
    "chord root": 13,
    "chord quality": NUM_QUALITIES,
    "chord tones": 12,
    "next chord root": 13,
    "chord changes": 2,
    "similarity": len(SOURCES),
    "exact": len(SOURCES),
}
NUM_STATIC = sum(STATIC.values())
LYRIC_COLUMNS = ("stress", "next stress", "word", "rhyme", "role")
CHORD_COLUMNS = ("chord root", "chord quality", "chord tones", "next chord root", "chord changes")


def static_features(frame: Frame, copies: Copies) -> Floats:
    """Features of every note that do not depend on pitches, (N, NUM_STATIC), in the order of `STATIC`."""
    num_notes = len(frame.onset)
    line = frame.line
    index = np.arange(num_notes)
    starts = np.flatnonzero(np.diff(line, prepend=-1))
    sizes = np.diff(np.append(starts, num_notes))
    since = index - np.repeat(starts, sizes)
    left = np.repeat(sizes, sizes) - 1 - since
    through = since / np.maximum(1, np.repeat(sizes, sizes) - 1)
    pulse = frame.meter.pulse_ticks
    on_pulse = frame.place % pulse == 0
    gap = _next(frame.onset, 1 << 40) - frame.onset - frame.duration
    duration = np.searchsorted(_DURATION_EDGES, frame.duration, side="right")
    changes = (frame.chord_root != _next(frame.chord_root, 12)) | (frame.chord_quality != _next(frame.chord_quality, 0))
    ends = np.stack(
        (
            frame.line_index[line] == 0,
            frame.lines_left[line] == 0,
            frame.song_end[line] == 1,
            left == 0,
        ),
        axis=1,
    )
    columns = (
        _eye(6)[frame.strength],
        _eye(5)[np.where(on_pulse, frame.place // pulse, 4)],
        _eye(8)[duration],
        _eye(3)[np.where(gap <= 0, 0, np.where(gap < 480, 1, 2))],
        _eye(6)[_next(frame.strength, 5)],
        _eye(8)[_next(duration, 7)],
        _eye(4)[frame.stress],
        _eye(4)[_next(frame.stress, 3)],
        np.stack((frame.word_first, frame.word_last, _next(frame.word_first, 1), _next(frame.word_last, 1)), axis=1),
        np.stack((frame.held, _next(frame.held, 0)), axis=1),
        _eye(8)[np.searchsorted(_LEFT_EDGES, left, side="right")],
        _eye(7)[np.searchsorted(_SINCE_EDGES, since, side="right")],
        np.stack((through, np.sin(np.pi * through)), axis=1),
        _eye(4)[frame.line_index[line] % 4],
        ends,
        np.concatenate((_eye(5)[frame.line_rhyme[line]], frame.line_answered[line][:, None]), axis=1),
        _eye(3)[frame.line_role[line]],
        np.broadcast_to(_eye(6)[frame.style], (num_notes, 6)),
        np.full((num_notes, 1), frame.minor),
        np.broadcast_to(_eye(5)[METERS.index(str(frame.meter))], (num_notes, 5)),
        _eye(13)[frame.chord_root],
        _eye(NUM_QUALITIES)[frame.chord_quality],
        frame.chord_tones,
        _eye(13)[_next(frame.chord_root, 12)],
        np.stack((changes, np.append(True, changes[:-1])), axis=1),
        copies.similarity,
        copies.exact,
    )
    return np.concatenate([np.asarray(column, dtype=np.float32) for column in columns], axis=1)


@cache
def sequence_table(minor: bool) -> NDArray[np.int64]:
    """Where a melodic step leads when it is repeated from another degree of the scale: a diatonic sequence.

    Entry [before, source, target] is the class that lies as many scale steps from class `before` as `target` lies from
    `source`; NUM_CLASSES where that leaves the classes. Chromatic classes count as the scale step below them.
    """
    scale = (0, 2, 3, 5, 7, 8, 10) if minor else (0, 2, 4, 5, 7, 9, 11)
    semitones = np.arange(NUM_CLASSES) + LOWEST
    steps = np.array([7 * (s // 12) + sum(degree <= s % 12 for degree in scale) - 1 for s in semitones])
    wanted = steps[:, None, None] + steps[None, None, :] - steps[None, :, None]
    target = 12 * (wanted // 7) + np.array(scale)[wanted % 7] - LOWEST
    return np.where((target >= 0) & (target < NUM_CLASSES), target, NUM_CLASSES)
