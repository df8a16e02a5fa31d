"""From a text file to `Lyrics`: sections, repeats, stanzas, backing words.

The format, line by line:

- `Title: ...` or `# ...` as the first line that is not blank names the song.
- `[Verse 1]`, `[Pre-Chorus]`, `[Chorus - loud]`, `[Verse 2: Name]` and the synonyms in `_TAGS` begin a section; so does
  a line `Chorus:` or `Verse 2:`. A tag without lines repeats the section of that name (or the last chorus); `[Intro]`,
  `[Instrumental]` and `[Outro]` without lines are sections without words.
- `x2`, `(x2)`, `2x` repeats: at the end of a line that line, in or after a tag, or alone on a line, that section.
- A blank line ends a stanza. If no verse is tagged anywhere, an untagged stanza is a verse of its own; otherwise it
  belongs to the section above. A line of punctuation alone ("---") counts as blank.
- Without any tag, stanzas become verses; see `_infer_roles` for the chorus and the bridge.
- (Words in parentheses) are backing words; an open parenthesis reaches into the next lines of its stanza if it is
  closed there.
- `ev·ery` or `ev|ery` divides a word by hand.
- Chords, directives of ChordPro and time stamps are left out: see `lyrics.chord_text`.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from lyrics.chord_text import PlainText, find_words, kept_places
from lyrics.document import Line, Lyrics, LyricsError, Role, Section, Syllable, Word
from lyrics.function_words import is_function_word
from lyrics.normalize import SungWord, sung_words
from lyrics.pronounce import Pronouncer, UnpronounceableError

MAX_BYTES = 1_000_000
MAX_LINES = 5_000  # repeats written out
MAX_SYLLABLES = 120  # in a line: some two minutes in one breath
MAX_LETTERS = 100  # in a word
MAX_CHARACTERS = 3_000  # in a line
MAX_TIMES = 32  # of a repeat


def read_lyrics(path: Path | None, pronouncer: Pronouncer | None = None) -> Lyrics:
    """Parse a file of lyrics, or standard input if `path` is None; LyricsError says what is wrong and where."""
    name = "standard input" if path is None else str(path)
    try:
        if path is None:
            data = standard_input().read(MAX_BYTES + 1)
        else:
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
    except LyricsError:
        raise
    except IsADirectoryError as error:
        raise LyricsError(f"{name} is a folder; give a text file with lyrics") from error
    except FileNotFoundError as error:
        raise LyricsError(f"there is no file {name}") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise LyricsError(f"cannot read {name}: {reason}") from error
    return parse_lyrics(decode_text(data, name), pronouncer)


def standard_input() -> BinaryIO:
    """Return standard input as bytes; LyricsError if it is closed."""
    if sys.stdin is None:
        raise LyricsError("standard input is closed; give a file, or send text to it")
    return sys.stdin.buffer


def decode_text(data: bytes, name: str) -> str:
    """Decode lyrics in UTF-8, or in UTF-16 or UTF-32 with a byte order mark; LyricsError for what is no lyrics."""
    if len(data) > MAX_BYTES:
        raise LyricsError(f"{name} is larger than {MAX_BYTES:,} bytes; lyrics this long must be split")
    encoding = next((encoding for mark, encoding in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise LyricsError(f"{name} begins like {encoding.upper()}, but is not; save it as UTF-8") from error
        if b"\0" in data:
            raise LyricsError(
                f"{name} is not a text file (byte {data.index(0) + 1:,} is zero); give plain text in UTF-8"
            ) from error
        rows = _LINE_BREAK.split(data[: error.start].decode())
        raise LyricsError(
            f"{name} is not UTF-8 (byte {error.start + 1:,} is 0x{data[error.start]:02X}); save it as UTF-8",
            line=len(rows),
            column=len(rows[-1]) + 1,
        ) from error
    if _JSON.match(text):
        raise LyricsError(f"{name} is JSON, not lyrics; render and revise read song documents, batch reads JSON lines")
    return text


_JSON = re.compile(r'[\ufeff\s]*\{\s*"')

# Byte order marks; UTF-32 first, whose mark begins like that of UTF-16. A mark of UTF-8 goes in parse_lyrics.
_MARKS = (
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


def parse_lyrics(text: str, pronouncer: Pronouncer | None = None) -> Lyrics:
    r"""Parse lyrics in the format described at the top of this module.

    Raises LyricsError, with line and column, for text that cannot be sung as it stands.

    >>> [section.id for section in parse_lyrics("[Verse]\nHere I am\n[Chorus]\nLa la la\n[Chorus]").sections]
    ['v1', 'c1', 'c2']
    """
    text = text.removeprefix("\ufeff")
    _check(text)
    rows = _LINE_BREAK.split(text)
    plain = find_words(rows, _names_section)
    try:
        title, blocks = _read_blocks(plain)
        sections = _Singer(pronouncer or Pronouncer()).sections(blocks)
    except LyricsError as error:
        kept = kept_places(rows[error.line - 1]) if error.line else []
        if not error.column or error.column > len(kept):
            raise
        raise LyricsError(error.reason, error.line, kept[error.column - 1] + 1) from error
    return Lyrics(sections, title, plain.left_out)


_LINE_BREAK = re.compile("\r\n|[\n\r\v\f\x85\u2028\u2029]")
# Neither text nor XML: control characters, halves of surrogate pairs, non-characters.
_NOT_TEXT = "[\0-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]"
_NOT_ASCII_TEXT = "[\0-\x08\x0e-\x1f\x7f]"  # the same for ASCII, compiled in a fiftieth of the time


def _check(text: str) -> None:
    if len(text) > MAX_BYTES:
        raise LyricsError(f"the lyrics have more than {MAX_BYTES:,} characters; lyrics this long must be split")
    control = re.search(_NOT_ASCII_TEXT if text.isascii() else _NOT_TEXT, text)
    if control:
        rows = _LINE_BREAK.split(text[: control.start()])
        raise LyricsError(
            f"the character U+{ord(control.group()):04X} does not belong in text; is this a text file? Remove it",
            line=len(rows),
            column=len(rows[-1]) + 1,
        )
    if not text.strip():
        raise LyricsError("the lyrics are empty; write at least one line to sing")


# --- Rows, tags and blocks ---------------------------------------------------------------------------------------

_TAGS = {
    "intro": Role.INTRO,
    "introduction": Role.INTRO,
    "opening": Role.INTRO,
    "prelude": Role.INTRO,
    "verse": Role.VERSE,
    "stanza": Role.VERSE,
    "strophe": Role.VERSE,
    "rap": Role.VERSE,
    "pre chorus": Role.PRE_CHORUS,
    "prechorus": Role.PRE_CHORUS,
    "pre refrain": Role.PRE_CHORUS,
    "pre hook": Role.PRE_CHORUS,
    "build": Role.PRE_CHORUS,
    "climb": Role.PRE_CHORUS,
    "lift": Role.PRE_CHORUS,
    "chorus": Role.CHORUS,
    "refrain": Role.CHORUS,
    "drop": Role.CHORUS,
    "hook": Role.HOOK,
    "post chorus": Role.HOOK,
    "postchorus": Role.HOOK,
    "bridge": Role.BRIDGE,
    "breakdown": Role.BRIDGE,
    "middle eight": Role.BRIDGE,
    "middle 8": Role.BRIDGE,
    "instrumental": Role.INSTRUMENTAL,
    "interlude": Role.INSTRUMENTAL,
    "solo": Role.INSTRUMENTAL,
    "break": Role.INSTRUMENTAL,
    "outro": Role.OUTRO,
    "coda": Role.OUTRO,
    "ending": Role.OUTRO,
    "end": Role.OUTRO,
    "finale": Role.OUTRO,
    "tag": Role.OUTRO,
    "vamp": Role.OUTRO,
}
# What may stand before the name: "Final Chorus", "Guitar Solo".
_MODIFIERS = frozenset(
    "first second third fourth final last opening closing double half full big main short extended alternate repeat "
    "quiet soft acoustic spoken rap guitar piano organ synth sax saxophone violin fiddle harmonica drum bass".split()
)
_LINELESS = (Role.INTRO, Role.INSTRUMENTAL, Role.OUTRO)  # what a tag without lines may be, if it repeats nothing
_REPEATABLE = (Role.CHORUS, Role.PRE_CHORUS, Role.HOOK)  # by any tag of the role: a bare [Chorus 2] repeats the chorus

_TIMES_AT_END = re.compile(
    r"(?:^|(?<=\s)|(?<=[^\w\s]))(?:"
    r"[(\[]\s*(?:repeat\s*)?(?:[x×]\s?(\d{1,9})|(\d{1,9})\s?[x×])\s*[)\]]"
    r"|(?<!\S)(?:[x×](\d{1,9})|(\d{1,9})[x×]))[.!]?\s*$",
    re.IGNORECASE,
)
_TITLE = re.compile(r"\s*(?:title\s*:|#(?=\s))(.*\S)", re.IGNORECASE)
_VERSE_NUMBER = re.compile(r"\s*(\d{1,2})(?:[.)](?=\s|$)|\s*$)")
_TAG = re.compile(r"\s*\[([^\[\]]*)\](.*)$")
_NAME = "|".join(name.replace(" ", r"[\s-]?") for name in sorted(_TAGS, key=len, reverse=True))
_HEADING = re.compile(rf"\s*((?:{_NAME})(?:\s*\d+)?)\s*:\s*$", re.IGNORECASE)
# "Final Chorus", "Verse 2: Anna", "Bridge x2", "Outro whispered"; not "End the song with a ritardando".
_SECTION = re.compile(
    rf"(?:(?:{'|'.join(sorted(_MODIFIERS))})\s+)*(?:{_NAME})(?:\s*\d+)?(?:\s+[^\W\d]{{2,}})?\s*"
    r"(?:[(:,–—-].*|[x×]\s?\d+|\d+\s?[x×])?",
    re.IGNORECASE,
)


def _names_section(text: str) -> bool:
    return _SECTION.fullmatch(text.strip()) is not None


@dataclass(slots=True)
class _Row:
    """A written line of lyrics."""

    text: str
    number: int
    indent: int  # characters before `text` in its line


@dataclass(slots=True)
class _Block:
    """A section as written."""

    number: int
    column: int
    name: str = ""  # of the tag, as in _TAGS; "" if untagged
    label: str = ""
    times: int = 1
    closed: bool = False  # the next untagged line begins a new block
    stanzas: list[list[_Row]] = field(default_factory=list)

    @property
    def role(self) -> Role:
        return _TAGS[self.name] if self.name else Role.VERSE

    @property
    def rows(self) -> list[_Row]:
        return [row for stanza in self.stanzas for row in stanza]


def _read_blocks(plain: PlainText) -> tuple[str | None, list[_Block]]:
    """Return the title and the sections as written."""
    written = [row.text for row in plain.rows]
    title = plain.title
    first = next((index for index, row in enumerate(written) if row.strip()), None)
    match = None if first is None else _TITLE.match(written[first])
    if first is not None and match:
        title = match[1].strip()
        written[first] = ""
    _drop_verse_numbers(written)
    tags = {}
    numbers = [row.number for row in plain.rows]
    for index, (number, row) in enumerate(zip(numbers, written, strict=True)):
        match = _TAG.match(row) or _HEADING.match(row)
        if match and not _is_repeat(row):
            tags[index] = _read_tag(number, row, match)
        elif row.lstrip().startswith("[") and not match:
            raise LyricsError("a tag is not closed; end it with ]", line=number, column=row.index("[") + 1)
    verses_tagged = any(tag.role is Role.VERSE for tag, _ in tags.values())
    blocks: list[_Block] = []
    in_stanza = False
    num_lines = 0
    for index, (number, row) in enumerate(zip(numbers, written, strict=True)):
        indent = 0
        if index in tags:
            tag, indent = tags[index]
            blocks.append(tag)
            in_stanza = False
            row = row[indent:]
            if not row.strip():
                continue
        block = blocks[-1] if blocks else None
        if plain.rows[index].ends_section and block is not None:
            block.closed = True
        times, kept = _split_times(row, number, indent)
        if not _is_sung(kept):
            in_stanza = False
            if block is None and times > 1:
                raise LyricsError("there is nothing before this to repeat", line=number, column=indent + 1)
            if block is not None and times > 1:
                block.times *= times
                block.closed = bool(block.stanzas)
                _check_times(block.times, number, indent + 1)
            elif block is not None and (not block.name or (not verses_tagged and _complete(block, blocks))):
                block.closed = True
            continue
        if block is None or block.closed:
            block = _Block(number, 1)
            blocks.append(block)
        if not in_stanza:
            block.stanzas.append([])
            in_stanza = True
        num_lines += times
        if num_lines > MAX_LINES:
            raise LyricsError(f"more than {MAX_LINES:,} lines; lyrics this long must be split", line=number)
        entry = _Row(kept.strip(), number, indent + len(kept) - len(kept.lstrip()))
        _check_length(entry)
        block.stanzas[-1].extend([entry] * times)
    if not any(block.stanzas for block in blocks):
        where = (blocks[0].number, blocks[0].column) if blocks else (None, None)
        raise LyricsError("there are no lines to sing; write some under the tags", *where)
    return title, blocks


def _drop_verse_numbers(written: list[str]) -> None:
    """Blank out the numbers that hymn books print before stanzas: "1. O God, our help", or "1" in a line of its own."""
    places: list[tuple[int, int]] = []
    for index, row in enumerate(written):
        match = _VERSE_NUMBER.match(row)
        if match and (index == 0 or not written[index - 1].strip()):
            alone = match.end() == len(row) and not "".join(written[index + 1 : index + 2]).strip()
            if alone or int(match[1]) != len(places) + 1:
                return
            places.append((index, match.end()))
    if len(places) >= 2:
        for index, end in places:
            written[index] = " " * end + written[index][end:]


def _is_sung(row: str) -> bool:
    """Whether a row has anything to sing."""
    return _ASCII_WORD.search(row) is not None or bool(row.strip() and sung_words(row, lambda word: False))


def _check_length(row: _Row) -> None:
    """Refuse what is surely too long before any work is done on it."""
    word = next(islice(_ASCII_WORD.finditer(row.text), MAX_SYLLABLES, None), None)
    if word:
        raise _too_long(row.number, row.indent + word.start() + 1)
    if len(row.text) > MAX_CHARACTERS:
        raise LyricsError(
            f"the line has {len(row.text):,} characters, more than {MAX_CHARACTERS:,}; break it into shorter lines",
            line=row.number,
            column=row.indent + MAX_CHARACTERS + 1,
        )


def _too_long(number: int, column: int) -> LyricsError:
    message = f"the line has more than {MAX_SYLLABLES} syllables; break it into shorter lines"
    return LyricsError(message, line=number, column=column)


_ASCII_WORD = re.compile(r"[A-Za-z0-9]\S*")


def _complete(block: _Block, blocks: list[_Block]) -> bool:
    """Whether a tagged section ends at a blank line: it has lines, or needs none."""
    if block.stanzas or block.role in _LINELESS:
        return True
    return any(earlier.stanzas and earlier.role is block.role for earlier in blocks)


def _is_repeat(row: str) -> bool:
    """Whether a row is `[x2]`: no tag, though in brackets."""
    match = _TIMES_AT_END.search(row)
    return match is not None and not row[: match.start()].strip()


def _split_times(row: str, number: int, indent: int) -> tuple[int, str]:
    """How often a row is sung, and the row without the mark that says so."""
    match = _TIMES_AT_END.search(row)
    if match is None:
        return 1, row
    times = int(next(group for group in match.groups() if group))
    _check_times(times, number, indent + match.start() + 1)
    return times, row[: match.start()]


def _check_times(times: int, number: int, column: int) -> None:
    if not 1 <= times <= MAX_TIMES:
        raise LyricsError(f"repeat from 1 to {MAX_TIMES} times, not {times:,}", line=number, column=column)


def _read_tag(number: int, row: str, match: re.Match[str]) -> tuple[_Block, int]:
    """Read a tag; return it with the place in the row where it ends. LyricsError if its name is none of `_TAGS`."""
    column = len(row) - len(row.lstrip()) + 1
    times, inner = _split_times(match[1], number, column)
    end = match.end(1) + 1 if match.re is _TAG else len(row)
    outer, rest = _split_times(row[end:], number, end)
    if not rest.strip():  # "[Chorus] x2"; otherwise the mark belongs to the line that follows the tag
        times, end = times * outer, len(row)
    _check_times(times, number, column)
    words = re.findall(r"[^\W\d_]+|\d+", inner.lower())
    while len(words) > 1 and words[0] in _MODIFIERS and (_tag_name(words[1:]) or words[1] in _MODIFIERS):
        words = words[1:]
    name = _tag_name(words)
    if name is None:
        from difflib import get_close_matches

        near = [near for words in (words[:2], words[:1]) for near in get_close_matches(" ".join(words), _TAGS, 1)]
        hint = f"; did you mean [{_display(near[0])}]?" if near else "."
        known = ", ".join(f"[{_display(role.value)}]" for role in Role)
        raise LyricsError(f"unknown tag [{_shorten(match[1])}]{hint} Known tags: {known}", line=number, column=column)
    label = " ".join(inner.strip(" \t-–—:,").split())
    return _Block(number, column, name, label, times), end


def _tag_name(words: list[str]) -> str | None:
    for size in (2, 1):
        name = " ".join(words[:size])
        if name in _TAGS:
            return name
    return None


def _display(name: str) -> str:
    return name.replace("pre ", "pre-").replace("post ", "post-").title()


def _shorten(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"


# --- Sections ----------------------------------------------------------------------------------------------------

_IDS = {
    Role.INTRO: "i",
    Role.VERSE: "v",
    Role.PRE_CHORUS: "pc",
    Role.CHORUS: "c",
    Role.HOOK: "h",
    Role.BRIDGE: "b",
    Role.INSTRUMENTAL: "s",
    Role.OUTRO: "o",
}
_Signature = tuple[tuple[str, ...], ...]


def _signature(lines: tuple[Line, ...]) -> _Signature:
    """Return what makes two sections the same: their words, whatever their case and punctuation."""
    return tuple(tuple(word.text.lower().replace("’", "'") for word in line.words) for line in lines)


class _Singer:
    """Makes sections of blocks: pronounces each line once, names the sections, writes repeats out."""

    def __init__(self, pronouncer: Pronouncer) -> None:
        self.pronouncer = pronouncer
        self.cache: dict[tuple[str, bool], tuple[Word, ...]] = {}
        self.unsingable: list[tuple[str, int, int]] = []  # word, line, column
        self.made: list[Section] = []
        self.counts: Counter[Role] = Counter()
        self.by_words: dict[tuple[Role, _Signature], Section] = {}
        self.by_name: dict[tuple[Role, str], Section] = {}  # the last one sung, by label, by name and by role
        self.num_lines = 0

    def sections(self, blocks: list[_Block]) -> tuple[Section, ...]:
        """All sections in the order of singing."""
        all_lines = [tuple(line for stanza in block.stanzas for line in self.lines(stanza)) for block in blocks]
        if self.unsingable:
            raise self.complaint()
        signatures = [_signature(lines) for lines in all_lines]
        tagged = {signature: block.name for block, signature in zip(blocks, signatures, strict=True) if block.name}
        if tagged:
            names = [block.name or tagged.get(words, "verse") for block, words in zip(blocks, signatures, strict=True)]
        else:
            names = _infer_roles(signatures, [block.times for block in blocks])
        for block, name, lines, signature in zip(blocks, names, all_lines, signatures, strict=True):
            self.add(block, name, lines, signature)
        return tuple(self.made)

    def add(self, block: _Block, name: str, lines: tuple[Line, ...], signature: _Signature) -> None:
        """Append a block's section as often as it is sung."""
        role = _TAGS[name]
        if lines:
            original = self.by_words.get((role, signature))
        else:
            original = self.repeated(block, role)
            lines = original.lines if original else ()
        for _ in range(block.times):
            self.counts[role] += 1
            self.num_lines += len(lines) or 1
            if self.num_lines > MAX_LINES:
                message = f"more than {MAX_LINES:,} lines with all repeats; lyrics this long must be split"
                raise LyricsError(message, line=block.number)
            count = self.counts[role]
            section = Section(
                id=f"{_IDS[role]}{count}",
                role=role,
                label=block.label or _display(name) + (f" {count}" if role is Role.VERSE else ""),
                lines=lines,
                tagged=bool(block.name),
                repeat_of=original.id if original else None,
            )
            self.made.append(section)
            if lines:
                original = original or section
        if original:
            self.by_words.setdefault((role, signature), original)
            for key in (block.label.lower(), name, ""):
                self.by_name[role, key] = original

    def repeated(self, block: _Block, role: Role) -> Section | None:
        """Find the section that a tag without lines repeats: of its label, else of its name, else of its role."""
        keys = [block.label.lower()]
        if role in _REPEATABLE or not re.search(r"\d", block.label):
            keys += [block.name, ""]
        for key in keys:
            if (role, key) in self.by_name:
                return self.by_name[role, key]
        if role in _LINELESS:
            return None
        raise LyricsError(
            f"[{_shorten(block.label)}] has no lines, and there is none before it to repeat; "
            "write its lines, or use [Instrumental]",
            line=block.number,
            column=block.column,
        )

    def lines(self, stanza: list[_Row]) -> list[Line]:
        """Read the lines of one stanza, with the backing words that run over line ends."""
        lines = []
        backing = False
        for index, row in enumerate(stanza):
            lines.append(Line(row.text, self.words(row, backing), row.number))
            opened = row.text.rfind("(") > row.text.rfind(")")
            still = backing and ")" not in row.text
            backing = (opened or still) and _closes(islice(stanza, index + 1, None))
        return lines

    def words(self, row: _Row, backing: bool) -> tuple[Word, ...]:
        """Pronounce the words of one line."""
        known = self.cache.get((row.text, backing))
        if known is not None:
            return known
        sung = sung_words(row.text, self.pronouncer.knows, backing=backing)
        words: list[Word] = []
        num_syllables = 0
        for index, word in enumerate(sung):
            column = row.indent + word.column
            if len(word.lookup) > MAX_LETTERS:
                raise LyricsError(
                    f"the word “{_shorten(word.text)}” has {len(word.lookup):,} letters, more than {MAX_LETTERS}; "
                    "separate the words with blanks",
                    line=row.number,
                    column=column,
                )
            before = sung[index - 1].text if index else ""
            after = sung[index + 1].text if index + 1 < len(sung) else ""
            syllables = self.syllables(word, before, after)
            if syllables is None:
                self.unsingable.append((word.written, row.number, column))
                continue
            num_syllables += len(syllables)
            if num_syllables > MAX_SYLLABLES:
                raise _too_long(row.number, column)
            words.append(
                Word(
                    text=word.text,
                    written=word.written,
                    token=word.token,
                    syllables=syllables,
                    content=word.syllables is not None or not is_function_word(word.lookup),
                    prefix=word.prefix,
                    suffix=word.suffix,
                    backing=word.backing,
                    in_dictionary=word.syllables is not None or self.pronouncer.knows(word.lookup),
                )
            )
        self.cache[row.text, backing] = tuple(words)
        return tuple(words)

    def syllables(self, word: SungWord, before: str, after: str) -> tuple[Syllable, ...] | None:
        """Syllables of a word with its own letters; None if it cannot be pronounced."""
        if word.syllables is not None:
            return word.syllables
        try:
            syllables = self.pronouncer.syllables(word.lookup, forced=word.forced, before=before, after=after)
        except UnpronounceableError:
            return None
        if word.letters is None:
            return syllables
        lettered = []
        position = 0
        for syllable in syllables:
            end = position + len(syllable.text)
            lettered.append(Syllable("".join(word.letters[position:end]), syllable.phones, syllable.stress))
            position = end
        return tuple(lettered)

    def complaint(self) -> LyricsError:
        """Name the words that cannot be sung, the first of them with its place."""
        places: dict[str, tuple[int, int]] = {}
        for word, number, column in self.unsingable:
            places.setdefault(word, (number, column))
        (first, (line, column)), *others = places.items()
        named = f"“{_shorten(first)}”"
        if others:
            more = [f"“{_shorten(word)}” (line {number}, column {at})" for word, (number, at) in others[:4]]
            more += [f"{len(others) - 4} more"] if len(others) > 4 else []
            named += ", " + ", ".join([*more[:-1], f"and {more[-1]}"]) if len(more) > 1 else f" and {more[0]}"
        return LyricsError(
            f"cannot pronounce {named}: write {'them' if others else 'it'} in English letters, "
            f"leave {'them' if others else 'it'} out, or give the sounds in a pronunciation file",
            line=line,
            column=column,
        )


