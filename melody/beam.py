"""Beam search for the pitches of a line, for the lines of many songs in step.

Numpy spends as long on calling a function as on the numbers of one song, so that songs searched together cost a third
of what they cost alone. They never meet: every product is taken for each song by itself, in the same shape however many
there are, and everything else works on single numbers. A song therefore gets the same pitches alone and in any company.

Letters in shapes: S songs, B beam, n notes of a line, W pitches of the window, C classes.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from melody.features import LOWEST, NUM_CLASSES, NUM_INTERVALS
from melody.lstm import START, PitchModel, Prepared, State, interval_columns
from melody.theory import MAJOR

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

NEVER = -60.0  # a hard rule
_NOWHERE = -1e9  # no path
_PLACES = 1e4  # scores are rounded to 1 / _PLACES


class Problem(NamedTuple):
    """A line to be sung: what every note and pitch is worth, and what went before."""

    line: Prepared
    state: State  # of the network before the line, for a beam of one
    before: int  # class sung before, START where there is none
    interval: int  # that led to it, plus 12; NUM_INTERVALS where there was none
    low: int  # the lowest class of the window
    minor: bool
    colour: Ints  # (n,): how notes outside the key lead to each note: 0 freely, 1 as in RISING, 2 as in FALLING
    scores: Floats  # (n, W)
    motion: Floats  # (n, 25), of the interval that leads to each note
    motifs: Floats  # (n, 26, 25), the same by the interval before, plus 12; NUM_INTERVALS where there was none


class Solution(NamedTuple):
    """The classes of a line, and the network's state after them."""

    classes: Ints
    state: State


Turns = tuple[tuple[float, ...], ...]  # (7, 7): scores of steps of the major scale after each other
NO_TURNS: Turns = ((0.0,) * 7,) * 7


def solve(
    model: PitchModel, problems: Sequence[Problem], beam: int, monotone: float, turns: Turns = NO_TURNS
) -> list[Solution]:
    """Find the best pitches of each line; `monotone` is the price of a note's repeat beyond the first in a row.

    `turns` score steps of the major scale after each other.

    Scores are rounded to 1e-4 and ties broken by position, so that the last bits of floating-point sums, which differ
    between machines, do not choose notes.
    """
    order = sorted(range(len(problems)), key=lambda i: -len(problems[i].scores))  # the longest first
    lines = [problems[i] for i in order]
    lengths = [len(problem.scores) for problem in lines]
    width = max(problem.scores.shape[1] for problem in lines)
    num_notes, size = lengths[0], len(lines)

    scores = np.full((num_notes, size, 1, width), _NOWHERE)
    motions = _motion()
    motion = np.zeros((num_notes, size, *motions.shape))
    mode = np.zeros((num_notes, size, 1), dtype=np.int64)
    for s, problem in enumerate(lines):
        scores[: lengths[s], s, 0, : problem.scores.shape[1]] = problem.scores
        here = motion[: lengths[s], s]
        here[:] = problem.motifs
        here += problem.motion[:, None]
        here += motions
        mode[: lengths[s], s, 0] = (problem.minor + 2 * problem.colour) * len(interval_columns())
    stack = _stack([problem.line for problem in lines], num_notes)
    state = State(*(np.repeat(np.stack(parts), beam, axis=1) for parts in zip(*(p.state for p in lines), strict=True)))
    before = np.array([[problem.before] * beam for problem in lines])
    interval = np.array([[problem.interval] * beam for problem in lines])
    total = np.full((size, beam), _NOWHERE)
    total[:, 0] = 0  # one path, from which all others branch
    repeats = np.zeros((size, beam))  # what the repeats of the last note so far make another one cost

    window = np.minimum(np.array([[[p.low]] for p in lines]) + np.arange(width), NUM_CLASSES - 1)  # (S, 1, W)
    places = beam * width
    last_first = np.arange(places)[::-1].reshape(beam, width)  # of two that are worth the same, the first wins
    path = np.arange(size * beam).reshape(size, beam, 1)
    class_of_path, interval_of_path = path * NUM_CLASSES + window, path * NUM_INTERVALS  # places in flat arrays
    leaps, columns = _leaps(turns), _columns()
    parents: list[Ints] = []
    choices: list[Ints] = []
    ends: list[State] = []  # of the lines, the last line first
    for note in range(num_notes):
        log_p, state = model.step(stack, note, state, before, interval)
        rows = path[: len(interval), 0] // beam * len(motions)
        rows = rows + (interval if note else np.full_like(interval, NUM_INTERVALS))
        moves = motion[note].reshape(-1, NUM_INTERVALS).take(rows, axis=0)  # (S, B, 25)
        moves[..., 12] -= repeats
        pairs = ((mode[note] + before) * NUM_CLASSES)[..., None] + window  # (S, B, W)
        steps = columns.take(pairs)
        candidates = log_p.reshape(-1).take(class_of_path) + (scores[note] + leaps.take(pairs))
        candidates += total[..., None]
        candidates += moves.reshape(-1).take(interval_of_path + steps)
        # Whole numbers that end in the position: no two are alike, and they are sorted quickly.
        candidates *= _PLACES
        keys = np.rint(candidates, out=candidates).astype(np.int64)
        keys *= places
        keys += last_first
        keys = keys.reshape(-1, places)
        keys.sort(axis=1)
        total, from_last = np.divmod(keys[:, : -beam - 1 : -1], places)
        total = total / _PLACES
        place = places - 1 - from_last
        parent, choice = np.divmod(place, width)
        source = path[: len(place), 0] + parent
        interval = steps.reshape(-1).take(place + path[: len(place), 0] * width)
        if note == 0:
            interval[before[:, 0] == START] = NUM_INTERVALS
        before = np.minimum(window[:, 0, :1] + choice, NUM_CLASSES - 1)
        repeats = (repeats.reshape(-1).take(source) + monotone) * (interval == 12)
        state = State(*(part.reshape(path.size, -1).take(source, axis=0) for part in state))
        parents.append(parent)
        choices.append(before)
        while size and lengths[size - 1] == note + 1:
            size -= 1
            ends.append(State(state.hidden[size, :1], state.cell[size, :1]))
        if size < len(before):
            stack, state = stack.first(size), State(state.hidden[:size], state.cell[:size])
            scores, motion, window, mode = scores[:, :size], motion[:, :size], window[:size], mode[:, :size]
            path, class_of_path, interval_of_path = path[:size], class_of_path[:size], interval_of_path[:size]
            before, interval, total, repeats = before[:size], interval[:size], total[:size], repeats[:size]
    solutions: dict[int, Solution] = {}
    for s, end in enumerate(reversed(ends)):
        sung = np.empty(lengths[s], dtype=np.int64)
        best = 0
        for note in range(lengths[s] - 1, -1, -1):
            sung[note] = choices[note][s, best]
            best = int(parents[note][s, best])
        solutions[order[s]] = Solution(sung, end)
    return [solutions[i] for i in range(len(problems))]


