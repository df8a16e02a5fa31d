"""Write lyrics about many themes in several forms, and print what they measure beside people and the bare model.

    python scripts/evaluate_writing.py --verse DATA [--themes scripts/themes.txt] [--limit 0] [--json table.json]

Three columns. "ours" is `songwright write`. "base" is the same language model without our adapter writing as many
lines freely: after the same examples and theme it is only told how many syllables a line should have.
"people" is the held-out verse of `lyrics.verse` (DATA is the folder with its tables), whose poems no one trained on.

Rows: lines with the exact number of syllables; lines whose rhyme is as asked (perfect or slant by the dictionary), the
perfect ones among those, and identities among all rhyming lines; sections as asked; lines that share six words in a row
with the training verse; distinct-2 over as many pairs of words as the smallest column has; mean cosine of lines and
theme (all-MiniLM-L6-v2); mean negative log likelihood per token of a lyric under the base model; lines that end on a
function word; processor seconds a lyric (of all cores together, whatever else the machine does).
"""

import argparse
import itertools
import json
import random
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lyrics.document import Line, LyricsError
from lyrics.embedding import embed
from lyrics.errors import RequestError
from lyrics.function_words import is_function_word
from lyrics.lm import LanguageModel, load_model
from lyrics.parse import parse_lyrics
from lyrics.prompt import cue, tag, written
from lyrics.pronounce import Pronouncer
from lyrics.rhyme import RhymeKind, rhyme_kind
from lyrics.verse import Poem, read_verse
from lyrics.writing.line import Effort, LineWriter, Weights
from lyrics.writing.request import UNRHYMED, Request, SectionPlan, resolve
from lyrics.writing.writer import write

FORMS = ("V-C-V-C-B-C", "V-V-V", "V-P-C-V-P-C")
_RUN = 6  # words


@dataclass(slots=True)
class Column:
    """What was counted for one kind of writer."""

    lines: int = 0
    exact: int = 0
    rhymes: int = 0  # lines that had to rhyme
    rhymed: int = 0
    perfect: int = 0
    identities: int = 0
    forms: int = 0
    lyrics: int = 0
    copied: int = 0
    function_ends: int = 0
    texts: list[list[str]] = field(default_factory=list)
    closeness: list[float] = field(default_factory=list)
    likelihood: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def pairs(self) -> int:
        """Return the number of pairs of neighbouring words."""
        return sum(max(0, len(text) - 1) for text in self.texts)

    def row(self, num_pairs: int | None = None) -> dict[str, float | None]:
        """Return the figures, distinct-2 of the first `num_pairs` pairs; None for what this column cannot say."""

        def share(part: int, whole: int) -> float | None:
            return round(100 * part / whole, 2) if whole else None

        def mean(values: list[float]) -> float | None:
            return round(statistics.fmean(values), 4) if values else None

        return {
            "lyrics": self.lyrics,
            "lines": self.lines,
            "exact syllables, % of lines": share(self.exact, self.lines),
            "rhyme as asked, % of lines": share(self.rhymed, self.rhymes),
            "of these perfect, %": share(self.perfect, self.rhymed),
            "identity rhymes, % of lines": share(self.identities, self.rhymes),
            "form as asked, %": share(self.forms, self.lyrics),
            "6 words shared with training verse, % of lines": share(self.copied, self.lines),
            "ends on a function word, % of lines": share(self.function_ends, self.lines),
            "distinct-2": distinct(self.texts, num_pairs),
            "closeness to the theme": mean(self.closeness),
            "nats per token under the base model": mean(self.likelihood),
            "processor seconds a lyric, median": round(statistics.median(self.seconds), 1) if self.seconds else None,
        }


