"""The language model that writes lyrics: a causal transformer, our adapter on the default one, and quick batches.

    model = load_model()                                    # or a hub id, a folder, a name from `songwright models`
    song = model.start(Brief(("train", "night")))           # the prompt, read once
    song = model.read(song, [tag(Role.VERSE), cue(8, "train")])
    branches = model.branch(song, 48)                       # 48 candidates that share what was read
    branches.log_probs                                      # (48, V): what each expects next
    branches.step(tokens)                                   # one token for each
    model.score(song, [tokens, other_tokens])               # log probability of each token of given continuations

    carry_out(abreast([model.scoring(...), ...]))           # several things in one pass where they meet

Candidates share what they have in common: the keys and values of the prompt, and every token that stands at the same
place in several (lyrics/token_tree.py). That gives the same numbers as running every candidate alone. A model whose
attention cannot be taken over so is run whole at every step: slower, and right.
"""

import copy
import gc
import json
import logging
import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from lyrics import prompt
from lyrics.errors import ModelChoiceError, ModelFileError, need
from lyrics.llama import LlamaDecoder, can_read, decoder_of, decoders_from
from lyrics.model_store import DEFAULT_MODEL, find_or_pull, read_adapter, uses_adapter
from lyrics.packed import Product
from lyrics.token_tree import Text, TokenTree
from lyrics.tokenizer import Tokenizer

logger = logging.getLogger(__name__)

Floats = NDArray[np.float32]
T = TypeVar("T")
Pending = list[tuple["LanguageModel", TokenTree]]  # trees to be run
Task = Generator[Pending, None, T]  # something that yields what it needs run and returns its result

_ATTENTION = "songwright_shared_prefix"
_SHORTEST_WINDOW = 4096  # tokens: a model that looks back less far is run without the shared prefix
_ROOM = 48  # tokens that branches have room for at first
_SAME = 0.98  # correlation of what two ways to run a network say; 0.995 by rounding alone
_PRECISIONS = ("float32", "bfloat16", "int8")


class Prefix:
    """A text to be continued; it is never changed. The model reads it when it is first asked what follows."""

    def __init__(self, model: "LanguageModel", tokens: tuple[int, ...], before: "Prefix | None" = None) -> None:
        """Take all tokens, those of `before` first."""
        self.tokens = tokens
        self._model = model
        self._before = before  # None once this text has been read
        self._known: tuple[Text, Any] | None = None

    @property
    def text(self) -> Text:
        """Keys and values."""
        return self._read()[0]

    @property
    def state(self) -> Any:
        """The state after the last token, (E,)."""
        return self._read()[1]

    @cached_property
    def log_probs(self) -> Floats:
        """(V,): natural log probability of each next token."""
        row: Floats = self._model.head.log_probs(self.state[None])[0]
        return row

    @property
    def is_read(self) -> bool:
        """Whether the model has read it."""
        return self._known is not None

    def grow(self, room: int = 0) -> tuple[TokenTree, int]:
        """Return a tree behind what has been read, with the rest as its first tokens, and the node of the last.

        `room` is how many more tokens are expected. When the tree has been run, `take` it: so text is read in the same
        pass as what is tried behind it.
        """
        text = self._nearest()
        tree = TokenTree(text, len(self.tokens) - len(text.tokens) + room)
        nodes = tree.grow(tree.ROOT, self.tokens[len(text.tokens) :])
        return tree, nodes[-1] if nodes else tree.ROOT

    def take(self, tree: TokenTree) -> None:
        """Take what a tree of `grow` knows about this text and about those before it."""
        prefix: Prefix | None = self
        while prefix is not None and prefix._known is None:
            last = len(prefix.tokens) - len(tree.text.tokens) - 1
            prefix._known = tree.text_with(last), tree.states[last].clone()
            prefix._before, prefix = None, prefix._before

    def _nearest(self) -> Text:
        prefix: Prefix | None = self
        while prefix is not None and prefix._known is None:
            prefix = prefix._before
        return prefix._known[0] if prefix is not None and prefix._known is not None else Text()

    def reading(self) -> Task[None]:
        """Run what has not been read, and that of the texts before too, in one pass."""
        if self._known is None:
            tree, _ = self.grow()
            yield [(self._model, tree)]
            self.take(tree)

    def _read(self) -> tuple[Text, Any]:
        carry_out(self.reading())
        assert self._known is not None
        return self._known


