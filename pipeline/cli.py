"""The command line: importing the modules of commands registers them, and `app` runs them."""

from pipeline.commands import revisions, songs, train, tunes
from pipeline.commands.common import app

__all__ = ["app", "revisions", "songs", "train", "tunes"]
