import pytest
from hypothesis import given
from hypothesis import strategies as st

from lyrics.cmudict import pronunciations
from lyrics.spelling import align, find_gaps, split
from lyrics.syllable import count_syllables

PHONES = ["AH0", "IY1", "EY2", "ER0", "K", "S", "T", "NG", "L"]


@pytest.mark.parametrize(
    "division",
    [
        "beau-ti-ful",
        "sing-ing",
        "run-ning",
        "ta-ble",
        "bot-tle",
        "lit-tle",
        "walked",
        "want-ed",
        "fa-ther",
        "riv-er",
        "win-dow",
        "to-mor-row",
        "but-ter-fly",
        "moon-light",
        "kind-ness",
        "hope-less",
        "slow-ly",
        "li-on",
        "cre-ate",
        "be-ing",
        "peo-ple",
        "Hal-le-lu-jah".lower(),
        "sur-ren-der",
        "ar-rive",
        "re-mem-ber",
        "won-der-ful",
    ],
)
def test_words_are_divided_as_in_printed_songs(division: str) -> None:
    word = division.replace("-", "")
    phones = next(p for p in pronunciations(word) if count_syllables(p) == division.count("-") + 1)
    assert "-".join(split(word, phones)) == division


def test_the_pronunciation_decides_how_many_parts_there_are() -> None:
    assert split("every", ("EH1", "V", "R", "IY0")) == ("ev", "ery")
    assert len(split("every", ("EH1", "V", "ER0", "IY0"))) == 3
    assert split("fire", ("F", "AY1", "R")) == ("fire",)


def test_compounds_part_at_their_seam() -> None:
    phones = ("M", "IH1", "L", "K", "W", "AY2", "T")
    assert split("milkwhite", phones, seam=4) == ("milk", "white")


@given(
    st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=12),
    st.lists(st.sampled_from(PHONES), min_size=1, max_size=24),
)
def test_any_letters_with_any_phones_keep_all_letters_in_full_parts(letters: str, phones: list[str]) -> None:
    parts = split(letters, phones)
    assert "".join(parts) == letters
    assert all(parts)
    assert len(parts) == min(len(letters), max(1, count_syllables(phones)))


def test_silent_letters_get_no_phones() -> None:
    assert align("knight", ["N", "AY1", "T"]) == [(0, 0), (0, 1), (1, 2), (2, 2), (2, 2), (2, 3)]


def test_an_x_gets_two_phones() -> None:
    assert align("box", ["B", "AA1", "K", "S"]) == [(0, 1), (1, 2), (2, 4)]


def test_too_many_phones_cannot_be_aligned() -> None:
    with pytest.raises(ValueError, match="too few letters"):
        align("w", "D AH1 B AH0 L Y UW0".split())


def test_gaps_lie_between_the_vowels() -> None:
    gaps = find_gaps("mother", ("M", "AH1", "DH", "ER0"))
    assert gaps is not None
    assert [(gap.low, gap.high) for gap in gaps] == [(1, 4)]
