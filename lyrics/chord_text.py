"""Texts that hold more than words, as people paste them: chord sheets, ChordPro, LRC. Finds the words in them.

- A line of chord symbols alone ("Am   F   C   G", "| G | D/F# |") is left out, and so is tablature. What could be a
  line of lyrics too ("A", "Am", "A B C", "B A D") is one of chords only in a text that is a chord sheet for other
  reasons: a line that is surely of chords, "Key: G" or "Capo: 2" above the words, or two different such lines that
  stand above words and do not spell the alphabet. Of "[Intro] Em C" and "Intro: Em C" the tag stays.
- Chords in brackets, "ri[F]ver", and notes to the players, "[*softly]", are left out.
- ChordPro (https://www.chordpro.org/chordpro/chordpro-directives/): the title is read; sections, and comments that
  name one, become tags; other directives, grids and lines that begin with "#" are left out.
- LRC: time stamps, "[00:12.00]" and "<00:12.00>", are left out; a line with several is sung at each of these times.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

_ROOT = "[A-G][#b♯♭]?"
_DEGREE = "(?:6/9|69|11|13|[2-9])"
_CHANGE = rf"(?:[#b♯♭+-]|add|no|omit|sus|[Mm]aj|M){_DEGREE}"
_CHORD = (
    rf"{_ROOT}(?:m[Mm]aj|[Mm]aj|min|mi|m|dim|aug|[+°øΔ]|[oM-](?={_DEGREE}))?{_DEGREE}?"
    rf"(?:{_CHANGE}|sus|alt|\((?:{_CHANGE}|{_DEGREE})(?:,?{_CHANGE})*\)){{0,4}}(?:/{_ROOT})?"
)
_NO_CHORD = r"(?:N\.C\.?|NC)"
_SYMBOL = re.compile(rf"\(?({_CHORD}|{_NO_CHORD})\)?\*?")
_FILLING = re.compile(r"[-–—/%.~*:]+|\(?(?:[x×X]\d{1,2}|\d{1,2}[x×X])\)?")  # what else may stand among chords
_MAX_SYMBOL = 16  # characters
_NO_PROOF = frozenset("A B C D E F G Am Em A+ B+ C+ D+ F+ N.C. NC".split())  # letters, words and marks, too
_TABLATURE = re.compile(r"\s*[A-Ga-g][#b]?\s?[|:][-\d\sA-Za-z|/\\~^()*]*")
_LABELLED = re.compile(r"(\s*(?:\[[^\[\]]{1,60}\]|[A-Za-z][A-Za-z0-9 -]{0,30}:))\s*([A-GN(|].*)")

_STAMP = r"\d{1,3}:\d\d(?:[.:]\d{1,3})?"
_STAMPS = re.compile(rf"\s*((?:\[{_STAMP}\]\s*)+)")
_MARK = re.compile(
    rf"(?P<chord>\[\s*\(?(?:{_CHORD}|{_NO_CHORD})\)?\s*\])|(?P<note>\[\s*\*[^\[\]]*\])"
    rf"|(?P<time>\[{_STAMP}\]|<{_STAMP}>)"
)
_LRC_FIELD = re.compile(r"\s*\[(ti|ar|al|au|by|re|ve|lr|la|length|offset|tool|id|#)\s*:([^\[\]]*)\]\s*", re.IGNORECASE)

_DIRECTIVE = re.compile(r"\{\s*([A-Za-z]\w*)(?:-\w+!?)?\s*(?:(:)|(?=[\s}]))\s*(.*)\}")
_SHORT_NAMES = {
    "t": "title", "c": "comment", "ci": "comment", "cb": "comment", "comment_italic": "comment",
    "comment_box": "comment", "highlight": "comment",
    "sov": "start_of_verse", "soc": "start_of_chorus", "sob": "start_of_bridge", "sot": "start_of_tab",
    "sog": "start_of_grid", "eov": "end_of_verse", "eoc": "end_of_chorus", "eob": "end_of_bridge",
    "eot": "end_of_tab", "eog": "end_of_grid",
}  # fmt: skip
# Directives without a colon; with one, any name is a directive.
_BARE = re.compile(
    "title|comment|chorus|(start|end)_of_.*|x_.*|ns|new_song|np|new_page|npp|new_physical_page|colb|column_break|col"
    "|columns|g|grid|ng|no_grid|transpose|capo|key|time|tempo|subtitle|st|artist|meta|define|chord|diagrams|image"
    "|(text|chord|tab|chorus|title)(font|size|colou?r)"
)
_WORDLESS = frozenset(["tab", "grid", "abc", "ly", "svg", "textblock"])  # environments
_LABEL = re.compile(r'label\s*=\s*"([^"]*)"')

_TITLE = re.compile(r"\s*title\s*:", re.IGNORECASE)
# What chord sheets say above the words; the first of them only chord sheets say.
_KEY_OR_CAPO = re.compile(
    rf"\s*(?:key\s*:\s*{_ROOT}\s?(?:m|maj|min|major|minor)?"
    r"|capo\s*:?\s*(?:(?:fret )?\d\S{0,2}( fret)?|none|no capo))\s*",
    re.IGNORECASE,
)
_ABOUT = re.compile(
    r"\s*(?:tuning\s*:\s*(?:standard|drop|half|open|(?:[A-G][#b]?\s*){4}).*|(?:tempo|bpm)\s*:\s*\d+(?:\.\d+)?(?:\s?bpm)?"
    r"|(?:time|meter|metre|time signature)\s*:\s*\d+/\d+|(?:artist|album|difficulty)\s*:.*)\s*",
    re.IGNORECASE,
)

# What is left out, as it is told: one of them, several.
_CHORD_LINES = ("line of chords", "lines of chords")
_INLINE = ("chord among the words", "chords among the words")
_TIMES = ("time stamp", "time stamps")
_NOTES = ("note about the song", "notes about the song")


class PlainRow(NamedTuple):
    """A row of lyrics without chords."""

    text: str
    number: int  # line in the source text, from 1
    ends_section: bool = False  # not a row, but the end of the section above


class PlainText(NamedTuple):
    """The words of a text: rows in the format of `lyrics.parse`."""

    rows: tuple[PlainRow, ...]
    title: str | None
    left_out: tuple[str, ...]  # in words: "12 lines of chords"


def find_words(rows: Sequence[str], names_section: Callable[[str], bool]) -> PlainText:
    """Leave out what is not sung; `names_section` says whether words name a section of a song.

    >>> text = find_words(["{title: Rain}", "Am  F", "Rain and [G]thun[C]der"], lambda words: False)
    >>> text.title, [row.text for row in text.rows], text.left_out
    ('Rain', ['Rain and thunder'], ('1 line of chords', '2 chords among the words'))
    """
    reader = _Reader(rows, names_section)
    found = tuple(reader.words())
    if any(len(times) > 1 for times in reader.times.values()):
        found = _at_their_times(found, reader.times)
    counts = ((reader.counts[names], names) for names in (_CHORD_LINES, _INLINE, _TIMES, _NOTES))
    left_out = tuple(f"{count:,} {names[count > 1]}" for count, names in counts if count)
    return PlainText(found, reader.title, left_out)


def kept_places(row: str) -> list[int]:
    """Return where in a row the characters stand that are left when chords and time stamps are taken out of it.

    >>> row = "Love [C] is a ri[F]ver"
    >>> "".join(row[place] for place in kept_places(row))
    'Love is a river'
    """
    places: list[int] = []
    position = 0
    for match in _MARK.finditer(row):
        places += range(position, match.start())
        position = match.end()
        if row[position : position + 1].isspace() and (not places or row[places[-1]].isspace()):
            position += 1  # of two blanks around a chord, one stays
    return [*places, *range(position, len(row))]


def is_chord_line(row: str, *, chord_sheet: bool = False) -> bool:
    """Whether a row is surely one of chord symbols; in a chord sheet, whether it can be one.

    >>> [is_chord_line(row) for row in ("Am  F  C  G", "| N.C. |", "F#m", "G   C", "A", "Am I", "D A D")]
    [True, True, True, True, False, False, False]
    >>> is_chord_line("A", chord_sheet=True)
    True
    """
    symbols = _chord_symbols(row)
    if chord_sheet or row.lstrip().startswith("|"):
        return bool(symbols)
    if any(symbol not in _NO_PROOF for symbol in symbols):
        return True
    return len(symbols) > 1 and (any(len(symbol) > 1 for symbol in symbols) or re.search(r"\S\s\s+\S", row) is not None)


def _chord_symbols(row: str) -> list[str]:
    """Return the symbols of a row of chords; none of a row that has anything else."""
    symbols = []
    for token in row.replace("|", " ").split():
        if len(token) > _MAX_SYMBOL:
            return []
        match = _SYMBOL.fullmatch(token)
        if match:
            symbols.append(match[1])
        elif not _FILLING.fullmatch(token):
            return []
    return symbols


class _Reader:
    """Reads one text; what it left out is in `counts`."""

    def __init__(self, rows: Sequence[str], names_section: Callable[[str], bool]) -> None:
        self.rows = rows
        self.names_section = names_section
        self.title: str | None = None
        self.counts: Counter[tuple[str, str]] = Counter()
        self.times: dict[int, list[int]] = {}  # by line number, in milliseconds
        self.directives = {number: found for number, row in enumerate(rows, 1) if (found := _directive(row))}
        self.ends = {name: number for number, (name, _) in self.directives.items()}  # where it stands last
        self.chord_sheet = _is_chord_sheet(rows)

    def words(self) -> Iterator[PlainRow]:
        """Yield what is left of the text."""
        skipped = ""  # the directive that ends what is skipped
        in_head = True
        for number, row in enumerate(self.rows, 1):
            name, value = self.directives.get(number, ("", ""))
            if skipped:
                self.counts[_CHORD_LINES] += bool(row.strip()) and name != skipped
                skipped = "" if name == skipped else skipped
            elif name:
                environment = name.removeprefix("start_of_")
                closing = f"end_of_{environment}"
                if environment in _WORDLESS and self.ends.get(closing, 0) > number:
                    skipped = closing
                else:
                    yield from self.follow(name, value, number)
            elif in_head and _TITLE.match(row):
                yield PlainRow(row, number)
            elif self.is_about(row, in_head):
                self.counts[_NOTES] += 1
            elif is_chord_line(row, chord_sheet=self.chord_sheet) or _is_tablature(row):
                self.counts[_CHORD_LINES] += 1
            else:
                text = self.without_marks(row, number)
                if text is not None:
                    in_head = in_head and not text.strip()
                    yield PlainRow(text, number)

    def follow(self, name: str, value: str, number: int) -> Iterator[PlainRow]:
        """Do what a directive of ChordPro says."""
        label = " ".join(_LABEL.sub(r"\1", value).replace("[", "(").replace("]", ")").split())
        kind = name.removeprefix("start_of_")
        if name == "meta" and value.lower().startswith("title "):
            name, value = "title", value[6:].lstrip(": ")
        if name == "title":
            self.title = self.title or value.strip() or None
        elif name == "comment" and self.names_section(label):
            yield PlainRow(f"[{label}]", number)
        elif name == "chorus" or kind != name:
            tag = kind.replace("_", " ").capitalize()
            if self.names_section(label) or re.match(rf"{tag}\b", label, re.IGNORECASE):
                yield PlainRow(f"[{label}]", number)
            elif self.names_section(tag):
                yield PlainRow(f"[{tag}: {label}]" if label else f"[{tag}]", number)
            if name == "chorus":  # sing it again, and nothing more
                yield PlainRow("", number, ends_section=True)
        elif name.startswith("end_of_"):
            yield PlainRow("", number, ends_section=True)
        else:
            self.counts[_NOTES] += 1

    def is_about(self, row: str, in_head: bool) -> bool:
        """Whether a row says something about the song; a title among it is kept."""
        field = _LRC_FIELD.fullmatch(row)
        if field and field[1].lower() == "ti":
            self.title = self.title or field[2].strip() or None
        if field or (self.directives and row.startswith("#")):
            return True
        return in_head and (_KEY_OR_CAPO.fullmatch(row) or _ABOUT.fullmatch(row)) is not None

    def without_marks(self, row: str, number: int) -> str | None:
        """Return a row without chords and time stamps; None where chords are all there is."""
        label = _LABELLED.fullmatch(row)
        if label and is_chord_line(label[2], chord_sheet=self.chord_sheet):
            self.counts[_CHORD_LINES] += 1
            return label[1] if self.names_section(label[1].strip(" \t[]:")) else None
        if "[" not in row and "<" not in row:
            return row
        marks = [match.lastgroup for match in _MARK.finditer(row)]
        if not marks:
            return row
        stamps = _STAMPS.match(row)
        if stamps:
            self.times[number] = [_milliseconds(stamp) for stamp in re.findall(_STAMP, stamps[1])]
        self.counts[_TIMES] += marks.count("time")
        self.counts[_NOTES] += marks.count("note")
        text = "".join(row[place] for place in kept_places(row))
        if not text.strip() and "time" not in marks:
            self.counts[_CHORD_LINES] += "chord" in marks
            return None
        self.counts[_INLINE] += marks.count("chord")
        return text


def _directive(row: str) -> tuple[str, str] | None:
    """Return the full name and the value of a directive of ChordPro."""
    row = row.strip()
    match = _DIRECTIVE.fullmatch(row) if row.startswith("{") and row.endswith("}") else None
    if match is None:
        return None
    name = _SHORT_NAMES.get(match[1].lower(), match[1].lower())
    return (name, match[3]) if match[2] or _BARE.fullmatch(name) else None


def _is_tablature(row: str) -> bool:
    return "--" in row and len(row) < 300 and _TABLATURE.fullmatch(row) is not None


def _is_chord_sheet(rows: Sequence[str]) -> bool:
    """Whether the text has chord lines for sure, so that what can be one is one."""
    doubtful = set()
    for row, below in zip(rows, [*rows[1:], ""], strict=True):
        label = _LABELLED.fullmatch(row)
        if is_chord_line(label[2] if label else row) or _KEY_OR_CAPO.fullmatch(row):
            return True
        symbols = _chord_symbols(row)
        if len(symbols) > 1 and "".join(symbols) not in "ABCDEFG" and below.strip() and not _chord_symbols(below):
            doubtful.add(tuple(symbols))
    return len(doubtful) > 1


def _milliseconds(stamp: str) -> int:
    minutes, seconds, *fraction = re.split("[:.]", stamp)
    return (int(minutes) * 60 + int(seconds)) * 1000 + int("".join(fraction).ljust(3, "0"))


def _at_their_times(rows: Sequence[PlainRow], times: dict[int, list[int]]) -> tuple[PlainRow, ...]:
    """Sing a line with several time stamps at each of them; what has none stays behind the row above."""
    placed: list[tuple[int, PlainRow]] = []
    last = 0
    for row in rows:
        found = times.get(row.number, [last])
        placed += ((time, row) for time in found)
        last = found[0]
    return tuple(row for _, row in sorted(placed, key=lambda pair: pair[0]))
