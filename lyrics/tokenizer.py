"""The tokenizer of a language model by the library below transformers, which is there in a tenth of the time."""

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any


class Tokenizer:
    """Does what writing needs as the tokenizer of transformers does it, which is fetched for all else."""

    def __init__(self, folder: Path) -> None:
        """Read `tokenizer.json` and the marks of a text's beginning and end from the folder of a model."""
        from tokenizers import Tokenizer as Backend

        self._folder = folder
        self._backend = Backend.from_file(str(folder / "tokenizer.json"))
        self._backend.no_padding()
        self._backend.no_truncation()
        config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        self.bos_token_id = self._mark(config.get("bos_token"))
        self.eos_token_id = self._mark(config.get("eos_token"))

    def __call__(self, text: str | Sequence[str], add_special_tokens: bool = True) -> dict[str, Any]:
        """Return the tokens of a text, or of each of several, as "input_ids"."""
        if isinstance(text, str):
            return {"input_ids": self._backend.encode(text, add_special_tokens=add_special_tokens).ids}
        found = self._backend.encode_batch(list(text), add_special_tokens=add_special_tokens)
        return {"input_ids": [item.ids for item in found]}

    def decode(self, tokens: Sequence[int], clean_up_tokenization_spaces: bool = False) -> str:
        """Return the text of tokens, marks included; it is never cleaned up."""
        if clean_up_tokenization_spaces:
            raise ValueError("text is decoded as it stands; clean_up_tokenization_spaces must be False")
        return str(self._backend.decode(list(tokens), skip_special_tokens=False))

    def batch_decode(self, sequences: Sequence[Sequence[int]], clean_up_tokenization_spaces: bool = False) -> list[str]:
        """Return the text of each of several sequences of tokens."""
        return [self.decode(tokens, clean_up_tokenization_spaces) for tokens in sequences]

    def __getattr__(self, name: str) -> Any:
        """Ask transformers for what is not needed to write, such as the template of a chat."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._whole, name)

    @cached_property
    def _whole(self) -> Any:
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(self._folder, local_files_only=True)

    def _mark(self, token: Any) -> int | None:
        content = token.get("content") if isinstance(token, dict) else token
        return None if content is None else self._backend.token_to_id(content)