class Head:
    """What a network's states say of the next token, among all tokens or among some."""

    def __init__(self, output: Any, tokens: NDArray[np.int64] | None = None) -> None:
        """Take the rows of the output layer that are needed; `output` is that layer, or its weight alone, (V, E)."""
        import torch

        if type(output) is torch.nn.Linear and output.bias is None:
            output = output.weight
        columns = None if tokens is None else torch.from_numpy(tokens)
        self._columns = None
        self._product: Any = output
        if isinstance(output, torch.Tensor):
            with torch.inference_mode():
                self._product = Product(output if columns is None else output[columns.to(output.device)])
        else:
            self._columns = columns

    def log_probs(self, states: Any) -> Floats:
        """Return natural log probabilities, (N, tokens), which sum to 1 over the tokens that it was made for."""
        import torch

        with torch.inference_mode():
            return np.asarray(torch.log_softmax(self._logits(states), -1).cpu().numpy(), np.float32)

    def log_probs_of(self, states: Any, rows: Sequence[int], tokens: Sequence[int]) -> Floats:
        """Return the natural log probability of each of the tokens after the state in its row."""
        import torch

        found = np.empty(len(rows), np.float32)
        places = np.array(rows, np.int64)
        with torch.inference_mode():
            for start in range(0, len(states), _HEAD_ROWS):
                logits = self._logits(states[start : start + _HEAD_ROWS])
                here = np.flatnonzero((places >= start) & (places < start + _HEAD_ROWS))
                picked = logits[places[here] - start, np.array(tokens, np.int64)[here]]
                found[here] = (picked - logits.logsumexp(-1)[places[here] - start]).cpu().numpy()
        return found

    def _logits(self, states: Any) -> Any:
        logits = self._product(states)
        return (logits if self._columns is None else logits[:, self._columns]).float()


_HEAD_ROWS = 64  # states at a time, as each has numbers for the whole vocabulary


