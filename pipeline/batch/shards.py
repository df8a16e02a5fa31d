"""A shard of rows becomes a part of each table, and is done when its record stands.

A worker writes the parts, then the record `shards/shard-00000012.json` with their SHA-256, that of the rows, and the
failures. Whoever finds the record, and parts that match it, need not compose the shard again; whoever finds less (a
kill, a full disk, a power cut that lost what the disk had promised) makes the shard anew from its rows, and gets the
same bytes. Nothing in these files depends on time or on the worker; the seconds spent go to a table of their own.
"""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from itertools import count, islice
from pathlib import Path
from typing import Any

from lyrics.pronounce import Pronouncer
from melody.decode import TOGETHER
from pipeline.batch.inputs import Row, need
from pipeline.batch.job import Job, OtherJobError
from pipeline.batch.rows import Composed, Failure, compose_rows, rehearse
from pipeline.batch.store import Store, write

ROWS_OF_PRONOUNCER = 500  # it remembers words, which saves time; one for all rows would grow without end
GROUP_LETTERS = 40_000  # of rows composed together
ROWS_PER_GROUP = 50  # songs in a row group: what the writer holds uncompressed
FEATURES: dict[str, str] = {
    "row": "int64",  # number in the input, from 0
    "id": "string",
    "title": "string",
    "theme": "string",  # of which the lyrics were written, null where the input had lyrics
    "seed": "int64",
    "key": "string",
    "mode": "string",
    "tempo_qpm": "double",
    "meter": "string",
    "style": "string",
    "voice": "string",
    "form": "string",  # section ids in order of singing, repeats under the id of what they repeat
    "length_seconds": "double",
    "num_sections": "int32",
    "num_lines": "int32",
    "num_words": "int32",
    "num_syllables": "int32",
    "num_notes": "int32",
    "num_chords": "int32",
    "lowest": "int32",  # MIDI pitches
    "highest": "int32",
    "median_pitch": "double",
    "notes_per_syllable": "double",
    "stress_pairs": "int32",  # neighbours in a word of which one is stressed; of those, the shares whose stressed one
    "stress_stronger": "double",  # begins on the stronger place of the bar,
    "stress_equal": "double",
    "stress_weaker": "double",
    "function_words_on_strong": "double",  # shares, see melody.metrics
    "content_words_on_strong": "double",
    "notes_in_key": "double",
    "chord_tones_on_strong": "double",
    "cadences": "double",
    "repeated_fourgrams": "double",
    "warnings": "list",
}
SONGS = {"row": "int64", "id": "string", "title": "string", "document": "string"}
TIMING = {"row": "int64", "id": "string", "seconds": "double"}


@dataclass(frozen=True, slots=True)
class ShardDone:
    """A shard whose record stands."""

    number: int
    first_row: int
    num_rows: int
    failures: tuple[Failure, ...]
    was_done: bool  # found done, not composed now


@dataclass(frozen=True, slots=True)
class RowsBegun:
    """Rows are being composed, together."""

    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RowDone:
    """A row composed, in a shard that is not done yet."""

    row: int
    failure: Failure | None
    seconds: float


Event = RowsBegun | RowDone | ShardDone


@dataclass(frozen=True, slots=True)
class Shard:
    """Rows to be made into one part of each table."""

    number: int
    rows: tuple[Row, ...]
    careful: bool = False  # one row at a time, so that a row of which processes die is known
    lethal: frozenset[int] = frozenset()  # rows that must not be tried again: processes died of them


def in_shards(rows: Iterable[Row], size: int) -> Iterator[Shard]:
    """Cut rows into shards of equal size; the last may be shorter."""
    iterator = iter(rows)
    for number in count():
        taken = tuple(islice(iterator, size))
        if not taken:
            return
        yield Shard(number, taken)


def _groups(rows: Sequence[Row], most: int) -> Iterator[list[Row]]:
    """Cut rows into groups to be composed together, of few rows where they are long, so that memory stays small."""
    group: list[Row] = []
    letters = 0
    for row in rows:
        if group and (len(group) == most or letters + len(row.text) > GROUP_LETTERS):
            yield group
            group, letters = [], 0
        group.append(row)
        letters += len(row.text)
    if group:
        yield group


def record_name(number: int) -> str:
    """Name the record of a shard."""
    return f"shards/shard-{number:08d}.json"


def part_name(table: str, number: int) -> str:
    """Name a shard's part of a table."""
    return f"{table}/{table}-{number:08d}.parquet"


