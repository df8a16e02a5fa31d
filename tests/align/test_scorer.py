"""The rhythm scorer: its weights are the right ones, and numpy gives what torch was trained to give."""

import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest

from align.features import (
    AFTER_STRESS,
    BOUNDARY,
    CONTENT,
    FUNCTION_STRONG,
    FUNCTION_WEAK,
    INSIDE,
    INTERVALS,
    NUM_PREVIOUS,
    PRIMARY,
    STOP,
    STYLES,
    UNKNOWN,
    LineFeatures,
    WordFeatures,
    line_features,
)
from align.scorer import MODEL, RhythmScorer, load_scorer, neighbours, ratio_class
from lyrics.errors import ModelFileError
from lyrics.model_files import SUMS

PROMINENCE = {"the": -1.8, "down": 2.0}


def features() -> LineFeatures:
    words = [
        WordFeatures("the", (0,), False, ""),
        WordFeatures("river", (1, 0), True, ""),
        WordFeatures("runs", (1,), True, ""),
        WordFeatures("down", (1,), False, "."),
    ]
    return line_features(words, PROMINENCE)


def test_syllables_get_the_class_of_their_word_and_stress() -> None:
    assert features().classes == (FUNCTION_WEAK, PRIMARY, AFTER_STRESS, CONTENT, FUNCTION_STRONG)
    assert features().follows == (BOUNDARY, INSIDE, BOUNDARY, BOUNDARY, STOP)


def test_a_word_the_dictionary_divides_otherwise_is_unknown() -> None:
    assert line_features([WordFeatures("heav'n", (None, None), True, "")], {}).classes == (UNKNOWN, UNKNOWN)


def test_probabilities_sum_to_one() -> None:
    times = np.tile(np.arange(16), (4, 1))
    scorer = load_scorer()
    arcs = scorer.intervals(features(), 0, 0, scorer.places(0, 16, 32, times))
    assert arcs.shape == (4, len(INTERVALS), NUM_PREVIOUS, 16)
    np.testing.assert_allclose(np.exp(arcs).sum(axis=1), 1, rtol=1e-4)
    np.testing.assert_allclose(np.exp(load_scorer().starts(features(), 0, 0, 2, 16)).sum(), 1, rtol=1e-4)


def test_a_missing_file_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"model\.safetensors cannot be read.*install songwright again"):
        load_scorer(tmp_path)


def test_weights_that_differ_are_refused(tmp_path: Path) -> None:
    for name in ("model.safetensors", "tables.json", SUMS):
        shutil.copy(MODEL / name, tmp_path / name)
    content = bytearray((tmp_path / "tables.json").read_bytes())
    content[-3] ^= 1
    (tmp_path / "tables.json").write_bytes(content)
    with pytest.raises(ModelFileError, match=r"tables\.json is not the file that was trained"):
        load_scorer(tmp_path)


def test_numpy_gives_what_the_trained_network_gives() -> None:
    torch = pytest.importorskip("torch")
    script = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "train_rhythm.py"))

    torch.manual_seed(1)
    net = script["RhythmNet"](script["RhythmConfig"](hidden=8)).eval()
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    scorer = RhythmScorer({name: value.detach().numpy() for name, value in net.table.items()}, {})
    line, meter, style, bar, end = features(), 1, STYLES.index("folk"), 12, 24
    times = np.array([[-2, 0], [0, 2], [2, 5], [6, 9]])
    arcs = scorer.intervals(line, meter, style, scorer.places(meter, bar, end, times))
    for i in range(4):
        for b in range(2):
            for previous in range(NUM_PREVIOUS):
                time = int(times[i, b])
                rows = {name: torch.tensor([values[i]]) for name, values in neighbours(line).items()}
                rows |= {
                    "meter": torch.tensor([meter]),
                    "style": torch.tensor([style]),
                    "place": torch.tensor([time % bar]),
                    "ratio": torch.tensor([int(ratio_class(end - time, 5 - i))]),
                    "bars_left": torch.tensor([min(max((end - time) // bar, 0), 4)]),
                    "previous": torch.tensor([previous]),
                    "lands": torch.tensor([[(time + interval) % bar for interval in INTERVALS]]),
                }
                with torch.no_grad():
                    wanted = torch.log_softmax(net(rows), -1)[0].numpy()
                np.testing.assert_allclose(arcs[i, :, previous, b], wanted, atol=1e-5)
