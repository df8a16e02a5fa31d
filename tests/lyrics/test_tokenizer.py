from pathlib import Path
from typing import Any

import pytest

from lyrics.tokenizer import Tokenizer

TEXTS = [" train", "8 train:", " I hear the whistle, don't I?\n", "<begin>Theme", "", "Zwölf Ω 🎵\n"]


@pytest.fixture(scope="module")
def pair(tiny_folder: Path) -> tuple[Tokenizer, Any]:
    from transformers import AutoTokenizer

    return Tokenizer(tiny_folder), AutoTokenizer.from_pretrained(tiny_folder, local_files_only=True)


def test_tokens_are_those_of_transformers(pair: tuple[Tokenizer, Any]) -> None:
    ours, theirs = pair
    for texts in (TEXTS, *TEXTS):
        assert (
            ours(texts, add_special_tokens=False)["input_ids"] == theirs(texts, add_special_tokens=False)["input_ids"]
        )


def test_texts_are_those_of_transformers(pair: tuple[Tokenizer, Any]) -> None:
    ours, theirs = pair
    single = [[token] for token in range(len(theirs))]
    assert ours.batch_decode(single) == theirs.batch_decode(single, clean_up_tokenization_spaces=False)
    tokens = ours(TEXTS[2], add_special_tokens=False)["input_ids"]
    assert ours.decode(tokens) == TEXTS[2]


def test_text_is_never_cleaned_up(pair: tuple[Tokenizer, Any]) -> None:
    with pytest.raises(ValueError, match="must be False"):
        pair[0].decode([5], clean_up_tokenization_spaces=True)


def test_the_marks_of_beginning_and_end_are_known(pair: tuple[Tokenizer, Any]) -> None:
    ours, theirs = pair
    assert (ours.bos_token_id, ours.eos_token_id) == (theirs.bos_token_id, theirs.eos_token_id) == (1, 2)


def test_what_is_not_needed_to_write_comes_from_transformers(pair: tuple[Tokenizer, Any]) -> None:
    ours, theirs = pair
    assert ours.chat_template is theirs.chat_template is None
    assert ours.vocab_size == theirs.vocab_size
    with pytest.raises(AttributeError):
        _ = ours._nothing
