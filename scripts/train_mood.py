"""Fit what moods are read with, on texts that were written and labelled for this project.

    python scripts/train_mood.py                  # writes lyrics/data/mood.json, judges couplets left out
    python scripts/train_mood.py --deep           # writes lyrics/data/meaning: what transformers read moods with
    python scripts/train_mood.py --deep --check   # fits the same without the passages of tests/data, and judges them

The words: ridge regression of the labels (-1 or 1 on both axes) on the signs of `lyrics.mood.Signs`, without a
constant, so that a text of which nothing is known lies in the middle. Exclamation marks are too rare to learn from:
their weight is given.

The readers of `lyrics.meaning`: the sentence encoder learns changes of low rank to the weights of all its layers (LoRA,
Hu et al. 2021, arXiv:2106.09685) and a linear function of the mean state; the language model's state is weighed by a
ridge regression beside it. They learn from five files of passages too, which judge nothing any more; the sixth was
measured once, at the end. All settings were chosen on those five, left out.
"""

import argparse
import dataclasses
import json
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from evaluate_mood import FOLDER, Passage, read_passages
from numpy.typing import NDArray
from safetensors.numpy import save

from lyrics import meaning
from lyrics.document import Line
from lyrics.embedding import PACKAGE, SIZE, embed, load_encoder
from lyrics.meaning import FOLDER as DEEP
from lyrics.model_files import write_model_files
from lyrics.mood import WEIGHTS, Signs, read_signs
from lyrics.parse import parse_lyrics
from lyrics.pronounce import Pronouncer

COUPLETS = Path(__file__).parent / "mood" / "couplets.tsv"
TEXTS = (COUPLETS, *(COUPLETS.with_name(f"{name}.tsv") for name in ("more_couplets", "subjects")))
PASSAGES = tuple(FOLDER / f"{name}.tsv" for name in ("first", "second", "third", "fourth", "fifth"))
_PENALTY = 0.3
_FOLDS = 10
_SHOUTED = {"valence": 0.0, "energy": 0.3}

_RANK = 8  # of the changes to the encoder
_EPOCHS = 5
_RATE = 1e-3  # at its height, after a tenth of the steps; it falls to 0
_BATCH = 32
_DROPOUT = 0.1
_DECAY = 0.01  # of weights
_SURE = 0.95  # that a label is right
_LENGTH = 8.0  # of a mean state before the linear function
_START = 3.0, 2.0  # penalty of the ridge regression that the linear function begins as, and its logits for a label of 1

_STATES_PENALTY = 1.0  # as a share of their variance
_SHARE = 2.0  # of the language model's judgement, -1 to 1, beside the encoder's logits

Floats = NDArray[np.float64]
Tensors = dict[str, NDArray[Any]]


