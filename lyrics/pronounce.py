"""Written words to sung syllables: phones, stress, and the letters that stand under each note.

A word is looked for in the user's pronunciation file, in our list of song words, in CMUdict, then built from known
words (lyrics/word_forms.py), and guessed by the grapheme-to-phoneme model (lyrics/g2p.py) as the last resort.

A pronunciation file is text, one entry a line, `#` begins a comment:

    Siobhan  SH IH0 V AO1 N      phones as in CMUdict, stress digits on the vowels
    Siobhan  Sio-bhan            how its letters are divided under the notes
"""

import json
import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from lyrics import g2p, spelling
from lyrics.cmudict import pronunciations
from lyrics.document import LyricsError, Syllable
from lyrics.heteronyms import heteronym
from lyrics.syllable import PHONES, count_syllables, is_vowel, stress_of, syllabify
from lyrics.word_forms import compound, derive

Phones = tuple[str, ...]

SONG_WORDS = Path(__file__).parent / "data" / "songs.txt"
_HYPHENS = "-‐‑‒–"
_APOSTROPHES = "'’‘ʼ`´"
_FOLDED = {"æ": "ae", "œ": "oe", "ø": "o", "ß": "ss", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}


class UnpronounceableError(ValueError):
    """A word without letters that we can pronounce."""

    def __init__(self, word: str) -> None:
        """Name the word and what can be done."""
        super().__init__(
            f"cannot pronounce {word!r}: only Latin letters can be; respell it or add it to a pronunciation file"
        )
        self.word = word


@cache
def _fold_char(char: str) -> str:
    plain = ""
    for part in unicodedata.normalize("NFKD", char.lower()):
        if part in _APOSTROPHES:
            plain += "'"
        elif part in _HYPHENS:
            plain += "-"
        elif not unicodedata.combining(part):
            plain += _FOLDED.get(part, part)
    return plain


def fold(text: str) -> str:
    """Lower-case, without accents, apostrophes and hyphens plain: the form in which a word is looked up.

    >>> fold("Señor’s")
    "senor's"
    """
    if text.isascii() and "`" not in text:
        return text.lower()
    return "".join(map(_fold_char, text))


class Entries(NamedTuple):
    """What a pronunciation file says, by folded word."""

    phones: dict[str, tuple[Phones, ...]]
    parts: dict[str, tuple[str, ...]]  # folded parts, hyphens of the division left out


def read_entries(path: Path) -> Entries:
    """Read a pronunciation file. Raises LyricsError with the line of the first mistake, OSError if unreadable."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise LyricsError(f"the pronunciation file {path.name} is not UTF-8 text: {error}") from error
    phones: dict[str, tuple[Phones, ...]] = {}
    parts: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.partition("#")[0].split()
        if not fields:
            continue
        word, *said = fields
        key = fold(word)
        if not said:
            raise LyricsError(f"{path.name}: {word!r} needs its phones, or its parts with hyphens", number)
        if all(phone.rstrip("012") in PHONES for phone in said):
            phones[key] = (*phones.get(key, ()), _checked(word, tuple(said), path, number))
        elif len(said) == 1 and fold(said[0]).replace("-", "") == key.replace("-", ""):
            parts[key] = tuple(part for part in fold(said[0]).split("-") if part)
        elif len(said) == 1 and not said[0].isupper():
            raise LyricsError(f"{path.name}: the parts {said[0]!r} do not spell {word!r}", number)
        else:
            wrong = next(phone for phone in said if phone.rstrip("012") not in PHONES)
            raise LyricsError(f"{path.name}: {wrong!r} is no ARPAbet phone (for example AH0, EY1, K, SH)", number)
    return Entries(phones, parts)


def _checked(word: str, phones: Phones, path: Path, number: int) -> Phones:
    for phone in phones:
        if is_vowel(phone) != (phone[-1] in "012"):
            fault = (
                "needs a stress digit (0, 1 or 2)" if is_vowel(phone) else "is a consonant and takes no stress digit"
            )
            raise LyricsError(f"{path.name}: {phone!r} in {word!r} {fault}", number)
    if not count_syllables(phones):
        raise LyricsError(f"{path.name}: {word!r} needs a vowel to be sung", number)
    return phones


@cache
def _song_words() -> Entries:
    return read_entries(SONG_WORDS)


@cache
def _sung() -> dict[str, int]:
    """Words that songs sing in another number of syllables than CMUdict's first pronunciation has."""
    table: dict[str, int] = json.loads((spelling.DATA / "sung.json").read_text(encoding="utf-8"))
    return table


