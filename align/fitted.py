"""Tables of scores that were fitted round by round until what is made has the statistics of people's songs.

Small matrices of nats, in a JSON file beside the weights that they were fitted with. `scripts/fit_rhythm.py` and
`scripts/fit_melody.py` write them.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lyrics.model_files import read_model_file, write_model_files

Table = tuple[tuple[float, ...], ...]
NAME = "fitted.json"


def rounded(table: NDArray[np.float64]) -> Table:
    """Return a table to hundredths of a nat, as it is written."""
    return tuple(map(tuple, np.round(table, 2).tolist()))


def read_fitted(folder: Path) -> dict[str, Table]:
    """Read a model folder's tables by name; ModelFileError if they are missing or not those of this version."""
    tables = json.loads(read_model_file(folder / NAME))
    return {name: tuple(map(tuple, rows)) for name, rows in tables.items()}


def write_fitted(folder: Path, tables: Mapping[str, Table]) -> None:
    """Write tables into a model folder, a row a line."""
    parts = [
        f' "{name}": [\n' + ",\n".join(f"  {json.dumps(row)}" for row in rows) + "\n ]" for name, rows in tables.items()
    ]
    write_model_files(folder, {NAME: ("{\n" + ",\n".join(parts) + "\n}\n").encode()})
