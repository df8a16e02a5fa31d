import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lyrics.document import LyricsError
from lyrics.function_words import is_function_word
from lyrics.heteronyms import _TABLE as HETERONYMS
from lyrics.pronounce import SONG_WORDS, Pronouncer, UnpronounceableError, fold, read_entries
from lyrics.syllable import PHONES, count_syllables, is_vowel

PRONOUNCER = Pronouncer()


def parts(word: str, before: str = "", after: str = "") -> str:
    return "|".join(syllable.text for syllable in PRONOUNCER.syllables(word, before=before, after=after))


def phones(word: str, before: str = "", after: str = "") -> str:
    return " ".join(phone for s in PRONOUNCER.syllables(word, before=before, after=after) for phone in s.phones)


@pytest.mark.parametrize(
    "division",
    [
        "beau|ti|ful",
        "Beau|ti|ful",
        "lov|in'",
        "Lov|in’",
        "ev|ery",
        "fire",
        "flow|er",
        "hour",
        "de|sire",
        "walked",
        "Wi-|Fi",
        "twen|ty-|four",
        "to-|mor|row",
        "good-|bye",
        "a-|rov|ing",
        "ca|fé",
        "na|ïve",
        "se|ñor",
        "bless|èd",
        "o'er",
        "e'en",
        "heav'n",
        "pow'r",
        "'til",
        "'Cause",
        "’cause",
        "ev|'ry",
        "ev|’ry|thing",
        "wan|d'ring",
        "heav'n|ly",
        "lov'd",
        "know'st",
        "o'er|came",
        "did|n't",
        "would|n't",
        "I'll",
        "mo|ther's",
        "box|es'",
        "sooooo",
        "yeahhh",
        "D|J",
        "y'all",
        "red|dest",
        "dream|less",
        "un|think|ing",
        "ﬁre",
        "cafe\u0301".replace("cafe", "ca|fe"),
    ],
)
def test_words_are_sung_and_divided_as_in_print(division: str) -> None:
    assert parts(division.replace("|", "")) == division


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("D", "D IY1"),
        ("a", "AH0"),
        ("lovin'", "L AH1 V IH0 N"),
        ("heav'n", "HH EH1 V N"),
        ("ev'ry", "EH1 V R IY0"),
        ("wand'ring", "W AA1 N D R IH0 NG"),
        ("lov'd", "L AH1 V D"),
        ("cometh", "K AH1 M IH0 TH"),
        ("griefs", "G R IY1 F S"),
        ("gladness", "G L AE1 D N AH0 S"),
        ("blessèd", "B L EH1 S IH0 D"),
        ("th'eternal", "DH IH0 T ER1 N AH0 L"),
        ("thou'lt", "DH AW1 L T"),
        ("café", "K AH0 F EY1"),
        ("hmm", "HH AH1 M"),
        ("tv", "T IY1 V IY1"),
    ],
)
def test_words_outside_the_dictionary_are_built_from_those_in_it(word: str, said: str) -> None:
    assert phones(word) == said
    assert PRONOUNCER.knows(word)


@pytest.mark.parametrize(
    ("before", "word", "after", "said"),
    [
        ("we", "live", "here", "L IH1 V"),
        ("a", "live", "wire", "L AY1 V"),
        ("have", "read", "it", "R EH1 D"),
        ("to", "read", "it", "R IY1 D"),
        ("the", "wind", "blows", "W IH1 N D"),
        ("", "wind", "up", "W AY1 N D"),
        ("a", "tear", "fell", "T IH1 R"),
        ("to", "tear", "it", "T EH1 R"),
        ("so", "close", "to", "K L OW1 S"),
        ("", "close", "your", "K L OW1 Z"),
        ("", "Close", "your", "K L OW1 Z"),
        ("no", "use", "", "Y UW1 S"),
        ("I", "use", "it", "Y UW1 Z"),
        ("a", "record", "", "R EH1 K ER0 D"),
        ("to", "record", "", "R IH0 K AO1 R D"),
        ("the", "present", "", "P R EH1 Z AH0 N T"),
        ("they", "present", "", "P R IY0 Z EH1 N T"),
        ("like", "lead", "", "L EH1 D"),
        ("you", "lead", "", "L IY1 D"),
        ("in", "the", "evening", "DH IY0"),
        ("in", "the", "morning", "DH AH0"),
        ("in", "the", "one", "DH AH0"),
    ],
)
def test_neighbours_decide_heteronyms(before: str, word: str, after: str, said: str) -> None:
    assert phones(word, before, after) == said


