"""The language model that writes lyrics: a causal transformer, our adapter on the default one, and quick batches.

    model = load_model()                                    # or a hub id, a folder, a name from `songwright models`
    song = model.start(Brief(("train", "night")))           # the prompt, read once
    song = model.read(song, [tag(Role.VERSE), cue(8, "train")])
    branches = model.branch(song, 48)                       # 48 candidates that share what was read
    branches.log_probs                                      # (48, V): what each expects next
    branches.step(tokens)                                   # one token for each
    model.score(song, [tokens, other_tokens])               # log probability of each token of given continuations

Candidates share the keys and values of the prompt: attention reads them in one product for all, and only what a
candidate has added is kept for each. That gives the same numbers as running every candidate alone. A model whose
attention cannot be taken over so is run whole at every step: slower, and right.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lyrics import prompt
from lyrics.errors import ModelChoiceError, ModelFileError, need
from lyrics.llama import LlamaDecoder, can_run
from lyrics.model_store import DEFAULT_MODEL, find_or_pull, read_adapter, uses_adapter

logger = logging.getLogger(__name__)

Floats = NDArray[np.float32]

_ATTENTION = "songwright_shared_prefix"
_SHORTEST_WINDOW = 4096  # tokens: a model that looks back less far is run without the shared prefix
_SAME = 0.98  # correlation of what two ways to run a network say; 0.995 by rounding alone
_PRECISIONS = ("float32", "bfloat16", "int8")


@dataclass(frozen=True, slots=True)
class Prefix:
    """A text that the model has read, ready to be continued; it is never changed."""

    tokens: tuple[int, ...]
    log_probs: Floats = field(repr=False, compare=False)  # (V,): natural log probability of each next token
    memory: "_Memory" = field(repr=False, compare=False)


class _Memory:
    """Keys and values of every layer: (1, heads, T, size) of what all branches share, (B, ...) of what each added."""

    def __init__(self, shared: dict[int, tuple[Any, Any]] | None = None) -> None:
        self.shared = shared or {}
        self.own: dict[int, tuple[Any, Any]] = {}

    def add(self, layer: int, key: Any, value: Any) -> tuple[Any, Any]:
        import torch

        if layer in self.own:
            old_key, old_value = self.own[layer]
            key, value = torch.cat([old_key, key], 2), torch.cat([old_value, value], 2)
        self.own[layer] = key, value
        return key, value

    def fold(self) -> "_Memory":
        """Return a memory in which what one branch added is shared."""
        import torch

        folded = {}
        for layer, (key, value) in self.own.items():
            if layer in self.shared:
                old_key, old_value = self.shared[layer]
                key, value = torch.cat([old_key, key], 2), torch.cat([old_value, value], 2)
            folded[layer] = key, value
        return _Memory(folded)

    def keep(self, rows: Any) -> None:
        self.own = {layer: (key[rows], value[rows]) for layer, (key, value) in self.own.items()}


def _attend(
    module: Any, query: Any, key: Any, value: Any, attention_mask: Any, scaling: float, memory: Any = None, **_: Any
) -> tuple[Any, None]:
    """Attend to the shared prefix and to each branch's own tokens; `query` is (B, heads, time, size).

    The heads that share a key head are rows of one product, and for the shared prefix so are the branches.
    """
    import torch

    B, H, T, D = query.shape
    G = key.shape[1]  # key heads
    if memory is not None:
        key, value = memory.add(module.layer_idx, key, value)
    S = key.shape[2]
    rows = query.reshape(B, G, H // G, T, D) * scaling
    own = (rows.reshape(B, G, -1, D) @ key.transpose(2, 3)).view(B, G, H // G, T, S)
    if T > 1:
        future = torch.ones(T, S, dtype=torch.bool, device=query.device).triu(S - T + 1)
        own = own.masked_fill(future, float("-inf"))
    shared = memory.shared.get(module.layer_idx) if memory is not None else None
    if shared is None:
        weights = own.softmax(-1, torch.float32).to(query.dtype)
        out = (weights.view(B, G, -1, S) @ value).view(B, G, H // G, T, D)
    else:
        past_key, past_value = shared[0][0], shared[1][0]  # (G, P, D)
        P = past_key.shape[1]
        flat = rows.transpose(0, 1).reshape(G, -1, D)
        past = (flat @ past_key.transpose(1, 2)).view(G, B, H // G, T, P).transpose(0, 1)
        weights = torch.cat([past, own], -1).softmax(-1, torch.float32).to(query.dtype)
        flat = weights[..., :P].transpose(0, 1).reshape(G, -1, P)
        out = (flat @ past_value).view(G, B, H // G, T, D).transpose(0, 1)
        out = out + (weights[..., P:].reshape(B, G, -1, S) @ value).view(B, G, H // G, T, D)
    return out.reshape(B, H, T, D).transpose(1, 2), None


def load_model(
    name: str = DEFAULT_MODEL, *, adapter: Path | bool | None = True, precision: str | None = None
) -> "LanguageModel":
    """Load a language model by a name from `songwright models`, a hub id or a folder; fetch it if it is not there.

    `adapter` is the folder of an adapter, True for ours where it belongs (the default model), False for none.
    `precision` is "float32" or "bfloat16", by default the faster one on this machine. Raises ModelChoiceError for a
    model that is none, ModelFileError if its files are damaged or cannot be fetched or memory is short, and
    MissingExtraError without the extra `lm`.
    """
    need("writing lyrics", "lm", "torch", "transformers", "safetensors")
    folder = find_or_pull(name)
    with quiet():
        import torch

        network, tokenizer = load_bare(folder, name)
        chosen = (read_adapter() if uses_adapter(name) else None) if adapter is True else (adapter or None)
        if chosen is not None:
            merge_adapter(network, chosen)
        if precision is None:
            precision = _fastest_precision()
        if precision not in _PRECISIONS:
            raise ModelChoiceError(f"the precision must be {' or '.join(_PRECISIONS)}, got {precision!r}")
        shares_prefix = None
        if precision == "int8":  # tried before, as 8 bits round a prompt differently whole and in parts
            shares_prefix = _take_over_attention(network.eval())
            network = quantized(network)
        else:
            network = network.to(getattr(torch, precision)).eval()
    return LanguageModel(network, tokenizer, name, adapted=chosen is not None, shares_prefix=shares_prefix)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries from showing bars, advice and warnings about files that we give them."""
    from transformers.utils import logging as transformers_logging

    shown, level = transformers_logging.is_progress_bar_enabled(), transformers_logging.get_verbosity()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if shown:
            transformers_logging.enable_progress_bar()