class Pronouncer:
    """Pronounces and divides words; holds the user's own pronunciations."""

    def __init__(self, user_file: Path | None = None) -> None:
        """Read the user's pronunciation file, if there is one. Raises LyricsError, or OSError if unreadable."""
        self._user = read_entries(user_file) if user_file else Entries({}, {})
        self._found: dict[str, tuple[Phones, ...]] = {}
        self._guessed: dict[str, Phones] = {}
        self._knows: dict[str, bool] = {}
        self._divided: dict[tuple[str, Phones], tuple[Syllable, ...]] = {}
        self._seams: dict[str, int] = {}  # letters of the first half of the compounds among the guessed words

    def knows(self, text: str) -> bool:
        """Whether all of a word's pronunciation comes from a dictionary or from known words, not from a guess."""
        known = self._knows.get(text)
        if known is None:
            word = fold(text)
            known = self._knows[text] = word in self._user.phones or all(
                self._known(piece.strip("-")) for piece in self._pieces(word) if re.search("[a-z]", piece)
            )
        return known

    def syllables(
        self, text: str, *, forced: tuple[str, ...] | None = None, before: str = "", after: str = ""
    ) -> tuple[Syllable, ...]:
        """Sung syllables of one word; their texts joined are `text`.

        `forced` is the user's own division of the word; `before` and `after` are the neighbouring written words.
        A part never lacks letters: a letter whose name has several syllables ("W") is sung as one.
        Raises UnpronounceableError for a word without pronounceable letters, ValueError if `forced` does not spell it.
        """
        if forced is not None and ("".join(forced) != text or not all(forced)):
            raise ValueError(f"the parts {forced} do not spell {text!r}")
        word = fold(text)
        said = self._user.phones.get(word, ())
        if not said:
            _check_letters(text, word)
        listed = self._user.parts.get(word) or _song_words().parts.get(word)
        if forced is None and listed:
            forced = _cut(text, [len(part) for part in listed])
        if forced is None and said and not re.search("[a-z]", word):
            forced = _even_parts(text, count_syllables(said[0]))
        neighbours = fold(before), fold(after)
        if forced is not None:
            return _sing_as(forced, said or self._readings(word, text, *neighbours))
        places = [index for index, char in enumerate(text) for _ in fold(char)]  # text index of each folded character
        syllables: list[Syllable] = []
        start = end = 0
        for piece in self._pieces(word):
            end += len(piece)
            written = text[places[start] if start else 0 : places[end] if end < len(places) else len(text)]
            if re.search("[a-z]", piece):
                phones = (said or self._readings(piece.strip("-"), written, *neighbours))[0]
                syllables += self.divide(written, phones)
            elif syllables:  # a stray apostrophe or digit between hyphens
                last = syllables[-1]
                syllables[-1] = Syllable(last.text + written, last.phones, last.stress)
            else:  # or before the first letter: goes with what follows
                continue
            start = end
        return tuple(syllables)

    def readings(self, word: str, before: str = "", after: str = "") -> tuple[Phones, ...]:
        """All pronunciations of a word of Latin letters without hyphens, the one to be sung first."""
        return self._readings(fold(word), word, fold(before), fold(after))

    def divide(self, text: str, phones: Phones) -> tuple[Syllable, ...]:
        """Divide a word without hyphens that is said in a given way; what is no letter stays with the one before it."""
        divided = self._divided.get((text, phones))
        if divided is None:
            divided = self._divided[text, phones] = self._divide(text, phones)
        return divided

    def _divide(self, text: str, phones: Phones) -> tuple[Syllable, ...]:
        if count_syllables(phones) == 1:
            return (Syllable(text, phones, stress_of(phones)),)
        letters, places = alignable(text)
        parts = spelling.split(letters, phones, self._seams.get(letters, 0))
        cuts, position = [0], 0
        for part in parts[:-1]:
            position += len(part)
            cut = places[position]
            if cut > 1 and text[cut - 1] in _APOSTROPHES:  # "ev-'ry", "there-'ll"
                cut -= 1
            if cut > cuts[-1]:  # not so inside a letter that folds to two ("ß")
                cuts.append(cut)
        groups = _merged(syllabify(phones), len(cuts))
        return tuple(
            Syllable(text[start:end], group, stress_of(group))
            for (start, end), group in zip(pairwise([*cuts, len(text)]), groups, strict=True)
        )

    def _pieces(self, word: str) -> list[str]:
        """Cut a folded word after its hyphens, unless it is better known as a whole; cut monsters to size."""
        pieces = [word]
        if "-" in word.strip("-") and word not in self._user.phones and not pronunciations(word):
            pieces = re.findall(r"-*[^-]+-*", word)
            old = word.startswith("to-")  # "to-morrow", "to-night"
            if (old or not all(self._known(piece.strip("-")) for piece in pieces)) and self._known(word):
                return [word]
        return [piece[i : i + _LONGEST] for piece in pieces for i in range(0, len(piece), _LONGEST)]

    def _known(self, word: str) -> tuple[Phones, ...]:
        """All pronunciations from dictionaries and known words, most usual first; () if there are none."""
        found = self._found.get(word)
        if found is None:
            self._found[word] = ()  # while its parts are looked up
            found = (
                self._user.phones.get(word)
                or _song_words().phones.get(word)
                or tuple(phones for phones in pronunciations(word) if count_syllables(phones))
                or (self._known(bare) if (bare := re.sub("[^a-z']", "", word)) != word else ())
                or (derive(word, self._known) if 1 < len(word) <= _LONGEST else ())
            )
            self._found[word] = found
        return found

    def _readings(self, word: str, written: str, before: str, after: str) -> tuple[Phones, ...]:
        """Pronunciations of a folded word without hyphens, the one to be sung first."""
        if word in self._user.phones:
            return self._user.phones[word]
        if re.search("[èéêë]d$", unicodedata.normalize("NFC", written.lower())):  # "blessèd" has two syllables
            return tuple(_with_syllabic_ed(phones) for phones in self._known(word) or (self._guess(word),))
        settled = heteronym(word, before, after)
        if settled:
            return (settled, *self._known(word))
        entries = self._known(word) or (self._guess(word),)
        if word == "the" and before_vowel(after, self._known(after)):
            return (("DH", "IY0"), *entries)
        wanted = _sung().get(word)
        if wanted:
            return tuple(sorted(entries, key=lambda phones: count_syllables(phones) != wanted))
        if _ONE_SYLLABLE.search(word):
            return (_contracted(entries[0]), *entries)
        return entries

    def _guess(self, word: str) -> Phones:
        """Pronounce an unknown word: as two known words if the model says nearly the same, else as the model says."""
        phones = self._guessed.get(word)
        if phones is None:
            letters = re.sub("[^a-z]", "", word)
            phones = g2p.guess(letters)
            double = compound(letters, pronunciations, phones)
            if double:
                phones = double.phones
                self._seams[letters] = double.seam
                self._divided.clear()  # without the seam, perhaps
            self._guessed[word] = phones
        return phones


