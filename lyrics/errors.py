"""Failures of an installation that the user can mend; `LyricsError`, about the words, stands beside the document."""

import sys
from importlib.util import find_spec
from pathlib import Path


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
            raise missing_extra(feature, extra, package)


def missing_extra(feature: str, extra: str, package: str) -> MissingExtraError:
    """Say what to install for a package that is missing; in a checkout, into the environment that runs it."""
    checkout = Path(__file__).parents[1]
    command = f"pip install 'songwright[{extra}]'"
    if (checkout / "pyproject.toml").is_file():
        command = f"{sys.executable} -m pip install -c {checkout}/constraints.txt -e '{checkout}[{extra}]'"
    return MissingExtraError(f"{feature} needs {package}; install it with: {command}")
