import io
from pathlib import Path

import pytest

from lyrics.document import Lyrics, LyricsError, Role
from lyrics.parse import MAX_BYTES, MAX_LINES, parse_lyrics, read_lyrics


def roles(lyrics: Lyrics) -> list[str]:
    return [section.role.value for section in lyrics.sections]


def outline(text: str) -> list[tuple[str, str | None, int]]:
    """Id, repeated section and number of lines of each section."""
    return [(section.id, section.repeat_of, len(section.lines)) for section in parse_lyrics(text).sections]


TAGS = [
    ("[Verse]", Role.VERSE, "Verse"),
    ("[Verse 1]", Role.VERSE, "Verse 1"),
    ("[Verse1]", Role.VERSE, "Verse1"),
    ("[Verse 1: Anna & Ben]", Role.VERSE, "Verse 1: Anna & Ben"),
    ("[ verse  two ]", Role.VERSE, "verse two"),
    ("[Chorus - loud]", Role.CHORUS, "Chorus - loud"),
    ("[Final Chorus]", Role.CHORUS, "Final Chorus"),
    ("[Refrain]", Role.CHORUS, "Refrain"),
    ("[Pre-Chorus]", Role.PRE_CHORUS, "Pre-Chorus"),
    ("[Pre Chorus 2]", Role.PRE_CHORUS, "Pre Chorus 2"),
    ("[Prechorus]", Role.PRE_CHORUS, "Prechorus"),
    ("[Post-Chorus]", Role.HOOK, "Post-Chorus"),
    ("[Hook]", Role.HOOK, "Hook"),
    ("[Bridge]", Role.BRIDGE, "Bridge"),
    ("[Middle 8]", Role.BRIDGE, "Middle 8"),
    ("[Intro]", Role.INTRO, "Intro"),
    ("[Outro]", Role.OUTRO, "Outro"),
    ("[Coda]", Role.OUTRO, "Coda"),
    ("[Ending]", Role.OUTRO, "Ending"),
    ("[Instrumental]", Role.INSTRUMENTAL, "Instrumental"),
    ("[Interlude]", Role.INSTRUMENTAL, "Interlude"),
    ("[Guitar Solo]", Role.INSTRUMENTAL, "Guitar Solo"),
    ("[Break]", Role.INSTRUMENTAL, "Break"),
    ("Chorus:", Role.CHORUS, "Chorus"),
    ("VERSE 2:", Role.VERSE, "VERSE 2"),
]


@pytest.mark.parametrize(("tag", "role", "label"), TAGS)
def test_tags_name_roles_and_keep_their_label(tag: str, role: Role, label: str) -> None:
    (section,) = parse_lyrics(f"{tag}\nHere I am").sections
    assert (section.role, section.label, section.tagged) == (role, label, True)


def test_lines_are_kept_letter_for_letter_with_their_number() -> None:
    (section,) = parse_lyrics("[Verse]\n\n  “Ev·ery  day,” she said — O.K.?  \r\nNo").sections
    assert [(line.text, line.number) for line in section.lines] == [("“Ev·ery  day,” she said — O.K.?", 3), ("No", 4)]


@pytest.mark.parametrize("mark", ["Title: Blue Moon", "title:Blue Moon ", "# Blue Moon"])
def test_a_title_may_stand_at_the_top(mark: str) -> None:
    lyrics = parse_lyrics(f"\n{mark}\n\nHere I am")
    assert (lyrics.title, roles(lyrics)) == ("Blue Moon", ["verse"])


def test_a_number_sign_before_a_number_is_no_title() -> None:
    assert parse_lyrics("#1 in my heart").title is None


def test_a_bare_tag_repeats_the_last_section_of_that_name() -> None:
    text = "[Verse 1]\nOne\n[Chorus]\nTwo\nThree\n[Verse 2]\nFour\n[Chorus]\n[Verse 1]\n[Chorus - soft]\n"
    assert outline(text) == [
        ("v1", None, 1),
        ("c1", None, 2),
        ("v2", None, 1),
        ("c2", "c1", 2),
        ("v3", "v1", 1),
        ("c3", "c1", 2),
    ]
    assert parse_lyrics(text).sections[-1].label == "Chorus - soft"


def test_sections_without_words_are_kept() -> None:
    assert outline("[Intro]\n[Verse]\nOne\n[Instrumental]\n[Outro]") == [
        ("i1", None, 0),
        ("v1", None, 1),
        ("s1", None, 0),
        ("o1", None, 0),
    ]