_LONGEST = 40  # letters of a word that is looked at as a whole; what is longer is nobody's word
_ONE_SYLLABLE = re.compile(r"^fire|(?:[iy]re|choir|our)(?:s|d|ed)?$")  # sung on one note: "fire", "desire", "hour"


def before_vowel(word: str, known: tuple[Phones, ...]) -> bool:
    """Whether a word begins with a vowel sound ("the" is then said with IY)."""
    return is_vowel(known[0][0]) if known else word[:1] in tuple("aeiou")


def _contracted(phones: Phones) -> Phones:
    """Make one syllable of AY ER and AW ER."""
    for index in range(1, len(phones)):
        if phones[index] == "ER0" and phones[index - 1][:2] in ("AY", "AW"):
            return (*phones[:index], "R", *phones[index + 1 :])
    return phones


def _with_syllabic_ed(phones: Phones) -> Phones:
    if phones[-1] in ("T", "D") and not is_vowel(phones[-2]):
        return (*phones[:-1], "IH0", "D")
    if phones[-1] == "D" and phones[-2] not in ("IH0", "AH0"):
        return (*phones[:-1], "IH0", "D")
    return phones


def _check_letters(text: str, word: str) -> None:
    """Raise UnpronounceableError unless the word has letters and all of them are Latin."""
    if not re.search("[a-z]", word) or any(char.isalpha() and not "a" <= char <= "z" for char in word):
        raise UnpronounceableError(text)


