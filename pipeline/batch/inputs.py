"""Rows of lyrics from files, folders, standard input and data sets, read one after another and never all at once.

    open_source("lyrics.jsonl"), open_source("folder/"), open_source("more/*.csv"), open_source("-"),
    open_source("owner/name")   # a data set of the Hugging Face hub, streamed

A source yields records: values by column name, or a problem where a record cannot be read (a line that is no JSON, a
file that is no text). `read_rows` makes rows of them by a job's columns, and notes what is wrong with a row that is
hostile: such rows fail alone when their turn comes. Only what makes every row fail stops the run before it begins.
"""

import csv
import glob
import gzip
import hashlib
import io
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

from lyrics.document import LyricsError
from lyrics.errors import missing_extra
from lyrics.parse import MAX_BYTES, decode_text, standard_input
from pipeline.batch.job import Columns, Job
from pipeline.batch.seen import SeenIds
from pipeline.errors import SettingsError
from pipeline.seeds import MAX_SEED

TEXT_COLUMNS = ("lyrics", "text")
THEME_COLUMNS = ("theme", "text")
MAX_LINE_BYTES = 8 * MAX_BYTES  # of a JSON or CSV record; what is longer is skipped without being held
MAX_ID_LETTERS = 256
_BEGINNING = 20  # rows of which one must have lyrics
_SAMPLE = 1 << 20  # of files too large to be read twice, so much of both ends goes into the fingerprint
_SMALL = 64 << 20
_KINDS = {
    ".txt": "txt",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}


