"""Train the adapter of the language model that writes lyrics: LoRA on a frozen base, from cleaned verse.

The base is held in bfloat16, which a processor with bfloat16 instructions multiplies twice as fast as float32; the
adapter's own numbers are kept in float32 beside it and copied in after every step, since steps this small would be
rounded away. Lessons (lyrics/verse.py) are packed by length, several to a step; the loss falls on the lines alone.
Training ends with the lessons or with the time, whichever comes first, and the learning rate follows the nearer end.
A run that was killed goes on from its last checkpoint.

Source: Hu et al. (2021), "LoRA: Low-Rank Adaptation of Large Language Models".
"""

import csv
import json
import logging
import random
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import cos, pi
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from lyrics.checkpoint import STATE, pack, read_facts, unpack
from lyrics.errors import TrainingError
from lyrics.model_files import write_whole
from lyrics.verse import Lesson, pieces

logger = logging.getLogger(__name__)

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
CURVE = "curve.csv"


@dataclass(frozen=True, slots=True)
class AdapterConfig:
    """How the adapter is trained."""

    seed: int = 0
    rank: int = 16  # 7.8 MB in 16 bits on layers 6 to 29 of the default base
    alpha: int = 32
    first_layer: int = 6  # layers before it are left alone, and no gradient need reach them: an eighth of the time
    learning_rate: float = 6e-4
    warmup: float = 0.04  # share of the run
    tokens_per_step: int = 800
    max_tokens: int = 400  # of one lesson; what is longer is cut
    epochs: int = 2
    max_minutes: float = 60.0
    end_word_weight: float = 0.3  # of the end words in the cues, which teaches what words can end the line
    open_ends: float = 0.3  # share of cues without an end word
    weight_decay: float = 0.01
    clip: float = 1.0
    checkpoint_minutes: float = 2.0
    validation_lessons: int = 16
    validations: int = 6  # during the run, besides those before and after it

    def __post_init__(self) -> None:
        """Check what would otherwise fail deep inside."""
        for name in ("rank", "alpha", "tokens_per_step", "max_tokens", "epochs"):
            if getattr(self, name) < 1:
                raise TrainingError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.max_minutes <= 0 or self.learning_rate <= 0:
            raise TrainingError("max_minutes and learning_rate must be greater than 0")

    @classmethod
    def read(cls, path: Path) -> "AdapterConfig":
        """Read a JSON file with some of the fields. Raises TrainingError if it holds anything else."""
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            return cls(**values)
        except TrainingError:
            raise
        except (OSError, ValueError, TypeError) as error:
            fields = ", ".join(cls.__dataclass_fields__)
            raise TrainingError(f"{path} is no configuration ({error}); a JSON object may set {fields}") from error


