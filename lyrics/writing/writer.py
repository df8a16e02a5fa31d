"""A theme becomes a lyric: the plan, then line after line, choruses once.

A lyric is written in the order in which it is sung, so that every line is chosen after those before it. Sections that
come back (choruses, pre-choruses, hooks) keep their words. The first line of the chorus is the hook: it carries the
title, or gives it.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from lyrics.document import Line, Role
from lyrics.errors import RequestError
from lyrics.lm import LanguageModel, Prefix, Task, abreast, carry_out
from lyrics.prompt import tag
from lyrics.pronounce import Pronouncer
from lyrics.writing.hook import theme_phrases
from lyrics.writing.line import Effort, Found, LineWriter, Neighbours, Weights
from lyrics.writing.plan import Slot, lay_out
from lyrics.writing.request import UNRHYMED, Request, resolve


@dataclass(frozen=True, slots=True)
class WrittenLine:
    """A line, and how it came about."""

    text: str
    num_syllables: int
    rhyme: str  # its letter in the scheme, X if unrhymed
    score: float


@dataclass(frozen=True, slots=True)
class WrittenSection:
    """A section as it stands in the lyrics."""

    role: Role
    label: str  # "Verse 2"
    lines: tuple[WrittenLine, ...]
    repeated: bool


@dataclass(frozen=True, slots=True)
class WrittenLyrics:
    """A whole lyric."""

    title: str
    sections: tuple[WrittenSection, ...]
    seed: int

    @property
    def text(self) -> str:
        """The lyric in the project's format, ready for `songwright compose`."""
        blocks = [f"Title: {self.title}"]
        blocks += ["\n".join([f"[{part.label}]", *(line.text for line in part.lines)]) for part in self.sections]
        return "\n\n".join(blocks) + "\n"


def write(
    request: Request,
    model: LanguageModel,
    *,
    effort: Effort | None = None,
    weights: Weights | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> WrittenLyrics:
    """Write a lyric. The same request, model and effort give the same one on one machine.

    `progress` is told lines written and lines in all. Raises RequestError for a request that cannot be fulfilled.
    """
    plans = resolve(request, Pronouncer())
    slots = lay_out(request, plans)
    phrases = [phrase for slot in slots for phrase in (slot.end, slot.opening, slot.inside) if phrase is not None]
    hooks = {slot.num_syllables for slot in slots if slot.hook and slot.is_free}
    title_words = theme_phrases(request.theme, Pronouncer(), max(hooks)) if hooks else []
    effort = effort or Effort()
    writer = LineWriter(request, model, [*phrases, *title_words], effort, weights or Weights())
    writer.title_words = title_words
    writer.plan_titles(slots)
    text = writer.start(request.title)
    writer.plan_images([plan.role for plan in plans])
    made: list[WrittenSection] = []
    count = Counter[Role]()
    done = 0
    for number, plan in enumerate(plans):
        count[plan.role] += 1
        label = "-".join(part.title() for part in plan.role.value.split("-"))
        if plan.role is Role.VERSE:
            label = f"{label} {count[plan.role]}"
        if plan.repeats >= 0:
            made.append(replace(made[plan.repeats], label=label, repeated=True))
            continue
        text = model.read(text, [tag(plan.role)])
        writer.begin_section(number)
        own = [slot for slot in slots if slot.section == number]
        ways = [_Way(text, writer.beside())]
        for slot, following in zip(own, [*own[1:], None], strict=True):
            ways = _next_line(ways, slot, following, effort)
            done += 1
            if progress:
                progress(done, len(slots))
        writer, text, lines = ways[0].writer, ways[0].text, ways[0].lines
        made.append(WrittenSection(plan.role, label, lines, repeated=False))
    return WrittenLyrics(request.title or _title(made), tuple(made), request.seed)


@dataclass(frozen=True, slots=True)
class _Way:
    """One way a section may go."""

    text: Prefix
    writer: LineWriter  # who remembers it
    lines: tuple[WrittenLine, ...] = ()
    sung: tuple[tuple[str, Line], ...] = ()  # with their letters
    score: float = 0.0


def _next_line(ways: Sequence[_Way], slot: Slot, following: Slot | None, effort: Effort) -> list[_Way]:
    """Go on by one line, and keep the best ways: several where the next line is bound, so that it decides which."""
    letters = [letter for letter, _ in ways[0].sung] + [slot.letter]
    bound = following is not None and (following.echo or following.letter in set(letters) - {UNRHYMED})
    width = effort.ways if bound else 1

    def lengthened(effort: Effort) -> list[_Way]:
        made = carry_out(abreast([_lengthened(way, slot, width, effort) for way in ways]))
        return [new for part in made for new in part]

    made = lengthened(effort.share() if len(ways) > 1 else effort)
    best = max(made, key=lambda way: way.score, default=None)
    if len(ways) > 1 and (best is None or best.lines[-1].score < effort.good):  # poor: once more
        made += lengthened(effort)
    if not made:
        raise _nothing_found(slot, ways[0])
    different = {tuple(line.text for line in way.lines): way for way in made}
    return sorted(different.values(), key=lambda way: -way.score)[:width]


def _lengthened(way: _Way, slot: Slot, width: int, effort: Effort) -> Task[list[_Way]]:
    """Return the best ways on by one line, each with another end word."""
    writer = way.writer
    writer.effort = effort
    beside = _beside(way, slot)
    hook = way.sung[0][1] if slot.echo else None
    echo = writer.taken_up(hook, slot) if hook is not None and slot.is_free else ()
    fits = hook is not None and slot.is_free and slot.letter == UNRHYMED and len(hook.syllables) == slot.num_syllables
    whole = hook is not None and fits and (writer.returns or not echo)
    found: list[Found] = []
    if not whole:
        found = yield from writer.finding(way.text, slot, beside, echo)
        whole = fits and (not found or found[0].score < writer.effort.good)  # better whole than taken up badly
        if echo and not found:
            found = yield from writer.finding(way.text, slot, beside)
    if hook is not None and whole:
        found = [Found(way.lines[0].text, hook, way.lines[0].score)]
    kept: dict[str, Found] = {}
    for item in found:
        kept.setdefault(item.line.words[-1].text.lower(), item)
    made = []
    for item in list(kept.values())[:width]:
        after = writer.beside()
        if not whole:
            after.remember(item.line)
        text = after.read(way.text, item)
        line = WrittenLine(item.text, slot.num_syllables, slot.letter, round(item.score, 3))
        sung = (*way.sung, (slot.letter, item.line))
        made.append(_Way(text, after, (*way.lines, line), sung, way.score + item.score))
    return made


def _beside(way: _Way, slot: Slot) -> Neighbours:
    return Neighbours(
        tuple(line for letter, line in way.sung if letter == slot.letter != UNRHYMED),
        tuple(line for letter, line in way.sung if letter != slot.letter or letter == UNRHYMED),
    )


def _nothing_found(slot: Slot, way: _Way) -> RequestError:
    rhymes = _beside(way, slot).rhymes
    what = f"that rhymes with {rhymes[0].words[-1].text!r}" if rhymes else "with such an end"
    if slot.inside is not None:
        what = f"with {slot.inside.text!r}"
    return RequestError(
        f"found no line of {slot.num_syllables} syllables {what}; use another --rhyme, --syllables or --metre"
    )


def _title(sections: Sequence[WrittenSection]) -> str:
    hooks = [section for section in sections if section.role in (Role.CHORUS, Role.HOOK)] or sections
    return hooks[0].lines[0].text
