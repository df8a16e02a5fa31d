"""Themes, point of view, form, and what is hard to sing."""

import pytest

from lyrics.analysis import Analysis, analyze
from lyrics.document import Role
from lyrics.parse import parse_lyrics
from lyrics.pronounce import Pronouncer

PRONOUNCER = Pronouncer()


def read(text: str) -> Analysis:
    return analyze(parse_lyrics(text, PRONOUNCER))


THEMES = [
    ("leaving", "I packed my suitcase, caught the train/The platform slid away, goodbye"),
    ("sea", "The tide came in, the waves were high/The sailor stood upon the shore"),
    ("faith", "Amazing grace, O Lord, my God/The angels sing in heaven, amen"),
    ("work", "My boss won't pay the overtime/The factory shift is killing me"),
    ("christmas", "The shepherds came to Bethlehem/A manger on a Christmas night"),
    ("money", "A mansion and a fortune made of gold and diamonds/A dollar in the bank"),
]


@pytest.mark.parametrize(("name", "text"), THEMES)
def test_themes_are_found_with_the_words_that_show_them(name: str, text: str) -> None:
    theme = read(text.replace("/", "\n")).themes[0]
    assert theme.name == name
    assert len(theme.words) >= 2


def test_one_word_is_no_theme() -> None:
    assert read("The river is there").themes == ()


VIEWS = [
    ("I to you", (), "I told you that I know you"),
    ("we", (), "We built our house"),
    ("I to you", (), "How can ye bloom, and I sae weary"),
    ("she/he", (), "She took her coat and he took his"),
    ("I about they", (), "I saw them and they saw me"),
    ("to you", ("baby",), "Baby, you know your mind"),
    ("I", ("my brother",), "I am walking, my brother, on and on"),
    ("none", (), "Snow fell on the hill"),
]


@pytest.mark.parametrize(("name", "addressed", "text"), VIEWS)
def test_point_of_view(name: str, addressed: tuple[str, ...], text: str) -> None:
    view = read(text).point_of_view
    assert (view.name, view.addressed) == (name, addressed)
    assert list(view.counts) == ["I", "you", "we", "she/he", "they"]


CHORUS = "Take me home across the water\nTake me home to where I belong\nTake me home, I am your daughter\nTake me home with this song"  # noqa: E501
NEARLY = CHORUS.replace("with this song", "by the end of the song")
VERSES = tuple(
    verse.replace(" / ", "\n")
    for verse in (
        "The road is long and grey tonight / The rain is in my shoes / I count the windows full of light / I lose",
        "The bus went by an hour ago / The driver shook his head / I sat and watched the river flow / And said",
    )
)


def test_a_stanza_that_returns_with_changed_words_may_be_a_chorus() -> None:
    sections = read("\n\n".join((VERSES[0], CHORUS, VERSES[1], NEARLY))).sections
    guessed = {section.id: section.guess.role for section in sections if section.guess}
    assert list(guessed.values()) == [Role.CHORUS, Role.CHORUS]
    assert sections[0].guess is None
    assert sections[2].guess is None


def test_a_short_stanza_before_every_chorus_may_be_a_pre_chorus() -> None:
    pre = ("Oh, hold it high\nDon't let it fall", "Oh, let it fly\nDon't let it go")
    sections = read("\n\n".join((VERSES[0], pre[0], CHORUS, VERSES[1], pre[1], CHORUS))).sections
    assert [section.guess.role if section.guess else None for section in sections] == [
        None, Role.PRE_CHORUS, None, None, Role.PRE_CHORUS, None,
    ]  # fmt: skip


def test_tagged_sections_are_what_their_tags_say() -> None:
    text = "\n\n".join(f"[Verse]\n{stanza}" for stanza in (VERSES[0], CHORUS, VERSES[1], NEARLY))
    assert all(section.guess is None for section in read(text).sections)


def test_a_line_at_the_end_of_every_verse_is_a_refrain() -> None:
    text = "The moon is up\nBe still, be still, my heart\n\nThe wind has dropped\nBe still, be still, my heart"
    assert read(text).refrains == ("Be still, be still, my heart",)


def test_lines_that_break_a_parallel_are_named() -> None:
    text = "[Verse]\nla la la la\nla la\n\n[Verse]\nla la la la\nla la la\n\n[Verse]\nlo lo lo lo\nlo lo"
    (uneven,) = read(text).uneven
    assert (uneven.line, uneven.section, uneven.num_syllables, uneven.others) == (7, "v2", 3, 2)
    assert uneven.parallel == (3, 11)


WARNINGS = [
    ("held cluster", "the worlds", "I have seen so many worlds"),
    ("closed vowel", "bit", "I only want a little bit"),
    ("tongue-twister", "slow slick sly slim", "He is slow, slick, sly and slim in the night"),
    ("crowded seam", "asks strangers", "She asks strangers all the day"),
    ("no breath", "", "I will go and I will stay and I will never ever ever come again to you"),
]


@pytest.mark.parametrize(("kind", "words", "line"), WARNINGS)
def test_what_is_hard_to_sing_is_named_with_a_way_out(kind: str, words: str, line: str) -> None:
    found = {warning.kind: warning for warning in read(f"La la day\n{line}").warnings}
    assert kind in found
    assert found[kind].line == 2
    assert set((words or line).split()) & set(found[kind].words.split())
    assert len(found[kind].suggestion) > 20


@pytest.mark.parametrize("line", ["Every night I count the stars, and every night I see", "Bye bye baby, bye bye"])
def test_what_sings_easily_is_not_named(line: str) -> None:
    assert read(line).warnings == ()


def test_rhymes_come_with_the_words_that_carry_them() -> None:
    (section,) = read("I saw the light\nUpon the sea\nInto the night\nCome sail with me").sections
    assert section.rhyme_words == (("light", "night"), ("sea", "me"))
