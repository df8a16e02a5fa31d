"""The report of `songwright evaluate`: one table of figures for melodies of any origin against melodies of people.

The data set says what is compared. A table of 20-note lines (column `paper_split`) is judged as published systems are,
line by line; a table of songs is judged on its held-out songs, line by line and song by song, prosody included. What
is judged is a checkpoint, which sings the words of the data; a folder of song documents or of tunes, MIDI and scores of
any program; or another table. Beside it stand people (another sample of human melodies: the ceiling) and random notes
(the floor).
"""

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from align.corpus import CorpusSong, read_corpus
from align.meter import TICKS_PER_BEAT
from melody import metrics, song_likeness
from melody.corpus import song_key
from melody.harmony import infer_chords
from melody.metrics import CopyIndex, SungNote, SungSong
from melody.phrases import cut_phrases
from melody.sequence_metrics import (
    POOLED,
    NoteLines,
    SequenceError,
    compare,
    index_lines,
    random_notes,
    read_paper_lines,
)
from melody.theory import Key
from melody.two_sample import TwoSampleTest, two_sample_test
from pipeline.errors import SettingsError, SongError, TuneError
from pipeline.evaluation import sung_from_corpus, sung_from_song, sung_from_tune
from pipeline.song import Song
from pipeline.tune import read_tune

LINE_NOTES = 20
TUNES = (".mid", ".midi", ".musicxml", ".mxl", ".xml", ".abc", ".mei")
NAMES = ("real", "judged", "people", "random notes")

# Sings the words of songs: one melody each, in order. A model that is to be judged is wrapped in one of these.
Singer = Callable[[Sequence[CorpusSong]], list[SungSong]]


