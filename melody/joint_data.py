"""Songs as the joint network learns them: tokens, features and what earlier notes offer, in numpy."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from align.corpus import CorpusNote, CorpusSong, CorpusSyllable, read_corpus
from align.meter import TICKS_PER_BEAT, Meter
from lyrics.cmudict import pronunciations
from melody.corpus import song_key
from melody.features import anchor_pitch, refrains
from melody.harmony import infer_chords
from melody.joint import (
    REACH,
    JointConfig,
    extend_matches,
    token_numbers,
)
from melody.joint_features import (
    MEANING,
    NO_CHORD,
    POSITION,
    PROSODY,
    SECTION,
    Clock,
    Harmony,
    block_columns,
    corpus_text,
    line_texts,
    text_features,
)
from melody.theory import Key

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

# Values of the open songs that cover all but a few hundredths of a percent of their notes, in ticks.
OPEN = JointConfig(
    rests=(0, 120, 240, 360, 480, 720, 960, 1440, 1920, 3840),
    durations=(
        60,
        120,
        160,
        180,
        240,
        320,
        360,
        420,
        480,
        600,
        720,
        840,
        960,
        1200,
        1440,
        1680,
        1920,
        2160,
        2400,
        2640,
        2880,
        3360,
        3840,
    ),
    num_pitches=44,
    lowest=-18,
)
# The classes of the 20-note lyrics-melody set: 12 durations, 7 rests, every MIDI number between its extremes.
LINES = JointConfig(
    rests=(0, 480, 960, 1920, 3840, 7680, 15360),
    durations=(120, 240, 360, 480, 720, 960, 1440, 1920, 2880, 3840, 7680, 15360),
    num_pitches=112,
    lowest=12,
    anchored=False,
)


class DataError(ValueError):
    """Data that nothing can be learned from; the message says what is missing."""


@dataclass(frozen=True, slots=True, eq=False)
class JointExample:
    """A song ready for the network. Arrays have N rows."""

    song_id: str
    group: str
    features: Floats  # (N, NUM_FEATURES)
    ends: Floats  # (N, NUM_PLACE): where the note before ended
    onsets: Floats  # (N, NUM_PLACE)
    chords: Floats  # (N, NUM_CHORD)
    rest: Ints
    duration: Ints
    pitch: Ints
    line: Ints
    place: Ints  # tick in the bar of the onset
    left: Ints  # (N, 2): class of the bars that are left, where the note before ended and at the onset

    def __len__(self) -> int:
        """Return the number of notes."""
        return len(self.rest)


def nearest(values: Sequence[int], ticks: Ints) -> Ints:
    """Return the class of each duration: the index of the nearest value."""
    table = np.array(values)
    classes: Ints = np.abs(ticks[..., None] - table).argmin(axis=-1)
    return classes


def encode_song(
    song: CorpusSong,
    config: JointConfig,
    refrain: frozenset[int] | None = None,
    *,
    key: Key | None = None,
    meaning: Floats | None = None,
    chords: bool = True,
) -> JointExample:
    """Lay out a song of the corpus; `meaning` has a row per line.

    The end of the song stays open in the features; `Veil` tells it for some songs, so that the network can do both.
    """
    key = key or song_key(song)
    text = corpus_text(song, key.mode == "minor", refrain)
    features = text_features(text)
    if meaning is not None:
        features[:, block_columns(("meaning",))] = meaning[text.line]
    onset = np.array([note.onset for note in song.notes])
    duration = np.array([note.duration for note in song.notes])
    pitches = np.array([note.pitch for note in song.notes])
    place = np.array([note.place for note in song.notes])
    end = np.append(onset[0], onset[:-1] + duration[:-1])
    first_rest = 0
    if not config.anchored:  # lines begin with a rest, counted from a downbeat
        first_rest, end[0] = int(onset[0]), 0
    rest = np.append(first_rest, np.maximum(0, onset[1:] - end[1:]))
    origin = int(onset[0] - place[0])
    if config.anchored and 2 * place[0] >= song.meter.bar_ticks:
        origin += song.meter.bar_ticks
    clock = Clock(song.meter, origin if config.anchored else 0)
    closing = Clock(song.meter, clock.origin, int(onset[-1] + duration[-1]))
    harmony = Harmony(key, tuple(infer_chords(song, key)) if chords else ())
    anchor = anchor_pitch(float(np.median(pitches)), key.tonic) if config.anchored else 0
    return JointExample(
        song.song_id,
        song.group,
        features,
        clock.places(end),
        clock.places(onset),
        harmony.at(onset),
        nearest(config.rests, rest),
        nearest(config.durations, duration),
        np.clip(pitches - anchor - config.lowest, 0, config.num_pitches - 1),
        text.line,
        (onset - clock.origin) % song.meter.bar_ticks,
        np.stack([closing.places(moment)[:, -8:].argmax(axis=1) for moment in (end, onset)], axis=1),
    )


@dataclass(frozen=True, slots=True, eq=False)
class JointBatch:
    """Songs padded to the longest; `weight` is 0 on padding. Letters: B songs, T notes."""

    features: Floats  # (B, T, NUM_FEATURES)
    ends: Floats
    onsets: Floats
    chords: Floats
    rest: Ints  # (B, T)
    duration: Ints
    pitch: Ints
    interval: Ints
    line: Ints
    place: Ints
    matches: Ints  # (B, T, T): [t, j]: how many notes before j equal those before t
    longest: Ints  # (B, T): the longest of them
    scale: Floats  # (B, T, 12): how often each pitch class was sung before, from the tonic
    weight: Floats  # (B, T)


def make_batch(examples: Sequence[JointExample], config: JointConfig, length: int | None = None) -> JointBatch:
    """Pad examples to one length."""
    size = length or max(len(item) for item in examples)

    def pad(name: str) -> Any:
        first = getattr(examples[0], name)
        out = np.zeros((len(examples), size, *first.shape[1:]), dtype=first.dtype)
        for row, item in zip(out, examples, strict=True):
            row[: len(item)] = getattr(item, name)
        return out

    weight = np.zeros((len(examples), size), dtype=np.float32)
    for row, item in zip(weight, examples, strict=True):
        row[: len(item)] = 1
    rest, duration, pitch = pad("rest"), pad("duration"), pad("pitch")
    return JointBatch(
        pad("features"),
        pad("ends"),
        pad("onsets"),
        pad("chords"),
        rest,
        duration,
        pitch,
        *history(duration, pitch, pad("line"), pad("place"), config.lowest),
        weight,
    )


def history(
    duration: Ints, pitch: Ints, line: Ints, place: Ints, lowest: int
) -> tuple[Ints, Ints, Ints, Ints, Ints, Floats]:
    """Return interval, line, place, matches, longest and scale of a `JointBatch` for sung notes (B, T)."""
    batch, size = pitch.shape
    interval = np.clip(np.diff(pitch, axis=1, prepend=pitch[:, :1]), -REACH, REACH) + REACH
    numbers = token_numbers(interval, duration)
    matches = np.zeros((batch, size, size), dtype=np.int64)
    longest = np.zeros((batch, size), dtype=np.int64)
    now = matches[:, 0, :0]
    for t in range(1, size):
        now = extend_matches(now, numbers[:, : t - 1], numbers[:, t - 1])
        matches[:, t, :t] = now
        longest[:, t] = now.max(axis=1)
    one_hot = np.eye(12, dtype=np.float32)[(pitch + lowest) % 12]
    scale = np.concatenate((np.zeros((batch, 1, 12), dtype=np.float32), one_hot.cumsum(axis=1)[:, :-1]), axis=1)
    return interval, line, place, matches, longest, scale


ARRAYS = ("features", "ends", "onsets", "chords", "rest", "duration", "pitch", "line", "place", "left")


def window(item: JointExample, start: int, stop: int) -> JointExample:
    """Cut a stretch out of an example."""
    part = {name: getattr(item, name)[start:stop] for name in ARRAYS}
    return JointExample(item.song_id, item.group, **part)


@dataclass(frozen=True, slots=True)
class Veil:
    """What a song does not tell the network: in training by chance, so that it can do without."""

    words: bool = False
    lines: bool = False
    chords: bool = False
    style: bool = False
    end: bool = True
    blocks: tuple[str, ...] = ()  # names of feature blocks, for ablations


def veiled(item: JointExample, veil: Veil) -> JointExample:
    """Return the example without what the veil hides, and with its end told where the veil does not hide it."""
    features, line, chords, ends, onsets = item.features.copy(), item.line, item.chords, item.ends, item.onsets
    hidden = list(veil.blocks)
    if veil.words:
        hidden += [*PROSODY, "rhyme", "role", "meaning"]
    if veil.lines:
        hidden += [*POSITION, *SECTION]
        line = np.zeros_like(line)
    if veil.style:
        features[:, block_columns(("style",))] = np.eye(6, dtype=np.float32)[-1]
    features[:, block_columns(hidden)] = 0
    if veil.chords:
        chords = np.broadcast_to(NO_CHORD, chords.shape)
    if not veil.end:
        told = np.eye(8, dtype=np.float32)[item.left]
        ends, onsets = (
            np.concatenate((array[:, :-8], told[:, index]), axis=1) for index, array in enumerate((ends, onsets))
        )
    return replace(item, features=features, line=line, chords=chords, ends=ends, onsets=onsets)


# Reading


# Columns without which a table cannot be read, by vocabulary.
OPEN_COLUMNS = (
    "song_id", "dataset", "group", "verse", "language", "time_sig", "n_time_changes", "n_key_changes", "n_syllables",
    "n_notes", "key_fifths", "key_mode", "tempo_bpm", "pitch", "onset", "dur", "beat", "syllable", "syllabic",
    "line_id", "chord_onset", "chord", "lines",
)  # fmt: skip
LINE_COLUMNS = ("id", "part", "paper_split", "syllables", "words", "word_id", "pitch", "dur", "rest")


def find_table(data: Path, vocabulary: str) -> Path:
    """Return the table to learn from: the file itself, or the one of a folder that has the columns.

    Raises DataError, saying which columns are missing, if there is none.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    wanted = OPEN_COLUMNS if vocabulary == "open" else LINE_COLUMNS
    candidates = sorted(data.glob("*.parquet")) if data.is_dir() else [data]
    if not candidates:
        raise DataError(f"{data} holds no parquet files")
    complaint = ""
    for path in candidates:
        try:
            missing = [name for name in wanted if name not in pq.read_schema(path).names]
        except FileNotFoundError as error:
            raise DataError(f"there is no file {path}") from error
        except (pa.ArrowInvalid, OSError) as error:
            complaint = complaint or f"{path} is not a parquet file"
            if not data.is_dir():
                raise DataError(complaint) from error
            continue
        if not missing:
            return path
        complaint = complaint or f"{path} has no column {', '.join(missing)}"
    raise DataError(f"{complaint}; see docs/data.md for the tables that can be trained on")