@dataclass(frozen=True, slots=True)
class Example:
    """A tokenized lesson: the weight of predicting each token stands beside it."""

    tokens: tuple[int, ...]
    weights: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """One point of the curve; the losses are nats per token of the lines."""

    step: int
    tokens: int
    minutes: float
    training: float | None  # mean since the point before; None at the start
    validation: float | None


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run of training came to."""

    curve: tuple[Point, ...]
    finished: bool  # False if `stop` ended it early


def example(lesson: Lesson, tokenizer: Any, config: AdapterConfig, number: int = 0) -> Example:
    """Tokenize a lesson; `number` and the seed decide which cues leave out their end words."""
    begin = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    tokens: list[int] = [] if begin is None else [begin]
    weights = [0.0] * len(tokens)
    source = random.Random(f"{config.seed}/{number}")
    for piece in pieces(lesson, source, end_word_weight=config.end_word_weight, open_ends=config.open_ends):
        found = tokenizer(piece.text, add_special_tokens=False)["input_ids"]
        tokens += found
        weights += [piece.weight] * len(found)
    return Example(tuple(tokens[: config.max_tokens]), tuple(weights[: config.max_tokens]))


def batches(examples: Sequence[Example], config: AdapterConfig) -> list[list[int]]:
    """Put examples of like length together, as many as fit into a step, and the batches in a random order."""
    source = random.Random(config.seed)
    found: list[list[int]] = []
    for _ in range(config.epochs):
        order = list(range(len(examples)))
        source.shuffle(order)
        epoch: list[list[int]] = []
        for start in range(0, len(order), 256):
            current: list[int] = []
            for index in sorted(order[start : start + 256], key=lambda index: len(examples[index].tokens)):
                if current and (len(current) + 1) * len(examples[index].tokens) > config.tokens_per_step:
                    epoch.append(current)
                    current = []
                current.append(index)
            epoch.append(current)
        source.shuffle(epoch)
        found += epoch
    return found


def loss_of(model: Any, batch: Sequence[Example], device: Any = "cpu") -> tuple[torch.Tensor, float]:
    """Return the summed weighted loss (nats) of some examples, and the sum of the weights."""
    length = max(len(item.tokens) for item in batch)
    # Padding stands at the end, where causal attention lets nothing before it see it.
    tokens = torch.tensor([[*item.tokens, *[0] * (length - len(item.tokens))] for item in batch], device=device)
    weights = torch.tensor([[*item.weights, *[0.0] * (length - len(item.weights))] for item in batch], device=device)
    wanted = weights[:, 1:] > 0
    hidden = model.get_base_model().model(tokens[:, :-1], use_cache=False).last_hidden_state
    logits = model.get_base_model().lm_head(hidden[wanted]).float()  # the largest product, only where it is wanted
    losses = functional.cross_entropy(logits, tokens[:, 1:][wanted], reduction="none")
    chosen = weights[:, 1:][wanted]
    return (losses * chosen).sum(), float(chosen.sum())


def validate(model: Any, examples: Sequence[Example], device: Any = "cpu") -> float:
    """Return the mean loss over the lines of some examples."""
    total = weight = 0.0
    with torch.inference_mode():
        for item in examples:
            loss, share = loss_of(model, [item], device)
            total += float(loss)
            weight += share
    return total / max(weight, 1e-9)


def with_adapter(base: Any, config: AdapterConfig) -> Any:
    """Return the base in bfloat16 with a fresh adapter, nothing else trainable."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(config.seed)
    layers = list(range(config.first_layer, base.config.num_hidden_layers))
    if not layers:
        raise TrainingError(f"first_layer must be below {base.config.num_hidden_layers}, got {config.first_layer}")
    lora = LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        target_modules=list(TARGETS),
        layers_to_transform=layers if config.first_layer else None,
        task_type="CAUSAL_LM",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers for a property under its old name
        return get_peft_model(base.to(torch.bfloat16), lora, autocast_adapter_dtype=False)


