"""Compare ways to train and to use the joint network: the tables of docs/models.md.

    python scripts/compare_melody_models.py lines lmd_paper20.parquet RUN         a trained run beside real lines
    python scripts/compare_melody_models.py songs songs_open.parquet RUN          a run on songs it never saw
    python scripts/compare_melody_models.py systems lmd_paper20.parquet OUT.json  LSTM, GAN, both, and choosing
    python scripts/compare_melody_models.py conditions songs_open.parquet OUT.json  without each condition
    python scripts/compare_melody_models.py table OUT.json                        what a comparison found so far

`systems` and `conditions` train small networks, three seeds each (`--seeds`), one after the other; every result is
added to OUT.json at once, so that a comparison may be stopped and goes on later. RUN is a folder of
`songwright train melody --config lines`. Needs the extra `train`.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import torch

from align.corpus import CorpusSong, read_corpus
from melody import checkpoint
from melody.corpus import song_key
from melody.distances import overlap
from melody.features import anchor_pitch, refrains
from melody.gan import choose, distance, note_lines, read_judge, sing, train_gan, windows
from melody.joint import NUM_INTERVALS, REACH, load_joint_model
from melody.joint_data import JointExample, encode_song, make_batch
from melody.joint_features import Clock, Floats, corpus_text, text_features
from melody.joint_generate import PlainNote, Task, generate
from melody.joint_network import JointNetwork
from melody.metrics import (
    CopyIndex,
    SungNote,
    SungSong,
    durations,
    ends_on_tonic,
    in_key,
    interval_shares,
    onset_intervals,
    pitches,
    repeated_fourgrams,
    span,
)
from melody.sequence_metrics import NoteLines, compare, index_lines, random_notes
from melody.theory import Key
from melody.train_joint import (
    CONFIGS,
    Data,
    GanConfig,
    TrainJointConfig,
    evaluate,
    make_network,
    parse_config,
    read_data,
    read_weights,
    train_lstm,
)

CANDIDATES = 4
SAMPLES = 5  # of sung lines for every judged one; the figures are means over them
TEMPERATURES = (1.0, 0.94, 0.9, 0.87, 0.84, 0.81, 0.78)
LEANING_STEPS = (0.5, 0.5, 0.7, 0.7, 0.7)  # how much of what is found too rare or too common each step mends
# Small enough that all of a comparison takes some minutes of one core: they rank, they do not set records.
SYSTEMS = replace(
    CONFIGS["lines"], hidden=64, head=48, key=16, epochs=4, max_songs=1500,
    gan=GanConfig(window=20, rounds=4, steps=8, batch=32, channels=32, samples=256, patience=8),
)  # fmt: skip
CONDITIONS = replace(
    CONFIGS["full"], hidden=48, head=32, key=16, epochs=4, longest=48, dropout=0.1, chordless=0.1, endless=1,
    max_songs=400,
)  # fmt: skip
WITHOUT: dict[str, tuple[str, ...]] = {
    "all but meaning": ("meaning",),
    "without prosody": ("meaning", "prosody"),
    "without position": ("meaning", "position"),
    "without harmony": ("meaning", "harmony"),
    "without section": ("meaning", "section"),
    "without style": ("meaning", "style"),
    "without copying": ("meaning", "copying"),
    "with meaning": (),
}


def real_lines(items: Sequence[JointExample], config: TrainJointConfig) -> NoteLines:
    """Return what people sang."""
    return note_lines(make_batch(items, config.model), config.model)


def interval_histogram(lines: NoteLines) -> Floats:
    """Return the share of each interval, (NUM_INTERVALS,)."""
    intervals = np.clip(np.diff(lines.pitch, axis=1), -REACH, REACH).astype(np.int64) + REACH
    return (np.bincount(intervals.ravel(), minlength=NUM_INTERVALS) / intervals.size).astype(np.float32)


def choose_sampling(
    network: JointNetwork, training: Sequence[JointExample], config: TrainJointConfig
) -> tuple[float, Floats]:
    """Choose how pitches are drawn, on training melodies (never the judged ones): a temperature and a leaning.

    A temperature below 1 keeps melodies together but sharpens the choice of intervals too. The leaning undoes that: the
    log of people's share of each interval over the sung one, approached in steps. Temperatures compete after two steps
    on 2,000 lines; the best one then takes all steps on 6,000.
    """
    rng = np.random.default_rng(1)
    order = rng.permutation(len(training))
    model = network.model()
    wanted = interval_histogram(real_lines(training, config))

    def lean(heat: float, some: Sequence[JointExample], steps: Sequence[float]) -> Floats:
        leaning = np.zeros(NUM_INTERVALS, dtype=np.float32)
        for seed, step in enumerate(steps):
            sung = note_lines(sing(model, some, np.random.default_rng(seed), (1, 1, heat), leaning).batch, config.model)
            ratio = np.log((wanted + 1e-4) / (interval_histogram(sung) + 1e-4))
            leaning += np.float32(step * heat) * np.clip(ratio, -1, 1).astype(np.float32)
        return leaning

    few = [training[int(index)] for index in order[:2000]]
    real = real_lines(few, config)
    tried = []
    for heat in TEMPERATURES:
        leaning = lean(heat, few, LEANING_STEPS[:2])
        sung = sing(model, few, np.random.default_rng(len(LEANING_STEPS)), (1, 1, heat), leaning)
        tried.append((distance(note_lines(sung.batch, config.model), real), heat))
    _, heat = min(tried)
    return heat, lean(heat, [training[int(index)] for index in order[:6000]], LEANING_STEPS)


def measure(lines: NoteLines, real: NoteLines, index: CopyIndex) -> dict[str, float]:
    """Return the published statistics, the distances, and the single figure that the stopping rule uses."""
    return {"distance": distance(lines, real), **compare(lines, real, index)}


def compare_run(data: Path, run: Path) -> dict[str, dict[str, float]]:
    """Measure a trained run beside real lines, other real lines and random notes."""
    config = parse_config((run / "run.json").read_text(encoding="utf-8"))
    content = read_data(data, config)
    training, judged = windows(content.training, config, None), windows(content.validation, config, None)
    real, everyone = real_lines(judged, config), real_lines(training, config)
    order = np.random.default_rng(0).permutation(len(everyone))
    index = index_lines(everyone[order[len(real) :]])
    columns = {
        "real": measure(real, real, index),
        "human": measure(everyone[order[: len(real)]], real, index),
        "random notes": measure(random_notes(everyone, len(real)), real, index),
    }
    for name, weights in (("LSTM", "model.safetensors"), ("LSTM + GAN", "gan.safetensors")):
        if not (run / weights).exists():
            continue
        network = make_network(config)
        read_weights(run, network, weights)
        network.eval()
        model = network.model()
        nats = evaluate(network, content.validation, config)
        other = [*content.validation[1:], content.validation[0]]
        swapped = [replace(a, features=b.features) for a, b in zip(content.validation, other, strict=True)]
        wrong = evaluate(network, swapped, config)
        heat, leaning = choose_sampling(network, training, config)
        leans = " and leaning" if leaning.any() else ""
        for label, heats, lean in (
            (name, (1.0, 1.0, 1.0), None),
            (f"{name}, T {heat}{leans}", (1.0, 1.0, heat), leaning),
        ):
            samples = [
                note_lines(sing(model, judged, np.random.default_rng(seed), heats, lean).batch, config.model)
                for seed in range(SAMPLES)
            ]
            found = [measure(sung, real, index) for sung in samples]
            columns[label] = {name: mean(one[name] for one in found) for name in found[0]}
            columns[label] |= {"nats per note": nats["total"], "nats per note, words of another line": wrong["total"]}
            columns[label] |= {f"nats: {part}": nats[part] for part in ("rest", "duration", "pitch")}
        if (run / "discriminator.safetensors").exists():
            judge = read_judge(run, config)
            best = choose(model, judge, network, judged, np.random.default_rng(0), CANDIDATES)
            columns[f"{name}, best of {CANDIDATES}"] = measure(best, real, index)
    return columns


def compare_songs(data: Path, run: Path) -> dict[str, dict[str, float]]:
    """Measure a run of the open songs on held-out English songs: likelihoods, and songs sung to their words."""
    model = load_joint_model(run)
    songs = [song for song in read_corpus(data) if song.held_out]
    refrain = refrains(songs)
    songs = list({song.song_id: song for song in songs}.values())
    config = replace(CONFIGS["full"], hidden=model.config.hidden, head=model.config.head, key=model.config.key)
    network = JointNetwork(config.model).eval()
    read_weights(run, network)
    examples = [encode_song(song, model.config, refrain.get(song.song_id)) for song in songs]
    told = {
        "people": config,
        "no chords": replace(config, without=("meaning", "harmony")),
        "no words": replace(config, without=("meaning", "prosody")),
    }
    columns: dict[str, dict[str, float]] = {}
    for name, one in told.items():
        columns[name] = {f"nats: {part}": value for part, value in evaluate(network, examples, one).items()}
    keys = [song_key(song) for song in songs]
    people = [
        sung_song(song, key, [PlainNote(note.onset, note.duration, note.pitch) for note in song.notes])
        for song, key in zip(songs, keys, strict=True)
    ]
    columns["people"] |= song_figures(people, people)
    tasks = [
        replace(task_of(song, key, refrain.get(song.song_id)), seed=seed)
        for seed, (song, key) in enumerate(zip(songs, keys, strict=True))
    ]
    for name, heat, rivals in (("free", 1.0, 1), ("8 rivals", 1.0, 8), ("8 rivals, pitches T 0.9", 0.9, 8)):
        found = generate(model, [replace(task, temperature=(1.0, 1.0, heat)) for task in tasks], rivals)
        sung = [sung_song(song, key, notes) for song, key, notes in zip(songs, keys, found, strict=True)]
        columns[name] = song_figures(sung, people)
    return columns


def task_of(song: CorpusSong, key: Key, refrain: frozenset[int] | None) -> Task:
    """Return the task of singing a song's words anew, without its chords and its rhythm."""
    text = corpus_text(song, key.mode == "minor", refrain)
    first = song.notes[0]
    origin = first.onset - first.place + (song.meter.bar_ticks if 2 * first.place >= song.meter.bar_ticks else 0)
    anchor = anchor_pitch(float(np.median([note.pitch for note in song.notes])), key.tonic)
    return Task(text_features(text), text.line, Clock(song.meter, origin), anchor, start=first.onset)


