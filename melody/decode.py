"""Pitches for a rhythm: a seeded beam search that keeps the rules and lets the network choose among what they allow.

Hard rules hold by construction: the voice's range, the part of it that the song draws, notes of the key (or of the
chord, where the chord leaves the key), no leap over an octave, no augmented or seventh leaps, a chord tone at the end
of every line, the tonic at the end of the song. They are large penalties inside the range, so that a voice or chords
that leave no good note still get the least bad one. Everything else is taste: the network's log-probabilities plus
small terms for what a line must do in its song (its register, its end, what it repeats).

Variety comes from one Gumbel draw for every (note, pitch) of a line, from the line's own seed: the best path of a
randomly perturbed score ("perturb and MAP", Papandreou and Yuille, 2011). `melody.beam` searches for it; this module
says what every pitch is worth and in which order lines are sung.

Letters in shapes: B beam, n notes of a line, W pitches of the window.
"""

import zlib
from collections.abc import Generator, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from align.critic import count_opening
from align.features import STYLES
from align.fitted import Table, read_fitted
from align.meter import TICKS_PER_BEAT
from align.rhythm import Rhythm
from align.search import stretches_of
from lyrics.document import Lyrics, Role
from melody.beam import FALLING, NEVER, RISING, Problem, Solution, solve
from melody.critic import MODEL, describe, load_critic
from melody.features import (
    LOWEST,
    NUM_CLASSES,
    NUM_INTERVALS,
    Copies,
    Frame,
    anchor_pitch,
    copy_sources,
    lyrics_frame,
    sequence_table,
    static_features,
)
from melody.lstm import START, PitchModel, Prepared, State, copied_classes, shipped_model
from melody.theory import MAJOR, ChordSpan, Key

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Pitches = tuple[tuple[int, ...], ...]  # MIDI numbers by line

SPAN = 14  # semitones from the lowest to the highest note of a song, where nothing is known of the song
# The same by style as songs differ in it: their 5th, 10th, 25th, 50th, 75th, 90th and 95th percentiles.
_SPANS = {
    "popular": (11, 12, 13, 14, 16, 19, 20),
    "folk": (8, 9, 12, 13, 15, 17, 17),
    "hymn": (9, 9, 12, 12, 14, 14, 15),
    "carol": (8, 9, 12, 12, 14, 15, 16),
    "spiritual": (8, 10, 12, 14, 15, 17, 17),
}
# How often a line is the line so many before it over again: for the first four lines, then by the place in the stanza.
_COPIED: tuple[tuple[tuple[int, float], ...], ...] = (
    (),
    ((1, 0.05),),
    ((2, 0.3),),
    ((2, 0.16), (3, 0.04)),
    ((4, 0.2), (8, 0.12), (2, 0.04)),
    ((4, 0.24), (8, 0.12)),
    ((4, 0.22), (6, 0.08), (8, 0.1), (2, 0.05)),
    ((4, 0.23), (6, 0.06), (8, 0.1)),
)


class _Usual(NamedTuple):
    """What songs of a style do beside what `Taste` says of all."""

    room: int = 0  # semitones of the window beyond the song's span (few melodies use all of it)
    copying: float = 1.0  # factor on the chances that lines take up other lines
    motif: float = 0.0  # taste for intervals in the order in which earlier lines have them, more than usual
    held_high: float = 0.06  # per semitone that a note of half a bar and more lies above others, last ones left out


_BY_STYLE = {
    "popular": _Usual(2, 1.9, 1.0, 0.34),
    "folk": _Usual(2, 1.0, 0.0, 0.18),
    "hymn": _Usual(0, 0.85, 0.0, 0.08),
    "carol": _Usual(0, 1.5, 0.4, 0.0),
    "spiritual": _Usual(3, 0.5, -0.5, 0.0),
}
# By style: how many songs leave the key, how readily those do, in nats, and how they differ in it (standard deviation).
_COLOURED = {
    "popular": (0.82, 2.6, 0.7),
    "folk": (0.4, 3.0, 0.8),
    "hymn": (0.36, 3.0, 0.8),
    "carol": (0.38, 3.3, 0.8),
    "spiritual": (0.22, 3.2, 0.8),
}
_NEARLY = TICKS_PER_BEAT // 2  # ticks between the onsets of notes of two lines that count as the same
_MOST_SEQUENCES = 0.5  # of lines in any song
_FITTING = 4  # how much lines are preferred that fit the chords here
_LITERAL = 0.5  # of answers inside a line that are on the same pitches
_IN_MINOR = 0.3  # as many songs in minor do
_FLAT_SIDE = (0, 3, 5, 8, 10)  # roots over which a lowered third or sixth falls
_NO_COLOUR = -2.6  # the same in songs that keep to the key
_PERCENTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
CHORUS_LIFT = 3.5  # semitones from the mean pitch of the verses to that of the choruses that the search aims at
LIFT_RANGE = (2.2, 4.8)  # what will do; a song outside it is sung again with another aim
NARROW = 9  # semitones; a song of less span than nine human songs in ten is sung again with more contrast
_SHORT = 24  # notes; shorter songs may be narrow
_CORRECTED = 0.4  # per semitone that choruses miss their height so far
_STRONGER = 1.6  # factor on what was too weak when a song is sung again
_ATTEMPTS = 3
_KEPT = 100  # lines of which what the network makes of their words and chords is kept, 25 kB each
_LIFTED = 1.4  # factor on what draws lines to their registers, in such songs
_CALM = 0.6  # how far lines leave the register of their section, where sections have registers of their own
_LEAST_WINDOW = 10  # semitones
TOGETHER = 16  # songs that are searched in step
_FORCED = 12.0  # a pitch that another line has already fixed
# Kinds of intervals: the highest of each, in semitones.
MOVES = (-6, -5, -3, -1, 0, 2, 4, 5, 12)