def test_an_intro_with_lines_is_sung() -> None:
    assert outline("[Intro]\nOoh\n[Verse]\nOne") == [("i1", None, 1), ("v1", None, 1)]


@pytest.mark.parametrize("mark", ["[Chorus x2]", "[Chorus] x2", "[Chorus] (x2)", "[Chorus (2x)]", "[Chorus] [x2]"])
def test_a_tag_with_a_count_is_sung_so_often(mark: str) -> None:
    assert outline(f"{mark}\nOne\nTwo") == [("c1", None, 2), ("c2", "c1", 2)]
    assert parse_lyrics(f"{mark}\nOne").sections[0].label == "Chorus"


def test_a_bare_tag_may_have_a_count() -> None:
    assert outline("[Chorus]\nOne\n[Chorus] x2") == [("c1", None, 1), ("c2", "c1", 1), ("c3", "c1", 1)]


@pytest.mark.parametrize("mark", ["x2", "(x2)", "2x", "(2x)", "×2", "[x2]", "(x 2)", "X2", "(repeat x2)"])
def test_a_count_at_the_end_of_a_line_repeats_the_line(mark: str) -> None:
    (section,) = parse_lyrics(f"[Hook]\nTurn it up {mark}\nDown").sections
    assert [(line.text, line.number) for line in section.lines] == [("Turn it up", 2), ("Turn it up", 2), ("Down", 3)]


@pytest.mark.parametrize("mark", ["x3", "(x3)", "[x3]"])
def test_a_count_alone_repeats_the_section_above(mark: str) -> None:
    assert outline(f"[Hook]\nUp\nDown\n{mark}\n") == [("h1", None, 2), ("h2", "h1", 2), ("h3", "h1", 2)]


def test_lines_before_the_first_tag_are_a_verse() -> None:
    lyrics = parse_lyrics("One\nTwo\n[Chorus]\nThree")
    assert [(section.role, section.tagged) for section in lyrics.sections] == [(Role.VERSE, False), (Role.CHORUS, True)]


def test_untagged_stanzas_after_a_chorus_are_verses_where_no_verse_is_tagged() -> None:
    assert outline("One\n\n[Chorus]\nTwo\n\nThree\n\n[Chorus]\n\nFour") == [
        ("v1", None, 1),
        ("c1", None, 1),
        ("v2", None, 1),
        ("c2", "c1", 1),
        ("v3", None, 1),
    ]


def test_stanzas_belong_to_their_tag_where_verses_are_tagged() -> None:
    assert outline("[Verse]\nOne\n\nTwo\n[Chorus]\n\nThree\n\nFour") == [("v1", None, 2), ("c1", None, 2)]


def test_the_same_words_under_the_same_tag_are_a_repeat() -> None:
    assert outline("[Chorus]\nOh, my love!\n[Verse]\nOne\n[Chorus]\noh my love") == [
        ("c1", None, 1),
        ("v1", None, 1),
        ("c2", "c1", 1),
    ]


@pytest.mark.parametrize(
    ("stanzas", "names"),
    [
        ("a|b|c", ["verse", "verse", "verse"]),
        ("a|C|b|C", ["verse", "chorus", "verse", "chorus"]),
        ("a|c!|b|C", ["verse", "chorus", "verse", "chorus"]),
        ("a|P|C|b|P|C", ["verse", "pre-chorus", "chorus", "verse", "pre-chorus", "chorus"]),
        ("a|C|b|C|x/x|C", ["verse", "chorus", "verse", "chorus", "bridge", "chorus"]),
        ("a|C|b|C|x|C", ["verse", "chorus", "verse", "chorus", "verse", "chorus"]),
        ("a|C|x/x|C", ["verse", "chorus", "verse", "chorus"]),
        ("C|C", ["chorus", "chorus"]),
        ("a|C|b|C|a", ["verse", "chorus", "verse", "chorus", "verse"]),
    ],
)
def test_roles_of_untagged_stanzas(stanzas: str, names: list[str]) -> None:
    words = {"a": "Anna", "b": "Ben", "c": "Clara", "C": "Clara", "c!": "CLARA!", "P": "Peter", "x": "Xena"}
    text = "\n\n".join("\n".join(words[line] for line in stanza.split("/")) for stanza in stanzas.split("|"))
    assert roles(parse_lyrics(text)) == names


