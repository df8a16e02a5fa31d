"""Guess what the sections of untagged lyrics do, and find refrains and lines that break a parallel.

The parser makes a chorus of a stanza that returns word for word. What is guessed here goes further: a stanza that
returns nearly so is a chorus too, a short one that always leads into the chorus a pre-chorus, one that differs from all
verses in its shape and comes late a bridge. These are guesses: they are shown, and change nothing.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from lyrics.document import Line, Lyrics, Role, Section
from lyrics.mood import plain_words

_NEARLY = 0.6  # share of lines that two stanzas have in common, for a chorus with changed words
_LINE = 0.7  # share of words that two lines have in common, for the same line with changed words
_CHORUSES = (Role.CHORUS, Role.HOOK)


@dataclass(frozen=True, slots=True)
class Guess:
    """What an untagged section may be."""

    role: Role
    reason: str


@dataclass(frozen=True, slots=True)
class Uneven:
    """A line that has not as many syllables as the lines in its place in parallel sections."""

    line: int  # in the source text, from 1
    section: str  # id
    text: str
    num_syllables: int
    others: int  # syllables of most of the parallel lines
    parallel: tuple[int, ...]  # their numbers in the source text


def guess_roles(lyrics: Lyrics) -> dict[str, Guess]:
    """Guess the roles of untagged sections whose role is not what the parser says, by section id."""
    sections = [section for section in lyrics.sections if section.lines and not section.tagged]
    if len(sections) < 2:
        return {}
    guesses: dict[str, Guess] = {}
    roles = {section.id: section.role for section in sections}
    for section in sections:
        twins = [other for other in sections if other is not section and section.repeat_of is None]
        twin = next((other for other in twins if _share(section, other) >= _NEARLY), None)
        if twin is not None and section.role is Role.VERSE:
            guesses[section.id] = Guess(Role.CHORUS, f"returns nearly word for word as {twin.label}")
            roles[section.id] = Role.CHORUS
    before = Counter(
        _shape(first)
        for first, second in pairwise(sections)
        if roles[second.id] in _CHORUSES and roles[first.id] is Role.VERSE
    )
    verses = [section for section in sections if roles[section.id] is Role.VERSE]
    usual = Counter(len(section.lines) for section in verses).most_common(1)[0][0] if verses else 0
    for index, section in enumerate(sections):
        if roles[section.id] is not Role.VERSE:
            continue
        leads = index + 1 < len(sections) and roles[sections[index + 1].id] in _CHORUSES
        follows_verse = index > 0 and roles[sections[index - 1].id] is Role.VERSE
        shorter = len(section.lines) < usual
        if leads and follows_verse and shorter and before[_shape(section)] >= 2:
            guesses[section.id] = Guess(Role.PRE_CHORUS, "a shorter stanza between verse and chorus, every time")
            continue
        choruses = sum(roles[other.id] in _CHORUSES for other in sections[:index])
        if choruses >= 2 and leads and abs(_mean(section) - _mean_of(verses, section)) >= 1.5:
            guesses[section.id] = Guess(Role.BRIDGE, "comes late, between choruses, in lines of another length")
    return guesses


def find_refrains(lyrics: Lyrics) -> tuple[Line, ...]:
    """Find lines that end, or begin, at least two different sections with (nearly) the same words."""
    originals = [section for section in lyrics.sections if len(section.lines) > 1 and section.repeat_of is None]
    found: list[Line] = []
    for place in (-1, 0):
        lines = [section.lines[place] for section in originals]
        for index, line in enumerate(lines):
            known = any(_alike(line, other) for other in found)
            if not known and any(_alike(line, other) for other in lines[index + 1 :]):
                found.append(line)
    return tuple(found)


def find_uneven(lyrics: Lyrics) -> tuple[Uneven, ...]:
    """Find lines whose number of syllables differs from most lines in the same place of sections of the same role."""
    groups: dict[tuple[Role, int], list[Section]] = {}
    for section in lyrics.sections:
        if section.lines and section.repeat_of is None:
            groups.setdefault((section.role, len(section.lines)), []).append(section)
    uneven: list[Uneven] = []
    for sections in groups.values():
        if len(sections) < 2:
            continue
        for place in range(len(sections[0].lines)):
            lines = [section.lines[place] for section in sections]
            counts = [len(line.syllables) for line in lines]
            usual, votes = max(Counter(counts).items(), key=lambda item: (item[1], -counts.index(item[0])))
            for section, line, count in zip(sections, lines, counts, strict=True):
                # Of two verses neither is the rule: the second is held against the first.
                if count != usual and (votes > 1 or section is not sections[0]):
                    parallel = tuple(other.number for other in lines if len(other.syllables) == usual)
                    uneven.append(Uneven(line.number, section.id, line.text, count, usual, parallel))
    return tuple(sorted(uneven, key=lambda one: one.line))


def _share(one: Section, other: Section) -> float:
    """Share of the lines of the longer section that the other has too, nearly."""
    if len(one.lines) < 2 or len(other.lines) < 2:
        return 0.0
    same = sum(any(_alike(line, twin) for twin in other.lines) for line in one.lines)
    return same / max(len(one.lines), len(other.lines))


def _alike(one: Line, other: Line) -> bool:
    first, second = Counter(plain_words(one)), Counter(plain_words(other))
    return (first & second).total() >= _LINE * max(first.total(), second.total())


def _shape(section: Section) -> int:
    return len(section.lines)


def _mean(section: Section) -> float:
    return sum(len(line.syllables) for line in section.lines) / len(section.lines)


def _mean_of(sections: Sequence[Section], without: Section) -> float:
    means = [_mean(section) for section in sections if section is not without]
    return sum(means) / len(means) if means else _mean(without)
