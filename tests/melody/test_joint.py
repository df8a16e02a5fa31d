"""The joint network in numpy: exact distributions, copying, loading; and that torch gives the same numbers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import save

from lyrics.model_files import write_model_files
from melody.joint import (
    LONGEST_MATCH,
    JointConfig,
    JointModel,
    chord_scores,
    extend_matches,
    load_joint_model,
    scale_scores,
)
from melody.joint_features import NO_CHORD, NUM_FEATURES, NUM_PLACE
from melody.lstm import ModelError

CONFIG = JointConfig(
    rests=(0, 480), durations=(240, 480, 960), num_pitches=30, lowest=-10, hidden=12, head=10, key=4
)  # fmt: skip


def random_model(seed: int = 0, config: JointConfig = CONFIG) -> JointModel:
    rng = np.random.default_rng(seed)
    return JointModel(
        config, {name: rng.normal(0, 0.5, shape).astype(np.float32) for name, shape in config.shapes.items()}
    )


def walk(model: JointModel, notes: NDArray[np.int64], seed: int = 0) -> list[NDArray[np.float32]]:
    """Log-probabilities of all classes of all attributes along `notes` (T, B, 3), with made-up features."""
    rng = np.random.default_rng(seed)
    batch = notes.shape[1]
    session = model.session(batch)
    scores = []
    for rest, duration, pitch in notes.transpose(0, 2, 1):
        features = np.tile(rng.random((1, NUM_FEATURES)).astype(np.float32), (batch, 1))
        end, onset = (np.tile(rng.random((1, NUM_PLACE)).astype(np.float32), (batch, 1)) for _ in range(2))
        chord = np.tile(NO_CHORD, (batch, 1))
        place = np.full(batch, int(rng.integers(4)) * 480)
        scores.append(session.rests(features, end, np.zeros(batch, dtype=np.int64)))
        scores.append(session.durations(rest, onset, place))
        scores.append(session.pitches(duration, chord))
        session.sing(pitch)
    return scores


def random_notes(length: int, batch: int, seed: int = 1) -> NDArray[np.int64]:
    rng = np.random.default_rng(seed)
    columns = [rng.integers(0, size, (length, batch)) for size in (2, 3, 30)]
    return np.stack(columns, axis=2)


def test_every_choice_is_a_probability_distribution() -> None:
    for scores in walk(random_model(), random_notes(100, 3)):
        assert np.exp(scores).sum(axis=1) == pytest.approx(1, abs=1e-4)


def test_later_notes_do_not_move_earlier_scores() -> None:
    notes = random_notes(20, 1)
    changed = notes.copy()
    changed[12:] = random_notes(8, 1, seed=5)
    for before, after in zip(walk(random_model(), notes)[:36], walk(random_model(), changed)[:36], strict=True):
        assert np.array_equal(before, after)


def test_a_batch_equals_its_melodies_one_by_one() -> None:
    notes = random_notes(30, 3)
    together = walk(random_model(), notes)
    for row in range(3):
        alone = walk(random_model(), notes[:, row : row + 1])
        for one, all_rows in zip(alone, together, strict=True):
            assert one[0] == pytest.approx(all_rows[row], abs=1e-4)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 2), min_size=2, max_size=25))
def test_matches_are_the_longest_common_suffixes(tokens: list[int]) -> None:
    matches = np.zeros((1, 0), dtype=np.int64)
    row = np.array([tokens])
    for now in range(len(tokens)):
        matches = extend_matches(matches, row[:, :now], row[:, now])
    for j in range(len(tokens)):
        longest = 0
        while longest < j and tokens[j - 1 - longest] == tokens[len(tokens) - 1 - longest]:
            longest += 1
        assert matches[0, j] == min(longest, LONGEST_MATCH)


def test_a_strong_bonus_for_matches_repeats_what_followed() -> None:
    model = random_model()
    for name in ("pitch", "interval"):
        model.weights[f"copy.{name}.match"][:] = 4.0 * np.arange(LONGEST_MATCH + 1)
        model.weights[f"copy.{name}.query.bias"][-1] = 0
        model.weights[f"copy.{name}.query.weight"][:, -1] = 0
    motif = np.array([[0, 1, 5], [0, 1, 9], [0, 2, 7], [0, 1, 12], [0, 0, 8]])
    notes = np.concatenate((motif, motif[:3]))[:, None]
    session_scores = walk(model, np.concatenate((notes, motif[3:4, None])))
    assert int(session_scores[-1][0].argmax()) == 12  # after 5 9 7 comes 12 again


def test_the_scale_expert_moves_with_the_melody() -> None:
    rng = np.random.default_rng(3)
    counts, degrees = rng.random((1, 12)).astype(np.float32), rng.random((1, 12)).astype(np.float32)
    moved = scale_scores(np.roll(counts, 5, axis=1), degrees)
    assert np.roll(scale_scores(counts, degrees), 5, axis=1) == pytest.approx(moved, abs=1e-6)


def test_the_chord_expert_counts_from_the_root_and_is_silent_without_a_chord() -> None:
    experts = np.arange(12, dtype=np.float32)[None]
    chord = np.zeros((1, len(NO_CHORD)), dtype=np.float32)
    chord[0, 7] = 1
    assert chord_scores(chord, experts)[0, 7] == 0
    assert chord_scores(chord, experts)[0, 11] == 4
    assert not chord_scores(NO_CHORD[None], experts).any()


def test_torch_gives_the_same_numbers_on_random_inputs() -> None:
    torch = pytest.importorskip("torch")
    from melody.joint_data import JointBatch, history
    from melody.joint_network import JointNetwork, Tensors

    torch.manual_seed(1)
    rng = np.random.default_rng(1)
    network = JointNetwork(CONFIG).eval()
    for head in network.copy.values():  # the values at the start would hide a wrong index
        for name in ("age", "line", "match", "place"):
            torch.nn.init.normal_(getattr(head, name))
    size, batch = 45, 3
    rest, duration, pitch = (rng.integers(0, top, (batch, size)) for top in (2, 2, 30))
    pitch[:, 10:] = rng.integers(8, 11, (batch, size - 10))
    line = np.sort(rng.integers(0, 14, (batch, size)), axis=1)
    place = 480 * rng.integers(0, 4, (batch, size))

    def table(width: int) -> NDArray[np.float32]:
        return rng.random((batch, size, width)).astype(np.float32)

    chords = np.tile(NO_CHORD, (batch, size, 1))
    chords[:, 20:] = 0
    chords[:, 20:, 4] = chords[:, 20:, 15] = 1
    columns = history(duration, pitch, line, place, CONFIG.lowest)
    weight = np.ones((batch, size), dtype=np.float32)
    data = JointBatch(table(NUM_FEATURES), table(NUM_PLACE), table(NUM_PLACE), chords, rest, duration, pitch, *columns,
                      weight)  # fmt: skip
    with torch.no_grad():
        scores = network(Tensors.of(data))
    session = network.model().session(batch)
    for t in range(size):
        found = [
            session.rests(data.features[:, t], data.ends[:, t], line[:, t]),
            session.durations(rest[:, t], data.onsets[:, t], place[:, t]),
            session.pitches(duration[:, t], chords[:, t]),
        ]
        session.sing(pitch[:, t])
        for ours, theirs in zip(found, (scores.rest, scores.duration, scores.pitch), strict=True):
            assert np.abs(ours - theirs[:, t].numpy()).max() < 1e-4


def write_model(folder: Path, config: JointConfig = CONFIG) -> Path:
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    weights = {name: rng.normal(0, 0.5, shape).astype(np.float32) for name, shape in config.shapes.items()}
    (folder / "model.safetensors").write_bytes(save(weights))
    (folder / "config.json").write_text(config.to_json())
    return folder


def test_a_model_folder_is_read_back(tmp_path: Path) -> None:
    folder = write_model(tmp_path)
    assert load_joint_model(folder).config == CONFIG


def test_weights_with_another_hash_are_refused_before_they_are_read(tmp_path: Path) -> None:
    write_model_files(tmp_path, {"model.safetensors": b"what was trained"})
    (tmp_path / "model.safetensors").write_bytes(b"not what was trained")
    with pytest.raises(ModelError, match="SHA-256 differs"):
        load_joint_model(tmp_path)


def test_a_missing_file_is_an_error_and_never_random_weights(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        load_joint_model(tmp_path)


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x93NUMPY", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "])
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    (write_model(tmp_path) / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelError):
        load_joint_model(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 99}, "another version"),
        ({"features": 3}, "another version"),
        ({"layers": 2}, "not the config of a joint melody model"),
        ({"hidden": 13}, "shapes"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    folder = write_model(tmp_path)
    values = json.loads((folder / "config.json").read_text()) | change
    (folder / "config.json").write_text(json.dumps(values))
    with pytest.raises(ModelError, match=message):
        load_joint_model(folder)


def test_a_config_that_is_no_json_is_refused(tmp_path: Path) -> None:
    folder = write_model(tmp_path)
    (folder / "config.json").write_text("{")
    with pytest.raises(ModelError, match="not the config"):
        load_joint_model(folder)


def test_the_shipped_model_prefers_the_scale_and_the_beat() -> None:
    from align.meter import Meter
    from melody.joint import shipped_joint_model
    from melody.joint_features import Clock, no_text, text_features

    model = shipped_joint_model()
    session = model.session()
    clock = Clock(Meter(4, 4))
    features = text_features(no_text(1, Meter(4, 4), "folk", minor=False))
    line = np.zeros(1, dtype=np.int64)
    for degree in (0, 2, 4, 5):  # do re mi fa in quarter notes
        tick = np.array([480 * session.num_notes])
        rest = session.rests(features, clock.places(tick), line)
        duration = session.durations(np.array([0]), clock.places(tick), tick % 1920)
        pitch = session.pitches(np.array([model.config.durations.index(480)]), NO_CHORD[None])
        session.sing(np.array([degree - model.config.lowest]))
    assert rest[0].argmax() == model.config.rests.index(0)
    assert duration[0].argmax() == model.config.durations.index(480)
    scale = [step - model.config.lowest for step in (0, 2, 4, 5, 7)]
    chromatic = [step - model.config.lowest for step in (1, 3, 6, 8)]
    assert pitch[0, scale].min() > pitch[0, chromatic].max()
