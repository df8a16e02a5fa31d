"""The engine on many machines: the same shards, made by actors of Ray Data.

One task reads the input and cuts it into shards; a pool of actors, each with the models loaded once, makes them and
writes the files itself. What travels back is what happened. The driver holds nothing that grows with the input, and the
bytes are those of the local engine, since both make shards by `pipeline.batch.shards`. An actor that dies is replaced
by Ray, and its shard made again.
"""

import logging
import os
import pickle
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from pipeline.batch.inputs import Source, need, read_rows
from pipeline.batch.job import Job
from pipeline.batch.local import WorkerError, portable
from pipeline.batch.shards import ShardDone, ShardMaker, in_shards
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
    if source.kind == "stdin":
        raise SettingsError("other machines cannot read this one's standard input; give Ray a file or a data set")
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
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise SettingsError(f"cannot connect to Ray at {address}: {str(error).splitlines()[0]}") from error


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
            fn_constructor_kwargs={"job": job, "location": location},
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


class _Actor:
    """Makes the shards that come."""

    def __init__(self, job: Job, location: str) -> None:
        self._maker = ShardMaker(job, open_store(location))

    def __call__(self, batch: Message) -> Message:
        number, payload = int(batch["number"][0]), batch["payload"][0]
        shard = pickle.loads(payload)
        if isinstance(shard, BaseException):
            return _message(number, shard)
        try:
            *_, done = self._maker.make(shard)
        except Exception as error:
            return _message(number, portable(error))
        return _message(number, done)
