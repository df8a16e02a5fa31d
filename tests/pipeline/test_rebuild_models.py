"""The script that trains every model anew: its steps, and what it does with their results."""

import runpy
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lyrics.model_files import read_model_file

ROOT = Path(__file__).parents[2]


@pytest.fixture
def script() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "scripts" / "rebuild_models.py"))


def test_every_step_is_a_script_that_is_there(script: dict[str, Any]) -> None:
    commands = script["steps"](Path("songs.parquet"), Path("run"))
    names = [command[1] for command in commands.values() if command[1] != "-c"]
    assert all((ROOT / name).is_file() for name in names)
    assert next(iter(commands)) == "g2p"
    assert list(commands)[-1] == "joint"


def test_every_weight_that_composing_loads_is_compared(script: dict[str, Any]) -> None:
    files = script["sums"]()
    weights = [path for package in ("align", "melody") for path in (ROOT / package).rglob("*.safetensors")]
    assert {str(path.relative_to(ROOT)) for path in weights} <= set(files)
    assert {"align/data/rhythm/fitted.json", "melody/data/critic/fitted.json"} <= set(files)


def test_steps_run_in_turn_and_the_joint_network_is_put_in_its_place(
    script: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []

    def run(command: list[str], **_: Any) -> None:
        ran.append(command[1])
        if "melody" in command and "train" in command:
            folder = Path(command[command.index("--out") + 1])
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "gan.safetensors").write_bytes(b"weights")
            (folder / "config.json").write_bytes(b"{}")

    monkeypatch.setattr(subprocess, "run", run)
    joint, data = tmp_path / "joint", tmp_path / "songs.parquet"
    data.write_bytes(b"")
    main = script["main"]
    monkeypatch.setitem(main.__globals__, "JOINT", joint)
    monkeypatch.setattr("sys.argv", ["rebuild_models.py", str(data), "--first", "melody-tables-with-critic"])
    main()
    assert ran == ["scripts/fit_melody.py", "-c"]
    assert read_model_file(joint / "model.safetensors") == b"weights"
    printed = capsys.readouterr().out
    assert "as it was align/data/rhythm/model.safetensors" in printed
    assert "differs" not in printed


def test_without_data_nothing_is_run(
    script: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["rebuild_models.py", str(tmp_path / "none.parquet")])
    with pytest.raises(SystemExit):
        script["main"]()
    assert "there is no file" in capsys.readouterr().err
