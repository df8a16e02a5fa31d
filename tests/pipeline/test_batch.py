import csv
import gzip
import importlib.util
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from typer.testing import CliRunner, Result

from lyrics.pronounce import Pronouncer
from pipeline.batch.inputs import Row, open_source, read_rows
from pipeline.batch.job import Columns, Job
from pipeline.batch.local import WorkerError, run_pool
from pipeline.batch.rows import Composed, Failure, compose_row, compose_rows, song_seed
from pipeline.batch.run import run_batch
from pipeline.batch.seen import SeenIds
from pipeline.batch.shards import RowDone, Shard, ShardDone
from pipeline.cli import app
from pipeline.compose import compose
from pipeline.song import Song

WORDS = "river morning silver window carry shadow winter hollow summer stone water paper yellow garden candle".split()
NOT_EXACT = re.compile(r"log\.txt|timing/.*")  # what may differ between runs


def lyrics(number: int) -> str:
    """Return two short lines, other ones for every number."""
    first, second = WORDS[number % 15], WORDS[number // 15 % 15]
    return f"The {first} is gone\nMy {second} and I"


def write_rows(path: Path, count: int) -> Path:
    rows = [{"id": f"song-{number}", "lyrics": lyrics(number)} for number in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def run(*arguments: str | Path, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(app, ["batch", *map(str, arguments)], input=stdin)


def contents(folder: Path) -> dict[str, bytes]:
    """Return the exact files of a batch by name."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if not NOT_EXACT.fullmatch(name)}


def errors(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "errors.jsonl").read_text(encoding="utf-8").splitlines()]


def table(folder: Path, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for path in sorted((folder / name).iterdir()):
        rows += pyarrow.parquet.read_table(path).to_pylist()
    return rows


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with ten rows in shards of four, made in one process without a disturbance."""
    folder = tmp_path_factory.mktemp("plain")
    result = run(write_rows(folder / "in.jsonl", 10), "-o", folder / "out", "--shard-size", "4", "-w", "1", "-f", "mid")
    assert result.exit_code == 0, result.stderr
    return folder


# --- what comes out --------------------------------------------------------------------------------------------------


def test_every_row_becomes_the_song_that_compose_gives(plain: Path) -> None:
    songs, features = table(plain / "out", "songs"), table(plain / "out", "features")
    assert [song["id"] for song in songs] == [f"song-{number}" for number in range(10)]
    for number in (0, 7):
        song = compose(lyrics(number), seed=features[number]["seed"])
        assert songs[number]["document"] == song.to_json()
        assert features[number]["key"] == str(song.settings.key)
        assert features[number]["num_syllables"] == sum(len(w.syllables) for line in song.lines for w in line.words)
        assert features[number]["form"] == "v1"
        assert 0 < features[number]["highest"] - features[number]["lowest"] <= 14
    assert len({row["seed"] for row in features}) == 10


def test_files_stand_in_a_folder_for_each_shard(plain: Path) -> None:
    folders = sorted((plain / "out" / "files").iterdir())
    assert [len(list(folder.iterdir())) for folder in folders] == [4, 4, 2]
    assert (folders[1] / "00000005-song-5.mid").read_bytes().startswith(b"MThd")


def test_the_folder_loads_as_a_data_set(plain: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    songs = datasets.load_dataset(str(plain / "out"), split="train", cache_dir=str(tmp_path))
    assert len(songs) == 10
    assert Song.from_json(songs[3]["document"]).lines
    features = datasets.load_dataset(str(plain / "out"), "features", split="train", cache_dir=str(tmp_path))
    assert features[3]["id"] == "song-3"


def test_the_summary_counts_what_is_there(plain: Path) -> None:
    summary = json.loads((plain / "out" / "summary.json").read_text(encoding="utf-8"))
    features = table(plain / "out", "features")
    assert (summary["rows"], summary["songs"], summary["failures"]) == (10, 10, 0)
    assert sum(summary["key"].values()) == sum(summary["span"].values()) == 10
    assert summary["totals"]["num_notes"] == sum(row["num_notes"] for row in features)
    assert (plain / "out" / "summary.png").read_bytes().startswith(b"\x89PNG")
    assert errors(plain / "out") == []
    assert "10 rows, 0 failed" in (plain / "out" / "log.txt").read_text(encoding="utf-8")


def test_two_processes_give_the_bytes_of_one(plain: Path, tmp_path: Path) -> None:
    result = run(plain / "in.jsonl", "-o", tmp_path / "out", "--shard-size", "4", "-w", "2", "-f", "mid")
    assert result.exit_code == 0, result.stderr
    assert contents(tmp_path / "out") == contents(plain / "out")
    assert len(contents(plain / "out")) == 5 + 10 + 3 * 3


def test_a_thousand_rows(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps({"lyrics": f"O {WORDS[n % 15]}"}) + "\n" for n in range(1000)))
    result = run(source, "-o", tmp_path / "out", "-w", "1", "--json")
    assert result.exit_code == 0, result.stderr
    end = json.loads(result.stdout.splitlines()[-1])
    assert (end["event"], end["rows"], end["failures"], end["complete"]) == ("end", 1000, 0, True)
    progress = [json.loads(line) for line in result.stdout.splitlines()[:-1]]
    assert all(line["event"] == "progress" and line["total"] == 1000 for line in progress)
    assert [row["row"] for row in table(tmp_path / "out", "features")] == list(range(1000))


# --- stopping and going on -------------------------------------------------------------------------------------------

# The handler is set because a process started in the background inherits that interrupts are ignored.
PROGRAM = "import signal; from pipeline.cli import app; signal.signal(signal.SIGINT, signal.default_int_handler); app()"
SCRIPT = [sys.executable, "-c", PROGRAM, "batch"]
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT], ids=["SIGKILL", "SIGINT"])
def test_a_killed_run_is_finished_by_the_same_command(plain: Path, tmp_path: Path, kill: int) -> None:
    lines = (plain / "in.jsonl").read_bytes().splitlines(keepends=True)
    options = ["--shard-size", "4", "-f", "mid", "-w", "1"]
    arguments = ["-", "-o", str(tmp_path / "out"), *options]
    pipe = subprocess.PIPE
    process = subprocess.Popen([*SCRIPT, *arguments], env=ENVIRONMENT, stdin=pipe, stderr=pipe)
    assert process.stdin is not None
    process.stdin.write(b"".join(lines[:7]))  # it makes the first of three shards, and waits for the second
    process.stdin.flush()
    while not list(tmp_path.glob("out/shards/*.json")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(kill)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == (130 if kill == signal.SIGINT else -kill)
    assert stderr == b""
    assert not (tmp_path / "out" / "summary.json").exists()
    result = run(*arguments, stdin=b"".join(lines))
    assert result.exit_code == 0, result.stderr
    assert "4 rows done before" in result.stderr
    assert run("-", "-o", tmp_path / "whole", *options, stdin=b"".join(lines)).exit_code == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_dead_process_loses_nothing(plain: Path, tmp_path: Path) -> None:
    rows = tuple(read_rows(open_source(str(plain / "in.jsonl")), Job()))
    shards = [Shard(number, rows[number * 4 : number * 4 + 4]) for number in range(3)]
    import multiprocessing

    done: list[RowDone | ShardDone] = []
    for event in run_pool(Job(formats=("mid",)), str(tmp_path), shards, 2):
        if isinstance(event, RowDone) and len(done) == 0:
            os.kill(multiprocessing.active_children()[0].pid or 0, signal.SIGKILL)
        if isinstance(event, (RowDone, ShardDone)):
            done.append(event)
    assert sorted(event.number for event in done if isinstance(event, ShardDone)) == [0, 1, 2]
    made = {name: content for name, content in contents(plain / "out").items() if "/" in name}
    assert contents(tmp_path) == made
    assert multiprocessing.active_children() == []


def test_a_row_that_no_process_survives_fails_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = tuple(Row(number, str(number), "", f"O {WORDS[number]}") for number in range(3))
    died = Shard(0, rows, lethal=frozenset({1}))
    from pipeline.batch.shards import ShardMaker
    from pipeline.batch.store import LocalStore

    events = list(ShardMaker(Job(), LocalStore(tmp_path)).make(died))
    assert isinstance(events[-1], ShardDone)
    (failure,) = events[-1].failures
    assert (failure.row, failure.message) == (1, "every process that composed this row died")
    # The next run, which knows nothing of that, finds the shard done.
    events = list(ShardMaker(Job(), LocalStore(tmp_path)).make(Shard(0, rows)))
    assert events == [ShardDone(0, 0, 3, (failure,), was_done=True)]


def test_a_fault_in_a_process_ends_the_run_with_its_traceback(tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="TypeError"):
        list(run_pool(Job(), str(tmp_path), [Shard(0, (None,))], 1))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["songs/songs-00000001.parquet", "files/00000001/00000004-song-4.mid"])
@pytest.mark.parametrize("damage", [b"", b"PAR1"])
def test_a_file_that_the_disk_lost_is_made_again(plain: Path, tmp_path: Path, name: str, damage: bytes) -> None:
    import shutil

    shutil.copytree(plain / "out", tmp_path / "out")
    (tmp_path / "out" / name).write_bytes(damage)
    (tmp_path / "out" / "shards" / "shard-00000002.json").write_bytes(damage)
    result = run(plain / "in.jsonl", "-o", tmp_path / "out", "--shard-size", "4", "-w", "1", "-f", "mid")
    assert result.exit_code == 0, result.stderr
    assert "4 rows done before" in result.stderr
    assert contents(tmp_path / "out") == contents(plain / "out")


@pytest.mark.parametrize(("call", "left"), [(2, 0), (5, 1), (9, 2)])
def test_a_full_disk_is_one_sentence_and_the_rest_is_made_later(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int, left: int
) -> None:
    calls = iter(range(100))
    synced = os.fsync

    def no_space(descriptor: int) -> None:
        if next(calls) == call:
            raise OSError(28, "No space left on device")
        synced(descriptor)

    arguments = (plain / "in.jsonl", "-o", tmp_path / "out", "--shard-size", "4", "-w", "1", "-f", "mid")
    monkeypatch.setattr("pipeline.batch.store.os.fsync", no_space)
    result = run(*arguments)
    assert result.exit_code == 1
    assert re.fullmatch(r"Error: .*No space left on device.*run the same command again to go on\n", result.stderr)
    assert len(list((tmp_path / "out" / "shards").glob("*.json"))) == left if left else True
    monkeypatch.undo()
    assert run(*arguments).exit_code == 0
    assert contents(tmp_path / "out") == contents(plain / "out")


@pytest.mark.skipif(os.name != "posix", reason="has no limits on files")
@pytest.mark.parametrize("limit", [2_000, 6_000, 20_000])
def test_a_write_that_the_system_breaks_off_leaves_nothing_half_written(
    plain: Path, tmp_path: Path, limit: int
) -> None:
    import resource

    arguments = (plain / "in.jsonl", "-o", tmp_path / "out", "--shard-size", "4", "-w", "1", "-f", "mid")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        result = run(*arguments)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert result.exit_code == 1
    assert re.fullmatch(r"Error: .*File too large.*run the same command again to go on\n", result.stderr)
    whole = contents(plain / "out")
    assert contents(tmp_path / "out").items() <= whole.items()
    assert run(*arguments).exit_code == 0
    assert contents(tmp_path / "out") == whole


def test_other_settings_are_refused(plain: Path) -> None:
    before = contents(plain / "out")
    arguments = (plain / "in.jsonl", "-o", plain / "out", "--shard-size", "4", "-f", "mid")
    for more, what in (
        (("--tempo", "100"), "job.tempo was not set, now 100.0"),
        (("--seed", "5"), "job.seed was 0, now 5"),
        (("--limit", "3"), "input.limit was not set, now 3"),
    ):
        result = run(*arguments, *more)
        assert result.exit_code == 2
        assert what in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert contents(plain / "out") == before


def test_another_input_is_refused_or_begun_anew(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "in.jsonl", 3)
    assert run(source, "-o", tmp_path / "out", "-w", "1").exit_code == 0
    write_rows(source, 2)
    result = run(source, "-o", tmp_path / "out", "-w", "1")
    assert result.exit_code == 2
    assert "other input or settings: input.bytes was" in result.stderr
    assert run(source, "-o", tmp_path / "out", "-w", "1", "--force").exit_code == 0
    assert len(table(tmp_path / "out", "songs")) == 2


@pytest.mark.parametrize(("change", "what"), [("longer", "rows 0 to 2"), ("shorter", "more songs than the input")])
def test_input_from_a_pipe_that_has_changed_is_noticed(tmp_path: Path, change: str, what: str) -> None:
    lines = [json.dumps({"text": lyrics(number)}) + "\n" for number in range(6)]
    arguments = ("-", "-o", tmp_path / "out", "-w", "1", "--shard-size", "3")
    assert run(*arguments, stdin="".join(lines)).exit_code == 0
    result = run(*arguments, stdin="".join(lines[1:] if change == "longer" else lines[:3]))
    assert result.exit_code == 2
    assert what in result.stderr


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "in.jsonl", 1)
    result = run(source, "-o", tmp_path)
    assert (result.exit_code, [path.name for path in tmp_path.iterdir()]) == (2, ["in.jsonl"])
    assert "is not empty and holds no batch" in result.stderr
    result = run(source, "-o", source)
    assert (result.exit_code, "is a file" in result.stderr) == (2, True)


