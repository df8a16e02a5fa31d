import json
from pathlib import Path
from types import ModuleType

import pytest

from lyrics.writing.line import Effort


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "scripts"))
    import evaluate_writing

    return evaluate_writing


def run(script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *options: str) -> list[str]:
    """Run the script with a writer that notes what it was asked for; return that."""
    asked: list[str] = []
    how: list[tuple[float, float | None]] = []

    def write(request, plans, model, effort, top_p=None):  # type: ignore[no-untyped-def]
        asked.append(f"{request.theme} {request.seed}")
        how.append((effort.temperature, top_p))
        return [["the rain"] * len(plan.syllables) for plan in plans if plan.repeats < 0]

    class Models:
        ours = base = None

        def __init__(self, name: str | None) -> None:
            pass

    monkeypatch.setattr(script, "_constrained", write)
    monkeypatch.setattr(script, "_freely", write)
    monkeypatch.setattr(script, "_Models", Models)
    monkeypatch.setattr(script, "nats_per_token", lambda base, lines: 3.0)
    monkeypatch.setattr(script, "embed", lambda texts: __import__("numpy").ones((len(texts), 4)))
    (tmp_path / "themes.txt").write_text("rain\nsnow\nwind\n")
    arguments = ["--themes", str(tmp_path / "themes.txt"), "--forms", "V", "H", "--store", str(tmp_path / "store")]
    monkeypatch.setattr("sys.argv", ["evaluate_writing.py", *arguments, *options])
    script.main()
    if "loose" in options:
        assert set(how) == {(1.0, None)}
    elif "base" in options:
        assert set(how) == {(Effort().temperature, 0.95)}
    return asked


def test_two_processes_share_the_lyrics_and_a_last_call_measures_them(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = run(script, monkeypatch, tmp_path, "--shard", "0/2")
    second = run(script, monkeypatch, tmp_path, "--shard", "1/2")
    assert len(first) == len(second) == 6  # three lyrics, each by two writers
    assert sorted({*first, *second}) == ["rain 0", "rain 1", "snow 2", "snow 3", "wind 4", "wind 5"]
    assert run(script, monkeypatch, tmp_path, "--json", str(tmp_path / "table.json")) == []
    table = json.loads((tmp_path / "table.json").read_text())
    assert table["ours"]["lyrics"] == table["base"]["lyrics"] == 6
    assert table["ours"]["form as asked, %"] == 100
    assert table["ours"]["exact syllables, % of lines"] == 0
    assert table["ours"]["identity rhymes, % of lines"] == 100
    assert table["ours"]["the same, lines that come back counted once"] == 0.1667  # "the rain" once in each of six


def test_the_base_model_is_sampled_as_carefully_as_ours_or_loosely(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert run(script, monkeypatch, tmp_path, "--writers", "base")
    assert run(script, monkeypatch, tmp_path, "--writers", "loose")


def test_an_ended_run_is_taken_up_even_from_half_a_line(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    everything = run(script, monkeypatch, tmp_path, "--writers", "ours")
    (file,) = (tmp_path / "store").iterdir()
    rows = file.read_text().splitlines()
    file.write_text("\n".join(rows[:4]) + "\n" + rows[4][:20])
    assert run(script, monkeypatch, tmp_path, "--writers", "ours") == everything[4:]
    assert run(script, monkeypatch, tmp_path, "--writers", "ours") == []
