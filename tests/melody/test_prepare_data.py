"""The script that prepares training data, run as a user runs it."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

pa = pytest.importorskip("pyarrow")
import pyarrow.parquet as pq  # noqa: E402

SCRIPTS = Path(__file__).parents[2] / "scripts"
WORDS = "the ri ver runs to meet the sea and".split()


def song(number: int, **changes: Any) -> dict[str, Any]:
    count = len(WORDS)
    return {
        "song_id": f"made up {number}", "dataset": "bbloomf_songs", "part": "melody", "group": f"{number:x}",
        "language": "en", "verse": "1", "time_sig": "4/4", "n_time_changes": 0, "n_key_changes": 0, "key_fifths": 0.0,
        "key_mode": "major", "tempo_bpm": 90.0, "n_notes": count, "n_syllables": count,
        "pitch": [60, 62, 64, 65, 67, 65, 64, 62, 60], "onset": [float(i) for i in range(count)],
        "dur": [1.0] * count, "measure": [i // 4 for i in range(count)], "beat": [float(i % 4) for i in range(count)],
        "syllable": WORDS, "syllabic": [1, 2, 4, 1, 1, 1, 1, 1, 1], "line_id": [0] * count, "section_id": [0] * count,
        "chord_onset": [0.0], "chord": ["C"], "repeats": ["1:repeat-backward"] if number == 2 else [],
        "lines": [" ".join(WORDS)],
    } | changes  # fmt: skip


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.setattr(sys, "argv", ["prepare_data.py", *map(str, arguments)])
    import_module("prepare_data").main()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "songs.parquet"
    rows = [song(2), song(3), song(4, time_sig="7/8"), song(5, language="de"), song(10)]
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def test_it_prints_what_it_did_and_writes_the_table(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "training.parquet"
    run(monkeypatch, table, "-o", out, "--transpose", "2", "--picture", tmp_path / "data.png")
    printed = capsys.readouterr().out
    assert "4 rows read; 3 rows kept" in printed
    assert "1  free or rare metre" in printed
    assert "1 songs written out with their repeats, from 1 verses" in printed
    rows = pq.read_table(out).to_pylist()
    assert [row["transposed"] == 0 for row in rows] == [True, False, False, True, False, False, True]
    assert [len(row["pitch"]) for row in rows] == [17, 17, 17, 9, 9, 9, 9]
    assert sum(row["weight"] for row in rows) == pytest.approx(3)
    assert (tmp_path / "data.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(SystemExit, match="exists"):
        run(monkeypatch, table, "-o", out)


def test_bad_tables_end_it_with_one_sentence(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"song_id": ["a"]}), other)
    with pytest.raises(SystemExit, match="it has no column beat, chord"):
        run(monkeypatch, other, "-o", tmp_path / "out.parquet")
    other.write_text("text")
    with pytest.raises(SystemExit, match="cannot read"):
        run(monkeypatch, other, "-o", tmp_path / "out.parquet")
    with pytest.raises(SystemExit, match="no row can be used"):
        run(monkeypatch, table, "-o", tmp_path / "out.parquet", "--language", "fr")
    assert not (tmp_path / "out.parquet").exists()