@pytest.mark.parametrize("word", sorted(HETERONYMS))
def test_heteronyms_are_entries_of_arpabet_with_different_sounds(word: str) -> None:
    entry = HETERONYMS[word]
    assert entry.usual != entry.other
    for said in (entry.usual, entry.other):
        assert all(phone.rstrip("012") in PHONES and is_vowel(phone) == phone[-1].isdigit() for phone in said)
    assert entry.before or entry.after


def test_stress_follows_the_pronunciation() -> None:
    assert [s.stress for s in PRONOUNCER.syllables("tomorrow")] == [0, 1, 2]


def test_a_guess_is_told_from_knowledge() -> None:
    assert not PRONOUNCER.knows("zorblatt")
    assert PRONOUNCER.knows("moonlight")
    assert not PRONOUNCER.knows("moonlight-zorblatt")


def test_a_compound_of_known_words_parts_between_them() -> None:
    assert parts("milkwhite") == "milk|white"
    assert parts("heartbreaker") == "heart|break|er"


def test_the_users_division_decides_the_number_of_syllables() -> None:
    assert [s.phones for s in PRONOUNCER.syllables("every", forced=("ev", "e", "ry"))] == [
        ("EH1",),
        ("V", "ER0"),
        ("IY0",),
    ]
    assert [s.phones for s in PRONOUNCER.syllables("love", forced=("lo", "ve"))] == [("L", "AH1"), ("V", "AH0")]
    (one,) = PRONOUNCER.syllables("heaven", forced=("heaven",))
    assert (one.text, one.stress) == ("heaven", 1)


def test_a_division_that_does_not_spell_the_word_is_refused() -> None:
    for forced in (("hea", "en"), ("heaven", "")):
        with pytest.raises(ValueError, match="do not spell"):
            PRONOUNCER.syllables("heaven", forced=forced)


@pytest.mark.parametrize("word", ["Привет", "日本", "123", "-", "'", "", "♥", "loveд"])
def test_words_of_other_scripts_are_refused_by_name(word: str) -> None:
    with pytest.raises(UnpronounceableError, match=r"pronunciation file") as caught:
        PRONOUNCER.syllables(word)
    assert caught.value.word == word


def test_what_is_no_letter_stays_with_the_letter_before() -> None:
    assert parts("love♥") == "love♥"
    assert parts("-hello-") == "-hel|lo-"
    assert parts("'-hello") == "'-hel|lo"


latin = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyzABCéüñßæœﬁ'’-‐1♥ ̈"), max_size=30)


@given(latin)
@settings(deadline=None, max_examples=300)
def test_any_latin_word_keeps_its_letters_in_full_syllables(word: str) -> None:
    if not re.search("[a-z]", fold(word)):
        with pytest.raises(UnpronounceableError):
            PRONOUNCER.syllables(word)
        return
    syllables = PRONOUNCER.syllables(word)
    assert "".join(syllable.text for syllable in syllables) == word
    for syllable in syllables:
        assert syllable.text
        assert count_syllables(syllable.phones) >= 1
        assert syllable.stress in (0, 1, 2)


@given(st.text(max_size=12))
@settings(deadline=None, max_examples=300)
def test_any_text_is_sung_or_refused(word: str) -> None:
    try:
        syllables = PRONOUNCER.syllables(word)
    except UnpronounceableError:
        return
    assert "".join(syllable.text for syllable in syllables) == word


