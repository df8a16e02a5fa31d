"""From a written line to the words that are sung.

Three steps. `_fold` brings the line to the characters that the rules are written in (curly quotes straight, full-width
letters plain, accents composed, zero-width characters gone) and remembers the written letters behind each of them. A
lexer, one table of patterns, finds the written tokens. A speaker for each kind of token says how it is sung: numbers,
symbols, initialisms and abbreviations become spoken words; every other word keeps its letters, and only the spelling
by which it is looked up may differ ("Sooooo" is looked up as "so"). What lies between two tokens is punctuation.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import NamedTuple

from lyrics.document import Syllable
from lyrics.spoken_numbers import cardinal, decimal, digits, ordinal, plural, whole
from lyrics.syllable import is_vowel


@dataclass(frozen=True, slots=True)
class SungWord:
    """One word to be sung, not yet pronounced."""

    text: str  # as it stands under the notes
    lookup: str  # the spelling by which it is pronounced
    letters: tuple[str, ...] | None  # the part of `text` behind each character of `lookup`; None: they are the same
    written: str  # the written token, without marks of division
    token: int  # position of the token in its line, from 0
    column: int  # where the token begins, from 1
    forced: tuple[str, ...] | None = None  # `lookup` as the user divided it
    syllables: tuple[Syllable, ...] | None = None  # given for letters sung by name; None: to be looked up
    prefix: str = ""
    suffix: str = ""
    backing: bool = False


def sung_words(line: str, knows: Callable[[str], bool], *, backing: bool = False) -> tuple[SungWord, ...]:
    """Words of one line in the order of singing.

    `knows` says whether a spelling is in the dictionary. `backing`: the line begins inside (parentheses).

    >>> [word.text for word in sung_words("DJ, 24/7 & lovin’ it", lambda word: True)]
    ['D', 'J', 'twenty-four', 'seven', 'and', 'lovin’', 'it']
    """
    folded = _fold(line)
    scene = _Scene(folded, knows)
    found: list[tuple[int, int, list[_Said]]] = []
    for match in _TOKEN.finditer(folded.text):
        kind = match.lastgroup or ""
        if kind != "gap":
            start, end, said = _SPEAKERS[kind](match, scene)
            if said:
                found.append((start, end, said))
    words: list[SungWord] = []
    depth = int(backing)
    position = 0
    pending = ""  # prefix of the next word
    for token, (start, end, said) in enumerate(found):
        gap, depth = folded.punctuation(position, start), _depth(folded.text[position:start], depth)
        after, before = _share(gap, first=not words)
        if words:
            words[-1] = replace(words[-1], suffix=after)
        pending, position = before, end
        written = folded.written(start, end)
        for index, word in enumerate(said):
            words.append(
                SungWord(
                    text=word.text,
                    lookup=word.lookup or word.text,
                    letters=word.letters,
                    written=written if word.spoken else word.text,
                    token=token,
                    column=folded.columns[start] + 1,
                    forced=word.forced,
                    syllables=word.syllables,
                    prefix=pending if index == 0 else "",
                    backing=depth > 0,
                )
            )
    if words:
        words[-1] = replace(words[-1], suffix=folded.punctuation(position, len(folded.text)).rstrip())
    return tuple(words)


def _depth(gap: str, depth: int) -> int:
    for char in gap:
        if char in "()":
            depth = max(0, depth + (1 if char == "(" else -1))
    return depth


def _share(gap: str, *, first: bool) -> tuple[str, str]:
    """Punctuation between two words: what belongs to the word before, what to the word after."""
    if first:
        return "", gap.lstrip()
    after, blank, before = gap.rpartition(" ")
    if blank:
        return after.rstrip(), before
    opening = len(gap) - len(gap.rstrip(_OPENING))
    return (gap[:-opening], gap[-opening:]) if opening else (gap, "")


_OPENING = "([{“‘«‹„‚¿¡"


# --- Folding -----------------------------------------------------------------------------------------------------

_PLAIN = str.maketrans("’‘ʼʻ′`´＇‐‑−‧⁄", "'''''''" + "'" + "---·/")
_VULGAR = "¼½¾⅓⅔⅛⅜⅝⅞"
_KEPT = frozenset(_VULGAR + "№")
# Symbols that are not sung: music notes, bullets, stars, trade marks. Any other symbol (emoji) cannot be sung.
_SILENT = frozenset("♩♪♫♬♭♮♯™®©•●○◦■□▪▫◆◇★☆✦✧✩✪†‡§¶¦|\\^`´~<>¬×÷→←↑↓⇒─━│═￼")


class _Folded(NamedTuple):
    """A line in plain characters; `pieces[i]` are the written letters behind `text[i]`."""

    text: str
    pieces: Sequence[str]
    columns: Sequence[int]  # of each character of `text`, from 0

    def written(self, start: int, end: int) -> str:
        """Return the written letters of a token, without the user's marks of division."""
        text = "".join(self.pieces[start:end])
        return _MARKS.sub("", text) if _MARKS.search(text) else text

    def punctuation(self, start: int, end: int) -> str:
        return re.sub(r"\s+", " ", "".join(self.pieces[start:end]))


