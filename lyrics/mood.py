"""The mood of a lyric by a word list: how glad or sad (valence), how excited or calm (energy), and its themes.

`data/mood.tsv` was written for this project. The two axes are those of Russell (1980). A negation up to three words
before a word turns its valence around at half strength ("not happy" is less sad than "sad"), and takes away half of its
energy; "so" and "very" strengthen. Means are drawn towards 0 while few words are known.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lyrics.document import Line

LEXICON = Path(__file__).parent / "data" / "mood.tsv"

_NEGATIONS = frozenset(
    "not no never without nothing nobody nowhere none neither nor hardly barely cannot ain't".split()
)
_INTENSIFIERS = frozenset("so very really too such deeply truly".split())
_NEGATION_REACH = 3  # words
_INTENSITY = 1.3
_PRIOR_WORDS = 3  # known words of mood 0 that every text is given
_EXCLAMATION = 0.3  # energy of a text whose every line ends in "!"


@dataclass(frozen=True, slots=True)
class MoodWord:
    """A word that carries the mood."""

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
    themes: tuple[str, ...]  # at most three, the strongest first


@dataclass(frozen=True, slots=True)
class _Entry:
    word: str
    valence: float
    energy: float
    theme: str


@cache
def _lexicon() -> dict[str, _Entry]:
    entries = {}
    for row in LEXICON.read_text(encoding="utf-8").splitlines():
        if not row.startswith("#"):
            word, valence, energy, theme = row.split("\t")
            entries[word] = _Entry(word, float(valence), float(energy), theme)
    return entries


def find_mood(lines: Iterable[Line], *, num_words: int = 12) -> Mood:
    """Judge the mood of lines as often as they are sung; at most `num_words` words are named."""
    found: Counter[tuple[str, float, float]] = Counter()
    themes: Counter[str] = Counter()
    num_lines = num_exclamations = 0
    for line in lines:
        num_lines += 1
        num_exclamations += line.text.rstrip("\"'”’) ").endswith("!")
        words = [word.text.lower().replace("’", "'") for word in line.words]
        for index, word in enumerate(words):
            entry = _look_up(word)
            if entry is None:
                continue
            before = words[max(0, index - _NEGATION_REACH) : index]
            valence, energy, name = entry.valence, entry.energy, entry.word
            if any(other in _NEGATIONS or other.endswith("n't") for other in before):
                valence, energy, name = -valence / 2, energy / 2, f"not {name}"
            elif before and before[-1] in _INTENSIFIERS:
                valence, energy = valence * _INTENSITY, energy * _INTENSITY
            found[name, valence, energy] += 1
            if entry.theme:
                themes[entry.theme] += 1
    total = sum(found.values()) + _PRIOR_WORDS
    shouting = _EXCLAMATION * num_exclamations / max(1, num_lines)
    return Mood(
        valence=_clamp(sum(count * valence for (_, valence, _), count in found.items()) / total),
        energy=_clamp(sum(count * energy for (_, _, energy), count in found.items()) / total + shouting),
        words=_strongest(found, num_words),
        themes=tuple(theme for theme, count in themes.most_common(3) if count >= 2),
    )


def _strongest(found: Counter[tuple[str, float, float]], num_words: int) -> tuple[MoodWord, ...]:
    words = [
        MoodWord(name, count, round(valence, 2), round(energy, 2)) for (name, valence, energy), count in found.items()
    ]
    words.sort(key=lambda word: (-word.count * (abs(word.valence) + abs(word.energy)), word.word))
    return tuple(words[:num_words])


def _clamp(value: float) -> float:
    return round(max(-1.0, min(1.0, value)), 3)


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


def _look_up(word: str) -> _Entry | None:
    lexicon = _lexicon()
    entry = lexicon.get(word)
    if entry is not None or len(word) < 4:
        return entry
    for ending, replacements in _ENDINGS:
        if word.endswith(ending):
            stem = word[: -len(ending)]
            for replacement in replacements:
                entry = lexicon.get(stem + replacement)
                if entry is not None and len(entry.word) > 2:
                    return entry
            if len(stem) > 3 and stem[-1] == stem[-2] and stem[:-1] in lexicon:
                return lexicon[stem[:-1]]
    return None
