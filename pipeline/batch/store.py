"""Where the files of a batch go: a local folder, or any place that fsspec can write to.

Files appear whole or not at all. A local store writes under a temporary name and renames; object stores show a file
when it is complete. Both may lose what was written last when the power fails, so whoever needs to be sure compares
checksums (see `pipeline.batch.shards`).
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import IO, Any, Protocol

_numbers = count()


class Store(Protocol):
    """A tree of files named by relative paths with `/`."""

    location: str

    def writer(self, name: str, *, durable: bool = True) -> Any:
        """Return a context manager that gives a binary file and makes it appear as `name` at the end."""

    def read(self, name: str) -> bytes:
        """Return a file's content; FileNotFoundError if there is none."""

    def names(self, folder: str) -> list[str]:
        """Return the names of the files directly in a folder, sorted; none if there is no such folder."""

    def is_empty(self) -> bool:
        """Return whether there is nothing at the location."""

    def remove(self, name: str) -> None:
        """Remove a file or a whole folder, if it is there."""

    def clean(self) -> None:
        """Remove what interrupted writing left behind."""


def write(store: Store, name: str, content: bytes, *, durable: bool = True) -> None:
    """Write a whole file."""
    with store.writer(name, durable=durable) as file:
        file.write(content)


def open_store(location: str) -> Store:
    """Open a folder, or an fsspec URL such as "s3://bucket/songs"."""
    if location.startswith("file://"):
        location = location.removeprefix("file://")
    return FsspecStore(location) if "://" in location else LocalStore(Path(location))


class LocalStore:
    """A folder."""

    def __init__(self, root: Path) -> None:
        """Nothing is made until something is written."""
        self.root = root
        self.location = str(root)
        self._unfinished = root / ".unfinished"

    @contextmanager
    def writer(self, name: str, *, durable: bool = True) -> Iterator[IO[bytes]]:
        """Write to a temporary file; rename it at the end. `durable` waits until the disk has it."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self._unfinished.mkdir(exist_ok=True)
        temporary = self._unfinished / f"{os.getpid()}-{next(_numbers)}"
        try:
            with temporary.open("xb") as file:
                yield file
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            os.replace(temporary, path)
        except OSError as error:
            error.filename, error.filename2 = str(path), None  # not the temporary one, or none at all
            raise
        finally:
            with suppress(OSError):  # renamed, or never made
                temporary.unlink()

    def read(self, name: str) -> bytes:
        """Return a file's content."""
        return (self.root / name).read_bytes()

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder."""
        try:
            return sorted(entry.name for entry in os.scandir(self.root / folder))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def is_empty(self) -> bool:
        """Return whether the folder is not there or empty."""
        return not self.root.exists() or (self.root.is_dir() and next(self.root.iterdir(), None) is None)

    def remove(self, name: str) -> None:
        """Remove a file or a folder."""
        path = self.root / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def clean(self) -> None:
        """Remove temporary files."""
        shutil.rmtree(self._unfinished, ignore_errors=True)


class FsspecStore:
    """Any file system that fsspec knows: S3, GCS, HDFS, memory. Its package (s3fs, gcsfs) must be installed."""

    def __init__(self, location: str) -> None:
        """Open the file system; ValueError or ImportError say what is wrong with the location."""
        from fsspec.core import url_to_fs

        self._fs, self._root = url_to_fs(location)
        self.location = location.rstrip("/")

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    @contextmanager
    def writer(self, name: str, *, durable: bool = True) -> Iterator[IO[bytes]]:
        """Write in one transaction: the file appears when it is complete."""
        path = self._path(name)
        self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        file = self._fs.open(path, "wb")
        try:
            yield file
        except BaseException:
            with suppress(Exception):
                file.discard()
            raise
        file.close()

    def read(self, name: str) -> bytes:
        """Return a file's content."""
        return bytes(self._fs.cat_file(self._path(name)))

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder."""
        self._fs.invalidate_cache()
        try:
            found = self._fs.ls(self._path(folder), detail=False)
        except FileNotFoundError:
            return []
        return sorted(path.rstrip("/").rpartition("/")[2] for path in found)

    def is_empty(self) -> bool:
        """Return whether nothing is there."""
        return not self.names("")

    def remove(self, name: str) -> None:
        """Remove a file or a folder."""
        if self._fs.exists(self._path(name)):
            self._fs.rm(self._path(name), recursive=True)

    def clean(self) -> None:
        """Nothing is left behind: an upload that breaks off never appears."""
