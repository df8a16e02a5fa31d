"""Songs with words as training and evaluation data: `songs_open.parquet` read into plain values.

The table's columns are described in the data's own documentation (docs/data.md names the public sources). Time
signatures that the aligner does not know are brought to one that it does by halving or doubling all note values
(3/2 and 3/8 become 3/4; 6/4 becomes 6/8; 2/2 and 4/2 become 4/4); songs in other metres are left out.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from align.meter import TICKS_PER_BEAT, Meter
from lyrics.cmudict import bare, pronunciations

# What a data set teaches, as the name of a style; art songs are left out of what we train on (see docs/data.md).
STYLE_OF_DATASET = {
    "openewld": "popular",
    "bbloomf_songs": "folk",
    "open_hymnal": "hymn",
    "bbloomf_carols": "carol",
    "slave_songs_1867": "spiritual",
    "openscore_lieder": "art",
    "english_hymns": "hymn",  # not openly licensed: for comparison only
}
_METERS = {
    "4/4": (Meter(4, 4), Fraction(1)),
    "2/2": (Meter(4, 4), Fraction(1)),
    "4/2": (Meter(4, 4), Fraction(1, 2)),
    "3/4": (Meter(3, 4), Fraction(1)),
    "3/2": (Meter(3, 4), Fraction(1, 2)),
    "3/8": (Meter(3, 4), Fraction(2)),
    "2/4": (Meter(2, 4), Fraction(1)),
    "6/8": (Meter(6, 8), Fraction(1)),
    "6/4": (Meter(6, 8), Fraction(1, 2)),
    "12/8": (Meter(12, 8), Fraction(1)),
}


@dataclass(frozen=True, slots=True)
class CorpusSyllable:
    """A syllable as the engraver wrote it."""

    text: str
    word: int  # index into CorpusSong.words
    stress: int | None  # 0, 1, 2 from CMUdict where the dictionary has the engraver's number of syllables, else None
    first: bool  # first syllable of its word
    last: bool  # last syllable of its word
    line: int  # index of the lyric line (phrase), from 0


@dataclass(frozen=True, slots=True)
class CorpusNote:
    """A sung note."""

    onset: int  # ticks from the start of the song
    duration: int  # ticks
    place: int  # ticks from the bar line; pick-up bars are right-aligned
    pitch: int
    syllable: int  # index into CorpusSong.syllables
    held: bool  # True: continues the syllable of the note before


@dataclass(frozen=True, slots=True)
class CorpusSong:
    """One song with the words of one verse."""

    song_id: str
    group: str  # split by this: songs that share a tune, a title or words share it
    verse: str
    style: str
    language: str
    meter: Meter
    key_fifths: int
    key_mode: str  # as printed: may be empty or wrong, see melody.corpus.song_key
    tempo_qpm: float | None
    words: tuple[str, ...]
    syllables: tuple[CorpusSyllable, ...]
    notes: tuple[CorpusNote, ...]
    chords: tuple[tuple[int, str], ...]  # (onset in ticks, symbol); only lead sheets
    num_lines: int
    lines_from_source: bool  # False: line breaks were guessed from capitals, punctuation and long notes
    lines_text: tuple[str, ...]  # the words of each line as printed, () where lines were guessed

    @property
    def held_out(self) -> bool:
        """Whether the song belongs to the validation part: one group in ten, never trained on."""
        return int(self.group, 16) % 10 == 0


def read_corpus(
    path: Path,
    *,
    language: str | None = "en",
    styles: tuple[str, ...] = ("popular", "folk", "hymn", "carol", "spiritual"),
) -> Iterator[CorpusSong]:
    """Yield the usable songs of a `songs_open.parquet`, verse by verse.

    Rows are left out whose metre is free or changes, whose key changes, or where under half of the notes carry words.
    """
    import pyarrow.parquet as pq

    wanted = {dataset for dataset, style in STYLE_OF_DATASET.items() if style in styles}
    for row in pq.read_table(path).to_pylist():
        if row["dataset"] in wanted and (language is None or row["language"] == language) and not why_unusable(row):
            yield read_song(row)


def why_unusable(row: Mapping[str, Any]) -> str | None:
    """Return why a row of the table cannot be read as a `CorpusSong`, in a few words; None if it can."""
    if row["n_time_changes"]:
        return "metre changes"
    if row["time_sig"] not in _METERS:
        return "free or rare metre"
    if row["n_key_changes"]:
        return "key changes"
    if row["key_fifths"] is None or row["key_fifths"] != row["key_fifths"]:
        return "no key signature"
    if row["n_syllables"] < 8:
        return "under eight syllables"
    if row["n_syllables"] / row["n_notes"] < 0.5:
        return "under half of the notes have words"
    return None


def read_song(row: Mapping[str, Any]) -> CorpusSong:
    """Read a row of the table that `why_unusable` has nothing against."""
    meter, scale = _METERS[row["time_sig"]]

    def ticks(quarters: float) -> int:
        return round(Fraction(quarters).limit_denominator(48) * scale * TICKS_PER_BEAT)

    words: list[str] = []
    drafts: list[tuple[str, int, bool, bool]] = []  # text, word, first, last
    notes: list[CorpusNote] = []
    for pitch, onset, duration, beat, text, syllabic in zip(
        *(row[name] for name in ("pitch", "onset", "dur", "beat", "syllable", "syllabic")), strict=True
    ):
        held = not syllabic
        if held and not drafts:
            continue  # notes before the first word
        if not held:
            if syllabic in (1, 2) or not words:
                words.append("")
            words[-1] += text
            drafts.append((text, len(words) - 1, syllabic in (1, 2), syllabic in (1, 4)))
        notes.append(CorpusNote(ticks(onset), max(1, ticks(duration)), ticks(beat), pitch, len(drafts) - 1, held))

    from_source = min(row["line_id"]) >= 0
    if from_source:
        ids = [line for line, syllabic in zip(row["line_id"], row["syllabic"], strict=True) if syllabic]
        order = {line: index for index, line in enumerate(dict.fromkeys(ids))}
        lines = [order[line] for line in ids]
    else:
        lines = _guess_lines(drafts, notes)
    stresses = _stresses(words, drafts)
    syllables = tuple(
        CorpusSyllable(text, word, stress, first, last, line)
        for (text, word, first, last), stress, line in zip(drafts, stresses, lines, strict=True)
    )
    tempo = row["tempo_bpm"]
    return CorpusSong(
        song_id=row["song_id"],
        group=row["group"],
        verse=row["verse"],
        style=STYLE_OF_DATASET.get(row["dataset"], row["dataset"]),
        language=row["language"],
        meter=meter,
        key_fifths=int(row["key_fifths"]),
        key_mode=row["key_mode"],
        tempo_qpm=None if tempo is None or tempo != tempo else float(tempo),
        words=tuple(words),
        syllables=syllables,
        notes=tuple(notes),
        chords=tuple((ticks(onset), symbol) for onset, symbol in zip(row["chord_onset"], row["chord"], strict=True)),
        num_lines=lines[-1] + 1,
        lines_from_source=from_source,
        lines_text=tuple(row["lines"] or ()) if from_source else (),
    )


def _stresses(words: list[str], drafts: list[tuple[str, int, bool, bool]]) -> list[int | None]:
    counts = [0] * len(words)
    for _, index, _, _ in drafts:
        counts[index] += 1
    stresses: list[int | None] = []
    for word, count in zip(words, counts, strict=True):
        found: list[int | None] = [None] * count
        for phones in pronunciations(bare(word)):
            digits = [int(phone[-1]) for phone in phones if phone[-1].isdigit()]
            if len(digits) == count:
                found = list(digits)
                break
        stresses.extend(found)
    return stresses


def _guess_lines(drafts: list[tuple[str, int, bool, bool]], notes: list[CorpusNote]) -> list[int]:
    """Break lines before a capital that follows punctuation, a rest or a long note; split what is still too long."""
    starts = {note.syllable: note for note in notes if not note.held}
    onsets = [starts[index].onset for index in range(len(drafts))] + [notes[-1].onset + notes[-1].duration]
    lines, current, length = [], 0, 0
    for index, (text, _, first, _) in enumerate(drafts):
        if index and first and length >= 3:
            gap = onsets[index] - onsets[index - 1]
            previous = drafts[index - 1][0]
            letters = text.lstrip("\"'“‘(")
            capital = letters[:1].isupper() and not re.match(r"(I|I'\w+|O|God|Lord|Jesus)\b", letters)
            stop = previous[-1:] in ',.;:!?"”—-'
            if (
                (capital and (stop or gap >= 960))
                or (stop and gap >= 960)
                or gap >= 1440
                or (length >= 14 and gap >= 960)
            ):
                current, length = current + 1, 0
        lines.append(current)
        length += 1
    return lines