def _attend(
    module: Any, query: Any, key: Any, value: Any, attention_mask: Any, scaling: float, memory: Any = None, **_: Any
) -> tuple[Any, None]:
    """Attend as transformers asks for it: new nodes of a TokenTree, or, without one, rows of plain text."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    if memory is not None:
        out = memory.attend(module.layer_idx, query[0] * scaling, key[0], value[0])[None]
    else:
        T, S = query.shape[2], key.shape[2]
        past = torch.ones(T, S, dtype=torch.bool, device=query.device).tril(S - T)
        out = scaled_dot_product_attention(query, key, value, past, scale=scaling, enable_gqa=True)
    return out.transpose(1, 2), None


def load_model(
    name: str = DEFAULT_MODEL, *, adapter: Path | bool | None = True, precision: str | None = None
) -> "LanguageModel":
    """Load a language model by a name from `songwright models`, a hub id or a folder; fetch it if it is not there.

    `adapter` is the folder of an adapter, True for ours where it belongs (the default model), False for none.
    `precision` is "float32" or "bfloat16", by default the faster one on this machine. Raises ModelChoiceError for a
    model that is none, ModelFileError if its files are damaged or cannot be fetched or memory is short, and
    MissingExtraError without the extra `lm`.
    """
    need("writing lyrics", "lm", "torch", "transformers", "safetensors", "tokenizers")
    if _is_busy():
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # OpenMP reads this when torch is first imported
    if precision not in (None, *_PRECISIONS):
        raise ModelChoiceError(f"the precision must be {' or '.join(_PRECISIONS)}, got {precision!r}")
    folder = find_or_pull(name)
    if adapter is True and uses_adapter(name) and precision != "int8":
        quick = _load_quickly(folder, name, precision)
        if quick is not None:
            return quick
    precision = precision or _fastest_precision()
    with quiet():
        import torch

        chosen = (read_adapter() if uses_adapter(name) else None) if adapter is True else (adapter or None)
        network, tokenizer = load_bare(folder, name, short=precision == "bfloat16")
        bare = network.to(torch.bfloat16 if precision == "bfloat16" else torch.float32).eval()
        if chosen is not None:
            network = merge_adapter(bare, chosen)
        shares_prefix = None
        if precision == "int8":  # tried before, as 8 bits round a prompt differently whole and in parts
            shares_prefix = _take_over_attention(network)
            network = quantized(network)
        model = LanguageModel(network, tokenizer, name, adapted=chosen is not None, shares_prefix=shares_prefix)
        if chosen is not None:
            model.bare = LanguageModel(bare, tokenizer, name)
    return model


_LOOKS = 5  # at what runs, a hundredth of a second apart


def _is_busy() -> bool:
    """Whether other programs want the cores.

    A thread of OpenMP that has done its part spins until the others have. That is quickest on an idle machine (15
    seconds against 17 for a lyric); beside two busy programs on two cores it took seven times the processor time.
    """
    cores = os.cpu_count() or 1
    try:  # as it is now: the mean of a minute still tells of programs that have ended
        running = 0
        for _ in range(_LOOKS):
            # "0.20 0.18 0.12 1/80 11206": this process is one of those that run (proc(5))
            running += int(Path("/proc/loadavg").read_text(encoding="ascii").split()[3].partition("/")[0]) - 1
            time.sleep(0.01)
        return running / _LOOKS > cores / 2
    except (OSError, ValueError, IndexError):
        return hasattr(os, "getloadavg") and os.getloadavg()[0] > cores / 2


def _load_quickly(folder: Path, name: str, precision: str | None) -> "LanguageModel | None":
    """Load the model that we know, and our adapter, without transformers; None if it is stored in an unknown way."""
    config, size = _read_config(folder, name)
    if not can_read(config) or not (folder / "tokenizer.json").is_file():
        return None
    _check_memory(size, name)
    adapter = read_adapter()
    with _without_collection(), ThreadPoolExecutor(1) as pool:
        reading = pool.submit(Tokenizer, folder)  # while torch is imported
        precision = precision or _fastest_precision()
        decoder, bare = _read_decoders(folder, config, adapter, precision)
        try:
            tokenizer = reading.result()
        except Exception as error:  # the library has no class of its own
            raise _no_tokenizer(folder, name, error) from error
        model = LanguageModel(decoder, tokenizer, name, adapted=True)
        model.bare = LanguageModel(bare, tokenizer, name)
    return model


def _read_decoders(folder: Path, config: dict[str, Any], adapter: Path, precision: str) -> list[LlamaDecoder]:
    """Return the decoders of a model with an adapter and without it."""
    import torch
    from safetensors.torch import load_file

    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    try:
        parts = [load_file(path) for path in sorted(folder.glob("*.safetensors"))]
        weights = {name: weight.to(dtype) for part in parts for name, weight in part.items()}
        return decoders_from(config, merged(weights, adapter), weights)
    except ModelFileError:
        raise
    except Exception as error:  # safetensors has an error class of its own, without a useful parent
        raise _damaged(folder, error) from error


def _damaged(folder: Path, error: Exception) -> ModelFileError:
    return ModelFileError(f"the weights in {folder} are damaged ({error}); delete the folder and pull again")


@contextmanager
def _without_collection() -> Iterator[None]:
    """Look for no garbage meanwhile: there is none in what an import makes, and it takes a tenth of its time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


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


def load_bare(folder: Path, name: str, *, short: bool = False) -> tuple[Any, Any]:
    """Load a network and its tokenizer, without an adapter; raises like `load_model`.

    The network is in float32; with `short` in bfloat16 if it is stored so, which is quicker and loses nothing.
    """
    return _load_network(folder, name, short=short), _load_tokenizer(folder, name)


def _load_network(folder: Path, name: str, *, short: bool) -> Any:
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    config, size = _read_config(folder, name)
    architectures = config.get("architectures") or []
    known = set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values())
    if config.get("model_type") not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES or not set(architectures) <= known:
        kind = ", ".join(architectures) or config.get("model_type", "an unknown kind")
        raise ModelChoiceError(
            f"{name} is not a causal language model ({kind}), so it cannot write; "
            "`songwright models` lists some that can"
        )
    _check_memory(size, name)
    stored = config.get("dtype", config.get("torch_dtype"))
    dtype = torch.bfloat16 if short and stored == "bfloat16" else torch.float32
    try:
        return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, local_files_only=True)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelFileError(f"cannot load the model {name} from {folder}: {reason}; pull it again") from error
    except Exception as error:  # safetensors has an error class of its own, without a useful parent
        raise _damaged(folder, error) from error


