"""Habits of the writer: pairs of words that its lyrics have more often than verse has, whatever the theme.

A small language model falls into them ("I could", "heard the"), and a choice that prefers likely lines keeps them; so
they cost. `lyrics/data/lexicon/habits.tsv` lists them; `scripts/count_habits.py` makes it.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import pairwise

from lyrics.writing.words import LEXICON

HABITS = LEXICON / "habits.tsv"
START = ""  # stands before the first word of a line
Pair = tuple[str, str]


@cache
def read_habits() -> dict[Pair, float]:
    """Return how strong the habit of each pair is: the natural log of how many times as often as verse we write it."""
    rows = HABITS.read_text(encoding="utf-8").splitlines()
    cells = [row.split("\t") for row in rows if not row.startswith("#")]
    return {(first, second): float(strength) for first, second, strength in cells}


def habit(texts: Sequence[str]) -> float:
    """Return the summed strength of the habits in a line, given in lower-case words."""
    known = read_habits()
    return sum(known.get(pair, 0.0) for pair in pairs_of(texts))


def pairs_of(texts: Sequence[str]) -> Iterable[Pair]:
    """Return the pairs of neighbouring words of a line, the first word behind `START` too.

    >>> list(pairs_of(["the", "rain", "falls"]))
    [('', 'the'), ('the', 'rain'), ('rain', 'falls')]
    """
    return pairwise([START, *texts])
