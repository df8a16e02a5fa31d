"""Turn tables of songs into a training table, and say what was kept, dropped and decided.

    python scripts/prepare_data.py songs_open.parquet -o training.parquet
    python scripts/prepare_data.py songs_open.parquet songs_restricted.parquet -o all.parquet --styles all
    python scripts/prepare_data.py lmd_lyrics_melody.parquet -o lmd.parquet

Tables are those that docs/data.md describes; one in the form of the LMD lyrics-melody set (seconds instead of bars) is
known by its columns and gives rows without bars, chords and sections. `--transpose N` adds N further keys of every
training song; `--picture` draws the summary. The result is read with `datasets.load_dataset("parquet", ...)`.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from align.corpus import STYLE_OF_DATASET
from melody.training_table import Account, lmd_rows, table_rows, transposed, usable_songs
from pipeline.files import write_files

SONG_COLUMNS = set(
    "song_id dataset group part verse language time_sig n_time_changes n_key_changes key_fifths key_mode tempo_bpm "
    "n_notes n_syllables pitch onset dur measure beat syllable syllabic line_id section_id chord_onset chord repeats "
    "lines".split()
)
LMD_COLUMNS = set("id dup_group n_notes grid_score ioi_s ioi_16 len_16 pitch syllables words word_id line_id".split())


def read(
    path: Path, styles: set[str] | None, language: str | None, account: Account, whole: bool
) -> list[dict[str, Any]]:
    """Return the training rows of one table; a table of another kind ends the program with one sentence."""
    try:
        names = set(pq.read_schema(path).names)
    except (OSError, pa.ArrowInvalid) as error:
        sys.exit(f"cannot read {path} as a parquet table: {str(error).splitlines()[0]}")
    if names >= LMD_COLUMNS:
        return lmd_rows(pq.read_table(path).to_pylist(), account)
    missing = sorted(SONG_COLUMNS - names)
    if missing:
        sys.exit(f"{path} is no table of songs: it has no column {', '.join(missing)}; docs/data.md lists the columns")
    rows = []
    for row in pq.read_table(path).to_pylist():
        style = STYLE_OF_DATASET.get(row["dataset"], row["dataset"])
        if (styles is None or style in styles) and (language is None or row["language"] == language):
            rows.append(row)
    return table_rows(list(usable_songs(rows, account, whole=whole)), account)


def picture(rows: list[dict[str, Any]], account: Account) -> bytes:
    """Draw four bar charts: rows by style and split, by metre, by key, and what was dropped."""
    import io

    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 2, figsize=(11, 7), layout="constrained")
    styles = sorted({row["style"] for row in rows})
    bottom = [0] * len(styles)
    for split in ("train", "tuning", "held_out"):
        counts = [sum(row["style"] == style and row["split"] == split for row in rows) for style in styles]
        axes[0, 0].bar(styles, counts, bottom=bottom, label=split.replace("_", "-"))
        bottom = [a + b for a, b in zip(bottom, counts, strict=True)]
    axes[0, 0].legend()
    axes[0, 0].set_title("rows by style")
    meters = Counter(row["meter"] or "unknown" for row in rows).most_common()
    axes[0, 1].bar([name for name, _ in meters], [count for _, count in meters], color="tab:green")
    axes[0, 1].set_title("rows by metre")
    for mode, colour, shift in (("major", "tab:blue", -0.2), ("minor", "tab:red", 0.2)):
        degrees = Counter(degree for row in rows if row["mode"] == mode for degree in row["degree"])
        total = max(1, degrees.total())
        axes[1, 0].bar(
            [d + shift for d in range(12)], [degrees[d] / total for d in range(12)], 0.4, label=mode, color=colour
        )
    axes[1, 0].set_xticks(range(12), "1 ♭2 2 ♭3 3 4 ♯4 5 ♭6 6 ♭7 7".split())
    axes[1, 0].legend()
    axes[1, 0].set_title("share of notes on each degree")
    reasons = account.dropped.most_common()[::-1]
    axes[1, 1].barh([reason for reason, _ in reasons], [count for _, count in reasons], color="tab:gray")
    axes[1, 1].set_title(f"{account.dropped.total()} rows dropped")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80, metadata={"Software": None})
    pyplot.close(figure)
    return buffer.getvalue()


def tell(rows: list[dict[str, Any]], account: Account, console: Console) -> None:
    """Print the summary."""
    notes = sum(len(row["pitch"]) for row in rows)
    console.print(
        f"{account.read} rows read; {account.kept} rows kept: {notes} notes, {len({r['group'] for r in rows})} groups"
    )
    for reason, count in account.dropped.most_common():
        console.print(f"  dropped {count:6}  {reason}")
    console.print(f"{account.unrolled} songs written out with their repeats, from {account.joined} verses")
    for reason, count in account.not_unrolled.most_common():
        console.print(f"  left as verses {count:4}  {reason}")
    console.print(f"mode decided against the print: {account.modes_corrected} rows")
    console.print(
        f"chords given: {account.chords_given} rows, derived in all others; "
        f"line breaks guessed: {account.lines_guessed} rows"
    )
    view = Table()
    for heading in ("style", "train", "tuning", "held out", "notes", "weight"):
        view.add_column(heading, justify="left" if heading == "style" else "right")
    for style in sorted({row["style"] for row in rows}):
        part = [row for row in rows if row["style"] == style]
        counts = Counter(row["split"] for row in part)
        view.add_row(
            style,
            *(str(counts[split]) for split in ("train", "tuning", "held_out")),
            str(sum(len(row["pitch"]) for row in part)),
            f"{sum(row['weight'] for row in part):.0f}",
        )
    console.print(view)
    meters = Counter(row["meter"] or "unknown" for row in rows)
    modes = Counter(row["mode"] for row in rows)
    console.print(", ".join(f"{name} {count}" for name, count in (*meters.most_common(), *modes.most_common())))


def main() -> None:
    """Read options, read tables, print the summary, write the training table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+", help="tables of songs")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the training table")
    parser.add_argument("--styles", default="popular,folk,hymn,carol,spiritual", help="a list of styles, or all")
    parser.add_argument("--language", default="en", help="en, de, ... or any")
    parser.add_argument("--verses", action="store_true", help="keep verses as rows, do not write out repeats")
    parser.add_argument("--transpose", type=int, default=0, metavar="N", help="add every training song in N more keys")
    parser.add_argument("--seed", type=int, default=0, help="chooses the keys")
    parser.add_argument("--picture", type=Path, help="draw the summary into this PNG file")
    parser.add_argument("--force", action="store_true", help="overwrite files that exist")
    options = parser.parse_args()
    styles = None if options.styles == "all" else set(options.styles.split(","))
    language = None if options.language == "any" else options.language
    account = Account()
    rows: list[dict[str, Any]] = []
    for path in options.data:
        rows += read(path, styles, language, account, not options.verses)
    tell(rows, account, Console(width=110, highlight=False))
    if not rows:
        sys.exit("no row can be used: see the reasons above, or choose other --styles or another --language")
    rows = transposed(rows, options.transpose, options.seed)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink, compression="zstd")
    contents = {options.output: sink.getvalue().to_pybytes()}
    if options.picture:
        contents[options.picture] = picture(rows, account)
    try:
        write_files(contents, force=options.force)
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}; --force overwrites files")
    print(f"{len(rows)} rows written to {options.output}")


if __name__ == "__main__":
    main()