def read_open(
    path: Path, config: JointConfig = OPEN, *, meaning: bool = False, max_songs: int = 0
) -> tuple[list[JointExample], list[JointExample]]:
    """Encode the songs that may be trained on, and one verse each of those that choose the epoch.

    Held-out groups are never read; `int(group, 16) % 10 == 1` chooses the epoch. `max_songs` takes the first so many
    songs of the table only.
    """
    songs = [song for song in read_corpus(path, language=None) if not song.held_out]
    if max_songs:
        some = set(list(dict.fromkeys(song.song_id for song in songs))[:max_songs])
        songs = [song for song in songs if song.song_id in some]
    lines = refrains(songs)
    meanings = line_meanings([line_texts(song) for song in songs]) if meaning else [None] * len(songs)
    training, validation = [], {}
    for song, rows in zip(songs, meanings, strict=True):
        chooses = int(song.group, 16) % 10 == 1
        if chooses and song.song_id in validation:
            continue
        item = encode_song(song, config, lines.get(song.song_id), meaning=rows)
        if chooses:
            validation[song.song_id] = item
        else:
            training.append(item)
    if not training or not validation:
        raise DataError(f"{path} holds too few usable songs: some must learn, and some choose the epoch")
    return training, list(validation.values())


def line_meanings(texts: Sequence[Sequence[str]]) -> list[Floats]:
    """Return the meaning of every line of every song, (lines, MEANING) each.

    Sentence embeddings (lyrics.embedding) brought to MEANING dimensions by a fixed random projection, which keeps
    distances (Johnson and Lindenstrauss) and needs no data to be fitted on.
    """
    from lyrics.embedding import SIZE, embed

    flat = sorted({text for lines in texts for text in lines})
    projection = np.random.default_rng(0).standard_normal((SIZE, MEANING)).astype(np.float32)
    rows = dict(zip(flat, embed(flat) @ projection, strict=True))
    return [np.stack([rows[text] for text in lines]) for lines in texts]


