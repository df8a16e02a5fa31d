"""Written words to sung syllables: phones, stress, and the letters that stand under each note."""

import re
import unicodedata
from pathlib import Path

from lyrics.cmudict import pronunciations
from lyrics.document import Syllable
from lyrics.spelling import split_letters
from lyrics.syllable import count_syllables, stress_of, syllabify

_HYPHENS = "-‐‑"
_APOSTROPHES = "'’‘ʼ"
_FOLDED = {"æ": "ae", "œ": "oe", "ø": "o", "ß": "ss", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}


class UnpronounceableError(ValueError):
    """A word without letters that we can pronounce."""

    def __init__(self, word: str) -> None:
        """Name the word and what can be done."""
        super().__init__(
            f"cannot pronounce {word!r}: it has no Latin letters; respell it, or give it in a pronunciation file"
        )
        self.word = word


def fold(text: str) -> str:
    """Lower-case, without accents, apostrophes straight: the form in which a word is looked up."""
    plain = []
    for char in unicodedata.normalize("NFKD", text.lower()):
        if char in _APOSTROPHES:
            plain.append("'")
        elif char in _HYPHENS:
            plain.append("-")
        elif not unicodedata.combining(char):
            plain.append(_FOLDED.get(char, char))
    return "".join(plain)


class Pronouncer:
    """Pronounces and divides words; holds the user's own pronunciations."""

    def __init__(self, user_file: Path | None = None) -> None:
        """Read the user's pronunciation file, if there is one."""
        self._user_file = user_file

    def knows(self, text: str) -> bool:
        """Whether the pronunciation comes from a dictionary and not from a guess."""
        return bool(pronunciations(fold(text)) or pronunciations(fold(text).strip("'")))

    def syllables(
        self, text: str, *, forced: tuple[str, ...] | None = None, before: str = "", after: str = ""
    ) -> tuple[Syllable, ...]:
        """Sung syllables of one word; their texts joined are `text`.

        `forced` is the user's own division of the word; `before` and `after` are the neighbouring written words.
        Raises UnpronounceableError for a word without pronounceable letters.
        """
        plain = fold(text)
        if not any("a" <= char <= "z" for char in plain):
            raise UnpronounceableError(text)
        entries = pronunciations(plain) or pronunciations(plain.strip("'"))
        entries = tuple(entry for entry in entries if count_syllables(entry))
        phones = entries[0] if entries else _guess(plain)
        groups = syllabify(phones)
        parts = forced or _divide(text, len(groups))
        if forced and len(forced) != len(groups):
            groups = (groups + [("AH0",)] * len(forced))[: len(forced)]
        return tuple(Syllable(part, group, stress_of(group)) for part, group in zip(parts, groups, strict=True))


def _guess(plain: str) -> tuple[str, ...]:
    count = max(1, len(re.findall(r"[aiouy]+|e+(?!$|'|s$)[aiou]*", plain)))
    return ("AH1", *("T", "AH0") * (count - 1))


def _divide(text: str, count: int) -> tuple[str, ...]:
    """Divide the text as its folded letters are divided; what is no letter stays with the letter before it."""
    owners = [index for index, char in enumerate(text) for folded in fold(char) if "a" <= folded <= "z"]
    letters = "".join(folded for char in text for folded in fold(char) if "a" <= folded <= "z")
    cuts, position = [], 0
    for part in split_letters(letters, count)[:-1]:
        position += len(part)
        cuts.append(owners[position] if position < len(owners) else len(text))
    bounds = [0, *cuts, len(text)]
    return tuple(text[start:end] for start, end in zip(bounds, bounds[1:], strict=False))