@pytest.mark.skipif(os.name != "posix", reason="the lock is one of POSIX")
def test_two_runs_do_not_write_to_one_folder(plain: Path) -> None:
    import fcntl

    handle = os.open(plain / "out", os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        result = run(plain / "in.jsonl", "-o", plain / "out", "--shard-size", "4", "-f", "mid")
    finally:
        os.close(handle)
    assert result.exit_code == 2
    assert "another run is writing" in result.stderr


# --- hostile rows ----------------------------------------------------------------------------------------------------

# A JSON line, and what errors.jsonl says of it; None for a row that is sung.
HOSTILE: list[tuple[bytes, str | None]] = [
    (b'{"id": 1, "text": "Walk on, walk on"}', None),
    (b'{"id": "empty", "text": ""}', "the lyrics are empty"),
    (b'{"id": "null", "text": null}', "text: lyrics must be text, got null"),
    (b'{"id": "nested", "text": {"lines": [null, null]}}', "text: lyrics must be text, got an object"),
    (b'{"id": "list", "text": [null, "la la"]}', "text: lyrics must be text, got a list"),
    (b'{"id": "none"}', "there is no lyrics or text"),
    (b'{"id": "huge", "text": "' + b"la la la\\n" * 120_000 + b'"}', "more than 1,000,000 characters"),
    (b'{"id": "long", "text": "' + b"la " * 500 + b'"}', "syllables"),
    (b'{"id": "script", "text": "\xd0\xbd\xd0\xbe\xd1\x87\xd1\x8c"}', "line 1, column 1: cannot pronounce"),
    (b'{"id": "script 2", "text": "\xe5\xa4\x9c\xe6\x9b\xb2"}', "line 1, column 1: cannot pronounce"),
    (b'{"id": "latin", "text": "caf\xe9"}', "not UTF-8 (byte 29 of the line is 0xE9)"),
    (b'{"id": "half", "text": "walk \\ud800 on"}', "text: not UTF-8: half of a surrogate pair U+D800"),
    (b'{"id": "nul", "text": "walk \\u0000 on"}', "the character U+0000 does not belong in text"),
    (b'{"id": 1, "text": "The same id again"}', "the id '1' belongs to an earlier row"),
    (b'{"id": "../../etc/passwd", "text": "Out and away"}', "leads out of its folder"),
    (b'{"id": "a\\u0000b", "text": "Out and away"}', r"the id 'a\x00b' holds a character"),
    (b'{"id": "", "text": "No name"}', "id: the id is empty"),
    (b'{"id": ["x"], "text": "No name"}', "an id must be text or a whole number, got a list"),
    (b'{"id": true, "text": "No name"}', "an id must be text or a whole number, got True"),
    (b'{"id": "' + b"x" * 300 + b'", "text": "No name"}', "an id has at most 256 letters"),
    (b'{"id": "artist/song: one?", "text": "Safe and sound"}', None),
    (b'{"id": "cut", "text": ', "no JSON"),
    (b"[" * 100_000, "JSON"),
    (b"[1, 2]", "a record must be a JSON object, got a list"),
    (b'{"id": "key", "text": "Walk on", "k": "H major"}', "H major"),
    (b'{"id": "tempo", "text": "Walk on", "t": 1e999}', "t: must be a number"),
    (b'{"id": "slow", "text": "Walk on", "t": 3}', "tempo must be 30 to 300"),
    (b'{"id": "seed", "text": "Walk on", "s": -1}', "s: a seed must be a whole number from 0"),
    (b'{"text": "A row without an id", "k": "D major", "t": "77", "s": 5}', None),
]


def test_hostile_rows_fail_alone(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(b"\n\n".join(line for line, _ in HOSTILE))
    columns = ("--key-column", "k", "--tempo-column", "t", "--seed-column", "s")
    result = run(tmp_path / "in.jsonl", "-o", tmp_path / "out", "-w", "1", "-f", "txt", *columns)
    assert result.exit_code == 3, result.stderr
    told = {error["row"]: error for error in errors(tmp_path / "out")}
    for number, (_, message) in enumerate(HOSTILE):
        assert (number in told) == (message is not None), number
        if message is not None:
            assert message in told[number]["message"], number
            assert told[number]["place"] == f"in.jsonl, line {2 * number + 1}"
    features = table(tmp_path / "out", "features")
    assert [row["id"] for row in features] == ["1", "artist/song: one?", str(len(HOSTILE) - 1)]
    assert (features[2]["key"], features[2]["tempo_qpm"], features[2]["seed"]) == ("D major", 77, 5)
    names = sorted(path.name for path in (tmp_path / "out" / "files" / "00000000").iterdir())
    assert names == ["00000000-1.txt", "00000020-artist-song-one.txt", "00000028-28.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out"]


def test_strict_stops_at_the_first_row_that_fails(tmp_path: Path) -> None:
    rows = [lyrics(0), "", lyrics(1), "", "", lyrics(2)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"text": row}) + "\n" for row in rows))
    for options, count in ((("--strict",), "1 failed row"), (("--max-failures", "1"), "2 failed rows")):
        result = run(tmp_path / "in.jsonl", "-o", tmp_path / "out", "-w", "1", *options)
        assert result.exit_code == 3
        assert f"stopped after {count}; the last was in.jsonl, line" in result.stderr
        assert not (tmp_path / "out" / "summary.json").exists()
    assert run(tmp_path / "in.jsonl", "-o", tmp_path / "out", "-w", "1", "--max-failures", "3").exit_code == 3
    assert len(errors(tmp_path / "out")) == 3


