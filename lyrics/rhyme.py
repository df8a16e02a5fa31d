"""Rhymes between the ends of lines, and the rhyme scheme of a section.

A line rhymes from a vowel near its end: its last stressed vowel ("masculine" on the last syllable, "feminine" before
it), and also its last vowel where metre can lift it: in a one-syllable function word ("for me") and in a word with two
weak syllables at its end ("melody"). From that vowel on, two lines are

- perfect: same phones, different consonants before the vowel ("night", "light"; "hold me", "told me"),
- identity: same phones and same consonants before ("sea", "see"; a word with itself; "leave", "believe"),
- slant: same vowels and each consonant of the same family (stop, fricative, nasal, liquid; "time", "line"), or a final
  s, z, t or d more ("time", "times"); or same final consonants after neighbouring vowels ("love", "move"). So is a
  perfect rhyme of two lifted syllables ("melody", "harmony").

Stress digits do not count; unstressed "ih" and "uh" are the same vowel, and so are those of "cot" and "caught".
"""

from collections.abc import Container, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from lyrics.document import Line, Word

PERFECT_REACH = 8  # lines: farther apart a perfect rhyme is not heard as one
SLANT_REACH = 4


class RhymeKind(StrEnum):
    """How two lines rhyme."""

    PERFECT = "perfect"
    IDENTITY = "identity"
    SLANT = "slant"


class Rhyme(NamedTuple):
    """The end of a line and its place in the rhyme scheme."""

    label: str  # "A", "B", ... in order of appearance; "-" if no other line of the section rhymes with it
    word: str  # the rhyming word
    kind: RhymeKind | None = None  # with the nearest line of the same label; None if unrhymed


class Tail(NamedTuple):
    """The end of a line from a vowel on from which it may rhyme."""

    onset: tuple[str, ...]  # consonants before the rhyming vowel
    rime: tuple[str, ...]  # phones from that vowel on
    num_syllables: int
    lifted: bool  # an unstressed syllable that metre may stress


def rhyme_kind(first: Line, second: Line) -> RhymeKind | None:
    """How two lines rhyme; None if they do not."""
    return relation(tails_of(first), tails_of(second))


def find_rhymes(lines: Sequence[Line]) -> tuple[Rhyme, ...]:
    """Label the lines of a section: rhyming lines share a letter.

    A line joins the nearest line before it with which it rhymes perfectly or by identity. A line that is then left over
    joins by slant rhyme, if it can another one that is left over, else one that has a partner.
    """
    tails = [tails_of(line) for line in lines]
    leader = list(range(len(lines)))  # the first line of each line's rhyme class
    kinds: list[RhymeKind | None] = [None] * len(lines)

    def join(second: int, reach: int, slant: bool, partners: Container[int]) -> None:
        for first in range(second - 1, max(-1, second - 1 - reach), -1):
            kind = relation(tails[first], tails[second]) if first in partners else None
            if kind is not None and (kind is RhymeKind.SLANT) == slant:
                leader[second] = leader[first]
                kinds[second] = kind
                kinds[first] = kinds[first] or kind
                return

    everyone = range(len(lines))
    for second in everyone:
        join(second, PERFECT_REACH, False, everyone)
    alone = {index for index in everyone if kinds[index] is None}
    for partners in (alone, everyone):
        for second in everyone:
            if kinds[second] is None:
                join(second, SLANT_REACH, True, partners)
    letters: dict[int, str] = {}
    for index, kind in enumerate(kinds):
        if kind is not None:
            letters.setdefault(leader[index], _letter(len(letters)))
    return tuple(
        Rhyme(letters[leader[index]] if kind else "-", _last_word(line), kind)
        for index, (line, kind) in enumerate(zip(lines, kinds, strict=True))
    )


def rhyme_scheme(rhymes: Sequence[Rhyme]) -> str:
    """Write the labels as one word: "ABAB"; "-" for lines without a rhyme."""
    return "".join(rhyme.label for rhyme in rhymes)


def _letter(index: int) -> str:
    """Count from A to Z, then from A1 to Z1, and so on."""
    number, letter = divmod(index, 26)
    return chr(ord("A") + letter) + (str(number) if number else "")


def _ending(line: Line) -> tuple[Word, ...]:
    """Return the words that can rhyme: backing words only where there are no others."""
    return tuple(word for word in line.words if not word.backing) or line.words


