"""What a lyric is about, from a named set of themes, with the words that show each.

`data/themes.txt`, written for this project, gives the words and phrases of each theme. A theme weighs by how many
different words of it are there, and a little by how often: twelve times "train" is a chorus, train, platform and
suitcase are a theme.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from math import log1p
from pathlib import Path

from lyrics.document import Line
from lyrics.mood import find_form, plain_words

WORDS = Path(__file__).parent / "data" / "themes.txt"
_MIN_WORDS = 2  # different words, or one word so many times, that make a theme
_MIN_SHARE = 0.35  # of the weight of the strongest theme


@dataclass(frozen=True, slots=True)
class Theme:
    """One theme."""

    name: str
    weight: float  # grows with the number of words that show it
    words: tuple[str, ...]  # as in the word list, the most frequent first


@cache
def _themes() -> dict[str, tuple[str, ...]]:
    """Names of the themes of each word or phrase."""
    themes: dict[str, tuple[str, ...]] = {}
    for row in WORDS.read_text(encoding="utf-8").splitlines():
        if not row.startswith("#"):
            name, words = row.split("\t")
            for word in words.split(", "):
                themes[word] = (*themes.get(word, ()), name)
    return themes


def find_themes(lines: Iterable[Line], *, num_themes: int = 3) -> tuple[Theme, ...]:
    """Find the strongest themes of lines, at most `num_themes`."""
    themes = _themes()
    found: dict[str, Counter[str]] = {}
    for line in lines:
        words = plain_words(line)
        for index, word in enumerate(words):
            phrases = (" ".join(words[index : index + size]) for size in (3, 2))
            entry = next((phrase for phrase in phrases if phrase in themes), None) or find_form(word, themes)
            for name in themes.get(entry or "", ()):
                found.setdefault(name, Counter())[entry or ""] += 1
    weights = {
        name: round(sum(1 + log1p(count - 1) / 2 for count in words.values()), 3)
        for name, words in found.items()
        if words.total() >= _MIN_WORDS
    }
    ranked = sorted(weights, key=lambda name: (-weights[name], name))[:num_themes]
    return tuple(
        Theme(name, weights[name], tuple(word for word, _ in found[name].most_common()))
        for name in ranked
        if weights[name] >= _MIN_SHARE * weights[ranked[0]]
    )