def test_a_fault_of_the_program_fails_the_row_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any, **options: Any) -> None:
        raise IndexError("a bug")

    monkeypatch.setattr("pipeline.batch.rows.features", broken)
    result = run(write_rows(tmp_path / "in.jsonl", 1), "-o", tmp_path / "out", "-w", "1")
    assert result.exit_code == 3
    assert errors(tmp_path / "out")[0]["message"] == "a fault of this program, IndexError: a bug"
    assert "in broken" in (tmp_path / "out" / "log.txt").read_text(encoding="utf-8")


# --- inputs ----------------------------------------------------------------------------------------------------------


def rows_of(location: str | Path, **columns: str) -> list[Row]:
    return list(read_rows(open_source(str(location)), Job(Columns(**columns))))


def test_a_folder_of_texts(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "two.txt").write_text("[Verse]\nWalk on")
    (tmp_path / "one.txt").write_bytes("Geh weiter, Brüderlein".encode("utf-16"))
    (tmp_path / "three.txt").write_bytes(b"caf\xe9")
    rows = rows_of(tmp_path)
    assert [(row.id, row.text) for row in rows[:2]] == [
        ("b/two", "[Verse]\nWalk on"),
        ("one", "Geh weiter, Brüderlein"),
    ]
    assert rows[2].id == "three"
    assert "line 1, column 4: the file is not UTF-8" in str(rows[2].problem)
    assert [row.id for row in rows_of(tmp_path / "*.txt")] == ["one", "three"]


