"""What happens inside one syllable's time: rests at punctuation, the last note's length, and melisma.

Melisma is kept for syllables that carry it well: content words, stressed syllables and line ends, at least a felt beat
long, at most three notes. The chances are those of the openly licensed songs, raised by one factor (`MELISMA_LIFT`)
so that songs keep near the 1.05 to 1.20 notes per syllable of sung English.
All times are in sixteenths.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from align.features import (
    COMMA,
    CONTENT,
    CONTENT_CLASSES,
    PRIMARY,
    SECONDARY,
    LineFeatures,
)

MELISMA_LIFT = 2.5
MELISMA_CEILING = 0.5  # no syllable is more likely held on several notes than on one
LONGEST_LAST = 24


def note_lengths(
    members: Sequence[LineFeatures],
    onsets: Sequence[int],
    end: int,
    *,
    compound: bool,
    tables: dict[str, Any],
    rng: np.random.Generator,
) -> tuple[int, ...]:
    """Sounding length of every syllable of lines that share these onsets.

    Syllables are held up to the next one, save at punctuation (in all members), where the learned share of singers
    rests. The last syllable ends at least an eighth before `end` where there is room for that.
    """
    lengths = []
    family = "compound" if compound else "simple"
    for i, (onset, following) in enumerate(pairwise(onsets)):
        gap = following - onset
        chance = rng.random()
        mark = min(member.follows[i] for member in members)
        rest = 0
        if mark >= COMMA and gap >= 6 and chance < tables["rests"].get(f"{family} {mark} {gap}", 0.0):
            rest = 4 if gap >= 12 else 2
        lengths.append(gap - rest)
    lengths.append(_last_length(end - onsets[-1], compound, rng.random()))
    return tuple(lengths)


def _last_length(gap: int, compound: bool, chance: float) -> int:
    """Length of the last note when the next line begins `gap` later: round values, an eighth or more before it."""
    if gap < 4:
        return max(1, gap - 1)
    preferred = (4, 6, 10, 12, 18, 22, 24) if compound else (4, 6, 8, 12, 16, 20, 24)
    fitting = [length for length in preferred if gap - 8 <= length <= gap - 2]
    if not compound and gap >= 10 and 6 in fitting:
        fitting.remove(6)  # where a half note has room, a dotted quarter only makes the rest hard to read
    if not fitting:
        return min(gap - 2, LONGEST_LAST)
    longest = 0.5 if fitting[-1] == 6 else 0.75  # how often the note is held as long as it can be
    return fitting[-1] if len(fitting) == 1 or chance < longest else fitting[-2]


def divide(
    members: Sequence[LineFeatures],
    lengths: Sequence[int],
    *,
    compound: bool,
    tables: dict[str, Any],
    rng: np.random.Generator,
) -> tuple[tuple[int, ...], ...]:
    """Divide every syllable's length into its notes: mostly one, two or three where the syllable serves it."""
    family = "compound" if compound else "simple"
    result: list[tuple[int, ...]] = []
    for i, length in enumerate(lengths):
        chance, choice = rng.random(), rng.random()
        final = i == len(lengths) - 1
        pieces: tuple[int, ...] = (length,)
        if length >= (6 if compound else 4) and (final or all(_carries(member, i) for member in members)):
            kind = "last" if final else "strong"
            rate = tables["held"].get(f"{family} {kind} {min(length, 16)}", 0.05)
            options = tables["divisions"].get(f"{family} {length}")
            previous_divided = bool(result) and len(result[-1]) > 1
            if options and not previous_divided and chance < min(MELISMA_CEILING, MELISMA_LIFT * rate):
                pieces = _choose(options, choice)
        result.append(pieces)
    return tuple(result)


def _carries(features: LineFeatures, index: int) -> bool:
    kind = features.classes[index]
    return kind in (CONTENT, PRIMARY) or kind in CONTENT_CLASSES or kind == SECONDARY


def _choose(options: dict[str, float], choice: float) -> tuple[int, ...]:
    """Draw one division; pieces shorter than an eighth are left to instruments."""
    usable = {
        pieces: count
        for text, count in options.items()
        if min(pieces := tuple(int(piece) for piece in text.split())) >= 2
    }
    if not usable:
        return (sum(int(piece) for piece in next(iter(options)).split()),)
    remaining = choice * sum(usable.values())
    chosen = next(iter(usable))
    for chosen, count in usable.items():  # noqa: B007 - the last one stands if rounding leaves a remainder
        remaining -= count
        if remaining <= 0:
            break
    return chosen
