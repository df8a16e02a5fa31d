"""Failures that the user can act on; the command line turns each into one sentence."""


class SettingsError(ValueError):
    """Settings that make no sense: a key that is none, a tempo out of range, chords that do not parse."""


class SongError(ValueError):
    """A document that is not a sound song; the message says where (a JSON path) and what is wrong."""

    def __init__(self, path: str, message: str) -> None:
        """Keep the place, for example "$.sections[0].lines[2]", for callers that want to point at it."""
        super().__init__(f"{path}: {message}")
        self.path = path


class MissingExtraError(RuntimeError):
    """A format needs a package that the light install leaves out; the message names the extra."""


class OutputExistsError(FileExistsError):
    """A file that would be overwritten."""