def test_tables_beside_texts_are_not_read(plain: Path, tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("Walk on\nwalk on")
    write_rows(tmp_path / "rows.jsonl", 2)
    assert [(row.id, row.text) for row in rows_of(tmp_path)] == [("one", "Walk on\nwalk on")]
    result = run(tmp_path, "-o", tmp_path / "out", "-w", "1")
    assert result.exit_code == 0, result.stderr
    told = result.stderr.splitlines()
    assert told[0] == f"only the .txt files in {tmp_path} are read, not rows.jsonl"
    assert told[1].startswith("1 song; ")
    pytest.importorskip("datasets")
    assert len(rows_of(plain / "out", text="document")) == 10  # it has a log.txt, but a card too


def test_tables(tmp_path: Path) -> None:
    songs = [("x", "Walk on\nwalk on", "3"), ("y", 'Say "so"', "")]
    text = io.StringIO()
    csv.writer(text).writerows([("name", "words", "seed"), *songs])
    (tmp_path / "a.csv").write_text("\ufeff" + text.getvalue(), encoding="utf-8")
    (tmp_path / "a.tsv").write_text('name\twords\tseed\nx\t"Walk on\nwalk on"\t3\ny\t"Say ""so"""\t\n')
    lines = "".join(json.dumps(dict(zip(("name", "words", "seed"), song, strict=True))) + "\n" for song in songs)
    (tmp_path / "a.jsonl").write_text(lines)
    with gzip.open(tmp_path / "a.jsonl.gz", "wt") as file:
        file.write(lines)
    columns = dict(zip(("name", "words", "seed"), map(list, zip(*songs, strict=True)), strict=True))
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    for name in ("a.csv", "a.tsv", "a.jsonl", "a.jsonl.gz", "a.parquet"):
        rows = rows_of(tmp_path / name, text="words", id="name", seed="seed")
        assert [(row.id, row.text, row.seed) for row in rows] == [
            ("x", "Walk on\nwalk on", 3),
            ("y", 'Say "so"', None),
        ], name


def test_bytes_that_are_no_text_in_tables(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"id,text\n1,caf\xe9\n2,Walk on,too many\n3,Walk on\n")
    raw = pyarrow.array([b"caf\xe9", None, b"Walk on"], pyarrow.binary()).view(pyarrow.string())
    pyarrow.parquet.write_table(pyarrow.table({"text": raw}), tmp_path / "a.parquet")
    problems = [row.problem for row in rows_of(tmp_path / "a.csv")]
    assert problems == [
        "text: not UTF-8: byte 0xE9 at character 4",
        "the row has 3 fields, the header 2",
        None,
    ]
    problems = [row.problem for row in rows_of(tmp_path / "a.parquet")]
    assert problems == [problems[0], "text: lyrics must be text, got null", None]
    assert "0xE9" in str(problems[0])


def test_a_line_without_end_is_skipped_and_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.batch.inputs.MAX_LINE_BYTES", 50)
    (tmp_path / "a.jsonl").write_text('{"text": "One"}\n{"text": "' + "la " * 99 + '"}\n{"text": "Two"}\n')
    (tmp_path / "a.csv").write_text("text\nOne\n" + "la " * 99 + "\nTwo\n")
    for name in ("a.jsonl", "a.csv"):
        rows = rows_of(tmp_path / name)
        assert [row.text for row in rows] == ["One", "", "Two"]
        assert "longer than" in str(rows[1].problem)


def test_data_sets(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    there = datasets.Dataset.from_dict({"lyrics": ["Walk on", None], "id": ["a", "b"]})
    there.save_to_disk(str(tmp_path / "saved"))
    datasets.DatasetDict({"test": there}).save_to_disk(str(tmp_path / "splits"))
    (tmp_path / "files").mkdir()
    there.to_parquet(str(tmp_path / "files" / "test-00000.parquet"))
    assert [row.text for row in rows_of(tmp_path / "saved")] == ["Walk on", ""]
    for folder in ("splits", "files"):
        rows = list(read_rows(open_source(str(tmp_path / folder), split="test"), Job()))
        assert [(row.id, row.text, row.problem) for row in rows] == [
            ("a", "Walk on", None),
            ("b", "", "lyrics: lyrics must be text, got null"),
        ]
        result = run(tmp_path / folder, "-o", tmp_path / "out", "--split", "dev")
        assert result.exit_code == 2
        assert "dev" in result.stderr


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("in.csv", "id,text\n", "the input has no rows"),
        ("in.jsonl", "\n", "the input has no rows"),
        ("in.jsonl", '{"id": "x", "words": "la"}\n' * 30, "--text-column; the beginning of the input has id, words"),
    ],
)
def test_an_input_without_rows_leaves_nothing_behind(tmp_path: Path, name: str, content: str, sentence: str) -> None:
    (tmp_path / name).write_text(content)
    result = run(tmp_path / name, "-o", tmp_path / "out", "-w", "1")
    assert (result.exit_code, result.stdout) == (2, "")
    assert sentence in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["in.jsonl", "in.csv", "-"])
