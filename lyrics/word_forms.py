"""Pronunciations built from known words: possessives, inflections, elisions, contractions and compounds.

Every function takes a look-up, `known(word)` -> pronunciations, most usual first, () if unknown, and gives the same.
"""

import re
from collections.abc import Callable
from difflib import SequenceMatcher
from typing import NamedTuple

from lyrics.spelling import align
from lyrics.syllable import count_syllables, is_vowel

Phones = tuple[str, ...]
Known = Callable[[str], tuple[Phones, ...]]

_SIBILANTS = frozenset(("S", "Z", "SH", "ZH", "CH", "JH"))
_VOICELESS = frozenset(("P", "T", "K", "F", "TH", "S", "SH", "CH", "HH"))
_ELIDED = "eioau"  # what an apostrophe inside a word may stand for, most usual first

# Endings that add sounds to a stem as it stands; the stem may have lost a final e or changed y to i before them.
_ENDINGS: tuple[tuple[str, str], ...] = (
    ("fulness", "F AH0 L N AH0 S"),
    ("lessness", "L AH0 S N AH0 S"),
    ("liness", "L IY0 N AH0 S"),
    ("fully", "F AH0 L IY0"),
    ("lessly", "L AH0 S L IY0"),
    ("ness", "N AH0 S"),
    ("less", "L AH0 S"),
    ("ful", "F AH0 L"),
    ("ward", "W ER0 D"),
    ("wards", "W ER0 D Z"),
    ("like", "L AY2 K"),
    ("ment", "M AH0 N T"),
    ("some", "S AH0 M"),
    ("ship", "SH IH2 P"),
    ("hood", "HH UH2 D"),
    ("dom", "D AH0 M"),
    ("able", "AH0 B AH0 L"),
    ("edly", "IH0 D L IY0"),
    ("ingly", "IH0 NG L IY0"),
    ("ly", "L IY0"),
    ("ing", "IH0 NG"),
    ("ings", "IH0 NG Z"),
    ("eth", "IH0 TH"),
    ("est", "IH0 S T"),
    ("ers", "ER0 Z"),
    ("er", "ER0"),
    ("or", "ER0"),
    ("ish", "IH0 SH"),
    ("en", "AH0 N"),
    ("let", "L AH0 T"),
    ("lets", "L AH0 T S"),
    ("ous", "AH0 S"),
    ("y", "IY0"),
)
_PREFIXES: tuple[tuple[str, str], ...] = (
    ("un", "AH0 N"),
    ("re", "R IY0"),
    ("a", "AH0"),
    ("be", "B IH0"),
    ("en", "EH0 N"),
    ("dis", "D IH0 S"),
    ("mis", "M IH0 S"),
    ("non", "N AA2 N"),
    ("pre", "P R IY0"),
)
# Contracted words after an apostrophe: sounds after a vowel, after a consonant.
_CONTRACTED: dict[str, tuple[str, str]] = {
    "ll": ("L", "AH0 L"),
    "ve": ("V", "AH0 V"),
    "re": ("R", "ER0"),
    "m": ("M", "AH0 M"),
    "st": ("S T", "S T"),
    "rt": ("R T", "ER0 T"),
    "lt": ("L T", "AH0 L T"),
    "t": ("T", "T"),
    "em": ("AH0 M", "AH0 M"),
}


def derive(word: str, known: Known) -> tuple[Phones, ...]:
    """Pronunciations of a word that is not known itself, from words that are; () if it has no known parts."""
    if "'" in word:
        return _with_apostrophe(word, known)
    if re.search(r"(.)\1\1", word):
        return _stretched(word, known)
    return inflected(word, known) or _spelled_out(word, known)


