import pytest

from lyrics.cmudict import pronunciations
from lyrics.syllable import PHONES, count_syllables, is_vowel, legal_onset, stress_of, syllabify


@pytest.mark.parametrize(
    ("phones", "syllables"),
    [
        ("HH EH1 V AH0 N", "HH EH1.V AH0 N"),
        ("EH1 K S T R AH0", "EH1 K.S T R AH0"),  # "str" may begin a syllable, "kstr" may not
        ("S IH1 NG IH0 NG", "S IH1 NG.IH0 NG"),  # NG never begins one
        ("AE1 T L AH0 S", "AE1 T.L AH0 S"),
        ("AH0 K W EY1 N T", "AH0.K W EY1 N T"),
        ("K R IY0 EY1 T", "K R IY0.EY1 T"),
        ("B Y UW1 T AH0 F AH0 L", "B Y UW1.T AH0.F AH0 L"),
        ("AY1", "AY1"),
    ],
)
def test_consonants_go_to_the_next_syllable_as_far_as_english_allows(phones: str, syllables: str) -> None:
    assert syllabify(phones.split()) == [tuple(part.split()) for part in syllables.split(".")]


@pytest.mark.parametrize("phones", [[], ["HH", "M"]])
def test_a_pronunciation_without_a_vowel_is_refused(phones: list[str]) -> None:
    with pytest.raises(ValueError, match="needs a vowel"):
        syllabify(phones)


def test_syllables_joined_are_the_pronunciation_and_each_has_one_vowel() -> None:
    for word in ("extraordinary", "yesterday", "strengths", "rhythm", "hallelujah"):
        for phones in pronunciations(word):
            syllables = syllabify(phones)
            assert tuple(phone for syllable in syllables for phone in syllable) == phones
            assert all(count_syllables(syllable) == 1 for syllable in syllables)
            assert all(legal_onset(syllable[: _vowel(syllable)]) for syllable in syllables[1:])


def _vowel(syllable: tuple[str, ...]) -> int:
    return next(index for index, phone in enumerate(syllable) if is_vowel(phone))


def test_stress_is_that_of_the_vowel() -> None:
    assert [stress_of(syllable) for syllable in syllabify(("T", "AH0", "M", "AA1", "R", "OW2"))] == [0, 1, 2]


def test_arpabet_has_39_phones() -> None:
    assert len(PHONES) == 39