@dataclass(frozen=True, slots=True)
class Taste:
    """Weights of the soft terms, in nats. Found on training songs (scripts/evaluate_melody.py prints what they do)."""

    beam: int = 4  # as good as 8: the noise decides more than the search
    trials: int = 3  # ways in which songs are begun, of which the critic chooses one
    noise: float = 1.0  # scale of the Gumbel draws: 0 would sing every song alike, 1 wanders
    # A search for the likeliest path sings fewer wide intervals than people do; these give them back (in a line).
    repeat: float = 0.05
    repeats: float = 0.6  # standard deviation of `repeat` among songs
    onward: float = 0.2  # a step that goes on as the step before: the likeliest path turns more often than people do
    motif: float = 1.5  # an interval after the interval that it followed in an earlier line, under the same durations
    motifs: float = 0.7  # standard deviation of `motif` among songs
    third: float = 0.18
    fourth: float = 0.62
    wide: float = 1.15
    monotone: float = 0.4  # per repeat of a note beyond the first in a row
    # What is left of it: by kinds of intervals (MOVES) after each other, by steps of the major scale after each other.
    moves: Table = ((0.0,) * len(MOVES),) * len(MOVES)
    turns: Table = ((0.0,) * len(MAJOR),) * len(MAJOR)
    joint: float = 0.3  # per semitone of the interval that leads from one line to the next
    upbeat: float = 0.5  # a line that begins on the dominant before a bar
    accent: float = 0.012  # per semitone that a strong note lies above a weak one
    # By style and kind of interval (MOVES), beside all that: inside a line.
    kinds: Table = ((0.0,) * len(MOVES),) * len(STYLES)
    # The same by degree of the scale (semitones above the tonic), inside a line: the search dwells on the stable ones.
    degrees: Table = ((0.0,) * 12,) * 2  # of major, of minor
    strong_chord: float = 1.6  # a strong beat (strength 4, 5) on a note outside the chord
    long_chord: float = 0.8  # a note longer than a pulse outside the chord
    chromatic: float = -1.2  # a chord tone outside the key
    rub: float = 1.2  # a note beside a chord tone outside the key
    passing: float = 0.6  # a neighbour or passing note outside the key, in songs that have any
    lean: float = 0.085  # per semitone of a line's register, and semitone from the middle of the window
    pull: float = 0.01  # per semitone squared from where most notes lie
    tessitura: float = 1.4  # which lies so many semitones above the middle of the window
    arch: float = 1.5  # semitones that the middle of a line is drawn above its ends
    wander: float = 2.5  # standard deviation of a line's register, in semitones
    stanza: tuple[float, ...] = (0.4, 0.2, 0.9, -2.0)  # the same for the lines of a stanza: the third is the highest
    room: int = 4  # semitones of the window beyond the span that the song should have: few melodies use all of it
    copy_begin: float = 0.1  # chance that a line takes up the beginning of the line two before
    sequence: float = 0.28  # that it takes up the line before, or the one before that, moved along the scale
    answer: float = 0.5  # that bars of it answer the bars before them, where the rhythm is the same
    # How much more and less likely this and `_COPIED` are in songs that repeat themselves and in others; how many do.
    strict: tuple[float, float, float] = (1.7, 0.3, 0.55)
    contour: float = 0.6  # a rhyming line ends with the same turns as the line it answers
    reach: float = 0.6  # per semitone too far from a pitch that must be reached, three semitones a note


@cache
def fitted_taste() -> Taste:
    """Return the weights with the fitted tables, with which songs are sung; ModelFileError if these are missing."""
    tables: dict[str, Any] = read_fitted(MODEL)
    return Taste(**tables)


@dataclass(frozen=True, slots=True)
class Echo:
    """What a line takes up from an earlier one, in place of what the search would choose; see `Directions`."""

    source: int | None  # index of the line in the rhythm; None: nothing, the line is free
    start: float = 0.0  # the part of the line, as shares of its notes, that is taken over
    end: float = 1.0
    moved: bool = False  # along the scale, by the step that suits the chords best: a sequence


@dataclass(frozen=True, slots=True)
class Directions:
    """What is already decided about some lines of a song: used to continue a tune and to revise a song."""

    given: Mapping[int, Sequence[int]] = field(default_factory=dict)  # line -> its pitches, which stay
    echoes: Mapping[int, Echo] = field(default_factory=dict)  # line -> what it takes up
    window: tuple[int, int] | None = None  # lowest and highest pitch, in place of a window chosen inside the voice
    scale: frozenset[int] | None = None  # degrees (semitones above the tonic) in place of the key's own scale


class _Habits(NamedTuple):
    """What a song does throughout, as songs differ in it."""

    span: int  # semitones of the window
    place: float  # of the window in the voice: a Gumbel draw
    repeat: float  # taste for repeated notes
    held_high: float  # taste for long notes above others, per semitone
    motif: float  # taste for intervals in the order in which earlier lines have them
    copying: float  # factor on the chances that a line takes up another one
    answering: float  # chance that bars of a line answer the bars before them
    colour: float | None  # taste for notes outside the key, None in songs that keep to it


class _Answer(NamedTuple):
    """Bars of a line that earlier bars of it are the model of; numbers of notes in the line."""

    first: int  # of the model
    answer: int  # the first of the answer
    length: int
    literal: bool  # on the same pitches


class _Window(NamedTuple):
    """The pitches that may be sung, as classes."""

    anchor: int  # MIDI number of the tonic that classes are counted from
    low: int  # lowest class
    high: int  # highest class

    @property
    def classes(self) -> Ints:
        return np.arange(self.low, self.high + 1)

    @property
    def pitches(self) -> tuple[int, int]:
        """The lowest and highest MIDI number."""
        return self.low + self.anchor + LOWEST, self.high + self.anchor + LOWEST


def melodize(
    lyrics: Lyrics,
    rhythm: Rhythm,
    chords: tuple[ChordSpan, ...],
    key: Key,
    voice: tuple[int, int],
    style: str,
    seeds: Mapping[str, int],
    rhymes: tuple[tuple[str, ...], ...],
    *,
    directions: Directions | None = None,
    model: PitchModel | None = None,
    taste: Taste | None = None,
) -> Pitches:
    """Return a MIDI pitch for every note of every line of the rhythm.

    `voice` is the lowest and highest MIDI number that may be sung; of a range wider than the song's span that part near
    its middle is used that lies best for the key. `seeds` maps line ids ("v1.3") to 64-bit seeds;
    `rhymes[section][line]` is the rhyme label of a line ("-": rhymes with none). Sections that repeat others, and lines
    in the same place of parallel sections, repeat their pitches. Raises ValueError if `voice` is empty,
    KeyError if a line has no seed.
    `directions` say what is decided already: the network reads given lines in their places, and sings the others.
    Time grows linearly with the number of lines.
    """
    song = SongToSing(lyrics, rhythm, chords, key, voice, style, seeds, rhymes, directions or Directions())
    return melodize_all([song], model=model, taste=taste)[0]


@dataclass(frozen=True, slots=True)
class SongToSing:
    """What `melodize` asks for."""

    lyrics: Lyrics
    rhythm: Rhythm
    chords: tuple[ChordSpan, ...]
    key: Key
    voice: tuple[int, int]
    style: str
    seeds: Mapping[str, int]
    rhymes: tuple[tuple[str, ...], ...]
    directions: Directions = Directions()


