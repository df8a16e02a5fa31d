"""Where the phrases of a tune lie: by long notes and rests, by the place in the bar where they begin, by even lengths.

A dynamic programme finds the best division (in the spirit of Temperley's Grouper, The Cognition of Basic Musical
Structures, 2001, chapter 3: gaps, lengths, parallelism). Weights were set on training songs with printed lines; see
scripts/evaluate_extend.py --phrases for how often the ends of lines are found.
"""

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import log2
from statistics import median

from align.meter import Meter
from melody.listening import TuneNote

_LENGTH = {1: -2.2, 2: 0.0, 3: -0.9, 4: 0.7, 5: -2.0, 6: -1.2, 7: -2.5, 8: -1.5}  # liking for so many bars
_OTHER_LENGTH = -5.0
_BOUNDARY = -1.5  # of every division
_LONG = 1.6  # per doubling of the last note's time against the usual one
_LONGEST = 1.5  # doublings beyond which a longer note says no more
_REST = 1.2
_SAME_PLACE = 2.2  # begins at the place of the bar where the tune begins
_EVEN = 0.6  # begins a whole number of four bars (half of it: of two) after the start
_SAID = 6.0
_NEVER = -1e6
_MOST_BARS = 12


@dataclass(frozen=True, slots=True)
class Phrase:
    """A stretch of a tune."""

    first: int  # index of its first note
    after: int  # index after its last note
    bar_line: int  # ticks: its first bar line; a pick-up lies before it
    bars: int  # to the first bar line of the next phrase, or to the end of the tune


def first_bar_line(onset: int, meter: Meter) -> int:
    """Return the bar line that a phrase belongs to: the next one if it begins in the second half of a bar."""
    place = onset % meter.bar_ticks
    return onset - place + (meter.bar_ticks if 2 * place >= meter.bar_ticks else 0)


def find_phrases(
    notes: Sequence[TuneNote], meter: Meter, starts: Collection[int] | None = None, said: Collection[int] = ()
) -> tuple[Phrase, ...]:
    """Divide a tune, whose bars begin at multiples of the bar's length, into phrases.

    `starts` are the notes with which phrases may begin (where words begin), None for all; with those that are `said`
    (where the words have a new line) they most likely do.
    """
    bar = meter.bar_ticks
    lines = [first_bar_line(note.onset, meter) for note in notes]
    end_line = -(-notes[-1].end // bar) * bar
    steps = [after.onset - before.onset for before, after in itertools.pairwise(notes)]
    usual = median(steps) if steps else bar
    size = len(notes)
    worth = [0.0] * (size + 1)
    for i in range(1, size):
        score = _BOUNDARY + _LONG * max(-1.0, min(_LONGEST, log2(steps[i - 1] / usual)))
        score += _REST * (notes[i].onset - notes[i - 1].end >= 120)
        score += _SAME_PLACE * (notes[i].onset % bar == notes[0].onset % bar)
        since = (lines[i] - lines[0]) // bar
        score += _EVEN * (1.0 if since % 4 == 0 else 0.5 if since % 2 == 0 else 0.0)
        if i in said:
            score += _SAID
        worth[i] = score if starts is None or i in starts else _NEVER
    best = [0.0] + [float("-inf")] * size
    back = [0] * (size + 1)
    for after in range(1, size + 1):
        line = end_line if after == size else lines[after]
        for first in range(after - 1, -1, -1):
            bars = (line - lines[first]) // bar
            if bars > _MOST_BARS and best[after] > _NEVER / 2:
                break
            if bars < 1:
                continue
            score = best[first] + worth[first] + _LENGTH.get(bars, _OTHER_LENGTH)
            if score > best[after]:
                best[after], back[after] = score, first
    cuts = [size]
    while cuts[-1]:
        cuts.append(back[cuts[-1]])
    cuts.reverse()
    return tuple(
        Phrase(first, after, lines[first], ((end_line if after == size else lines[after]) - lines[first]) // bar)
        for first, after in itertools.pairwise(cuts)
    )