@dataclass(frozen=True, slots=True, eq=False)
class Melodies:
    """Melodies as lines of twenty notes and, where whole songs are known, as songs with their groups."""

    lines: NoteLines
    songs: tuple[SungSong, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """What melodies are compared with."""

    kind: str  # "lines" or "songs"
    real: Melodies
    people: Melodies  # another sample of human melodies
    training: CopyIndex
    words: tuple[CorpusSong, ...]  # the songs whose words a checkpoint sings: the same as `real`


@dataclass(frozen=True, slots=True)
class Row:
    """One figure for the real melodies, the judged ones, other people's, and random notes; None where it has none."""

    name: str
    real: float | None
    judged: float | None
    people: float | None
    random_notes: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """All rows, what was counted, and the two-sample test if it was asked for."""

    subject: str
    data: str
    kind: str
    counts: dict[str, int]
    rows: tuple[Row, ...]
    two_sample: TwoSampleTest | None
    histograms: dict[str, dict[str, dict[str, float]]]  # attribute -> column -> value -> share

    def to_json(self) -> str:
        """Return everything as one JSON object."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"


def lines_of(songs: Sequence[SungSong], *, whole: bool = False) -> NoteLines:
    """Cut melodies into lines of twenty notes, with the tonics of their songs; what is left over is not used.

    The rest before the first note of a song does not count, unless the melodies are `whole` lines themselves. Raises
    SettingsError if there are not two such lines.
    """
    pitch, duration, rest, tonic = [], [], [], []
    for song in songs:
        notes = song.notes
        ends = [0 if whole else notes[0].onset, *(note.onset + note.duration for note in notes[:-1])]
        for start in range(0, len(notes) - LINE_NOTES + 1, LINE_NOTES):
            part = slice(start, start + LINE_NOTES)
            pitch.append([note.pitch for note in notes[part]])
            duration.append([note.duration / TICKS_PER_BEAT for note in notes[part]])
            gaps = zip(notes[part], ends[part], strict=True)
            rest.append([max(0, note.onset - end) / TICKS_PER_BEAT for note, end in gaps])
            tonic.append(song.key.tonic)
    if len(pitch) < 2:
        raise SettingsError(
            f"the melodies are too short to measure: they must have two stretches of {LINE_NOTES} notes"
        )
    lines = NoteLines.of(pitch, duration, rest)
    return lines if whole else NoteLines(lines.pitch, lines.duration, lines.rest, np.array(tonic, dtype=np.int64))


def read_data(path: Path, *, seed: int = 0, most: int = 0) -> Data:
    """Read a data set: validation lines of a table of lines, held-out songs of a table of songs, `most` at most.

    Raises SettingsError, with the missing columns, if the table is neither.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from melody.joint_data import DataError, find_table, read_lines

    try:
        names = set() if path.is_dir() else set(pq.read_schema(path).names)
    except (OSError, pa.ArrowInvalid) as error:
        raise SettingsError(f"cannot read {path} as a parquet table") from error
    kind = "lines" if "paper_split" in names and "song_id" not in names else "open"
    try:
        table = find_table(path, kind)
    except DataError as error:
        raise SettingsError(str(error)) from error
    if kind == "lines":
        real, training = read_paper_lines(table, "valid"), read_paper_lines(table, "train")
        words = tuple(read_lines(table, "valid"))
        count = min(len(real), most or len(real))
        order = np.random.default_rng(seed).permutation(len(training))
        people, rest = training[order[:count]], training[order[count:]]
        if not len(people) or not len(rest):
            raise SettingsError(f"{table} has too few training lines to compare with")
        return Data("lines", Melodies(real[:count]), Melodies(people), index_lines(rest), words[:count])
    corpus = list(read_corpus(table))
    parts: dict[int, dict[str, CorpusSong]] = {0: {}, 1: {}}
    for song in corpus:
        tenth = int(song.group, 16) % 10
        if tenth in parts:
            parts[tenth].setdefault(song.song_id, song)  # one verse of each song
    held, tuning = (list(part.values())[: most or None] for part in (parts[0], parts[1]))
    training_songs = list({s.song_id: s for s in corpus if int(s.group, 16) % 10 > 1}.values())
    if len(held) < 2 or len(tuning) < 2 or not training_songs:
        raise SettingsError(f"{table} has too few usable English songs: two or more must be held out, and some left")
    return Data(
        "songs",
        _of_songs(held),
        _of_songs(tuning),
        CopyIndex(_tokens(song) for song in training_songs),
        tuple(held),
    )


def _of_songs(songs: Sequence[CorpusSong]) -> Melodies:
    sung = tuple(sung_from_corpus(song) for song in songs)
    return Melodies(lines_of(sung), sung, tuple(song.group for song in songs))


def _tokens(song: CorpusSong) -> list[tuple[int, int]]:
    return [(b.pitch - a.pitch, max(1, round(b.duration / 120))) for a, b in pairwise(song.notes)]


def checkpoint_singer(folder: Path, seed: int = 0) -> Singer:
    """Return a singer that invents rhythm and pitch with a trained joint model.

    Raises SettingsError if the folder holds no such model.
    """
    from melody.features import anchor_pitch
    from melody.joint import load_joint_model
    from melody.joint_features import Clock, Harmony, corpus_text, text_features
    from melody.joint_generate import Task, generate
    from melody.lstm import ModelError

    try:
        model = load_joint_model(folder)
    except (ModelError, KeyError, ValueError) as error:
        raise SettingsError(f"{folder} is no checkpoint that can be evaluated: {error}") from error
    anchored = model.config.anchored

    def sing(songs: Sequence[CorpusSong]) -> list[SungSong]:
        tasks, keys, origins = [], [], []
        for number, song in enumerate(songs):
            key = song_key(song) if anchored else Key(0, "major")
            text = corpus_text(song, key.mode == "minor")
            first = song.notes[0]
            origin = first.onset - first.place if anchored else 0
            if anchored and 2 * first.place >= song.meter.bar_ticks:
                origin += song.meter.bar_ticks
            middle = float(np.median([note.pitch for note in song.notes]))
            task = Task(
                text_features(text),
                text.line,
                Clock(song.meter, origin),
                anchor=anchor_pitch(middle, key.tonic) if anchored else 0,
                seed=seed * 1_000_003 + number,
                start=first.onset if anchored else 0,
                harmony=Harmony(key, tuple(infer_chords(song, key))) if anchored else Harmony(key),
                first_rest=not anchored,
            )
            tasks.append(task)
            keys.append(key)
            origins.append(origin)
        sung = []
        for start in range(0, len(tasks), 64):
            batch = slice(start, start + 64)
            melodies = generate(model, tasks[batch])
            for song, key, origin, notes in zip(songs[batch], keys[batch], origins[batch], melodies, strict=True):
                meter = song.meter
                places = [(note.onset - origin) % meter.bar_ticks for note in notes]
                template = sung_from_corpus(song) if anchored else SungSong(meter, key, (), (), ())
                sung.append(
                    SungSong(
                        meter,
                        key,
                        tuple(
                            SungNote(n.onset, n.duration, meter.strength(p), n.pitch, old.syllable, old.held, p)
                            for n, p, old in zip(notes, places, song.notes, strict=True)
                        ),
                        template.syllables,
                        template.chords,
                    )
                )
        return sung

    return sing


def read_songs(folder: Path, data: Data) -> Melodies:
    """Read the song documents and tunes of a folder, or one of them; a document goes before a tune of its name.

    Files named as the songs of the data (`song_id.json` or `.mid`, with `__` for `/`) are compared song by song and
    must then be complete; others only as a whole.
    """
    paths = {folder.stem: folder}
    if folder.is_dir():
        kinds = [*reversed(TUNES), ".json"]  # what comes later replaces what has the same name
        paths = {path.stem: path for kind in kinds for path in sorted(folder.iterdir()) if path.suffix.lower() == kind}
    songs: dict[str, SungSong] = {}
    for name, path in sorted(paths.items()):
        try:
            content = path.read_bytes()
            if path.suffix.lower() == ".json":
                songs[name] = sung_from_song(Song.from_json(content))
            else:
                songs[name] = sung_from_tune(read_tune(content, path.name))
        except OSError as error:
            raise SettingsError(f"cannot read {path}: {error.strerror}") from error
        except SongError as error:
            raise SettingsError(f"{path} is not a song document: {error}") from error
        except TuneError as error:
            raise SettingsError(f"{path} cannot be measured: {error}") from error
    if not songs:
        raise SettingsError(
            f"{folder} holds neither a checkpoint (model.safetensors) nor song documents (*.json) nor tunes (*.mid)"
        )
    names = [song.song_id.replace("/", "__") for song in data.words]
    if data.kind == "songs" and all(name in songs for name in names):
        sung = tuple(songs[name] for name in names)
        return Melodies(lines_of(sung), sung, data.real.groups)
    sung = tuple(songs.values())
    return Melodies(lines_of(sung), sung, tuple(f"{n:x}" for n in range(len(sung))))


def judge(subject: Path, data: Data, *, seed: int = 0, most: int = 0) -> Melodies:
    """Return the melodies of a checkpoint, of song documents, of tunes or of a table, whichever `subject` is."""
    if not subject.exists():
        raise SettingsError(f"there is no file or folder {subject}")
    if subject.is_dir() and ((subject / "model.safetensors").exists() or (subject / "config.json").exists()):
        return of_singer(checkpoint_singer(subject, seed), data)
    if subject.is_dir() or subject.suffix.lower() in (".json", *TUNES):
        return read_songs(subject, data)
    if subject.suffix == ".safetensors":
        return of_singer(checkpoint_singer(subject.parent, seed), data)
    try:
        other = read_data(subject, seed=seed, most=most)
    except SettingsError as error:
        raise SettingsError(
            f"{subject} is no checkpoint, no song document, no tune and no data set: {error}"
        ) from error
    return other.real


def of_singer(singer: Singer, data: Data) -> Melodies:
    """Return what a singer makes of the words of the data."""
    sung = tuple(singer(data.words))
    if len(sung) != len(data.words):
        raise ValueError(f"a singer must sing every song once, got {len(sung)} melodies for {len(data.words)}")
    return Melodies(lines_of(sung, whole=data.kind == "lines"), sung if data.kind == "songs" else (), data.real.groups)


def evaluate(subject: Path, data_path: Path, *, seed: int = 0, most: int = 0, two_sample: bool = False) -> Report:
    """Measure `subject` against the data set at `data_path`; both are described at the head of this module."""
    try:
        data = read_data(data_path, seed=seed, most=most)
        judged = judge(subject, data, seed=seed, most=most)
        return report(judged, data, str(subject), str(data_path), seed=seed, two_sample=two_sample)
    except SequenceError as error:
        raise SettingsError(str(error)) from error


def report(
    judged: Melodies, data: Data, subject: str, data_name: str, *, seed: int = 0, two_sample: bool = False
) -> Report:
    """Measure melodies against a data set."""
    real, people = data.real, data.people
    noise = random_notes(people.lines if data.kind == "lines" else real.lines, len(real.lines), seed)
    if real.lines.tonic is not None:
        noise = NoteLines(noise.pitch, noise.duration, noise.rest)
    columns = [compare(lines, real.lines, data.training) for lines in (real.lines, judged.lines, people.lines, noise)]
    rows = [Row(name, *(column[name] for column in columns)) for name in columns[0]]
    verdict = None
    if real.songs and judged.songs:
        rows += _song_rows(judged, data, seed)
        if two_sample:
            verdict = _two_sample(judged, data, seed)
    elif two_sample:
        raise SettingsError("the two-sample test needs songs with bars: give a table of songs as --data")
    return Report(
        subject,
        data_name,
        data.kind,
        {
            "real lines": len(real.lines),
            "judged lines": len(judged.lines),
            "real songs": len(real.songs),
            "judged songs": len(judged.songs),
        },
        tuple(rows),
        verdict,
        _histograms({"real": real.lines, "judged": judged.lines, "random notes": noise}),
    )


def _song_rows(judged: Melodies, data: Data, seed: int) -> list[Row]:
    real, people = data.real.songs, data.people.songs
    noise = song_likeness.random_songs(real, seed)
    rows = []
    pooled = [song_likeness.pooled(songs, real) for songs in (judged.songs, people, noise)]
    for name, field in (("PD", "pitch"), ("DD", "duration"), ("IOI", "onset_interval")):
        rows.append(Row(f"pooled {name}", 1.0, *(getattr(likeness, field) for likeness in pooled)))
    paired = len(judged.songs) == len(real) and judged.groups == data.real.groups
    others = [people[i % len(people)] for i in range(len(real))]  # another song: what two songs have in common anyway
    single = [
        None if songs is None else song_likeness.per_song(songs, real)
        for songs in (judged.songs if paired else None, others, noise)
    ]
    for name, field in (("PD", "pitch"), ("DD", "duration"), ("IOI", "onset_interval"), ("MD", "melody_distance")):
        values = (None if likeness is None else getattr(likeness, field) for likeness in single)
        rows.append(Row(f"per-song {name}", 0.0 if name == "MD" else 1.0, *values))
    samples = (real, judged.songs, people, noise)

    def row(name: str, measure: Callable[[Sequence[SungSong]], float]) -> None:
        rows.append(Row(name, *(measure(songs) for songs in samples)))

    row("stressed syllable stronger", lambda songs: metrics.stress_match(songs).stronger)
    row("stressed syllable weaker", lambda songs: metrics.stress_match(songs).weaker)
    row("function words on strong beats", lambda songs: metrics.on_strong_beat(songs, content=False))
    row("content monosyllables on strong beats", lambda songs: metrics.on_strong_beat(songs, content=True))
    row("rests inside a word, per song", lambda songs: metrics.rests_inside_words(songs) / len(songs))
    row("phrase-final note / other notes", metrics.phrase_final_ratio)
    for kind in ("repeat", "step", "third", "fourth+", "over octave"):
        row(f"intervals: {kind}", lambda songs, kind=kind: metrics.interval_shares(songs)[kind])  # type: ignore[misc]
    row("span of a song, median semitones", lambda songs: float(np.median([metrics.span(song) for song in songs])))
    row("notes in key", metrics.in_key)
    row("last note on the tonic", metrics.ends_on_tonic)
    row("chord tones on strong beats", metrics.chord_tones_on_strong_beats)
    row("4-grams repeated in the song", metrics.repeated_fourgrams)
    return rows


def _two_sample(judged: Melodies, data: Data, seed: int) -> TwoSampleTest:
    human = [
        phrase
        for part in (data.real, data.people)
        for song, group in zip(part.songs, part.groups, strict=True)
        for phrase in cut_phrases(song, group)
    ]
    generated = [p for song, group in zip(judged.songs, judged.groups, strict=True) for p in cut_phrases(song, group)]
    try:
        return two_sample_test(human, generated, seed)
    except ValueError as error:
        raise SettingsError(f"the two-sample test cannot be made: {error}") from error


def _histograms(columns: dict[str, NoteLines]) -> dict[str, dict[str, dict[str, float]]]:
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name, values in POOLED.items():
        found[name] = {}
        for column, lines in columns.items():
            numbers, counts = np.unique(np.asarray(values(lines), dtype=np.float64).ravel(), return_counts=True)
            shares = counts / counts.sum()
            found[name][column] = {f"{number:g}": float(s) for number, s in zip(numbers, shares, strict=True)}
    return found


def draw(made: Report) -> bytes:
    """Draw the histograms of the report, real beside judged beside random notes, as a PNG file."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = [name for name in made.histograms if name != "pitch class" or made.kind == "lines"]
    figure, axes = pyplot.subplots(2, (len(shown) + 1) // 2, figsize=(13, 7), layout="constrained", squeeze=False)
    for axis, name in zip(axes.ravel(), shown, strict=False):
        columns = made.histograms[name]
        values = _common_values(columns)
        for index, (column, colour) in enumerate(
            (("real", "tab:blue"), ("judged", "tab:orange"), ("random notes", "lightgray"))
        ):
            heights = [columns[column].get(value, 0.0) for value in values]
            axis.bar(np.arange(len(values)) + 0.27 * (index - 1), heights, 0.27, label=column, color=colour)
        axis.set_xticks(range(len(values)), values, fontsize=7)
        axis.set_title(name)
    for axis in axes.ravel()[len(shown) :]:
        axis.axis("off")
    axes[0, 0].legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80, metadata={"Software": None})
    pyplot.close(figure)
    return buffer.getvalue()


def _common_values(columns: dict[str, dict[str, float]], most: int = 25) -> list[str]:
    """Return the values that are most common in the real or the judged melodies, in order."""
    weight = {
        value: max(columns["real"].get(value, 0.0), columns["judged"].get(value, 0.0))
        for column in ("real", "judged")
        for value in columns[column]
    }
    common = sorted(weight, key=lambda value: -weight[value])[:most]
    return sorted(common, key=float)


def table_rows(made: Report) -> list[tuple[str, ...]]:
    """Return the rows of the report as printed."""

    def text(value: float | None) -> str:
        return "-" if value is None else f"{value:.4f}" if abs(value) < 1 else f"{value:.2f}"

    rows: list[tuple[str, ...]] = [
        (row.name, text(row.real), text(row.judged), text(row.people), text(row.random_notes)) for row in made.rows
    ]
    if made.two_sample is not None:
        test: Any = made.two_sample
        rows.append(
            (
                "two-sample accuracy",
                "-",
                *(text(getattr(test, name).accuracy) for name in ("generated", "halves", "random_notes")),
            )
        )
        rows.append(("two-sample accuracy, shuffled phrases", "-", "-", "-", text(test.shuffled.accuracy)))
    return rows
