"""Training that survives a kill: the whole state in one file, replaced in one step.

Nothing here is pickled. The tensors of network and optimiser lie in a safetensors file, and everything else as JSON in
its header, so that there is never a half of a checkpoint: it is written under another name and renamed.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from lyrics.errors import ModelFileError

STATE = "state.safetensors"


def pack(modules: Mapping[str, nn.Module], optimizers: Mapping[str, torch.optim.Optimizer], facts: Any) -> bytes:
    """Return a checkpoint: weights of modules, states of their optimisers, and facts that JSON can hold."""
    tensors: dict[str, Tensor] = {}
    numbers: dict[str, Any] = {}
    for name, module in modules.items():
        tensors |= {f"module/{name}/{key}": value.contiguous() for key, value in module.state_dict().items()}
    for name, optimizer in optimizers.items():
        content = optimizer.state_dict()
        numbers[name] = content["param_groups"]
        for index, entries in content["state"].items():
            tensors |= {f"optimizer/{name}/{index}/{key}": value.contiguous() for key, value in entries.items()}
    return bytes(save(tensors, {"facts": json.dumps(facts), "optimizers": json.dumps(numbers)}))


def unpack(
    path: Path, modules: Mapping[str, nn.Module], optimizers: Mapping[str, torch.optim.Optimizer]
) -> dict[str, Any]:
    """Load a checkpoint into modules and optimisers of the same shapes; return its facts."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}
            header = file.metadata()
        for name, module in modules.items():
            prefix = f"module/{name}/"
            module.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
        groups = json.loads(header["optimizers"])
        for name, optimizer in optimizers.items():
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in tensors.items():
                kind, _, rest = key.partition(f"/{name}/")
                if kind == "optimizer":
                    index, _, entry = rest.partition("/")
                    state.setdefault(int(index), {})[entry] = value
            optimizer.load_state_dict({"state": state, "param_groups": groups[name]})
        facts: dict[str, Any] = json.loads(header["facts"])
    except (SafetensorError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ModelFileError(
            f"{path} is not a checkpoint that this version can go on from; delete it, or train into another folder"
        ) from error
    return facts


def read_facts(path: Path) -> dict[str, Any]:
    """Return the facts of a checkpoint without its tensors."""
    return unpack(path, {}, {})
