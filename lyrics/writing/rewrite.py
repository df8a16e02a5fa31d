"""New words for a line or a section of lyrics that stand: the same syllables and rhymes, all else byte for byte."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lyrics.chord_text import kept_places
from lyrics.document import Line, Lyrics, Section
from lyrics.errors import RequestError
from lyrics.lm import LanguageModel, Prefix
from lyrics.parse import parse_lyrics
from lyrics.prompt import cue, tag, written
from lyrics.pronounce import Pronouncer
from lyrics.rhyme import find_rhymes
from lyrics.writing.line import Effort, LineWriter, Neighbours, Weights
from lyrics.writing.plan import Slot
from lyrics.writing.request import MAX_SYLLABLES, UNRHYMED, Request, check_mood, check_theme

MAX_CHOICES = 20
_BREAK = re.compile("\r\n|[\n\r\v\f\x85\u2028\u2029]")
_CONTEXT = 12  # lines before the place that the language model reads
_CHOICES_A_TIME = 2  # that one search is good for: its best lines are often alike
_MOST_SHARED = 0.5  # of the words of a choice that another one may have


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to write the place anew."""

    lines: tuple[str, ...]  # the new lines alone
    text: str  # the whole text with them


@dataclass(frozen=True, slots=True)
class Place:
    """What is to be rewritten: lines of one section."""

    section: int  # position in the lyrics
    indices: tuple[int, ...]


def find_place(lyrics: Lyrics, *, line: str = "", section: str = "") -> Place:
    """Find a line ("v1.3") or a section ("c1"). Raises RequestError with the names there are."""
    wanted, mark, number = (line or section).strip().lower().partition(".")
    ids = [part.id for part in lyrics.sections if part.lines and part.repeat_of is None]
    position = next((index for index, part in enumerate(lyrics.sections) if part.id == wanted), -1)
    if line and position >= 0 and not mark:
        raise RequestError(f"{wanted} is a section; write --section {wanted}, or --line {wanted}.1 for its first line")
    if position < 0 or (bool(line) != bool(mark)):
        example = "--line v1.3 (section, then line)" if line else "--section c1"
        raise RequestError(f"there is no {line or section!r}; write {example}; the sections are {', '.join(ids)}")
    found = lyrics.sections[position]
    if found.repeat_of is not None:
        raise RequestError(f"{wanted} repeats {found.repeat_of}; rewrite {found.repeat_of}, and both change")
    if not line:
        return Place(position, tuple(range(len(found.lines))))
    if not number.isdecimal() or not 1 <= int(number) <= len(found.lines):
        raise RequestError(f"{wanted} has lines 1 to {len(found.lines)}, so there is no {line!r}")
    return Place(position, (int(number) - 1,))


def check_place(lyrics: Lyrics, request: Request, *, line: str = "", section: str = "", choices: int = 1) -> Place:
    """Refuse early, before any model is loaded, what cannot be rewritten; return the place. Raises RequestError."""
    if not 1 <= choices <= MAX_CHOICES:
        raise RequestError(f"choices must be from 1 to {MAX_CHOICES}, got {choices}")
    if request.theme:
        check_theme(request.theme)
    check_mood(request.mood)
    place = find_place(lyrics, line=line, section=section)
    found = lyrics.sections[place.section]
    for index in place.indices:
        size = len(found.lines[index].syllables)
        if size > MAX_SYLLABLES:
            raise RequestError(
                f"line {index + 1} of {found.id} has {size} syllables, more than {MAX_SYLLABLES}; break it in two first"
            )
    return place


