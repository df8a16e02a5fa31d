"""The whole of a batch: look at the folder, hand out the shards, follow what happens, sum up."""

import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lyrics.pronounce import Pronouncer
from pipeline.batch.inputs import Source, checked_records, need, rows_of
from pipeline.batch.job import Job, OtherJobError, check_same_job, manifest, manifest_text
from pipeline.batch.local import run_here, run_pool
from pipeline.batch.report import write_report
from pipeline.batch.rows import rehearse
from pipeline.batch.shards import Event, RowDone, ShardDone, in_shards
from pipeline.batch.store import LocalStore, Store, open_store, write
from pipeline.errors import SettingsError

logger = logging.getLogger(__name__)

ENGINES = ("local", "ray")
_OURS = ("README.md", "summary.json", "summary.png", "errors.jsonl", "log.txt", "manifest.json")
_FOLDERS = ("songs", "features", "timing", "shards", "files")


class BusyError(SettingsError):
    """Another run writes to the same folder."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands."""

    rows: int  # done, failures included
    failures: int
    total: int | None  # rows of the input, if that is known
    seconds: float  # since this run began
    found: int = 0  # of the rows, those that an earlier run had done

    @property
    def rows_per_second(self) -> float:
        """How fast this run composes."""
        return (self.rows - self.found) / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """How long it will take from here, if that can be told."""
        if self.total is None or not self.rows_per_second:
            return None
        return max(0, self.total - self.rows) / self.rows_per_second


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to."""

    progress: Progress
    complete: bool  # False: it was stopped because too many rows failed


def run_batch(
    source: Source,
    output: str,
    job: Job,
    *,
    workers: int | None = None,
    engine: str = "local",
    address: str | None = None,
    max_failures: int | None = None,
    force: bool = False,
    log: Path | None = None,
    on_progress: Callable[[Progress, RowDone | ShardDone], None] = lambda progress, event: None,
    count: bool = False,
) -> Outcome:
    """Compose all rows of a source into a folder (or an fsspec URL), or finish what an earlier run has left.

    `workers` is the number of processes (all cores if None; 1 works in this process). The engine "ray" works on a
    Ray cluster, the one at `address` or a local one. The run stops when more than `max_failures` rows have failed.
    `force` begins anew in a folder with another batch. `log` is a file for messages, `log.txt` in a local folder if
    None. `count` counts the rows first, where that is cheap, so that the progress knows how many are left.

    Raises SettingsError for settings or an input that make no sense, OtherJobError for a folder with another batch,
    MissingExtraError for packages that are not installed, OSError if the disk stands in the way.
    """
    if engine not in ENGINES:
        raise SettingsError(f"engine must be one of {', '.join(ENGINES)}, got {engine!r}")
    if workers is not None and workers < 1:
        raise SettingsError(f"a batch needs at least one worker, got {workers}")
    if engine == "ray" and source.kind == "stdin":
        raise SettingsError("other machines cannot read this one's standard input; give Ray a file or a data set")
    for package in ("pyarrow", "matplotlib"):
        need(package)
    records = checked_records(source, job)
    rehearse(job, Pronouncer())
    if job.writing is not None:
        from pipeline.batch.themes import check_writing

        check_writing(job.writing)
    store = _open(output)
    with _alone(store):
        wanted = manifest(job, source.fingerprint())
        _prepare(store, wanted, force)
        with _logging(log or (store.root / "log.txt" if isinstance(store, LocalStore) else None)):
            logger.info("begin: %s -> %s", source.location, store.location)
            events: Iterator[Event]
            if engine == "ray":
                from pipeline.batch.on_ray import run_on_ray

                events = run_on_ray(job, store.location, source, workers, address)
            else:
                shards = in_shards(rows_of(records, job), job.shard_size)
                workers = workers or _cores()
                if workers == 1:
                    events = run_here(job, store.location, shards)
                else:
                    events = run_pool(job, store.location, shards, workers)
            total = source.count() if count else None
            try:
                outcome = _follow(events, total, max_failures, on_progress)
                if outcome.complete:
                    _check_nothing_more(store, outcome.progress.rows, job.shard_size)
                    write_report(store, wanted, -(-outcome.progress.rows // job.shard_size))
            except OSError as error:
                said = f"{error.strerror or error}; what is done is kept: run the same command again to go on"
                raise OSError(error.errno, said, error.filename) from error
            finally:
                with suppress(OSError):
                    store.clean()
            done = outcome.progress
            logger.info("end: %d rows, %d failed, %.1f s", done.rows, done.failures, done.seconds)
            return outcome


def _cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _open(output: str) -> Store:
    try:
        return open_store(output)
    except (ImportError, ValueError) as error:
        raise SettingsError(f"cannot write to {output}: {error}") from error


def _prepare(store: Store, wanted: dict[str, Any], force: bool) -> None:
    """Check that the folder is ours to write, and write its manifest."""
    place = store.location
    if isinstance(store, LocalStore) and store.root.exists() and not store.root.is_dir():
        raise SettingsError(f"{place} is a file; give a folder for the output")
    try:
        found = store.read("manifest.json")
    except FileNotFoundError:
        if not store.is_empty():
            raise OtherJobError(f"{place} is not empty and holds no batch; give a new folder") from None
    else:
        if not force:
            check_same_job(found, wanted, place)
        elif json.loads(manifest_text(wanted)) != _loaded(found):
            for name in (*_FOLDERS, *_OURS):  # the manifest last: until then it stays a batch's folder
                store.remove(name)
    store.clean()
    write(store, "manifest.json", manifest_text(wanted))


def _loaded(found: bytes) -> Any:
    try:
        return json.loads(found)
    except ValueError:
        return None


def _follow(
    events: Iterator[Event],
    total: int | None,
    max_failures: int | None,
    on_progress: Callable[[Progress, RowDone | ShardDone], None],
) -> Outcome:
    """Count what happens until all is done or too much has failed."""
    start = time.monotonic()
    done = Progress(0, 0, total, 0.0)
    told: dict[int, bool] = {}  # rows of shards in the making: whether they failed
    try:
        for event in events:
            if isinstance(event, RowDone):
                if event.row in told:  # its process died, and it was composed again
                    continue
                told[event.row] = event.failure is not None
                new, failures = 1, [] if event.failure is None else [event.failure]
            elif isinstance(event, ShardDone):
                rows = range(event.first_row, event.first_row + event.num_rows)
                before = {row: told.pop(row) for row in rows if row in told}
                new = event.num_rows - len(before)
                failures = [failure for failure in event.failures if failure.row not in before]
                if event.was_done:
                    done = replace(done, found=done.found + event.num_rows)
                logger.info("shard %d: %d rows, %d failed", event.number, event.num_rows, len(event.failures))
            else:
                continue
            for failure in failures:
                logger.info("row %d (%s), %s: %s", failure.row, failure.id, failure.place, failure.message)
            done = replace(
                done, rows=done.rows + new, failures=done.failures + len(failures), seconds=time.monotonic() - start
            )
            on_progress(done, event)
            if max_failures is not None and done.failures > max_failures:
                return Outcome(done, complete=False)
    finally:
        close = getattr(events, "close", None)
        if close is not None:
            close()
    return Outcome(replace(done, seconds=time.monotonic() - start), complete=True)


def _check_nothing_more(store: Store, num_rows: int, shard_size: int) -> None:
    """Notice an input that has become shorter since the folder was begun."""
    last = -(-num_rows // shard_size) - 1
    names = store.names("shards")
    if names and names[-1] > f"shard-{last:08d}.json":
        raise OtherJobError(
            f"{store.location} holds more songs than the input has rows ({num_rows:,}): the input has changed; "
            "bring it back, give another folder, or use --force to begin anew"
        )


@contextmanager
def _alone(store: Store) -> Iterator[None]:
    """Hold a lock on a local folder while it is written to; it goes with the process."""
    if not isinstance(store, LocalStore):
        yield
        return
    try:
        import fcntl
    except ImportError:  # not on this system
        yield
        return
    try:
        store.root.mkdir(parents=True, exist_ok=True)
        handle = os.open(store.root, os.O_RDONLY)
    except (FileExistsError, NotADirectoryError) as error:
        raise SettingsError(f"{store.location} is a file; give a folder for the output") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise BusyError(f"another run is writing to {store.location}; wait for it, or give another folder") from error
    finally:
        os.close(handle)


@contextmanager
def _logging(path: Path | None) -> Iterator[None]:
    """Append what happens to a file; a disk that is full does not stop the run here, but where songs are written."""
    if path is None:
        yield
        return
    package = logging.getLogger("pipeline.batch")
    handler = _QuietHandler(path, encoding="utf-8", errors="backslashreplace", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    level, propagate = package.level, package.propagate
    package.addHandler(handler)
    package.setLevel(logging.INFO)
    package.propagate = False
    try:
        yield
    finally:
        package.removeHandler(handler)
        package.setLevel(level)
        package.propagate = propagate
        with suppress(OSError):
            handler.close()


class _QuietHandler(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """Lose the message: songs matter more."""