_MARKS = re.compile(r"(?<=\w)[·‧|]+(?=\w)")
_ZERO_WIDTH = ("Cf",)  # joiners, direction marks, soft hyphens, byte order marks
_COMBINING = ("Mn", "Mc", "Me")


def _fold(line: str) -> _Folded:
    if line.isascii() and "`" not in line:
        return _Folded(line, line, range(len(line)))
    text: list[str] = []
    pieces: list[str] = []
    columns: list[int] = []
    index, size = 0, len(line)
    while index < size:
        start, cluster = index, line[index]
        index += 1
        category = unicodedata.category(cluster)
        if category in _ZERO_WIDTH or category in _COMBINING:
            continue  # a combining mark without its letter
        while index < size and not line[index].isascii():
            category = unicodedata.category(line[index])
            if category in _COMBINING:
                cluster += line[index]
            elif category not in _ZERO_WIDTH:
                break
            index += 1
        plain = _plain(cluster)
        text.append(plain)
        pieces.extend([cluster] + [""] * (len(plain) - 1))
        columns.extend([start] * len(plain))
    return _Folded("".join(text), pieces, columns)


def _plain(cluster: str) -> str:
    """One letter with its combining marks as the rules know it: at least one character, none of them combining."""
    if cluster in _KEPT or cluster in _SILENT:
        return cluster
    plain = unicodedata.normalize("NFC", cluster.translate(_PLAIN))
    if ord(plain[0]) > 0x24F or plain[0] in "²³¹ªº":
        compatible = unicodedata.normalize("NFKC", plain).translate(_PLAIN)
        if len(compatible) == 1 or compatible.isalpha():
            plain = compatible
    plain = plain[0] + "".join(char for char in plain[1:] if unicodedata.category(char) not in _COMBINING)
    return "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in plain)


# --- Lexing ------------------------------------------------------------------------------------------------------

