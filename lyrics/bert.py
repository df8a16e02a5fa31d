"""A BERT encoder in numpy: reads word pieces, returns the state of each (Devlin et al. 2019, arXiv:1810.04805).

Weights and names are those of transformers' `BertModel`, and so are the numbers up to rounding (some 1e-6); nothing of
torch is imported. Texts of one length stand in one array, so that nothing is padded and no mask is needed.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_EPSILON = np.float32(1e-12)  # of the layer norms


class BertEncoder:
    """Encodes texts that are given as the numbers of their word pieces."""

    def __init__(self, weights: Mapping[str, Floats], num_heads: int) -> None:
        """Take the weights by their names in a checkpoint of `BertModel`; the activation is the exact GELU."""
        self._weights = weights
        self._num_heads = num_heads
        self._num_layers = sum(name.endswith(".attention.self.query.weight") for name in weights)

    def adapted(self, parts: Mapping[str, tuple[Floats, Floats]]) -> "BertEncoder":
        """Return an encoder like this one with changes of low rank (Hu et al. 2021, arXiv:2106.09685).

        `parts` has for the name of a layer ("encoder.layer.0.output.dense") two matrices, (out, rank) and (rank, in),
        whose product is added to its weight.
        """
        changed = {f"{name}.weight": self._weights[f"{name}.weight"] + up @ down for name, (up, down) in parts.items()}
        return BertEncoder({**self._weights, **changed}, self._num_heads)

    def __call__(self, texts: Sequence[Sequence[int]]) -> list[Floats]:
        """Return the last states of each text, (pieces, E); no text may be empty."""
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        lengths = [len(texts[index]) for index in order]
        pieces = np.array([piece for index in order for piece in texts[index]], np.int64)
        places = np.concatenate([np.arange(length) for length in lengths])
        embeddings = "embeddings.{}_embeddings.weight".format
        states = self._weights[embeddings("word")][pieces] + self._weights[embeddings("position")][places]
        states = self._norm(states + self._weights[embeddings("token_type")][0], "embeddings.LayerNorm")
        for layer in range(self._num_layers):
            name = f"encoder.layer.{layer}."
            states = self._norm(states + self._attend(states, lengths, name), name + "attention.output.LayerNorm")
            inner = gelu(self._linear(states, name + "intermediate.dense"))
            states = self._norm(states + self._linear(inner, name + "output.dense"), name + "output.LayerNorm")
        parts = np.split(states, np.cumsum(lengths)[:-1])
        return [parts[place] for place in np.argsort(order).tolist()]

    def _attend(self, states: Floats, lengths: Sequence[int], layer: str) -> Floats:
        """Let the pieces of each text attend to each other; states are those of all texts, (N, E)."""
        N, E = states.shape
        projections = [self._linear(states, f"{layer}attention.self.{part}") for part in ("query", "key", "value")]
        scale = np.float32((E // self._num_heads) ** -0.5)
        mixed = np.empty_like(states)
        start = 0
        while start < N:
            T = lengths[0]
            B = lengths.count(T)
            end = start + B * T
            query, key, value = (
                part[start:end].reshape(B, T, self._num_heads, -1).transpose(0, 2, 1, 3) for part in projections
            )
            scores = (query * scale) @ key.transpose(0, 1, 3, 2)
            scores = np.exp(scores - scores.max(-1, keepdims=True))
            scores /= scores.sum(-1, keepdims=True)
            mixed[start:end] = (scores @ value).transpose(0, 2, 1, 3).reshape(B * T, E)
            start, lengths = end, lengths[B:]
        return self._linear(mixed, layer + "attention.output.dense")

    def _linear(self, states: Floats, name: str) -> Floats:
        found: Floats = states @ self._weights[name + ".weight"].T
        found += self._weights[name + ".bias"]
        return found

    def _norm(self, states: Floats, name: str) -> Floats:
        centred: Floats = states - states.mean(-1, keepdims=True)
        centred /= np.sqrt(np.square(centred).mean(-1, keepdims=True) + _EPSILON)
        centred *= self._weights[name + ".weight"]
        centred += self._weights[name + ".bias"]
        return centred


def gelu(x: Floats) -> Floats:
    """Return x times the share of a normal distribution below x, within 4e-7 times |x|.

    The error function is formula 7.1.26 of Abramowitz and Stegun (1964), as numpy has none.
    """
    z: Floats = np.abs(x) * np.float32(0.5**0.5)
    t: Floats = np.float32(1) / (z * np.float32(0.3275911) + np.float32(1))
    tail = np.full(t.shape, 1.061405429, np.float32)
    for coefficient in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        tail *= t
        tail += np.float32(coefficient)
    tail *= t
    tail *= np.exp(-z * z)  # 1 - erf(z)
    found: Floats = np.maximum(x, 0) - np.float32(0.5) * np.abs(x) * tail
    return found
