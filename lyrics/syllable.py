"""Syllables of a pronunciation: ARPAbet phones in, one group of phones per vowel out."""

import itertools
from collections.abc import Sequence

VOWELS = frozenset("AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split())
PHONES = VOWELS | frozenset("B CH D DH F G HH JH K L M N NG P R S SH T TH V W Y Z ZH".split())  # ARPAbet as in CMUdict

# Consonants that may begin an English syllable (Harris 1994; "vl", "zh", "shl/shm/shn" and "sv" occur in loans only and
# are left out). Every single consonant but NG may.
_CLUSTERS = frozenset(
    tuple(cluster.split())
    for cluster in (
        "P L,P R,P Y,B L,B R,B Y,T R,T W,T Y,D R,D W,D Y,K L,K R,K W,K Y,G L,G R,G W,G Y,F L,F R,F Y,V Y,TH R,TH W,"
        "TH Y,"
        "S L,S M,S N,S P,S T,S K,S W,S F,S Y,SH R,HH Y,HH W,M Y,N Y,L Y,"
        "S P L,S P R,S P Y,S T R,S T Y,S K L,S K R,S K W,S K Y"
    ).split(",")
)


def is_vowel(phone: str) -> bool:
    """Whether a phone, with or without its stress digit, is a vowel."""
    return phone.rstrip("012") in VOWELS


def count_syllables(phones: Sequence[str]) -> int:
    """Return the number of vowels."""
    return sum(phone[-1].isdigit() for phone in phones)


def stress_of(phones: Sequence[str]) -> int:
    """Stress of one syllable, 0 (none), 1 (primary) or 2 (secondary), read from the digit on its vowel."""
    return next((int(phone[-1]) for phone in phones if phone[-1].isdigit()), 0)


def syllabify(phones: Sequence[str]) -> list[tuple[str, ...]]:
    """Split a pronunciation into syllables by the maximal onset principle.

    `phones` are ARPAbet symbols with stress digits, as in CMUdict. The result has one tuple per vowel.
    Raises ValueError if there is no vowel. Source: Kahn (1976).

    >>> syllabify(["HH", "EH1", "V", "AH0", "N"])
    [('HH', 'EH1'), ('V', 'AH0', 'N')]
    """
    nuclei = [index for index, phone in enumerate(phones) if phone[-1].isdigit()]
    if not nuclei:
        raise ValueError(f"a pronunciation needs a vowel with a stress digit, got {' '.join(phones) or 'nothing'}")
    starts = [0]
    for before, nucleus in itertools.pairwise(nuclei):
        start = nucleus
        while start - 1 > before and legal_onset(phones[start - 1 : nucleus]):
            start -= 1
        starts.append(start)
    return [tuple(phones[start:end]) for start, end in zip(starts, [*starts[1:], len(phones)], strict=True)]


def legal_onset(consonants: Sequence[str]) -> bool:
    """Whether an English syllable may begin with these consonants (phones)."""
    if len(consonants) < 2:
        return tuple(consonants) != ("NG",)
    return tuple(consonants) in _CLUSTERS
