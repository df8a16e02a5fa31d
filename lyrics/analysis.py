"""What can be read off the lyrics: syllables, stress, metre, rhymes, form, hook, mood, themes, what is hard to sing."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from lyrics.document import Line, Lyrics, Role, Section
from lyrics.mood import Mood, find_mood
from lyrics.prosody import Metre, find_metre
from lyrics.rhyme import Rhyme, find_rhymes, rhyme_scheme
from lyrics.themes import Theme, find_themes

if TYPE_CHECKING:
    from lyrics.form import Guess, Uneven
    from lyrics.singability import Warning
    from lyrics.viewpoint import PointOfView


@dataclass(frozen=True, slots=True)
class LineAnalysis:
    """One line."""

    id: str  # "v1.3": section and line within it, from 1
    number: int  # line in the source text
    text: str
    num_syllables: int
    stress: str  # one sign per syllable: "/" with a beat, "x" without
    num_beats: int
    rhyme: str  # label within the section: "A", "B", ...; "-" if unrhymed
    rhyme_word: str
    rhyme_kind: str | None  # "perfect", "identity" or "slant"
    guessed: tuple[str, ...]  # words that are in no dictionary, so that their pronunciation is a guess


@dataclass(frozen=True, slots=True)
class SectionAnalysis:
    """One section; `metre` and `foot` are None in a section without words."""

    id: str
    role: Role
    label: str
    repeat_of: str | None
    lines: tuple[LineAnalysis, ...]
    metre: str | None  # "iambic tetrameter", "common metre 8.6.8.6", "mixed"
    foot: str | None  # "iambic", "trochaic", "anapestic" or "dactylic"
    fit: float  # of the metre, 0 to 1: rhymed verse has some 0.7, prose 0.4
    pattern: str | None  # syllables per line where they make a stanza: "8.6.8.6"
    rhyme_scheme: str  # "ABAB", "-A-A"; "" in a section without words
    rhyme_labels: tuple[str, ...]
    rhyme_words: tuple[tuple[str, ...], ...]  # the words that carry each rhyme, "A" first
    guess: "Guess | None"  # what the section may be, where it has no tag and is more than the verse it is taken for


@dataclass(frozen=True, slots=True)
class Hook:
    """The line that is sung most often."""

    text: str
    count: int


@dataclass(frozen=True, slots=True)
class Outline:
    """What a song is composed by."""

    title: str | None
    sections: tuple[SectionAnalysis, ...]
    metre: str  # of all lines together
    foot: str
    mood: Mood
    themes: tuple[Theme, ...]  # at most three, the strongest first
    hook: Hook | None  # None if no line is sung twice
    num_lines: int  # as sung, repeats included, like the next two
    num_words: int
    num_syllables: int


@dataclass(frozen=True, slots=True)
class Analysis(Outline):
    """What can be read off the lyrics; `dataclasses.asdict` makes it JSON."""

    point_of_view: "PointOfView"
    refrains: tuple[str, ...]  # lines that begin or end several sections
    uneven: "tuple[Uneven, ...]"  # lines that break a parallel by their number of syllables
    warnings: "tuple[Warning, ...]"  # what will be hard to sing


def outline(lyrics: Lyrics, *, judge_mood: Callable[[Sequence[Line]], Mood] = find_mood) -> Outline:
    """Read off parsed lyrics what composing asks for; sections have no `guess`.

    Raises ValueError if they have no lines (`parse_lyrics` never gives such lyrics).
    """
    sung = [line for section in lyrics.sections for line in section.lines]
    if not sung:
        raise ValueError("there are no lines to analyze")
    originals = [section for section in lyrics.sections if section.lines and section.repeat_of is None]
    metres = {section.id: find_metre(section.lines) for section in originals}
    rhymes = {section.id: find_rhymes(section.lines) for section in originals}
    sections = []
    for section in lyrics.sections:
        original = section.repeat_of or section.id
        sections.append(_section(section, metres.get(original), rhymes.get(original, ())))
    whole = find_metre([line for section in originals for line in section.lines])
    return Outline(
        title=lyrics.title,
        sections=tuple(sections),
        metre=whole.name,
        foot=whole.foot,
        mood=judge_mood(sung),
        themes=find_themes(sung),
        hook=_hook(lyrics),
        num_lines=len(sung),
        num_words=sum(len(line.words) for line in sung),
        num_syllables=sum(len(line.syllables) for line in sung),
    )


def analyze(lyrics: Lyrics, *, judge_mood: Callable[[Sequence[Line]], Mood] = find_mood) -> Analysis:
    """Analyze parsed lyrics; `judge_mood` may be `lyrics.meaning.find_deep_mood`.

    Raises ValueError if they have no lines (`parse_lyrics` never gives such lyrics).
    """
    from lyrics.form import find_refrains, find_uneven, guess_roles
    from lyrics.singability import find_warnings
    from lyrics.viewpoint import find_point_of_view

    read = outline(lyrics, judge_mood=judge_mood)
    guesses = guess_roles(lyrics)
    originals = [section for section in lyrics.sections if section.lines and section.repeat_of is None]
    values = {field.name: getattr(read, field.name) for field in fields(read)}
    values["sections"] = tuple(replace(section, guess=guesses.get(section.id)) for section in read.sections)
    return Analysis(
        **values,
        point_of_view=find_point_of_view([line for section in lyrics.sections for line in section.lines]),
        refrains=tuple(line.text for line in find_refrains(lyrics)),
        uneven=find_uneven(lyrics),
        warnings=tuple(warning for section in originals for warning in find_warnings(section.lines)),
    )


def _section(section: Section, metre: Metre | None, rhymes: tuple[Rhyme, ...]) -> SectionAnalysis:
    lines: tuple[LineAnalysis, ...] = ()
    if metre is not None:
        lines = tuple(
            LineAnalysis(
                id=f"{section.id}.{index}",
                number=line.number,
                text=line.text,
                num_syllables=len(stress),
                stress=stress,
                num_beats=beats,
                rhyme=rhyme.label,
                rhyme_word=rhyme.word,
                rhyme_kind=rhyme.kind,
                guessed=tuple(word.text for word in line.words if not word.in_dictionary),
            )
            for index, (line, stress, beats, rhyme) in enumerate(
                zip(section.lines, metre.stress, metre.beats, rhymes, strict=True), 1
            )
        )
    return SectionAnalysis(
        id=section.id,
        role=section.role,
        label=section.label,
        repeat_of=section.repeat_of,
        lines=lines,
        metre=metre.name if metre else None,
        foot=metre.foot if metre else None,
        fit=metre.fit if metre else 0.0,
        pattern=metre.pattern if metre else None,
        rhyme_scheme=rhyme_scheme(rhymes),
        rhyme_labels=tuple(rhyme.label for rhyme in rhymes),
        rhyme_words=_rhyme_words(rhymes),
        guess=None,
    )


def _rhyme_words(rhymes: tuple[Rhyme, ...]) -> tuple[tuple[str, ...], ...]:
    """Group the rhyming words by label, in order of appearance."""
    groups: dict[str, list[str]] = {}
    for rhyme in rhymes:
        if rhyme.kind is not None:
            groups.setdefault(rhyme.label, []).append(rhyme.word)
    return tuple(tuple(words) for words in groups.values())


def _hook(lyrics: Lyrics) -> Hook | None:
    """Find the line sung most often; of several, one with the title in it, else one of the chorus, else the first."""
    counts: Counter[tuple[str, ...]] = Counter()
    rank: dict[tuple[str, ...], tuple[bool, bool]] = {}
    text: dict[tuple[str, ...], str] = {}
    title = (lyrics.title or "").lower()
    for section in lyrics.sections:
        for line in section.lines:
            key = tuple(word.text.lower() for word in line.words)
            counts[key] += 1
            named = bool(title) and title in line.text.lower()
            chorus = section.role in (Role.CHORUS, Role.HOOK)
            rank[key] = max(rank.get(key, (False, False)), (named, chorus))
            text.setdefault(key, line.text)
    best = max(counts, key=lambda key: (counts[key], rank[key]))  # the first of equal ones
    return Hook(text[best], counts[best]) if counts[best] > 1 else None
