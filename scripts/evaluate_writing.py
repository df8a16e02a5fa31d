"""Write lyrics about many themes in several forms, and print what they measure beside people and the bare model.

    python scripts/evaluate_writing.py --verse DATA [--themes scripts/themes.txt] [--limit 0] [--json table.json]

Up to five columns. "ours" is `songwright write`. "base" is the same language model without our adapter writing as many
lines freely: after the same examples and theme it is only told how many syllables a line should have. It samples as
carefully as our search does (temperature 0.85, top-p 0.95); "loose" samples from its own distribution as it is. "bare"
is our search with that model, so without the adapter. "people" is the held-out verse of `lyrics.verse` (DATA is the
folder with its tables), whose poems no one trained on.

A full run takes hours, so every lyric is stored at once, in `--store DIR`; a run that was ended is taken up where it
stopped. Two processes share the work, and a last call measures what is there:

    python scripts/evaluate_writing.py --store DIR --shard 0/2 &
    python scripts/evaluate_writing.py --store DIR --shard 1/2 &
    wait; python scripts/evaluate_writing.py --store DIR --verse DATA --json table.json --show lyrics.txt

Lyrics are written in a shuffled order, so that the first of them are a fair sample; `--measure` only measures those.

Rows: lines with the exact number of syllables; lines whose rhyme is as asked (perfect or slant by the dictionary), the
perfect ones among those, and identities among all rhyming lines; sections as asked; lines that share six words in a row
with the training verse; distinct-2 over as many pairs of words as the smallest column has, of all lines and with lines
that come back in a lyric, as a hook does, counted once; mean cosine of lines and theme (all-MiniLM-L6-v2); mean
negative log likelihood per token of a lyric under the base model; lines that end on a function word; processor seconds
a lyric (of all cores together, whatever else the machine does).
"""

import argparse
import itertools
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
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
WRITERS = ("ours", "base", "loose", "bare")
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
    once: list[list[str]] = field(default_factory=list)  # those of a lyric that come back counted once
    closeness: list[float] = field(default_factory=list)
    likelihood: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def row(self, num_pairs: int | None = None, num_once: int | None = None) -> dict[str, float | None]:
        """Return the figures, distinct-2 of so many pairs (of all lines, and of each line once).

        None stands for what this column cannot say.
        """

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
            "the same, lines that come back counted once": distinct(self.once, num_once),
            "closeness to the theme": mean(self.closeness),
            "nats per token under the base model": mean(self.likelihood),
            "processor seconds a lyric, median": round(statistics.median(self.seconds), 1) if self.seconds else None,
        }


@dataclass(frozen=True, slots=True)
class Task:
    """One lyric to write: its number is its place among all themes and forms, and gives its seed."""

    number: int
    writer: str  # a column
    request: Request

    @property
    def name(self) -> str:
        """The key under which it is stored."""
        request = self.request
        return f"{self.writer} / {request.theme} / {request.form} / {request.seed}"