def main() -> None:
    """Fit the one or the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deep", action="store_true", help="fit what transformers read moods with")
    parser.add_argument("--check", action="store_true", help="with --deep: leave out the passages and judge them")
    options = parser.parse_args()
    if options.deep:
        train_deep(check=options.check)
    else:
        train_signs()


def train_deep(*, check: bool) -> None:
    """Fit both readers; write them, or judge passages left out."""
    files = TEXTS if check else TEXTS + PASSAGES
    texts = [text for file in files for text in read_passages(file)]
    tensors = adapt_encoder(texts) | weigh_states(texts)
    if check:
        judge_passages(tensors)
        return
    content = save(tensors)
    write_model_files(DEEP, {"model.safetensors": content})


def judge_passages(tensors: Tensors) -> None:
    """Print how often both readers with these weights are right on each file of passages."""
    model = meaning.MoodModel(tensors)
    for file in PASSAGES:
        passages = read_passages(file)
        lines = [passage.text.split("\n") for passage in passages]
        judged = {"meaning": [model.judge(part) for part in lines]}
        judged["model"] = [model.judge_deeply(part, meaning.reader()) for part in lines]
        for reader, found in judged.items():
            print(f"{file.stem:8} {reader:8} {shares(np.stack(found), targets(passages))}")


def adapt_encoder(texts: Sequence[Passage]) -> Tensors:
    """Let the encoder learn moods; return the two matrices of each layer's change, and the linear function.

    One thread and a seed make it the same every time on one kind of machine. Some minutes.
    """
    import torch
    from torch.nn import functional

    torch.manual_seed(0)
    torch.set_num_threads(1)
    network, changes = changeable_encoder()
    head = torch.nn.Linear(SIZE, 2)
    with torch.no_grad():
        weights, bias = start(texts)
        head.weight.copy_(torch.from_numpy(weights.T / _LENGTH))
        head.bias.copy_(torch.from_numpy(bias))
    tokenizer, _ = load_encoder()
    pieces = [torch.tensor(tokenizer.encode(text.text.replace("\n", " ")).ids) for text in texts]
    goals = torch.from_numpy(((targets(texts) * (2 * _SURE - 1) + 1) / 2).astype(np.float32))
    optimizer = torch.optim.AdamW([*head.parameters(), *changes.values()], weight_decay=_DECAY)
    num_steps = _EPOCHS * -(-len(texts) // _BATCH)
    step = 0
    network.train()
    for epoch in range(_EPOCHS):
        lost = 0.0
        for batch in batches([len(one) for one in pieces], np.random.default_rng(epoch)):
            step += 1
            for group in optimizer.param_groups:
                group["lr"] = _RATE * min(10 * step / num_steps, 1 - step / num_steps)
            ids = torch.nn.utils.rnn.pad_sequence([pieces[index] for index in batch], batch_first=True)
            mask = (ids > 0).float()
            states = network(input_ids=ids, attention_mask=mask).last_hidden_state
            means = functional.normalize((states * mask[:, :, None]).sum(1), dim=1)
            logits = head(functional.dropout(_LENGTH * means, _DROPOUT))
            loss = functional.binary_cross_entropy_with_logits(logits, goals[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            lost += loss.item() * len(batch) / len(texts)
        print(f"epoch {epoch + 1}: loss {lost:.3f}", flush=True)
    solution = np.ascontiguousarray(_LENGTH * head.weight.detach().numpy().T)
    halves = {name: half.detach().numpy().astype(np.float16) for name, half in changes.items()}
    return halves | {"meaning.weights": solution, "meaning.bias": head.bias.detach().numpy()}


def changeable_encoder() -> tuple[Any, dict[str, Any]]:
    """Return the encoder in torch, frozen, and the matrices whose products are added to the weights of its layers."""
    import torch
    from torch.nn import functional
    from transformers import BertModel

    network = BertModel.from_pretrained(import_module(PACKAGE).get_model_path(), local_files_only=True)
    network.requires_grad_(requires_grad=False)
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = _DROPOUT
    changes: dict[str, Any] = {}
    for name, layer in network.encoder.named_modules(prefix="encoder"):
        if isinstance(layer, torch.nn.Linear):
            up = torch.nn.Parameter(torch.zeros(layer.out_features, _RANK))
            down = torch.nn.Parameter(torch.randn(_RANK, layer.in_features) * layer.in_features**-0.5)
            changes |= {f"{name}.up": up, f"{name}.down": down}

            def changed(_: Any, taken: Any, given: Any, up: Any = up, down: Any = down) -> Any:
                return given + functional.dropout(taken[0], _DROPOUT) @ down.T @ up.T

            layer.register_forward_hook(changed)
    return network, changes


def start(texts: Sequence[Passage]) -> tuple[Floats, Floats]:
    """Return the linear function of the embeddings that the encoder gives before it has learned anything of moods."""
    penalty, logit = _START
    rows, labels = embed([text.text.replace("\n", " ") for text in texts]).astype(float), targets(texts)
    middle, mean = rows.mean(0), labels.mean(0)
    solution = ridge(rows - middle, labels - mean, penalty)
    return logit * solution, logit * (mean - middle @ solution)


def batches(lengths: Sequence[int], rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Draw batches that hold every text once; those of a batch are of similar length, so that little is padded."""
    order = rng.permutation(len(lengths))
    pools = [order[start : start + 8 * _BATCH] for start in range(0, len(order), 8 * _BATCH)]
    pools = [pool[np.argsort(np.array(lengths)[pool], kind="stable")] for pool in pools]
    drawn = [pool[start : start + _BATCH] for pool in pools for start in range(0, len(pool), _BATCH)]
    return [drawn[index] for index in rng.permutation(len(drawn))]


