"""Songs cut into phrases of eight bars, and what a listener could notice in one, as numbers.

The features feed the two-sample test (melody/two_sample.py): whatever they do not describe, the test cannot see. They
describe pitch against the key, the shape of the line, the rhythm against the bar, and what comes back inside a phrase;
not the words, and not how high the voice lies.
"""

import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from align.meter import GRID, Meter
from melody.metrics import SungNote, SungSong
from melody.theory import MAJOR, MINOR, Key

Floats = NDArray[np.float64]
NUM_BARS = 8


@dataclass(frozen=True, slots=True)
class Phrase:
    """Some bars of a song: their notes, those before the first bar line (a pick-up to the phrase) included."""

    group: str  # phrases of one group never stand on both sides of a split
    meter: Meter
    key: Key
    start: int  # tick of the first bar line
    num_bars: int
    notes: tuple[SungNote, ...]

    @property
    def length(self) -> int:
        """Ticks from the first bar line to the last."""
        return self.num_bars * self.meter.bar_ticks


def cut_phrases(song: SungSong, group: str, num_bars: int = NUM_BARS) -> list[Phrase]:
    """Cut a song into phrases of `num_bars` bars that begin where lines begin; what is left over is not used.

    A line that begins in the second half of a bar has a pick-up: its phrase begins at the next bar line. Phrases in
    which a bar was printed short, as around repeat signs, are left out: they would give print away, not people. Raises
    ValueError if the notes do not know their place in the bar.
    """
    bar = song.meter.bar_ticks
    if any(note.place < 0 for note in song.notes):
        raise ValueError("phrases can only be cut where every note knows its place in the bar")
    begins = [
        index
        for index, note in enumerate(song.notes)
        if index == 0 or song.syllables[note.syllable].line != song.syllables[song.notes[index - 1].syllable].line
    ]
    end = song.notes[-1].onset + song.notes[-1].duration
    found: list[Phrase] = []
    earliest = -bar
    for first in begins:
        note = song.notes[first]
        start = note.onset - note.place + (bar if 2 * note.place >= bar else 0)
        if start < earliest:
            continue
        stop = start + num_bars * bar
        if stop - bar // 2 > end:
            break
        following = next((b for b in begins if b > first and song.notes[b].onset >= stop - bar // 2), len(song.notes))
        notes = tuple(note for note in song.notes[first:following] if note.onset < stop)
        if all((note.onset - start) % bar == note.place for note in notes):
            found.append(Phrase(group, song.meter, song.key, start, num_bars, notes))
            earliest = stop
    return found


def _retimed(phrase: Phrase, sung: Sequence[tuple[int, int, int]]) -> Phrase:
    """Sing (pitch, duration, rest before) one after the other from the onset of the phrase's first note."""
    tick, notes = phrase.notes[0].onset, []
    for index, (pitch, duration, rest) in enumerate(sung):
        tick += rest if index else 0
        place = (tick - phrase.start) % phrase.meter.bar_ticks
        notes.append(SungNote(tick, duration, phrase.meter.strength(place), pitch, index, False, place))
        tick += duration
    return replace(phrase, notes=tuple(notes))


def _sung(phrase: Phrase) -> list[tuple[int, int, int]]:
    """Return (pitch, duration, rest before) of every note."""
    rests = [0, *(b.onset - a.onset - a.duration for a, b in pairwise(phrase.notes))]
    return [(note.pitch, note.duration, max(0, rest)) for note, rest in zip(phrase.notes, rests, strict=True)]


def shuffled(phrase: Phrase, rng: np.random.Generator) -> Phrase:
    """Return the phrase's own notes, each with its duration and the rest before it, in another order."""
    sung = _sung(phrase)
    return _retimed(phrase, [sung[i] for i in rng.permutation(len(sung))])


def random_phrases(phrases: Sequence[Phrase], rng: np.random.Generator) -> list[Phrase]:
    """Return as many phrases whose notes are drawn at random from those of all: right histograms, no melody.

    Pitches are drawn as intervals from the tonic nearest below each phrase's middle, so that keys do not mix.
    """
    pool = [(pitch - _anchor(phrase), duration, rest) for phrase in phrases for pitch, duration, rest in _sung(phrase)]
    drawn = []
    for phrase in phrases:
        anchor = _anchor(phrase)
        rows = [pool[i] for i in rng.integers(0, len(pool), len(phrase.notes))]
        drawn.append(_retimed(phrase, [(anchor + height, duration, rest) for height, duration, rest in rows]))
    return drawn


def legato(phrase: Phrase) -> Phrase:
    """Return the phrase with every note held until the next one begins, the last one to the end.

    How a breath is written is a habit of print: some write a rest, some a long note. Legato phrases have none.
    """
    ends = [*(note.onset for note in phrase.notes[1:]), phrase.start + phrase.length]
    notes = (replace(n, duration=max(1, end - n.onset)) for n, end in zip(phrase.notes, ends, strict=True))
    return replace(phrase, notes=tuple(notes))


def _anchor(phrase: Phrase) -> int:
    """Return the tonic nearest below the middle of the phrase, a third at most above it."""
    middle = round(float(np.median([note.pitch for note in phrase.notes])))
    return middle - ((middle - phrase.key.tonic + 3) % 12 - 3)


_CLASSES: tuple[tuple[str, Callable[[int], bool]], ...] = (
    ("fall over a fourth", lambda i: i < -5),
    ("fall of a fourth", lambda i: i == -5),
    ("fall of a third", lambda i: i in (-3, -4)),
    ("step down", lambda i: i in (-1, -2)),
    ("repeat", lambda i: i == 0),
    ("step up", lambda i: i in (1, 2)),
    ("rise of a third", lambda i: i in (3, 4)),
    ("rise of a fourth", lambda i: i == 5),
    ("rise over a fourth", lambda i: i > 5),
)
_DURATIONS = (1, 2, 3, 4, 6, 8, 12, 16)  # sixteenths; anything else counts as "other"


def _interval_class(interval: int) -> str:
    return next(name for name, inside in _CLASSES if inside(interval))


def _coarse(interval: int) -> str:
    return "0" if interval == 0 else ("+" if interval > 0 else "-") + ("s" if abs(interval) <= 2 else "l")


def _degree(phrase: Phrase, pitch: int) -> int:
    """Return the scale step 1..7 of a pitch, 0 where it is chromatic; the leading note of minor is a 7."""
    above = (pitch - phrase.key.tonic) % 12
    scale = MAJOR if phrase.key.mode == "major" else MINOR
    if above in scale:
        return scale.index(above) + 1
    return {9: 6, 11: 7}.get(above, 0) if phrase.key.mode == "minor" else 0


def _entropy(values: Sequence[Hashable]) -> float:
    counts = np.array(list(Counter(values).values()), dtype=np.float64)
    shares = counts / counts.sum()
    return float(-np.sum(shares * np.log2(shares)))


def _repeated(values: Sequence[Hashable], n: int) -> float:
    """Share of n-grams that occurred before."""
    grams = [tuple(values[i : i + n]) for i in range(len(values) - n + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def describe(phrase: Phrase) -> dict[str, float]:
    """Return the features of a phrase by name; every phrase has the same names in the same order."""
    notes = phrase.notes
    bar = phrase.meter.bar_ticks
    pitches = [note.pitch for note in notes]
    intervals = [b - a for a, b in pairwise(pitches)]
    durations = [max(1, round(note.duration / GRID)) for note in notes]
    gaps = [max(1, round((b.onset - a.onset) / GRID)) for a, b in pairwise(notes)]
    count, moves = len(notes), max(1, len(intervals))
    features: dict[str, float] = {}

    def shares(prefix: str, names: Sequence[Hashable], values: Sequence[Hashable], weights: Sequence[float]) -> None:
        total = sum(weights) or 1.0
        for name in names:
            features[f"{prefix} {name}"] = sum(w for v, w in zip(values, weights, strict=True) if v == name) / total

    # How many notes there are, and how they lie in time.
    features["notes per bar"] = count / phrase.num_bars
    features["held notes"] = sum(note.held for note in notes) / count
    named = [d if d in _DURATIONS else 0 for d in durations]
    shares("duration in sixteenths:", (*_DURATIONS, 0), named, [1.0] * count)
    shares(
        "onset interval in sixteenths:",
        (*_DURATIONS, 0),
        [g if g in _DURATIONS else 0 for g in gaps],
        [1.0] * (count - 1),
    )
    shares("onsets on strength", range(6), [note.strength for note in notes], [1.0] * count)
    shares("time sung from strength", range(6), [note.strength for note in notes], durations)
    pairs = list(pairwise(gaps))
    features["equal onset intervals"] = sum(a == b for a, b in pairs) / max(1, len(pairs))
    features["dotted: long then short"] = sum(a == 3 * b for a, b in pairs) / max(1, len(pairs))
    features["dotted: short then long"] = sum(3 * a == b for a, b in pairs) / max(1, len(pairs))
    features["two to one"] = sum(a == 2 * b for a, b in pairs) / max(1, len(pairs))
    features["one to two"] = sum(2 * a == b for a, b in pairs) / max(1, len(pairs))
    features["kinds of durations"] = len(set(durations))
    features["entropy of onset intervals"] = _entropy(gaps) if gaps else 0.0
    features["spread of durations"] = float(np.std(np.log2(durations)))
    rests = [max(0, b.onset - a.onset - a.duration) for a, b in pairwise(notes)]
    features["rests per bar"] = sum(rest > 0 for rest in rests) / phrase.num_bars
    features["share of time at rest"] = sum(rests) / phrase.length
    features["longest note in bars"] = max(note.duration for note in notes) / bar
    features["syncopation"] = sum(_crosses_stronger(phrase, note) for note in notes) / count
    starts = [(note.onset - phrase.start) // bar for note in notes]
    features["empty bars"] = phrase.num_bars - len({b for b in starts if b >= 0})
    features["bars with a note on the downbeat"] = sum(note.place == 0 for note in notes) / phrase.num_bars
    features["pick-up in beats"] = max(0, phrase.start - notes[0].onset) / phrase.meter.pulse_ticks

    # Pitch against the key.
    degrees = [_degree(phrase, pitch) for pitch in pitches]
    shares("time on degree", range(8), degrees, durations)
    strong = [note.strength >= 4 for note in notes]
    shares("strong beats on degree", range(8), degrees, [float(s) for s in strong])
    shares("weak places on degree", range(8), degrees, [float(note.strength <= 2) for note in notes])
    shares("ends on degree", range(8), degrees[-1:], [1.0])
    shares("begins on degree", range(8), degrees[:1], [1.0])
    for a in range(1, 8):
        for b in range(1, 8):
            features[f"degree {a} to {b}"] = sum(p == (a, b) for p in pairwise(degrees)) / moves
    features["minor"] = float(phrase.key.mode == "minor")

    # The line.
    height = np.array(pitches, dtype=np.float64)
    features["span"] = float(np.ptp(height))
    features["different pitches"] = len(set(pitches))
    features["spread of pitch"] = float(height.std())
    features["skew of pitch"] = float(np.mean((height - height.mean()) ** 3) / (height.std() ** 3 + 1e-9))
    features["middle above the tonic"] = float(np.median(height)) - _anchor(phrase)
    features["lowest above the tonic"] = float(height.min()) - _anchor(phrase)
    features["highest above the tonic"] = float(height.max()) - _anchor(phrase)
    features["where the highest note lies"] = int(height.argmax()) / count
    features["where the lowest note lies"] = int(height.argmin()) / count
    features["share of highest note"] = float(np.mean(height == height.max()))
    features["entropy of pitches"] = _entropy(pitches)
    classes = [_interval_class(interval) for interval in intervals]
    shares("interval:", [name for name, _ in _CLASSES], classes, [1.0] * len(intervals))
    coarse = [_coarse(interval) for interval in intervals]
    names = ("-l", "-s", "0", "+s", "+l")
    for first in names:
        for second in names:
            share = sum(pair == (first, second) for pair in pairwise(coarse)) / max(1, len(coarse) - 1)
            features[f"moves {first} {second}"] = share
    features["mean size of intervals"] = float(np.mean(np.abs(intervals))) if intervals else 0.0
    features["widest interval"] = max(map(abs, intervals), default=0)
    features["entropy of intervals"] = _entropy(intervals) if intervals else 0.0
    signs = [int(np.sign(interval)) for interval in intervals if interval]
    features["turns"] = sum(a != b for a, b in pairwise(signs)) / max(1, len(signs) - 1)
    features["longest run of one direction"] = _longest(signs)
    features["longest run of repeats"] = _longest([0 if interval else 1 for interval in intervals], only=1)
    onto_strong = [abs(i) for i, note in zip(intervals, notes[1:], strict=True) if note.strength >= 4]
    features["intervals onto strong beats"] = float(np.mean(onto_strong)) if onto_strong else 0.0
    after_long = [abs(i) for i, d in zip(intervals, durations, strict=False) if d >= 8]
    features["intervals after long notes"] = float(np.mean(after_long)) if after_long else 0.0
    moved = [i != 0 for i in intervals]
    features["repeats onto strong beats"] = sum(
        not m and note.strength >= 4 for m, note in zip(moved, notes[1:], strict=True)
    ) / max(1, sum(note.strength >= 4 for note in notes[1:]))
    held = [abs(i) for i, note in zip(intervals, notes[1:], strict=True) if note.held]
    features["intervals under a held syllable"] = float(np.mean(held)) if held else 0.0
    short, long = (
        float(np.mean([p for p, d in zip(pitches, durations, strict=True) if low <= d <= high] or [height.mean()]))
        for low, high in ((0, 2), (8, 1 << 30))
    )
    features["long notes above short ones"] = long - short
    features["strong notes above weak ones"] = float(
        np.mean([p for p, s in zip(pitches, strong, strict=True) if s] or [height.mean()])
        - np.mean([p for p, s in zip(pitches, strong, strict=True) if not s] or [height.mean()])
    )
    quarters = np.array_split(height, 4)
    for index, part in enumerate(quarters):
        features[f"height of quarter {index + 1}"] = float(part.mean() - height.mean()) if len(part) else 0.0

    # What comes back.
    tokens = list(zip(intervals, durations[1:], strict=True))
    for n in (2, 3, 4, 6):
        features[f"{n}-grams of pitch and rhythm that repeat"] = _repeated(tokens, n)
        features[f"{n}-grams of intervals that repeat"] = _repeated(intervals, n)
        features[f"{n}-grams of rhythm that repeat"] = _repeated(gaps, n)
        features[f"{n}-grams of contour that repeat"] = _repeated([int(np.sign(i)) for i in intervals], n)
    bars = [
        [(note.place, note.pitch) for note, b in zip(notes, starts, strict=True) if b == index]
        for index in range(phrase.num_bars)
    ]
    for lag in (1, 2, 4):
        alike = [(bars[i], bars[i - lag]) for i in range(lag, phrase.num_bars) if bars[i] and bars[i - lag]]
        size = max(1, len(alike))
        features[f"bars equal {lag} before"] = sum(a == b for a, b in alike) / size
        features[f"rhythms equal {lag} before"] = sum([p for p, _ in a] == [p for p, _ in b] for a, b in alike) / size
        features[f"shapes equal {lag} before"] = sum(_shape(a) == _shape(b) for a, b in alike) / size
        features[f"onsets shared {lag} before"] = (
            sum(
                len({p for p, _ in a} & {p for p, _ in b}) / len({p for p, _ in a} | {p for p, _ in b})
                for a, b in alike
            )
            / size
        )
        features[f"notes shared {lag} before"] = (
            sum(len(set(a) & set(b)) / len({p for p, _ in a} & {p for p, _ in b} or {0}) for a, b in alike) / size
        )
    for index in (1, 3, 5, 7):
        last = [note for note, b in zip(notes, starts, strict=True) if b == index]
        longest = max((note.duration for note in last), default=0)
        features[f"longest note of bar {index + 1}"] = longest / bar
        final = _degree(phrase, last[-1].pitch) if last else -1
        features[f"bar {index + 1} ends on 1"] = float(final == 1)
        features[f"bar {index + 1} ends on 5"] = float(final == 5)
    features["last note in bars"] = notes[-1].duration / bar
    features["last note before the end, in bars"] = (phrase.start + phrase.length - notes[-1].onset) / bar
    if not all(math.isfinite(value) for value in features.values()):
        raise AssertionError("every feature is a number")
    return features


def _shape(notes: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    return tuple((place, pitch - notes[0][1]) for place, pitch in notes)


def _longest(values: Sequence[int], only: int | None = None) -> int:
    """Length of the longest run of equal values (or of the value `only`)."""
    best = run = 0
    before: int | None = None
    for value in values:
        run = run + 1 if value == before else 1
        before = value
        if only is None or value == only:
            best = max(best, run)
    return best


def _crosses_stronger(phrase: Phrase, note: SungNote) -> bool:
    """Return whether a note begins on a weaker place than one that it is held across."""
    ends = note.place + note.duration
    return any(
        phrase.meter.strength(place) > note.strength
        for place in range(note.place - note.place % GRID + GRID, ends, GRID)
    )