_LETTER = r"[^\W\d_]"
_WHOLE = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)"
_DECIMAL = rf"{_WHOLE}(?:\.\d+)?"
_WORD = rf"'?{_LETTER}+(?:(?:-'?|'-?|[·|*$]{{1,3}}){_LETTER}+)*'?"
_CURRENCIES = {"$": ("dollar", "cent"), "€": ("euro", "cent"), "£": ("pound", "penny"), "¥": ("yen", "")}
_ABBREVIATIONS = {
    "mr": "mister",
    "mrs": "missus",
    "dr": "doctor",
    "jr": "junior",
    "sr.": "senior",
    "st.": "street",
    "mt.": "mount",
    "ft.": "featuring",
    "feat": "featuring",
    "vs": "versus",
    "sgt": "sergeant",
    "prof.": "professor",
    "etc": "et cetera",
    "w/o": "without",
    "w/": "with",
    "b/c": "because",
}
# Words written with a digit for its sound.
_REBUSES = {
    "2day": "today",
    "2gether": "together",
    "2morrow": "tomorrow",
    "2nite": "tonight",
    "4ever": "forever",
    "4eva": "forever",
    "b4": "before",
    "gr8": "great",
    "h8": "hate",
    "l8r": "later",
    "m8": "mate",
    "str8": "straight",
    "w8": "wait",
}
_SYMBOLS = {"&": "and", "@": "at", "+": "plus", "=": "equals", "%": "percent", "°": "degrees"}
# Letters after a number that are short for a word.
_UNITS = {"ft": "feet", "km": "kilometers", "kg": "kilos", "lb": "pounds", "lbs": "pounds", "cm": "centimeters"}


def _any(words: Sequence[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


# The first pattern that fits wins, so what is special stands above what is general.
_PATTERNS = {
    "word": rf"(?!(?i:{_any([name for name in _ABBREVIATIONS if name.isalpha()])})(?![\w']))(?>{_WORD})(?![\d./])",
    "gap": r"\s+",
    "heart": r"<3+(?!\d)",
    "money": rf"[{''.join(_CURRENCIES)}]\s?{_DECIMAL}(?:[kKmMbB](?!\w)|\s(?i:{_any(['hundred', 'thousand', 'million', 'billion'])})(?!\w))?",  # noqa: E501
    "money_after": rf"{_DECIMAL}[{''.join(_CURRENCIES)}¢](?!\w)",
    "clock": r"(?<![\d:])\d{1,2}:\d\d(?![\d:])",
    "plural": r"'?\d+'?s(?!\w)",
    "short_year": r"(?<!\w)'\d\d(?!\w)",
    "ordinal": rf"{_WHOLE}(?i:st|nd|rd|th)(?!\w)",
    "slashed": r"\d+(?:/\d+)+",
    "vulgar": rf"\d*[{_VULGAR}]",
    "dashed": r"\d{1,15}(?:-\d{1,15})+(?!\w)",
    "by": r"\d+x\d+(?!\w)",
    "rebus": rf"(?i:{_any(list(_REBUSES))})(?!\w)",
    "numbered": r"No\.(?=\s?\d)|№(?=\s?\d)|#(?=\d)",
    "mixed": rf"(?:{_LETTER}+\d|\d+{_LETTER})[^\W_]*(?:'s(?!\w))?",
    "number": rf"{_DECIMAL}|(?<!\w)\.\d+",
    "dotted": rf"{_LETTER}(?:\.{_LETTER})+(?!\w)\.?(?:'s(?!\w))?",
    "saint": r"(?<!\w)St\.(?=\s+[A-Z])",
    "abbreviation": rf"(?<!\w)(?i:{_any(list(_ABBREVIATIONS))})(?!\w)(?:(?<!\.)\.)?|(?<!\w)w/(?=\w)",
    "word_after_all": _WORD,
    "minus": r"(?<![^\s(])-(?=\.?\d)",
    "dot": r"(?<=\w)\.(?=(?:com|net|org)(?!\w))",
    "hashtag": rf"(?<!\w)#(?={_LETTER})",
    "dollar": r"(?<!\S)\$(?!\S)",
    "symbol": r"(?P<sign>[&@+=%°])(?<!(?P=sign)(?P=sign))(?!(?P=sign))",
    "emoji": r"[\U0001f000-\U0001ffff☹☺☝✌❤⭐]+",
    "other": r"[^\s\w]|_|.",
}
_TOKEN = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _PATTERNS.items()))


class _Said(NamedTuple):
    """One sung word of a token."""

    text: str
    lookup: str = ""  # "": as `text`
    letters: tuple[str, ...] | None = None
    forced: tuple[str, ...] | None = None
    syllables: tuple[Syllable, ...] | None = None
    spoken: bool = True  # False: the written word itself


