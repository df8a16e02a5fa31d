"""Count the chord models from lead sheets: `python scripts/train_harmony.py songs_open.parquet`.

Writes chords.safetensors (what is sung over which chord) and plan.safetensors (what follows what from bar to bar) to
melody/data/harmony and prints their SHA-256, which belong into melody/chord_model.py and melody/chord_plan.py.
"""

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from align.corpus import CorpusSong, read_corpus
from lyrics.model_files import write_model_files
from melody.chord_model import CLASSES, MODES, NUM_STATES, Floats, Ints, Model, state_of
from melody.chord_plan import METERS, PLACES, TABLE_OF_STYLE, TABLES, PlanModel
from melody.corpus import song_key
from melody.harmony import Unit, given_chords, line_end_units, note_weights, song_units, viterbi
from melody.theory import ChordSpan, Key


def first_verses(songs: Iterable[CorpusSong]) -> list[CorpusSong]:
    """Keep one row per song: its verses share their notes and chords."""
    found: dict[str, CorpusSong] = {}
    for song in songs:
        found.setdefault(song.song_id, song)
    return list(found.values())


def unit_states(spans: tuple[ChordSpan, ...], units: tuple[Unit, ...], key: Key) -> Ints:
    """Return the state that sounds longest in each unit."""
    states, first = [], 0
    for unit in units:
        shares: dict[int, int] = {}
        while spans[first].onset + spans[first].duration <= unit.start and first < len(spans) - 1:
            first += 1
        for span in spans[first:]:
            if span.onset >= unit.end:
                break
            overlap = min(span.onset + span.duration, unit.end) - max(span.onset, unit.start)
            state = state_of(span.chord, key)
            shares[state] = shares.get(state, 0) + overlap
        states.append(max(shares, key=lambda state: shares[state]))
    return np.array(states)


def relative_minor(states: Ints) -> Ints:
    """Reread states of a major key in its relative minor."""
    roots, classes = np.divmod(states, len(CLASSES))
    result: Ints = (roots - 9) % 12 * len(CLASSES) + classes
    return result


def minor_prior() -> Floats:
    """Pseudo-counts of changes in minor: what any harmony book gives, for want of enough lead sheets in minor.

    Roots in semitones above the tonic; i, iv, V(7), VI, VII, III, ii dim move mostly by fifths and to and from i.
    """
    major, minor, dominant, diminished = range(4)
    i, iv, v, v7 = (0, minor), (5, minor), (7, major), (7, dominant)
    vi, vii, iii, ii = (8, major), (10, major), (3, major), (2, diminished)
    moves: dict[tuple[int, int], dict[tuple[int, int], float]] = {
        i: {iv: 6, v7: 5, v: 4, vi: 4, vii: 5, iii: 3, ii: 1},
        iv: {i: 6, v: 4, v7: 4, vii: 3, ii: 0.5},
        v: {i: 9, vi: 1.5, v7: 2},
        v7: {i: 10, vi: 1.5},
        vi: {iv: 2, v: 2, v7: 2, vii: 3, iii: 2, ii: 1, i: 1},
        vii: {iii: 4, i: 4, vi: 3, v: 1},
        iii: {vi: 3, iv: 3, vii: 3, i: 2, v: 1},
        ii: {v: 4, v7: 5},
    }
    counts = np.zeros((NUM_STATES, NUM_STATES))
    for (root, quality), targets in moves.items():
        for (other, other_quality), count in targets.items():
            counts[root * 4 + quality, other * 4 + other_quality] = count
    return counts


