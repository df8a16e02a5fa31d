import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lyrics import model_store
from pipeline.cli import app


@pytest.fixture(autouse=True)
def _nothing_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SONGWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(model_store, "_hub_snapshot", lambda hub_id, offline: None)
    monkeypatch.setattr(model_store, "_hub_is_reachable", lambda hub_id: False)


def test_models_are_listed_with_size_and_licence() -> None:
    result = CliRunner().invoke(app, ["models"])
    assert result.exit_code == 0
    first = result.stdout.splitlines()[0]
    assert first.startswith("smollm2-135m-instruct")
    assert "to fetch" in first
    assert "93 MB" in first
    assert "Apache-2.0" in first


def test_the_list_is_one_json_object() -> None:
    rows = json.loads(CliRunner().invoke(app, ["models", "--json"]).stdout)["models"]
    assert [row["name"] for row in rows if row["default"]] == ["smollm2-135m-instruct"]
    assert all(row["present"] is False and row["folder"] is None for row in rows)


def test_what_cannot_be_pulled_is_one_sentence() -> None:
    for name, code in (("no model", 2), ("nobody/nothing", 1)):
        result = CliRunner().invoke(app, ["models", "pull", name])
        assert result.exit_code == code
        assert result.stderr.startswith("Error: ")
        assert len(result.stderr.splitlines()) == 1
        assert result.stdout == ""


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["models", "pull", "--from", str(tmp_path / "none.whl")])
    assert result.exit_code == 2
    assert "there is no file" in result.stderr
