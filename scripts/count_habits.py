"""Make `lyrics/data/lexicon/habits.tsv`, the pairs of words that `songwright write` has more often than verse has.

    python scripts/count_habits.py --verse DATA --store DIR [--themes scripts/habit_themes.txt] [--rounds 36 16]

Each round writes lyrics about so many themes with the table so far (the first with none), adds to each pair the natural
log of how many times as often it was written as the training verse has it, and stores the lyrics, so that a run that
was ended is taken up. A habit that is suppressed gives way to another one, hence the second round. The themes are
others than those that writing is measured on. A line that comes back counts once.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from math import log
from pathlib import Path

from lyrics.lm import LanguageModel, load_model
from lyrics.verse import read_verse
from lyrics.writing.habits import HABITS, Pair, pairs_of, read_habits
from lyrics.writing.line import Effort
from lyrics.writing.request import Request
from lyrics.writing.writer import write

FORMS = ("V-C-V-C-B-C", "V-V-V", "V-P-C-V-P-C")
_QUICK = Effort(candidates=10, examined=5, compared=3, rounds=1, ways=1)  # the same habits in a third of the time
_SEED = 5000
_LEAST = 3  # lyrics that must have a pair
_DOUBT = 2.0  # pairs that are added on both sides, as a few may be there by chance


def main() -> None:
    """Write, count, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verse", type=Path, required=True, help="folder with the verse")
    parser.add_argument("--store", type=Path, required=True, help="folder that keeps the lyrics")
    parser.add_argument("--themes", type=Path, default=Path(__file__).with_name("habit_themes.txt"))
    parser.add_argument("--rounds", type=int, nargs="+", default=[36, 16], help="lyrics of each round")
    options = parser.parse_args()
    themes = options.themes.read_text(encoding="utf-8").splitlines()
    options.store.mkdir(parents=True, exist_ok=True)
    usual = _verse_pairs(options.verse)
    model = load_model()
    save({})
    for number, size in enumerate(options.rounds):
        lyrics = list(_written(themes[:size], number, options.store / f"round-{number}.jsonl", model))
        save(strengthened(read_habits(), lyrics, usual))


def strengthened(table: dict[Pair, float], lyrics: Sequence[Sequence[str]], usual: Counter[Pair]) -> dict[Pair, float]:
    """Return the table with what lyrics (each some lines) have more often than `usual`, the pairs of verse."""
    written = Counter[Pair]()
    within = Counter[Pair]()
    for lines in lyrics:
        pairs = [pair for line in dict.fromkeys(lines) for pair in pairs_of(words(line))]
        written.update(pairs)
        within.update(set(pairs))
    found = dict(table)
    for pair, count in written.items():
        expected = written.total() * usual[pair] / usual.total()
        times = (count + _DOUBT) / (expected + _DOUBT)
        if within[pair] >= _LEAST and times > 1:
            found[pair] = round(found.get(pair, 0.0) + log(times), 2)
    return found


def words(line: str) -> list[str]:
    """Return the lower-case words of a line."""
    letters = "".join(c if c.isalpha() or c == "'" else " " for c in line.lower().replace("’", "'"))
    return [word.strip("'") for word in letters.split() if word.strip("'")]


def save(table: dict[Pair, float]) -> None:
    """Write the table, the strongest habits first."""
    rows = [f"{first}\t{second}\t{strength}" for (first, second), strength in sorted(table.items(), key=_strength)]
    about = "# a word (none: the beginning of a line), the next, how strong the habit is; see CARD.md"
    HABITS.write_text("\n".join([about, *rows]) + "\n", encoding="utf-8")
    read_habits.cache_clear()


def _strength(item: tuple[Pair, float]) -> tuple[float, Pair]:
    return -item[1], item[0]


def _written(themes: Sequence[str], number: int, path: Path, model: LanguageModel) -> Iterable[list[str]]:
    """Return the lines of a lyric about each theme, those that only come back left out."""
    known = [json.loads(row) for row in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    yield from known
    for place, theme in list(enumerate(themes))[len(known) :]:
        request = Request(theme, form=FORMS[place % len(FORMS)], seed=_SEED + 1000 * number + place)
        made = write(request, model, effort=_QUICK)
        lines = [line.text for section in made.sections if not section.repeated for line in section.lines]
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(lines) + "\n")
        print(f"round {number + 1}, {place + 1}/{len(themes)}: {theme}", flush=True)
        yield lines


def _verse_pairs(folder: Path) -> Counter[Pair]:
    usual = Counter[Pair]()
    for poem, _ in read_verse(folder):
        if not poem.held_out:
            usual.update(pair for stanza in poem.stanzas for line in stanza for pair in pairs_of(words(line)))
    return usual


if __name__ == "__main__":
    main()
