import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lyrics import g2p
from lyrics.errors import ModelFileError
from lyrics.model_files import SUMS
from lyrics.syllable import PHONES, count_syllables

# Stored output of the shipped model, for words that are in no dictionary.
GUESSES = {
    "blick": "B L IH1 K",
    "brillig": "B R IH1 L IH0 G",
    "serenika": "S ER0 IY1 N IH0 K AH0",
    "splendation": "S P L AH0 N D EY1 SH AH0 N",
}


@pytest.mark.parametrize("word", GUESSES)
def test_the_shipped_model_gives_its_stored_output(word: str) -> None:
    assert " ".join(g2p.guess(word)) == GUESSES[word]


@given(st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=20))
@settings(deadline=None, max_examples=50)
def test_any_letters_give_phones_with_one_primary_stress(word: str) -> None:
    phones = g2p.guess(word)
    assert {phone.rstrip("012") for phone in phones} <= PHONES
    assert count_syllables(phones) >= 1
    assert sum(phone.endswith("1") for phone in phones) == 1


@pytest.mark.parametrize("word", ["", "Hello", "don't", "café", "a b"])
def test_other_characters_are_refused(word: str) -> None:
    with pytest.raises(ValueError, match="letters a-z"):
        g2p.guess(word)


def test_probabilities_of_all_graphones_after_a_history_add_up_to_one() -> None:
    model = g2p.load()
    numbers = np.concatenate([choices.numbers for choices in model.choices.values()])
    numbers = np.concatenate([numbers, np.array([g2p.START], np.uint64)])
    for word in ("nation", "x", "rhythms"):
        history = np.full((1, 1), g2p.BOUNDARY, np.uint64)
        for letter in reversed(word):
            total = np.exp(g2p.log_probabilities(model.levels, history, numbers)).sum()
            assert total == pytest.approx(1, abs=0.1)  # log probabilities are stored in steps of 1/16
            history = np.column_stack((history, model.choices[letter].numbers[:1]))


def test_a_batch_of_histories_equals_its_items() -> None:
    levels = g2p.load().levels
    history = np.array([[0, 30, 90], [0, 200, 4], [0, 7, 8]], np.uint64)
    numbers = np.arange(2, 60, dtype=np.uint64)
    together = g2p.log_probabilities(levels, history, numbers)
    for row in range(3):
        np.testing.assert_array_equal(together[row], g2p.log_probabilities(levels, history[row : row + 1], numbers)[0])


def test_a_changed_model_file_is_refused(tmp_path: Path) -> None:
    for name in ("model.safetensors", "config.json", SUMS):
        shutil.copy(g2p.FOLDER / name, tmp_path)
    data = bytearray((tmp_path / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (tmp_path / "model.safetensors").write_bytes(data)
    with pytest.raises(ModelFileError, match="SHA-256"):
        g2p.load(tmp_path)


def test_a_missing_model_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"model\.safetensors"):
        g2p.load(tmp_path)


def test_the_model_is_compact() -> None:
    data = (g2p.FOLDER / "model.safetensors").read_bytes()
    assert len(data) <= 3_000_000
