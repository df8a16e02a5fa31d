"""The files of models: read only if they are those that were trained, written whole with their hashes beside them.

Beside the files of a model lies `SHA256SUMS`, as `sha256sum` (GNU coreutils) writes and checks it. Whoever trains a
model writes its files with `write_model_files`; whoever loads one reads them with `read_model_file`, so that damaged
or foreign weights are an error, and never a song.
"""

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from lyrics.errors import ModelFileError

SUMS = "SHA256SUMS"


def read_sums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of files by name; none where the folder has no SHA256SUMS. OSError if it cannot be read."""
    try:
        lines = (folder / SUMS).read_text(encoding="ascii", errors="replace").splitlines()
    except FileNotFoundError:
        return {}
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def read_model_file(path: Path, *, ours: bool = True) -> bytes:
    """Read a file after checking it against the SHA256SUMS beside it.

    Raises ModelFileError if it cannot be read or is another file, and, unless `ours` is false (a model that a user
    brings), if nothing is known about it.
    """
    try:
        content = path.read_bytes()
        expected = read_sums(path.parent).get(path.name)
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read ({error.strerror}){_remedy(ours)}") from error
    if expected is None and not ours:
        return content
    if hashlib.sha256(content).hexdigest() != expected:
        raise ModelFileError(f"{path} is not the file that was trained: its SHA-256 differs{_remedy(ours)}")
    return content


def write_model_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files whole and enter them in the folder's SHA256SUMS; print name, size and hash of each."""
    sums = read_sums(folder)
    for name, content in files.items():
        write_whole(folder / name, content)
        sums[name] = hashlib.sha256(content).hexdigest()
        print(f"{folder / name}: {len(content)} bytes, SHA-256 {sums[name]}", flush=True)
    write_whole(folder / SUMS, "".join(f"{sums[name]}  {name}\n" for name in sorted(sums)).encode())


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; on failure (a full disk) the old one stays and no other is left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.with_name(f".{path.name}.part")
    try:
        with name.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except OSError as error:
        with suppress(OSError):
            name.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error


def _remedy(ours: bool) -> str:
    return "; install songwright again" if ours else ""
