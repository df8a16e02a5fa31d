import pytest

from lyrics.mood import LEXICON, Mood, find_mood
from lyrics.parse import parse_lyrics
from lyrics.pronounce import Pronouncer

PRONOUNCER = Pronouncer()


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
    assert mood("I don't cry").valence > 0 > mood("I cry").valence
    assert mood("I am not happy").words[0].word == "not happy"


def test_intensifiers_strengthen() -> None:
    assert mood("so happy").valence > mood("happy").valence


def test_exclamation_marks_add_energy() -> None:
    assert mood("Here we are!").energy > mood("Here we are").energy == 0


def test_words_are_found_in_every_form() -> None:
    names = {word.word for word in mood("lovin’ tears, smiled happily, stories of cried, running wishes").words}
    assert {"love", "tears", "smile", "happy", "cry", "running", "wish"} <= names


def test_themes_need_two_words() -> None:
    assert mood("The river and the sea").themes == ("nature",)
    assert mood("The river").themes == ()


def test_text_without_known_words_is_neutral() -> None:
    assert mood("The of and to") == Mood(0.0, 0.0, (), ())


def test_moods_stay_in_their_range() -> None:
    for text in (HAPPY, SAD, CALM, FURIOUS, "so very happy! " * 20, "hate! " * 20):
        found = mood(text)
        assert -1 <= found.valence <= 1
        assert -1 <= found.energy <= 1


def test_the_word_list_is_sorted_unique_and_in_range() -> None:
    rows = [row.split("\t") for row in LEXICON.read_text(encoding="utf-8").splitlines()[1:]]
    words = [row[0] for row in rows]
    assert words == sorted(set(words))
    assert len(words) >= 600
    assert all(-1 <= float(number) <= 1 for row in rows for number in row[1:3])


@pytest.mark.parametrize("word", ["banana", "the", "ing", "s", "'s"])
def test_other_words_have_no_mood(word: str) -> None:
    assert mood(f"a {word}").words == ()