def load_bare(folder: Path, name: str) -> tuple[Any, Any]:
    """Load a network in float32 and its tokenizer, without an adapter; raises like `load_model`."""
    return _load_network(folder, name), _load_tokenizer(folder, name)


def _load_network(folder: Path, name: str) -> Any:
    import json

    import torch
    from transformers import AutoModelForCausalLM
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        weights = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    except (OSError, ValueError) as error:
        raise ModelChoiceError(
            f"{name} is no model: {folder} has no readable config.json; give the folder of a transformers model"
        ) from error
    architectures = config.get("architectures") or []
    known = set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values())
    if config.get("model_type") not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES or not set(architectures) <= known:
        kind = ", ".join(architectures) or config.get("model_type", "an unknown kind")
        raise ModelChoiceError(
            f"{name} is not a causal language model ({kind}), so it cannot write; "
            "`songwright models` lists some that can"
        )
    if not weights:
        raise ModelFileError(f"{folder} has no weights as safetensors; pull the model again, or choose another one")
    _check_memory(weights, name)
    try:
        return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelFileError(f"cannot load the model {name} from {folder}: {reason}; pull it again") from error
    except Exception as error:  # safetensors has an error class of its own, without a useful parent
        raise ModelFileError(
            f"the weights in {folder} are damaged ({error}); delete the folder and pull again"
        ) from error


def _load_tokenizer(folder: Path, name: str) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # whatever the many kinds of tokenizers raise for missing or damaged files
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelFileError(f"the model {name} has no usable tokenizer in {folder}: {reason}") from error


def _check_memory(weights: int, name: str) -> None:
    """Refuse a model that would not fit, before the system ends us for it."""
    free = available_memory()
    wanted = 2 * weights + 500_000_000  # stored in 16 bits, loaded in 32, and room to work
    if free is not None and free < wanted:
        raise ModelFileError(
            f"the model {name} needs about {wanted / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free; "
            "end other programs or choose a smaller --model"
        )


def available_memory() -> int | None:
    """Return how many bytes this process may still take; None where the system does not say."""
    found: list[int] = []
    try:
        text = Path("/proc/meminfo").read_text()
        found.append(1024 * int(text.partition("MemAvailable:")[2].split()[0]))
    except (OSError, ValueError, IndexError):
        pass
    try:
        group = Path("/sys/fs/cgroup")
        limit = int((group / "memory.max").read_text())
        cached = (group / "memory.stat").read_text().partition("\ninactive_file ")[2].split()[0]
        found.append(limit - int((group / "memory.current").read_text()) + int(cached))
    except (OSError, ValueError, IndexError):  # "max": no limit
        pass
    return min(found) if found else None