_Token = tuple[int, int, list[_Said]]  # start and end in the folded line, and what is sung


class _Scene:
    """What a token needs to know about its line."""

    def __init__(self, folded: _Folded, knows: Callable[[str], bool]) -> None:
        self.folded = folded
        self.text = folded.text
        self._knows = knows
        self.quoting = False  # inside 'single quotes'
        self.shouted = folded.text.isupper()  # capitals throughout: they do not mark initialisms

    def knows(self, word: str) -> bool:
        """Whether a plain spelling is in the dictionary."""
        return word.isascii() and self._knows(word)


def _spoken(words: Sequence[str]) -> list[_Said]:
    said: list[_Said] = []
    for word in words:
        said.append(_Said(word))
    return said


# --- Numbers and symbols -----------------------------------------------------------------------------------------


def _money(match: re.Match[str], scene: _Scene) -> list[str]:
    text = match.group()
    sign = next(char for char in text if char in _CURRENCIES or char == "¢")
    amount, _, scale = text.strip("".join(_CURRENCIES) + "¢ ").partition(" ")
    if amount[-1].isalpha():
        amount, scale = amount[:-1], {"k": "thousand", "m": "million", "b": "billion"}[amount[-1].lower()]
    if sign == "¢":
        return [*decimal(amount), "cent" if amount == "1" else "cents"]
    unit, small = _CURRENCIES[sign]
    before, _, after = amount.partition(".")
    units = unit if amount == "1" or not small else unit + "s"
    if scale:
        return [*decimal(amount), scale, units]
    amount_words = cardinal(int(before.replace(",", ""))) if len(before) < 15 else digits(before.replace(",", ""))
    if len(after) == 2 and small:
        if before == "0":
            return [*cardinal(int(after)), small if after == "01" else {"penny": "pence"}.get(small, small + "s")]
        units = unit if before == "1" else unit + "s"
        return [*amount_words, units, *(cardinal(int(after)) if int(after) else [])]
    return [*amount_words, units] if not after else [*decimal(amount), units]


def _clock(match: re.Match[str], scene: _Scene) -> list[str]:
    hour, minute = match.group().split(":")
    if minute == "00":
        named = re.match(r"\s?[ap]\.?m(?!\w)", scene.text[match.end() :], re.IGNORECASE)
        return [*cardinal(int(hour)), *([] if named else ["o'clock"])]
    return [*cardinal(int(hour)), *(["oh"] if minute[0] == "0" else []), *cardinal(int(minute))]


def _plural(match: re.Match[str], scene: _Scene) -> list[str]:
    return plural(whole(match.group().strip("'s")))


def _short_year(match: re.Match[str], scene: _Scene) -> list[str]:
    text = match.group()[1:]
    return digits(text) if text[0] == "0" else cardinal(int(text))


def _ordinal(match: re.Match[str], scene: _Scene) -> list[str]:
    number = match.group()[:-2].replace(",", "")
    return ordinal(int(number)) if len(number) <= 15 else digits(number)


_FRACTIONS = {
    "1/2": "one half",
    "1/3": "one third",
    "2/3": "two thirds",
    "1/4": "one quarter",
    "3/4": "three quarters",
    "1/8": "one eighth",
    "3/8": "three eighths",
    "5/8": "five eighths",
    "7/8": "seven eighths",
}


def _slashed(match: re.Match[str], scene: _Scene) -> list[str]:
    if match.group() in _FRACTIONS:
        return _FRACTIONS[match.group()].split()
    return [word for part in match.group().split("/") for word in whole(part)]


def _vulgar(match: re.Match[str], scene: _Scene) -> list[str]:
    number, sign = match.group()[:-1], match.group()[-1]
    words = _FRACTIONS[unicodedata.normalize("NFKC", sign).replace("⁄", "/")].split()
    if not number:
        return words
    return [*whole(number), "and", *(["a"] if words[0] == "one" else words[:1]), *words[1:]]


