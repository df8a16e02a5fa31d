"""Failures that the user can act on; the command line turns each into one sentence."""

from lyrics.errors import MissingExtraError, ModelFileError

__all__ = ["MissingExtraError", "ModelFileError", "OutputExistsError", "SettingsError", "SongError"]


class SettingsError(ValueError):
    """Settings that make no sense: a key that is none, a tempo out of range, chords that do not parse."""


class SongError(ValueError):
    """A document that is not a sound song; the message says where (a JSON path) and what is wrong."""

    def __init__(self, path: str, message: str) -> None:
        """Keep the place, for example "$.sections[0].lines[2]", for callers that want to point at it."""
        super().__init__(f"{path}: {message}")
        self.path = path


class OutputExistsError(FileExistsError):
    """A file that would be overwritten."""


class TuneError(ValueError):
    """A file that has no melody to go on with; the message says what is wrong with it and what to do."""
