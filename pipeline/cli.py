"""The command line: importing the modules of commands registers them, and `app` runs them."""

from pipeline.commands import batch, evaluate, models, revisions, songs, train, tunes, write
from pipeline.commands.common import app

__all__ = ["app", "batch", "evaluate", "models", "revisions", "songs", "train", "tunes", "write"]
