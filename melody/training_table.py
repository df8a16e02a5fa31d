"""Songs as rows of a training table: everything a model may learn from, decided once, note by note.

A row is a song with the words of one verse, or, where repeat signs were written out, the whole song as it is sung. List
columns have one entry per note. What was decided, and not printed, is said in `docs/data.md`: the key, chords where the
source has none, line breaks of lead sheets, refrains. Rows that cannot be trusted are dropped, each for one reason.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Any

import numpy as np

from align.corpus import CorpusSong, read_song, why_unusable
from align.repeats import RepeatError, unroll
from lyrics.cmudict import bare, pronunciations
from lyrics.syllable import count_syllables, syllabify
from melody.corpus import song_key
from melody.features import REFRAIN, UNKNOWN, VERSE, corpus_frame, refrains
from melody.harmony import infer_chords
from melody.theory import Key

ROLES = {UNKNOWN: "", VERSE: "verse", REFRAIN: "refrain"}
LOWEST, HIGHEST = 36, 88  # C2 to E6: what voices sing; a tune beyond is in the wrong octave or no melody
MOST_UNKNOWN = 0.6  # share of words that no dictionary divides as printed: above it, syllables are not the words'
LIST_COLUMNS = (
    "pitch", "onset", "duration", "rest", "place", "strength", "held",
    "syllable", "word", "phones", "stress", "word_first", "word_last",
    "line", "line_position", "line_left", "section", "role",
    "degree", "chord_root", "chord_quality", "chord_tone",
)  # fmt: skip


@dataclass(slots=True)
class Account:
    """What became of the rows of the source, and what was decided on the way."""

    read: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    unrolled: int = 0  # rows that are whole songs with their repeats
    joined: int = 0  # rows of verses that went into them
    not_unrolled: Counter[str] = field(default_factory=Counter)
    modes_corrected: int = 0  # the printed mode is another one than the notes say
    chords_given: int = 0
    lines_guessed: int = 0


def split_of(group: str) -> str:
    """Return "held_out" for one group in ten, "tuning" for another, "train" for all others."""
    tenth = int(group, 16) % 10
    return {0: "held_out", 1: "tuning"}.get(tenth, "train")


def distrust(song: CorpusSong) -> str | None:
    """Return why the alignment of a song cannot be trusted, in a few words; None if nothing is wrong with it.

    Voices sing one note after the other, in the range of voices, a bar's notes inside the bar; an English word has as
    many syllables as a dictionary says, give or take. Rows that fail were read from the wrong voice, the wrong octave,
    or have the words of another verse.
    """
    notes = song.notes
    if any(after.onset < before.onset for before, after in pairwise(notes)):
        return "notes out of order"
    late = sum(a.onset + a.duration > b.onset + 1 for a, b in pairwise(notes))
    if late > 0.02 * len(notes):
        return "notes overlap"
    if not all(LOWEST <= note.pitch <= HIGHEST for note in notes):
        return "outside the range of voices"
    if any(note.place >= song.meter.bar_ticks for note in notes):
        return "notes outside their bars"
    if max(note.duration for note in notes) > 4 * song.meter.bar_ticks:
        return "a note of over four bars"
    if song.language == "en":
        sizes = Counter(syllable.word for syllable in song.syllables)
        judged = [index for index, word in enumerate(song.words) if pronunciations(bare(word))]
        wrong = sum(
            sizes[index] not in {count_syllables(phones) for phones in pronunciations(bare(song.words[index]))}
            for index in judged
        )
        if len(judged) < (1 - MOST_UNKNOWN) * len(song.words):
            return "words that no dictionary has"
        if wrong > 0.25 * len(judged):
            return "syllables are not those of the words"
    return None


def phones_of(song: CorpusSong) -> list[str]:
    """Return the ARPAbet sounds of every syllable, "" where no dictionary divides the word as it is printed."""
    sizes = Counter(syllable.word for syllable in song.syllables)
    sounds: list[str] = []
    for index, word in enumerate(song.words):
        found = [""] * sizes[index]
        for phones in pronunciations(bare(word)):
            if count_syllables(phones) == sizes[index] > 0:
                found = [" ".join(part) for part in syllabify(phones)]
                break
        sounds += found
    return sounds


def usable_songs(rows: Iterable[Mapping[str, Any]], account: Account, *, whole: bool = True) -> Iterator[CorpusSong]:
    """Yield what can be used of a table's rows; say in `account` what became of the others.

    Verses of a song with repeat signs are joined in one song as it is sung, unless `whole` is False or the signs do not
    go together: then they stay verses. The rows of one song must follow each other.
    """
    for _, same in groupby(rows, key=lambda row: (row["song_id"], row["part"])):
        verses = [dict(row) for row in same]
        account.read += len(verses)
        if whole and len(verses[0]["repeats"]) > 0:
            try:
                joined = unroll(verses)
            except RepeatError as error:
                account.not_unrolled[str(error)] += 1
            else:
                account.unrolled += 1
                account.joined += len(verses)
                verses = [joined]
        for row in verses:
            reason = why_unusable(row)
            song = None
            if reason is None:
                song = read_song(row)
                reason = distrust(song)
            if song is None or reason is not None:
                account.dropped[reason or ""] += 1
                continue
            account.kept += 1
            yield song


def table_rows(songs: Sequence[CorpusSong], account: Account) -> list[dict[str, Any]]:
    """Return the rows of the training table, one a song, weighted so that every group weighs 1."""
    group_sizes = Counter(song.group for song in songs)
    refrain_lines = refrains(songs)
    rows = []
    for song in songs:
        key = song_key(song)
        account.modes_corrected += song.key_mode in ("major", "minor") and song.key_mode != key.mode
        account.chords_given += bool(song.chords)
        account.lines_guessed += not song.lines_from_source
        rows.append(_row(song, key, refrain_lines.get(song.song_id), 1 / group_sizes[song.group]))
    return rows


def _row(song: CorpusSong, key: Key, refrain: frozenset[int] | None, weight: float) -> dict[str, Any]:
    frame = corpus_frame(song, key, infer_chords(song, key), refrain)
    sounds = phones_of(song)
    notes = song.notes
    syllables = [song.syllables[note.syllable] for note in notes]
    ends = np.array([0, *(note.onset + note.duration for note in notes[:-1])])
    line = frame.line
    sizes = np.bincount(line)
    position = np.arange(len(line)) - np.concatenate(([0], np.cumsum(sizes)[:-1]))[line]
    section = np.cumsum(np.concatenate(([0], np.diff(frame.line_role) != 0)))[line]
    degree = np.array([(note.pitch - key.tonic) % 12 for note in notes])
    columns: dict[str, Sequence[Any]] = {
        "pitch": [note.pitch for note in notes],
        "onset": frame.onset.tolist(),
        "duration": frame.duration.tolist(),
        "rest": np.maximum(0, frame.onset - ends).tolist(),
        "place": frame.place.tolist(),
        "strength": frame.strength.tolist(),
        "held": frame.held.tolist(),
        "syllable": ["" if note.held else s.text for note, s in zip(notes, syllables, strict=True)],
        "word": [song.words[s.word] for s in syllables],
        "phones": ["" if note.held else sounds[note.syllable] for note in notes],
        "stress": frame.stress.tolist(),
        "word_first": frame.word_first.tolist(),
        "word_last": frame.word_last.tolist(),
        "line": line.tolist(),
        "line_position": position.tolist(),
        "line_left": (sizes[line] - 1 - position).tolist(),
        "section": section.tolist(),
        "role": [ROLES[role] for role in frame.line_role[line].tolist()],
        "degree": degree.tolist(),
        "chord_root": frame.chord_root.tolist(),
        "chord_quality": frame.chord_quality.tolist(),
        "chord_tone": frame.chord_tones[np.arange(len(notes)), degree].astype(np.int64).tolist(),
    }
    return {
        "song_id": song.song_id,
        "verse": song.verse,
        "group": song.group,
        "split": split_of(song.group),
        "weight": weight,
        "transposed": 0,
        "style": song.style,
        "language": song.language,
        "meter": str(song.meter),
        "tonic": key.tonic,
        "mode": key.mode,
        "chords_given": bool(song.chords),
        "lines_given": song.lines_from_source,
        **columns,
    }


def transposed(rows: Sequence[Mapping[str, Any]], copies: int, seed: int = 0) -> list[dict[str, Any]]:
    """Return the training rows in `copies` further keys each, drawn at random; a song and its copies weigh as before.

    Moves are -6 to +5 semitones and leave the voice inside C2 to E6. Everything that is counted from the tonic stays.
    Rows of the other splits are not copied.
    """
    rng = np.random.default_rng(seed)
    out: list[dict[str, Any]] = []
    for row in rows:
        moves = [
            move
            for move in range(-6, 6)
            if move and min(row["pitch"]) + move >= LOWEST and max(row["pitch"]) + move <= HIGHEST
        ]
        if row["split"] != "train" or not moves or copies < 1:
            out.append(dict(row))
            continue
        drawn = rng.choice(moves, size=min(copies, len(moves)), replace=False).tolist()
        for move in (0, *drawn):
            out.append(
                dict(row)
                | {
                    "weight": row["weight"] / (1 + len(drawn)),
                    "transposed": move,
                    "tonic": (row["tonic"] + move) % 12,
                    "pitch": [pitch + move for pitch in row["pitch"]],
                }
            )
    return out


_LMD_GRID_SCORE = 0.7  # share of onsets on a fitted grid of sixteenths; below it there is no beat to speak of


def lmd_rows(rows: Iterable[Mapping[str, Any]], account: Account) -> list[dict[str, Any]]:
    """Return training rows for a table in the form of the LMD lyrics-melody set, which knows no bars, chords, sections.

    Times are sixteenths of a fitted beat; the key is estimated from the notes; what is not known is -1 or "".
    """
    from melody.sequence_metrics import NoteLines, estimate_tonic_and_mode

    drafts: list[dict[str, Any]] = []
    for row in rows:
        account.read += 1
        reason = _lmd_reason(row)
        if reason is not None:
            account.dropped[reason] += 1
            continue
        gaps = np.maximum(1, np.array(row["ioi_16"][1:], dtype=np.int64))
        onset = 120 * np.concatenate(([0], np.cumsum(gaps)))
        duration = 120 * np.minimum(np.maximum(1, np.array(row["len_16"], dtype=np.int64)), np.append(gaps, 64))
        pitch = np.array(row["pitch"], dtype=np.int64)
        tonic, mode = estimate_tonic_and_mode(NoteLines(pitch[None], duration[None] / 480, np.zeros((1, len(pitch)))))[
            0
        ]
        word_id = np.array(row["word_id"])
        first = np.append(True, np.diff(word_id) != 0)
        last = np.append(first[1:], True)
        line_ids = np.array(row["line_id"])
        line = np.cumsum(np.append(0, np.diff(line_ids) != 0))
        sizes = np.bincount(line)
        position = np.arange(len(line)) - np.concatenate(([0], np.cumsum(sizes)[:-1]))[line]
        count = len(pitch)
        unknown = [-1] * count
        group = f"{int(row['dup_group']):x}" if not isinstance(row["dup_group"], str) else row["dup_group"]
        drafts.append(
            {
                "song_id": row["id"],
                "verse": "1",
                "group": group,
                "split": split_of(group),
                "weight": 1.0,
                "transposed": 0,
                "style": "karaoke",
                "language": "",
                "meter": "",
                "tonic": tonic,
                "mode": mode,
                "chords_given": False,
                "lines_given": True,
                "pitch": pitch.tolist(),
                "onset": onset.tolist(),
                "duration": duration.tolist(),
                "rest": [0, *np.maximum(0, onset[1:] - onset[:-1] - duration[:-1]).tolist()],
                "place": unknown,
                "strength": unknown,
                "held": [0] * count,
                "syllable": list(row["syllables"]),
                "word": list(row["words"]),
                "phones": [""] * count,
                "stress": [3] * count,
                "word_first": first.astype(int).tolist(),
                "word_last": last.astype(int).tolist(),
                "line": line.tolist(),
                "line_position": position.tolist(),
                "line_left": (sizes[line] - 1 - position).tolist(),
                "section": unknown,
                "role": [""] * count,
                "degree": ((pitch - tonic) % 12).tolist(),
                "chord_root": [12] * count,
                "chord_quality": [0] * count,
                "chord_tone": unknown,
            }
        )
        account.kept += 1
    sizes_of = Counter(row["group"] for row in drafts)
    return [row | {"weight": 1 / sizes_of[row["group"]]} for row in drafts]


def _lmd_reason(row: Mapping[str, Any]) -> str | None:
    if row["n_notes"] < 8:
        return "under eight syllables"
    if row["grid_score"] is None or not row["grid_score"] >= _LMD_GRID_SCORE:
        return "no steady beat"
    if any(gap < 0 for gap in row["ioi_s"][1:]):
        return "notes out of order"
    if float(np.median(row["pitch"])) < 48:
        return "outside the range of voices"  # in bass register: the wrong octave or the wrong track
    if min(row["pitch"]) < LOWEST or max(row["pitch"]) > HIGHEST:
        return "outside the range of voices"
    return None
