"""Rows in, songs out, or the sentences that say why not."""

import logging
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from statistics import median
from typing import Any, TypeVar

from lyrics.document import LyricsError
from lyrics.errors import MissingExtraError, ModelFileError, RequestError
from lyrics.parse import parse_lyrics
from lyrics.pronounce import Pronouncer
from melody import metrics
from pipeline.batch.inputs import Row
from pipeline.batch.job import Job
from pipeline.compose import Draft, draft, sing
from pipeline.errors import SettingsError
from pipeline.evaluation import sung_from_song
from pipeline.names import safe_name
from pipeline.render import render
from pipeline.seeds import MAX_SEED, derived_seed
from pipeline.song import Song

logger = logging.getLogger(__name__)

_MANY_GUESSED = 0.3  # of the words: the lyrics may not be English


@dataclass(frozen=True, slots=True)
class Composed:
    """What a row became."""

    row: int
    id: str
    title: str
    document: str  # songwright.song/1
    features: dict[str, Any]
    files: dict[str, bytes]  # by name


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a row became nothing."""

    row: int
    id: str
    place: str
    message: str

    def to_json(self) -> dict[str, Any]:
        """Return what stands in errors.jsonl."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Done:
    """A row that is done, and the seconds it took."""

    row: Row
    outcome: Composed | Failure
    seconds: float


def compose_row(
    row: Row, job: Job, pronouncer: Pronouncer, write: Callable[[Row, int], str] | None = None
) -> Composed | Failure:
    """Compose one row; see `compose_rows`."""
    [done] = compose_rows((row,), job, pronouncer, write)
    return done.outcome


def compose_rows(
    rows: Sequence[Row], job: Job, pronouncer: Pronouncer, write: Callable[[Row, int], str] | None = None
) -> Iterator[Done]:
    """Compose rows together; the same row and job always give the same, whatever the others are.

    What is wrong with a row is its outcome, what is wrong with the machine (the disk, a missing package, memory) is
    raised. `write`, if given, makes lyrics of the rows' themes. A fault of this program fails the row alone as well,
    with its traceback in the log.
    """
    drafts: list[tuple[Draft, Row] | Failure] = []
    seconds: list[float] = []
    for row in rows:
        start = time.perf_counter()
        drafts.append(_guarded(row, partial(_draft, job=job, pronouncer=pronouncer, write=write)))
        seconds.append(time.perf_counter() - start)
    start = time.perf_counter()
    ready = [found[0] for found in drafts if not isinstance(found, Failure)]
    songs = iter(_sing(ready))
    share = (time.perf_counter() - start) / max(1, len(ready))  # as nobody can tell them apart
    for row, found, spent in zip(rows, drafts, seconds, strict=True):
        if isinstance(found, Failure):
            yield Done(row, found, spent)
        else:
            start = time.perf_counter()
            theme = row.text if write is not None else None
            outcome = _guarded(found[1], partial(_describe, song=next(songs), theme=theme, job=job))
            yield Done(row, outcome, spent + share + time.perf_counter() - start)


Found = TypeVar("Found")


def _guarded(row: Row, work: Callable[[Row], Found]) -> Found | Failure:
    """Do some work for a row; what is wrong with the row fails it alone."""
    if row.problem is not None:
        return Failure(row.number, row.id, row.place, row.problem)
    try:
        return work(row)
    except (LyricsError, RequestError, SettingsError) as error:
        return Failure(row.number, row.id, row.place, str(error))
    except (OSError, MemoryError, MissingExtraError, ModelFileError):
        raise
    except Exception as error:
        logger.error("row %d (%s): a fault of this program\n%s", row.number, row.id, traceback.format_exc())
        return Failure(row.number, row.id, row.place, f"a fault of this program, {type(error).__name__}: {error}")


def _draft(
    row: Row, job: Job, pronouncer: Pronouncer, write: Callable[[Row, int], str] | None = None
) -> tuple[Draft, Row]:
    """Do what comes before the pitches; the row comes back with its lyrics."""
    if write is not None:
        row = replace(row, text=write(row, song_seed(row, job)))
    made = draft(
        parse_lyrics(row.text, pronouncer),
        seed=song_seed(row, job),
        key=row.key or job.key,
        tempo=job.tempo if row.tempo is None else row.tempo,
        meter=row.meter or job.meter,
        style=row.style or job.style,
        voice=row.voice or job.voice,
        voice_range=None if row.voice else job.voice_range,
        chords=() if job.chords is None else job.chords,
        title=row.title,
        midi_lyrics=job.midi_lyrics,
        backing=job.backing,
    )
    return made, row