def test_untagged_sections_are_named_and_not_tagged() -> None:
    lyrics = parse_lyrics("One\n\nTwo\n\nThree\n\nTwo")
    assert [section.label for section in lyrics.sections] == ["Verse 1", "Chorus", "Verse 2", "Chorus"]
    assert not any(section.tagged for section in lyrics.sections)


@pytest.mark.parametrize("rule", ["---", "***", "…", "~ ~"])
def test_a_line_of_punctuation_ends_a_stanza(rule: str) -> None:
    assert outline(f"One\n{rule}\nTwo") == [("v1", None, 1), ("v2", None, 1)]


def test_backing_words_reach_over_lines_where_the_parenthesis_is_closed() -> None:
    (section,) = parse_lyrics("(ooh\nooh) yes\n(no\nmore").sections
    assert [[word.backing for word in line.words] for line in section.lines] == [[True], [True, False], [True], [False]]


def test_word_texts_are_their_syllables_joined() -> None:
    (section,) = parse_lyrics("Sooooo beautiful, cafe\u0301 ev·ery W 1969 Wi-Fi lovin’").sections
    for word in section.lines[0].words:
        assert "".join(syllable.text for syllable in word.syllables) == word.text


def test_a_word_divided_by_hand_has_these_syllables() -> None:
    (section,) = parse_lyrics("ev·ery ev|er|y").sections
    first, second = section.lines[0].words
    assert [syllable.text for syllable in first.syllables] == ["ev", "ery"]
    assert [syllable.text for syllable in second.syllables] == ["ev", "er", "y"]


def test_initialisms_are_sung_by_the_names_of_the_letters() -> None:
    (section,) = parse_lyrics("DJ A.M.").sections
    assert [word.syllables[0].phones for word in section.lines[0].words] == [
        ("D", "IY2"),
        ("JH", "EY1"),
        ("EY2",),
        ("EH1", "M"),
    ]


# --- Chord sheets, ChordPro, LRC ---------------------------------------------------------------------------------


def sung(text: str) -> list[str]:
    return [line.text for section in parse_lyrics(text).sections for line in section.lines]


CHORD_LINES = [
    "Am   F   C   G", "G   C", "F#m", "Bb/D", "| G | D/F# | N.C. |", "|: Cmaj7  Dm7(b5) :| x2", "E7sus4 A7sus Gadd9",
    "Esus G°", "C6/9 D69 Eaug F+", "  Dm  (G)  G*", "Am - F - C - G", "CM7 AmMaj7 B♭13 E7#9",
    "Am(maj7) C(9) G7(b9,#11) Bm7b5/E F+5b9", "e|--0--2h3--|",
    "Riff: Am G", "[Am] [F]",
]  # fmt: skip


@pytest.mark.parametrize("row", CHORD_LINES)
def test_lines_of_chords_are_left_out(row: str) -> None:
    lyrics = parse_lyrics(f"{row}\nLove is a river\n{row}\nAm I the sea")
    assert [[line.text for line in section.lines] for section in lyrics.sections] == [
        ["Love is a river", "Am I the sea"]
    ]
    assert lyrics.left_out == ("2 lines of chords",)


@pytest.mark.parametrize(
    "row",
    [
        "A",
        "Am",
        "Em",
        "Am I",
        "A B C",
        "B A D",
        "AM FM",
        "Go",
        "Do Be",
        "A Bad Dad",
        "G, C, D",
        "NC",
        "A+",
        "Ed",
        "Dim",
    ],
)
def test_lines_that_may_be_words_are_sung(row: str) -> None:
    assert sung(f"{row}\nLove is a river") == [row, "Love is a river"]
    assert parse_lyrics(row + "\nLove").left_out == ()


@pytest.mark.parametrize("sign", ["G   Em\nStay", "Key: A\nStay", "Capo 2\nStay", "G C D\nStay\nC D G\nOn"])
def test_in_a_chord_sheet_lines_that_may_be_chords_are(sign: str) -> None:
    assert sung(f"{sign}\nA\nLove is a river") == [*(row for row in ("Stay", "On") if row in sign), "Love is a river"]


def test_tags_before_chords_stay() -> None:
    lyrics = parse_lyrics("[Intro] G D Em C\n\nVerse 1: Am\nLove is\n\nOutro: | G | C |")
    assert [(section.id, len(section.lines)) for section in lyrics.sections] == [("i1", 0), ("v1", 1), ("o1", 0)]