def count_model(songs: list[CorpusSong], melodies: list[CorpusSong]) -> Model:
    """Count the model in lead sheets; `melodies` (all songs) say how often each degree of the key is sung."""
    shape = (len(MODES), NUM_STATES)
    start, anywhere, ends, finals = (np.zeros(shape) for _ in range(4))
    change = np.zeros((2, NUM_STATES, NUM_STATES))
    stay = np.ones((2, 2, 2))  # mode, into bar or half bar, changed or stayed
    sung = np.zeros((2, 2, NUM_STATES, 12))
    for song in songs:
        key = song_key(song)
        mode = MODES.index(key.mode)
        units = song_units(song)
        states = unit_states(given_chords(song, units), units, key)
        start[mode, states[0]] += 1
        np.add.at(anywhere[mode], states, 1)
        last = line_end_units(song, units)
        np.add.at(ends[mode], states[last], 1)
        finals[mode, states[last[-1]]] += 1
        sung[mode] += np.stack(
            [
                np.stack([weights[states == state].sum(axis=0) for state in range(NUM_STATES)])
                for weights in note_weights(song, units, key).transpose(1, 0, 2)
            ]
        )
        for unit, before, after in zip(units[1:], states[:-1], states[1:], strict=True):
            stay[mode, int(not unit.first), int(before == after)] += 1
            change[mode, before, after] += before != after
        if mode == 0:  # passages in vi teach minor a little
            minor = relative_minor(states)
            np.add.at(change[1], (minor[:-1], minor[1:]), 0.02)
    stay[1] += 0.1 * stay[0]
    change[1] += minor_prior()
    anywhere[1] += change[1].sum(axis=0)
    ends[1] += _minor_ends()
    finals[1, 1] += 10
    start[1, [1, 1 + 5 * 4, 2 + 7 * 4]] += (8, 1, 1)

    profile = np.full((2, 12), 0.5)
    for song in melodies:
        key = song_key(song)
        for note in song.notes:
            profile[MODES.index(key.mode), (note.pitch - key.tonic) % 12] += note.duration / song.meter.pulse_ticks
    profile /= profile.sum(axis=1, keepdims=True)
    return Model(
        start=np.log(_smooth(start, _share(anywhere), 2.0)),
        stay=stay[..., 1] / stay.sum(axis=2),
        change=np.stack([_change_log(change[mode], anywhere[mode]) for mode in (0, 1)]),
        emission=np.log(_emission(sung, profile)),
        line_end=_log_ratio(ends, anywhere),
        song_end=_log_ratio(finals, ends),
    )


def _minor_ends() -> Floats:
    ends = np.zeros(NUM_STATES)
    ends[[1, 7 * 4, 7 * 4 + 2, 3 * 4, 8 * 4, 10 * 4]] = (40, 15, 12, 8, 4, 4)
    return ends


def _share(counts: Floats) -> Floats:
    smoothed: Floats = counts + 0.02
    smoothed /= smoothed.sum(axis=-1, keepdims=True)
    return smoothed


def _smooth(counts: Floats, prior: Floats, strength: float) -> Floats:
    result: Floats = (counts + strength * prior) / (counts.sum(axis=-1, keepdims=True) + strength)
    return result


def _change_log(counts: Floats, anywhere: Floats) -> Floats:
    prior = np.tile(_share(anywhere), (NUM_STATES, 1))
    np.fill_diagonal(prior, 0)
    prior /= prior.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore"):
        result: Floats = np.log(_smooth(counts, prior, 4.0))
    return result


def _emission(sung: Floats, profile: Floats) -> Floats:
    """Degrees sung over each chord, smoothed towards (notes over chords of this class) * (degrees of this mode)."""
    roots = np.arange(NUM_STATES) // len(CLASSES)
    above = (np.arange(12)[None, :] - roots[:, None]) % 12  # interval of each degree above each state's root
    by_class = np.full((2, len(CLASSES), 12), 0.5)
    for state in range(NUM_STATES):
        for degree in range(12):
            by_class[:, state % 4, above[state, degree]] += sung[:, :, state, degree].sum(axis=0)
    by_class /= by_class.sum(axis=2, keepdims=True)
    overall = np.full((2, 12), 1.0)  # how often each interval is sung over any chord, for the ratio below
    for state in range(NUM_STATES):
        for degree in range(12):
            overall[:, above[state, degree]] += sung[:, :, state, degree].sum(axis=0)
    prior = np.zeros((2, 2, NUM_STATES, 12))
    for mode in (0, 1):
        for state in range(NUM_STATES):
            prior[mode, :, state] = by_class[:, state % 4, above[state]] * np.sqrt(profile[mode])
    prior /= prior.sum(axis=3, keepdims=True)
    return _smooth(sung, prior, 20.0)


