import random

import pytest

from lyrics.document import Role
from lyrics.pronounce import Pronouncer
from lyrics.verse import Poem, clean, clean_line, lessons, pieces

STANZA = (
    "The river runs beside the road,",
    "And I go down to see;",
    "The boats come in with all their load",
    "And one for you and me.",
)
OTHER = (
    "The evening light is on the hill,",
    "The birds have gone to rest;",
    "I hear the water running still",
    "And love that sound the best.",
)


@pytest.fixture(scope="module")
def pronouncer() -> Pronouncer:
    return Pronouncer()


def poem(*stanzas: tuple[str, ...], title: str = "By the River", held_out: bool = False) -> Poem:
    return Poem(title, "A. N. Author", stanzas, "gutenberg_verse", held_out)


def kept(pronouncer: Pronouncer, *verse: tuple[Poem, float | None], limit: int = 10) -> tuple[Poem, ...]:
    return clean(verse, pronouncer, len, limit=limit).poems


@pytest.mark.parametrize(
    ("written", "cleaned"),
    [
        ("“Come home,” she said;", "Come home, she said"),
        ("And O my heart—it beats:", "And Oh my heart, it beats"),
        ("where are you?", "Where are you?"),
        ("don’t go [1] _now_...", "Don't go now"),
        ("— Landon.", "Landon"),
    ],
)
def test_lines_are_written_as_today(written: str, cleaned: str) -> None:
    assert clean_line(written) == cleaned


def test_plain_verse_is_kept_and_cleaned(pronouncer: Pronouncer) -> None:
    (found,) = kept(pronouncer, (poem(STANZA, OTHER), 1900))
    assert found.stanzas[0][0] == "The river runs beside the road"
    assert found.title == "By The River"


@pytest.mark.parametrize("death", [None, float("nan"), 1955, 1983])
def test_authors_not_long_dead_are_left_out(pronouncer: Pronouncer, death: float | None) -> None:
    assert kept(pronouncer, (poem(STANZA, OTHER), death)) == ()


@pytest.mark.parametrize(
    "line",
    [
        "And thou art all the world to me",
        "He cometh down the road",
        "The slave went down the road",
        "The Gray Man and the White Man and the Old Man came to Town",
        "The qwzth of vrondel and the smeeth of grull",
    ],
)
def test_other_diction_slurs_names_and_odd_words_leave_a_poem_out(pronouncer: Pronouncer, line: str) -> None:
    assert kept(pronouncer, (poem((line, *STANZA[1:])), 1900)) == ()


def test_the_same_lines_are_kept_once(pronouncer: Pronouncer) -> None:
    assert len(kept(pronouncer, (poem(STANZA, OTHER), 1900), (poem(STANZA, OTHER, title="Again"), 1900))) == 1


def test_the_plainest_poems_are_kept(pronouncer: Pronouncer) -> None:
    long_words = ("Remembering yesterday evening together", "Wandering everywhere under umbrellas", *OTHER[2:])
    (found,) = kept(pronouncer, (poem(long_words, title="Long"), 1900), (poem(STANZA), 1900), limit=1)
    assert found.title == "By The River"


def test_poems_in_the_first_person_go_before_tales_of_others(pronouncer: Pronouncer) -> None:
    tale = tuple(line.replace("I", "he").replace("you and me", "him and her") for line in STANZA)
    verse = [(poem(tale, title="Tale"), 1900.0), (poem(OTHER), 1900.0)]  # other lines: copies are left out
    (found,) = clean(verse, pronouncer, lambda word: 1.0, limit=1).poems
    assert found.title == "By The River"


def test_a_theme_is_made_of_the_words_nearest_in_meaning(pronouncer: Pronouncer) -> None:
    def near(text: str) -> dict[str, float]:
        assert "river" in text
        return {"river": 3.0, "boats": 2.5, "road": 2.0, "light": -1.0}

    found = {lessons([poem(STANZA)], pronouncer, seed=seed, near=near)[0].brief.theme for seed in range(12)}
    assert {word for theme in found for word in theme} <= {"river", "boats", "road", "light"}
    assert any(set(theme) == {"river", "boats", "road"} or len(theme) == 2 for theme in found)


def test_a_stanza_that_has_the_title_is_a_chorus(pronouncer: Pronouncer) -> None:
    (lesson,) = lessons([poem(STANZA, OTHER, title="The Evening Light")], pronouncer, seed=0)
    assert [line.role for line in lesson.lines[::4]] == [Role.VERSE, Role.CHORUS]


def test_a_lesson_says_syllables_and_end_word_of_every_line(pronouncer: Pronouncer) -> None:
    (lesson,) = lessons(kept(pronouncer, (poem(STANZA, OTHER), 1900)), pronouncer, seed=0)
    assert [line.num_syllables for line in lesson.lines] == [8, 6, 8, 6] * 2
    assert [line.end_word for line in lesson.lines] == "road see load me hill rest still best".split()
    assert [line.starts_section for line in lesson.lines] == [True, False, False, False] * 2
    assert all(line.learned and line.role is Role.VERSE for line in lesson.lines)


def test_a_refrain_is_a_chorus_and_learned_once(pronouncer: Pronouncer) -> None:
    refrain = (
        "Come home, come home, my own true love",
        "Come home across the sea",
        "The stars are in the sky above",
        "And you are far from me",
    )
    (lesson,) = lessons([poem(STANZA, refrain, OTHER, refrain)], pronouncer, seed=0)
    assert [line.role for line in lesson.lines[::4]] == [Role.VERSE, Role.CHORUS, Role.VERSE, Role.CHORUS]
    assert [line.learned for line in lesson.lines[4:8]] == [True] * 4
    assert [line.learned for line in lesson.lines[12:]] == [False] * 4


def test_nothing_is_learned_from_a_line_that_ends_on_a_weak_word(pronouncer: Pronouncer) -> None:
    stanza = ("I went to look for the", "Old road along the bay", *STANZA[2:])
    (lesson,) = lessons([poem(stanza, OTHER)], pronouncer, seed=0)
    assert [line.learned for line in lesson.lines[:2]] == [False, True]


def test_the_loss_falls_on_lines_and_a_little_on_end_words(pronouncer: Pronouncer) -> None:
    (lesson,) = lessons([poem(tuple(map(clean_line, STANZA)))], pronouncer, seed=0)
    found = pieces(lesson, random.Random(0), end_word_weight=0.3, open_ends=0.0)
    text = "".join(piece.text for piece in found)
    assert "[Verse]\n8 road: The river runs beside the road\n6 see: And I go" in text
    assert {piece.text for piece in found if piece.weight == 1.0} == {f" {line.text}\n" for line in lesson.lines}
    assert {piece.text for piece in found if piece.weight == 0.3} == {f" {line.end_word}" for line in lesson.lines}
    open_cues = pieces(lesson, random.Random(0), open_ends=1.0)
    assert "8: The river" in "".join(piece.text for piece in open_cues)


def test_the_same_seed_gives_the_same_lessons(pronouncer: Pronouncer) -> None:
    poems = [poem(STANZA, OTHER, title=f"Number {number}") for number in range(5)]
    assert lessons(poems, pronouncer, seed=1) == lessons(poems, pronouncer, seed=1)
    assert {lesson.brief for lesson in lessons(poems, pronouncer, seed=1)} != {
        lesson.brief for lesson in lessons(poems, pronouncer, seed=2)
    }
