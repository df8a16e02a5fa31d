"""The decoder of a Llama network with fewer, larger products: the same weights, the same numbers up to rounding.

A step of two dozen candidates through transformers' modules spends half its time between the products. Here the three
products before attention are one, so are the two of the feed-forward part, and nothing stands between them that is not
needed. The weights are not copied: the network's own become views of the joined ones.
"""

from collections.abc import Callable
from typing import Any

Attend = Callable[..., tuple[Any, Any]]  # as transformers calls it; see lyrics/lm.py


class LlamaDecoder:
    """Runs rows of new tokens behind a memory of keys and values."""

    def __init__(self, network: Any, attend: Attend) -> None:
        """Join the weights of a network for which `can_run` holds."""
        import torch

        decoder = network.get_decoder()
        self._attend = attend
        self._embed = decoder.embed_tokens
        self._rotary = decoder.rotary_emb
        self._last_norm = decoder.norm
        self._layers = []
        self._num_heads = int(network.config.num_attention_heads)
        with torch.inference_mode(False), torch.no_grad():
            for layer in decoder.layers:
                attention, feed = layer.self_attn, layer.mlp
                before = _join([attention.q_proj, attention.k_proj, attention.v_proj])
                inner = _join([feed.gate_proj, feed.up_proj])
                self._layers.append((layer, attention, before, attention.o_proj.weight, inner, feed.down_proj.weight))

    def __call__(self, tokens: Any, start: int, memory: Any) -> Any:
        """Return the states after `tokens` (B, T), which follow `start` earlier ones: (B, T, E)."""
        import torch
        from torch.nn.functional import linear, silu

        B, T = tokens.shape
        states = self._embed(tokens)
        positions = torch.arange(start, start + T, device=tokens.device)[None]
        cosine, sine = (table[0, :, None] for table in self._rotary(states, positions))  # (T, 1, D)
        half = cosine.shape[-1] // 2
        sine = sine[..., :half]
        for layer, attention, before, after, inner, down in self._layers:
            joined = linear(_normed(states, layer.input_layernorm), before).view(B, T, -1, 2 * half)
            num_keys = (joined.shape[2] - self._num_heads) // 2
            turned = joined[:, :, : self._num_heads + num_keys]
            rotated = turned * cosine
            rotated[..., :half].addcmul_(turned[..., half:], sine, value=-1)
            rotated[..., half:].addcmul_(turned[..., :half], sine)
            rotated = rotated.transpose(1, 2)
            query, key = rotated[:, : self._num_heads], rotated[:, self._num_heads :]
            value = joined[:, :, self._num_heads + num_keys :].transpose(1, 2)
            mixed, _ = self._attend(attention, query, key, value, None, attention.scaling, memory)
            states = states + linear(mixed.reshape(B, T, -1), after)
            gate, up = linear(_normed(states, layer.post_attention_layernorm), inner).chunk(2, -1)
            states = states + linear(silu(gate) * up, down)
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
    """Return the weights of linear layers as one, of which theirs are views from now on."""
    import torch

    joined = torch.cat([layer.weight for layer in layers])
    parts = joined.split([layer.weight.shape[0] for layer in layers])
    for layer, part in zip(layers, parts, strict=True):
        layer.weight.data = part
    return joined


def _normed(states: Any, norm: Any) -> Any:
    from torch.nn.functional import rms_norm

    return rms_norm(states, (states.shape[-1],), norm.weight, norm.variance_epsilon)