@dataclass(frozen=True, slots=True)
class Written:
    """A lyric as it is stored; no sections if there was an error."""

    name: str
    sections: list[list[str]]  # without those that only come back
    seconds: float
    error: str = ""


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
    parser.add_argument("--writers", nargs="+", choices=WRITERS, default=["ours", "base"], help="the columns")
    parser.add_argument("--store", type=Path, help="folder that keeps each lyric once it is written")
    parser.add_argument("--shard", default="0/1", help="1/2 writes the second half, and measures nothing")
    parser.add_argument("--measure", action="store_true", help="write nothing; measure what is stored")
    parser.add_argument("--json", type=Path, help="also write the table here")
    parser.add_argument("--show", type=Path, help="also write all lyrics here")
    options = parser.parse_args()
    shard, num_shards = map(int, options.shard.split("/"))
    if num_shards > 1 and not options.store:
        parser.error("--shard needs a --store")

    themes = [line.strip() for line in options.themes.read_text(encoding="utf-8").splitlines() if line.strip()]
    if options.limit:
        themes = themes[:: max(1, len(themes) // options.limit)][: options.limit]
    pairs = list(itertools.product(themes, options.forms))
    requests = [Request(theme, form=form, seed=options.seed + number) for number, (theme, form) in enumerate(pairs)]
    order = list(range(len(requests)))
    random.Random(0).shuffle(order)
    shares = [order[place::num_shards] for place in range(num_shards)]
    tasks = [Task(number, writer, requests[number]) for number in shares[shard] for writer in options.writers]
    with tempfile.TemporaryDirectory() as folder:
        store = Store(options.store or Path(folder), f"{shard}-of-{num_shards}")
        models = _Models(options.model)
        if not options.measure:
            _write_all(tasks, store, models, Effort(candidates=options.candidates))
        if num_shards == 1:
            _measure(sorted(tasks, key=lambda task: task.number), store, models, options)


class Store:
    """Lyrics by name, each a line of JSON in a file of its own process; a line cut by a kill is left out."""

    def __init__(self, folder: Path, part: str) -> None:
        """Read what all processes have stored in the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / f"lyrics-{part}.jsonl"
        self.found: dict[str, Written] = {}
        for path in sorted(folder.glob("lyrics-*.jsonl")):
            for row in path.read_text(encoding="utf-8").splitlines():
                try:
                    written = Written(**json.loads(row))
                except (ValueError, TypeError):
                    continue
                self.found[written.name] = written

    def add(self, written: Written) -> None:
        """Keep a lyric; a line that was cut before is ended first."""
        cut = self._file.exists() and not self._file.read_bytes().endswith(b"\n")
        with self._file.open("a", encoding="utf-8") as file:
            file.write("\n" * cut + json.dumps(asdict(written)) + "\n")
        self.found[written.name] = written


class _Models:
    """The language models, each loaded when it is first asked for."""

    def __init__(self, name: str | None) -> None:
        self._name = name

    @cached_property
    def base(self) -> LanguageModel:
        """The bare model; the default one is asked in the words of our adapter, so that only the weights differ."""
        model = load_model(*([self._name] if self._name else []), adapter=False)
        model.adapted = not self._name
        return model

    @cached_property
    def ours(self) -> LanguageModel:
        return self.base if self._name else load_model()


def _write_all(tasks: Sequence[Task], store: Store, models: _Models, effort: Effort) -> None:
    missing = [task for task in tasks if task.name not in store.found]
    for done, task in enumerate(missing, 1):
        plans = resolve(task.request, Pronouncer())
        writing: dict[str, tuple[Writing, LanguageModel]] = {
            "ours": (_constrained, models.ours),
            "base": (partial(_freely, top_p=0.95), models.base),
            "loose": (_freely, models.base),
            "bare": (_constrained, models.base),
        }
        writer, model = writing[task.writer]
        start = time.process_time()
        heat = replace(effort, temperature=1.0) if task.writer == "loose" else effort
        try:
            sections, error = writer(task.request, plans, model, heat), ""
        except RequestError as failure:
            sections, error = [], str(failure)
        store.add(Written(task.name, sections, round(time.process_time() - start, 2), error))
        print(f"{done}/{len(missing)} {task.name}", flush=True)


def _measure(tasks: Sequence[Task], store: Store, models: _Models, options: argparse.Namespace) -> None:
    """Measure the lyrics that are stored, print the table, and write what the options ask for."""
    runs, people = _verse(options.verse) if options.verse else (frozenset(), [])
    columns = {writer: Column() for writer in options.writers} | {"people": Column()}
    shown: list[str] = []
    for task in tasks:
        written = store.found.get(task.name)
        if written is None:
            continue
        column = columns[task.writer]
        shown.append(f"{task.name}: {written.error}" if written.error else task.name)
        if written.error:
            column.lyrics += 1
            continue
        column.seconds.append(written.seconds)
        plans = resolve(task.request, Pronouncer())
        count(column, task.request.theme, plans, written.sections, models.base, runs)
        shown[-1] += "\n\n" + "\n\n".join(map("\n".join, written.sections))
    _count_people(columns["people"], people, models.base, max(column.lines for column in columns.values()))
    full = [column for column in columns.values() if column.texts]  # the same amount of text for all
    num_pairs = min((num_pairs_of(column.texts) for column in full), default=None)
    num_once = min((num_pairs_of(column.once) for column in full), default=None)
    rows = {name: column.row(num_pairs, num_once) for name, column in columns.items()}
    _print(rows)
    if options.show:
        options.show.write_text("\n\n---\n\n".join(shown) + "\n", encoding="utf-8")
    if options.json:
        about = {"themes": len({task.request.theme for task in tasks}), "forms": options.forms}
        options.json.write_text(json.dumps(about | rows, indent=2) + "\n")


Sections = list[list[str]]
Writing = Callable[[Request, Sequence[SectionPlan], LanguageModel, Effort], Sections]


def _constrained(request: Request, plans: Sequence[SectionPlan], model: LanguageModel, effort: Effort) -> Sections:
    made = write(request, model, effort=effort)
    return [[line.text for line in section.lines] for section in made.sections if not section.repeated]


def _freely(
    request: Request, plans: Sequence[SectionPlan], model: LanguageModel, effort: Effort, top_p: float = 1.0
) -> Sections:
    """Let the model write the same sections line by line, one sample each."""
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
            (tokens,) = model.sample(text, 1, seed=seed, temperature=effort.temperature, top_p=top_p)
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
        for line, size in zip(lines, plan.syllables, strict=True):
            column.lines += 1
            column.exact += line is not None and len(line.syllables) == size
        for letter in sorted(set(plan.scheme) - {UNRHYMED}):
            group = [line for line, other in zip(lines, plan.scheme, strict=True) if other == letter]
            for first, second in itertools.pairwise(group):
                kind = rhyme_kind(first, second) if first and second else None
                column.rhymes += 1
                column.rhymed += kind in (RhymeKind.PERFECT, RhymeKind.SLANT)
                column.perfect += kind is RhymeKind.PERFECT
                column.identities += kind is RhymeKind.IDENTITY
    everything = [text for texts in sections for text in texts]
    _count_words(column, everything, runs)
    column.closeness += (embed(everything) @ embed([theme])[0]).tolist()
    column.likelihood.append(nats_per_token(base, everything))


def _count_words(column: Column, lines: Sequence[str], runs: frozenset[int]) -> None:
    """Count the words of one lyric."""
    for place, line in enumerate(lines):
        words = _words(line)
        column.texts.append(words)
        if line not in lines[:place]:
            column.once.append(words)
        column.copied += any(run in runs for run in _runs(words))
        column.function_ends += bool(words) and is_function_word(words[-1])


def nats_per_token(base: LanguageModel, lines: Sequence[str]) -> float:
    """Mean negative log likelihood of lines, each with its line break, as plain text after a line break."""
    start = base.read(None, "Lyrics:\n")
    tokens = base.encode("\n".join(lines) + "\n")
    (scores,) = base.score(start, [tokens])
    return float(-scores.mean())


def num_pairs_of(texts: Sequence[Sequence[str]]) -> int:
    """Return the number of pairs of neighbouring words."""
    return sum(max(0, len(text) - 1) for text in texts)


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
        _count_words(column, lines, frozenset())
        column.likelihood.append(nats_per_token(base, lines))
        column.closeness += (embed(lines) @ embed([poem.title])[0]).tolist()


def _print(rows: dict[str, dict[str, float | None]]) -> None:
    table = Table("measure", *rows)
    for name in next(iter(rows.values())):
        values = [rows[column][name] for column in rows]
        table.add_row(name, *("-" if value is None else f"{value:g}" for value in values))
    Console().print(table)


if __name__ == "__main__":
    main()
