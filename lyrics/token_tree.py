"""Continuations of one text as a tree of tokens: what is common to some is computed once, and attention is one product.

    tree = TokenTree(text)                     # a text that was read; its keys and values are shared
    first = tree.grow(tree.ROOT, (5, 6))       # two tokens behind the text: their nodes
    other = tree.grow(first[0], (7,))          # another second token
    ...                                        # the network runs `tree.new`, and asks `tree.attend` in every layer

Every token sees the text, itself and its ancestors, as if each continuation stood alone. Keys and values of the text
and of all tokens lie in one block for each layer, so that attention is two products for all; a mask says who sees whom.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROOM = 48  # tokens that a block has room for at first


@dataclass(frozen=True, slots=True)
class Text:
    """What a network has read: its tokens, and the keys and values of each layer, (heads, T, size)."""

    tokens: tuple[int, ...] = ()
    layers: dict[int, tuple[Any, Any]] = field(default_factory=dict, repr=False, compare=False)


class TokenTree:
    """Tokens behind a text, each behind the text or behind another token; nodes are numbered as they are added."""

    ROOT = -1  # the end of the text

    def __init__(self, text: Text, room: int = _ROOM) -> None:
        """Begin without tokens; `room` is how many are expected."""
        self.text = text
        self.tokens: list[int] = []
        self.parents: list[int] = []
        self.states: Any = None  # (nodes, E) of those that were run
        self._depths: list[int] = []
        self._room = max(1, room)
        self._children: dict[tuple[int, int], int] = {}
        self._num_run = 0
        self._sees: NDArray[np.bool_] = np.zeros((self._room, self._room), np.bool_)
        self._layers: dict[int, tuple[Any, Any]] = {}
        self._mask: Any = None

    def grow(self, node: int, tokens: Sequence[int]) -> list[int]:
        """Add tokens one behind the other, the first behind `node`; return their nodes, new or there already."""
        nodes = []
        for token in tokens:
            child = self._children.get((node, token))
            if child is None:
                child = self._children[node, token] = len(self.tokens)
                if child == len(self._sees):
                    self._sees = np.pad(self._sees, (0, child))
                self.tokens.append(token)
                self.parents.append(node)
                self._depths.append(0 if node < 0 else self._depths[node] + 1)
                if node >= 0:
                    self._sees[child] = self._sees[node]
                self._sees[child, child] = True
            node = child
            nodes.append(node)
        return nodes

    @property
    def new(self) -> range:
        """The nodes that the network has not run."""
        return range(self._num_run, len(self.tokens))

    @property
    def positions(self) -> list[int]:
        """Where the tokens of the new nodes stand, counted from the beginning of the text."""
        start = len(self.text.tokens)
        return [start + self._depths[node] for node in self.new]

    def path(self, node: int) -> list[int]:
        """Return the nodes from the first token behind the text to this one."""
        found = []
        while node >= 0:
            found.append(node)
            node = self.parents[node]
        return found[::-1]

    def attend(self, layer: int, query: Any, key: Any, value: Any) -> Any:
        """Let the new nodes attend; query (heads, N, size) is scaled, key and value are (key heads, N, size).

        The heads that share a key head are rows of one product, and scores are never written out for all tokens (Dao
        et al. 2022, arXiv:2205.14135). Returns (heads, N, size).
        """
        from torch.nn.functional import scaled_dot_product_attention

        H, N, D = query.shape
        G = key.shape[0]
        start = len(self.text.tokens) + self._num_run
        keys, values = self._block(layer, key, start + N)
        keys[:, start : start + N] = key
        values[:, start : start + N] = value
        keys, values = keys[:, : start + N], values[:, : start + N]
        if self._mask is None:
            self._mask = self._new_mask(query, H // G)
        rows = query.reshape(1, G, -1, D)
        mixed = scaled_dot_product_attention(rows, keys[None], values[None], self._mask, scale=1.0)
        return mixed.reshape(H, N, D)

    def _block(self, layer: int, like: Any, size: int) -> tuple[Any, Any]:
        """Return the keys and values of a layer with room for `size` tokens, the text's among them."""
        block = self._layers.get(layer)
        if block is None or block[0].shape[1] < size:
            G, _, D = like.shape
            room = len(self.text.tokens) + max(self._room, len(self._sees), size - len(self.text.tokens))
            old = self.text.layers.get(layer) if block is None else block
            block = like.new_empty(G, room, D), like.new_empty(G, room, D)
            if old is not None:
                for new, part in zip(block, old, strict=True):
                    new[:, : part.shape[1]] = part
            self._layers[layer] = block
        return block

    def _new_mask(self, like: Any, repeats: int) -> Any:
        """Return what is added to scores, (repeats * N, T): 0, and -inf for tokens that are not seen."""
        import torch

        sees = torch.from_numpy(self._sees[self.new.start : self.new.stop, : self.new.stop]).to(like.device)
        start = len(self.text.tokens)
        mask = like.new_zeros(repeats, len(sees), start + sees.shape[1])
        mask[:, :, start:].masked_fill_(~sees, float("-inf"))
        return mask.view(-1, mask.shape[2])

    def finish(self, states: Any) -> None:
        """Take the states (N, E) of the new nodes, which are new no longer."""
        import torch

        self.states = states if self.states is None else torch.cat([self.states, states])
        self._num_run = len(self.tokens)
        self._mask = None

    def text_with(self, node: int) -> Text:
        """Return the text with the tokens up to a node behind it, all of which have been run."""
        import torch

        path = self.path(node)
        tokens = (*self.text.tokens, *(self.tokens[index] for index in path))
        if path == list(range(len(path))):  # nothing between them: what they need is the beginning of the block
            return Text(tokens, {layer: _part(block, slice(len(tokens))) for layer, block in self._layers.items()})
        start = len(self.text.tokens)
        rows = torch.tensor([*range(start), *(start + index for index in path)])
        return Text(tokens, {layer: _part(block, rows) for layer, block in self._layers.items()})


def _part(block: tuple[Any, Any], rows: Any) -> tuple[Any, Any]:
    return block[0][:, rows], block[1][:, rows]