def rows_digest(rows: Iterable[Row]) -> str:
    """Return the SHA-256 of rows, to notice an input that has changed."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(astuple(row)).encode())
        digest.update(b"\n")
    return digest.hexdigest()


class ShardMaker:
    """Makes shards; one lives in each worker, so that models and dictionaries are loaded once."""

    def __init__(self, job: Job, store: Store) -> None:
        """Load everything by composing one line; ModelError if a model is missing or damaged."""
        self._job = job
        self._store = store
        self._pronouncer = self._new_pronouncer()
        self._served = 0  # rows that it has seen
        rehearse(job, self._pronouncer)
        self._write_lyrics: Callable[[Row, int], str] | None = None
        if job.writing is not None:
            from pipeline.batch.themes import ThemeWriter

            self._write_lyrics = ThemeWriter(job.writing)

    def _new_pronouncer(self) -> Pronouncer:
        if self._job.pronunciations is None:
            return Pronouncer()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "pronunciations.txt"
            path.write_text(self._job.pronunciations, encoding="utf-8")
            return Pronouncer(path)

    def make(self, shard: Shard) -> Iterator[Event]:
        """Make a shard, unless it is done, and tell what happens; the last event is a ShardDone.

        Raises OtherJobError if the shard was made from other rows before, OSError if the disk stands in the way.
        """
        rows = shard.rows
        digest = rows_digest(rows)
        record = read_record(self._store, shard.number)
        if record is None:
            yield from self._compose(shard, digest)
        elif record["rows"] != digest:
            raise OtherJobError(
                f"the input has changed since {self._store.location} was begun: rows {rows[0].number:,} to "
                f"{rows[-1].number:,} are not those that were composed; bring the input back, give another folder, or "
                "use --force to begin anew"
            )
        else:
            yield ShardDone(shard.number, rows[0].number, len(rows), _failures(record), was_done=True)

    def _compose(self, shard: Shard, digest: str) -> Iterator[Event]:
        number, rows = shard.number, shard.rows
        if self._served > ROWS_OF_PRONOUNCER:
            self._pronouncer, self._served = self._new_pronouncer(), 0
        self._served += len(rows)
        pronouncer = self._pronouncer
        songs, features, timing = Part(SONGS), Part(FEATURES), Part(TIMING)
        failures: list[Failure] = []
        written: dict[str, str] = {}  # SHA-256 by name
        # Writing takes so long that nothing is won, but the progress would stand still.
        together = 1 if shard.careful or self._write_lyrics else TOGETHER
        for group in _groups(rows, together):
            some = [
                replace(row, problem="every process that composed this row died") if row.number in shard.lethal else row
                for row in group
            ]
            yield RowsBegun(tuple(row.number for row in some))
            for done in compose_rows(some, self._job, pronouncer, self._write_lyrics):
                row, outcome = done.row, done.outcome
                if isinstance(outcome, Composed):
                    songs.add({name: getattr(outcome, name) for name in SONGS})
                    features.add(outcome.features)
                    for name, content in outcome.files.items():
                        self._write(f"files/{number:08d}/{name}", content, written, durable=False)
                else:
                    failures.append(outcome)
                timing.add({"row": row.number, "id": row.id, "seconds": done.seconds})
                yield RowDone(row.number, None if isinstance(outcome, Composed) else outcome, done.seconds)
        write(self._store, part_name("timing", number), timing.finish(), durable=False)
        for table, part in (("songs", songs), ("features", features)):
            self._write(part_name(table, number), part.finish(), written)
        record = {
            "shard": number,
            "first_row": rows[0].number,
            "num_rows": len(rows),
            "rows": digest,
            "failures": [failure.to_json() for failure in failures],
            "files": written,
        }
        write(self._store, record_name(number), (json.dumps(record, ensure_ascii=False, indent=1) + "\n").encode())
        yield ShardDone(number, rows[0].number, len(rows), tuple(failures), was_done=False)

    def _write(self, name: str, content: bytes, written: dict[str, str], *, durable: bool = True) -> None:
        write(self._store, name, content, durable=durable)
        written[name] = hashlib.sha256(content).hexdigest()


def read_record(store: Store, number: int) -> dict[str, Any] | None:
    """Return the record of a shard if all its files are there, as they were written; else None."""
    try:
        record: dict[str, Any] = json.loads(store.read(record_name(number)))
        files = record["files"].items()
        whole = all(hashlib.sha256(store.read(name)).hexdigest() == checksum for name, checksum in files)
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return record if whole else None


def _failures(record: dict[str, Any]) -> tuple[Failure, ...]:
    return tuple(Failure(**failure) for failure in record["failures"])


def failures_of(store: Store, number: int) -> tuple[Failure, ...]:
    """Return the failures of a shard that is done."""
    return _failures(json.loads(store.read(record_name(number))))


class Part:
    """A Parquet file in the making, with fixed settings, so that the same rows give the same bytes."""

    def __init__(self, columns: dict[str, str]) -> None:
        """Begin a file with these columns, by the name of their Arrow type."""
        pyarrow, parquet = need("pyarrow"), need("pyarrow.parquet")
        self._pyarrow = pyarrow
        kinds = {"list": pyarrow.list_(pyarrow.string())}
        self._schema = pyarrow.schema(
            [(name, kinds.get(kind) or pyarrow.type_for_alias(kind)) for name, kind in columns.items()]
        )
        self._buffer = pyarrow.BufferOutputStream()
        self._writer = parquet.ParquetWriter(
            self._buffer, self._schema, compression="zstd", compression_level=3, version="2.6", data_page_version="1.0"
        )
        self._rows: list[dict[str, Any]] = []

    def add(self, row: dict[str, Any]) -> None:
        """Add a row."""
        self._rows.append(row)
        if len(self._rows) == ROWS_PER_GROUP:
            self._flush()

    def finish(self) -> bytes:
        """Return the whole file."""
        if self._rows:
            self._flush()
        self._writer.close()
        return bytes(self._buffer.getvalue())

    def _flush(self) -> None:
        self._writer.write_table(self._pyarrow.Table.from_pylist(self._rows, schema=self._schema))
        self._rows.clear()