def rewrite(
    text: str,
    model: LanguageModel,
    request: Request,
    *,
    line: str = "",
    section: str = "",
    choices: int = 1,
    effort: Effort | None = None,
    pronouncer: Pronouncer | None = None,
) -> tuple[Choice, ...]:
    """Rewrite one line, or all lines of a section; return at most `choices` ways, the best first.

    Of the request theme (empty: the lyrics' own words), mood, words to avoid, explicit, slant and seed count. Raises
    LyricsError for lyrics that cannot be read and RequestError for a place that is none or cannot be rewritten.
    """
    lyrics = parse_lyrics(text, pronouncer)
    place = check_place(lyrics, request, line=line, section=section, choices=choices)
    if not request.theme:
        request = replace(request, theme=_theme(lyrics))
    found = lyrics.sections[place.section]
    labels = [rhyme.label for rhyme in find_rhymes(found.lines)]
    ways: list[tuple[str, ...]] = []
    if len(place.indices) == 1:
        index = place.indices[0]
        writer = _writer(lyrics, place, request, model, effort)
        slot, beside = _slot(found, place, index, labels), _beside(found.lines, labels, index)
        context = _context(writer, lyrics, place)
        scores: dict[str, float] = {}
        for _ in range(-(-choices // _CHOICES_A_TIME)):
            scores |= {item.text: item.score for item in writer.find(context, slot, beside)}
        fresh = [item for item in scores if item.lower() != found.lines[index].text.lower()]
        ways = [(item,) for item in _different(sorted(fresh, key=lambda item: -scores[item]), choices)]
    else:
        for turn in range(choices):
            writer = _writer(lyrics, place, replace(request, seed=request.seed + turn), model, effort)
            way = _whole_section(writer, lyrics, place, labels)
            if way and way not in ways:
                ways.append(way)
    if not ways:
        raise RequestError(
            "found no other words with the same syllables and rhymes; rewrite the line that it rhymes with, or allow "
            "slant rhymes"
        )
    made = []
    for way in ways:
        changes = {found.lines[index].number: new for index, new in zip(place.indices, way, strict=True)}
        shown = {found.lines[index].number: found.lines[index].text for index in place.indices}
        made.append(Choice(way, _replaced(text, shown, changes)))
    return tuple(made)


def _different(ranked: Sequence[str], count: int) -> list[str]:
    """Choose so many lines, the best first, of which no two have more than half of their words in common.

    Where there are not as many, the best of the others follow.
    """
    chosen: list[str] = []
    for text in ranked:
        words = Counter(text.lower().split())
        shared = [(words & Counter(other.lower().split())).total() / words.total() for other in chosen]
        if max(shared, default=0.0) <= _MOST_SHARED:
            chosen.append(text)
    return [*chosen, *(text for text in ranked if text not in chosen)][:count]


def _theme(lyrics: Lyrics) -> str:
    """Return the title, else the content words that the lyrics have most often."""
    if lyrics.title:
        return lyrics.title
    count: dict[str, int] = {}
    for section in lyrics.sections:
        for line in section.lines:
            for word in line.words:
                if word.content:
                    count[word.text.lower()] = count.get(word.text.lower(), 0) + 1
    return " ".join(sorted(count, key=lambda word: -count[word])[:6]) or "a song"


def _writer(lyrics: Lyrics, place: Place, request: Request, model: LanguageModel, effort: Effort | None) -> LineWriter:
    writer = LineWriter(request, model, (), effort or Effort(), Weights())
    for number, section in enumerate(lyrics.sections):
        if section.repeat_of is None:
            for index, line in enumerate(section.lines):
                if number != place.section or index not in place.indices:
                    writer.remember(line)
    writer.memory.voice.new_section()
    return writer


def _context(writer: LineWriter, lyrics: Lyrics, place: Place) -> Prefix:
    """Read the theme and the last lines before the place."""
    text = writer.start(lyrics.title or "")
    before: list[tuple[Section, Line]] = []
    for number, section in enumerate(lyrics.sections[: place.section + 1]):
        end = place.indices[0] if number == place.section else len(section.lines)
        before += [(section, line) for line in section.lines[:end]]
    last = None
    for section, line in before[-_CONTEXT:]:
        if section is not last:
            text = writer.model.read(text, [tag(section.role)])
            last = section
        text = writer.model.read(text, [cue(len(line.syllables), line.words[-1].text), written(_plain(line))])
    here = lyrics.sections[place.section]
    return text if last is here else writer.model.read(text, [tag(here.role)])


def _plain(line: Line) -> str:
    return " ".join(word.text for word in line.words)


def _slot(section: Section, place: Place, index: int, labels: Sequence[str]) -> Slot:
    letter = UNRHYMED if labels[index] == "-" else labels[index]
    later = [labels[other] for other in place.indices if other > index]
    return Slot(place.section, index, section.role, len(section.lines[index].syllables), letter, letter in later)


def _beside(lines: Sequence[Line], labels: Sequence[str], index: int) -> Neighbours:
    others = [other for other in range(len(lines)) if other != index]
    rhyming = [other for other in others if labels[other] == labels[index] != "-"]
    return Neighbours(
        tuple(lines[other] for other in rhyming), tuple(lines[other] for other in others if other not in rhyming)
    )


def _whole_section(writer: LineWriter, lyrics: Lyrics, place: Place, labels: Sequence[str]) -> tuple[str, ...]:
    """Write all lines of the section; () if one cannot be found."""
    section = lyrics.sections[place.section]
    text = _context(writer, lyrics, place)
    sung: list[Line] = []
    for index in place.indices:
        slot = _slot(section, place, index, labels)
        found = writer.find(text, slot, _beside([*sung, section.lines[index]], labels[: index + 1], index))
        if not found:
            return ()
        sung.append(found[0].line)
        writer.remember(found[0].line)
        text = writer.read(text, found[0])
    return tuple(line.text for line in sung)


def _replaced(text: str, shown: dict[int, str], changes: dict[int, str]) -> str:
    """Put new lines in place of those with these numbers; what stands around them stays, punctuation at ends too.

    Chords in brackets stay where they stand before or behind the line; those inside it go with its words.
    """
    marks = [match.span() for match in _BREAK.finditer(text)]
    starts = [0, *(end for _, end in marks)]
    ends = [*(start for start, _ in marks), len(text)]
    parts = []
    done = 0
    for number in sorted(changes):
        row = text[starts[number - 1] : ends[number - 1]]
        old = shown[number]
        kept_of_row = kept_places(row)
        position = "".join(row[place] for place in kept_of_row).index(old)
        start, end = kept_of_row[position], kept_of_row[position + len(old) - 1] + 1
        closing = re.search(r"[,;:.!?…\"'”’)—–-]*$", old)
        kept = closing.group() if closing and closing.start() else ""
        parts += [text[done : starts[number - 1]], row[:start], changes[number] + kept, row[end:]]
        done = ends[number - 1]
    return "".join([*parts, text[done:]])
