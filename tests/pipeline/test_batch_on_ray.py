"""The Ray engine on a real local cluster of two workers."""

import json
import os
import re
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.cli import app

ray: Any = pytest.importorskip("ray")
psutil: Any = pytest.importorskip("psutil")

WORDS = "river morning silver window carry shadow winter hollow summer stone water paper yellow garden candle".split()
NOT_EXACT = re.compile(r"log\.txt|timing/.*")

# Ray itself leaves sockets and files to the garbage collector, and warns of its own deprecations.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


# In processes that this one starts, reading lyrics with a certain word is fatal.
DEADLY = """
import os, signal, sys


class Trap:
    def find_spec(self, name, path=None, target=None):
        if name == "pipeline.batch.rows":
            import lyrics.parse

            harmless = lyrics.parse.parse_lyrics

            def parse_lyrics(text, *arguments):
                if "hemlock" in text:
                    os.kill(os.getpid(), signal.SIGKILL)
                return harmless(text, *arguments)

            lyrics.parse.parse_lyrics = parse_lyrics


sys.meta_path.insert(0, Trap())
"""


@pytest.fixture(scope="module")
def deadly(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Lay the trap."""
    folder = tmp_path_factory.mktemp("trap")
    (folder / "sitecustomize.py").write_text(DEADLY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *sys.path]))
        yield


@pytest.fixture(scope="module")
def cluster(deadly: None) -> Iterator[None]:
    """Start a cluster of two workers, and a core for the reader, with a short path for its sockets."""
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        ray.init(
            num_cpus=3,
            include_dashboard=False,
            object_store_memory=80 << 20,
            log_to_driver=False,
            logging_level="ERROR",
            _temp_dir=folder,
        )
        yield
        ray.shutdown()


def run(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, ["batch", *map(str, arguments)])


def contents(folder: Path) -> dict[str, bytes]:
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if not NOT_EXACT.fullmatch(name)}


@pytest.mark.skipif(os.name != "posix", reason="kills a process")
def test_two_ray_workers_one_killed_give_the_bytes_of_one_process(tmp_path: Path, cluster: None) -> None:
    rows = [{"id": f"song-{n}", "lyrics": "" if n == 7 else f"The {WORDS[n % 15]} is gone"} for n in range(40)]
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    common = ("--shard-size", "5", "--format", "mid")
    assert run(source, "-o", tmp_path / "here", "-w", "1", *common).exit_code == 3

    killed: list[int] = []

    def kill_one() -> None:
        while not list((tmp_path / "ray").glob("shards/*.json")):
            time.sleep(0.01)
        actors = [child for child in psutil.Process().children(recursive=True) if "MapWorker" in child.name()]
        actors = actors or [
            child for child in psutil.Process().children(recursive=True) if "MapWorker" in " ".join(child.cmdline())
        ]
        os.kill(actors[0].pid, signal.SIGKILL)
        killed.append(len(actors))

    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    result = run(source, "-o", tmp_path / "ray", "-w", "2", "--engine", "ray", *common)
    killer.join(10)
    assert result.exit_code == 3, result.stderr
    assert killed == [2]
    assert contents(tmp_path / "ray") == contents(tmp_path / "here")

    # What a task finds wrong is told here, in a sentence.
    lines = source.read_text().splitlines(keepends=True)
    source.write_text("".join(reversed(lines)))
    manifest = json.loads((tmp_path / "ray" / "manifest.json").read_text())
    result = run(source, "-o", tmp_path / "ray", "-w", "2", "--engine", "ray", *common)
    assert result.exit_code == 2
    assert "other input or settings: input.sha256 was" in result.stderr
    assert json.loads((tmp_path / "ray" / "manifest.json").read_text()) == manifest


@pytest.mark.skipif(os.name != "posix", reason="kills processes")
def test_a_row_that_no_process_survives_fails_alone_on_both_engines(tmp_path: Path, cluster: None) -> None:
    source = tmp_path / "in.jsonl"
    texts = ["O river", "O silver", "O hemlock", "O stone", "O water"]
    source.write_text("".join(json.dumps({"lyrics": text}) + "\n" for text in texts))
    for engine in ("local", "ray"):
        result = run(source, "-o", tmp_path / engine, "-w", "2", "--engine", engine, "--shard-size", "4")
        assert result.exit_code == 3, result.stderr
    (error,) = map(json.loads, (tmp_path / "ray" / "errors.jsonl").read_text().splitlines())
    assert (error["row"], error["message"]) == (2, "every process that composed this row died")
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")


def test_ray_that_does_not_start_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def init(**options: Any) -> None:
        raise Exception("The current node timed out during startup.\nMore of this.")

    (tmp_path / "in.jsonl").write_text('{"lyrics": "O river"}\n')
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", init)
    result = run(tmp_path / "in.jsonl", "-o", tmp_path / "out", "--engine", "ray")
    assert result.exit_code == 2
    assert result.stderr == "Error: cannot start Ray on this machine: The current node timed out during startup.\n"


def test_standard_input_cannot_be_read_on_other_machines(tmp_path: Path) -> None:
    result = run("-", "-o", tmp_path / "out", "--engine", "ray")
    assert result.exit_code == 2
    assert "standard input" in result.stderr
    assert not (tmp_path / "out").exists()