def test_a_column_that_no_row_has_is_one_sentence(tmp_path: Path, name: str) -> None:
    line = {"in.csv": "id,text\nx,Walk on\n"}.get(name, '{"id": "x", "text": "Walk on"}\n')
    (tmp_path / "in.csv").write_text(line)
    (tmp_path / "in.jsonl").write_text(line)
    source = name if name == "-" else tmp_path / name
    result = run(source, "-o", tmp_path / "out", "--text-column", "nope", stdin=line)
    assert result.exit_code == 2
    assert "input has no column 'nope'; it has id, text" in result.stderr
    assert not (tmp_path / "out").exists()


def test_lyrics_may_begin_late(tmp_path: Path) -> None:
    rows = ["[]", '{"id": "x"}', '{"text": "Walk on"}', '{"id": "y"}']
    result = run("-", "-o", tmp_path / "out", "-w", "1", stdin="\n".join(rows))
    assert result.exit_code == 3
    assert [error["row"] for error in errors(tmp_path / "out")] == [0, 1, 3]


# What is given as input, and the sentence about it.
BAD_INPUT = [
    ("missing.jsonl", "cannot read missing.jsonl: there is no such file"),
    ("/no/such/folder", "there is no such file or folder"),
    ("*.csv", "no file matches"),
    ("{tmp}", "holds no lyrics"),
    ("{tmp}/song.doc", "cannot tell what"),
    ("{tmp}/array.json", "is one JSON array; give JSON lines"),
    ("{tmp}/broken.parquet", "cannot read"),
    ("{tmp}/other.csv", "name the column with the lyrics with --text-column; the input has a, b"),
]