def _read_config(folder: Path, name: str) -> tuple[dict[str, Any], int]:
    """Return the content of a model's config.json, and how many bytes its weights have."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    except (OSError, ValueError) as error:
        raise ModelChoiceError(
            f"{name} is no model: {folder} has no readable config.json; give the folder of a transformers model"
        ) from error
    return config, size


def _load_tokenizer(folder: Path, name: str) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # whatever the many kinds of tokenizers raise for missing or damaged files
        raise _no_tokenizer(folder, name, error) from error


def _no_tokenizer(folder: Path, name: str, error: Exception) -> ModelFileError:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return ModelFileError(f"the model {name} has no usable tokenizer in {folder}: {reason}")


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


def merge_adapter(network: Any, folder: Path) -> Any:
    """Return a network with a LoRA adapter, as peft writes it, added into its weights; the given one stays as it is.

    The same as `peft.PeftModel.from_pretrained(...).merge_and_unload()`, without importing peft. The two share the
    weights that the adapter leaves alone. Raises ModelFileError if the adapter is damaged or made for another model.
    """
    import torch

    parameters = dict(network.named_parameters())
    shared = {id(weight): weight for weight in (*parameters.values(), *network.buffers())}
    for name, weight in merged(parameters, folder).items():
        before = parameters[name]
        if weight is not before:
            shared[id(before)] = torch.nn.Parameter(weight, requires_grad=before.requires_grad)
    return copy.deepcopy(network, shared)


def merged(weights: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return weights by their names with a LoRA adapter, as peft writes it, added to those that it changes.

    Sums are in float32 whatever the weights are in. Raises ModelFileError like `merge_adapter`.
    """
    import torch
    from safetensors.torch import load_file

    try:
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        tensors = load_file(folder / "adapter_model.safetensors")
        scale = config["lora_alpha"] / config["r"]
    except Exception as error:
        raise ModelFileError(f"cannot read the adapter in {folder}: {error}; install songwright again") from error
    found = dict(weights)
    for key, down in tensors.items():
        if not key.endswith(".lora_A.weight"):
            continue
        target = key.removeprefix("base_model.model.").replace(".lora_A.weight", ".weight")
        up = tensors.get(key.replace(".lora_A.", ".lora_B."))
        weight = weights.get(target)
        if up is None or weight is None or weight.shape != (up.shape[0], down.shape[1]):
            raise ModelFileError(f"the adapter in {folder} was made for another model: {target} does not fit")
        with torch.no_grad():
            changed = weight.to(torch.float32, copy=True).addmm_(up.float(), down.float(), alpha=scale)
            found[target] = changed.to(weight.dtype)
    return found


