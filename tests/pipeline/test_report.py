"""The report of `songwright evaluate` on tables, documents and a checkpoint made in the test."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from typer.testing import CliRunner

from melody.joint import JointConfig
from pipeline import report
from pipeline.cli import app
from pipeline.errors import SettingsError

pa = pytest.importorskip("pyarrow")
pytest.importorskip("matplotlib")
import pyarrow.parquet as pq  # noqa: E402

WORDS = "the riv er runs to meet the sea and so do I the wa ter knows the way to fall and rise".split()
SYLLABIC = [1, 2, 4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 4, 1, 1, 1, 1, 1, 1, 1]
GROUPS = ("a", "14", "b", "15", "2", "3")  # two held out, two for tuning, two to learn from


def song_row(number: int, group: str) -> dict[str, Any]:
    """Make 64 notes, eight to a line, that wander by steps; other songs wander otherwise."""
    rng = np.random.default_rng(number)
    count = 64
    scale = [60, 62, 64, 65, 67, 69, 71, 72]
    pitch = [scale[int(np.clip(3 + step, 0, 7))] for step in np.cumsum(rng.integers(-1, 2, count)) % 5]
    words, syllabic = (WORDS * 3)[:count], (SYLLABIC * 3)[:count]
    return {
        "song_id": f"made/{number}", "dataset": "bbloomf_songs", "group": group, "part": "melody", "verse": "1",
        "language": "en", "time_sig": "4/4", "n_time_changes": 0, "n_key_changes": 0, "n_syllables": count,
        "n_notes": count, "key_fifths": 0.0, "key_mode": "major", "tempo_bpm": None, "pitch": [*pitch[:-1], 60],
        "onset": [0.5 * i for i in range(count)], "dur": [0.5] * count, "beat": [0.5 * (i % 8) for i in range(count)],
        "measure": [i // 8 for i in range(count)], "syllable": words, "syllabic": syllabic,
        "line_id": [i // 8 for i in range(count)], "chord_onset": [0.0], "chord": ["C"], "repeats": [],
        "lines": [" ".join(words[i : i + 8]) for i in range(0, count, 8)],
    }  # fmt: skip


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "songs.parquet"
    pq.write_table(pa.Table.from_pylist([song_row(i, group) for i, group in enumerate(GROUPS)]), path)
    return path


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    rows = [
        {
            "id": str(i), "part": 0, "paper_split": "valid" if i < 4 else "train", "syllables": WORDS[:20],
            "words": WORDS[:20], "word_id": list(range(20)), "pitch": rng.integers(60, 66, 20).tolist(),
            "dur": rng.choice([0.5, 1.0, 2.0], 20).tolist(), "rest": rng.choice([0.0, 0.0, 1.0], 20).tolist(),
        }
        for i in range(14)
    ]  # fmt: skip
    path = tmp_path_factory.mktemp("data") / "lines.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def checkpoint(folder: Path, *, anchored: bool) -> Path:
    """Write a joint model with random weights."""
    config = JointConfig(
        rests=(0, 480), durations=(240, 480, 960), num_pitches=24, lowest=-6 if anchored else 54, anchored=anchored,
        hidden=8, head=6, key=3,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    folder.mkdir()
    save_file(
        {name: rng.normal(0, 0.2, shape).astype(np.float32) for name, shape in config.shapes.items()},
        folder / "model.safetensors",
    )
    (folder / "config.json").write_text(config.to_json())
    return folder


def rows_of(made: report.Report) -> dict[str, report.Row]:
    return {row.name: row for row in made.rows}


def test_a_table_against_itself_is_at_no_distance(songs: Path) -> None:
    rows = rows_of(report.evaluate(songs, songs))
    assert rows["JS interval"].judged == 0
    assert rows["pooled PD"].judged == pytest.approx(1)
    assert rows["per-song MD"].judged == 0
    assert rows["2-note repetitions"].judged == rows["2-note repetitions"].real
    assert rows["stressed syllable stronger"].judged == rows["stressed syllable stronger"].real
    noise = rows["JS interval"].random_notes
    assert noise is not None
    assert noise > 0


def test_lines_of_twenty_notes_keep_the_rests_between_them(songs: Path) -> None:
    data = report.read_data(songs)
    assert (data.kind, len(data.real.songs), len(data.real.lines)) == ("songs", 2, 6)  # 64 notes: three lines each
    assert data.real.lines.tonic is not None
    assert data.real.groups == ("a", "14")
    assert data.real.lines.onset_interval.tolist() == [[0.5] * 19] * 6


def test_a_checkpoint_sings_the_words_of_the_held_out_songs(songs: Path, tmp_path: Path) -> None:
    made = report.evaluate(checkpoint(tmp_path / "model", anchored=True), songs, seed=1)
    assert made.counts["judged songs"] == 2
    rows = rows_of(made)
    assert rows["stressed syllable stronger"].judged is not None
    assert rows["per-song PD"].judged is not None
    again = report.evaluate(tmp_path / "model", songs, seed=1)
    assert again.rows == made.rows


def test_a_checkpoint_for_lines_is_judged_on_lines(lines: Path, tmp_path: Path) -> None:
    made = report.evaluate(checkpoint(tmp_path / "model", anchored=False), lines, most=3)
    assert (made.kind, made.counts["judged lines"], made.counts["judged songs"]) == ("lines", 3, 0)
    assert "per-song PD" not in rows_of(made)
    assert made.histograms["duration"]["judged"].keys() <= {"0.5", "1", "2"}


def test_any_function_that_sings_can_be_judged(songs: Path) -> None:
    data = report.read_data(songs)
    judged = report.of_singer(lambda words: list(report._of_songs(words).songs), data)
    made = report.report(judged, data, "people", "people")
    assert rows_of(made)["JS interval"].judged == 0
    with pytest.raises(ValueError, match="every song once"):
        report.of_singer(lambda words: [], data)


def test_song_documents_are_compared_song_by_song_if_they_are_named_so(songs: Path, tmp_path: Path) -> None:
    from pipeline.compose import compose

    text = "The river runs to meet the sea\nand so do I along the way\n" * 2
    for number in range(2):
        (tmp_path / f"made__{number}.json").write_text(compose(text, seed=number).to_json(), encoding="utf-8")
    rows = rows_of(report.evaluate(tmp_path, songs))
    assert rows["per-song PD"].judged is not None
    assert rows["rests inside a word, per song"].judged == 0
    (tmp_path / "made__1.json").rename(tmp_path / "another.json")
    rows = rows_of(report.evaluate(tmp_path, songs))
    assert rows["per-song PD"].judged is None
    assert rows["pooled PD"].judged is not None


def test_a_midi_file_is_measured_like_the_document_that_it_was_written_from(songs: Path, tmp_path: Path) -> None:
    from pipeline.compose import compose
    from pipeline.midi import write_midi

    text = (
        "Yellow is the river when the winter rain is over\nAnd yellow was the paper of the letter that you sent\n" * 2
    )
    documents, tunes = tmp_path / "documents", tmp_path / "tunes"
    documents.mkdir()
    tunes.mkdir()
    for number in range(3):
        song = compose(text, seed=number, meter="4/4", key="G major", midi_lyrics="hyphen")
        (documents / f"song{number}.json").write_text(song.to_json(), encoding="utf-8")
        write_midi(song, tunes / f"song{number}.mid")
    ours, theirs = rows_of(report.evaluate(documents, songs)), rows_of(report.evaluate(tunes, songs))
    same = ("pooled PD", "intervals: step", "last note on the tonic", "stressed syllable stronger", "JS interval")
    for name in (*same, "content monosyllables on strong beats", "function words on strong beats", "notes in key"):
        assert theirs[name].judged == pytest.approx(ours[name].judged), name
    assert theirs["pooled DD"].judged == pytest.approx(ours["pooled DD"].judged, abs=0.02)


def test_tunes_without_words_are_measured_and_documents_go_before_tunes_of_their_name(
    songs: Path, tmp_path: Path
) -> None:
    from pipeline.compose import compose

    tunes = Path(__file__).parents[2] / "examples" / "tunes"
    (tmp_path / "one.mid").write_bytes((tunes / "the_kesh.mid").read_bytes())
    with pytest.raises(SettingsError, match="too short to measure"):
        report.evaluate(tmp_path, songs)
    (tmp_path / "other.mid").write_bytes((tunes / "the_south_wind.mid").read_bytes())
    rows = rows_of(report.evaluate(tmp_path, songs))
    assert rows["notes in key"].judged == 1
    (tmp_path / "one.json").write_text(compose("The river runs to meet the sea\n" * 4).to_json(), encoding="utf-8")
    made = report.evaluate(tmp_path, songs)
    assert made.counts["judged songs"] == 2
    assert rows_of(made)["intervals: step"].judged != rows["intervals: step"].judged
    (tmp_path / "two.mid").write_bytes(b"MThd")
    with pytest.raises(SettingsError, match="cannot be measured"):
        report.evaluate(tmp_path, songs)


def test_the_command_prints_the_table_and_writes_both_files(lines: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["evaluate", str(lines), "--data", str(lines), "-o", str(tmp_path / "out")])
    assert result.exit_code == 0
    assert "self-repeated 4-grams" in result.stdout
    saved = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert saved["counts"]["real lines"] == 4
    assert (tmp_path / "out" / "evaluation.png").read_bytes().startswith(b"\x89PNG")
    result = CliRunner().invoke(app, ["evaluate", str(lines), "--data", str(lines), "-o", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert "--force" in result.stderr


@pytest.mark.parametrize(
    ("subject", "data", "message"),
    [
        ("nowhere", "songs", "there is no file or folder"),
        ("empty", "songs", "neither a checkpoint"),
        ("wrong", "songs", "is no checkpoint that can be evaluated"),
        ("text", "songs", "is not a song document"),
        ("songs", "text", "cannot read"),
        ("songs", "columns", "no column"),
    ],
)
def test_bad_input_is_one_sentence(subject: str, data: str, message: str, songs: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "wrong").mkdir()
    (tmp_path / "wrong" / "model.safetensors").write_bytes(b"no weights")
    (tmp_path / "wrong" / "config.json").write_text("{}")
    (tmp_path / "text.json").write_text("[1, 2]")
    pq.write_table(pa.table({"pitch": [[60]]}), tmp_path / "columns.parquet")
    paths = {
        "nowhere": tmp_path / "nowhere", "empty": tmp_path / "empty", "wrong": tmp_path / "wrong",
        "text": tmp_path / "text.json", "columns": tmp_path / "columns.parquet", "songs": songs,
    }  # fmt: skip
    with pytest.raises(SettingsError, match=message):
        report.evaluate(paths[subject], paths[data])
    result = CliRunner().invoke(app, ["evaluate", str(paths[subject]), "--data", str(paths[data])])
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1


def test_the_two_sample_test_needs_songs(lines: Path) -> None:
    with pytest.raises(SettingsError, match="table of songs"):
        report.evaluate(lines, lines, two_sample=True)