def melodize_all(
    songs: Iterable[SongToSing], *, model: PitchModel | None = None, taste: Taste | None = None
) -> list[Pitches]:
    """Return the pitches of many songs, as `melodize` would for each: they are searched in step, which costs less.

    Raises what `melodize` raises, for whichever song.
    """
    model, taste = model or shipped_model(), taste or fitted_taste()
    melodies: dict[int, Pitches] = {}
    waiting: dict[int, tuple[_Singing, list[Problem]]] = {}
    coming = enumerate(songs)
    while True:
        while len(waiting) < TOGETHER and (song := next(coming, None)) is not None:
            number, singing = song[0], _singing(song[1], model, taste)
            _go_on(number, singing, None, waiting, melodies)
        if not waiting:
            return [melodies[number] for number in range(len(melodies))]
        asked = [problem for _, problems in waiting.values() for problem in problems]
        found = iter(solve(model, asked, taste.beam, taste.monotone, taste.turns))
        for number, (singing, problems) in list(waiting.items()):
            _go_on(number, singing, [next(found) for _ in problems], waiting, melodies)


def _go_on(
    number: int,
    singing: "_Singing",
    solutions: list[Solution] | None,
    waiting: dict[int, tuple["_Singing", list[Problem]]],
    melodies: dict[int, Pitches],
) -> None:
    """Tell a song the solutions of its lines; it asks for the next ones or is finished."""
    try:
        waiting[number] = singing, singing.send(solutions)
    except StopIteration as finished:
        waiting.pop(number, None)
        melodies[number] = finished.value


# A song in the making: it asks for lines to be solved, and ends with its pitches.
_Singing = Generator[list[Problem], list[Solution] | None, Pitches]
# Some lines of it, sung in one way.
_Lines = Generator[Problem, Solution | None, None]


def _in_step(ways: Sequence[_Lines]) -> Generator[list[Problem], list[Solution] | None, None]:
    """Sing lines in several ways, asking for a line of each to be solved at a time."""
    asked: list[tuple[_Lines, Problem]] = []

    def ask(way: _Lines, solution: Solution | None) -> None:
        try:
            asked.append((way, way.send(solution)))
        except StopIteration:
            pass

    for way in ways:
        ask(way, None)
    while asked:
        waiting = list(asked)
        asked.clear()
        solutions = yield [problem for _, problem in waiting]
        assert solutions is not None
        for (way, _), solution in zip(waiting, solutions, strict=True):
            ask(way, solution)


def _singing(song: SongToSing, model: PitchModel, taste: Taste) -> _Singing:
    """Sing a song, asking for one line after another to be solved."""
    (low, high), rhythm, directions = song.voice, song.rhythm, song.directions
    if not 0 <= low <= high <= 127:
        raise ValueError(f"voice must be two MIDI numbers from low to high, got {low} to {high}")
    if not rhythm.lines:
        return ()
    score = _Score.of(song, model)
    line_seeds = [song.seeds[f"{song.lyrics.sections[line.section].id}.{line.line + 1}"] for line in rhythm.lines]
    opening = count_opening([line.section for line in rhythm.lines])
    # The song begins in several ways, and goes on in the one that is most like people's.
    ways = [
        _Search(score, _draw_habits(song, score.frame.minor, taste, line_seeds[0], trial), line_seeds, taste, trial)
        for trial in range(1 if directions.given else taste.trials)
    ]
    begun = [way.fork() for way in ways]
    yield from _in_step([way.sing(0, opening) for way in begun])
    likeness = [way.likeness(opening) - way.miss() for way in begun] if len(ways) > 1 else [0.0]
    chosen = likeness.index(max(likeness))
    search = yield from _aim_again(ways[chosen], begun[chosen], 0, opening)
    begun_well = search.fork()
    yield from _in_step([search.sing(opening, len(rhythm.lines))])
    search = yield from _aim_again(begun_well, search, opening, len(rhythm.lines))
    pitches = (search.classes + (search.window.anchor + LOWEST)).tolist()
    return tuple(
        tuple(directions.given.get(number, pitches[start:end]))
        for number, (start, end) in enumerate(pairwise(score.bounds))
    )


def _aim_again(
    before: "_Search", sung: "_Search", first: int, after: int
) -> Generator[list[Problem], list[Solution] | None, "_Search"]:
    """Sing lines again from the state `before` them, with other aims, while the song misses what is wanted of it."""
    best = sung
    for _ in range(_ATTEMPTS - 1):
        miss = sung.miss()
        if not miss or sung.directions.given or first == after:
            break
        again = before.fork()
        again.lift, again.lean, again.contrast = sung.lift, sung.lean, sung.contrast
        found = sung.chorus_lift()
        lift_miss = _lift_miss(found)
        if found is not None and lift_miss:
            again.lift += CHORUS_LIFT - found
            again.lean *= _STRONGER if found < CHORUS_LIFT else 1.0
        if miss > lift_miss:
            again.contrast *= _STRONGER
        sung = again
        yield from _in_step([sung.sing(first, after)])
        if sung.miss() < best.miss():
            best = sung
    return best


def _lift_miss(lift: float | None) -> float:
    """Return by how many semitones choruses miss the height that is wanted, 0 where any will do."""
    return 0.0 if lift is None or LIFT_RANGE[0] <= lift <= LIFT_RANGE[1] else abs(lift - CHORUS_LIFT)


@dataclass(frozen=True, slots=True, eq=False)
class _Score:
    """A song before it is sung, in whatever way."""

    song: SongToSing
    model: PitchModel
    frame: Frame
    copies: Copies
    static: Floats32
    bounds: tuple[int, ...]  # the first note of every line, and the number of notes
    projected: dict[int, tuple[Floats32, Floats32]]  # what the network makes of a line's words and chords

    @classmethod
    def of(cls, song: SongToSing, model: PitchModel) -> "_Score":
        frame = lyrics_frame(song.lyrics, song.rhythm, song.chords, song.key, song.style, song.rhymes)
        copies = copy_sources(frame)
        bounds = (0, *accumulate(len(line.notes) for line in song.rhythm.lines))
        return cls(song, model, frame, copies, static_features(frame, copies), bounds, {})


def _draw_habits(song: SongToSing, minor: bool, taste: Taste, seed: int, trial: int) -> _Habits:
    """Draw what a song does throughout."""
    style = song.style
    rng = np.random.Generator(np.random.PCG64([seed, 0x50A6, trial] if trial else [seed, 0x50A6]))
    draws = rng.random(3)
    coloured, readily, spread = _COLOURED.get(style, (0.0, 0.0, 0.0))
    span = round(float(np.interp(draws[0], _PERCENTILES, _SPANS.get(style, (SPAN,) * len(_PERCENTILES)))))
    more, less, share = taste.strict
    usual = _BY_STYLE.get(style, _Usual())
    return _Habits(
        span=max(_LEAST_WINDOW, span + taste.room + usual.room),
        place=float(rng.gumbel()),
        repeat=taste.repeat + taste.repeats * float(rng.normal()),
        held_high=usual.held_high,
        motif=min(usual.motif + 2.4, max(0.0, taste.motif + usual.motif + taste.motifs * float(rng.normal()))),
        answering=taste.answer * (1.3 if draws[1] < share else 0.5),
        copying=usual.copying * (more if draws[1] < share else less),
        colour=readily + spread * float(rng.normal()) if draws[2] < coloured * (_IN_MINOR if minor else 1.0) else None,
    )