def _dashed(match: re.Match[str], scene: _Scene) -> list[str]:
    parts = match.group().split("-")
    if len(parts) > 1 and len(parts[-1]) == 4 and all(len(part) == 3 for part in parts[:-1]):  # a telephone number
        return [word for part in parts for word in digits(part)]
    between = "to" if len(parts) == 2 and (parts == ["9", "5"] or int(parts[0]) < int(parts[1])) else ""
    words = whole(parts[0])
    for part in parts[1:]:
        words += [*([between] if between else []), *whole(part)]
    return words


def _by(match: re.Match[str], scene: _Scene) -> list[str]:
    first, second = match.group().split("x")
    return [*whole(first), "by", *whole(second)]


def _abbreviation(match: re.Match[str], scene: _Scene) -> list[str]:
    text = match.group()
    lower = text.lower()
    words = (_ABBREVIATIONS.get(lower) or _ABBREVIATIONS[lower.removesuffix(".")]).split()
    return [words[0].capitalize() if text[0].isupper() else words[0], *words[1:]]


def _in_words(speak: Callable[[re.Match[str], _Scene], list[str]]) -> Callable[[re.Match[str], _Scene], _Token]:
    def speaker(match: re.Match[str], scene: _Scene) -> _Token:
        return match.start(), match.end(), _spoken(speak(match, scene))

    return speaker


# --- Initialisms -------------------------------------------------------------------------------------------------

_LETTER_NAMES = dict(
    zip(
        "abcdefghijklmnopqrstuvxyz",  # "w" is a word of three syllables: "double-u"
        "EY,B IY,S IY,D IY,IY,EH F,JH IY,EY CH,AY,JH EY,K EY,EH L,EH M,EH N,OW,P IY,K Y UW,AA R,EH S,T IY,Y UW,V IY,"
        "EH K S,W AY,Z IY".split(","),
        strict=True,
    )
)
_INITIALISMS = frozenset(
    "ac aka atm bbc bc bff bmw bpm btw cbs cd ceo cia cnn cpr dc dj diy dna dui dvd esp eta eu fbi fm fyi gi gps gq "
    "hbo hd hiv hq ibm iou iq irs jfk kgb lbj lgbt lol lp lsd mc mgm mlk mri mtv mvp nba nbc nfl nra ny nyc nypd "
    "ocd od ok omg pc phd pj pm pms pr ps ptsd pvc rn rpm rsvp rv sms sos suv tgif tlc tnt tv uae ufo uk usa usb "
    "usmc usps ussr uv vcr vhs vip wc wtf xl xo ymca".split()
)
# Words, too: initialisms only in capitals, in a line that is not all capitals, after what the pattern says.
_BOTH = {"us": r"(?i:\b(?:the|in)\s)$", "er": r"(?i:\bthe\s)$"} | dict.fromkeys("ad id la pa rip un".split(), "")
_WORDLESS = frozenset("hmm hm mm mmm shh sh psst pst brr grr tsk zzz pfft ssh hmph nth skrt skrrt".split())
_ROMAN = dict(
    zip(
        "II III IV VI VII VIII IX XI XII XIII XIV XV XVI".split(),
        (2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16),
        strict=True,
    )
)


def _by_letter(letters: str, ending: str = "") -> list[_Said]:
    """Letters sung by name, the last one accented; `ending` is a plural, a genitive or a past tense ('d)."""
    said = []
    for index, letter in enumerate(letters):
        last = index == len(letters) - 1
        text = letter + ending if last else letter
        plain = unicodedata.normalize("NFD", letter.lower())[:1]
        if plain not in _LETTER_NAMES:
            text = ("double-u" + ending if last else "double-u") if plain == "w" else text
            said.append(_Said(text))
            continue
        stress = 1 if last else 2
        phones = [phone + str(stress) if is_vowel(phone) else phone for phone in _LETTER_NAMES[plain].split()]
        syllables = [Syllable(letter, tuple(phones), stress)]
        if last and ending:
            if ending.endswith("s") and plain in "hsx":
                syllables.append(Syllable(ending, ("IH0", "Z"), 0))
            else:
                phones.append("D" if ending.endswith("d") else "S" if plain == "f" else "Z")
                syllables = [Syllable(text, tuple(phones), stress)]
        said.append(_Said(text, syllables=tuple(syllables)))
    return said


