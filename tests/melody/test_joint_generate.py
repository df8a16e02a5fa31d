"""Melodies from the joint network: what is asked for holds whatever the weights are."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from align.meter import Meter
from melody.joint import JointConfig, JointModel
from melody.joint_features import Clock, Harmony, no_text, text_features
from melody.joint_generate import PlainNote, Task, generate
from melody.theory import Chord, ChordSpan, Key

CONFIG = JointConfig(
    rests=(0, 240, 480), durations=(120, 160, 240, 480, 960, 1920), num_pitches=36, lowest=-14, hidden=12, head=10,
    key=4,
)  # fmt: skip


def model(seed: int = 0) -> JointModel:
    rng = np.random.default_rng(seed)
    return JointModel(
        CONFIG, {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in CONFIG.shapes.items()}
    )


def task(num_notes: int, *, seed: int = 0, meter: str = "4/4") -> Task:
    text = no_text(num_notes, Meter.parse(meter), "folk", minor=False)
    return Task(text_features(text), text.line, Clock(text.meter), anchor=60, seed=seed)


def test_every_syllable_gets_a_note_and_time_goes_forward() -> None:
    (notes,) = generate(model(), [task(30)])
    assert len(notes) == 30
    assert all(a.onset + a.duration <= b.onset for a, b in pairwise(notes))


def test_same_seed_same_melody_another_seed_another() -> None:
    assert generate(model(), [task(12)]) == generate(model(), [task(12)])
    assert generate(model(), [task(12)]) != generate(model(), [task(12, seed=1)])


def test_a_task_does_not_depend_on_the_others() -> None:
    tasks = [task(12, seed=0), task(25, seed=1, meter="3/4"), task(5, seed=2, meter="6/8")]
    together = generate(model(), tasks)
    assert together == [generate(model(), [one])[0] for one in tasks]


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 1000), st.integers(1, 8))
def test_nothing_sounds_beyond_the_end_or_off_the_grid_or_out_of_range(seed: int, bars: int) -> None:
    asked = replace(task(200, seed=seed), until=bars * 1920, grid=240, low=58, high=70)
    (notes,) = generate(model(seed % 5), [asked])
    assert notes
    assert notes[-1].onset + notes[-1].duration <= bars * 1920
    assert notes[-1].onset + notes[-1].duration > bars * 1920 - 240 - 480  # no earlier than a rest would allow
    assert all(note.onset % 240 == 0 and 58 <= note.pitch <= 70 for note in notes)


def test_a_prefix_is_read_and_not_returned() -> None:
    prefix = tuple(PlainNote(480 * i, 480, 60 + i) for i in range(4))
    (notes,) = generate(model(), [replace(task(10), prefix=prefix)])
    assert len(notes) == 6
    assert notes[0].onset >= 1920
    other = tuple(replace(note, pitch=67) for note in prefix)
    assert generate(model(), [replace(task(10), prefix=other)])[0] != notes


def test_a_prefix_far_from_the_anchor_is_taken_by_octaves() -> None:
    far = tuple(PlainNote(480 * i, 480, pitch) for i, pitch in enumerate((0, 127, 30, 100)))
    assert len(generate(model(), [replace(task(8), prefix=far)])[0]) == 4


def test_chords_change_what_is_sung() -> None:
    key = Key(0, "major")
    spans = tuple(ChordSpan(1920 * bar, 1920, Chord(7 * bar % 12, "")) for bar in range(10))
    with_chords = generate(model(), [replace(task(30), harmony=Harmony(key, spans))])
    assert with_chords != generate(model(), [task(30)])


def test_a_low_temperature_takes_the_likeliest() -> None:
    cold = [replace(task(12, seed=seed), temperature=(0.01, 0.01, 0.01)) for seed in range(2)]
    first, second = generate(model(), cold)
    assert first == second


def test_rivals_keep_lines_to_the_bar_more_often_than_free_singing() -> None:
    lines = np.repeat(np.arange(4), 6)
    text = replace(no_text(24, Meter(4, 4), "folk", minor=False), line=lines)
    tasks = [Task(text_features(text), lines, Clock(Meter(4, 4)), anchor=60, seed=seed) for seed in range(24)]

    def kept(rivals: int) -> int:
        songs = generate(model(), tasks, rivals)
        return sum(notes[6 * line].onset % 1920 == 0 for notes in songs for line in (1, 2, 3))

    assert kept(32) > 3 * kept(1)


def test_rivals_prefer_an_end_on_the_tonic_and_depend_on_the_seed_alone() -> None:
    tasks = [task(10, seed=seed) for seed in range(12)]
    crowd = generate(model(), tasks, 32)
    assert [len(notes) for notes in crowd] == [10] * 12
    assert sum(notes[-1].pitch % 12 == 0 for notes in crowd) >= 7  # a melody in eight by chance
    assert crowd[3] == generate(model(), [tasks[3]], 32)[0]


def test_an_empty_range_is_an_error() -> None:
    with pytest.raises(ValueError, match="range"):
        generate(model(), [replace(task(3), low=120, high=127)])


def test_no_tasks_no_melodies() -> None:
    assert generate(model(), []) == []
