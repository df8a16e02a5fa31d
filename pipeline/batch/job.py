"""What a batch is to do, and the manifest that keeps one output folder to one job."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any

from lyrics.errors import need
from pipeline.errors import SettingsError
from pipeline.song import PROGRAM

FORMAT = "songwright.batch/1"
SHARD_SIZE = 100  # rows: some ten seconds of work, which is what a kill can cost a worker


class OtherJobError(SettingsError):
    """The output folder belongs to another job, or its input has changed since."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns to read; a name of None is looked for under the usual names, or not used.

    Text is looked for as `lyrics`, then `text` (themes as `theme`, then `text`); the id as `id`, the title as `title`.
    All others are read only if they are named.
    """

    text: str | None = None
    id: str | None = None
    title: str | None = None
    key: str | None = None
    tempo: str | None = None
    meter: str | None = None
    style: str | None = None
    voice: str | None = None
    seed: str | None = None


@dataclass(frozen=True, slots=True)
class Writing:
    """How lyrics are written about themes; the options mean what they mean to `songwright write`."""

    model: str | None = None  # None: the default one
    form: str = "V-C-V-C-B-C"
    lines: str = ""
    syllables: str = "natural"
    rhyme: str = ""
    metre: str = "free"
    mood: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """Everything that decides what a row becomes; the settings mean what they mean to `pipeline.compose.compose`.

    A row's own settings come before these. The seed of a row's song derives from `seed` and the row's id, so that it
    does not depend on where the row stands.
    """

    columns: Columns = field(default_factory=Columns)
    writing: Writing | None = None  # the rows hold themes, not lyrics
    seed: int = 0
    key: str | None = None
    tempo: float | None = None
    meter: str | None = None
    style: str | None = None
    voice: str | None = None
    voice_range: str | None = None
    chords: str | None = None
    backing: str = "in-place"
    midi_lyrics: str = "plain"
    pronunciations: str | None = None  # the content of the user's file
    formats: tuple[str, ...] = ()  # files to write beside the tables
    shard_size: int = SHARD_SIZE

    def __post_init__(self) -> None:
        """Refuse what no row could be composed with, before the first one is."""
        if self.shard_size < 1:
            raise SettingsError(f"a shard needs at least one row, got {self.shard_size}")


def manifest(job: Job, source: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a job on an input (its fingerprint): equal for the same job on the same input, and only then.

    The versions are those of all that has a say in the bytes of the output.
    """
    packages = ["mido", "numpy", "pyarrow"]
    if job.writing:
        need("writing lyrics", "lm", "torch", "transformers")
        packages += ["torch", "transformers"]
    return {
        "format": FORMAT,
        "program": PROGRAM,
        "versions": {name: version(name) for name in packages},
        "input": dict(source),
        "job": asdict(job) | {"formats": list(job.formats)},
        "seeds": "the seed of a song derives from the job's seed and the row's id, unless the row gives its own",
    }


def manifest_text(value: Mapping[str, Any]) -> bytes:
    """Write a manifest for people and programs."""
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()


def check_same_job(found: bytes, wanted: Mapping[str, Any], place: str) -> None:
    """Raise OtherJobError, naming the first differences, if a manifest is not that of the wanted job."""
    try:
        there = dict(_flat(json.loads(found)))
    except ValueError as error:
        raise OtherJobError(f"{place}/manifest.json is damaged ({error}); use --force to begin anew") from error
    here = dict(_flat(json.loads(manifest_text(wanted))))
    differences = [
        f"{name} was {_short(there.get(name))}, now {_short(here.get(name))}"
        for name in {**there, **here}
        if there.get(name) != here.get(name)
    ]
    if differences:
        more = f" and {len(differences) - 3} more differences" if len(differences) > 3 else ""
        raise OtherJobError(
            f"{place} holds a batch made from other input or settings: {'; '.join(differences[:3])}{more}; "
            "finish it with those, give another folder, or use --force to begin anew"
        )


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(item, f"{name}.{key}" if name else key)
    else:
        yield name, value


def _short(value: Any) -> str:
    text = "not set" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