def _initialism(core: str, start: int, end: int, scene: _Scene) -> list[_Said] | None:
    """Letters of "DJ", "TVs", "OK'd"; None where a word in capitals is a word."""
    before, after = scene.text[:start], scene.text[end:]
    if core in ("tv", "dj", "w") or (core.lower() in ("am", "pm") and re.search(r"\d\s?$", before)):
        return _by_letter(scene.folded.written(start, end))
    match = re.fullmatch(r"([A-Z]+)('?s|'d|'ed)?", core)
    if match is None:
        return None
    capitals, lower = match[1], match[1].lower()
    letters = scene.folded.written(start, start + len(capitals))
    ending = scene.folded.written(start + len(capitals), end)
    named = _by_letter(letters, ending)
    if len(capitals) == 1:
        listed = capitals == "A" and not ending and re.match(r"[\s,.-]*[B-HJ-NP-Z](?![\w'])", after)
        return named if ending != "s" and (capitals not in "AIO" or listed) else None
    if lower in _BOTH and not ending:
        la_la = lower == "la" and (before[-4:].strip(" ,-").endswith("LA") or after[:4].strip(" ,-").startswith("LA"))
        return named if not scene.shouted and not la_la and re.search(_BOTH[lower], before) else None
    if lower in _INITIALISMS:
        return named
    if capitals in _ROMAN and not scene.shouted:
        return _spoken(cardinal(_ROMAN[capitals]))
    if lower in _WORDLESS or re.search(r"(.)\1\1", lower):
        return None
    if not re.search(r"[aeiouy]", lower) and len(lower) <= 6:
        return named
    return named if len(capitals) <= 3 and not scene.shouted and not scene.knows(lower) else None


def _dotted(match: re.Match[str], scene: _Scene) -> _Token:
    start, end = match.span()
    middle = end - 2 if match.group().endswith("'s") else end
    letters = scene.folded.written(start, middle).replace(".", "")
    return start, end, _by_letter(letters, scene.folded.written(middle, end))


def _mixed(match: re.Match[str], scene: _Scene) -> _Token:
    """Letters and digits together: "MP3", "3D", "5am", "U2's"."""
    text, _, genitive = match.group().partition("'")
    said: list[_Said] = []
    for run in re.findall(r"\d+|\D+", text):
        if run.isdecimal():
            said += _spoken(whole(run))
        elif run == "s" and said:
            said[-1] = _Said(plural([said[-1].text])[0])
        elif run in _UNITS:
            said.append(_Said(_UNITS[run]))
        elif len(run) == 1 or run.lower() in _INITIALISMS | {"am", "mph"} or (run.isupper() and len(run) <= 3):
            said += _by_letter(run)
        else:
            said.append(_Said(run))
    if genitive:
        said[-1] = _Said(said[-1].text + "'s")
    return match.start(), match.end(), said


# --- Words -------------------------------------------------------------------------------------------------------

