"""Melodies from the joint network: rhythm and pitch for syllables, and the continuation of what is there already.

A `Task` says what is known: features of the notes to come (melody/joint_features.py), the clock, chords if there are
any, and the notes that are sung already. Tasks are done side by side; every task draws from its own seed, so that what
comes out of it does not depend on the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from align.meter import Meter
from melody.features import METERS
from melody.joint import JointModel
from melody.joint_data import nearest
from melody.joint_features import (
    NO_CHORD,
    Clock,
    Floats,
    Harmony,
    Ints,
    places,
)
from melody.theory import Key


@dataclass(frozen=True, slots=True)
class PlainNote:
    """A note and nothing else."""

    onset: int  # ticks
    duration: int  # ticks
    pitch: int  # MIDI number


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """A melody to be made. The features have a row for every note, those of `prefix` first."""

    features: Floats  # (N, NUM_FEATURES): at most N notes are sung in all
    line: Ints  # (N,)
    clock: Clock  # its `end` makes the network aim at an ending there
    anchor: int = 0  # MIDI number of the tonic that pitches count from; 0 for a model without anchors
    seed: int = 0
    prefix: tuple[PlainNote, ...] = ()
    start: int = 0  # tick from which the first note may begin; after a prefix that is its end
    harmony: Harmony = field(default_factory=lambda: Harmony(Key(0, "major")))
    temperature: tuple[float, float, float] = (1.0, 1.0, 1.0)  # of rests, durations, pitches
    low: int = 0  # lowest and highest MIDI number that may be sung
    high: int = 127
    until: int | None = None  # tick that no note may sound beyond; the melody ends there or just before
    grid: int = 1  # onsets and ends fall on multiples of this many ticks, where the network's values allow it
    first_rest: bool = False  # whether a rest may stand before the first note


# How much less a melody counts among its rivals if a line begins elsewhere in the bar than the first one, or if the end
# is not on the tonic, or not on a beat. Of the lines people sing, 72 % begin where the first one did.
STRAYED_LINE = 0.05
STRAYED_END = 0.05


def generate(model: JointModel, tasks: Sequence[Task], rivals: int = 1) -> list[tuple[PlainNote, ...]]:
    """Sing all tasks; return the new notes of each, without its prefix.

    With `rivals`, every task is sung so many times side by side, and where a line begins the rivals that kept to the
    bar take over from those that strayed (a particle filter: Gordon, Salmond and Smith, 1993); of those that reach the
    end, one that closes on the tonic and on a beat is preferred. Free singing has no other way to plan a line.
    """
    if rivals > 1:
        crowd = [replace(task, seed=task.seed * 1009 + k) for task in tasks for k in range(rivals)]
        sung = _sing(model, crowd, rivals)
        return [
            _preferred(tasks[i], sung[i * rivals : (i + 1) * rivals]) for i in range(len(tasks))
        ]  # fmt: skip
    return _sing(model, tasks, 1)


def _preferred(task: Task, sung: Sequence[tuple[PlainNote, ...]]) -> tuple[PlainNote, ...]:
    """Draw one of the rivals, by how they end."""
    meter = task.clock.meter
    weights = []
    for notes in sung:
        weight = 1.0
        if notes:
            last = notes[-1]
            weight *= 1.0 if (last.pitch - task.anchor) % 12 == 0 else STRAYED_END
            weight *= 1.0 if meter.strength((last.onset - task.clock.origin) % meter.bar_ticks) >= 3 else STRAYED_END
        weights.append(weight)
    return sung[_draw_rows(weights, 1, task.seed)[0]]


def _draw_rows(weights: Sequence[float], count: int, seed: int) -> list[int]:
    """Draw `count` indices by their weights, systematically: as evenly as can be."""
    total = np.cumsum(weights)
    marks = (np.random.default_rng(seed).random() + np.arange(count)) / count * total[-1]
    drawn: list[int] = np.minimum(np.searchsorted(total, marks, side="right"), len(weights) - 1).tolist()
    return drawn


def _rows_that_go_on(tasks: Sequence[Task], rivals: int, lines: Ints, note: int, onset: Ints, first: Ints) -> Ints:
    """Return which row each row goes on from: itself, but where a line begins among rivals."""
    rows = np.arange(len(tasks))
    for start in range(0, len(tasks), rivals):
        task = tasks[start]
        if not len(task.prefix) < note < len(task.line) or lines[start, note] == lines[start, note - 1]:
            continue
        some = slice(start, start + rivals)
        strayed = (onset[some] - first[some]) % task.clock.meter.bar_ticks != 0
        weights = np.where(strayed, STRAYED_LINE, 1.0).tolist()
        rows[some] = start + np.array(_draw_rows(weights, rivals, task.seed * 31 + note))
    return rows


def _sing(model: JointModel, tasks: Sequence[Task], rivals: int) -> list[tuple[PlainNote, ...]]:
    if not tasks:
        return []
    config = model.config
    batch = len(tasks)
    session = model.session(batch)
    longest = max(len(task.features) for task in tasks)
    features = np.zeros((batch, longest, tasks[0].features.shape[1]), dtype=np.float32)
    lines = np.zeros((batch, longest), dtype=np.int64)
    draws = np.zeros((batch, longest, 3))
    for row, task in enumerate(tasks):
        features[row, : len(task.features)] = task.features
        lines[row, : len(task.line)] = task.line
        draws[row, : len(task.features)] = np.random.default_rng(task.seed).random((len(task.features), 3))
    origin = np.array([task.clock.origin for task in tasks])
    until = np.array([1 << 40 if task.until is None else task.until for task in tasks])
    meter = np.array([METERS.index(str(task.clock.meter)) for task in tasks])
    bar_ticks = np.array([Meter.parse(name).bar_ticks for name in METERS])[meter]
    goal = np.array([-1 if task.clock.end is None else task.clock.end - task.clock.origin for task in tasks])
    end = np.array([task.prefix[0].onset if task.prefix else task.start for task in tasks])
    grid = np.array([task.grid for task in tasks])
    heat = np.array([task.temperature for task in tasks], dtype=np.float32)
    shift = np.array([task.anchor for task in tasks]) + config.lowest
    in_range = np.arange(config.num_pitches)[None, :] + shift[:, None]
    in_range_mask = (in_range >= [[task.low] for task in tasks]) & (in_range <= [[task.high] for task in tasks])
    if not in_range_mask.any(axis=1).all():
        raise ValueError("the range of pitches leaves the network nothing to sing")
    rest_ticks, duration_ticks = np.array(config.rests), np.array(config.durations)
    given = [_tokens(model, task) for task in tasks]
    with_chords = [row for row, task in enumerate(tasks) if task.harmony.chords]
    chord = np.tile(NO_CHORD, (batch, 1))
    active = np.ones(batch, dtype=bool)
    first = end.copy()
    sung: list[list[PlainNote]] = [[] for _ in tasks]
    for note in range(longest):
        active &= np.array([note < len(task.features) for task in tasks])
        forced = np.array([note < len(task.prefix) for task in tasks])
        active &= forced | (end + duration_ticks[0] <= until)
        if not active.any():
            break
        scores = session.rests(features[:, note], places(end - origin, meter, goal), lines[:, note])
        fits = (end[:, None] + rest_ticks + np.maximum(duration_ticks[0], grid[:, None]) <= until[:, None]) & (
            (end[:, None] - origin[:, None] + rest_ticks) % grid[:, None] == 0
        )
        if note == 0:
            fits &= (rest_ticks == 0) | np.array([[task.first_rest] for task in tasks])
        rest = _draw(scores, fits, heat[:, :1], draws[:, note, 0])
        rest = np.where(forced, [tokens[0][note] if note < len(tokens[0]) else 0 for tokens in given], rest)
        onset = end + rest_ticks[rest]
        onset = np.where(forced, [t.prefix[note].onset if note < len(t.prefix) else 0 for t in tasks], onset)
        if note == 0:
            first = onset.copy()
        if rivals > 1:
            rows = _rows_that_go_on(tasks, rivals, lines, note, onset, first)
            if (rows != np.arange(batch)).any():
                session.take(rows)
                rest, onset, end, first, active = rest[rows], onset[rows], end[rows], first[rows], active[rows]
                sung = [list(sung[row]) for row in rows.tolist()]
        scores = session.durations(rest, places(onset - origin, meter, goal), (onset - origin) % bar_ticks)
        after = onset[:, None] + duration_ticks
        fits = (after <= until[:, None]) & ((after - origin[:, None]) % grid[:, None] == 0)
        duration = _draw(scores, fits, heat[:, 1:2], draws[:, note, 1])
        duration = np.where(forced, [tokens[1][note] if note < len(tokens[1]) else 0 for tokens in given], duration)
        for row in with_chords:
            chord[row] = tasks[row].harmony.at(onset[row : row + 1])[0]
        scores = session.pitches(duration, chord)
        pitch = _draw(scores, in_range_mask, heat[:, 2:], draws[:, note, 2])
        pitch = np.where(forced, [tokens[2][note] if note < len(tokens[2]) else 0 for tokens in given], pitch)
        session.sing(pitch)
        length = np.minimum(duration_ticks[duration], np.maximum(1, until - onset))
        for row in np.flatnonzero(active).tolist():
            if forced[row]:
                length[row] = tasks[row].prefix[note].duration
            else:
                sung[row].append(PlainNote(int(onset[row]), int(length[row]), int(pitch[row] + shift[row])))
        end = np.where(active, onset + length, end)
    return [tuple(notes) for notes in sung]


def _tokens(model: JointModel, task: Task) -> tuple[list[int], list[int], list[int]]:
    """Rest, duration and pitch classes of the notes that are sung already."""
    if not task.prefix:
        return [], [], []
    config = model.config
    onset = np.array([note.onset for note in task.prefix])
    duration = np.array([note.duration for note in task.prefix])
    pitch = np.array([note.pitch for note in task.prefix]) - task.anchor - config.lowest
    rest = np.append(0, np.maximum(0, onset[1:] - onset[:-1] - duration[:-1]))
    # What lies outside the classes is brought in by octaves, so that its name stays.
    below, above = pitch < 0, pitch >= config.num_pitches
    pitch = pitch + 12 * (-(pitch // 12)) * below
    pitch = pitch - 12 * ((pitch - config.num_pitches) // 12 + 1) * above
    return nearest(config.rests, rest).tolist(), nearest(config.durations, duration).tolist(), pitch.tolist()


def _draw(scores: Floats, allowed: NDArray[np.bool_], heat: Floats, draws: NDArray[np.float64]) -> Ints:
    """Draw one class a row, among the allowed ones; among all where none is allowed."""
    allowed = allowed | ~allowed.any(axis=1, keepdims=True)
    scores = np.where(allowed, scores / heat, -np.inf)
    weight = np.exp(scores - scores.max(axis=1, keepdims=True), dtype=np.float64)
    total = weight.cumsum(axis=1)
    drawn: Ints = np.minimum((total <= (draws * total[:, -1])[:, None]).sum(axis=1), scores.shape[1] - 1)
    return drawn
