"""The mood of a lyric: how glad or sad (valence), how excited or calm (energy), after Russell (1980).

`data/mood.txt`, written for this project, gives words and phrases their place on the two axes; the longest phrase that
fits wins ("not alone" before "alone"). A negation up to three words before an entry turns its valence around at half
strength ("not happy" is less sad than "sad") and takes away half of its energy; "so" and "very" strengthen. Beside the
words count a few signs that need no dictionary: exclamation marks, words said twice in a row ("run, run"), "we", "I",
negations. `data/mood.json` holds their weights, fitted by scripts/train_mood.py on couplets labelled for this project;
data/mood.CARD.md has the scores. Means are drawn towards the middle while few words are known.

Words alone miss what stands between the lines; `lyrics.meaning` lets a sentence encoder read them, which `analyze`
does where it is installed.
"""

import json
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from math import tanh
from pathlib import Path

from lyrics.document import Line

LEXICON = Path(__file__).parent / "data" / "mood.txt"
WEIGHTS = Path(__file__).parent / "data" / "mood.json"

_NEGATIONS = frozenset("not no never without nothing nobody nowhere none neither nor hardly barely cannot".split())
_INTENSIFIERS = frozenset("so very really too such deeply truly".split())
_NEGATION_REACH = 3  # words
_POLAR = frozenset("any anymore since when why how".split())  # entries that begin so stay as they are when negated
_INTENSITY = 1.3
_PRIOR_WORDS = 3  # known words of mood 0 that every text is given
_WE = frozenset("we us our ours we're we'll we've we'd let's".split())
_I = frozenset("i me my mine i'm i'll i've i'd".split())


@dataclass(frozen=True, slots=True)
class MoodWord:
    """A word or phrase that carries the mood."""

    word: str  # as in the word list; "not happy" where negated
    count: int
    valence: float  # of one occurrence, -1 to 1
    energy: float


@dataclass(frozen=True, slots=True)
class Mood:
    """The mood of a text."""

    valence: float  # -1 sad to 1 glad
    energy: float  # -1 calm to 1 excited
    words: tuple[MoodWord, ...]  # those that carry most, first
    by: str = "words"  # what valence and energy were read from; "meaning" and "model" are those of lyrics.meaning


@dataclass(frozen=True, slots=True)
class Signs:
    """What the mood is reckoned from, each a mean over words or lines."""

    known: float  # 0 if no word is known, towards 1 the more there are; it keeps the zero of the scales in the middle
    words_valence: float
    words_energy: float
    shouted: float  # share of lines that end in "!"
    repeated: float  # share of lines in which words are said twice in a row
    negated: float  # negations per line
    we: float  # "we", "us", "our" per line
    i: float  # "I", "me", "my" per line


@cache
def lexicon() -> dict[str, tuple[float, float]]:
    """Return valence and energy of every word and phrase of the list."""
    entries = {}
    for row in LEXICON.read_text(encoding="utf-8").splitlines():
        if not row.startswith("#"):
            valence, energy, words = row.split("\t")
            entries.update(dict.fromkeys(words.split(", "), (float(valence), float(energy))))
    return entries


@cache
def _phrases() -> dict[str, tuple[str, ...]]:
    """Phrases of several words by their first word, the longest first."""
    phrases: dict[str, list[str]] = {}
    for entry in lexicon():
        if " " in entry:
            phrases.setdefault(entry.split()[0], []).append(entry)
    return {
        first: tuple(sorted(found, key=lambda entry: (-entry.count(" "), entry))) for first, found in phrases.items()
    }


@cache
def _weights() -> dict[str, dict[str, float]]:
    weights: dict[str, dict[str, float]] = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    return weights


def find_mood(lines: Iterable[Line], *, num_words: int = 12) -> Mood:
    """Judge the mood of lines as often as they are sung; at most `num_words` words are named."""
    signs, carriers = read_signs(lines)
    weights = _weights()
    return Mood(
        valence=_judged(signs, weights["valence"]),
        energy=_judged(signs, weights["energy"]),
        words=carriers[:num_words],
    )


def word_mood(word: str) -> tuple[float, float]:
    """Return valence and energy of a word that stands alone; zeros if the list has no form of it.

    >>> word_mood("crying") == word_mood("cry"), word_mood("table")
    (True, (0.0, 0.0))
    """
    entry = _look_up(_plain(word))
    valence, energy = lexicon()[entry] if entry is not None else (0.0, 0.0)
    return round(valence, 2), round(energy, 2)