# Words that begin with an apostrophe in place of letters; before other words it is an opening quote.
_ELISIONS = frozenset(
    "bout bove cause cos coz cuz em ere fraid gainst gator kay mid midst mong mongst n neath nother nough nuff ol pon "
    "possum round scuse spose stead til till tis tude twas tween twere twill twixt twould".split()
)
# Words with a doubled vowel whose single spelling is a word, too: "seeee" is "see", while "noooo" is "no".
_DOUBLED = frozenset(
    "bee been beep bloom boo book boot coo cook cool deep doom door eek fee feed feel feet flee food fool foot free "
    "good green groom heed hoot keep knee look loop loose loot meet mood moon need noon oo ooh pool poor queen roof "
    "room root see seed seek seem seen sheep shoot sleep soon steel stood sweet teen three too took tooth tree wee "
    "weed week weep wood woo woof zoo zoom".split()
)
_ONE_LETTER = {"a": "ah", "o": "ooh", "e": "ee", "u": "ooh", "i": "i", "m": "mm"}  # "aaaa", "oooo"


def _word(match: re.Match[str], scene: _Scene) -> _Token:
    start, end = _strip_quotes(match.start(), match.end(), scene)
    core = scene.text[start:end]
    initials = _initialism(core, start, end, scene) if len(core) <= 8 else None
    if initials is not None:
        return start, end, initials
    lookup: list[str] = []
    letters: list[str] = []
    cuts: list[int] = []
    for index in range(start, end):
        char, piece = scene.text[index], scene.folded.pieces[index]
        if char in "·|":
            cuts.append(len(lookup))
        elif char == "*" and lookup and lookup[-1] == "u" and letters[-1].startswith("*"):
            letters[-1] += piece
        else:
            # stars hide a vowel ("d*mn"); a dollar sign stands for s ("Ke$ha")
            lookup.append({"*": "u", "$": "s"}.get(char, char))
            letters.append(piece)
    forced = None
    if cuts:
        bounds = sorted({0, *cuts, len(lookup)})
        forced = tuple("".join(lookup[a:b]) for a, b in pairwise(bounds))
    elif _STRETCH.search(core):
        lookup, letters = _unstretch(lookup, letters, scene.knows)
    text, spelling = "".join(letters), "".join(lookup)
    same = text == spelling
    said = _Said(
        text,
        lookup=spelling,
        letters=None if same else tuple(letters),
        forced=forced if forced and len(forced) > 1 else None,
        spoken=False,
    )
    return start, end, [said]


_CLOSING = re.compile(r"\w'(?!\w)")
_QUOTE = re.compile(r"'(?!\w)")


def _strip_quotes(start: int, end: int, scene: _Scene) -> tuple[int, int]:
    """Leave an apostrophe at the edge of a word outside where it is a quotation mark."""
    text, knows = scene.text, scene.knows
    if text[start] == "'":
        rest = text[start + 1 : end].rstrip("'").lower()
        if rest not in _ELISIONS and scene.folded.pieces[start] != "’":
            closing = _CLOSING.search(text, start + 1) is not None
            if closing or knows(rest) or not any(knows(missing + rest) for missing in ("h", "a", "be")):
                start += 1
                scene.quoting = scene.quoting or closing
    if text[end - 1] == "'":
        stem = text[start : end - 1].lower()
        if scene.quoting:
            # In 'I was lovin'' the first one elides, in 'come again' there is but one.
            elides = stem.endswith("in") and knows(stem + "g") and _QUOTE.search(text, end) is not None
        else:
            elides = stem.endswith("in") or stem[-1] in "sxz" or len(stem) <= 3 or not knows(stem)
        if not elides:
            end -= 1
            scene.quoting = False
    return start, end


_STRETCH = re.compile(r"([^\W\d_])\1\1|([^\W\d_])\2$|([aeiou])\3", re.IGNORECASE)
_RUN = re.compile(r"([^\W\d_])\1+")