@given(st.text("abcdefghijklmnopqrstuvwxyz'-é", min_size=1, max_size=10), st.data())
@settings(deadline=None, max_examples=200)
def test_any_division_by_the_user_is_sung_as_it_stands(word: str, data: st.DataObject) -> None:
    if not re.search("[a-z]", fold(word)):
        return
    cuts = sorted(data.draw(st.sets(st.integers(1, len(word) - 1)))) if len(word) > 1 else []
    forced = tuple(word[start:end] for start, end in zip([0, *cuts], [*cuts, len(word)], strict=True))
    syllables = PRONOUNCER.syllables(word, forced=forced)
    assert tuple(syllable.text for syllable in syllables) == forced
    assert all(count_syllables(syllable.phones) for syllable in syllables)


def test_a_word_of_thousands_of_letters_is_sung() -> None:
    syllables = PRONOUNCER.syllables("ab" * 2500)
    assert "".join(syllable.text for syllable in syllables) == "ab" * 2500


def test_every_number_of_syllables_depends_on_the_word_alone() -> None:
    words = ["zorblatt", "moonlight", "ev'ry", "moonlightzorb"]
    forwards, backwards = Pronouncer(), Pronouncer()
    one = {word: forwards.syllables(word) for word in words}
    other = {word: backwards.syllables(word) for word in reversed(words)}
    assert one == other


# --- the pronunciation file ------------------------------------------------------------------------------------------


def write(folder: Path, text: str) -> Path:
    path = folder / "words.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_users_file_comes_first(tmp_path: Path) -> None:
    pronouncer = Pronouncer(
        write(
            tmp_path,
            "# names\n\nSiobhan  SH IH0 V AO1 N  # Irish\nsiobhan  sio-bhan\n"
            "zorb  Z AO1 R B\nПривет  P R IH0 V Y EH1 T\n"
            "nothing  noth-ing\n",
        )
    )
    assert [(s.text, s.phones) for s in pronouncer.syllables("Siobhan")] == [
        ("Sio", ("SH", "IH0")),
        ("bhan", ("V", "AO1", "N")),
    ]
    assert pronouncer.knows("siobhan")
    assert pronouncer.syllables("zorbs")[0].phones == ("Z", "AO1", "R", "B", "Z")
    assert [s.text for s in pronouncer.syllables("Привет")] == ["При", "вет"]
    assert pronouncer.knows("Привет")
    assert [s.text for s in pronouncer.syllables("Nothing")] == ["Noth", "ing"]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("love\n", 1, "needs its phones"),
        ("a  AH0\nlove  L AH V\n", 2, "'AH' in 'love' needs a stress digit"),
        ("love  L1 AH1 V\n", 1, "'L1' in 'love' is a consonant"),
        ("love  L QQ V\n", 1, "'QQ' is no ARPAbet phone"),
        ("hm  HH M\n", 1, "needs a vowel"),
        ("love  lo-v\n", 1, "do not spell"),
    ],
)
def test_a_mistake_in_the_users_file_is_named_with_its_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    with pytest.raises(LyricsError, match=re.escape(message)) as caught:
        Pronouncer(write(tmp_path, text))
    assert caught.value.line == line


def test_a_users_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(b"\xff\xfe\x00love")
    with pytest.raises(LyricsError, match="not UTF-8"):
        Pronouncer(path)


def test_our_own_list_of_song_words_follows_the_rules_of_the_users_file() -> None:
    entries = read_entries(SONG_WORDS)
    assert len(entries.phones) > 100
    for word, division in entries.parts.items():
        assert len(PRONOUNCER.syllables(word)) == len(division)


# --- function words --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "word", ["the", "The", "I", "I'll", "they’ve", "don't", "'cause", "’til", "into", "thy", "can't"]
)
def test_grammar_words_are_function_words(word: str) -> None:
    assert is_function_word(word)


@pytest.mark.parametrize("word", ["river", "love", "oh", "sing", "never", "mother's", "day", "heart", "", "ooh"])
def test_words_with_sense_are_not(word: str) -> None:
    assert not is_function_word(word)