@pytest.mark.parametrize(("location", "sentence"), BAD_INPUT, ids=[location for location, _ in BAD_INPUT])
def test_an_input_that_is_none(tmp_path: Path, location: str, sentence: str) -> None:
    if location.startswith("{tmp}/"):
        content = {"array.json": "[\n{}]", "other.csv": "a,b\n1,2\n"}.get(location[6:], "nothing")
        (tmp_path / location[6:]).write_text(content)
    result = run(location.replace("{tmp}", str(tmp_path)), "-o", tmp_path / "out")
    assert (result.exit_code, result.stdout) == (2, "")
    assert sentence in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_settings_that_no_row_could_have(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "in.jsonl", 1)
    for option, value, sentence in (
        ("--key", "H major", "H major"),
        ("--tempo", "1000", "tempo must be 30 to 300"),
        ("--style", "polka", "style must be one of"),
        ("--format", "doc", "format must be one or more of"),
        ("--workers", "0", "at least one worker"),
        ("--engine", "steam", "engine must be one of local, ray"),
        ("--shard-size", "0", "a shard needs at least one row"),
        ("--range", "C4-C3", "range must go from a lower note"),
    ):
        result = run(source, "-o", tmp_path / "out", option, value)
        assert result.exit_code == 2, option
        assert sentence in result.stderr
        assert not (tmp_path / "out" / "manifest.json").exists(), option


