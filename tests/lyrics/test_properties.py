"""Laws that any text must obey: it is refused in one sentence, or kept letter for letter."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from lyrics.analysis import analyze
from lyrics.document import Line, Lyrics, LyricsError
from lyrics.parse import parse_lyrics
from lyrics.pronounce import Pronouncer

PRONOUNCER = Pronouncer()
MARKS = re.compile(r"(?<=\w)[·‧|]+(?=\w)")

any_text = st.text(max_size=200)
# Latin letters with all that the rules know about, so that most examples are sung.
PIECES = (
    "love the a I o ooh la rain's lovin' 'til ’cause y'all NO USA DJs U.S.A. a.m. Mr. St. No. café e\u0301 ﬁ ß Wi-Fi "
    "na-na-na Sooo ev·ery ev|ery 24/7 1969 '90s $5 $1.50 3:30 1st 9-5 1,000 .5 -5 ½ 100% 5am MP3 & @ + = # #1 <3 * ** "
    "_ ( ) (ooh) [ ] [Chorus] [Verse Title: x2 (x2) 2x “ ” \" ' ’ , . ... … ! ? — – -- - / | · ♪ ~ \u200b \u00ad W "
    "w/ f*k [Am] [C/G] Am F#m | N.C. {soc} {eoc} {c:x} [00:12.50] <00:12.5> [ti:A] Key:"
).split(" ")
BLANKS = ["", " ", " ", " ", "\n", "\n\n"]
sung_text = st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from(BLANKS)), max_size=30).map(
    lambda pairs: "".join(piece + blank for piece, blank in pairs)
)
line_text = st.text(st.characters(codec="utf-8", max_codepoint=0x24F, exclude_categories=["Cc"]), max_size=60)


def parse(text: str) -> Lyrics | None:
    """The lyrics, or None if they are refused as they should be."""
    try:
        return parse_lyrics(text, PRONOUNCER)
    except LyricsError as error:
        refusal = error
    assert "\n" not in str(refusal)
    assert refusal.line is None or 1 <= refusal.line <= len(re.split("\r\n|[\n\r\v\f\x85\u2028\u2029]", text))
    return None


def letters(text: str) -> str:
    """What is left of a text without blanks, zero-width characters and marks of division."""
    return "".join(char for char in MARKS.sub("", text) if char.isalnum())


def tokens(line: Line) -> list[tuple[str, str, str]]:
    """Prefix, written form and suffix of each written token."""
    found: dict[int, tuple[str, str, str]] = {}
    for word in line.words:
        prefix = found[word.token][0] if word.token in found else word.prefix
        found[word.token] = (prefix, word.written, word.suffix)
    return list(found.values())


def check(lyrics: Lyrics) -> None:
    ids = [section.id for section in lyrics.sections]
    assert len(set(ids)) == len(ids)
    for section in lyrics.sections:
        assert section.repeat_of is None or ids.index(section.repeat_of) < ids.index(section.id)
        for line in section.lines:
            assert line.words
            assert line.text == line.text.strip()
            for word in line.words:
                assert word.syllables
                assert "".join(syllable.text for syllable in word.syllables) == word.text
                assert all(any(phone[-1].isdigit() for phone in syllable.phones) for syllable in word.syllables)
            whole = "".join(prefix + written + suffix for prefix, written, suffix in tokens(line))
            assert letters(whole) == letters(line.text)


@given(any_text)
@settings(deadline=None)
def test_any_text_is_sung_letter_for_letter_or_refused(text: str) -> None:
    lyrics = parse(text)
    if lyrics is not None:
        check(lyrics)


@given(line_text)
@settings(max_examples=300, deadline=None)
def test_any_latin_line_is_sung_letter_for_letter_or_refused(text: str) -> None:
    lyrics = parse(text)
    if lyrics is not None:
        check(lyrics)


@given(sung_text)
@settings(max_examples=400, deadline=None)
def test_any_mixture_of_what_lyrics_are_made_of_is_sung_or_refused(text: str) -> None:
    lyrics = parse(text)
    if lyrics is not None:
        check(lyrics)
        found = analyze(lyrics)
        assert [len(section.rhyme_labels) for section in found.sections] == [len(s.lines) for s in lyrics.sections]


@given(st.binary(max_size=100))
@settings(deadline=None)
def test_any_latin_1_bytes_are_sung_or_refused(data: bytes) -> None:
    parse(data.decode("latin-1"))


@given(sung_text)
@settings(max_examples=50, deadline=None)
def test_parsing_twice_gives_the_same(text: str) -> None:
    assert parse(text) == parse(text)
