"""Write files whole or not at all."""

import errno
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from pipeline.errors import OutputExistsError, SettingsError


def check_folder(folder: Path) -> None:
    """Refuse a folder that can take no files: SettingsError if it, or what it would be made in, is a file.

    Raises PermissionError if nothing may be written there.
    """
    there = next((place for place in (folder, *folder.parents) if place.exists()), None)
    if there is not None and not there.is_dir():
        raise SettingsError(f"{there} is a file; give a folder for the output")
    if there is not None and not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(there))


def check_files(paths: Iterable[Path], *, inputs: Iterable[Path | None] = (), force: bool = False) -> None:
    """Refuse files that cannot be written: those of `inputs` always, those that exist unless `force` is set.

    Raises SettingsError for an input, a folder in the place of a file, and a file in the place of a folder,
    OutputExistsError for a file that is there already, and PermissionError if nothing may be written there.
    """
    read = [path for path in inputs if path is not None and path.exists()]
    for path in paths:
        check_folder(path.parent)
        if path.is_dir():
            raise SettingsError(f"{path} is a folder; a file of this name cannot be written")
        if path.exists() and any(path.samefile(other) for other in read):
            raise SettingsError(f"{path} is read, and never overwritten; give another place with -o")
        if path.exists() and not force:
            raise OutputExistsError(errno.EEXIST, "exists already", str(path))


def write_files(contents: Mapping[Path, bytes], *, inputs: Iterable[Path | None] = (), force: bool = False) -> None:
    """Write all files, or none: first under temporary names in their folders, then renamed.

    Folders are made where they are missing. Raises what `check_files` raises, and OSError if the disk stands in the
    way.
    """
    check_files(contents, inputs=inputs, force=force)
    temporary: list[tuple[Path, Path]] = []
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            name = path.with_name(f".{path.name}.{os.getpid()}.part")
            temporary.append((name, path))
            with name.open("xb") as file:
                file.write(content)
        for name, path in temporary:
            os.replace(name, path)
    finally:
        for name, _ in temporary:
            with suppress(OSError):  # renamed, or never made
                name.unlink()