def read_lines(path: Path, split: str) -> list[CorpusSong]:
    """Read the 20-note lyrics-melody lines of one split ("train", "valid") as songs of one line."""
    import pyarrow.parquet as pq

    rows = pq.read_table(path, filters=[("paper_split", "=", split)]).to_pylist()
    return [line_song(row) for row in rows]


def line_song(row: dict[str, Any]) -> CorpusSong:
    """Bring one row of the 20-note table to the form of a song: 4/4, ticks counted from the start."""
    notes: list[CorpusNote] = []
    end = 0
    for index, (pitch, duration, rest) in enumerate(zip(row["pitch"], row["dur"], row["rest"], strict=True)):
        onset = end + round(rest * TICKS_PER_BEAT)
        length = round(duration * TICKS_PER_BEAT)
        notes.append(CorpusNote(onset, length, onset % (4 * TICKS_PER_BEAT), int(pitch), index, False))
        end = onset + length
    words: list[str] = []
    members: list[list[int]] = []
    previous = None
    for index, (word, number) in enumerate(zip(row["words"], row["word_id"], strict=True)):
        if number != previous:
            words.append(word)
            members.append([])
        members[-1].append(index)
        previous = number
    syllables: list[CorpusSyllable] = []
    for number, (word, indices) in enumerate(zip(words, members, strict=True)):
        stresses: list[int | None] = [None] * len(indices)
        for phones in pronunciations(word.lower()):
            digits = [int(phone[-1]) for phone in phones if phone[-1].isdigit()]
            if len(digits) == len(indices):
                stresses = list(digits)
                break
        syllables.extend(
            CorpusSyllable(row["syllables"][index], number, stress, index == indices[0], index == indices[-1], 0)
            for index, stress in zip(indices, stresses, strict=True)
        )
    return CorpusSong(
        song_id=f"{row['id']}:{row['part']}",
        group="1",
        verse="1",
        style="",
        language="en",
        meter=Meter(4, 4),
        key_fifths=0,
        key_mode="",
        tempo_qpm=None,
        words=tuple(words),
        syllables=tuple(syllables),
        notes=tuple(notes),
        chords=(),
        num_lines=1,
        lines_from_source=False,
        lines_text=(),
    )


def encode_lines(songs: Sequence[CorpusSong], *, meaning: bool = False) -> list[JointExample]:
    """Encode the songs of `read_lines`: no key, no chords, absolute pitches."""
    key = Key(0, "major")
    meanings = line_meanings([line_texts(song) for song in songs]) if meaning else None
    return [
        encode_song(song, LINES, key=key, chords=False, meaning=None if meanings is None else meanings[index])
        for index, song in enumerate(songs)
    ]