def sung_song(song: CorpusSong, key: Key, notes: Sequence[PlainNote]) -> SungSong:
    """Return notes sung to a song's words as the measures see them."""
    bar = song.meter.bar_ticks
    origin = song.notes[0].onset - song.notes[0].place
    return SungSong(
        song.meter,
        key,
        tuple(
            SungNote(
                note.onset, note.duration, song.meter.strength((note.onset - origin) % bar), note.pitch, index, False
            )
            for index, note in enumerate(notes)
        ),
        (),
        (),
    )


def song_figures(sung: Sequence[SungSong], people: Sequence[SungSong]) -> dict[str, float]:
    """Measure whole songs, and how their histograms overlap with those of people."""
    figures = {f"interval: {name}": share for name, share in interval_shares(sung).items()}
    return {
        "repeated 4-grams": repeated_fourgrams(sung),
        "in key": in_key(sung),
        "ends on the tonic": ends_on_tonic(sung),
        "ends on a beat": mean(song.notes[-1].strength >= 3 for song in sung),
        "notes on a beat": mean(note.strength >= 3 for song in sung for note in song.notes),
        "span, median": float(np.median([span(song) for song in sung])),
        **figures,
        "PD": overlap(pitches(sung), pitches(people)),
        "DD": overlap(durations(sung), durations(people)),
        "IOI": overlap(onset_intervals(sung), onset_intervals(people)),
    }


