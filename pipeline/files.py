"""Write files whole or not at all."""

import errno
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pipeline.errors import OutputExistsError


def write_files(contents: Mapping[Path, bytes], *, force: bool = False) -> None:
    """Write all files, or none: first under temporary names in their folders, then renamed.

    Folders are made where they are missing. Raises OutputExistsError for a file that is there already, unless `force`
    is set, and OSError if the disk or the permissions stand in the way.
    """
    for path in contents:
        if path.exists() and (not force or path.is_dir()):
            raise OutputExistsError(errno.EEXIST, "exists already", str(path))
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