def _closes(rows: Iterable[_Row]) -> bool:
    """Whether a parenthesis that is open before these rows is closed in them."""
    brackets = (match.group() for row in rows for match in re.finditer("[()]", row.text))
    return next(brackets, "(") == ")"


def _infer_roles(stanzas: list[_Signature], times: list[int]) -> list[str]:
    """Name untagged stanzas, each sung so many times in a row.

    The stanza that occurs most often (of several, the last one to begin) is the chorus; another repeated one that
    always stands just before it is the pre-chorus, one that always stands just after it belongs to the chorus. A stanza
    that occurs once, between two choruses and after at least two, and has another number of lines than every verse, is
    the bridge; of several, the last.
    """
    counts: Counter[_Signature] = Counter()
    before: dict[_Signature, set[_Signature | None]] = {}
    for stanza, count, previous in zip(stanzas, times, [None, *stanzas], strict=False):
        counts[stanza] += count
        before.setdefault(stanza, set()).add(previous)
    most = max(counts.values())
    if most == 1:
        return ["verse"] * len(stanzas)
    chorus = [stanza for stanza in counts if counts[stanza] == most][-1]
    roles = dict.fromkeys(counts, "verse") | {chorus: "chorus"}
    for stanza in counts:
        if stanza != chorus and counts[stanza] > 1:
            if before[chorus] == {stanza}:
                roles[stanza] = "pre chorus"
            elif before[stanza] == {chorus}:
                roles[stanza] = "chorus"
    names = [roles[stanza] for stanza in stanzas]
    verses = [index for index, name in enumerate(names) if name == "verse"]
    lengths = Counter(len(stanzas[index]) for index in verses)
    for index in reversed(verses):
        between = names[index - 1 : index + 2 : 2] == ["chorus", "chorus"] or names[index + 1 : index + 2] == [
            "pre chorus"
        ]
        late = names[:index].count("chorus") >= 2 and names[index - 1] == "chorus"
        if late and between and lengths[len(stanzas[index])] == 1 and len(verses) > 1:
            names[index] = "bridge"
            break
    return names
