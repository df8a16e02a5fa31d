import pytest

from lyrics.document import Line
from lyrics.parse import parse_lyrics
from lyrics.pronounce import Pronouncer
from lyrics.rhyme import RhymeKind, find_rhymes, rhyme_kind, rhyme_scheme

PRONOUNCER = Pronouncer()


def lines(text: str) -> tuple[Line, ...]:
    (section,) = parse_lyrics("[Verse]\n" + text, PRONOUNCER).sections
    return section.lines


PAIRS = [
    ("all through the night", "a candle light", "perfect"),
    ("the day", "the café", "perfect"),
    ("come and hold me", "what they told me", "perfect"),
    ("you never surrender", "so warm and tender", "perfect"),
    ("bring him to me", "over the sea", "perfect"),
    ("a melody", "over the sea", "perfect"),
    ("I keep on lovin'", "the sky above in", "perfect"),
    ("fire in the dark", "lights in the park", "perfect"),
    ("I saw a dog", "lost in the fog", "perfect"),
    ("over the sea", "now I see", "identity"),
    ("turn it up", "get it up", "identity"),
    ("when you leave", "I believe", "identity"),
    ("a little time", "on the line", "slant"),
    ("this time", "all the times", "slant"),
    ("my love", "I move", "slant"),
    ("in the rain", "know your name", "slant"),
    ("a melody", "in harmony", "slant"),
    ("all alone", "the sky", None),
    ("falling", "running", None),
    ("a river", "the water", None),
    ("for me", "for him", None),
    ("I go home (ooh ooh)", "all alone", "slant"),
    ("roses", "poses", "perfect"),
    ("full of sorrow", "until tomorrow", "perfect"),
    ("by the hour", "like a flower", "perfect"),
    ("in the sunlight", "in the night", "perfect"),
]


@pytest.mark.parametrize(("first", "second", "kind"), PAIRS)
def test_kinds_of_rhyme(first: str, second: str, kind: str | None) -> None:
    one, other = lines(f"{first}\n{second}")
    assert rhyme_kind(one, other) == kind
    assert rhyme_kind(other, one) == kind


def test_every_line_is_identical_with_itself() -> None:
    for line in lines("All through the night\nTo me\nHappily\nThe\nHmm"):
        assert rhyme_kind(line, line) is RhymeKind.IDENTITY


SCHEMES = [
    ("day/night/play/light", "ABAB"),
    ("day/play/night/light", "AABB"),
    ("day/moon/water/soon", "-A-A"),
    ("day/moon/soon/play", "ABBA"),
    ("day/moon/apple/water", "----"),
    ("love me/love me/love me", "AAA"),
    ("time/day/line/play", "ABAB"),
    ("low/go/knows/so", "AAAA"),
    ("day/moon/apple/water/cat/silver/mountain/window/orange/play", "----------"),
]


@pytest.mark.parametrize(("words", "scheme"), SCHEMES)
def test_rhyme_schemes(words: str, scheme: str) -> None:
    assert rhyme_scheme(find_rhymes(lines(words.replace("/", "\n")))) == scheme


def test_rhymes_name_the_word_and_the_kind() -> None:
    day, night, play, _ = find_rhymes(lines("a day,\na night\nwe play (yeah)\na moon"))
    assert (day.label, day.word, day.kind) == ("A", "day", RhymeKind.PERFECT)
    assert (night.label, night.word, night.kind) == ("-", "night", None)
    assert (play.label, play.word, play.kind) == ("A", "play", RhymeKind.PERFECT)


def test_a_perfect_partner_is_preferred_to_a_nearer_slant_one() -> None:
    assert rhyme_scheme(find_rhymes(lines("the line\nthe time\nall fine\na rhyme"))) == "ABAB"


def test_labels_go_on_after_z() -> None:
    rimes = (
        "ay ee eye oh oo ale eel ile ole ool ain een ine one oon air ear ire ore oar at et it ot ut ap ep ip".split()
    )
    words = [f"b{rime}\nd{rime}" for rime in rimes]
    labels = [rhyme.label for rhyme in find_rhymes(lines("\n".join(words)))]
    assert set(labels) <= {"-", *map(chr, range(65, 91)), *(f"{letter}1" for letter in "ABCDEFGHIJ")}


def test_no_lines_have_no_rhymes() -> None:
    assert find_rhymes(()) == ()