class LanguageModel:
    """A causal language model with its tokenizer, for reading prompts once and continuing them many times."""

    def __init__(
        self, network: Any, tokenizer: Any, name: str = "", *, adapted: bool = False, shares_prefix: bool | None = None
    ) -> None:
        """Take over a loaded network of transformers, which must be in evaluation mode, or a decoder.

        `shares_prefix` says whether its attention has been taken over; None: find the quickest way that says the same.
        """
        self.network = network
        self.tokenizer = tokenizer
        self.name = name
        self.adapted = adapted  # whether it has learned the prompts of lyrics/prompt.py
        self.bare: LanguageModel = self  # the same model without an adapter, for judging what is written
        self.kept: dict[Any, Any] = {}  # what those who use it have computed and need again
        if isinstance(network, LlamaDecoder):
            self._decoder: LlamaDecoder | None = network
            self._output = network.output
        else:
            self._decoder = _quick_decoder(network) if shares_prefix is None else None
            self._output = network.get_output_embeddings()
        if shares_prefix is None:
            shares_prefix = self._decoder is not None or _take_over_attention(network)
        self.shares_prefix = shares_prefix

    @property
    def num_tokens(self) -> int:
        """The size of the vocabulary."""
        return len(self._output) if isinstance(self.network, LlamaDecoder) else int(self.network.config.vocab_size)

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
        tokens = [[token] for token in range(self.num_tokens)]
        return tuple(self.tokenizer.batch_decode(tokens, clean_up_tokenization_spaces=False))

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
        return Prefix(self, (*(prefix.tokens if prefix else ()), *tokens), prefix)

    def branch(self, prefix: Prefix, count: int, among: Head | None = None) -> "Branches":
        """Begin `count` continuations of a prefix, by tokens of the whole vocabulary or among those of a head."""
        return Branches(self, prefix, count, among or self.head)

    @cached_property
    def head(self) -> Head:
        """The output layer."""
        return Head(self._output)

    def head_of(self, tokens: NDArray[np.int64]) -> Head:
        """Return the part of the output layer for some tokens, which is quicker: no other is thought possible."""
        return Head(self._output, tokens)

    def score(self, prefix: Prefix, continuations: Sequence[Sequence[int]]) -> list[Floats]:
        """Return the natural log probability of every token of each continuation; what they share is run once."""
        return carry_out(self.scoring(prefix, continuations))

    def scoring(self, prefix: Prefix, continuations: Sequence[Sequence[int]]) -> Task[list[Floats]]:
        """Do what `score` does, as a task."""
        if not continuations:
            return []
        tree, root = prefix.grow(max(map(len, continuations)))
        before = [node for tokens in continuations for node in (root, *tree.grow(root, tokens[:-1]))[: len(tokens)]]
        if tree.new:
            yield [(self, tree)]
            prefix.take(tree)
        nodes, rows = np.unique(np.array(before, np.int64), return_inverse=True)
        states = _states(prefix, tree, nodes)
        chosen = [token for tokens in continuations for token in tokens]
        scores = self.head.log_probs_of(states, rows.tolist(), chosen)
        return np.split(scores, np.cumsum([len(tokens) for tokens in continuations])[:-1])

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

    def run(self, *trees: TokenTree) -> None:
        """Run the new nodes of trees, in one pass where that is possible."""
        import torch

        with torch.inference_mode():
            if self._decoder is not None:
                states = self._decoder(*trees)
            elif self.shares_prefix:
                states = [_run_shared(self.network, tree) for tree in trees]
            else:
                states = [_run_whole(self.network, tree) for tree in trees]
            for tree, found in zip(trees, states, strict=True):
                tree.finish(found)


def abreast(tasks: Sequence[Task[T]]) -> Task[list[T]]:
    """Do several tasks side by side, so that what they need at the same time is run in one pass."""
    results: dict[int, T] = {}
    going = list(enumerate(tasks))
    while going:
        pending: Pending = []
        left = []
        for number, task in going:
            try:
                pending += next(task)
            except StopIteration as done:
                results[number] = done.value
            else:
                left.append((number, task))
        going = left
        if pending:
            yield pending
    return [results[number] for number in range(len(tasks))]


def carry_out(task: Task[T]) -> T:
    """Run what a task needs until it has its result."""
    while True:
        try:
            pending = next(task)
        except StopIteration as done:
            result: T = done.value
            return result
        for model in dict.fromkeys(model for model, _ in pending):
            model.run(*(tree for other, tree in pending if other is model))


class Branches:
    """Continuations of one prefix, a step at a time; those that are equal so far are run once."""

    def __init__(self, model: LanguageModel, prefix: Prefix, count: int, head: Head) -> None:
        """Begin `count` equal branches."""
        self._model = model
        self._head = head
        self._prefix = prefix
        self._tree, root = prefix.grow(_ROOM)
        self._nodes = [root] * count
        self._table: Floats | None = None  # (different nodes, tokens of the head), when it is asked for
        self._rows = np.zeros(count, np.int64)

    def __len__(self) -> int:
        """Return the number of branches."""
        return len(self._nodes)

    @property
    def log_probs(self) -> Floats:
        """(B, tokens of the head): natural log probability of what each expects next."""
        if self._table is None:
            carry_out(self._running())
            nodes, self._rows = np.unique(np.array(self._nodes, np.int64), return_inverse=True)
            self._table = self._head.log_probs(_states(self._prefix, self._tree, nodes))
        return self._table[self._rows]

    def step(self, tokens: Sequence[int]) -> None:
        """Add one token to each branch and compute what each expects next."""
        self.extend([(token,) for token in tokens])

    def extend(self, tokens: Sequence[Sequence[int]]) -> None:
        """Add one or more tokens to each branch, in one pass, and compute what each expects next."""
        carry_out(self.extending(tokens))

    def extending(self, tokens: Sequence[Sequence[int]]) -> Task[None]:
        """Do what `extend` does, as a task."""
        if len(tokens) != len(self):
            raise ValueError(f"there are {len(self)} branches, got tokens for {len(tokens)}")
        self._nodes = [
            self._tree.grow(node, [int(token) for token in added])[-1]
            for node, added in zip(self._nodes, tokens, strict=True)
        ]
        self._table = None
        yield from self._running()

    def keep(self, rows: Sequence[int]) -> None:
        """Keep the branches with these numbers, in this order; a number may come twice."""
        self._nodes = [self._nodes[row] for row in rows]
        self._rows = self._rows[list(rows)]

    def _running(self) -> Task[None]:
        if self._tree.new:
            yield [(self._model, self._tree)]
            self._prefix.take(self._tree)


