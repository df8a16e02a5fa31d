import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from lyrics.parse import parse_lyrics
from pipeline.cli import app

QUICK = ["--form", "C", "--lines", "2", "--syllables", "5"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with a tiny random language model."""
    spec = importlib.util.spec_from_file_location("tiny_lm", Path(__file__).parents[1] / "lyrics" / "tiny_lm.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.save_tiny_model(tmp_path_factory.mktemp("model")))


@pytest.fixture(autouse=True)
def _no_embedding_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def embed(texts: list[str]) -> Any:
        rows = np.random.default_rng(0).normal(size=(len(texts), 384))
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    monkeypatch.setattr("lyrics.embedding.embed", embed)


def run(*arguments: str, text: str | None = None) -> Any:
    return CliRunner().invoke(app, list(arguments), input=text)


def test_write_prints_lyrics_and_nothing_else(folder: str) -> None:
    result = run("write", "a night train", "--model", folder, *QUICK)
    assert result.exit_code == 0, result.output
    parsed = parse_lyrics(result.stdout)
    assert [section.role for section in parsed.sections] == ["chorus"]
    assert [len(line.syllables) for line in parsed.sections[0].lines] == [5, 5]
    assert result.stderr == ""


def test_write_to_a_file_and_as_json(folder: str, tmp_path: Path) -> None:
    target = tmp_path / "words.txt"
    result = run("write", "a night train", "--model", folder, *QUICK, "-o", str(target), "--json")
    assert result.exit_code == 0, result.output
    shown = json.loads(result.stdout)
    assert shown["text"] == target.read_text(encoding="utf-8")
    assert shown["sections"][0]["lines"][0]["num_syllables"] == 5
    again = run("write", "a night train", "--model", folder, *QUICK, "-o", str(target))
    assert again.exit_code == 2
    assert "--force" in again.stderr


def test_song_writes_words_and_music(folder: str, tmp_path: Path) -> None:
    arguments = ["--model", folder, *QUICK, "--key", "D major", "-f", "json,txt", "-o", str(tmp_path)]
    result = run("song", "a night train", *arguments)
    assert result.exit_code == 0, result.output
    paths = [Path(line) for line in result.stdout.splitlines()]
    assert sorted(path.suffix for path in paths) == [".json", ".txt"]
    assert (
        json.loads(next(path for path in paths if path.suffix == ".json").read_text())["settings"]["key"] == "D major"
    )


def test_song_refuses_a_place_before_it_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.commands.write._write", lambda *arguments: pytest.fail("too late"))
    (tmp_path / "file").touch()
    result = run("song", "a night train", "-o", str(tmp_path / "file"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"Error: {tmp_path / 'file'} is a file; give a folder for the output\n"


def test_words_are_shown_if_the_song_cannot_be_written(folder: str, tmp_path: Path) -> None:
    arguments = ["song", "a night train", "--model", folder, *QUICK, "--title", "Rain", "-f", "json", "-o"]
    (tmp_path / "rain.json").touch()
    result = run(*arguments, str(tmp_path))
    assert (result.exit_code, result.stdout) == (2, "")
    words, _, complaint = result.stderr.strip().rpartition("\n")
    assert "rain.json exists already; use --force" in complaint
    assert len(parse_lyrics(words).sections[0].lines) == 2


def test_a_hyphen_is_standard_output(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("write", "a night train", "--model", folder, *QUICK, "-o", "-")
    assert parse_lyrics(result.stdout).sections
    assert not list(tmp_path.iterdir())


def test_rewrite_keeps_its_input(tmp_path: Path) -> None:
    source = tmp_path / "words.txt"
    source.write_text("Here I am\n")
    result = run("rewrite", str(source), "--line", "v1.1", "-o", str(source), "--force")
    assert (result.exit_code, source.read_text()) == (2, "Here I am\n")
    assert "never overwritten" in result.stderr


def test_rewrite_changes_one_line(folder: str, tmp_path: Path) -> None:
    words = "[Verse]\nI walk alone at night\nThe road is long and white\n"
    source = tmp_path / "words.txt"
    source.write_text(words)
    result = run("rewrite", str(source), "--line", "v1.2", "--model", folder)
    assert result.exit_code == 0, result.output
    lines = result.stdout.split("\n")
    assert lines[:2] == words.split("\n")[:2]
    assert lines[2] != words.split("\n")[2]
    assert len(lines) == 4
    several = run("rewrite", "-", "--line", "v1.2", "--choices", "2", "--model", folder, text=words)
    assert 1 <= len(several.stdout.splitlines()) <= 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["write", ""], "theme is empty"),
        (["write", "rain", "--form", "V-Q"], "the form 'V-Q' has 'q'"),
        (["write", "rain", "--syllables", "1", "--metre", "iambic"], "cannot be iambic"),
        (["write", "rain", "--title", "Orange", "--rhyme", "AABB"], "rhymes with 'Orange'"),
        (["write", "rain", "--model", "/nowhere/at/all"], "/nowhere/at/all"),
        (["song", "rain", "--key", "H major"], "H major"),
        (["song", "rain", "--format", "docx"], "docx"),
        (["rewrite", "-"], "--line v1.3 or --section c1"),
        (["rewrite", "-", "--line", "b1.1"], "there is no 'b1.1'"),
        (["rewrite", "-", "--line", "v1"], "v1 is a section; write --section v1, or --line v1.1"),
        (["rewrite", "-", "--line", "v1.1", "--section", "v1"], "not both"),
        (["rewrite", "-", "--line", "v1.1", "--choices", "0"], "choices must be from 1 to 20"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(arguments: list[str], message: str) -> None:
    result = run(*arguments, text="Here I am\n")
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""
