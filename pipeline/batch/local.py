"""The engine on one machine: a pool of processes, each with the models loaded once.

The pool is our own because a process may die (out of memory, a kill from outside) without taking the run along: its
shard is given to a new one, and a row that kills three processes is counted as failed. Each process has one shard in
hand and one waiting, so memory does not grow with the input.
"""

import gc
import os
import pickle
import signal
import traceback
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from typing import Any

from pipeline.batch.job import Job
from pipeline.batch.shards import Event, RowDone, RowsBegun, Shard, ShardDone, ShardMaker
from pipeline.batch.store import open_store

MAX_DEATHS = 3  # of processes that composed a row, until it is given up
_DEPTH = 2  # shards of each process: one in hand, one waiting


class WorkerError(RuntimeError):
    """A fault in a process, with its traceback."""


def settle() -> None:
    """Leave what is loaded by now to itself.

    Songs go as soon as nobody needs them. The search for what lies in circles finds next to nothing, but would go over
    all that is loaded every few thousand notes, which takes an eighth of the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def run_here(job: Job, location: str, shards: Iterable[Shard]) -> Iterator[Event]:
    """Make shards one after another in this process."""
    maker = ShardMaker(job, open_store(location))
    thresholds = gc.get_threshold()
    settle()
    try:
        for shard in shards:
            yield from maker.make(shard)
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


@dataclass(eq=False, slots=True)
class _Worker:
    process: Any
    pipe: Connection
    shards: deque[Shard] = field(default_factory=deque)  # in hand or waiting, in order
    rows: tuple[int, ...] = ()  # being composed


class _Pool:
    """Processes and what they have in hand."""

    def __init__(self, job: Job, location: str, size: int) -> None:
        self.job = job
        self.location = location
        self.size = size
        self.workers: list[_Worker] = []
        self.again: deque[Shard] = deque()  # shards of processes that died
        self.deaths: Counter[int] = Counter()  # by row
        self.idle_deaths = 0  # of processes that had not begun a row, since the last row that was done

    def hand_out(self, shards: Iterator[Shard]) -> None:
        """Give every process work until each has a shard in hand and one that waits, or nothing is left."""
        while (place := self._hungriest()) is not None:
            shard = self.again.popleft() if self.again else next(shards, None)
            if shard is None:
                return
            if place == len(self.workers):
                self.workers.append(_start(self.job, self.location))
            worker = self.workers[place]
            worker.shards.append(shard)
            with suppress(OSError):  # it has died; who receives from it will notice
                worker.pipe.send(shard)

    def _hungriest(self) -> int | None:
        """Return the place of the process that should get the next shard; it may be yet to start."""
        loads = [len(worker.shards) for worker in self.workers]
        if len(loads) < self.size and all(loads):
            return len(loads)
        place = loads.index(min(loads))
        return place if loads[place] < _DEPTH else None

    def receive(self) -> Iterator[Event]:
        """Wait for the next messages."""
        pipes = {worker.pipe: worker for worker in self.workers if worker.shards}
        for pipe in connection.wait(list(pipes)):
            worker = pipes[pipe]  # type: ignore[index]
            try:
                message = worker.pipe.recv()
            except (EOFError, OSError, pickle.UnpicklingError):
                self._bury(worker)
                continue
            if isinstance(message, BaseException):
                raise message
            if isinstance(message, RowsBegun):
                worker.rows = message.rows
            elif isinstance(message, RowDone):
                worker.rows = tuple(row for row in worker.rows if row != message.row)
                self.idle_deaths = 0
            elif isinstance(message, ShardDone):
                worker.shards.popleft()
            yield message

    def _bury(self, worker: _Worker) -> None:
        """Take back the shards of a process that died; a row that killed several is not tried again.

        Of rows in hand together, nobody knows which one it was: the shard is then made one row at a time.
        """
        self.workers.remove(worker)
        _end(worker)
        if not worker.rows:
            self.idle_deaths += 1
            if self.idle_deaths > MAX_DEATHS:
                raise WorkerError(
                    f"processes die before they compose anything (exit code {worker.process.exitcode}); is there too "
                    "little memory? Try fewer --workers"
                )
        elif worker.shards[0].careful:
            self.deaths.update(worker.rows)
        else:
            worker.shards[0] = replace(worker.shards[0], careful=True)
        lethal = {row for row, number in self.deaths.items() if number >= MAX_DEATHS}
        self.again.extend(replace(shard, lethal=frozenset(lethal)) for shard in worker.shards)

    def end(self) -> None:
        """End all processes."""
        for worker in self.workers:
            worker.process.terminate()
        for worker in self.workers:
            _end(worker)


def run_pool(job: Job, location: str, shards: Iterable[Shard], workers: int) -> Iterator[Event]:
    """Make shards in so many processes; yields what happens, in the order in which it does.

    Whatever a process raises is raised here. When the iteration ends, by an error or because nobody wants more, all
    processes are gone; what they had not finished is made again in the next run.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # for the processes to come
    source = iter(shards)
    pool = _Pool(job, location, workers)
    try:
        while True:
            pool.hand_out(source)
            if not any(worker.shards for worker in pool.workers) and not pool.again:
                return
            yield from pool.receive()
    finally:
        pool.end()


def _start(job: Job, location: str) -> _Worker:
    context = get_context("spawn")  # the same on all systems, and no threads or locks are inherited
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(job, location, theirs), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _end(worker: _Worker) -> None:
    worker.process.join(5)
    if worker.process.is_alive():
        worker.process.kill()
        worker.process.join()
    worker.pipe.close()


def _work(job: Job, location: str, pipe: Connection) -> None:
    """Make the shards that come through the pipe; end when the other side is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            maker = ShardMaker(job, open_store(location))
            settle()
            while True:
                for event in maker.make(pipe.recv()):
                    pipe.send(event)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            raise
        except Exception as error:
            pipe.send(portable(error))


def portable(error: Exception) -> Exception:
    """Return an error that can be sent to another process: itself, or one that quotes its traceback."""
    own = type(error).__module__.partition(".")[0] in ("pipeline", "melody", "align", "lyrics")
    try:
        if own or isinstance(error, OSError):
            pickle.loads(pickle.dumps(error))
            return error
    except Exception:
        own = False
    return WorkerError(traceback.format_exc())