def _with_apostrophe(word: str, known: Known) -> tuple[Phones, ...]:
    if word.endswith("in'"):
        return tuple((*phones[:-1], "N") for phones in known(word[:-1] + "g") if phones[-1] == "NG")
    if word.startswith("'") or word.endswith("'"):
        bare = word.strip("'")
        if word.endswith("s'") and (plural := known(bare)):
            return plural
        return known(bare)
    if word.startswith("th'"):  # "th'eternal" is sung as one word
        return tuple(("DH", *phones) for phones in known(word[3:]) if is_vowel(phones[0]))
    if word.startswith("o'er"):  # "o'erflow"
        full = tuple(("AO" + phones[0][-1], "R", *phones[3:]) for phones in known("over" + word[4:]))
        return full or tuple(("AO1", "R", *phones) for phones in known(word[4:]))
    stem, _, ending = word.rpartition("'")
    if ending == "s":
        return tuple(add_s(phones) for phones in known(stem))
    if ending == "d":
        full = known(stem + "ed") or known(stem + "d")
        if full:
            return tuple(_without_vowel(stem + "ed", len(stem), phones) for phones in full)
        return tuple((*phones, *(("D",) if is_vowel(phones[-1]) else ("AH0", "D"))) for phones in known(stem))
    if ending in _CONTRACTED and known(stem):
        after_vowel, after_consonant = _CONTRACTED[ending]
        return tuple(
            (*phones, *(after_vowel if is_vowel(phones[-1]) else after_consonant).split()) for phones in known(stem)
        )
    if ending == "er" and stem.endswith("e") and known(stem[:-1]):  # "what-e'er"
        return tuple((*phones, "EH1", "R") for phones in known(stem[:-1]))
    return elided(word, known)


def elided(word: str, known: Known) -> tuple[Phones, ...]:
    """Restore the vowel that an apostrophe stands for, look the word up, and take its sound away again.

    >>> elided("heav'n", lambda word: (("HH", "EH1", "V", "AH0", "N"),) if word == "heaven" else ())
    (('HH', 'EH1', 'V', 'N'),)
    """
    place = word.index("'")
    for vowel in _ELIDED:
        full = word[:place] + vowel + word[place + 1 :]
        found = known(full)
        if found:
            return tuple(dict.fromkeys(_without_vowel(full, place, phones) for phones in found))
    return ()


def _without_vowel(letters: str, place: int, phones: Phones) -> Phones:
    """Take away the unstressed vowel that the letter at `place` spells; phones as they are if it spells none."""
    if not re.fullmatch("[a-z]+", letters) or len(phones) > 2 * len(letters):
        return phones
    spans = align(letters, phones)
    start, end = spans[place]
    if start < end and phones[start][-1] == "0":
        return phones[:start] + (("R",) if phones[start] == "ER0" else ()) + phones[start + 1 :]
    if start == end and start < len(phones) and letters[place + 1 : place + 2] == "r" and phones[start] == "ER0":
        return (*phones[:start], "R", *phones[start + 1 :])
    return phones


def _stretched(word: str, known: Known) -> tuple[Phones, ...]:
    """Look up a word drawn out in writing: "sooooo", "yeahhh"."""
    for runs in (r"\1", r"\1\1"):
        found = known(re.sub(r"(.)\1\1+", runs, word))
        if found:
            return found
    return known(re.sub(r"(.)\1+", r"\1", word))


def add_s(phones: Phones) -> Phones:
    """Add the ending of plurals, possessives and third persons."""
    if phones[-1] in _SIBILANTS:
        return (*phones, "IH0", "Z")
    return (*phones, "S" if phones[-1] in _VOICELESS else "Z")


def add_ed(phones: Phones) -> Phones:
    """Add the ending of the past tense."""
    if phones[-1] in ("T", "D"):
        return (*phones, "IH0", "D")
    return (*phones, "T" if phones[-1] in _VOICELESS else "D")