def _log_ratio(counts: Floats, anywhere: Floats) -> Floats:
    general = _share(anywhere)
    result: Floats = np.log(_smooth(counts, general, 10.0) / general)
    return result


@dataclass(frozen=True, slots=True, eq=False)
class BarChords:
    """A song's chord states bar by bar, with the bars where its lines begin and end."""

    states: Ints
    line_starts: tuple[int, ...]
    line_ends: tuple[int, ...]


def bar_chords(song: CorpusSong, model: Model) -> BarChords:
    """Return the chord at every bar line: the given one, or the inferred one where none is given."""
    key = song_key(song)
    units = song_units(song)
    if song.chords:
        states = unit_states(given_chords(song, units), units, key)
    else:
        states = np.array(viterbi(song, key, units, model))
    bars = [index for index, unit in enumerate(units) if unit.first]
    starts = np.array([units[index].start for index in bars])
    begins: dict[int, int] = {}
    ends: dict[int, int] = {}
    half = song.meter.bar_ticks // 2
    for note in song.notes:
        if not note.held:
            line = song.syllables[note.syllable].line
            bar = int(np.searchsorted(starts, note.onset, side="right")) - 1
            begins.setdefault(line, bar + (note.place > half))  # what begins late is a pick-up to the next bar
            ends[line] = max(bar, 0)
    return BarChords(
        states[bars],
        tuple(min(max(bar, 0), len(bars) - 1) for bar in begins.values()),
        tuple(ends.values()),
    )


def count_plan(songs: list[CorpusSong], model: Model) -> PlanModel:
    """Count bar-to-bar changes by style; lead sheets also teach the other styles, at a lower weight."""
    shape = (len(TABLES), len(MODES))
    change = np.zeros((*shape, NUM_STATES, NUM_STATES))
    anywhere = np.zeros((*shape, NUM_STATES))
    places = np.zeros((*shape, len(PLACES), NUM_STATES))
    stay = np.full((len(TABLES), len(METERS), 2), 2.0)
    for song in songs:
        mode = MODES.index(song_key(song).mode)
        bars = bar_chords(song, model)
        states = bars.states
        own = TABLE_OF_STYLE[song.style]
        weights = {own: 1.0} | ({table: 0.3 for table in range(len(TABLES)) if table != own} if own == 0 else {})
        for table, weight in weights.items():
            np.add.at(anywhere[table, mode], states, weight)
            moved = states[:-1] != states[1:]
            np.add.at(change[table, mode], (states[:-1][moved], states[1:][moved]), weight)
            stay[table, METERS.index(str(song.meter))] += weight * moved.sum(), weight * (~moved).sum()
            for place, where in enumerate(
                ((0,), bars.line_starts, tuple(bar - 1 for bar in bars.line_ends if bar), bars.line_ends)
            ):
                np.add.at(places[table, mode, place], states[list(where)], weight)
    change[:, 1] += minor_prior()
    anywhere[:, 1] += minor_prior().sum(axis=0)
    places[:, 1, 3] += _minor_ends()
    return PlanModel(
        change=np.stack(
            [[_change_log(*pair) for pair in zip(*rows, strict=True)] for rows in zip(change, anywhere, strict=True)]
        ),
        stay=stay[..., 1] / stay.sum(axis=2),
        share=np.log(_share(anywhere)),
        place=_log_ratio(places, anywhere[:, :, None]),
    )


def pack(model: Model | PlanModel) -> bytes:
    """Return the arrays of a model as a safetensors file."""
    return save({name: getattr(model, name).astype(np.float32) for name in model.__dataclass_fields__})


def main() -> None:
    """Read the command line, count, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="songs_open.parquet")
    parser.add_argument("--out", type=Path, default=Path("melody/data/harmony"))
    options = parser.parse_args()
    songs = [song for song in first_verses(read_corpus(options.data)) if not song.held_out]
    model = count_model([song for song in songs if song.chords], songs)
    plan = count_plan(songs, model)
    write_model_files(options.out, {"chords.safetensors": pack(model), "plan.safetensors": pack(plan)})


if __name__ == "__main__":
    main()