def _stack(lines: Sequence[Prepared], num_notes: int) -> Prepared:
    """Put lines side by side, (N, S, ...); what lies behind the end of a line is never read."""
    if len(lines) == 1:
        return Prepared._make(array[:, None] for array in lines[0])
    parts = []
    for arrays in zip(*lines, strict=True):
        together = np.zeros((num_notes, len(lines), *arrays[0].shape[1:]), dtype=arrays[0].dtype)
        for s, array in enumerate(arrays):
            together[: len(array), s] = array
        parts.append(together)
    return Prepared._make(parts)


@cache
def _motion() -> Floats:
    """Return what intervals cost after each other: (interval before + 12, interval + 12); last row: no interval.

    Large leaps want to be left by step in the other direction (Narmour, 1990, "registral return"); two leaps in one
    direction pass only as a broken triad of thirds and fourths.
    """
    table = np.zeros((NUM_INTERVALS + 1, NUM_INTERVALS))
    intervals = np.arange(-12, 13)
    size = np.abs(intervals)
    table += np.select([(size == 6) | (size == 10) | (size == 11), size == 12, size >= 8], [NEVER, -1.4, -0.6], 0)
    for row, before in enumerate(intervals):
        same_way = np.sign(intervals) == np.sign(before)
        if abs(before) >= 8:
            table[row] += np.where(same_way, np.where(size > 2, -6.0, -1.5), np.where(size > 4, -0.8, 0.0))
        elif abs(before) >= 5:
            table[row] += np.where(same_way, np.where(size > 4, -4.0, np.where(size > 2, -1.5, -0.3)), 0.0)
        elif abs(before) >= 3:
            table[row] += np.where(same_way & (size > 4), -1.2, 0.0)
    return table


# Where notes outside the key lead, by degree above a major and a minor tonic (counted in training songs): raised ones
# rise by a semitone; the lowered seventh falls, and where the harmony says so, the lowered third and sixth.
RISING: tuple[dict[int, int], ...] = ({1: 1, 3: 1, 6: 1, 8: 1, 10: -1}, {6: 1})
FALLING: tuple[dict[int, int], ...] = ({1: 1, 3: -1, 6: 1, 8: -1, 10: -1}, {6: 1})


@cache
def _leaps(turns: Turns) -> Floats:
    """Rules on pairs of classes, (6 * (C + 1) * C,): leaps over an octave; in minor the augmented second.

    One table for major, one for minor; both again with raised notes that rise, and with lowered ones that fall.
    """
    semitones = np.arange(NUM_CLASSES) + LOWEST
    difference = np.abs(semitones[:, None] - semitones[None, :])
    major = np.where(difference > 12, 2 * NEVER, 0.0)
    pair = {8, 11}
    degree = (semitones % 12).tolist()
    augmented = (difference == 3) & np.array([[{a, b} == pair for b in degree] for a in degree])
    minor = np.where(augmented, NEVER, major)
    step = np.array([MAJOR.index(d) if d in MAJOR else -1 for d in degree])
    in_key = (step >= 0)[:, None] & (step >= 0)
    major = major + in_key * np.array(turns)[np.ix_(step, step)]
    nothing_before = np.zeros((1, NUM_CLASSES))
    tables = [major, minor]
    for ways in (RISING, FALLING):
        tables += [major + _colour(ways[0]), minor + _colour(ways[1])]
    return np.concatenate([part for table in tables for part in (table, nothing_before)]).ravel()


def _colour(ways: dict[int, int]) -> Floats:
    """How notes outside the key are reached and left, (C, C): by step from near by, and to where they lead."""
    semitones = np.arange(NUM_CLASSES) + LOWEST
    step = semitones[None, :] - semitones[:, None]
    size = np.abs(step)
    table = np.zeros((NUM_CLASSES, NUM_CLASSES))
    for degree, way in ways.items():
        here = semitones % 12 == degree
        table[:, here] += np.select([size <= 2, size <= 4], [0.0, -1.0], -4.0)[:, here]
        table[here] += np.select([step == way, step == 0], [0.0, -2.0], -6.0)[here]
    return table


@cache
def _columns() -> Ints:
    """Interval from class to class, plus 12, in the order of `_leaps`."""
    return np.tile(interval_columns().ravel(), 6)