def _sing(drafts: Sequence[Draft]) -> Sequence[Song | Draft]:
    """Give drafts their pitches, all at once; they come back as they are if that fails for one of them."""
    try:
        return sing(drafts)
    except (OSError, MemoryError, MissingExtraError, ModelFileError):
        raise
    except Exception:
        return drafts


def _describe(row: Row, song: Song | Draft, theme: str | None, job: Job) -> Composed:
    """Write a song down in all forms."""
    if isinstance(song, Draft):
        [song] = sing([song])
    stem = f"{row.number:08d}-{safe_name(row.id)}"
    files = {f"{stem}.{name}": content for name, content in render(song, job.formats).items()}
    return Composed(row.number, row.id, song.title, song.to_json(), features(row, song) | {"theme": theme}, files)


def rehearse(job: Job, pronouncer: Pronouncer) -> None:
    """Compose one line, which loads everything; SettingsError for settings with which no row could be composed."""
    made, _ = _draft(Row(0, "0", "", "Sing along"), job, pronouncer)
    render(sing([made])[0], job.formats)


def song_seed(row: Row, job: Job) -> int:
    """Return the row's own seed, or one that derives from the job's and the row's id."""
    return row.seed if row.seed is not None else derived_seed(job.seed, f"row/{row.id}") % (MAX_SEED + 1)


def features(row: Row, song: Song) -> dict[str, Any]:
    """Describe a song in one row of a table; see FEATURES in `pipeline.batch.shards` for the columns."""
    settings = song.settings
    view = sung_from_song(song)
    alone = (view,)
    stress = metrics.stress_match(alone)
    words = [word for line in song.lines for word in line.words]
    pitches = [note.pitch for note in view.notes]
    return {
        "row": row.number,
        "id": row.id,
        "title": song.title,
        "seed": song.seed,
        "key": str(settings.key),
        "mode": settings.key.mode,
        "tempo_qpm": settings.tempo_qpm,
        "meter": str(settings.meter),
        "style": settings.style,
        "voice": settings.voice,
        "form": " ".join(song.form),
        "length_seconds": round(song.length_seconds, 3),
        "num_sections": len(song.sections),
        "num_lines": len(song.lines),
        "num_words": len(words),
        "num_syllables": len(view.syllables),
        "num_notes": len(view.notes),
        "num_chords": len(song.chords),
        "lowest": min(pitches, default=None),
        "highest": max(pitches, default=None),
        "median_pitch": median(pitches) if pitches else None,
        "notes_per_syllable": round(metrics.notes_per_syllable(alone), 4),
        "stress_pairs": stress.num_pairs,
        "stress_stronger": round(stress.stronger, 4) if stress.num_pairs else None,
        "stress_equal": round(stress.equal, 4) if stress.num_pairs else None,
        "stress_weaker": round(stress.weaker, 4) if stress.num_pairs else None,
        "function_words_on_strong": round(metrics.on_strong_beat(alone, content=False), 4),
        "content_words_on_strong": round(metrics.on_strong_beat(alone, content=True), 4),
        "notes_in_key": round(metrics.in_key(alone), 4),
        "chord_tones_on_strong": round(metrics.chord_tones_on_strong_beats(alone), 4),
        "cadences": round(metrics.cadences(alone), 4),
        "repeated_fourgrams": round(metrics.repeated_fourgrams(alone), 4) if len(view.notes) > 4 else None,
        "warnings": warnings(song),
    }


def warnings(song: Song) -> list[str]:
    """Say what a person would look at first in this song."""
    words = [word for line in song.lines for word in line.words]
    guessed = sorted({word.text.lower() for word in words if not word.in_dictionary})
    found = []
    if guessed:
        more = f" and {len(guessed) - 8} more" if len(guessed) > 8 else ""
        found.append(f"pronunciation guessed: {', '.join(guessed[:8])}{more}")
    if sum(not word.in_dictionary for word in words) > _MANY_GUESSED * len(words):
        found.append("many words are in no dictionary; are the lyrics English?")
    return found