def _states(prefix: Prefix, tree: TokenTree, nodes: NDArray[np.int64]) -> Any:
    """Return the states after nodes in ascending order, (N, E), in a tree behind a prefix that has been run."""
    import torch

    if nodes[0] != tree.ROOT:
        return tree.states[nodes]
    first = prefix.state[None]
    return torch.cat([first, tree.states[nodes[1:]]]) if len(nodes) > 1 else first


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

    decoder = decoder_of(network)
    if decoder is None:
        return None
    with torch.inference_mode():
        expected = network.get_decoder()(input_ids=_trial(network), use_cache=False)[0][0]
        found = _in_two_parts(network, lambda tree: decoder(tree)[0])
    if _agree(found, expected):
        return decoder
    logger.debug("the quick decoder does not say the same as transformers; it is left out")
    return None


def _run_shared(network: Any, tree: TokenTree) -> Any:
    """Run the new nodes of a tree as one row of a network whose attention has been taken over."""
    import torch

    tokens = torch.tensor([[tree.tokens[node] for node in tree.new]], device=network.device)
    positions = torch.tensor([tree.positions], device=network.device)
    return network.get_decoder()(input_ids=tokens, position_ids=positions, use_cache=False, memory=tree)[0][0]


def _run_whole(network: Any, tree: TokenTree) -> Any:
    """Run the text and all that stands before each new node once more, a row for each that none is behind."""
    import torch

    new = tree.new
    leaves = sorted(set(new) - {tree.parents[node] for node in new})
    paths = [tree.path(leaf) for leaf in leaves]
    length = max(map(len, paths))
    start = len(tree.text.tokens)
    rows = [  # padded at the end, where nothing before can see it
        (*tree.text.tokens, *(tree.tokens[node] for node in path), *[0] * (length - len(path))) for path in paths
    ]
    hidden = network.get_decoder()(input_ids=torch.tensor(rows, device=network.device), use_cache=False)[0]
    places = {node: (row, start + place) for row, path in enumerate(paths) for place, node in enumerate(path)}
    return torch.stack([hidden[places[node]] for node in new])


def _in_two_parts(network: Any, run: Callable[[TokenTree], Any]) -> Any:
    """Return the states after the tokens of a trial, the last of which are read behind the first."""
    tokens = _trial(network)[0].tolist()
    first = TokenTree(Text())
    first.grow(first.ROOT, tokens[:5])
    first.finish(run(first))
    second = TokenTree(first.text_with(4))
    second.grow(second.ROOT, tokens[5:])
    return run(second)


def _agree(found: Any, expected: Any) -> bool:
    """Whether the last states are the same up to rounding."""
    import torch

    pair = torch.stack([found.flatten().float(), expected[-len(found) :].flatten().float()])
    return float(torch.corrcoef(pair)[0, 1]) > _SAME


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
    with torch.inference_mode():
        expected = network.get_decoder()(input_ids=_trial(network), use_cache=False)[0][0]
        try:
            network.set_attn_implementation(_ATTENTION)
            same = _agree(_in_two_parts(network, lambda tree: _run_shared(network, tree)), expected)
        except (TypeError, ValueError, AttributeError, KeyError, RuntimeError) as error:
            logger.debug("attention cannot be taken over: %s", error)
            same = False
        if not same:
            network.set_attn_implementation(before)
    return same