def main() -> None:
    """Write, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verse", type=Path, help="folder with the verse; without it people and copies are left out")
    parser.add_argument("--themes", type=Path, default=Path(__file__).with_name("themes.txt"))
    parser.add_argument("--forms", nargs="+", default=list(FORMS))
    parser.add_argument("--limit", type=int, default=0, help="use only so many themes, spread over the list (0: all)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", help="as in songwright write")
    parser.add_argument("--candidates", type=int, default=Effort().candidates)
    parser.add_argument("--without-adapter", action="store_true", help="write with the bare model instead")
    parser.add_argument("--only-ours", action="store_true", help="do not let the bare model write beside")
    parser.add_argument("--json", type=Path, help="also write the table here")
    parser.add_argument("--show", type=Path, help="also write all lyrics here")
    options = parser.parse_args()

    themes = [line.strip() for line in options.themes.read_text(encoding="utf-8").splitlines() if line.strip()]
    if options.limit:
        themes = themes[:: max(1, len(themes) // options.limit)][: options.limit]
    arguments = (options.model,) if options.model else ()
    base = load_model(*arguments, adapter=False)
    model = base if options.without_adapter or options.model else load_model()
    if not options.model:
        base.adapted = True  # the same prompts for both, so that only the weights differ
    runs, people = _verse(options.verse) if options.verse else (frozenset(), [])
    effort = Effort(candidates=options.candidates)
    ours, free, human = Column(), Column(), Column()
    shown: list[str] = []
    for number, (theme, form) in enumerate(itertools.product(themes, options.forms)):
        request = Request(theme, form=form, seed=options.seed + number)
        plans = resolve(request, Pronouncer())
        for column, name, writer in ((ours, "ours", _constrained), (free, "base", _freely)):
            if column is free and options.only_ours:
                continue
            start = time.process_time()
            try:
                sections = writer(request, plans, model if column is ours else base, effort)
            except RequestError as error:
                shown.append(f"{theme} / {form} / {name}: {error}")
                column.lyrics += 1
                continue
            column.seconds.append(time.process_time() - start)
            count(column, theme, plans, sections, base, runs)
            shown.append(f"{theme} / {form} / {name} / {number}\n\n" + "\n\n".join(map("\n".join, sections)))
        if options.show:
            options.show.write_text("\n\n---\n\n".join(shown) + "\n", encoding="utf-8")
        print(f"{number + 1}/{len(themes) * len(options.forms)} {theme}", flush=True)
        if options.json:  # so far, in case it is interrupted
            _save(options, len(themes), {"ours": ours.row(), "base": free.row()})
    _count_people(human, people, base, ours.lines)
    columns = {"ours": ours, "base": free, "people": human}
    num_pairs = min(column.pairs() for column in columns.values() if column.pairs())  # the same amount of text for all
    rows = {name: column.row(num_pairs) for name, column in columns.items()}
    _print(rows)
    if options.json:
        _save(options, len(themes), rows)


def _save(options: argparse.Namespace, num_themes: int, rows: dict[str, dict[str, float | None]]) -> None:
    options.json.write_text(json.dumps({"themes": num_themes, "forms": options.forms} | rows, indent=2) + "\n")


Sections = list[list[str]]
Writing = Callable[[Request, Sequence[SectionPlan], LanguageModel, Effort], Sections]


def _constrained(request: Request, plans: Sequence[SectionPlan], model: LanguageModel, effort: Effort) -> Sections:
    made = write(request, model, effort=effort)
    return [[line.text for line in section.lines] for section in made.sections if not section.repeated]


def _freely(request: Request, plans: Sequence[SectionPlan], model: LanguageModel, effort: Effort) -> Sections:
    """Let the model write the same sections line by line, one sample each, at the same temperature."""
    text = LineWriter(request, model, (), effort, Weights()).start()
    sections: Sections = []
    for number, plan in enumerate(plans):
        if plan.repeats >= 0:
            continue
        text = model.read(text, [tag(plan.role)])
        lines: list[str] = []
        for index, size in enumerate(plan.syllables):
            text = model.read(text, [cue(size)])
            seed = request.seed * 10_000 + number * 100 + index
            (tokens,) = model.sample(text, 1, seed=seed, temperature=effort.temperature, top_p=0.95)
            line = model.decode(tokens).strip()
            lines.append(line)
            text = model.read(text, [written(line)])
        sections.append(lines)
    return sections


def count(
    column: Column,
    theme: str,
    plans: Sequence[SectionPlan],
    sections: Sections,
    base: LanguageModel,
    runs: frozenset[int],
) -> None:
    """Count one lyric, choruses once."""
    column.lyrics += 1
    own = [plan for plan in plans if plan.repeats < 0]
    column.forms += [len(plan.syllables) for plan in own] == [len(lines) for lines in sections]
    for plan, texts in zip(own, sections, strict=True):
        lines = [_sung(text) for text in texts]
        for text, line, size in zip(texts, lines, plan.syllables, strict=True):
            column.lines += 1
            column.exact += line is not None and len(line.syllables) == size
            _count_words(column, text, runs)
        for letter in sorted(set(plan.scheme) - {UNRHYMED}):
            group = [line for line, other in zip(lines, plan.scheme, strict=True) if other == letter]
            for first, second in itertools.pairwise(group):
                kind = rhyme_kind(first, second) if first and second else None
                column.rhymes += 1
                column.rhymed += kind in (RhymeKind.PERFECT, RhymeKind.SLANT)
                column.perfect += kind is RhymeKind.PERFECT
                column.identities += kind is RhymeKind.IDENTITY
    everything = [text for texts in sections for text in texts]
    column.closeness += (embed(everything) @ embed([theme])[0]).tolist()
    column.likelihood.append(nats_per_token(base, everything))


def _count_words(column: Column, text: str, runs: frozenset[int]) -> None:
    words = _words(text)
    column.texts.append(words)
    column.copied += any(run in runs for run in _runs(words))
    column.function_ends += bool(words) and is_function_word(words[-1])


def nats_per_token(base: LanguageModel, lines: Sequence[str]) -> float:
    """Mean negative log likelihood of lines, each with its line break, as plain text after a line break."""
    start = base.read(None, "Lyrics:\n")
    tokens = base.encode("\n".join(lines) + "\n")
    (scores,) = base.score(start, [tokens])
    return float(-scores.mean())


def distinct(texts: Sequence[Sequence[str]], size: int | None = None) -> float | None:
    """Share of different pairs among the first `size` pairs of neighbouring words (it falls as texts grow)."""
    pairs = [pair for text in texts for pair in itertools.pairwise(text)][:size]
    return round(len(set(pairs)) / len(pairs), 4) if pairs else None


def _sung(text: str) -> Line | None:
    try:
        return parse_lyrics(text).sections[0].lines[0]
    except (LyricsError, IndexError):
        return None


def _words(text: str) -> list[str]:
    return [word.strip("'") for word in "".join(c if c.isalpha() or c == "'" else " " for c in text.lower()).split()]


def _runs(words: Sequence[str]) -> Iterable[int]:
    """All runs of six words, hashed: a set of a million of them stays small."""
    return (hash(tuple(words[index : index + _RUN])) for index in range(len(words) - _RUN + 1))


def _verse(folder: Path) -> tuple[frozenset[int], list[Poem]]:
    """Return all runs of six words of the training verse, and the held-out poems."""
    runs: set[int] = set()
    held_out = []
    for poem, _ in read_verse(folder):
        if poem.held_out:
            held_out.append(poem)
        else:
            for stanza in poem.stanzas:
                for line in stanza:
                    runs.update(_runs(_words(line)))
    return frozenset(runs), held_out


def _count_people(column: Column, poems: list[Poem], base: LanguageModel, num_lines: int) -> None:
    """Count about as many lines of people as we wrote, their titles as themes; no syllables or rhymes were asked."""
    random.Random(0).shuffle(poems)
    for poem in poems:
        lines = [line for stanza in poem.stanzas for line in stanza][:24]
        if column.lines >= num_lines or not poem.title:
            continue
        column.lyrics += 1
        column.lines += len(lines)
        for line in lines:
            _count_words(column, line, frozenset())
        column.likelihood.append(nats_per_token(base, lines))
        column.closeness += (embed(lines) @ embed([poem.title])[0]).tolist()


def _print(rows: dict[str, dict[str, float | None]]) -> None:
    table = Table("measure", *rows)
    for name in rows["ours"]:
        values = [rows[column][name] for column in rows]
        table.add_row(name, *("-" if value is None else f"{value:g}" for value in values))
    Console().print(table)


if __name__ == "__main__":
    main()