def _judged(signs: Signs, weights: dict[str, float]) -> float:
    total = sum(getattr(signs, name) * weight for name, weight in weights.items())
    return round(tanh(total), 3)


def read_signs(lines: Iterable[Line]) -> tuple[Signs, tuple[MoodWord, ...]]:
    """Find what the mood is reckoned from, and the words and phrases of the list that stand in the lines."""
    found: Counter[tuple[str, float, float]] = Counter()
    counts: Counter[str] = Counter()
    for line in lines:
        words = plain_words(line)
        found.update(_entries(words))
        counts["lines"] += 1
        counts["shouted"] += line.text.rstrip("\"'”’) ").endswith("!")
        counts["repeated"] += _repeats(words)
        counts["negated"] += sum(map(_negates, words))
        counts["we"] += sum(word in _WE for word in words)
        counts["i"] += sum(word in _I for word in words)
    total = found.total() + _PRIOR_WORDS
    num_lines = max(1, counts["lines"])
    signs = Signs(
        known=found.total() / total,
        words_valence=sum(count * valence for (_, valence, _), count in found.items()) / total,
        words_energy=sum(count * energy for (_, _, energy), count in found.items()) / total,
        **{name: counts[name] / num_lines for name in ("shouted", "repeated", "negated", "we", "i")},
    )
    carriers = (MoodWord(word, count, round(v, 2), round(e, 2)) for (word, v, e), count in found.items() if v or e)
    return signs, tuple(
        sorted(carriers, key=lambda word: (-word.count * (abs(word.valence) + abs(word.energy)), word.word))
    )


def _entries(words: Sequence[str]) -> list[tuple[str, float, float]]:
    """Find the entries of the list in a line, negated or strengthened where they are."""
    entries = []
    index = 0
    while index < len(words):
        entry = _phrase(words, index) or _look_up(words[index])
        if entry is None:
            index += 1
            continue
        valence, energy = lexicon()[entry]
        before = words[max(0, index - _NEGATION_REACH) : index]
        name = entry
        if any(map(_negates, before)) and not _negates(words[index]) and words[index] not in _POLAR:
            valence, energy, name = -valence / 2, energy / 2, f"not {entry}"
        elif before and before[-1] in _INTENSIFIERS:
            valence, energy = valence * _INTENSITY, energy * _INTENSITY
        entries.append((name, valence, energy))
        index += 1 + entry.count(" ")
    return entries


def _phrase(words: Sequence[str], index: int) -> str | None:
    for phrase in _phrases().get(words[index], ()):
        if list(words[index : index + 1 + phrase.count(" ")]) == phrase.split():
            return phrase
    return None


def _negates(word: str) -> bool:
    return word in _NEGATIONS or word.endswith("n't")


def _repeats(words: Sequence[str]) -> bool:
    """Whether one to four words are said twice in a row."""
    return any(
        words[start : start + size] == words[start + size : start + 2 * size]
        for size in range(1, 5)
        for start in range(len(words) - 2 * size + 1)
    )


# Endings with what stands in their place in the word list; a doubled consonant before them may be single there.
_ENDINGS = (
    ("'s", ("",)),
    ("ies", ("y",)),
    ("es", ("e", "")),
    ("s", ("",)),
    ("ied", ("y",)),
    ("ed", ("", "e")),
    ("ing", ("", "e")),
    ("in'", ("", "e")),
    ("ier", ("y",)),
    ("er", ("", "e")),
    ("iest", ("y",)),
    ("est", ("", "e")),
    ("ily", ("y",)),
    ("ly", ("", "le")),
    ("ness", ("",)),
    ("y", ("", "e")),
)


def plain_words(line: Line) -> list[str]:
    """Return the words of a line in small letters, with straight apostrophes."""
    return [_plain(word.text) for word in line.words]


def _plain(word: str) -> str:
    return word.lower().replace("’", "'").replace("‘", "'")


@cache
def _look_up(word: str) -> str | None:
    return find_form(word, lexicon())


def find_form(word: str, entries: Container[str]) -> str | None:
    """Find the entry that a word is a form of: itself, or with another ending."""
    if word in entries:
        return word
    if len(word) < 4:
        return None
    for ending, replacements in _ENDINGS:
        if word.endswith(ending):
            stem = word[: -len(ending)]
            for replacement in replacements:
                if len(stem + replacement) > 2 and stem + replacement in entries:
                    return stem + replacement
            if len(stem) > (4 if ending == "y" else 3) and stem[-1] == stem[-2] and stem[:-1] in entries:
                return stem[:-1]
    return None