def _unstretch(lookup: list[str], letters: list[str], knows: Callable[[str], bool]) -> tuple[list[str], list[str]]:
    """Shorten runs of a letter to one or two, whichever gives a known word; the written letters stay.

    Runs of three or more are always shortened; runs of two ("heyy") only where that turns an unknown word into one.
    """
    lower = "".join(lookup).lower()
    if len(lower) != len(lookup):  # a capital whose lower case is two characters
        return lookup, letters
    runs = [match.span() for match in _RUN.finditer(lower)]
    long = [run for run in runs if run[1] - run[0] > 2]
    if not long:
        if knows(lower) or len(runs) > 4:
            return lookup, letters
        long = runs
    elif long == [(0, len(lower))]:
        letter = lower[0]
        spelling = _ONE_LETTER.get(letter, letter * 2)
        return list(spelling), ["".join(letters), *[""] * (len(spelling) - 1)]
    best: tuple[tuple[int, int], list[int]] | None = None
    doubles = [run for run in runs if run not in long]
    for choice in product((1, 2), repeat=len(long)) if len(long) <= 4 else [(1,) * len(long)]:
        widths = dict(zip(long, choice, strict=True)) | dict.fromkeys(doubles, 2)
        candidate = "".join(_shorten(list(lower), letters, runs, widths)[0])
        if knows(candidate):
            odd = sum((width == 2) != (lower[run[0]] in "lsfz") for run, width in zip(long, choice, strict=True))
            rank = (candidate not in _DOUBLED, odd)
            if best is None or rank < best[0]:
                best = rank, list(choice)
    if best is None:
        if all(end - start == 2 for start, end in long):
            return lookup, letters
        best = (True, 0), [1] * len(long)
    return _shorten(lookup, letters, runs, dict(zip(long, best[1], strict=True)) | dict.fromkeys(doubles, 2))


def _shorten(
    lookup: list[str], letters: list[str], runs: list[tuple[int, int]], widths: dict[tuple[int, int], int]
) -> tuple[list[str], list[str]]:
    short_lookup: list[str] = []
    short_letters: list[str] = []
    position = 0
    for start, end in runs:
        width = widths[start, end]
        short_lookup += [*lookup[position:start], *lookup[start : start + width]]
        short_letters += [*letters[position:start], *letters[start : start + width]]
        short_letters[-1] += "".join(letters[start + width : end])
        position = end
    return short_lookup + lookup[position:], short_letters + letters[position:]


def _other(match: re.Match[str], scene: _Scene) -> _Token:
    """Tell punctuation, which is not sung, from emoji: words that only the user's pronunciation file can know."""
    start, end = match.span()
    first = match.group()[0]
    emoji = unicodedata.category(first) in ("So", "Sk", "Co", "Cn") and first not in _SILENT and not first.isascii()
    return start, end, [_Said(scene.folded.written(start, end), spoken=False)] if emoji else []


_SPEAKERS: dict[str, Callable[[re.Match[str], _Scene], _Token]] = {
    "word": _word,
    "word_after_all": _word,
    "mixed": _mixed,
    "dotted": _dotted,
    "emoji": _other,
    "other": _other,
    "heart": _in_words(lambda match, scene: ["heart"]),
    "money": _in_words(_money),
    "money_after": _in_words(_money),
    "clock": _in_words(_clock),
    "plural": _in_words(_plural),
    "short_year": _in_words(_short_year),
    "ordinal": _in_words(_ordinal),
    "slashed": _in_words(_slashed),
    "vulgar": _in_words(_vulgar),
    "dashed": _in_words(_dashed),
    "by": _in_words(_by),
    "rebus": _in_words(lambda match, scene: [_REBUSES[match.group().lower()]]),
    "numbered": _in_words(lambda match, scene: ["number"]),
    "number": _in_words(lambda match, scene: decimal(match.group())),
    "saint": _in_words(lambda match, scene: ["Saint"]),
    "abbreviation": _in_words(_abbreviation),
    "minus": _in_words(lambda match, scene: ["minus"]),
    "dot": _in_words(lambda match, scene: ["dot"]),
    "hashtag": _in_words(lambda match, scene: ["hashtag"]),
    "dollar": _in_words(lambda match, scene: ["dollars"]),
    "symbol": _in_words(lambda match, scene: [_SYMBOLS[match.group()]]),
}
