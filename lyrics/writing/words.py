"""The words that lyrics are written with: how they are said, how often they end lines, what they mean.

`lyrics/data/lexicon/words.tsv` lists them: common words of today; archaic words, names and words that hurt people are
left out, so no line can have them. Each has a vector beside it (`vectors.safetensors`), the first `SIZE` principal
components of its sentence embedding, so that words near a theme are found without running a network for each.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lyrics.document import Line, LyricsError, Syllable, Word
from lyrics.function_words import is_function_word
from lyrics.model_files import read_model_file
from lyrics.mood import word_mood
from lyrics.pronounce import Pronouncer
from lyrics.rhyme import RhymeKind, rhyme_kind
from lyrics.syllable import count_syllables, stress_of, syllabify

LEXICON = Path(__file__).parents[1] / "data" / "lexicon"
_SKINS = frozenset("white black brown yellow colored coloured".split())
_PEOPLE = frozenset("people folk folks man men woman women boy boys girl girls child children race skin they".split())

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SungWord:
    """A word to write with, or a short phrase that is used as one."""

    text: str
    syllables: tuple[Syllable, ...]
    content: bool
    poems: int = 0  # of the open verse that have it
    ends: int = 0  # that have it at the end of a line
    sizes: tuple[int, ...] = ()  # of a phrase: syllables of each of its words

    @property
    def num_syllables(self) -> int:
        """Number of syllables."""
        return len(self.syllables)

    @property
    def stress(self) -> str:
        """The stress digits of its syllables; for one syllable "c" (content) or "f" (function word).

        In a phrase a word of one syllable has "x": it bends to any metre.
        """
        if len(self.syllables) == 1:
            return "c" if self.content else "f"
        digits = [str(syllable.stress) for syllable in self.syllables]
        place = 0
        for size in self.sizes:
            if size == 1:
                digits[place] = "x"
            place += size
        return "".join(digits)

    @property
    def line(self) -> Line:
        """The word as a line of its own, for comparing the ends of lines."""
        return Line(self.text, (Word(self.text, self.text, 0, self.syllables, self.content),), 1)


@cache
def lexicon(explicit: bool = False) -> tuple[SungWord, ...]:
    """All words of the table, in its order; with `explicit` those of `explicit.txt` too."""
    pronouncer = Pronouncer()
    words = []
    for row in _rows("words.tsv"):
        text, poems, ends = row.split("\t")
        words.append(_lexicon_word(text, pronouncer, int(poems), int(ends)))
    if explicit:
        words += [_lexicon_word(text, pronouncer, 10, 10) for row in _rows("explicit.txt") for text in row.split()]
    return tuple(words)


def _rows(name: str) -> list[str]:
    rows = (LEXICON / name).read_text(encoding="utf-8").splitlines()
    return [row for row in rows if row and not row.startswith("#")]


def _lexicon_word(text: str, pronouncer: Pronouncer, poems: int, ends: int) -> SungWord:
    phones = pronouncer.readings(text)[0]
    groups = syllabify(phones) if count_syllables(phones) > 1 else [phones]
    syllables = tuple(
        Syllable(text if not place else "", group, stress_of(group)) for place, group in enumerate(groups)
    )
    written = "I" + text[1:] if text == "i" or text.startswith("i'") else text
    return SungWord(written, syllables, not is_function_word(text), poems, ends)


def sung_phrase(text: str, pronouncer: Pronouncer) -> SungWord:
    """Say a word or phrase of the user's; UnpronounceableError or LyricsError if it cannot be sung."""
    from lyrics.parse import parse_lyrics

    lines = parse_lyrics(text, pronouncer).sections[0].lines
    if len(lines) != 1:
        raise LyricsError(f"{text!r} is no single line")
    words = lines[0].words
    syllables = tuple(syllable for word in words for syllable in word.syllables)
    sizes = tuple(len(word.syllables) for word in words) if len(words) > 1 else ()
    return SungWord(lines[0].text, syllables, words[-1].content, sizes=sizes)


def rhymes_with(first: SungWord, second: SungWord, *, slant: bool) -> RhymeKind | None:
    """How two line ends rhyme; None if they do not, and for identity."""
    kind = rhyme_kind(first.line, second.line)
    if kind is RhymeKind.IDENTITY or (kind is RhymeKind.SLANT and not slant):
        return None
    return kind


@lru_cache(maxsize=20_000)  # all words of the table, asked for again for every line
def stem(word: str) -> str:
    """Return a word without the endings that make another form of it.

    >>> stem("Dreams"), stem("dreaming"), stem("day's"), stem("going")
    ('dream', 'dream', 'day', 'go')
    """
    text = word.lower().removesuffix("'s").removesuffix("s'")
    for ending in ("ing", "ed", "es", "s"):
        rest = text.removesuffix(ending)
        if rest != text and len(rest) >= (4 if ending in ("ed", "es") else 2) and set(rest) & set("aeiouy"):
            return text if ending == "s" and rest.endswith(("s", "i", "u", "a")) else rest
    return text


def same_stem(first: str, second: str) -> bool:
    """Whether two stems are of one word, or one begins a compound of the other ("sun", "sunlight")."""
    short, long = sorted((first, second), key=len)
    return first == second or (len(short) >= 3 and len(long) >= len(short) + 4 and long.startswith(short))


# --- What words mean ---------------------------------------------------------------------------------------------


@cache
def _vectors() -> tuple[Floats, Floats, Floats]:
    from safetensors.numpy import load

    tensors = load(read_model_file(LEXICON / "vectors.safetensors"))
    vectors = tensors["vectors"].astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors, tensors["mean"], tensors["components"].astype(np.float32)


def vectors() -> Floats:
    """Return a row of length 1 for each word of the table: products of rows say how near two words are."""
    return _vectors()[0]


def closeness(embedding: Floats) -> Floats:
    """How near each word of the table lies to a sentence embedding, standardised over the table."""
    vectors, mean, components = _vectors()
    point = (embedding - mean) @ components.T
    near = vectors @ (point / np.linalg.norm(point))
    standardised: Floats = ((near - near.mean()) / near.std()).astype(np.float32)
    return standardised


@cache
def moods(explicit: bool = False) -> Floats:
    """Valence and energy of each word of the table, (N, 2); zero for words without a mood."""
    words = lexicon(explicit)
    found = np.zeros((len(words), 2), np.float32)
    for index, word in enumerate(words):
        if word.content:
            found[index] = word_mood(word.text)
    return found


def colours_people(texts: Iterable[str]) -> bool:
    """Whether a line has a colour of skin and people in it; the verse that the model knows speaks so of them.

    >>> colours_people("and the people are all so white".split())
    True
    >>> colours_people("the snow is white".split())
    False
    """
    words = set(texts)
    return bool(words & _SKINS) and bool(words & _PEOPLE)