def _fastest_precision() -> str:
    """Choose bfloat16 where the processor multiplies it itself."""
    import torch

    if torch.cuda.is_available():
        return "bfloat16"
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return "float32"
    return "bfloat16" if "avx512_bf16" in flags or "amx_bf16" in flags else "float32"


def quantized(network: Any) -> Any:
    """Quantize the linear layers to 8 bits, a scale for each output; activations as they come.

    The scale of activations is that of all rows together: scores depend a little on what else is computed with them,
    and always in the same way for the same candidates.
    """
    import warnings

    import torch
    from torch.ao.quantization import per_channel_dynamic_qconfig, quantize_dynamic

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the successor is another package, which is not needed for this
        return quantize_dynamic(network, {torch.nn.Linear: per_channel_dynamic_qconfig}, inplace=True)


def merge_adapter(network: Any, folder: Path) -> None:
    """Add a LoRA adapter, as peft writes it, into the weights of a network in float32.

    The same as `peft.PeftModel.from_pretrained(...).merge_and_unload()`, without importing peft. Raises ModelFileError
    if the adapter is damaged or made for another model.
    """
    import json

    import torch
    from safetensors.torch import load_file

    try:
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        tensors = load_file(folder / "adapter_model.safetensors")
        scale = config["lora_alpha"] / config["r"]
    except Exception as error:
        raise ModelFileError(f"cannot read the adapter in {folder}: {error}; install songwright again") from error
    parameters = dict(network.named_parameters())
    with torch.no_grad():
        for key, down in tensors.items():
            if not key.endswith(".lora_A.weight"):
                continue
            target = key.removeprefix("base_model.model.").replace(".lora_A.weight", ".weight")
            up = tensors.get(key.replace(".lora_A.", ".lora_B."))
            weight = parameters.get(target)
            if up is None or weight is None or weight.shape != (up.shape[0], down.shape[1]):
                raise ModelFileError(f"the adapter in {folder} was made for another model: {target} does not fit")
            weight.addmm_(up.float(), down.float(), alpha=scale)


