import pytest

from lyrics.cmudict import pronunciations
from lyrics.normalize import SungWord, sung_words
from lyrics.spoken_numbers import LARGEST, cardinal, decimal, ordinal, plural, whole


def knows(word: str) -> bool:
    return bool(pronunciations(word.lower()))


def words(line: str) -> tuple[SungWord, ...]:
    return sung_words(line, knows)


def texts(line: str) -> str:
    return " ".join(word.text for word in words(line))


# What is written, what is sung. Each row is one rule.
SPOKEN = [
    ("24/7", "twenty-four seven"),
    ("24/7/365", "twenty-four seven three sixty-five"),
    ("50/50", "fifty fifty"),
    ("9/11", "nine eleven"),
    ("1/2", "one half"),
    ("2½", "two and a half"),
    ("in 1969", "in nineteen sixty-nine"),
    ("in 1905", "in nineteen oh five"),
    ("in 2000 and 2009 and 2020", "in two thousand and two thousand nine and twenty twenty"),
    ("the '90s", "the nineties"),
    ("the ’90s", "the nineties"),
    ("the 1990s", "the nineteen nineties"),
    ("the 2020s", "the twenty twenties"),
    ("the 80's", "the eighties"),
    ("summer of '69", "summer of sixty-nine"),
    ("class of '05", "class of oh five"),
    ("a 1st and 22nd time", "a first and twenty-second time"),
    ("100th", "one hundredth"),
    ("3:30", "three thirty"),
    ("at 12:00", "at twelve o'clock"),
    ("at 3:05", "at three oh five"),
    ("at 7:00 a.m.", "at seven a m"),
    ("5am", "five a m"),
    ("5 am", "five a m"),
    ("9 to 5", "nine to five"),
    ("9-5", "nine to five"),
    ("1-2-3", "one two three"),
    ("867-5309", "eight six seven five three oh nine"),
    ("3.14", "three point one four"),
    (".5", "point five"),
    ("1,000,000", "one million"),
    ("007", "double oh seven"),
    ("911", "nine one one"),
    ("-5 degrees", "minus five degrees"),
    ("$5", "five dollars"),
    ("$1", "one dollar"),
    ("$1.50", "one dollar fifty"),
    ("$0.99", "ninety-nine cents"),
    ("$3 million", "three million dollars"),
    ("$5k", "five thousand dollars"),
    ("£20 or 20€", "twenty pounds or twenty euros"),
    ("50¢", "fifty cents"),
    ("100%", "one hundred percent"),
    ("98.6°", "ninety-eight point six degrees"),
    ("#1", "number one"),
    ("No. 5", "number five"),
    ("you & me", "you and me"),
    ("you + me = us", "you plus me equals us"),
    ("@ home", "at home"),
    ("<3 you", "heart you"),
    ("#love", "hashtag love"),
    ("rock&roll", "rock and roll"),
    ("4x4", "four by four"),
    ("DJ", "D J"),
    ("my DJs", "my D Js"),
    ("TV's", "T V's"),
    ("OK'd", "O K'd"),
    ("O.K.", "O K"),
    ("U.S.A.", "U S A"),
    ("the U.S.'s", "the U S's"),
    ("R&B", "R and B"),
    ("BMW", "B M double-u"),
    ("A, B, C", "A B C"),
    ("born in the US", "born in the U S"),
    ("MP3", "M P three"),
    ("3D", "three D"),
    ("10km", "ten kilometers"),
    ("4ever", "forever"),
    ("Mr. Jones", "Mister Jones"),
    ("Dr Jones", "Doctor Jones"),
    ("St. Mary on Main St.", "Saint Mary on Main Street"),
    ("w/o you", "without you"),
    ("Louis XIV", "Louis fourteen"),
]


@pytest.mark.parametrize(("written", "sung"), SPOKEN)
def test_numbers_symbols_and_initialisms_are_sung_as_spoken(written: str, sung: str) -> None:
    assert texts(written) == sung


# What stays as it is, letter for letter; blanks part the words.
KEPT = [
    "lovin' you 'til the mornin'",
    "lovin’ you ’til the mornin’",
    "rock 'n' roll",
    "rock'n'roll",
    "y'all don't know o' mine",
    "'cause I'm goin' 'round",
    "the dogs' house",
    "Wi-Fi T-shirt my-my-my",
    "LOVE ME NOW",
    "I said NO to US and IT",
    "NASA",
    "I A O",
    "café naïve Beyoncé",
    "œuvre straße",
    "la la LA LA",
    "HMM SHH",
    "na-na-na",
]


@pytest.mark.parametrize("line", KEPT)
def test_all_other_words_keep_every_letter(line: str) -> None:
    assert texts(line) == line
    assert all(word.written == word.text for word in words(line))


def test_a_year_stands_as_spoken_and_keeps_its_written_form() -> None:
    assert [(word.text, word.written, word.token) for word in words("In 1969,")] == [
        ("In", "In", 0),
        ("nineteen", "1969", 1),
        ("sixty-nine", "1969", 1),
    ]


STRETCHED = [
    ("Sooooo", "So"),
    ("Nooo", "No"),
    ("looove", "love"),
    ("gooood", "good"),
    ("seeee", "see"),
    ("offff", "off"),
    ("allll", "all"),
    ("yesss", "yes"),
    ("heyy", "hey"),
    ("ooooh", "ooh"),
    ("ohhh", "oh"),
    ("aaaa", "ah"),
    ("NOOO", "NO"),
    ("zorrrk", "zork"),
]