def compare_systems(data: Path, out: Path, seeds: Sequence[int]) -> None:
    """Train LSTM, GAN and both, small; measure each, and choosing by the discriminator."""
    content = read_data(data, SYSTEMS)
    judged = windows(content.validation, SYSTEMS, None)[:1000]
    real = real_lines(judged, SYSTEMS)
    index = index_lines(real_lines(windows(content.training, SYSTEMS, None), SYSTEMS))
    for seed in seeds:
        config = replace(SYSTEMS, seed=seed)
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / "lstm"

            def lstm(config: TrainJointConfig = config, run: Path = run) -> dict[str, float]:
                network = train_lstm(content, config, run, cpu=True).network
                return measured(network, config, content, judged, real, index)

            def plain(config: TrainJointConfig = config, folder: str = folder) -> dict[str, float]:
                alone = replace(config, gan=replace(config.gan, pretrained=False, likelihood=0.0))
                network = train_gan(content, alone, Path(folder) / "gan", cpu=True).network
                return measured(network, alone, content, judged, real, index)

            def both(config: TrainJointConfig = config, run: Path = run) -> dict[str, float]:
                network = train_gan(content, config, run, cpu=True).network
                return measured(network, config, content, judged, real, index)

            def chosen(config: TrainJointConfig = config, run: Path = run) -> dict[str, float]:
                network = make_network(config)
                read_weights(run, network, "gan.safetensors")
                network.eval()
                judge = read_judge(run, config)
                lines = choose(network.model(), judge, network, judged, np.random.default_rng(0), CANDIDATES)
                return measure(lines, real, index)

            steps: dict[str, Callable[[], dict[str, float]]] = {
                "LSTM": lstm,
                "LSTM + GAN": both,
                f"LSTM + GAN, best of {CANDIDATES}": chosen,
                "GAN alone": plain,
            }
            done = load(out)
            if all(f"{name} / {seed}" in done for name in steps):
                continue
            for name, step in steps.items():
                save(out, f"{name} / {seed}", step())


