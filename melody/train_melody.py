"""`songwright train melody`: read a config and data, run the stages, and say which weights to use."""

import json
import logging
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from melody import checkpoint
from melody.joint_data import DataError
from melody.lstm import ModelError
from melody.train_joint import CONFIGS, TrainJointConfig, parse_config, read_data, train_lstm

logger = logging.getLogger(__name__)

STAGES = ("lstm", "gan", "all")

__all__ = ["STAGES", "DataError", "ModelError", "read_config", "train_melody"]


def read_config(name: str, seed: int | None = None) -> TrainJointConfig:
    """Return a config by name, or read what a JSON file changes in the full one; ValueError if it is neither."""
    if name in CONFIGS:
        config = CONFIGS[name]
    else:
        path = Path(name)
        if path.suffix != ".json":
            raise ValueError(f"config must be one of {', '.join(CONFIGS)} or a .json file, got {name!r}")
        try:
            config = parse_config(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ValueError(f"cannot read {path}: {error.strerror or error}") from error
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}: {error}") from error
    return config if seed is None else replace(config, seed=seed)


def train_melody(
    data: Path,
    out: Path,
    config: TrainJointConfig,
    stage: str = "all",
    *,
    cpu: bool = False,
    progress: Callable[[str, float], None] = lambda text, share: None,
) -> list[Path]:
    """Run the stages asked for; return the files that matter.

    The LSTM is model.safetensors and the generator that came out of the adversarial stage gan.safetensors; stages.json
    says how far each lies from people (see melody.gan.distance), and which to use is the reader's choice. Raises
    DataError for data that cannot be learned from, ModelError for a folder that holds another run, OSError if the disk
    is full: the last good files stay.
    """
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1 if os.cpu_count() in (1, 2, None) else 4)
    if out.exists() and not out.is_dir():
        raise ModelError(f"{out} is a file, not a folder for a run")
    if stage == "gan" and config.gan.pretrained and not (out / "model.safetensors").exists():
        raise ModelError(f"{out} holds no trained LSTM; train the stage lstm first, or all")
    content = read_data(data, config)
    first_process = os.environ.get("RANK", "0") == "0"  # of several that `accelerate launch` started
    written: list[Path] = []
    if stage in ("lstm", "all"):
        train_lstm(content, config, out, cpu=cpu, progress=progress)
        written += [out / "model.safetensors", out / "lstm.csv", out / "lstm.png"]
    if stage in ("gan", "all"):
        from melody.gan import train_gan

        trained = train_gan(content, config, out, cpu=cpu, progress=progress)
        best = min(trained.history, key=lambda row: row["distance"])
        first = trained.history[0]
        if not first_process:
            return []
        logger.info(
            "the GAN's best round is %d: distance %.2f, before it %.2f", best["round"], best["distance"],
            first["distance"],
        )  # fmt: skip
        written += [out / "gan.safetensors", out / "discriminator.safetensors", out / "gan.csv", out / "gan.png"]
        facts = {"lstm": first["distance"], "gan": best["distance"], "round": best["round"]}
        checkpoint.write_whole(out / "stages.json", (json.dumps(facts, indent=2) + "\n").encode())
        written.append(out / "stages.json")
    return written if first_process else []