@pytest.mark.parametrize(("written", "base"), STRETCHED)
def test_stretched_words_are_looked_up_as_the_base_word(written: str, base: str) -> None:
    (word,) = words(written)
    assert (word.text, word.lookup) == (written, base)
    assert "".join(word.letters or ()) == written


@pytest.mark.parametrize("written", ["hollow", "yes", "Emmylou", "bookkeeper", "shh"])
def test_doubled_letters_of_ordinary_words_are_no_stretch(written: str) -> None:
    (word,) = words(written)
    assert word.lookup == written


PUNCTUATION = [
    ("“Hello,” she said.", [("“", "Hello", ",”"), ("", "she", ""), ("", "said", ".")]),
    ("love—and hate", [("", "love", "—"), ("", "and", ""), ("", "hate", "")]),
    ("wait -- no...", [("", "wait", " --"), ("", "no", "...")]),
    ("and/or", [("", "and", "/"), ("", "or", "")]),
    ("the end.Begin", [("", "the", ""), ("", "end", "."), ("", "Begin", "")]),
    ("*whisper* _soft_", [("*", "whisper", "*"), ("_", "soft", "_")]),
    ("♪ la ♪", [("♪ ", "la", " ♪")]),
    ("'come on'", [("'", "come", ""), ("", "on", "'")]),
    ("'I was lovin''", [("'", "I", ""), ("", "was", ""), ("", "lovin'", "'")]),
    ("¿qué?", [("¿", "qué", "?")]),
    ("(ooh)yes", [("(", "ooh", ")"), ("", "yes", "")]),
    ("twenty-first.", [("", "twenty-first", ".")]),
]


@pytest.mark.parametrize(("line", "parts"), PUNCTUATION)
def test_punctuation_stands_around_the_words(line: str, parts: list[tuple[str, str, str]]) -> None:
    assert [(word.prefix, word.text, word.suffix) for word in words(line)] == parts


def test_words_in_parentheses_are_backing_words() -> None:
    assert [word.text for word in words("I go (far away) home") if word.backing] == ["far", "away"]


def test_backing_words_may_begin_on_the_line_before() -> None:
    assert [word.backing for word in sung_words("far away) home", knows, backing=True)] == [True, True, False]


@pytest.mark.parametrize("line", ["ev·ery day", "ev|ery day"])
def test_a_word_divided_by_hand_loses_its_marks(line: str) -> None:
    word = words(line)[0]
    assert (word.text, word.written, word.forced) == ("every", "every", ("ev", "ery"))


def test_marks_of_division_between_words_are_punctuation() -> None:
    assert [word.forced for word in words("love · peace | joy")] == [None, None, None]


def test_combining_letters_are_looked_up_composed_and_kept_as_written() -> None:
    (word,) = words("cafe\u0301")
    assert (word.text, word.lookup) == ("cafe\u0301", "café")


def test_full_width_letters_and_ligatures_are_looked_up_plain() -> None:
    assert [(word.text, word.lookup) for word in words("ｌｏｖｅ ﬁre")] == [("ｌｏｖｅ", "love"), ("ﬁre", "fire")]


def test_zero_width_characters_are_not_part_of_a_word() -> None:
    assert texts("lo\u200bve\u00ad \ufeffme") == "love me"


@pytest.mark.parametrize("symbol", ["💔", "愛", "привет", "☺", "👩‍👩‍👧"])
def test_emoji_and_other_scripts_are_words(symbol: str) -> None:
    first, second = words(f"love {symbol}!")
    assert (first.text, second.text, second.column) == ("love", symbol.replace("\u200d", ""), 6)


def test_columns_count_written_characters() -> None:
    assert [word.column for word in words("é“24/7” x")] == [1, 3, 3, 9]


def test_stars_inside_a_word_hide_one_vowel() -> None:
    (word,) = words("d**n")
    assert (word.text, word.lookup, word.letters) == ("d**n", "dun", ("d", "**", "n"))


@pytest.mark.parametrize(
    ("number", "spoken"),
    [
        (0, "zero"),
        (13, "thirteen"),
        (40, "forty"),
        (110, "one hundred ten"),
        (1_001, "one thousand one"),
        (12_345, "twelve thousand three hundred forty-five"),
        (10**12, "one trillion"),
    ],
)
def test_cardinals(number: int, spoken: str) -> None:
    assert " ".join(cardinal(number)) == spoken


@pytest.mark.parametrize(
    ("number", "spoken"), [(1, "first"), (5, "fifth"), (12, "twelfth"), (20, "twentieth"), (43, "forty-third")]
)
def test_ordinals(number: int, spoken: str) -> None:
    assert " ".join(ordinal(number)) == spoken


def test_numbers_too_large_for_a_name_are_read_by_digit() -> None:
    assert whole(str(LARGEST + 1)) == ["one"] + ["oh"] * 15
    assert len(decimal("9" * 15)) < 40


def test_plurals_of_numbers() -> None:
    assert [plural([word])[0] for word in ("ninety", "six", "five")] == ["nineties", "sixes", "fives"]
