"""What a finished batch says about itself: errors.jsonl, summary.json, summary.png, and a README that loads it.

Everything is read from the shards, in their order and one at a time, so that it is exact and memory stays flat.
"""

import io
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from pipeline.batch.inputs import need
from pipeline.batch.shards import failures_of, part_name
from pipeline.batch.store import Store, write
from pipeline.names import pitch_name

_COUNTED = ("key", "mode", "meter", "style", "voice")
_SHARES = (
    "stress_stronger",
    "stress_equal",
    "stress_weaker",
    "function_words_on_strong",
    "content_words_on_strong",
    "notes_in_key",
    "chord_tones_on_strong",
    "cadences",
    "repeated_fourgrams",
)
_TOTALS = ("num_lines", "num_syllables", "num_notes", "length_seconds")


def write_report(store: Store, manifest: Mapping[str, Any], num_shards: int) -> None:
    """Sum up a batch that is done."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in _COUNTED}
    numbers: dict[str, Counter[int]] = {name: Counter() for name in ("tempo", "span", "lowest", "highest")}
    stress: Counter[int] = Counter()  # songs by per cent of stressed syllables on the stronger place
    sums = dict.fromkeys((*_SHARES, *_TOTALS), 0.0)
    measured: Counter[str] = Counter()  # songs that a share could be told of
    songs = failures = warned = 0
    with store.writer("errors.jsonl") as errors:
        for number in range(num_shards):
            for failure in failures_of(store, number):
                errors.write((json.dumps(failure.to_json(), ensure_ascii=False) + "\n").encode())
                failures += 1
            columns = _features(store, number)
            songs += len(columns["row"])
            warned += sum(map(bool, columns["warnings"]))
            for name in _COUNTED:
                counts[name].update(columns[name])
            numbers["tempo"].update(map(round, columns["tempo_qpm"]))
            ranges = [pair for pair in zip(columns["lowest"], columns["highest"], strict=True) if None not in pair]
            numbers["span"].update(highest - lowest for lowest, highest in ranges)
            numbers["lowest"].update(lowest for lowest, _ in ranges)
            numbers["highest"].update(highest for _, highest in ranges)
            stress.update(round(100 * share) for share in columns["stress_stronger"] if share is not None)
            for name in sums:
                values = [value for value in columns[name] if value is not None]
                measured[name] += len(values)
                sums[name] += sum(values)
    means = {name: round(sums[name] / measured[name], 4) for name in _SHARES if measured[name]}
    summary = {
        "rows": songs + failures,
        "songs": songs,
        "failures": failures,
        "songs_with_warnings": warned,
        "totals": {name: round(sums[name], 3) for name in _TOTALS},
        "means_over_songs": means,
        **{
            name: dict(sorted(counter.items(), key=lambda pair: (-pair[1], pair[0])))
            for name, counter in counts.items()
        },
        **{name: {str(value): count for value, count in sorted(numbers[name].items())} for name in numbers},
    }
    write(store, "summary.png", _plot(counts["key"], numbers, stress))
    write(store, "README.md", _readme(summary, manifest).encode())
    # The summary comes last: where it stands, the batch is whole.
    write(store, "summary.json", (json.dumps(summary, ensure_ascii=False, indent=2) + "\n").encode())


def _features(store: Store, number: int) -> dict[str, list[Any]]:
    parquet = need("pyarrow.parquet")
    names = ["row", "warnings", "tempo_qpm", "lowest", "highest", *_COUNTED, *_SHARES, *_TOTALS]
    content = store.read(part_name("features", number))
    columns: dict[str, list[Any]] = parquet.read_table(io.BytesIO(content), columns=names).to_pydict()
    return columns


def _plot(keys: Counter[str], numbers: Mapping[str, Counter[int]], stress: Counter[int]) -> bytes:
    """Draw keys, tempi, ranges and stress; the same counts give the same bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    (key, tempo), (span, metre) = figure.subplots(2, 2)
    common = sorted(keys.items(), key=lambda pair: (-pair[1], pair[0]))[:16]
    key.bar(range(len(common)), [count for _, count in common])
    key.set_xticks(range(len(common)), [name for name, _ in common], rotation=60, ha="right", fontsize=7)
    key.set_title("key")
    tempo.bar(list(numbers["tempo"]), list(numbers["tempo"].values()), width=1.5)
    tempo.set_title("tempo, quarter notes a minute")
    for name, shift in (("lowest", -0.2), ("highest", 0.2)):
        pitches = sorted(numbers[name].items())
        span.bar(
            [pitch + shift for pitch, _ in pitches], [count for _, count in pitches], width=0.4, label=f"{name} note"
        )
    heard = sorted({*numbers["lowest"], *numbers["highest"]})
    if heard:
        ticks = range(heard[0] - heard[0] % 6, heard[-1] + 6, 6)
        span.set_xticks(ticks, [pitch_name(tick) for tick in ticks])
        span.legend(fontsize=8)
    span.set_title("range")
    metre.bar(list(stress), list(stress.values()), width=1.0)
    metre.set_xlim(-1, 101)
    metre.set_title("stressed syllables on the stronger place, % of pairs in a song")
    for axes in (key, tempo, span, metre):
        axes.set_ylabel("songs")
    buffer = io.BytesIO()
    canvas.print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()


def _readme(summary: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    """Write the card with which `datasets.load_dataset` finds the tables."""
    configs = "".join(
        f"- config_name: {name}\n{'  default: true' if name == 'songs' else '  default: false'}\n"
        f"  data_files: {name}/*.parquet\n"
        for name in ("songs", "features", "timing")
    )
    means = "\n".join(
        f"| {name.replace('_', ' ')} | {value:.3f} |" for name, value in summary["means_over_songs"].items()
    )
    keys = ", ".join(f"{name} {count:,}" for name, count in list(summary["key"].items())[:8])
    return f"""---
configs:
{configs}---

# Songs

{summary["songs"]:,} songs composed by {manifest["program"]}; {summary["failures"]:,} rows failed (see `errors.jsonl`).

```python
from datasets import load_dataset
from pipeline.song import Song

songs = load_dataset(".", split="train")  # this folder; "features" and "timing" are the other tables
song = Song.from_json(songs[0]["document"])
```

| mean over songs | |
|---|---|
{means}

Keys: {keys or "none"}.

![Keys, tempi, ranges, stress](summary.png)
"""