def stems(word: str, ending: str) -> list[str]:
    """Spellings that a word may have had before the ending was added, likeliest first.

    >>> stems("running", "ing"), stems("loving", "ing"), stems("happiness", "ness")
    (['run', 'runn', 'runne'], ['love', 'lov'], ['happy', 'happi'])
    """
    bare = word[: -len(ending)]
    if len(bare) < 2:
        return []
    found = [bare]
    if ending[0] in "aeiouy":
        if re.search(r"[^aeiou][aeiou][^aeiouwxy]$|[^aeiou][aeiou]s?[csvz]$|[^aeiou]u$|[lr][csvz]$", bare):
            found.insert(0, bare + "e")
        else:
            found.append(bare + "e")
        if bare[-1] == bare[-2] and bare[-1] not in "aeiou":
            found.insert(0, bare[:-1])
    if bare.endswith("i"):
        found.insert(0, bare[:-1] + "y")
    return found


def inflected(word: str, known: Known) -> tuple[Phones, ...]:
    """Look for a known stem under an ending or after a prefix."""
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        for stem in (word[:-3] + "y" if word.endswith("ies") else word[:-1], word[:-2] if word.endswith("es") else ""):
            if len(stem) > 1 and (found := known(stem)):
                return tuple(add_s(phones) for phones in found)
    if word.endswith("ed"):
        for stem in stems(word, "ed"):
            if len(stem) > 2 and (found := known(stem)):
                return tuple(add_ed(phones) for phones in found)
    for ending, sounds in _ENDINGS:
        if word.endswith(ending) and len(word) > len(ending) + 2:
            for stem in stems(word, ending):
                if found := known(stem):
                    return tuple(_join(phones, tuple(sounds.split())) for phones in found)
    if word.endswith("in") and (found := known(word + "g")):
        return tuple((*phones[:-1], "N") for phones in found if phones[-1] == "NG")
    for prefix, sounds in _PREFIXES:
        if word.startswith(prefix) and len(word) > len(prefix) + 3 and (found := known(word[len(prefix) :])):
            return tuple((*sounds.split(), *phones) for phones in found)
    return ()


def _join(phones: Phones, ending: Phones) -> Phones:
    if len(ending) > 1 and phones[-1] == ending[0] == "L" and phones[-2:-1] == ("AH0",):
        return phones[:-2] + ending if ending[1] == "IY0" else phones + ending[1:]  # "gently", "bottleless"
    if ending == ("IY0",) and phones[-2:] == ("AH0", "L"):  # "wobbly"
        return (*phones[:-2], "L", "IY0")
    if phones[-1] == ending[0]:
        return phones + ending[1:]
    return phones + ending


def _spelled_out(word: str, known: Known) -> tuple[Phones, ...]:
    """Read a short word without vowel letters by the names of its letters: "tv", "dj"."""
    if len(word) <= 4 and not re.search("[aeiouy]", word):
        names = [known(letter) for letter in word]
        if all(names):
            return (tuple(phone for name in names for phone in name[0]),)
    return ()


class Compound(NamedTuple):
    """A word read as two."""

    phones: Phones
    seam: int  # letters of the first


def compound(word: str, known: Known, guessed: Phones) -> Compound | None:
    """Read a word as two known ones of three letters or more, the second less stressed, if that is near the guess.

    Near is: the same sounds in the same number of syllables, or two thirds of them in one syllable less, which a
    silent e inside the word explains ("wholehearted"). On CMUdict words kept apart from the model, these are the
    cases in which the compound is right more often than the guess.
    """
    best, nearest = None, 0.0
    for seam in range(3, len(word) - 2):
        left, right = known(word[:seam]), known(word[seam:])
        for first in left if right else ():
            for second in right:
                phones = first + tuple(phone[:-1] + "2" if phone.endswith("1") else phone for phone in second)
                less = count_syllables(guessed) - count_syllables(phones)
                likeness = SequenceMatcher(None, _bare(phones), _bare(guessed), autojunk=False).ratio()
                if likeness > nearest and likeness >= {0: 0.95, 1: 0.67}.get(less, 2.0):
                    best, nearest = Compound(phones, seam), likeness
    return best


def _bare(phones: Phones) -> list[str]:
    return [phone.rstrip("012") for phone in phones]