@dataclass(frozen=True, slots=True)
class Record:
    """What stands at one place of the input: values by column, or the reason why it cannot be read."""

    place: str  # "lyrics.jsonl, line 12"
    values: Mapping[str, Any] | None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row to compose, checked as far as it can be without reading the words."""

    number: int  # from 0, in the order of the input
    id: str
    place: str
    text: str = ""
    title: str | None = None
    key: str | None = None
    tempo: float | None = None
    meter: str | None = None
    style: str | None = None
    voice: str | None = None
    seed: int | None = None
    problem: str | None = None  # why it must fail


@dataclass(frozen=True, slots=True)
class Source:
    """An input that can be read again from its beginning, here or in another process (but for standard input)."""

    location: str
    kind: str  # a value of _KINDS, "stdin", "dataset" (of the hub or a folder) or "saved" (by save_to_disk)
    files: tuple[str, ...] = ()
    root: str = ""  # what ids of text files are relative to
    split: str = "train"
    config: str | None = None
    limit: int | None = None
    ignored: tuple[str, ...] = ()  # tables beside text files

    def records(self) -> Iterator[Record]:
        """Read all records in order, or the first `limit`."""
        return islice(self._records(), self.limit)

    def _records(self) -> Iterator[Record]:
        if self.kind == "stdin":
            yield from _json_lines(standard_input(), "standard input")
        elif self.kind in ("dataset", "saved"):
            yield from _data_set(self)
        else:
            for name in self.files:
                yield from _READERS[self.kind](name, self.root)

    def columns(self) -> tuple[str, ...] | None:
        """Return the names of the columns, None where every record has its own."""
        if self.kind in ("csv", "tsv"):
            with _open(self.files[0]) as file:
                return tuple(next(_csv_rows(file, self.kind), ([], ""))[0])
        if self.kind == "parquet":
            return tuple(_parquet(self.files[0]).schema_arrow.names)
        if self.kind in ("dataset", "saved"):
            names = _load(self).column_names
            return None if names is None else tuple(names)
        return None

    def fingerprint(self) -> dict[str, Any]:
        """Describe the input so that another input is noticed: names, sizes and checksums of its files.

        The checksum of a file over 64 MB is that of its ends and its size; what is changed in between is noticed when
        its rows are read (see `pipeline.batch.shards`). Of a data set of the hub only the name is known.
        """
        value: dict[str, Any] = {"kind": self.kind, "limit": self.limit}
        if self.kind in ("dataset", "saved"):
            value |= {"name": Path(self.location).name if self.root else self.location}
            value |= {"split": self.split, "config": self.config}
        names = [os.path.relpath(name, self.root) if self.root else Path(name).name for name in self.files]
        digest = hashlib.sha256()
        size = 0
        for shown, name in zip(names, self.files, strict=True):
            length, checksum = _checksum(name)
            size += length
            digest.update(f"{shown}\0{length}\0{checksum}\n".encode("utf-8", "surrogateescape"))
        if self.files:
            value |= {"files": len(self.files), "bytes": size, "sha256": digest.hexdigest()}
        return value

    def count(self) -> int | None:
        """Count the rows if that costs little, for the sake of a progress bar; None if it would cost much."""
        if self.kind == "txt":
            return len(self.files) if self.limit is None else min(self.limit, len(self.files))
        if self.kind == "parquet":
            rows = sum(int(_parquet(name).metadata.num_rows) for name in self.files)
            return rows if self.limit is None else min(self.limit, rows)
        if self.kind in ("jsonl", "csv", "tsv") and sum(os.path.getsize(name) for name in self.files) < _SMALL:
            return sum(1 for _ in self.records())
        return None


def open_source(location: str, *, split: str = "train", config: str | None = None, limit: int | None = None) -> Source:
    """Find out what an input is; SettingsError says what is wrong with it.

    `split` and `config` choose a part of a data set, `limit` its first rows.
    """
    if limit is not None and limit < 1:
        raise SettingsError(f"the limit must be at least one row, got {limit}")
    options: dict[str, Any] = {"split": split, "config": config, "limit": limit}
    if location == "-":
        return Source("-", "stdin", **options)
    if "\0" in location or not location:
        raise SettingsError("the input needs a name: a folder, a file, a pattern, - or a data set")
    path = Path(location)
    if path.is_dir():
        return _folder(path, options)
    if path.exists():
        return _files(location, [location], options)
    if any(character in location for character in "*?["):
        found = sorted(name for name in glob.glob(location, recursive=True) if os.path.isfile(name))
        if not found:
            raise SettingsError(f"no file matches {location}")
        return _files(location, found, options)
    if _kind(location) or location.startswith(("/", ".", "~")) or location.count("/") > 1:
        raise SettingsError(f"cannot read {location}: there is no such file or folder")
    source = Source(location, "dataset", **options)
    _load(source)
    return source


def _kind(name: str) -> str | None:
    return _KINDS.get(Path(name.lower().removesuffix(".gz")).suffix)


def _files(location: str, found: list[str], options: dict[str, Any]) -> Source:
    kinds = {_kind(name) for name in found}
    if None in kinds:
        odd = next(name for name in found if _kind(name) is None)
        raise SettingsError(f"cannot tell what {odd} is; give files that end in {', '.join(sorted(_KINDS))}")
    if len(kinds) > 1:
        raise SettingsError(
            f"{location} matches files of several kinds ({', '.join(sorted(map(str, kinds)))}); give one"
        )
    kind = str(kinds.pop())
    for name in found:
        _check_readable(name, kind)
    root = os.path.commonpath([os.path.dirname(name) for name in found]) if kind == "txt" else ""
    return Source(location, kind, tuple(found), root or ("." if kind == "txt" else ""), **options)


def _check_readable(name: str, kind: str) -> None:
    try:
        with _open(name) as file:
            start = file.read(1 << 12).lstrip(b"\xef\xbb\xbf \t\r\n")
    except (OSError, EOFError) as error:
        raise SettingsError(f"cannot read {name}: {getattr(error, 'strerror', None) or error}") from error
    if kind == "jsonl" and start.startswith(b"["):
        raise SettingsError(f"{name} is one JSON array; give JSON lines, one object a line")
    if kind == "parquet":
        _parquet(name)


def _folder(path: Path, options: dict[str, Any]) -> Source:
    if (path / "state.json").exists() or (path / "dataset_dict.json").exists():
        files = sorted(str(file) for file in path.rglob("*") if file.is_file() and not file.name.startswith("cache-"))
        source = Source(str(path), "saved", tuple(files), str(path), **options)
        _load(source)
        return source
    files = sorted(
        os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names if not name.startswith(".")
    )
    texts = tuple(name for name in files if _kind(name) == "txt")
    tables = tuple(name for name in files if _kind(name) not in (None, "txt"))
    if tables and (not texts or _has_card(path)):  # as the datasets library lays them out: splits by name, or by a card
        source = Source(str(path), "dataset", tuple(files), str(path), **options)
        _load(source)
        return source
    if not texts:
        raise SettingsError(f"{path} holds no lyrics: no .txt files, and no data set")
    return Source(str(path), "txt", texts, str(path), ignored=tables, **options)


def _has_card(folder: Path) -> bool:
    """Return whether a README.md says, before its text, how the folder is to be loaded."""
    try:
        with (folder / "README.md").open("rb") as file:
            return file.read(3) == b"---"
    except OSError:
        return False


def _open(name: str) -> IO[bytes]:
    return gzip.open(name, "rb") if name.lower().endswith(".gz") else open(name, "rb")  # type: ignore[return-value]


def _checksum(name: str) -> tuple[int, str]:
    size = os.path.getsize(name)
    with open(name, "rb") as file:
        if size <= _SMALL:
            return size, hashlib.file_digest(file, "sha256").hexdigest()
        digest = hashlib.sha256(file.read(_SAMPLE))
        file.seek(-_SAMPLE, io.SEEK_END)
        digest.update(file.read())
        return size, digest.hexdigest()


# --- readers ---------------------------------------------------------------------------------------------------------


def _text_file(name: str, root: str) -> Iterator[Record]:
    shown = Path(os.path.relpath(name, root)).as_posix()
    with _open(name) as file:
        content = file.read(MAX_BYTES + 1)
    identifier = shown.removesuffix(".gz").removesuffix(".txt")
    try:
        yield Record(shown, {"id": identifier, "text": decode_text(content, "the file")})
    except LyricsError as error:
        yield Record(shown, {"id": identifier}, str(error))


def _lines(file: IO[bytes]) -> Iterator[bytes | None]:
    """Yield lines, None for one that is too long; it is skipped without being held."""
    while line := file.readline(MAX_LINE_BYTES):
        if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
            while (rest := file.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
            yield None
        else:
            yield line


_TOO_LONG = f"the record is longer than {MAX_LINE_BYTES:,} bytes"


def _json_lines(file: IO[bytes], name: str) -> Iterator[Record]:
    for number, line in enumerate(_lines(file), 1):
        place = f"{name}, line {number}"
        if line is None:
            yield Record(place, None, _TOO_LONG)
            continue
        line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if line.strip():
            yield _json_record(line, place)


def _json_record(line: bytes, place: str) -> Record:
    try:
        value = json.loads(line)
    except UnicodeDecodeError as error:
        return Record(place, None, f"not UTF-8 (byte {error.start + 1} of the line is 0x{line[error.start]:02X})")
    except json.JSONDecodeError as error:
        return Record(place, None, f"no JSON: {error.msg} at column {error.colno}")
    except (ValueError, RecursionError) as error:  # an integer of thousands of digits, brackets without end
        return Record(place, None, f"JSON that cannot be read: {error}")
    if not isinstance(value, dict):
        return Record(place, None, f"a record must be a JSON object, got {_named(value)}")
    return Record(place, value)


def _json_file(name: str, root: str) -> Iterator[Record]:
    with _open(name) as file:
        yield from _json_lines(file, Path(name).name)


def _csv_rows(file: IO[bytes], kind: str) -> Iterator[tuple[list[str], str]]:
    """Yield (fields, problem) of every row that is not blank; bytes that are no UTF-8 become halves of surrogates."""

    def lines() -> Iterator[str]:
        for number, line in enumerate(_lines(file)):
            if line is None:
                raise csv.Error(_TOO_LONG)
            yield (line if number else line.removeprefix(b"\xef\xbb\xbf")).decode("utf-8", "surrogateescape")

    class Lines:  # an iterator that goes on after an error
        def __init__(self) -> None:
            self.generator = lines()

        def __iter__(self) -> "Lines":
            return self

        def __next__(self) -> str:
            try:
                return next(self.generator)
            except csv.Error:
                self.generator = lines()
                raise

    csv.field_size_limit(MAX_LINE_BYTES)
    reader = csv.reader(Lines(), delimiter="\t" if kind == "tsv" else ",")
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield [], str(error)
            continue
        if fields:
            yield fields, ""


def _csv_file(name: str, root: str, kind: str = "csv") -> Iterator[Record]:
    with _open(name) as file:
        rows = _csv_rows(file, kind)
        header = next(rows, ([], ""))[0]
        for number, (fields, problem) in enumerate(rows, 1):
            place = f"{Path(name).name}, row {number}"
            if not problem and len(fields) > len(header):
                problem = f"the row has {len(fields)} fields, the header {len(header)}"
            yield Record(place, None if problem else dict(zip(header, fields, strict=False)), problem or None)


def _tsv_file(name: str, root: str) -> Iterator[Record]:
    return _csv_file(name, root, "tsv")


def _parquet(name: str) -> Any:
    pyarrow = need("pyarrow.parquet")
    try:
        return pyarrow.ParquetFile(name, pre_buffer=False)
    except (OSError, ValueError) as error:
        raise SettingsError(f"cannot read {name}: {_first_line(error)}") from error


def _parquet_file(name: str, root: str) -> Iterator[Record]:
    import pyarrow

    number = 0
    for batch in _parquet(name).iter_batches(batch_size=64):
        columns = []
        for column in batch.columns:
            if pyarrow.types.is_dictionary(column.type):
                column = column.dictionary_decode()
            if pyarrow.types.is_string(column.type) or pyarrow.types.is_large_string(column.type):
                large = pyarrow.types.is_large_string(column.type)
                values = column.view(pyarrow.large_binary() if large else pyarrow.binary()).to_pylist()
                columns.append([v if v is None else v.decode("utf-8", "surrogateescape") for v in values])
            else:
                columns.append(column.to_pylist())
        for values in zip(*columns, strict=True):
            number += 1
            yield Record(f"{Path(name).name}, row {number}", dict(zip(batch.schema.names, values, strict=True)))


_READERS: dict[str, Callable[[str, str], Iterator[Record]]] = {
    "txt": _text_file,
    "jsonl": _json_file,
    "csv": _csv_file,
    "tsv": _tsv_file,
    "parquet": _parquet_file,
}


def need(module: str) -> Any:
    """Import what only batches need; MissingExtraError if it is not installed."""
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        extra = "ray" if package == "ray" else "batch"
        raise missing_extra("this batch", extra, package) from error


def _load(source: Source) -> Any:
    """Open a data set to be streamed; what the library says when it cannot is told in one sentence."""
    datasets = need("datasets")
    datasets.disable_progress_bars()
    datasets.utils.logging.set_verbosity_error()
    try:
        if source.kind == "saved":
            loaded = datasets.load_from_disk(source.location)
            if isinstance(loaded, dict):
                if source.split not in loaded:
                    raise SettingsError(
                        f"{source.location} has no split {source.split!r}; it has {', '.join(sorted(loaded))}"
                    )
                loaded = loaded[source.split]
            return loaded
        return datasets.load_dataset(source.location, source.config, split=source.split, streaming=True)
    except SettingsError:
        raise
    except Exception as error:  # the library raises dozens of classes
        raise SettingsError(
            f"there is no file or folder {source.location}, and it cannot be loaded as a data set: {_first_line(error)}"
            if not source.root
            else f"cannot load the data set in {source.location}: {_first_line(error)}"
        ) from error


def _data_set(source: Source) -> Iterator[Record]:
    name = Path(source.location).name if source.root else source.location
    for number, values in enumerate(_load(source), 1):
        yield Record(f"{name}, row {number}", values)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


# --- rows ------------------------------------------------------------------------------------------------------------


def checked_records(source: Source, job: Job) -> Iterator[Record]:
    """Look at the beginning of an input and return all its records.

    Raises SettingsError if there is no record, if none of the first has lyrics, and if the input has fixed columns of
    which a named one is missing.
    """
    fixed = source.columns()
    if fixed is not None:
        _check_columns(fixed, [getattr(job.columns, name) for name in Columns.__dataclass_fields__], job, "the input")
    records = source.records()
    first: list[Record] = []
    there: dict[str, None] = {}  # the columns of those that can be read
    wanted = {job.columns.text} if job.columns.text else set(_usual(job))
    while len(first) < _BEGINNING and not wanted & there.keys() and (record := next(records, None)) is not None:
        first.append(record)
        if record.problem is None:
            there |= dict.fromkeys(record.values or ())
    if not first:
        raise SettingsError("the input has no rows")
    if any(record.problem is None for record in first):
        _check_columns(tuple(there), [job.columns.text], job, "the beginning of the input")
    return chain(first, records)


def _check_columns(there: Sequence[str], names: Sequence[str | None], job: Job, place: str) -> None:
    missing = next((name for name in names if name is not None and name not in there), None)
    listed = ", ".join(map(_printable, there)) or "none"
    if missing is not None:
        raise SettingsError(f"{place} has no column {missing!r}; it has {listed}")
    if job.columns.text is None and not set(_usual(job)) & set(there):
        what = "themes" if job.writing else "lyrics"
        raise SettingsError(f"name the column with the {what} with --text-column; {place} has {listed}")


def _usual(job: Job) -> tuple[str, ...]:
    return THEME_COLUMNS if job.writing else TEXT_COLUMNS


def read_rows(source: Source, job: Job) -> Iterator[Row]:
    """Read an input as rows, in order; what is wrong with a row stands in its `problem`."""
    return rows_of(source.records(), job)


def rows_of(records: Iterable[Record], job: Job) -> Iterator[Row]:
    """Make rows of the records of an input, from its beginning."""
    seen = SeenIds()
    for number, record in enumerate(records):
        row = _row(number, record, job.columns, _usual(job))
        if row.problem is None and not seen.add(row.id):
            row = replace(row, text="", problem=f"the id {row.id!r} belongs to an earlier row; ids must differ")
        yield row


def _row(number: int, record: Record, columns: Columns, usual: tuple[str, ...]) -> Row:
    values = record.values or {}
    row = Row(number, str(number), _printable(record.place))
    try:
        row = replace(row, id=_id(values, columns.id, number))
        if record.problem is not None:
            raise ValueError(record.problem)
        return replace(
            row,
            text=_lyrics(values, columns.text, usual),
            title=_text(values, columns.title or "title", columns.title is not None),
            key=_text(values, columns.key),
            tempo=_number(values, columns.tempo),
            meter=_text(values, columns.meter),
            style=_text(values, columns.style),
            voice=_text(values, columns.voice),
            seed=_seed(values, columns.seed),
        )
    except ValueError as error:
        return replace(row, problem=record.problem or _printable(str(error)))


def _id(values: Mapping[str, Any], column: str | None, number: int) -> str:
    name = column or "id"
    value = values.get(name)
    if value is None and column is None:
        return str(number)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise ValueError(f"{name}: an id must be text or a whole number, got {_named(value)}")
    _check_unicode(value, name)
    if not value.strip():
        raise ValueError(f"{name}: the id is empty")
    if len(value) > MAX_ID_LETTERS:
        raise ValueError(f"{name}: an id has at most {MAX_ID_LETTERS} letters, got {len(value)}")
    if not value.isprintable():
        raise ValueError(f"{name}: the id {value!r} holds a character that cannot be printed")
    if ".." in value.replace("\\", "/").split("/"):
        raise ValueError(f"{name}: the id {value!r} leads out of its folder")
    return value


def _lyrics(values: Mapping[str, Any], column: str | None, usual: tuple[str, ...]) -> str:
    name = column or next((name for name in usual if name in values), None)
    if name is None or name not in values:
        raise ValueError(f"there is no {column or ' or '.join(usual)}")
    value = values[name]
    if not isinstance(value, str):
        raise ValueError(
            f"{name}: {'a theme' if usual is THEME_COLUMNS else 'lyrics'} must be text, got {_named(value)}"
        )
    if len(value) > MAX_BYTES:
        raise ValueError(f"{name}: the lyrics have more than {MAX_BYTES:,} characters; lyrics this long must be split")
    _check_unicode(value, name)
    return value


def _text(values: Mapping[str, Any], column: str | None, wanted: bool = True) -> str | None:
    value = None if column is None else values.get(column)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        if not wanted:  # a column that nobody named
            return None
        raise ValueError(f"{column}: must be text, got {_named(value)}")
    _check_unicode(value, str(column))
    if len(value) > MAX_ID_LETTERS:
        raise ValueError(f"{column}: has at most {MAX_ID_LETTERS} letters, got {len(value)}")
    return value


def _number(values: Mapping[str, Any], column: str | None) -> float | None:
    value = None if column is None else values.get(column)
    if value is None or value == "":
        return None
    try:
        number = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{column}: must be a number, got {_named(value)}")
    return number


def _seed(values: Mapping[str, Any], column: str | None) -> int | None:
    value = None if column is None else values.get(column)
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.strip().isdecimal() and len(value) <= 20:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_SEED:
        raise ValueError(f"{column}: a seed must be a whole number from 0 to {MAX_SEED}, got {_named(value)}")
    return value


def _check_unicode(text: str, column: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        what = f"byte 0x{code - 0xDC00:02X}" if 0xDC80 <= code <= 0xDCFF else f"half of a surrogate pair U+{code:04X}"
        raise ValueError(f"{column}: not UTF-8: {what} at character {error.start + 1}") from error


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _named(value: Any) -> str:
    """Name a value for a sentence, shortly."""
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, (list, tuple)):
        return "a list"
    shown = repr(value)
    return _printable(shown if len(shown) <= 40 else shown[:37] + "...")
