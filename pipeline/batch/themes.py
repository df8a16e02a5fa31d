"""Rows that hold themes: the language model writes the lyrics before they are composed.

The model is loaded once in each worker. It reads a line's candidates in batches of its own; themes are written one by
one, on one thread and in full precision, so that a song depends neither on its neighbours nor on the machine's cores.
"""

from typing import Any

from lyrics.writing.plan import check
from lyrics.writing.request import Request
from pipeline.batch.inputs import Row
from pipeline.batch.job import Writing


def request(row: Row, writing: Writing, seed: int) -> Request:
    """Return what is asked of the writer for a row, whose text is the theme."""
    return Request(
        theme=row.text,
        form=writing.form,
        lines=writing.lines,
        syllables=writing.syllables,
        rhyme=writing.rhyme,
        metre=writing.metre,
        mood=writing.mood,
        title=row.title or "",
        seed=seed,
    )


def check_writing(writing: Writing) -> None:
    """Raise RequestError for what could not be written about any theme."""
    check(request(Row(0, "0", "", "the harbour at night"), writing, 0))


class ThemeWriter:
    """Writes lyrics about the themes of rows."""

    def __init__(self, writing: Writing) -> None:
        """Load the model; raises as `lyrics.lm.load_model` does."""
        from lyrics.lm import load_model
        from lyrics.model_store import DEFAULT_MODEL

        self._writing = writing
        self._model: Any = load_model(writing.model or DEFAULT_MODEL, precision="float32")
        import torch

        torch.set_num_threads(1)

    def __call__(self, row: Row, seed: int) -> str:
        """Write lyrics; RequestError for a theme about which none can be written."""
        from lyrics.writing.writer import write

        asked = request(row, self._writing, seed)
        check(asked)
        return write(asked, self._model).text
