"""Failures of an installation that the user can mend; `LyricsError`, about the words, stands beside the document."""

from importlib.util import find_spec


class MissingExtraError(RuntimeError):
    """Something needs a package that the light install leaves out; the message names the extra."""


class ModelFileError(RuntimeError):
    """The files of a model or a checkpoint are missing, damaged, or not those that this version was made with."""


class ModelChoiceError(ValueError):
    """A model that is none, or that cannot do what it was asked for."""


class TrainingError(ModelChoiceError):
    """Training that cannot start or go on as asked."""


class RequestError(ValueError):
    """A request for lyrics that cannot be fulfilled; the message says what contradicts what, and the way out."""


def need(feature: str, extra: str, *packages: str) -> None:
    """Raise MissingExtraError unless all packages can be imported; `feature` begins the sentence."""
    for package in packages:
        if find_spec(package) is None:
            raise MissingExtraError(f"{feature} needs {package}; install it with: pip install 'songwright[{extra}]'")
