"""What happens inside one syllable's time: rests at punctuation, the last note's length, and melisma.

Melisma is kept for syllables that carry it well: content words, stressed syllables and line ends, at least a felt beat
long, at most three notes. The chances are those of the openly licensed songs, times a factor that songs differ in.
All times are in sixteenths.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import numpy as np

from align.features import (
    COMMA,
    CONTENT,
    CONTENT_CLASSES,
    PRIMARY,
    SECONDARY,
    LineFeatures,
)

MELISMA_CEILING = 0.5  # no syllable is more likely held on several notes than on one
LONGEST_LAST = 32

T = TypeVar("T")


class Ending(NamedTuple):
    """What is drawn for the last syllable of a line before it is known how much time it has: numbers from 0 to 1."""

    rest: float  # whether a rest follows it
    length: float  # which of the usual lengths before a rest
    held: float  # whether it is sung on several notes
    division: float  # on which


def draw_ending(rng: np.random.Generator) -> Ending:
    """Draw an ending."""
    return Ending(*rng.random(4).tolist())


def note_lengths(
    members: Sequence[LineFeatures],
    onsets: Sequence[int],
    *,
    compound: bool,
    tables: dict[str, Any],
    habit: float,
    rng: np.random.Generator,
) -> tuple[int, ...]:
    """Sounding length of every syllable but the last of lines that share these onsets.

    Syllables are held up to the next one, save at punctuation (in all members), where the learned share of singers
    rests. `habit` (nats) is added to the log odds of a rest: songs are alike in this throughout.
    """
    lengths = []
    family = "compound" if compound else "simple"
    for i, (onset, following) in enumerate(pairwise(onsets)):
        gap = following - onset
        chance = rng.random()
        mark = min(member.follows[i] for member in members)
        rest = 0
        if mark >= COMMA and gap >= 6:
            share = tables["rests"].get(f"{family} {mark} {gap}", 0.0)
            odds = share / (1 - share) * math.exp(habit)
            if chance * (1 + odds) < odds:
                rest = 4 if gap >= 12 else 2
        lengths.append(gap - rest)
    return tuple(lengths)


def last_length(gap: int, ending: Ending, habit: float, *, compound: bool, tables: dict[str, Any]) -> int:
    """Length of a line's last note when the next line begins `gap` later.

    Most people write it up to there and leave the breath to the singer; how many write a rest, and where it begins, was
    counted for every gap. `habit` (nats) is added to the log odds of a rest: songs are alike in this throughout.
    """
    known = tables["last"].get(f"{'compound' if compound else 'simple'} {gap}", {})
    counts = {int(length): count for length, count in known.items()}
    shorter = {length: count for length, count in counts.items() if length < gap}
    if gap < 4:
        return gap
    rests = sum(shorter.values()) + 0.5
    odds = rests / max(0.5, sum(counts.values()) - rests + 1) * math.exp(habit)
    if ending.rest * (1 + odds) < odds:
        if shorter:
            return int(_choose(shorter, ending.length))
        return max(4, gap - 4) if gap > 6 else gap - 2
    return min(gap, LONGEST_LAST)


def divide(
    members: Sequence[LineFeatures],
    lengths: Sequence[int],
    *,
    compound: bool,
    tables: dict[str, Any],
    rng: np.random.Generator,
    lift: float,
    shortest: int,
) -> tuple[tuple[int, ...], ...]:
    """Divide the lengths of all syllables but the last into notes: mostly one, two or three where that serves one.

    `lift` is the song's factor on the usual chances of that, `shortest` the length that no note may go below.
    """
    result: list[tuple[int, ...]] = []
    for i, length in enumerate(lengths):
        chance, choice = rng.random(), rng.random()
        pieces: tuple[int, ...] = (length,)
        if all(_carries(member, i) for member in members) and not (result and len(result[-1]) > 1):
            pieces = _divided(
                length, "strong", chance, choice, compound=compound, tables=tables, lift=lift, shortest=shortest
            )
        result.append(pieces)
    return tuple(result)


def divide_last(
    length: int, ending: Ending, *, compound: bool, tables: dict[str, Any], lift: float, shortest: int
) -> tuple[int, ...]:
    """Divide the last syllable's length into notes."""
    return _divided(
        length, "last", ending.held, ending.division, compound=compound, tables=tables, lift=lift, shortest=shortest
    )


def _divided(
    length: int,
    kind: str,
    chance: float,
    choice: float,
    *,
    compound: bool,
    tables: dict[str, Any],
    lift: float,
    shortest: int,
) -> tuple[int, ...]:
    family = "compound" if compound else "simple"
    if length < (6 if compound and shortest > 1 else 2 * shortest):
        return (length,)
    rate = tables["held"].get(f"{family} {kind} {min(length, 16)}", 0.05)
    options = tables["divisions"].get(f"{family} {length}")
    if not options or chance >= min(MELISMA_CEILING, lift * rate):
        return (length,)
    pieces = {tuple(int(piece) for piece in text.split()): count for text, count in options.items()}
    usable = {division: count for division, count in pieces.items() if min(division) >= shortest}
    return _choose(usable, choice) if usable else (length,)


def _carries(features: LineFeatures, index: int) -> bool:
    kind = features.classes[index]
    return kind in (CONTENT, PRIMARY) or kind in CONTENT_CLASSES or kind == SECONDARY


def _choose(options: Mapping[T, float], choice: float) -> T:
    """Draw one of some options by their counts; `choice` is the draw."""
    remaining = choice * sum(options.values())
    chosen = next(iter(options))
    for chosen, count in options.items():  # noqa: B007 - the last one stands if rounding leaves a remainder
        remaining -= count
        if remaining <= 0:
            break
    return chosen
