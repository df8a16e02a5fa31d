"""The decoder of a Llama network with fewer, larger products: the same weights, the same numbers up to rounding.

A step of two dozen candidates through transformers' modules spends half its time between the products. Here the three
products before attention are one, so are the two of the feed-forward part, their weights are laid out beforehand
(lyrics/packed.py), and nothing stands between them that is not needed. The network's own weights become views of the
joined ones; laying them out takes a copy, which large networks do without.
"""

from typing import Any

from lyrics.packed import Product
from lyrics.token_tree import TokenTree

_MOST_PACKED = 500_000_000  # weights of a network that are kept twice


class LlamaDecoder:
    """Runs the new tokens of a tree."""

    def __init__(self, network: Any) -> None:
        """Join the weights of a network for which `can_run` holds."""
        import torch

        decoder = network.get_decoder()
        self._embed = decoder.embed_tokens
        self._rotary = decoder.rotary_emb
        self._last_norm = decoder.norm
        self._layers = []
        self._num_heads = int(network.config.num_attention_heads)
        pack = sum(weight.numel() for weight in decoder.parameters()) <= _MOST_PACKED
        with torch.inference_mode(False), torch.no_grad():
            for layer in decoder.layers:
                attention, feed = layer.self_attn, layer.mlp
                before = Product(_join([attention.q_proj, attention.k_proj, attention.v_proj]), pack=pack)
                inner = Product(_join([feed.gate_proj, feed.up_proj]), pack=pack)
                after, down = Product(attention.o_proj.weight, pack=pack), Product(feed.down_proj.weight, pack=pack)
                self._layers.append((layer, attention.scaling, before, after, inner, down))

    def __call__(self, tree: TokenTree) -> Any:
        """Return the states after the tokens of the new nodes, (N, E)."""
        import torch
        from torch.nn.functional import silu

        tokens = torch.tensor([tree.tokens[node] for node in tree.new], device=self._embed.weight.device)
        states = self._embed(tokens)
        N = len(states)
        positions = torch.tensor([tree.positions], device=states.device)
        cosine, sine = (table[0, :, None] for table in self._rotary(states, positions))  # (N, 1, D)
        half = cosine.shape[-1] // 2
        sine = sine[..., :half]
        for index, (layer, scaling, before, after, inner, down) in enumerate(self._layers):
            joined = before(_normed(states, layer.input_layernorm)).view(N, -1, 2 * half)
            num_keys = (joined.shape[1] - self._num_heads) // 2
            turned = joined[:, : self._num_heads + num_keys]
            rotated = turned * cosine
            rotated[..., :half].addcmul_(turned[..., half:], sine, value=-1)
            rotated[..., half:].addcmul_(turned[..., :half], sine)
            rotated = rotated.transpose(0, 1)
            value = joined[:, self._num_heads + num_keys :].transpose(0, 1)
            mixed = tree.attend(index, rotated[: self._num_heads] * scaling, rotated[self._num_heads :], value)
            states = states + after(mixed.transpose(0, 1).reshape(N, -1))
            gate, up = inner(_normed(states, layer.post_attention_layernorm)).chunk(2, -1)
            states = states + down(silu(gate) * up)
        return _normed(states, self._last_norm)


def can_run(network: Any) -> bool:
    """Whether a network is a Llama as this module knows it: plain linear layers without biases."""
    import torch

    config = network.config
    if config.model_type != "llama" or config.hidden_act != "silu":
        return False
    linears = [module for module in network.get_decoder().modules() if hasattr(module, "in_features")]
    return all(type(module) is torch.nn.Linear and module.bias is None for module in linears)


def _join(layers: list[Any]) -> Any:
    """Return the weights of linear layers as one, of which theirs are views from now on (or have been before)."""
    import torch

    weights = [layer.weight for layer in layers]
    sizes = [weight.numel() * weight.element_size() for weight in weights]
    places = [weight.data_ptr() for weight in weights]
    if all(place + size == after for place, size, after in zip(places, sizes, places[1:], strict=False)):
        first = weights[0].data
        if first.untyped_storage().nbytes() == sum(sizes):
            return first.as_strided((sum(len(weight) for weight in weights), first.shape[1]), first.stride())
    joined = torch.cat(weights)
    for layer, part in zip(layers, joined.split([len(weight) for weight in weights]), strict=True):
        layer.weight.data = part
    return joined


def _normed(states: Any, norm: Any) -> Any:
    from torch.nn.functional import rms_norm

    return rms_norm(states, (states.shape[-1],), norm.weight, norm.variance_epsilon)