def measured(
    network: JointNetwork,
    config: TrainJointConfig,
    content: Data,
    judged: Sequence[JointExample],
    real: NoteLines,
    index: CopyIndex,
) -> dict[str, float]:
    """Sing to the judged words and measure."""
    sung = note_lines(sing(network.model(), judged, np.random.default_rng(0)).batch, config.model)
    return measure(sung, real, index) | {"nats per note": evaluate(network, content.validation, config)["total"]}


def compare_conditions(data: Path, out: Path, seeds: Sequence[int]) -> None:
    """Train small networks that are not told one thing or another; nats per note of what people sang."""
    content = read_data(data, replace(CONDITIONS, without=()))
    for seed in seeds:
        for name, without in WITHOUT.items():
            if f"{name} / {seed}" in load(out):
                continue
            config = replace(CONDITIONS, without=without, seed=seed)
            with tempfile.TemporaryDirectory() as folder:
                network = train_lstm(content, config, Path(folder), cpu=True).network
            save(out, f"{name} / {seed}", evaluate(network, content.validation, config))


def load(out: Path) -> dict[str, dict[str, float]]:
    """Return the results so far, by "name / seed"."""
    if not out.exists():
        return {}
    results: dict[str, dict[str, float]] = json.loads(out.read_text(encoding="utf-8"))
    return results


def save(out: Path, name: str, figures: dict[str, float]) -> None:
    """Add one result."""
    checkpoint.write_whole(out, (json.dumps(load(out) | {name: figures}, indent=1) + "\n").encode())
    print(f"{name}: " + ", ".join(f"{key} {value:.4f}" for key, value in list(figures.items())[:4]), flush=True)


def print_table(columns: dict[str, dict[str, float]]) -> None:
    """Print figures as rows, systems as columns."""
    rows = dict.fromkeys(key for column in columns.values() for key in column)
    print("| | " + " | ".join(columns) + " |\n|---|" + "---|" * len(columns))
    for row in rows:
        cells = [f"{column[row]:.4f}" if row in column else "–" for column in columns.values()]
        print(f"| {row} | " + " | ".join(cells) + " |")


def print_seeds(out: Path) -> None:
    """Print mean and spread over the seeds that are done, systems as rows."""
    results = load(out)
    names = list(dict.fromkeys(key.rpartition(" / ")[0] for key in results))
    figures = list(dict.fromkeys(figure for values in results.values() for figure in values))
    print("| | seeds | " + " | ".join(figures) + " |\n|---|---|" + "---|" * len(figures))
    for name in names:
        runs = [values for key, values in results.items() if key.rpartition(" / ")[0] == name]
        cells = []
        for figure in figures:
            found = [run[figure] for run in runs if figure in run]
            spread = f" ± {stdev(found):.4f}" if len(found) > 1 else ""
            cells.append(f"{mean(found):.4f}{spread}" if found else "–")
        print(f"| {name} | {len(runs)} | " + " | ".join(cells) + " |")


def main() -> None:
    """Read options, run one comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("lines", "songs", "systems", "conditions", "table"))
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    torch.set_num_threads(1)
    if len(options.paths) != (1 if options.what == "table" else 2):
        parser.error(f"{options.what} takes {1 if options.what == 'table' else 2} paths")
    first, last = options.paths[0], options.paths[-1]
    if options.what == "lines":
        print_table(compare_run(first, last))
    elif options.what == "songs":
        print_table(compare_songs(first, last))
    elif options.what == "systems":
        compare_systems(first, last, options.seeds)
    elif options.what == "conditions":
        compare_conditions(first, last, options.seeds)
    else:
        print_seeds(first)


if __name__ == "__main__":
    main()
