"""The command line: importing the modules of commands registers them, and `app` runs them."""

from pipeline.commands import models, revisions, songs, train, tunes
from pipeline.commands.common import app

__all__ = ["app", "models", "revisions", "songs", "train", "tunes"]