def test_chords_between_letters_are_left_out() -> None:
    text = "[Chorus] [Am]Love [C] is a ri[F]ver[G][N.C.] x2\n[*softly]On"
    assert sung(text) == ["Love is a river", "Love is a river", "On"]
    assert parse_lyrics(text).left_out == ("5 chords among the words", "1 note about the song")


def test_the_place_of_an_error_counts_the_chords() -> None:
    with pytest.raises(LyricsError, match=r"^line 2, column 9: cannot pronounce “愛”"):
        parse_lyrics("[Verse]\n[C]Love 愛 [D]now")


def test_chordpro_is_read() -> None:
    lyrics = parse_lyrics(
        "# of a book\n{t: Home}\n{artist: Nobody}\n{sov}\n[G]One\n\n[C]Two\n{eov}\n{soc: all together}\nThree\n{eoc}\n"
        'Four\n{start_of_bridge label="Bridge 1"}\nFive\n{eob}\n{comment: Chorus}\n{c: Slowly now}\n'
        "{start_of_pre_chorus}\nSix\n{end_of_pre_chorus}\n{sot}\ne|---|\nmute\n{eot}\n{chorus}\nSeven"
    )
    assert lyrics.title == "Home"
    assert [(section.id, section.label, [line.text for line in section.lines]) for section in lyrics.sections] == [
        ("v1", "Verse", ["One", "Two"]),
        ("c1", "Chorus: all together", ["Three"]),
        ("v2", "Verse 2", ["Four"]),
        ("b1", "Bridge 1", ["Five"]),
        ("c2", "Chorus", ["Three"]),
        ("pc1", "Pre chorus", ["Six"]),
        ("c3", "Chorus", ["Three"]),
        ("v3", "Verse 3", ["Seven"]),
    ]
    assert lyrics.left_out == ("2 lines of chords", "2 chords among the words", "3 notes about the song")


@pytest.mark.parametrize("row", ["{ooh}", "{ooh} yeah", "{oh my: love} yeah"])
def test_other_braces_are_sung(row: str) -> None:
    assert sung(row) == [row]


def test_time_stamps_are_left_out() -> None:
    lyrics = parse_lyrics(
        "[ti:Home]\n[ar: Me]\n[length:02:00]\n[00:12.00]One <00:12.50> more\n[00:14]\n[01:15.123]time"
    )
    assert (lyrics.title, lyrics.left_out) == ("Home", ("4 time stamps", "3 notes about the song"))
    assert [[line.text for line in section.lines] for section in lyrics.sections] == [["One more"], ["time"]]


def test_a_line_with_several_time_stamps_is_sung_at_each() -> None:
    assert sung("[00:01.00][00:09.00]One\n[00:02.00]Two\n[00:05.50]Three") == ["One", "Two", "Three", "One"]


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "A|" * 300_000, "{" * 100_000, "e|" + "--" * 400_000, "<00:" * 100_000]
)
def test_long_lines_of_marks_are_read_in_time(text: str) -> None:
    with pytest.raises(LyricsError):
        parse_lyrics(text + "!")


# --- Bad input ---------------------------------------------------------------------------------------------------

