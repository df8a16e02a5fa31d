"""What the lyrics stage hands on: sections of lines of words of syllables.

Conventions: everything is a frozen value, printable in a failing test. Spelling is kept letter for letter:
`"".join(syllable.text for syllable in word.syllables) == word.text` always holds. Phones are ARPAbet symbols with
stress digits on the vowels, as in CMUdict; stress is 0 (none), 1 (primary) or 2 (secondary).
"""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a section does in the form of the song."""

    INTRO = "intro"
    VERSE = "verse"
    PRE_CHORUS = "pre-chorus"
    CHORUS = "chorus"
    HOOK = "hook"
    BRIDGE = "bridge"
    INSTRUMENTAL = "instrumental"
    OUTRO = "outro"


@dataclass(frozen=True, slots=True)
class Syllable:
    """One sung syllable."""

    text: str  # the letters that stand under its note; a written hyphen stays at the end of its syllable ("Wi-")
    phones: tuple[str, ...]
    stress: int


@dataclass(frozen=True, slots=True)
class Word:
    """One sung word: letters in `text`, punctuation around it in `prefix` and `suffix`.

    A written token that is sung as several words ("24/7": "twenty-four", "seven") gives several words with the same
    `token` number and the same `written` form; for every other word `written == text`.
    """

    text: str
    written: str
    token: int  # position of the written token in its line, from 0
    syllables: tuple[Syllable, ...]
    content: bool  # a noun, verb, adjective, adverb, interjection; False for function words
    prefix: str = ""  # punctuation directly before, for example an opening quote
    suffix: str = ""  # punctuation directly after, for example a comma
    backing: bool = False  # inside (parentheses): a backing vocal
    in_dictionary: bool = True  # False where the pronunciation is the grapheme-to-phoneme model's guess


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a section; `text` is the line as written, without leading and trailing blanks."""

    text: str
    words: tuple[Word, ...]
    number: int  # line in the source text, from 1

    @property
    def syllables(self) -> tuple[Syllable, ...]:
        """All syllables of the line, in order."""
        return tuple(syllable for word in self.words for syllable in word.syllables)


@dataclass(frozen=True, slots=True)
class Section:
    """One section in the order of singing; repeats are written out and name the section that they repeat."""

    id: str  # "v1", "c2", "pc1", "b1", "h1", "i1", "o1", "s1" (instrumental): role and count within the role, from 1
    role: Role
    label: str  # the words of the tag ("Chorus - loud"), or a name made for an untagged section ("Verse 2")
    lines: tuple[Line, ...]
    tagged: bool = True
    repeat_of: str | None = None  # id of the earlier section whose lines these are


@dataclass(frozen=True, slots=True)
class Lyrics:
    """A parsed lyric."""

    sections: tuple[Section, ...]
    title: str | None = None
    left_out: tuple[str, ...] = ()  # what of the text is not sung, in words: "12 lines of chords"


class LyricsError(ValueError):
    """Lyrics that cannot be sung as they stand; the message says where and what to do."""

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        """Keep the reason and the place (both from 1) for callers that want to point at it."""
        place = "" if line is None else f"line {line}, column {column}: " if column else f"line {line}: "
        super().__init__(place + message)
        self.reason = message
        self.line = line
        self.column = column
