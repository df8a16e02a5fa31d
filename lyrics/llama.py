"""The decoder of a Llama network with fewer, larger products: the same weights, the same numbers up to rounding.

A step of two dozen candidates through transformers' modules spends half its time between the products. Here the three
products before attention are one, so are the two of the feed-forward part, their weights are laid out beforehand
(lyrics/packed.py), and nothing stands between them that is not needed.

A decoder is made of the weights by their names, those of a network that transformers has loaded or those of a file:
importing transformers' Llama takes longer than all the rest of loading a small model. Of the first, the network's own
weights become views of the joined ones, and laying them out takes a copy, which large networks do without.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lyrics.packed import Product
from lyrics.token_tree import TokenTree

_MOST_PACKED = 500_000_000  # weights of a network that are kept twice
_LAYER = "model.layers.{}."
_EMBEDDING = "model.embed_tokens.weight"
_OUTPUT = "lm_head.weight"


class LlamaDecoder:
    """Runs the new tokens of trees."""

    def __init__(
        self,
        weights: Mapping[str, Any],
        *,
        num_heads: int,
        epsilon: float,
        rotary: Callable[[Any, Any], tuple[Any, Any]],
        products: dict[tuple[int, ...], Product] | None = None,
    ) -> None:
        """Join the weights of a network without biases, by their names in transformers.

        `epsilon` is that of the norms; `rotary` returns cosines and sines, (1, N, D), of positions, (1, N), as the
        states that are its first argument. With `products` the weights are nobody else's and are let go when laid out;
        products with the same ones are taken from there, and new ones put there.
        """
        import torch

        self.embedding = weights[_EMBEDDING]
        self.output = weights.get(_OUTPUT, self.embedding)  # (V, E)
        self._epsilon = epsilon
        self._rotary = rotary
        self._num_heads = num_heads
        self._last_norm = weights["model.norm.weight"]
        self._layers: list[tuple[Any, Product, Product, Any, Product, Product]] = []
        pack = sum(weight.numel() for weight in weights.values()) - self.embedding.numel() <= _MOST_PACKED

        def product(layer: str, *names: str) -> Product:
            parts = [weights[f"{layer}{name}.weight"] for name in names]
            if products is None:
                return Product(_join(parts), pack=pack)
            key = tuple(map(id, parts))
            if key not in products:
                products[key] = Product(torch.cat(parts) if len(parts) > 1 else parts[0], pack=pack, keep=False)
            return products[key]

        with torch.inference_mode(False), torch.no_grad():
            while (layer := _LAYER.format(self.num_layers)) + "input_layernorm.weight" in weights:
                self._layers.append(
                    (
                        weights[layer + "input_layernorm.weight"],
                        product(layer, "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
                        product(layer, "self_attn.o_proj"),
                        weights[layer + "post_attention_layernorm.weight"],
                        product(layer, "mlp.gate_proj", "mlp.up_proj"),
                        product(layer, "mlp.down_proj"),
                    )
                )

    @property
    def num_layers(self) -> int:
        """The number of layers that the weights had."""
        return len(self._layers)

    def __call__(self, *trees: TokenTree) -> list[Any]:
        """Return the states after the tokens of the new nodes of each tree, (N, E)."""
        import torch
        from torch.nn.functional import embedding, silu

        tokens = [tree.tokens[node] for tree in trees for node in tree.new]
        sizes = [len(tree.new) for tree in trees]
        states = embedding(torch.tensor(tokens, device=self.embedding.device), self.embedding)
        N = len(states)
        positions = torch.tensor([[place for tree in trees for place in tree.positions]], device=states.device)
        cosine, sine = (table[0, :, None] for table in self._rotary(states, positions))  # (N, 1, D)
        half = cosine.shape[-1] // 2
        scaling = cosine.shape[-1] ** -0.5
        sine = sine[..., :half]
        for index, (first_norm, before, after, second_norm, inner, down) in enumerate(self._layers):
            joined = before(self._normed(states, first_norm)).view(N, -1, 2 * half)
            num_keys = (joined.shape[1] - self._num_heads) // 2
            turned = joined[:, : self._num_heads + num_keys]
            rotated = turned * cosine
            rotated[..., :half].addcmul_(turned[..., half:], sine, value=-1)
            rotated[..., half:].addcmul_(turned[..., :half], sine)
            query = rotated[:, : self._num_heads] * scaling
            key, value = rotated[:, self._num_heads :], joined[:, self._num_heads + num_keys :]
            parts = zip(trees, *(part.transpose(0, 1).split(sizes, 1) for part in (query, key, value)), strict=True)
            mixed = [tree.attend(index, *part).transpose(0, 1).flatten(1) for tree, *part in parts]
            states = states + after(torch.cat(mixed) if len(mixed) > 1 else mixed[0])
            gate, up = inner(self._normed(states, second_norm)).chunk(2, -1)
            states = states + down(silu(gate) * up)
        return list(self._normed(states, self._last_norm).split(sizes))

    def _normed(self, states: Any, weight: Any) -> Any:
        from torch.nn.functional import rms_norm

        return rms_norm(states, (states.shape[-1],), weight, self._epsilon)


class Rotary:
    """Cosines and sines that turn queries and keys by their positions (Su et al. 2021, arXiv:2104.09864)."""

    def __init__(self, base: float, size: int, dtype: Any) -> None:
        """Take the base of the wave lengths, the size of a head, and the precision of the weights.

        The frequencies are rounded to it, as transformers has them in a network that is cast as a whole.
        """
        import torch

        self._frequencies = (1 / base ** (torch.arange(0, size, 2).float() / size)).to(dtype).float()

    def __call__(self, states: Any, positions: Any) -> tuple[Any, Any]:
        """Return cosines and sines, (1, N, D), in the precision of the states, of positions, (1, N)."""
        import torch

        angles = positions[..., None].float() * self._frequencies
        angles = torch.cat([angles, angles], -1)
        return angles.cos().to(states.dtype), angles.sin().to(states.dtype)


def decoder_of(network: Any) -> LlamaDecoder | None:
    """Return the decoder of a network of transformers; None unless it is a Llama with plain layers without biases."""
    import torch

    config = network.config
    if config.model_type != "llama" or config.hidden_act != "silu":
        return None
    decoder = network.get_decoder()
    linears = [module for module in decoder.modules() if hasattr(module, "in_features")]
    if not all(type(module) is torch.nn.Linear and module.bias is None for module in linears):
        return None
    return LlamaDecoder(
        {f"model.{name}": weight for name, weight in decoder.named_parameters()},
        num_heads=int(config.num_attention_heads),
        epsilon=decoder.norm.variance_epsilon,
        rotary=decoder.rotary_emb,
    )


def decoders_from(config: Mapping[str, Any], *variants: Mapping[str, Any]) -> list[LlamaDecoder]:
    """Return decoders of variants of the weights that belong to the content of a `config.json` that `can_read`.

    Products with weights that variants have in common are made once. Raises KeyError for missing weights.
    """
    num_heads = config["num_attention_heads"]
    size = config.get("head_dim") or config["hidden_size"] // num_heads
    rope = config.get("rope_parameters") or config
    rotary = Rotary(rope["rope_theta"], size, variants[0][_EMBEDDING].dtype)
    products: dict[tuple[int, ...], Product] = {}
    found = []
    for weights in variants:
        decoder = LlamaDecoder(
            weights, num_heads=num_heads, epsilon=config["rms_norm_eps"], rotary=rotary, products=products
        )
        if decoder.num_layers != config["num_hidden_layers"]:
            raise KeyError(_LAYER.format(decoder.num_layers))
        found.append(decoder)
    return found


def can_read(config: Mapping[str, Any]) -> bool:
    """Whether the content of a `config.json` describes a Llama as this module knows it."""
    rope = config.get("rope_parameters") or config
    return (
        config.get("model_type") == "llama"
        and config.get("hidden_act") == "silu"
        and "rope_theta" in rope
        and rope.get("rope_type", "default") == "default"
        and not any(config.get(key) for key in ("rope_scaling", "rope_interleaved", "attention_bias", "mlp_bias"))
    )


def _join(weights: Sequence[Any]) -> Any:
    """Return weights of linear layers as one, of which they are views from now on (or have been before)."""
    import torch

    sizes = [weight.numel() * weight.element_size() for weight in weights]
    places = [weight.data_ptr() for weight in weights]
    if all(place + size == after for place, size, after in zip(places, sizes, places[1:], strict=False)):
        first = weights[0].data
        if first.untyped_storage().nbytes() == sum(sizes):
            return first.as_strided((sum(len(weight) for weight in weights), first.shape[1]), first.stride())
    joined = torch.cat(tuple(weights))
    for weight, part in zip(weights, joined.split([len(weight) for weight in weights]), strict=True):
        weight.data = part
    return joined