def _lifts(lyrics: Lyrics) -> bool:
    """Whether a song has choruses that should lie above its verses."""
    roles = {section.role for section in lyrics.sections if section.lines}
    return bool(roles & {Role.CHORUS, Role.HOOK}) and Role.VERSE in roles


# How many songs have their lowest note so many semitones above the tonic: tunes lie between two tonics (0, -1 with the
# leading note) or around one (-5, from the dominant below).
_WINDOW_WORTH = {0: 1.0, 11: 0.9, 10: 0.7, 7: 1.0, 6: 0.8, 5: 0.6, 9: 0.5, 8: 0.5}


def choose_window(low: int, high: int, key: Key, span: int = SPAN, place: float = 0.0) -> _Window:
    """Choose which `span` semitones of a voice are used: near its middle, and so that the key lies well in them.

    `place` prefers tunes around the tonic (from the dominant below it) if it is positive, tunes above it if negative.
    """
    if high - low > span:
        spare = high - low - span
        middle = low + spare / 2
        lows = range(low + spare // 2 - min(3, spare // 2), low + spare // 2 + min(3, (spare + 1) // 2) + 1)

        def worth(p: int) -> float:
            above = (p - key.tonic) % 12
            return _WINDOW_WORTH.get(above, 0.2) - 0.08 * abs(p - middle) + 0.2 * place * (5 <= above <= 9)

        low = max(lows, key=lambda p: (worth(p), -p))
        high = low + span
    return _window(low, high, key)


def _window(low: int, high: int, key: Key) -> _Window:
    """Count pitches as classes."""
    anchor = anchor_pitch((low + high) / 2 - 1, key.tonic)
    return _Window(anchor, max(0, low - anchor - LOWEST), min(NUM_CLASSES - 1, high - anchor - LOWEST))


@cache
def _turns(onward: float, moves: tuple[tuple[float, ...], ...]) -> Floats:
    """Scores of intervals after intervals, (26, 25)."""
    steps = np.arange(-12, 13)
    table = np.zeros((NUM_INTERVALS + 1, NUM_INTERVALS))
    small = (np.abs(steps) <= 2) & (steps != 0)
    table[:-1] = small[:, None] & small[None, :] & (np.sign(steps)[:, None] == np.sign(steps)[None, :])
    kinds = np.searchsorted(MOVES, steps)
    table[:-1] = onward * table[:-1] + np.array(moves)[np.ix_(kinds, kinds)]
    return table


@cache
def _held_motion() -> Floats:
    """Inside a syllable the voice moves, and mostly by step."""
    size = np.abs(np.arange(-12, 13))
    return np.select([size == 0, size <= 2, size <= 4], [NEVER, 0.0, -1.5], -5.0)


class _Search:
    """The song as far as it has been sung, and the search for its next line."""

    def __init__(self, score: _Score, habits: _Habits, seeds: Sequence[int], taste: Taste, trial: int = 0) -> None:
        song, frame = score.song, score.frame
        self.score = score
        self.lyrics = song.lyrics
        self.rhythm = song.rhythm
        self.frame = frame
        self.model = score.model
        self.taste = taste
        self.directions = directions = song.directions
        self.habits = habits
        self.seeds = seeds  # of every line
        self.trial = trial
        if directions.window is None:
            # Where choruses lie higher, the window is used to its edges.
            span = max(SPAN + 1, habits.span - taste.room) if _lifts(song.lyrics) else habits.span
            window = choose_window(*song.voice, song.key, span, habits.place)
        else:
            window = _window(*directions.window, song.key)
        self.window = window
        # A tune that goes on, or a song that is changed, leaves the key if what is given of it does.
        given = {(pitch - window.anchor) % 12 for pitches in directions.given.values() for pitch in pitches}
        in_key = {0, 2, 3, 5, 7, 8, 9, 10, 11} if frame.minor else {0, 2, 4, 5, 7, 9, 11}
        self.coloured = habits.colour is not None and directions.scale is None and not (given and given <= in_key)
        self.copies, self.static, self.bounds = score.copies, score.static, score.bounds
        self.projected = score.projected
        self.classes = np.full(self.bounds[-1], START, dtype=np.int64)
        # Scores of the intervals of the style, (25,).
        self.kinds = np.zeros(NUM_INTERVALS)
        if song.style in STYLES:
            self.kinds = np.array(taste.kinds[STYLES.index(song.style)])[np.searchsorted(MOVES, np.arange(-12, 13))]
        self.lift = CHORUS_LIFT  # aim: semitones from the verses to the choruses
        self.lean = taste.lean * (_LIFTED if _lifts(song.lyrics) else 1.0)
        self.contrast = 1.0  # scales how far lines lie from the middle of their register
        self.motifs: dict[tuple[int, int], Floats] = {}  # by two durations: (interval, next interval), plus 12
        self.states: list[State] = []  # the network's state after each line
        self.state = self.model.start()
        self.sung = {False: [0.0, 0.0], True: [0.0, 0.0]}  # in verses and choruses: classes times durations, durations
        self._plan_song()
        self._rules()

    def _plan_song(self) -> None:
        """Decide what does not depend on any pitch: the register of each section, which lines repeat which."""
        sections = self.lyrics.sections
        self.index = {(line.section, line.line): number for number, line in enumerate(self.rhythm.lines)}
        by_id = {section.id: number for number, section in enumerate(sections)}
        first_of_role: dict[Role, int] = {}
        self.original: list[int] = []  # the section that each one repeats, itself where it repeats none
        self.parallel: list[int | None] = []  # the first section of the same role
        for number, section in enumerate(sections):
            source = by_id.get(section.repeat_of, number) if section.repeat_of is not None else number
            self.original.append(self.original[source] if source < number else number)
            self.parallel.append(first_of_role.get(section.role))
            if section.lines and (number, 0) in self.index and not self._is_given(number):
                first_of_role.setdefault(section.role, number)
        self.lifts = _lifts(self.lyrics)
        # Sections whose melody is also the song's last one must be able to end it.
        self.closing = self.original[self.rhythm.lines[-1].section]

    def _is_given(self, section: int) -> bool:
        """Whether all of a section is part of a tune that was given: what follows it is not its second verse."""
        numbers = [number for (home, _), number in self.index.items() if home == section]
        return bool(self.directions.echoes) and all(number in self.directions.given for number in numbers)

    def _rules(self) -> None:
        """Scores of every (note, class of the window) that depend on nothing sung: chord, key and metre."""
        frame, taste = self.frame, self.taste
        degree = (self.window.classes + LOWEST) % 12
        scale = np.zeros(12, dtype=np.bool_)
        scale[[0, 2, 3, 5, 7, 8, 10] if frame.minor else [0, 2, 4, 5, 7, 9, 11]] = True
        if self.directions.scale is not None:
            scale[:] = False
            scale[list(self.directions.scale)] = True
        tones = (frame.chord_tones > 0) | (frame.chord_root == 12)[:, None]  # (N, 12); no chord forbids nothing
        foreign = (frame.chord_tones > 0) & ~scale
        self.colour = np.zeros(len(tones), dtype=np.int64)
        passing = np.zeros_like(foreign)
        if self.coloured:
            passing, falls = self._passing(tones, scale)
            falls |= foreign[:, [3, 8]].any(axis=1) & np.isin(frame.chord_root, _FLAT_SIDE)
            self.colour[1:] = np.where(falls[:-1], 2, 1)
            self.colour[list(self.bounds[1:-1])] = 1
        scores = np.where(scale | foreign | passing, 0.0, NEVER)
        chromatic = foreign.copy()
        if frame.minor:
            chromatic[:, 11] = False  # the leading note belongs to the key
            scores[foreign[:, 11], 10] = NEVER  # and drives out the natural seventh
        colour = self.habits.colour if self.coloured and self.habits.colour is not None else _NO_COLOUR
        scores -= (taste.chromatic - colour) * chromatic + (taste.passing - colour) * passing
        beside = np.roll(foreign, 1, axis=1) | np.roll(foreign, -1, axis=1)
        scores -= taste.rub * (beside & ~tones)
        strong = frame.strength >= 4
        long = frame.duration > frame.meter.pulse_ticks
        outside = ~tones
        scores -= (taste.strong_chord * strong + taste.long_chord * long)[:, None] * outside
        self.chord_tone = tones
        self.clashes = outside & (strong | long)[:, None]
        self.scores = scores[:, degree]

    def _passing(
        self, tones: NDArray[np.bool_], scale: NDArray[np.bool_]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Where degrees outside key and chord may be sung, (N, 12), and whether there they fall, (N,).

        They are neighbours and passing notes: short, weak notes inside a line that lead by a semitone to a tone of the
        next note's chord, and do not rub against a chord tone on their other side.
        """
        frame = self.frame
        rising, falling = np.zeros_like(tones), np.zeros_like(tones)
        here, following = slice(1, -1), slice(2, None)
        inside = (frame.line[:-2] == frame.line[here]) & (frame.line[here] == frame.line[following])
        weak = (frame.strength[here] < 4) & (frame.strength[here] < np.maximum(frame.strength[:-2], frame.strength[2:]))
        short = frame.duration[here] <= np.minimum(frame.meter.pulse_ticks, frame.duration[following])
        for ways, allowed in ((RISING, rising), (FALLING, falling)):
            for degree, way in ways[frame.minor].items():
                leads = tones[following, (degree + way) % 12] & ~tones[here, (degree - way) % 12]
                allowed[here, degree] |= inside & weak & short & leads & ~tones[here, degree] & (not scale[degree])
        falls: NDArray[np.bool_] = np.asarray(falling.any(axis=1)) & ~np.asarray(rising.any(axis=1))
        rising[falls] = falling[falls]
        return rising, falls

    def fork(self) -> "_Search":
        """Return a copy that goes on by itself."""
        other = copy(self)
        other.classes, other.states = self.classes.copy(), self.states.copy()
        other.motifs = {durations: known.copy() for durations, known in self.motifs.items()}
        other.sung = {chorus: total.copy() for chorus, total in self.sung.items()}
        return other

    def sing(self, first: int, after: int) -> _Lines:
        """Find the pitches of the lines from `first` on, those before it being sung."""
        for number in range(first, after):
            yield from self._sing(number, self.seeds[number])

    def likeness(self, opening: int) -> float:
        """Say how much like people's the first lines are, in nats."""
        song, rhythm = self.score.song, self.rhythm
        pitches = (self.classes + (self.window.anchor + LOWEST)).tolist()
        stretches = stretches_of(replace(rhythm, lines=rhythm.lines[:opening]))
        return load_critic().judge(
            [
                describe(
                    stretch,
                    pitches[stretch.first : stretch.first + len(stretch.onsets)],
                    rhythm.meter,
                    song.key,
                    song.style,
                )
                for stretch in stretches
            ]
        )

    def miss(self) -> float:
        """Return by how much what was sung misses what is wanted of every song: risen choruses, and some span."""
        classes = self.classes[: self.bounds[len(self.states)]]
        wanted = min(NARROW, self.window.high - self.window.low) if len(classes) >= _SHORT else 0
        return _lift_miss(self.chorus_lift()) + 0.5 * max(0, wanted - int(np.ptp(classes)))

    def chorus_lift(self) -> float | None:
        """Mean pitch of the choruses minus that of the verses over time, None if not both have been sung."""
        if not self.lifts or not (self.sung[True][1] and self.sung[False][1]):
            return None
        return self.sung[True][0] / self.sung[True][1] - self.sung[False][0] / self.sung[False][1]

    def _sing(self, number: int, seed: int) -> _Lines:
        """Find the pitches of a line and keep them."""
        start, end = self.bounds[number], self.bounds[number + 1]
        if start == end:
            self.states.append(self.state)
            return
        line = self.rhythm.lines[number]
        twin = self._twin(number)
        if number in self.directions.given:
            self.classes[start:end], self.state = self._listen(number)
        elif twin is not None:
            self.classes[start:end] = self.classes[self.bounds[twin] : self.bounds[twin + 1]]
            self.state = self.states[twin]
        else:
            # The words take part, so that songs with the same seed, every line "v1.1" of them, are not drawn alike.
            words = self.lyrics.sections[line.section].lines[line.line].text
            entropy = [seed, zlib.crc32(words.encode())]
            rng = np.random.Generator(np.random.PCG64([*entropy, self.trial] if self.trial else entropy))
            forced = self._forced(number, rng)
            model = self._inner_model(number, forced, rng)
            if model is not None:
                # Its first bars are sung first; those that answer them take them over.
                opening = _part(self._problem(number, forced, rng), 0, model.answer)
                solution = yield opening
                assert solution is not None
                self.classes[start : start + model.answer] = solution.classes
                forced = self._answered(number, model)
                problem = _part(self._problem(number, forced, rng), model.answer, end - start)
                solution = yield problem._replace(
                    state=solution.state,
                    before=int(solution.classes[-1]),
                    interval=self._interval(start + model.answer - 1),
                )
                assert solution is not None
                self.classes[start + model.answer : end], self.state = solution
            else:
                solution = yield self._problem(number, forced, rng)
                assert solution is not None
                self.classes[start:end], self.state = solution
        self.states.append(self.state)
        self._remember(number)
        chorus = self._is_chorus(line.section)
        if chorus is not None:
            total = self.sung[chorus]
            durations = self.frame.duration[start:end]
            total[0] += float(self.classes[start:end] @ durations)
            total[1] += float(durations.sum())

    def _listen(self, number: int) -> tuple[Ints, State]:
        """Let the network read a given line; pitches outside its classes are read as the nearest ones."""
        start, end = self.bounds[number], self.bounds[number + 1]
        pitches = np.array(self.directions.given[number], dtype=np.int64)
        if len(pitches) != end - start:
            raise ValueError(f"line {number} has {end - start} notes, but {len(pitches)} pitches are given")
        classes = np.clip(pitches - self.window.anchor - LOWEST, 0, NUM_CLASSES - 1)
        line = self._prepared(number)
        before = self.classes[start - 1] if start else START
        interval, state = self._interval(start - 1), self.state
        for note, sung in enumerate(classes.tolist()):
            _, state = self.model.step(line, note, state, np.array([before]), np.array([interval]))
            interval = NUM_INTERVALS if before == START else int(np.clip(sung - before, -12, 12)) + 12
            before = sung
        return classes, state

    def _prepared(self, number: int) -> Prepared:
        """Compute what a line's notes contribute whatever is sung before."""
        start, end = self.bounds[number], self.bounds[number + 1]
        if number not in self.projected:
            if len(self.projected) >= _KEPT:
                del self.projected[next(iter(self.projected))]
            self.projected[number] = self.model.project(self.static[start:end])
        gates, skip = self.projected[number]
        copied = copied_classes(
            Copies(self.copies.note[start:end], self.copies.exact[start:end], self.copies.similarity[start:end]),
            self.classes,
        )
        return self.model.prepare(gates, skip, copied, self.frame.chord_root[start:end], self.frame.minor)

    def _is_chorus(self, section: int) -> bool | None:
        role = self.lyrics.sections[section].role
        return True if role in (Role.CHORUS, Role.HOOK) else False if role is Role.VERSE else None

    def _twin(self, number: int) -> int | None:
        """Return the line whose pitches this one repeats altogether: its place in the section that is repeated."""
        line = self.rhythm.lines[number]
        source = self.original[line.section]
        if source == line.section:
            return None
        twin = self.index.get((source, line.line))
        if twin is None or twin >= number or self._onsets(twin) != self._onsets(number):
            return None
        return twin

    def _onsets(self, number: int) -> list[int]:
        """Onsets of a line's notes, counted from its first downbeat (a pick-up is negative)."""
        start, end = self.bounds[number], self.bounds[number + 1]
        onsets = self.frame.onset[start:end].tolist()
        place, bar = int(self.frame.place[start]), self.frame.meter.bar_ticks
        origin = onsets[0] - place + (bar if 2 * place >= bar else 0)
        return [onset - origin for onset in onsets]

    def _forced(self, number: int, rng: np.random.Generator) -> Ints:
        """Classes that the line takes over from an earlier one, START where it is free."""
        start, end = self.bounds[number], self.bounds[number + 1]
        echo = self.directions.echoes.get(number)
        if echo is not None:
            return self._echoed(number, echo)
        parallel = self._parallel_line(number)
        if parallel is not None:
            shared = self._shared(number, parallel)
            if 2 * int((shared < START).sum()) >= end - start:
                return self._only_fitting(number, parallel, shared)
        return self._taken_up(number, rng)

    def _inner_model(self, number: int, forced: Ints, rng: np.random.Generator) -> "_Answer | None":
        """Find bars of a line that the bars after them may answer, in their rhythm and moved along the scale."""
        chance, choice = rng.random(2)
        if chance > self.habits.answering or (forced < START).any():
            return None
        start, end = self.bounds[number], self.bounds[number + 1]
        bar = self.frame.meter.bar_ticks
        onsets = np.array(self._onsets(number))
        durations = self.frame.duration[start:end]
        found = []
        for length in (bar, 2 * bar):
            for first in range(0, int(onsets[-1]) - length + 1, bar):
                model, answer = (np.flatnonzero((onsets >= t) & (onsets < t + length)) for t in (first, first + length))
                size = min(len(model), len(answer))
                if size < 2 or answer[0] == 0:
                    continue
                # The last note of a line is held: its length need not be the model's.
                same = (onsets[answer[:size]] - length == onsets[model[:size]]) & (
                    (durations[answer[:size]] == durations[model[:size]]) | (answer[:size] == end - start - 1)
                )
                alike = size if same.all() else int(np.argmin(same))
                if alike >= 2 and alike >= 0.75 * len(model):
                    found.append(
                        _Answer(int(model[0]), int(answer[0]), alike, literal=chance < _LITERAL * self.habits.answering)
                    )
        return found[int(choice * len(found))] if found else None

    def _answered(self, number: int, model: "_Answer") -> Ints:
        """Classes that the answer of a line takes over from its model, START elsewhere."""
        start, end = self.bounds[number], self.bounds[number + 1]
        sung = self.classes[start + model.first : start + model.first + model.length]
        shared = np.full(end - start, START, dtype=np.int64)
        shared[model.answer : model.answer + model.length] = np.where(self._in_key(sung), sung, START)
        if not model.literal:
            shared = self._moved(number, shared)
        return self._only_fitting(number, None, shared)

    def _in_key(self, classes: Ints) -> NDArray[np.bool_]:
        """Whether classes belong to the scale."""
        return np.isin((classes + LOWEST) % 12, (0, 2, 3, 5, 7, 8, 10) if self.frame.minor else (0, 2, 4, 5, 7, 9, 11))

    def _taken_up(self, number: int, rng: np.random.Generator) -> Ints:
        """Classes that a line takes over from an earlier one of its section, if it does."""
        taste, line = self.taste, self.rhythm.lines[number]
        size = self.bounds[number + 1] - self.bounds[number]
        words = self.lyrics.sections[line.section].lines
        chance, length = rng.random(2)
        nothing = np.full(size, START, dtype=np.int64)
        text = words[line.line].text.casefold()
        for back in range(1, min(line.line, 8) + 1):
            if words[line.line - back].text.casefold() == text:
                same = self._shared(number, self.index[line.section, line.line - back])
                keep = size - (2 if line.line == len(words) - 1 else 0)
                if (same < START).mean() < 0.4:
                    return nothing
                same[max(1, keep) :] = START
                same[-1:] = self._only_fitting(number, None, same)[-1:]
                return same
        much, done = self.habits.copying, 0.0
        sequence = min(_MOST_SEQUENCES, much * taste.sequence)
        whole: list[tuple[float, int, Ints]] = []  # lines that may be taken up, and what they are worth
        for back, share in _COPIED[line.line if line.line < 4 else 4 + line.line % 4]:
            if back <= line.line:
                done += much * share
                source = self.index[line.section, line.line - back]
                shared = self._shared(number, source)
                fits = float((self._only_fitting(number, source, shared) < START).mean())
                whole.append((share * fits**_FITTING, source, shared))
        if chance < done:
            total = list(accumulate(worth for worth, _, _ in whole))
            chosen = sum(length * total[-1] > sofar for sofar in total)
            _, source, shared = whole[min(chosen, len(whole) - 1)]
            keep = size
        else:
            if line.line >= 2 and chance < done + much * taste.copy_begin:
                source = self.index[line.section, line.line - 2]
                shared, keep = self._shared(number, source), round(size * (0.3 + 0.5 * length))
            elif line.line and chance > 1 - sequence:
                back = 2 if line.line > 1 and chance > 1 - 0.5 * sequence else 1
                source = self.index[line.section, line.line - back]
                shared, keep = self._moved(number, self._shared(number, source)), round(size * (0.6 + 0.4 * length))
            else:
                return nothing
        if (shared < START).mean() < 0.4:
            return nothing
        shared[max(1, keep) :] = START
        return self._only_fitting(number, source, shared)

    def _echoed(self, number: int, echo: Echo) -> Ints:
        """Classes that a line takes over as it was directed to."""
        size = self.bounds[number + 1] - self.bounds[number]
        if echo.source is None:
            return np.full(size, START, dtype=np.int64)
        shared = self._shared(number, echo.source)
        if echo.moved:
            shared = self._moved(number, shared)
        first, after = round(echo.start * size), round(echo.end * size)
        shared[:first] = START
        shared[after:] = START
        if echo.moved:
            return self._only_fitting(number, None, shared)
        return self._only_fitting(number, echo.source, shared)

    def _parallel_line(self, number: int) -> int | None:
        """Return the line at the same place of an earlier section of the same kind."""
        line = self.rhythm.lines[number]
        if line.follows is not None and self.rhythm.lines[line.follows].section != line.section:
            return line.follows
        section = self.parallel[line.section]
        return None if section is None else self.index.get((section, line.line))

    def _shared(self, number: int, source: int) -> Ints:
        """Classes of `source` on the onsets that both lines have, or nearly have; START elsewhere."""
        there, here = np.array(self._onsets(source)), np.array(self._onsets(number))
        classes = self.classes[self.bounds[source] : self.bounds[source + 1]]
        # The nearest note of the source, if this one is in turn the nearest to that.
        away = np.abs(here[:, None] - there)
        nearest = away.argmin(axis=1)
        rows = np.arange(len(here))
        shares = (away[rows, nearest] <= _NEARLY) & (away.argmin(axis=0)[nearest] == rows)
        return np.where(shares, classes[nearest], START)

    def _only_fitting(self, number: int, source: int | None, shared: Ints) -> Ints:
        """Let go of pitches that the chord here contradicts: on first and on long strong beats, and at the end."""
        start, end = self.bounds[number], self.bounds[number + 1]
        degree = (shared + LOWEST) % 12
        strength = self.frame.strength[start:end]
        long = self.frame.duration[start:end] > self.frame.meter.pulse_ticks
        weighty = (strength == 5) | ((strength == 4) & long)
        weighty[-1] = True
        fits = self.chord_tone[np.arange(start, end), degree]
        # A suspension or passing note that the source line had over the same chord stays.
        source_start, source_end = (0, 0) if source is None else (self.bounds[source], self.bounds[source + 1])
        if source_end - source_start == end - start:
            same = (self.chord_tone[source_start:source_end] == self.chord_tone[start:end]).all(axis=1)
            fits |= same & (np.arange(end - start) < end - start - 1)
        return np.where(weighty & ~fits, START, shared)

    def _moved(self, number: int, shared: Ints) -> Ints:
        """Move shared pitches along the scale by the step that suits the chords best: a sequence."""
        start = self.bounds[number]
        minor = self.frame.minor
        scale = (0, 2, 3, 5, 7, 8, 10) if minor else (0, 2, 4, 5, 7, 9, 11)
        tonic = -LOWEST  # class of the anchor
        table = sequence_table(minor)
        strong = self.frame.strength[start : start + len(shared)] >= 3
        known = shared < START
        best, best_fit = shared, -1.0
        for steps in (-1, 1, -2, 2):
            target = tonic + scale[steps % 7] + 12 * (steps // 7)
            moved = np.full_like(shared, START)
            moved[known] = table[shared[known], tonic, target]
            if ((moved[known] < self.window.low) | (moved[known] > self.window.high)).any():
                continue
            rows = np.flatnonzero(known & strong)
            fit = float(self.chord_tone[start + rows, (moved[rows] + LOWEST) % 12].mean()) if len(rows) else 0.5
            if fit > best_fit + 0.05:
                best, best_fit = moved, fit
        return best

    def _target(self, section: int) -> float:
        """Class around which a section's line lies."""
        middle = (self.window.low + self.window.high) / 2 - 0.5
        if not self.lifts:
            return middle
        chorus = self._is_chorus(section)
        if chorus is None:
            return middle
        wanted = middle + (self.lift if chorus else -self.lift) / 2
        (total, count), (other_total, other_count) = self.sung[chorus], self.sung[not chorus]
        if other_count:
            wanted = other_total / other_count + (self.lift if chorus else -self.lift)
        if count:  # what earlier lines missed, this one makes good
            wanted += min(3.0, max(-3.0, wanted - total / count))
        return min(self.window.high - 3.0, max(self.window.low + 3.0, wanted))

    def _end(self, number: int) -> Floats:
        """Score the last note of a line by degree, (12,): it closes, or leaves open what another line answers."""
        line = self.rhythm.lines[number]
        last = self.bounds[number + 1] - 1
        section = self.lyrics.sections[line.section]
        tones = self.chord_tone[last]
        scores = np.where(tones, 0.0, NEVER / 2)
        stable = np.zeros(12)
        stable[[0, 3 if self.frame.minor else 4, 7]] = 1
        if line.line == len(section.lines) - 1:
            scores += np.where(stable > 0, 0.0, NEVER / 4)
            scores[0] += 1.5
            if line.section == self.closing:
                scores += np.where(np.arange(12) == 0, 0.0, NEVER / (1 if tones[0] else 8))
        elif self.frame.line_answered[number]:
            scores[0] -= 0.4
            scores += 0.3 * stable
        elif self.frame.line_rhyme[number] in (1, 2, 3):
            scores[0] += 1.4
            scores += 0.3 * stable
        scores[7] -= 1.5
        scores[11] -= 1.0
        return scores

    def _problem(self, number: int, forced: Ints, rng: np.random.Generator) -> Problem:
        """Say what every note and pitch of a line is worth."""
        taste, window, frame = self.taste, self.window, self.frame
        start, end = self.bounds[number], self.bounds[number + 1]
        num_notes = end - start
        classes = window.classes
        scores = self.scores[start:end] + taste.noise * rng.gumbel(size=(num_notes, len(classes)))
        through = np.arange(num_notes) / max(1, num_notes - 1)
        place = self.rhythm.lines[number]
        rise = taste.stanza[place.line % 4] + taste.wander * rng.normal() + taste.arch * (np.sin(np.pi * through) - 0.6)
        centre = (window.low + window.high) / 2
        if self.lifts:
            rise *= _CALM  # so that it is the chorus that is heard to rise
        # The further choruses are from where they should lie by now, the stronger lines are drawn there.
        pull = self.lean * (1 + _CORRECTED * _lift_miss(self.chorus_lift()))
        lean = pull * (self._target(place.section) - centre + self.contrast * rise)
        away = classes - centre
        scores += lean[:, None] * away - taste.pull * (away - (0.0 if self.lifts else taste.tessitura)) ** 2
        weight = taste.accent * (frame.strength[start:end] >= 4)
        long = (2 * frame.duration[start:end] >= frame.meter.bar_ticks) & (np.arange(num_notes) < num_notes - 1)
        weight = weight + self.habits.held_high * long
        scores += (weight - weight.mean())[:, None] * away
        degree = (classes + LOWEST) % 12
        favour = np.array(taste.degrees[int(frame.minor)])[degree]
        clashes = self.clashes[start : end - 1][:, degree]
        scores[0] += taste.upbeat * (degree == 7) * (frame.strength[start] < 5)
        scores[:-1] += np.where(clashes, np.minimum(favour, 0.0), favour)
        scores[-1] += self._end(number)[degree]
        pinned = (forced >= window.low) & (forced <= window.high)
        scores[pinned] += _FORCED * (classes[None, :] == forced[pinned, None])
        scores += self._reach(scores, pinned)
        return Problem(
            line=self._prepared(number),
            state=self.state,
            before=int(self.classes[start - 1]) if start else START,
            interval=self._interval(start - 1),
            low=window.low,
            minor=frame.minor,
            colour=self.colour[start:end],
            scores=scores,
            motion=self._line_motion(number),
            motifs=self._line_motifs(number),
        )

    def _interval(self, note: int) -> int:
        """Interval that led to a note, plus 12; NUM_INTERVALS where there is none."""
        if note < 1:
            return NUM_INTERVALS
        return max(-12, min(12, int(self.classes[note] - self.classes[note - 1]))) + 12

    def _line_motifs(self, number: int) -> Floats:
        """Scores of intervals after intervals, (n, 26, 25), as earlier lines have them under the same two durations."""
        start, end = self.bounds[number], self.bounds[number + 1]
        motifs = np.tile(_turns(self.taste.onward, self.taste.moves), (end - start, 1, 1))
        motifs[0] = 0.0
        lengths = self.frame.duration[start:end].tolist()
        for note in range(2, end - start):
            known = self.motifs.get((lengths[note - 1], lengths[note]))
            if known is not None:
                motifs[note, :-1] += known
        return motifs

    def _remember(self, number: int) -> None:
        """Keep the motifs of a line that has been sung: what intervals followed each other under which durations."""
        start, end = self.bounds[number], self.bounds[number + 1]
        intervals = (np.clip(np.diff(self.classes[start:end]), -12, 12) + 12).tolist()
        lengths = self.frame.duration[start:end].tolist()
        in_key = self._in_key(self.classes[start:end]).tolist()
        for note in range(2, end - start):
            if not all(in_key[note - 2 : note + 1]):
                continue  # a colour, which would soon be a mannerism
            durations = lengths[note - 1], lengths[note]
            known = self.motifs.get(durations)
            if known is None:
                known = self.motifs[durations] = np.zeros((NUM_INTERVALS, NUM_INTERVALS))
            if intervals[note - 2 : note] != [12, 12]:  # a note over and over is no motif
                known[intervals[note - 2], intervals[note - 1]] = self.habits.motif

    def _line_motion(self, number: int) -> Floats:
        """Scores of the interval that leads to each note, (n, 25): melisma, and the turn of phrase that rhymes."""
        start, end = self.bounds[number], self.bounds[number + 1]
        taste = self.taste
        sizes = self.habits.repeat, 0.0, 0.0, taste.third, taste.third, taste.fourth, *(taste.wide,) * 7
        motion = np.empty((end - start, NUM_INTERVALS))
        motion[:] = sizes[:0:-1] + sizes
        motion += self.kinds
        motion[0] = -taste.joint * np.abs(np.arange(-12, 13))
        motion[self.frame.held[start:end] == 1] = _held_motion()
        back = int(self.frame.line_rhyme[number])
        if back in (1, 2):
            label_line = number - back
            source_start, source_end = self.bounds[label_line], self.bounds[label_line + 1]
            turn = np.diff(self.classes[source_start:source_end])[-2:]
            signs = np.sign(np.arange(-12, 13))
            for back_from_end, size in enumerate(turn[::-1].tolist()):
                if end - start - 1 - back_from_end >= 1:
                    motion[end - start - 1 - back_from_end] += taste.contour * (signs == np.sign(size))
        return motion

    def _reach(self, scores: Floats, pinned: NDArray[np.bool_]) -> Floats:
        """Penalise pitches from which the next fixed one, or a fitting last note, cannot be reached by small steps."""
        num_notes, width = scores.shape
        reach = np.zeros_like(scores)
        goals = np.flatnonzero(pinned | (np.arange(num_notes) == num_notes - 1))
        margin = np.where(pinned[goals], 6.0, 8.0)[:, None]
        good = scores[goals] > scores[goals].max(axis=1, keepdims=True) - margin  # (goals, W)
        gap = np.where(good[:, None, :], _distances(width), width).min(axis=2)  # to the nearest good pitch, (goals, W)
        notes = np.arange(num_notes - 1)
        ahead = np.searchsorted(goals, notes, side="right")  # the next goal of every note
        steps = goals[ahead] - notes
        near = steps <= 4
        far = np.maximum(0, gap[ahead[near]] - 3 * steps[near, None] + 1)
        reach[:-1][near] = -self.taste.reach * far
        return reach


def _part(problem: Problem, start: int, end: int) -> Problem:
    """Return some notes of a line as a problem of their own."""
    return problem._replace(
        line=Prepared._make(array[start:end] for array in problem.line),
        colour=problem.colour[start:end],
        scores=problem.scores[start:end],
        motion=problem.motion[start:end],
        motifs=problem.motifs[start:end],
    )


@cache
def _distances(width: int) -> Ints:
    """Semitones from pitch to pitch of a window."""
    pitches = np.arange(width)
    distances: Ints = np.abs(pitches[:, None] - pitches)
    return distances
