import sys
from pathlib import Path

import pytest

from lyrics.mood import LEXICON, Mood, find_mood, word_mood
from lyrics.parse import parse_lyrics
from lyrics.pronounce import Pronouncer

PRONOUNCER = Pronouncer()
PASSAGES = Path(__file__).parent.parent / "data" / "mood"


def mood(text: str) -> Mood:
    return find_mood(line for section in parse_lyrics(text, PRONOUNCER).sections for line in section.lines)


HAPPY = "We're dancing in the sunshine\nHappy and free, laughing all the day"
SAD = "Lonely tears are falling\nMy broken heart is crying, grief and sorrow"
CALM = "Hush, sleep softly\nQuiet is the still and peaceful meadow"
FURIOUS = "I hate you! I scream with rage!\nFight! Fight! Fire and violent fury!"


def test_a_happy_text_is_glad_and_a_sad_one_is_not() -> None:
    assert mood(HAPPY).valence > 0.3
    assert mood(SAD).valence < -0.3


def test_calm_and_furious_texts_differ_in_energy() -> None:
    assert mood(CALM).energy < -0.2
    assert mood(FURIOUS).energy > 0.4


def test_negation_turns_a_word_around() -> None:
    assert mood("I am happy").valence > 0 > mood("I am not happy").valence
    assert mood("I don't cry").valence > mood("I cry").valence
    assert mood("I am not happy").words[0].word == "not happy"


def test_the_longest_phrase_wins() -> None:
    assert [word.word for word in mood("You are not alone").words] == ["not alone"]
    assert mood("You are not alone").valence > 0 > mood("You are alone").valence


def test_what_needs_a_negation_is_not_turned_around_by_it() -> None:
    assert [word.word for word in mood("She doesn't write any more").words] == ["any more"]


def test_intensifiers_strengthen() -> None:
    assert mood("so happy").valence > mood("happy").valence


def test_exclamation_marks_and_words_said_twice_add_energy() -> None:
    assert mood("Here it is!").energy > mood("Here it is").energy == 0
    assert mood("Here, here, here").energy > mood("Here it is").energy


def test_words_are_found_in_every_form() -> None:
    names = {word.word for word in mood("lovin’ tears, smiled happily, stories of cried, wishes").words}
    assert {"love", "tears", "smile", "happily", "cried", "wish"} <= names
    assert mood("carry it").words == ()  # not a car


def test_text_without_known_words_is_neutral() -> None:
    assert mood("The of and to") == Mood(0.0, 0.0, ())


def test_moods_stay_in_their_range() -> None:
    for text in (HAPPY, SAD, CALM, FURIOUS, "so very happy! " * 20, "hate! " * 20):
        found = mood(text)
        assert -1 <= found.valence <= 1
        assert -1 <= found.energy <= 1


def test_an_entry_of_the_word_list_stands_in_one_place_with_values_in_range() -> None:
    rows = [row.split("\t") for row in LEXICON.read_text(encoding="utf-8").splitlines()[1:]]
    words = [word for row in rows for word in row[2].split(", ")]
    assert len(words) == len(set(words)) >= 2500
    assert all(-1 <= float(number) <= 1 for row in rows for number in row[:2])


@pytest.mark.parametrize("word", ["banana", "the", "ing", "s", "'s"])
def test_other_words_have_no_mood(word: str) -> None:
    assert mood(f"a {word}").words == ()


@pytest.mark.parametrize(("name", "size", "least"), [("first", 60, 54), ("second", 40, 18), ("third", 60, 35)])
def test_the_quadrants_of_labelled_passages(name: str, size: int, least: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As docs/analysis.md says, less a few; only the third file was not looked at while the method was made."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "scripts"))
    from evaluate_mood import quadrant, read_passages

    passages = read_passages(PASSAGES / f"{name}.tsv")
    found = [mood(passage.text) for passage in passages]
    right = [quadrant(one.valence, one.energy) == passage.label for one, passage in zip(found, passages, strict=True)]
    assert len(passages) == size
    assert sum(right) >= least
    del sys.modules["evaluate_mood"]


@pytest.mark.parametrize("word", ["crying", "love", "Tears", "table"])
def test_a_word_alone_has_the_mood_that_a_line_of_it_names(word: str) -> None:
    named = [(found.valence, found.energy) for found in mood(word).words]
    assert word_mood(word) == (named[0] if named else (0.0, 0.0))
