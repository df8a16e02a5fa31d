import dataclasses
import json
import time

import pytest

from lyrics.analysis import Analysis, analyze
from lyrics.document import Lyrics
from lyrics.parse import parse_lyrics
from lyrics.pronounce import Pronouncer
from lyrics.prosody import Metre, find_metre

PRONOUNCER = Pronouncer()

SONG = """Title: Paper Boats

[Intro]

[Verse 1]
The miller rose at break of day
And looked upon the wheel,
The river had been drawn away,
The stones had naught to feel.

[Chorus]
Paper boats, carry me
Paper boats, to the sea (to the sea)

[Verse 2]
We sailed a zorblatt down the stream
And never came to land
The morning woke me from a dream
With water in my hand

[Chorus]
"""


def analysis(text: str) -> Analysis:
    return analyze(parse_lyrics(text, PRONOUNCER))


def metre(text: str) -> Metre:
    return find_metre(parse_lyrics("[Verse]\n" + text, PRONOUNCER).sections[0].lines)


METRES = [
    ("common metre 8.6.8.6", "The moon came down as white as snow/And stood beside the door/I never thought that I would know/What I had come there for"),  # noqa: E501
    ("long metre 8.8.8.8", "The moon came down as white as snow/And stood beside the open door/I never thought that I would know/The thing that I had come there for"),  # noqa: E501
    ("iambic pentameter", "I never saw the winter come so late/Or heard the river singing in the snow"),
    ("trochaic tetrameter", "Peter wandered through the valley/Singing songs of summer weather"),
    ("trochaic tetrameter", "Little lamb along the river/Tell me where the water's going"),
    ("anapestic tetrameter", "On the edge of the world in the dead of the night/I was lost in the dark and I longed for the light"),  # noqa: E501
    ("dactylic tetrameter", "Silver and slow is the water of sleep/Stars in the meadow and moon on the hill"),
    ("mixed", "Results go out, everything else to the printer/Exit codes zero okay, one failed, two bad input/Nothing is overwritten without force"),  # noqa: E501
]  # fmt: skip


@pytest.mark.parametrize(("name", "text"), METRES)
def test_metres_are_named(name: str, text: str) -> None:
    assert metre(text.replace("/", "\n")).name == name


STRESS = [
    ("The river had been drawn away", "x/x/x/x/"),
    ("Silver and slow is the water of sleep", "/xx/xx/xx/"),
    ("On the edge of the world in the dead of the night", "xx/xx/xx/xx/"),
    ("And all the happiness I know", "x/x/x/x/"),
    ("Hi", "/"),
]


@pytest.mark.parametrize(("line", "stress"), STRESS)
def test_beats_fall_on_stressed_and_lifted_syllables(line: str, stress: str) -> None:
    assert metre(line).stress == (stress,)


def test_syllable_patterns_need_a_stanza() -> None:
    assert metre("la la la\nla la\nla la la\nla la").pattern == "3.2.3.2"
    assert metre("\n".join(["la la la", "la la"] * 4)).pattern == "3.2.3.2 D"
    assert metre("la la la\nla la\nla la la la\nla la la").pattern is None
    assert metre("la la la\nla la").pattern is None


def test_every_line_has_one_sign_per_syllable() -> None:
    for section in analysis(SONG).sections:
        for line in section.lines:
            assert len(line.stress) == line.num_syllables
            assert line.stress.count("/") == line.num_beats >= 1


def test_sections_are_described() -> None:
    found = analysis(SONG)
    intro, verse, chorus, _, last = found.sections
    assert (intro.id, intro.metre, intro.rhyme_scheme, intro.lines) == ("i1", None, "", ())
    assert (verse.id, verse.label, verse.metre) == ("v1", "Verse 1", "common metre 8.6.8.6")
    assert (verse.rhyme_scheme, verse.rhyme_labels, verse.pattern) == ("ABAB", ("A", "B", "A", "B"), "8.6.8.6")
    assert [line.id for line in verse.lines] == ["v1.1", "v1.2", "v1.3", "v1.4"]
    assert [line.rhyme_word for line in verse.lines] == ["day", "wheel", "away", "feel"]
    assert {line.rhyme_kind for line in verse.lines} == {"perfect"}
    assert chorus.rhyme_scheme == "AA"
    assert (last.repeat_of, last.lines[0].id, last.lines[0].stress) == ("c1", "c2.1", chorus.lines[0].stress)


def test_the_whole_song_is_described() -> None:
    found = analysis(SONG)
    assert (found.title, found.num_lines, found.foot) == ("Paper Boats", 12, "iambic")
    assert found.num_syllables == sum(line.num_syllables for section in found.sections for line in section.lines)
    assert "nature" in [theme.name for theme in found.themes]


def test_guessed_words_are_named() -> None:
    assert [line.guessed for line in analysis(SONG).sections[3].lines] == [("zorblatt",), (), (), ()]


@pytest.mark.parametrize(
    ("text", "hook"),
    [
        ("One two\nThree\none two!", ("One two", 2)),
        ("Title: Three\nOne two\nThree\nOne two\nThree four\nThree", ("Three", 2)),
        ("[Verse]\nHi\nHi\n[Chorus]\nHo\nHo", ("Ho", 2)),
        ("One\nTwo", None),
    ],
)
def test_the_hook_is_the_line_sung_most_often(text: str, hook: tuple[str, int] | None) -> None:
    found = analysis(text).hook
    assert (found and (found.text, found.count)) == hook


def test_an_analysis_becomes_json() -> None:
    found = json.loads(json.dumps(dataclasses.asdict(analysis(SONG))))
    assert found["sections"][1]["role"] == "verse"
    assert found["sections"][1]["lines"][0]["rhyme_kind"] == "perfect"


def test_lyrics_without_lines_are_an_error() -> None:
    with pytest.raises(ValueError, match="no lines to analyze"):
        analyze(Lyrics(()))


def test_a_song_of_24_lines_is_parsed_and_analyzed_quickly() -> None:
    verse = "The miller rose at break of day\nAnd looked upon the wheel, 24/7\n" * 3
    text = "\n\n".join(verse.replace("miller", name) for name in ("miller", "sailor", "farmer", "dreamer"))
    analyze(parse_lyrics(text, Pronouncer()))  # the dictionary is read once
    start = time.process_time()
    analyze(parse_lyrics(text, Pronouncer()))
    assert time.process_time() - start < 0.2  # 0.02 s on an idle machine
