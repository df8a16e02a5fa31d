"""The engine on many machines: the same shards, made by actors of Ray Data.

One task reads the input and cuts it into shards; a pool of actors, each with the models loaded once, makes them and
writes the files itself. What travels back is what happened. The driver holds nothing that grows with the input, and the
bytes are those of the local engine, since both make shards by `pipeline.batch.shards`. An actor that dies is replaced
by Ray, and its shard made again; a ledger, an actor as well, remembers of which rows actors have died.
"""

import logging
import os
import pickle
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from pipeline.batch.inputs import Source, need, read_rows
from pipeline.batch.job import Job
from pipeline.batch.local import MAX_DEATHS, WorkerError, portable, settle
from pipeline.batch.shards import RowsBegun, Shard, ShardDone, ShardMaker, in_shards
from pipeline.batch.store import open_store
from pipeline.errors import SettingsError

_STORE_BYTES = 128 << 20  # for objects of a local cluster: shards on their way to actors
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}

# A row that travels between tasks, {"number": shard, "payload": pickle}: one shard, or what happened to it.
Message = dict[str, Any]


def run_on_ray(
    job: Job, location: str, source: Source, workers: int | None, address: str | None
) -> Iterator[ShardDone]:
    """Make all shards of a source on the Ray cluster at `address`, a local one if None; yields shards as they finish.

    `workers` is the number of actors, all cores of the cluster but one if None. Input and output must be where every
    machine finds them. Whatever a task raises is raised here.
    """
    ray = need("ray")
    need("ray.data")
    ours = not ray.is_initialized()
    if ours:
        _connect(ray, workers, address)
    try:
        yield from _results(ray, job, location, _absolute(source), workers)
    finally:
        if ours:
            ray.shutdown()


def _connect(ray: Any, workers: int | None, address: str | None) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what matters is raised as an exception
    options: dict[str, Any] = {
        "address": address or "local",
        "log_to_driver": False,
        "logging_level": logging.ERROR,
        "runtime_env": {"env_vars": _ENVIRONMENT},
    }
    if address is None:
        # One core more than workers, for the task that reads.
        options |= {
            "num_cpus": (workers or os.cpu_count() or 1) + 1,
            "include_dashboard": False,
            "object_store_memory": _STORE_BYTES,
        }
    try:
        ray.init(**options)
    except Exception as error:  # Ray raises anything, plain exceptions among them
        what = f"connect to Ray at {address}" if address else "start Ray on this machine"
        raise SettingsError(f"cannot {what}: {(str(error) or type(error).__name__).splitlines()[0]}") from error


def _absolute(source: Source) -> Source:
    """Name files so that processes with other working folders find them."""
    files = tuple(map(os.path.abspath, source.files))
    root = os.path.abspath(source.root) if source.root else ""
    return replace(source, files=files, root=root, location=root or source.location)


def _results(ray: Any, job: Job, location: str, source: Source, workers: int | None) -> Iterator[ShardDone]:
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    # Every message a block of its own, so that it leaves as soon as it is there.
    context.target_max_block_size = 1
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    location = location if "://" in location else os.path.abspath(location)
    # Actors that die take with them what they know; this one does nothing of which it could die.
    ledger = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(Ledger).remote()
    actors = workers or max(1, int(ray.cluster_resources().get("CPU", 2)) - 1)
    messages = (
        ray.data.from_items([{"number": 0, "payload": b""}], override_num_blocks=1)
        # Other resources than the actors', or Ray would fuse the two and read and compose in one place.
        .map_batches(_read, batch_size=None, num_cpus=0.5, fn_kwargs={"source": source, "job": job})
        .map_batches(
            _Actor,
            batch_size=1,
            num_cpus=1,
            compute=ray.data.ActorPoolStrategy(size=actors),
            fn_constructor_kwargs={"job": job, "location": location, "ledger": ledger},
        )
    )
    try:
        for message in messages.iter_rows():
            event = pickle.loads(message["payload"])
            if isinstance(event, BaseException):
                raise event
            yield event
    except ray.exceptions.RayError as error:
        raise WorkerError(f"Ray gave up: {str(error).strip().splitlines()[0]}") from error


def _read(batch: Message, source: Source, job: Job) -> Iterator[Message]:
    """Read the input shard by shard; an error travels on as a message."""
    try:
        for shard in in_shards(read_rows(source, job), job.shard_size):
            yield _message(shard.number, shard)
    except Exception as error:
        yield _message(-1, portable(error))


def _message(number: int, value: Any) -> Message:
    import numpy as np

    payload = np.empty(1, dtype=object)
    payload[0] = pickle.dumps(value)
    return {"number": np.array([number]), "payload": payload}


class Ledger:
    """Remembers which shards have been begun, and of which rows actors have died."""

    def __init__(self) -> None:
        """Nothing has begun."""
        self._rows: dict[int, tuple[int, ...]] = {}  # in hand, by shard
        self._deaths: Counter[int] = Counter()  # by row
        self._idle_deaths: Counter[int] = Counter()  # by shard, with no row in hand

    def begin(self, shard: Shard) -> Shard | None:
        """Take note that a shard is begun; if it was before, an actor has died of it, and it is to be made with care.

        As in `pipeline.batch.local`: a row of which several actors died is not tried again, and where some rows were
        in hand together, they are made one at a time from now on. None for a shard that is not to be tried again.
        """
        if shard.number in self._rows:
            rows = self._rows[shard.number]
            self._deaths.update(rows)
            if not rows:
                self._idle_deaths[shard.number] += 1
                if self._idle_deaths[shard.number] > MAX_DEATHS:
                    return None
            lethal = {row.number for row in shard.rows if self._deaths[row.number] >= MAX_DEATHS}
            shard = replace(shard, careful=True, lethal=frozenset(lethal))
        self._rows[shard.number] = ()
        return shard

    def hold(self, shard: int, rows: tuple[int, ...]) -> None:
        """Take note of the row in hand."""
        self._rows[shard] = rows
        self._idle_deaths.pop(shard, None)

    def end(self, shard: Shard) -> None:
        """Forget a shard that is done."""
        self._rows.pop(shard.number, None)
        self._idle_deaths.pop(shard.number, None)
        for row in shard.rows:
            self._deaths.pop(row.number, None)


class _Actor:
    """Makes the shards that come."""

    def __init__(self, job: Job, location: str, ledger: Any) -> None:
        self._maker = ShardMaker(job, open_store(location))
        self._ledger = ledger
        settle()

    def __call__(self, batch: Message) -> Message:
        import ray

        number, payload = int(batch["number"][0]), batch["payload"][0]
        shard = pickle.loads(payload)
        if isinstance(shard, BaseException):
            return _message(number, shard)
        try:
            shard = ray.get(self._ledger.begin.remote(shard))
            if shard is None:
                raise WorkerError(
                    f"actors die of shard {number} before they compose anything; is there too little memory?"
                )
            for event in self._maker.make(shard):
                if isinstance(event, RowsBegun) and shard.careful:  # each is waited for, so that none is lost
                    ray.get(self._ledger.hold.remote(number, event.rows))
            self._ledger.end.remote(shard)
        except Exception as error:
            return _message(number, portable(error))
        return _message(number, event)
