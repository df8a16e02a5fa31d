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
from lyrics.lm import LanguageModel, Prefix
from lyrics.prompt import tag
from lyrics.pronounce import Pronouncer
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
    phrases = [phrase for slot in slots for phrase in (slot.end, slot.opening) if phrase is not None]
    writer = LineWriter(request, model, phrases, effort or Effort(), weights or Weights())
    text = writer.start(request.title)
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
        writer.voice.new_section()
        lines: list[WrittenLine] = []
        sung: list[tuple[str, Line]] = []
        for slot in (slot for slot in slots if slot.section == number):
            text, line = _write_line(writer, text, slot, sung, lines)
            sung.append((slot.letter, line))
            done += 1
            if progress:
                progress(done, len(slots))
        made.append(WrittenSection(plan.role, label, tuple(lines), repeated=False))
    return WrittenLyrics(request.title or _title(made), tuple(made), request.seed)


def _write_line(
    writer: LineWriter, text: Prefix, slot: Slot, sung: Sequence[tuple[str, Line]], lines: list[WrittenLine]
) -> tuple[Prefix, Line]:
    """Write one line, append it, and return the text with it and the line as sung."""
    beside = Neighbours(
        tuple(line for letter, line in sung if letter == slot.letter != UNRHYMED),
        tuple(line for letter, line in sung if letter != slot.letter or letter == UNRHYMED),
    )
    hook = sung[0][1] if slot.echo else None
    if hook is not None and slot.letter == UNRHYMED and writer.returns and len(hook.syllables) == slot.num_syllables:
        best = Found(lines[0].text, hook, lines[0].score)  # the whole line comes back
    else:
        echo = writer.taken_up(hook, slot) if hook is not None and slot.end is None and slot.opening is None else ()
        found = writer.find(text, slot, beside, echo) or (writer.find(text, slot, beside) if echo else [])
        if not found:
            what = f"that rhymes with {beside.rhymes[0].words[-1].text!r}" if beside.rhymes else "with such an end"
            raise RequestError(
                f"found no line of {slot.num_syllables} syllables {what}; use another --rhyme, --syllables or --metre"
            )
        best = found[0]
        writer.remember(best.line)
    lines.append(WrittenLine(best.text, slot.num_syllables, slot.letter, round(best.score, 3)))
    return writer.read(text, best), best.line


def _title(sections: Sequence[WrittenSection]) -> str:
    hooks = [section for section in sections if section.role in (Role.CHORUS, Role.HOOK)] or sections
    return hooks[0].lines[0].text