def _last_word(line: Line) -> str:
    return _ending(line)[-1].text


def tails_of(line: Line) -> tuple[Tail, ...]:
    """Return where a line may rhyme from: its last stressed syllables, and its last one if metre can lift it."""
    syllables: list[tuple[tuple[str, ...], int, bool]] = []  # from the end: phones, stress, one-syllable function word
    for word in reversed(_ending(line)):
        single = len(word.syllables) == 1
        for syllable in reversed(word.syllables):
            stress = int(word.content) if single else syllable.stress
            syllables.append((syllable.phones, stress, single and not word.content))
        if len(syllables) >= 4:
            break
    return _tails_from(tuple(syllables[:4]))


@lru_cache(maxsize=20_000)  # all words of a lexicon, compared again for every line of a lyric
def _tails_from(syllables: tuple[tuple[tuple[str, ...], int, bool], ...]) -> tuple[Tail, ...]:
    # Secondary stress counts ("sunlight", "night"), primary stress too where it lies before ("sorrow", "tomorrow").
    last = next((index for index, (_, stress, _) in enumerate(syllables) if stress), None)
    primary = next((index for index, (_, stress, _) in enumerate(syllables) if stress == 1), None)
    places = {place for place in (last, primary) if place is not None}
    tails = [_tail([phones for phones, _, _ in syllables[place::-1]], lifted=False) for place in sorted(places)]
    if last is None or (last and (syllables[0][2] or last > 1)):
        tails.append(_tail([syllables[0][0]], lifted=True))
    return tuple(tails)


def _tail(syllables: Sequence[tuple[str, ...]], *, lifted: bool) -> Tail:
    phones = [phone for syllable in syllables for phone in syllable]
    vowel = next((index for index, phone in enumerate(phones) if phone[-1].isdigit()), 0)
    rime: list[str] = []
    for index in range(vowel, len(phones)):
        phone = phones[index]
        plain = phone.rstrip("012")
        if plain == "AO" and phones[index + 1 : index + 2] != ["R"]:
            plain = "AA"
        elif index > vowel and phone == "IH0":
            plain = "AH"
        rime.append(plain)
    num_syllables = len(syllables)
    if rime[0] in ("AW", "AY") and rime[1:2] == ["ER"]:  # "flower" rhymes with "hour"
        rime[1] = "R"
        num_syllables -= 1
    return Tail(tuple(phones[:vowel]), tuple(rime), num_syllables, lifted)


_FAMILIES = {
    phone: family
    for family, phones in enumerate(("P B T D K G", "F V TH DH S Z SH ZH CH JH HH", "M N NG", "L R", "W Y"))
    for phone in phones.split()
}
_NEIGHBOURS = frozenset(
    frozenset(pair.split())
    for pair in "IH IY,UH UW,EH AE,EH EY,EH IH,AA AH,AH UH,AH UW,AO OW,AA OW,AH OW,AO ER,AA AE".split(",")
)


def relation(first: Sequence[Tail], second: Sequence[Tail]) -> RhymeKind | None:
    """Return what `rhyme_kind` says of two lines, given where they may rhyme from."""
    found: set[RhymeKind] = set()
    for one in first:
        for other in second:
            if one.num_syllables != other.num_syllables:
                continue
            if one.rime == other.rime:
                if one.onset == other.onset:
                    found.add(RhymeKind.IDENTITY)
                else:
                    found.add(RhymeKind.SLANT if one.lifted and other.lifted else RhymeKind.PERFECT)
            elif not (one.lifted and other.lifted) and _is_slant(one.rime, other.rime):
                found.add(RhymeKind.SLANT)
    return next((kind for kind in (RhymeKind.PERFECT, RhymeKind.IDENTITY, RhymeKind.SLANT) if kind in found), None)


def _is_slant(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    if len(one) > len(other):
        one, other = other, one
    if one[0] == other[0]:
        if len(other) == len(one) + 1 and other[-1] in ("S", "Z", "T", "D"):
            other = other[:-1]
        return len(one) == len(other) and all(map(_alike, one, other))
    return len(one) > 1 and one[1:] == other[1:] and frozenset((one[0], other[0])) in _NEIGHBOURS


def _alike(one: str, other: str) -> bool:
    return one == other or (one in _FAMILIES and _FAMILIES[one] == _FAMILIES.get(other))