def train(
    base: Any,
    tokenizer: Any,
    lessons: Sequence[Lesson],
    out: Path,
    config: AdapterConfig,
    *,
    progress: Callable[[Point, float], None] = lambda point, share: None,
    stop: Callable[[int], bool] = lambda step: False,
) -> Trained:
    """Train an adapter for `base` and write it to `out`, with the curve; go on where an earlier run was stopped.

    `progress` is told each point of the curve and the share that is done. Raises TrainingError if there is nothing to
    learn from, or `out` holds the checkpoint of other settings or data.
    """
    from accelerate import Accelerator

    accelerator = Accelerator()
    numbered = [(number, lesson) for number, lesson in enumerate(lessons)]
    training = [example(lesson, tokenizer, config, number) for number, lesson in numbered if not lesson.held_out]
    validation = [example(lesson, tokenizer, config, number) for number, lesson in numbered if lesson.held_out]
    validation = validation[: config.validation_lessons]
    training = [item for item in training if any(item.weights)]
    if not training:
        raise TrainingError("there is no lesson to learn from; give a folder with more verse")
    model = accelerator.prepare(with_adapter(base, config))
    model.train()
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    masters = torch.nn.ParameterList(parameter.detach().float().clone() for parameter in parameters)
    optimizer = torch.optim.AdamW(masters.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    order = batches(training, config)
    total_tokens = sum(len(training[index].tokens) for batch in order for index in batch)
    identity = f"{asdict(config) | {'max_minutes': 0}}/{len(training)}/{total_tokens}"
    out.mkdir(parents=True, exist_ok=True)
    step, tokens, spent, curve = 0, 0, 0.0, list[Point]()
    if (out / STATE).exists():
        if read_facts(out / STATE)["identity"] != identity:
            raise TrainingError(f"{out} holds a run with other settings or data; give another folder, or delete it")
        state = unpack(out / STATE, {"adapter": masters}, {"adamw": optimizer})
        for master, parameter in zip(masters, parameters, strict=True):
            parameter.data.copy_(master.detach())
        step, tokens, spent = state["step"], state["tokens"], state["seconds"]
        curve = [Point(**point) for point in state["curve"]]
        logger.info("going on from step %d", step)
    started = time.monotonic() - spent
    saved_at = time.monotonic()
    losses = weight = 0.0

    def share() -> float:
        return min(1.0, max(tokens / total_tokens, (time.monotonic() - started) / (60 * config.max_minutes)))

    def add_point() -> None:
        value = validate(model, validation, accelerator.device) if validation else None
        minutes = (time.monotonic() - started) / 60
        curve.append(Point(step, tokens, round(minutes, 2), losses / weight if weight else None, value))
        progress(curve[-1], share())

    def save() -> None:
        facts = {
            "identity": identity,
            "step": step,
            "tokens": tokens,
            "seconds": time.monotonic() - started,
            "curve": [asdict(point) for point in curve],
        }
        write_whole(out / STATE, pack({"adapter": masters}, {"adamw": optimizer}, facts))

    if not curve:
        add_point()
    next_point = share() + 1 / (config.validations + 1)
    finished = True
    while step < len(order) and share() < 1:
        if stop(step):
            finished = False
            break
        batch = [training[index] for index in order[step]]
        # The first hundredth of the time sets no pace: a run that is not short of time depends on its seed alone.
        done = max(tokens / total_tokens, share() - 0.01)
        rate = min(1.0, done / config.warmup + 0.1) * (0.05 + 0.95 * (1 + cos(pi * done)) / 2)
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * rate
        loss, batch_weight = loss_of(model, batch, accelerator.device)
        accelerator.backward(loss / batch_weight)
        for master, parameter in zip(masters, parameters, strict=True):
            master.grad = parameter.grad.float()
            parameter.grad = None
        torch.nn.utils.clip_grad_norm_(masters.parameters(), config.clip)
        optimizer.step()
        for master, parameter in zip(masters, parameters, strict=True):
            parameter.data.copy_(master.detach())
        step += 1
        tokens += sum(len(item.tokens) for item in batch)
        losses += float(loss.detach())
        weight += batch_weight
        logger.debug("step %d, %d tokens, loss %.3f", step, tokens, float(loss.detach()) / batch_weight)
        if share() >= next_point:
            add_point()
            losses = weight = 0.0
            next_point = share() + 1 / (config.validations + 1)
        if time.monotonic() - saved_at > 60 * config.checkpoint_minutes:
            save()
            saved_at = time.monotonic()
    save()
    if finished:
        add_point()
        export(model, list(masters), out)
        save_curve(curve, out)
    return Trained(tuple(curve), finished)


def export(model: Any, masters: Sequence[torch.Tensor], out: Path) -> None:
    """Write the adapter as peft reads it, in half precision."""
    for parameter, master in zip((p for p in model.parameters() if p.requires_grad), masters, strict=True):
        parameter.data = master.to(torch.float16)
    model.save_pretrained(out, save_embedding_layers=False)  # else peft asks the network for the base's configuration
    (out / "README.md").unlink(missing_ok=True)  # peft's empty card; ours is written by hand


def save_curve(curve: Sequence[Point], out: Path) -> None:
    """Write the curve as CSV and as a picture."""
    with (out / CURVE).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["step", "tokens", "minutes", "training", "validation"])
        for point in curve:
            losses = ["" if value is None else f"{value:.4f}" for value in (point.training, point.validation)]
            writer.writerow([point.step, point.tokens, point.minutes, *losses])
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4))
    axes = figure.add_subplot()
    for name in ("training", "validation"):
        known = [(point.tokens, value) for point in curve if (value := getattr(point, name)) is not None]
        if known:
            axes.plot(*zip(*known, strict=True), marker="o", label=name)
    axes.set_xlabel("tokens")
    axes.set_ylabel("nats per token of the lines")
    axes.legend()
    figure.savefig(out / "curve.png", dpi=100, bbox_inches="tight")