def weigh_states(texts: Sequence[Passage]) -> Tensors:
    """Fit what the language model's states say of moods; return weights and bias."""
    rows = np.stack([meaning.read_state(meaning.reader(), text.text.split("\n")) for text in texts]).astype(float)
    labels = targets(texts)
    middle, mean = rows.mean(0), labels.mean(0)
    penalty = _STATES_PENALTY * rows.var(0).sum()
    solution = _SHARE * ridge(rows - middle, labels - mean, penalty)
    bias = _SHARE * mean - middle @ solution
    return {"model.weights": solution.astype(np.float32), "model.bias": bias.astype(np.float32)}


def train_signs() -> None:
    """Judge by couplets left out, fit on all of them and write the weights."""
    passages = read_passages(COUPLETS)
    signs, labels = features(passages), targets(passages)
    print_left_out(lambda rest, left_out: signs[left_out] @ ridge(signs[rest], labels[rest], _PENALTY), labels)
    names = [field.name for field in dataclasses.fields(Signs)]
    solution = ridge(signs, labels, _PENALTY)
    weights = {
        axis: {name: round(float(solution[row, column]), 3) for row, name in enumerate(names)}
        | {"shouted": _SHOUTED[axis]}
        for column, axis in enumerate(("valence", "energy"))
    }
    WEIGHTS.write_text(json.dumps(weights, indent=1) + "\n", encoding="utf-8")


def print_left_out(judge: Callable[[NDArray[np.intp], NDArray[np.intp]], Floats], labels: Floats) -> None:
    """Fit on nine tenths and judge the last, ten times; `judge` takes the rows of both, and fits anew."""
    order = np.random.default_rng(0).permutation(len(labels))
    judged = np.zeros_like(labels)
    for fold in range(_FOLDS):
        left_out = order[fold::_FOLDS]
        judged[left_out] = judge(np.setdiff1d(order, left_out), left_out)
    print(f"{len(labels)} texts, left out in turn: {shares(judged, labels)}")


def shares(judged: NDArray[Any], labels: Floats) -> str:
    """Say how often the signs are those of the labels."""
    right = np.sign(judged) == labels
    valence, energy = right.mean(0)
    return f"quadrant {right.all(1).mean():.1%}, valence {valence:.1%}, energy {energy:.1%}"


def features(passages: Sequence[Passage]) -> Floats:
    """Return the signs of each passage, a row each."""
    pronouncer = Pronouncer()
    return np.array([dataclasses.astuple(read_signs(lines_of(passage, pronouncer))[0]) for passage in passages])


def lines_of(passage: Passage, pronouncer: Pronouncer) -> list[Line]:
    """Return the lines of a passage."""
    return [line for section in parse_lyrics(passage.text, pronouncer).sections for line in section.lines]


def targets(passages: Sequence[Passage]) -> Floats:
    """Return valence and energy of each label as -1 or 1."""
    return np.array([[1 if "glad" in p.label else -1, 1 if "excited" in p.label else -1] for p in passages], float)


def ridge(rows: Floats, labels: Floats, penalty: float) -> Floats:
    """Solve for the weights, a column per axis."""
    return np.asarray(np.linalg.solve(rows.T @ rows + penalty * np.eye(rows.shape[1]), rows.T @ labels), float)


if __name__ == "__main__":
    main()