def test_standard_input_and_a_pronunciation_file(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("zyx  Z AY1 K S IH0 Z\n")
    result = run(
        "-", "-o", tmp_path / "out", "-w", "1", "--pronunciations", tmp_path / "words.txt", stdin='{"text": "O zyx"}\n'
    )
    assert result.exit_code == 0, result.stderr
    document = Song.from_json(table(tmp_path / "out", "songs")[0]["document"])
    assert document.lines[0].words[1].syllables[0].phones[:2] == ("Z", "AY1")


def test_the_seed_belongs_to_the_id_and_not_to_the_place() -> None:
    here, there = Row(0, "x", "", "Walk on"), Row(9, "x", "elsewhere", "Walk on")
    assert song_seed(here, Job()) == song_seed(there, Job()) != song_seed(here, Job(seed=1))
    composed = [compose_row(row, Job(), Pronouncer()) for row in (here, there)]
    assert isinstance(composed[0], Composed)
    assert isinstance(composed[1], Composed)
    assert composed[0].document == composed[1].document


def test_rows_composed_together_are_what_they_are_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["", *(f"The {WORDS[n]} runs below the {WORDS[n + 2]}\nand {WORDS[n + 1]} comes" for n in range(6)), "?!"]
    rows = [
        Row(number, f"row {number}", "", text, key="D minor" if number % 2 else None)
        for number, text in enumerate(texts)
    ]
    alone = [compose_row(row, Job(), Pronouncer()) for row in rows]
    assert [isinstance(outcome, Failure) for outcome in alone] == [True, *[False] * 6, True]
    together = list(compose_rows(rows, Job(), Pronouncer()))
    assert [done.outcome for done in together] == alone
    assert [done.row for done in together] == rows
    assert all(done.seconds > 0 for done in together[1:-1])

    # If one of them breaks the program, the others are none the worse for it.
    from melody.decode import melodize_all

    def sometimes(songs: Any) -> Any:
        songs = list(songs)
        if any("silver" in line.text for song in songs for section in song.lyrics.sections for line in section.lines):
            raise IndexError("a bug")
        return melodize_all(songs)

    monkeypatch.setattr("pipeline.compose.melodize_all", sometimes)
    broken = [done.outcome for done in compose_rows(rows, Job(), Pronouncer())]
    for text, before, after in zip(texts, alone, broken, strict=True):
        if "silver" in text:
            assert isinstance(after, Failure)
            assert after.message == "a fault of this program, IndexError: a bug"
        else:
            assert after == before
    assert broken != alone


def test_long_rows_are_composed_by_fewer_at_a_time(tmp_path: Path) -> None:
    from pipeline.batch.shards import GROUP_LETTERS, RowsBegun, ShardMaker
    from pipeline.batch.store import LocalStore

    long = " " * (GROUP_LETTERS // 2)
    rows = tuple(
        Row(number, str(number), "", f"O {WORDS[number % 15]}{long * (20 <= number < 24)}") for number in range(30)
    )
    events = list(ShardMaker(Job(), LocalStore(tmp_path)).make(Shard(0, rows)))
    groups = [event.rows for event in events if isinstance(event, RowsBegun)]
    assert [row for group in groups for row in group] == list(range(30))
    assert [len(group) for group in groups] == [16, 5, 1, 1, 7]


def test_guessed_words_are_warned_of() -> None:
    composed = compose_row(Row(0, "x", "", "Blorfle the grumbuk\nWalk on"), Job(), Pronouncer())
    assert isinstance(composed, Composed)
    assert composed.features["warnings"][0] == "pronunciation guessed: blorfle, grumbuk"


def test_themes_become_lyrics_and_lyrics_songs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lyrics.lm import load_model
    from lyrics.writing.request import Request
    from lyrics.writing.writer import write

    spec = importlib.util.spec_from_file_location("tiny_lm", Path(__file__).parents[1] / "lyrics" / "tiny_lm.py")
    assert spec is not None
    assert spec.loader is not None
    tiny = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tiny)
    model = str(tiny.save_tiny_model(tmp_path / "model"))
    monkeypatch.setattr("lyrics.embedding.embed", lambda texts: np.full((len(texts), 384), 384**-0.5, np.float32))
    themes = [{"id": "a", "theme": "a night train"}, {"id": "b", "theme": ""}, {"id": "c", "theme": "an orchard"}]
    source = tmp_path / "themes.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in themes))
    options = ("--write", "--model", model, "--form", "C", "--lines", "2", "--syllables", "5", "-w", "1")
    result = run(source, "-o", tmp_path / "out", *options)
    assert result.exit_code == 3, result.stderr
    assert [error["id"] for error in errors(tmp_path / "out")] == ["b"]
    features, songs = table(tmp_path / "out", "features"), table(tmp_path / "out", "songs")
    assert [(row["id"], row["theme"], row["num_lines"]) for row in features] == [
        ("a", "a night train", 2),
        ("c", "an orchard", 2),
    ]
    request = Request("an orchard", form="C", lines="2", syllables="5", seed=features[1]["seed"])
    written = write(request, load_model(model, precision="float32")).text
    sung = Song.from_json(songs[1]["document"]).to_lyrics()
    assert [line.text for section in sung.sections for line in section.lines] == written.splitlines()[-2:]
    # Begun anew, and in another order, it is the same song.
    source.write_text("".join(json.dumps(row) + "\n" for row in reversed(themes)))
    assert run(source, "-o", tmp_path / "again", *options).exit_code == 3
    assert table(tmp_path / "again", "songs")[0]["document"] == songs[1]["document"]
    result = run(source, "-o", tmp_path / "more", "--form", "C")
    assert (result.exit_code, "need --write" in result.stderr) == (2, True)
    result = run(source, "-o", tmp_path / "more", "--write", "--rhyme", "7")
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)


def test_seen_ids_are_found_through_all_merges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.batch.seen._RECENT", 7)
    seen = SeenIds()
    assert all(seen.add(str(number)) for number in range(100))
    assert not any(seen.add(str(number)) for number in range(100))


def test_songs_go_to_any_place_that_fsspec_knows(plain: Path) -> None:
    import fsspec

    outcome = run_batch(
        open_source(str(plain / "in.jsonl")), "memory://batch", Job(formats=("mid",), shard_size=4), workers=1
    )
    assert outcome.complete
    files = fsspec.filesystem("memory")
    try:
        found: Iterator[str] = (name for name in files.find("/batch"))
        there = {name.removeprefix("/batch/"): files.cat_file(name) for name in found}
    finally:
        files.rm("/batch", recursive=True)
    exact = {name: content for name, content in there.items() if not NOT_EXACT.fullmatch(name)}
    assert exact == contents(plain / "out")