class LanguageModel:
    """A causal language model with its tokenizer, for reading prompts once and continuing them many times."""

    def __init__(
        self, network: Any, tokenizer: Any, name: str = "", *, adapted: bool = False, shares_prefix: bool | None = None
    ) -> None:
        """Take over a loaded network, which must be in evaluation mode.

        `shares_prefix` says whether its attention has been taken over; None: find the quickest way that says the same.
        """
        self.network = network
        self.tokenizer = tokenizer
        self.name = name
        self.adapted = adapted  # whether it has learned the prompts of lyrics/prompt.py
        self._decoder = _quick_decoder(network) if shares_prefix is None else None
        if shares_prefix is None:
            shares_prefix = self._decoder is not None or _take_over_attention(network)
        self.shares_prefix = shares_prefix

    @cached_property
    def newline(self) -> int:
        """The token of a line break."""
        return int(prompt.encode(self.tokenizer, ["\n"])[-1])

    def encode(self, *texts: str) -> list[int]:
        """Return the tokens of each text, joined."""
        return prompt.encode(self.tokenizer, texts)

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of some tokens, unchanged."""
        return str(self.tokenizer.decode(list(tokens), clean_up_tokenization_spaces=False))

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """The text of every token, by number."""
        size = int(self.network.config.vocab_size)
        return tuple(
            self.tokenizer.batch_decode([[token] for token in range(size)], clean_up_tokenization_spaces=False)
        )

    def start(self, brief: prompt.Brief) -> Prefix:
        """Read the opening of a song, as a question for an instruct model or plainly for our adapter."""
        return self.read(None, prompt.start_tokens(self.tokenizer, brief, chat=not self.adapted))

    def read(self, prefix: Prefix | None, text: str | Sequence[str] | Sequence[int]) -> Prefix:
        """Return a prefix with more text behind it: a text, some texts tokenized one by one, or tokens."""
        tokens = self._tokens(text)
        if not tokens:
            if prefix is None:
                raise ValueError("there is nothing to read")
            return prefix
        memory = _Memory(prefix.memory.shared) if prefix else _Memory()
        before = prefix.tokens if prefix else ()
        log_probs = self._run([tokens], before, memory, 0)[0, -1]
        return Prefix((*before, *tokens), log_probs, memory.fold() if self.shares_prefix else _Memory())

    def branch(self, prefix: Prefix, count: int) -> "Branches":
        """Begin `count` continuations of a prefix."""
        return Branches(self, prefix, count)

    def score(self, prefix: Prefix, continuations: Sequence[Sequence[int]], *, batch: int = 64) -> list[Floats]:
        """Return the natural log probability of every token of each continuation."""
        scores: list[Floats] = []
        for start in range(0, len(continuations), batch):
            part = [list(tokens) for tokens in continuations[start : start + batch]]
            length = max(map(len, part), default=0)
            if length > 1:  # padded at the end, where nothing before can see it
                padded = [(tokens + [0] * length)[: length - 1] for tokens in part]
                chosen = [(tokens + [0] * length)[1:length] for tokens in part]
                rest = self._run(padded, prefix.tokens, _Memory(prefix.memory.shared), 0, chosen)[:, :, 0]
            for row, tokens in enumerate(part):
                first = [prefix.log_probs[token] for token in tokens[:1]]
                scores.append(
                    np.array([*first, *(rest[row, : len(tokens) - 1] if len(tokens) > 1 else ())], np.float32)
                )
        return scores

    def sample(
        self,
        prefix: Prefix,
        count: int,
        *,
        seed: int,
        temperature: float = 1.0,
        top_p: float = 1.0,
        max_tokens: int = 40,
    ) -> list[tuple[int, ...]]:
        """Sample `count` continuations up to the first line break, which is the last token of those that got there."""
        source = np.random.default_rng(seed)
        branches = self.branch(prefix, count)
        found: list[list[int]] = [[] for _ in range(count)]
        running = list(range(count))
        stops = {self.newline, self.tokenizer.eos_token_id}
        for _ in range(max_tokens):
            tokens = [draw(row, source, temperature, top_p) for row in branches.log_probs]
            for index, token in zip(running, tokens, strict=True):
                found[index].append(token)
            rows = [row for row, token in enumerate(tokens) if token not in stops]
            if not rows:
                break
            running = [running[row] for row in rows]
            branches.keep(rows)
            branches.step([tokens[row] for row in rows])
        return [tuple(tokens) for tokens in found]

    def _tokens(self, text: str | Sequence[str] | Sequence[int]) -> list[int]:
        if isinstance(text, str):
            return self.encode(text)
        return [token for item in text for token in (self.encode(item) if isinstance(item, str) else (int(item),))]

    def _run(
        self,
        tokens: Sequence[Sequence[int]],
        before: Sequence[int],
        memory: _Memory,
        done: int,
        chosen: Sequence[Sequence[int]] | None = None,
    ) -> Floats:
        """Run rows of new tokens after `before` and `done` own tokens each; return log probabilities after the last.

        With `chosen`, one token for every new one, return those tokens' log probabilities instead, (B, T, 1).
        """
        import torch

        with torch.inference_mode():
            device = self.network.device
            rows = torch.tensor(tokens, device=device)
            num_new = rows.shape[1]
            if self._decoder is not None:
                hidden = self._decoder(rows, len(before) + done, memory)
            elif self.shares_prefix:
                positions = torch.arange(num_new, device=device)[None] + len(before) + done
                decoder = self.network.get_decoder()
                hidden = decoder(input_ids=rows, position_ids=positions, use_cache=False, memory=memory)[0]
            else:
                own = memory.own.get(0, (rows[:, :0], None))[0]
                own = torch.cat([own.expand(rows.shape[0], -1), rows], 1)
                memory.own[0] = own, own
                start = torch.tensor([list(before)], dtype=rows.dtype, device=device).expand(rows.shape[0], -1)
                hidden = self.network.get_decoder()(input_ids=torch.cat([start, own], 1), use_cache=False)[0]
                hidden = hidden[:, -num_new:]
            if chosen is None:
                logits = self.network.get_output_embeddings()(hidden[:, -1:]).float()
                return np.asarray(torch.log_softmax(logits, -1).cpu().numpy(), np.float32)
            wanted = torch.tensor(chosen, device=device)[..., None]
            parts = []
            for column in range(num_new):  # one place at a time: (B, V), not (B, T, V), in memory
                logits = self.network.get_output_embeddings()(hidden[:, column]).float()
                parts.append(torch.log_softmax(logits, -1).gather(1, wanted[:, column]))
            return np.asarray(torch.stack(parts, 1).cpu().numpy(), np.float32)


class Branches:
    """Continuations of one prefix, a step at a time."""

    def __init__(self, model: LanguageModel, prefix: Prefix, count: int) -> None:
        """Begin `count` equal branches."""
        self._model = model
        self._prefix = prefix
        self._memory = _Memory(prefix.memory.shared)
        self._done = 0
        self.log_probs: Floats = np.repeat(prefix.log_probs[None], count, 0)  # (B, V)

    def __len__(self) -> int:
        """Return the number of branches."""
        return len(self.log_probs)

    def step(self, tokens: Sequence[int]) -> None:
        """Add one token to each branch and compute what each expects next."""
        if len(tokens) != len(self):
            raise ValueError(f"there are {len(self)} branches, got {len(tokens)} tokens")
        rows = [[int(token)] for token in tokens]
        self.log_probs = self._model._run(rows, self._prefix.tokens, self._memory, self._done)[:, -1]
        self._done += 1

    def keep(self, rows: Sequence[int]) -> None:
        """Keep the branches with these numbers, in this order; a number may come twice."""
        self.log_probs = self.log_probs[list(rows)]
        if self._done:
            self._memory.keep(list(rows))


def draw(log_probs: Floats, source: np.random.Generator, temperature: float = 1.0, top_p: float = 1.0) -> int:
    """Draw a token of the likeliest that together hold `top_p`, sharpened by `temperature` (0: the likeliest)."""
    if temperature <= 0:
        return int(log_probs.argmax())
    scaled = (log_probs - log_probs.max()) / temperature
    probs = np.exp(scaled)
    probs /= probs.sum()
    if top_p < 1:
        order = np.argsort(-probs, kind="stable")
        kept = order[: int(np.searchsorted(np.cumsum(probs[order]), top_p)) + 1]
        return int(source.choice(kept, p=probs[kept] / probs[kept].sum()))
    return int(np.searchsorted(np.cumsum(probs), source.random() * probs.sum()).clip(0, len(probs) - 1))


def _quick_decoder(network: Any) -> LlamaDecoder | None:
    """Return the decoder of lyrics/llama.py for a network that it can run and for which it says the same."""
    import torch

    if not can_run(network):
        return None
    tokens = _trial(network)
    with torch.inference_mode():
        expected = network.get_decoder()(input_ids=tokens, use_cache=False)[0][:, 5:].flatten().float()
    decoder = LlamaDecoder(network, _attend)
    with torch.inference_mode():
        memory = _Memory()
        decoder(tokens[:, :5], 0, memory)
        found = decoder(tokens[:, 5:], 5, memory.fold()).flatten().float()
    if float(torch.corrcoef(torch.stack([found, expected]))[0, 1]) > _SAME:
        return decoder
    logger.debug("the quick decoder does not say the same as transformers; it is left out")
    return None


def _trial(network: Any) -> Any:
    """Tokens to try a network with, (1, 8)."""
    import torch

    return ((torch.arange(8)[None] * 97 + 300) % network.config.vocab_size).to(network.device)


def _take_over_attention(network: Any) -> bool:
    """Let a network use the attention above; False, and nothing changed, if it then would not say the same."""
    import torch
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface

    config = network.config
    window = getattr(config, "sliding_window", None)
    layers = set(getattr(config, "layer_types", None) or ["full_attention" if window is None else "sliding_attention"])
    if layers - {"full_attention", "sliding_attention"}:
        return False
    if "sliding_attention" in layers and (window is None or window < _SHORTEST_WINDOW):
        return False
    AttentionInterface.register(_ATTENTION, _attend)
    AttentionMaskInterface.register(_ATTENTION, lambda *args, **kwargs: None)
    before = config._attn_implementation
    tokens = _trial(network)
    with torch.inference_mode():
        expected = network(input_ids=tokens, use_cache=False).logits[0, -1].float()
        try:
            network.set_attn_implementation(_ATTENTION)
            decoder = network.get_decoder()
            first = _Memory()
            decoder(input_ids=tokens[:, :5], use_cache=False, memory=first)
            second = first.fold()
            positions = torch.arange(5, 8, device=network.device)[None]
            hidden = decoder(input_ids=tokens[:, 5:], position_ids=positions, use_cache=False, memory=second)[0]
            found = network.get_output_embeddings()(hidden[:, -1])[0].float()
            same = float(torch.corrcoef(torch.stack([found, expected]))[0, 1]) > _SAME
        except (TypeError, ValueError, AttributeError, KeyError, RuntimeError) as error:
            logger.debug("attention cannot be taken over: %s", error)
            same = False
        if not same:
            network.set_attn_implementation(before)
    return same