BAD = [
    ("", r"^the lyrics are empty"),
    (" \n\t\n", r"^the lyrics are empty"),
    ("[Verse]\n\n[Chorus]", r"^line 1, column 1: there are no lines to sing"),
    ("[Intro]", r"no lines to sing"),
    ("…\n---", r"no lines to sing"),
    ("Title: One", r"no lines to sing"),
    ("[Verse]\nHi\n  [Chrous]\nHi", r"^line 3, column 3: unknown tag \[Chrous\]; did you mean \[Chorus\]\?.*\[Hook\]"),
    ("[]\nHi", r"^line 1, column 1: unknown tag \[\]\. Known tags"),
    ("[Verse 1\nHi", r"^line 1, column 1: a tag is not closed"),
    (
        "[Verse]\nHi\n\n[Chorus]\n\n[Verse 2]\nHo",
        r"^line 4, column 1: \[Chorus\] has no lines, and there is none before",
    ),
    ("[Verse 1]\nHi\n[Verse 2]\n[Outro]", r"^line 3, column 1: \[Verse 2\] has no lines"),
    ("x2\nHi", r"^line 1, column 1: there is nothing before this to repeat"),
    ("Hi x99", r"^line 1, column 4: repeat from 1 to 32 times, not 99"),
    ("Hi x0", r"repeat from 1 to 32 times, not 0"),
    ("Hi\nx32\nx32", r"repeat from 1 to 32 times"),
    ("Hi\0there", r"^line 1, column 3: the character U\+0000"),
    ("One\nTw\x07o", r"^line 2, column 3: the character U\+0007"),
    ("Hi \ud800", r"^line 1, column 4: the character U\+D800"),
    ("One\n  Hi 💔", r"^line 2, column 6: cannot pronounce “💔”: write it in English letters, .*pronunciation file"),
    ("愛\nпривет 愛", r"^line 1, column 1: cannot pronounce “愛” and “привет” \(line 2, column 1\): write them"),
    ("愛 " * 3 + "привет мир да нет ну", r"“愛”, “привет” .*, and 1 more: write them"),
    ("la " * 5000, r"^line 1, column 361: the line has more than 120 syllables"),
    ("Hi\n" + "banana " * 41, r"^line 2, column 281: the line has more than 120 syllables"),
    ("qwertzuiop" * 11, r"has 110 letters, more than 100"),
    ("a;" * 2000, r"^line 1, column 3001: the line has 4,000 characters"),
    ("la\n" * (MAX_LINES + 1), rf"^line {MAX_LINES + 1}: more than 5,000 lines"),
    ("la\n" * 1000 + "x32", r"more than 5,000 lines with all repeats"),
    ("la la la\n" * 200_000, r"more than 1,000,000 characters"),
]


@pytest.mark.parametrize(("text", "message"), BAD, ids=range(len(BAD)))
def test_bad_lyrics_are_one_sentence_with_the_place(text: str, message: str) -> None:
    with pytest.raises(LyricsError, match=message) as caught:
        parse_lyrics(text)
    assert "\n" not in str(caught.value)


def test_the_place_of_an_error_is_also_given_as_numbers() -> None:
    with pytest.raises(LyricsError) as caught:
        parse_lyrics("One\nTwo 愛")
    assert (caught.value.line, caught.value.column) == (2, 5)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_files_with_a_byte_order_mark_are_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "song.txt"
    path.write_bytes("Title: Café\nHéllo".encode(encoding))
    lyrics = read_lyrics(path)
    assert (lyrics.title, lyrics.sections[0].lines[0].text) == ("Café", "Héllo")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"Hello\ncaf\xe9 noir", r"^line 2, column 4: .*song.txt is not UTF-8 \(byte 10 is 0xE9\); save it as UTF-8"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", r"song.txt is not a text file \(byte 9 is zero\)"),
        (b"abc\0def", r"^line 1, column 4: the character U\+0000"),
        (b"\xff\xfeabc", r"begins like UTF-16, but is not"),
        (b"", r"empty"),
        (b"la " * 4_000_000, rf"larger than {MAX_BYTES:,} bytes"),
    ],
)
def test_files_that_are_no_lyrics_are_refused(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "song.txt"
    path.write_bytes(data)
    with pytest.raises(LyricsError, match=message):
        read_lyrics(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LyricsError, match=r"^there is no file .*nowhere\.txt"):
        read_lyrics(tmp_path / "nowhere.txt")
    with pytest.raises(LyricsError, match=r"is a folder"):
        read_lyrics(tmp_path)


def test_standard_input_is_read_where_no_file_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("Héllo".encode())))
    assert read_lyrics(None).sections[0].lines[0].text == "Héllo"


def test_the_numbers_of_stanzas_are_not_sung() -> None:
    lyrics = parse_lyrics("1. O God, our help\nOur hope\n\n2. Beneath the throne\n2. again\n\n3\nThe third")
    assert [[line.text for line in section.lines] for section in lyrics.sections] == [
        ["O God, our help", "Our hope"],
        ["Beneath the throne", "2. again"],
        ["The third"],
    ]
    assert lyrics.sections[2].lines[0].number == 8


@pytest.mark.parametrize(
    "text",
    ["7 a.m., get up\nNow", "1. One line alone", "2. Two\n\n3. Three", "1 for the money\n\n2 for me", "1\n\n2\n\n3"],
)
def test_other_numbers_are_sung(text: str) -> None:
    first = parse_lyrics(text).sections[0].lines[0]
    assert first.text == text.split("\n")[0]
