from pathlib import Path

import numpy as np
import pytest

from lyrics.model_files import write_model_files
from melody.features import NUM_CLASSES, NUM_INTERVALS, NUM_STATIC
from melody.lstm import (
    NUM_INPUTS,
    NUM_OUTPUTS,
    NUM_SOURCES,
    START,
    ModelConfig,
    ModelError,
    PitchModel,
    State,
    load_model,
    shipped_model,
)


def random_model(hidden: int = 8, seed: int = 0) -> PitchModel:
    rng = np.random.default_rng(seed)

    def array(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return rng.normal(scale=0.3, size=shape).astype(np.float32)

    return PitchModel(
        ModelConfig(hidden=hidden),
        {
            "lstm.weight_ih_l0": array(4 * hidden, NUM_INPUTS),
            "lstm.weight_hh_l0": array(4 * hidden, hidden),
            "lstm.bias_ih_l0": array(4 * hidden),
            "lstm.bias_hh_l0": array(4 * hidden),
            "experts.weight": array(NUM_OUTPUTS, hidden),
            "experts.bias": array(NUM_OUTPUTS),
            "skip.weight": array(NUM_OUTPUTS, NUM_STATIC),
        },
    )


def test_every_step_gives_a_distribution_over_classes() -> None:
    model = random_model()
    gates, skip = model.project(np.ones((3, NUM_STATIC), dtype=np.float32))
    copied = np.array([[10, START, 12, 13], [14, 15, START, 17], [18, 19, 20, START]])
    line = model.prepare(gates, skip, copied, np.array([0, 12, 7]), False)
    before = np.array([START, 14, 20])
    interval = np.array([NUM_INTERVALS, 12, 3])
    state = State(*(np.zeros((3, 8), dtype=np.float32) for _ in range(2)))
    for note in range(3):
        log_p, state = model.step(line, note, state, before, interval)
        assert log_p.shape == (3, NUM_CLASSES)
        np.testing.assert_allclose(np.exp(log_p).sum(axis=1), 1, atol=1e-5)


def test_a_beam_of_many_gives_what_beams_of_one_give() -> None:
    model = random_model()
    gates, skip = model.project(np.ones((2, NUM_STATIC), dtype=np.float32))
    line = model.prepare(gates, skip, np.full((2, NUM_SOURCES), 15), np.array([5, 5]), True)
    rng = np.random.default_rng(1)
    state = State(*(rng.normal(size=(4, 8)).astype(np.float32) for _ in range(2)))
    before = np.array([8, 15, 3, 30])
    interval = np.array([NUM_INTERVALS, 12, 0, 24])
    together, after = model.step(line, 1, state, before, interval)
    for b in range(4):
        one = State(state.hidden[b : b + 1], state.cell[b : b + 1])
        alone, after_one = model.step(line, 1, one, before[b : b + 1], interval[b : b + 1])
        np.testing.assert_allclose(together[b : b + 1], alone, atol=1e-5)
        np.testing.assert_allclose(after.hidden[b : b + 1], after_one.hidden, atol=1e-6)


def test_a_copied_pitch_gains_what_its_gate_says() -> None:
    model = random_model()
    gates, skip = model.project(np.zeros((1, NUM_STATIC), dtype=np.float32))
    skip[:, NUM_CLASSES + NUM_INTERVALS + 12] += 50  # the gate of the first source
    copied = np.full((1, NUM_SOURCES), START)
    copied[0, 0] = 22
    line = model.prepare(gates, skip, copied, np.array([0]), False)
    log_p, _ = model.step(line, 0, model.start(), np.array([START]), np.array([NUM_INTERVALS]))
    assert log_p[0].argmax() == 22
    assert log_p[0, 22] > -0.01


def test_the_shipped_model_loads_and_prefers_the_scale() -> None:
    model = shipped_model()
    gates, skip = model.project(np.zeros((1, NUM_STATIC), dtype=np.float32))
    line = model.prepare(gates, skip, np.full((1, NUM_SOURCES), START), np.array([0]), False)
    log_p, _ = model.step(line, 0, model.start(), np.array([14]), np.array([NUM_INTERVALS]))
    assert log_p[0, [14, 16, 18, 19, 21]].min() > log_p[0, [15, 20, 22]].max()


def test_damaged_weights_are_refused_before_they_are_read(tmp_path: Path) -> None:
    write_model_files(tmp_path, {"model.safetensors": b"what was trained"})
    (tmp_path / "model.safetensors").write_bytes(b"not what was trained")
    with pytest.raises(ModelError, match="SHA-256 differs"):
        load_model(tmp_path)


def test_a_missing_file_is_an_error_and_never_random_weights(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(tmp_path)


def test_weights_that_are_no_safetensors_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"garbage")
    ModelConfig().save(tmp_path / "config.json")
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(tmp_path)


def test_a_config_with_unknown_keys_or_other_features_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"hidden": 8, "layers": 2}')
    with pytest.raises(ModelError, match="layers"):
        ModelConfig.load(path)
    path.write_text('{"hidden": 8, "inputs": 3, "outputs": 3}')
    with pytest.raises(ModelError, match="train it again"):
        ModelConfig.load(path)


def test_weights_of_another_shape_are_refused() -> None:
    with pytest.raises(ModelError, match="shapes"):
        PitchModel(ModelConfig(hidden=4), {})