def _cut(text: str, lengths: Sequence[int]) -> tuple[str, ...]:
    """Divide a text into parts of so many folded characters; hyphens do not count and stay with what is before."""
    parts, part, left = [], "", list(lengths)
    for char in text:
        size = len(fold(char).replace("-", ""))
        if left[0] <= 0 and size and len(left) > 1:
            parts.append(part)
            part = ""
            left.pop(0)
        part += char
        left[0] -= size
    return (*parts, part)


def _even_parts(text: str, count: int) -> tuple[str, ...]:
    """Divide a text of another script evenly; marks stay with the letters that they are written on."""
    letters: list[str] = []
    for char in text:
        if letters and unicodedata.category(char).startswith(("M", "P")):
            letters[-1] += char
        else:
            letters.append(char)
    count = min(count, len(letters))
    bounds = [round(index * len(letters) / count) for index in range(count + 1)]
    return tuple("".join(letters[start:end]) for start, end in pairwise(bounds))


def alignable(text: str) -> tuple[str, list[int]]:
    """Letters a-z of a written piece, for alignment with its phones, and the place of each in the text.

    An apostrophe counts as the letter that it stands for: e after a consonant, g in "-in'". Others do not count.
    """
    plain, places = [], []
    for index, char in enumerate(text):
        for folded in fold(char):
            plain.append(folded)
            places.append(index)
    word = "".join(plain)
    contracted = _CONTRACTION.search(word)
    letters, kept = [], []
    for index, char in enumerate(word):
        if char == "'":
            if word.endswith("in'") and index == len(word) - 1 and index > 3:
                char = "g"
            elif 0 < index < len(word) - 1 and not (contracted and contracted.start() == index):
                char = "" if word[index - 1] in "aeiou" else "e"  # "o'er"
        if "a" <= char <= "z":
            letters.append(char)
            kept.append(places[index])
    return "".join(letters), kept


_CONTRACTION = re.compile(r"'(?:s|d|ll|ve|re|m|t|st|rt|lt|em|clock)$")


def _merged(groups: list[Phones], count: int) -> list[Phones]:
    """Sing what is left over on the last of `count` syllables."""
    if len(groups) <= count:
        return groups
    rest = tuple(phone for group in groups[count - 1 :] for phone in group)
    return [*groups[: count - 1], rest]


def _sing_as(parts: tuple[str, ...], readings: tuple[Phones, ...]) -> tuple[Syllable, ...]:
    """Sing a word as the user divides it: by a reading with that many syllables, else by the sounds of the letters."""
    fitting = [phones for phones in readings if count_syllables(phones) == len(parts)]
    groups = syllabify(fitting[0]) if fitting else _by_letters(parts, readings[0])
    return tuple(Syllable(part, group, stress_of(group)) for part, group in zip(parts, groups, strict=True))


def _by_letters(parts: tuple[str, ...], phones: Phones) -> list[Phones]:
    """Give each part the phones of its letters and, where that leaves it without a vowel, one."""
    letters = [re.sub("[^a-z]", "", fold(part)) for part in parts]
    whole = "".join(letters)
    if len(phones) > 2 * len(whole) or len(whole) > 2 * _LONGEST:
        groups = _merged(syllabify(phones), len(parts))
        return groups + [("AH0",)] * (len(parts) - len(groups))
    spans = spelling.align(whole, phones)
    groups, position, vowel = [], 0, "AH0"
    for part in letters:
        group = tuple(phone for start, end in spans[position : position + len(part)] for phone in phones[start:end])
        position += len(part)
        sung = [phone for phone in group if is_vowel(phone)]
        if not sung:  # "ba-a-by" holds its vowel; "lo-ve" gets a short one
            group = (*group, vowel[:-1] + "0" if part[:1] in tuple("aeiouy") else "AH0")
        elif len(sung) > 1:  # the stronger vowel decides the stress, so it comes first in `stress_of`
            strongest = max(sung, key=lambda phone: "021".index(phone[-1]))
            group = tuple(p[:-1] + strongest[-1] if p is sung[0] else p[:-1] + "0" if p in sung else p for p in group)
        vowel = sung[-1] if sung else vowel
        groups.append(group)
    return groups
