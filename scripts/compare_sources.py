"""Read the songs as their authors published them, and say how far they agree with the table of songs.

    python scripts/compare_sources.py songs_open.parquet raw/

`raw/` holds the published files as zip archives: open_hymnal_abc.zip (ABC), openewld_mxl.zip and lieder_vocal_mxl.zip
(MusicXML). Every note of the table is looked for in our own reading: the same pitch at the same time, then with the
same duration and the same syllable. What differs is counted by its reason.
"""

import argparse
import re
import sys
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from align.meter import TICKS_PER_BEAT
from align.published import PublishedVoice, ScoreError, musicxml_voices, read_abc

SOURCES = {
    "open_hymnal": ("open_hymnal_abc.zip", ".abc"),
    "openewld": ("openewld_mxl.zip", ".mxl"),
    "openscore_lieder": ("lieder_vocal_mxl.zip", ".mxl"),
}
COLUMNS = ("song_id", "dataset", "part", "verse", "pitch", "onset", "dur", "syllable")


def letters(syllable: str) -> str:
    """Return the letters of a syllable: verse numbers, punctuation and case are matters of print."""
    return "".join(c for c in re.sub(r"^\d+\.\s*", "", syllable.lower()) if c.isalpha())


def compare(row: Mapping[str, Any], voice: PublishedVoice, counts: Counter[str]) -> None:
    """Count what a row of the table has in common with the voice, and why not."""
    ours = {(note.onset, note.pitch): note for note in voice.notes}
    onsets = {note.onset for note in voice.notes}
    first = voice.verses[0]
    for pitch, onset, duration, syllable in zip(*(row[name] for name in COLUMNS[4:]), strict=True):
        counts["notes"] += 1
        tick = round(onset * TICKS_PER_BEAT)
        note = ours.get((tick, pitch))
        if note is None:
            spans = any(n.pitch == pitch and n.onset < tick < n.onset + n.duration for n in voice.notes)
            if spans:
                counts["note: tied in print, sung again to a syllable of its own in some verse"] += 1
            elif tick in onsets:
                counts["note: another pitch at this time"] += 1
            else:
                counts["note: nothing begins at this time"] += 1
            continue
        counts["found"] += 1
        if abs(note.duration - round(duration * TICKS_PER_BEAT)) <= 1:
            counts["same duration"] += 1
        else:
            counts["duration: another one (mostly a tie that the table cuts for a syllable)"] += 1
        words = dict(note.words)
        mine = words.get(row["verse"], "")
        if letters(mine) == letters(syllable):
            counts["same syllable"] += 1
        elif not mine and letters(words.get(first, "")) == letters(syllable):
            counts["syllable: refrain printed under one verse, lent to all by the table"] += 1
        elif not mine or not syllable:
            counts["syllable: one has none here"] += 1
        else:
            counts["syllable: another one"] += 1


def the_voice(row: Mapping[str, Any], voices: Sequence[PublishedVoice]) -> PublishedVoice:
    """Return the voice of a score that the row was read from: of those named like its part, the one it fits best."""
    named = [voice for voice in voices if voice.name == row["part"]] or voices
    starts = {(round(onset * TICKS_PER_BEAT), pitch) for onset, pitch in zip(row["onset"], row["pitch"], strict=True)}
    return max(named, key=lambda voice: sum((note.onset, note.pitch) in starts for note in voice.notes))


def main() -> None:
    """Read options, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="songs_open.parquet")
    parser.add_argument("raw", type=Path, help="folder of the published archives")
    parser.add_argument("--show", type=int, default=0, metavar="N", help="name the N songs that agree least")
    options = parser.parse_args()
    missing = sorted(set(COLUMNS) - set(pq.read_schema(options.data).names))
    if missing:
        sys.exit(f"{options.data} is no table of songs: it has no column {', '.join(missing)}")
    rows = pq.read_table(options.data, columns=list(COLUMNS)).to_pylist()
    for dataset, (archive_name, suffix) in SOURCES.items():
        archive_path = options.raw / archive_name
        if not archive_path.exists():
            print(f"{dataset}: there is no {archive_path}")
            continue
        counts: Counter[str] = Counter()
        worst: list[tuple[float, str]] = []
        voices: dict[str, tuple[PublishedVoice, ...]] = {}
        with zipfile.ZipFile(archive_path) as archive:
            for row in rows:
                if row["dataset"] != dataset:
                    continue
                song = row["song_id"]
                if song not in voices:
                    voices[song] = ()
                    try:
                        content = archive.read(song.removeprefix(f"{dataset}/") + suffix)
                        abc = suffix == ".abc"
                        voices[song] = (
                            (read_abc(content.decode("utf-8", "replace")),) if abc else musicxml_voices(content)
                        )
                    except KeyError:
                        counts["song: not in the archive"] += 1
                    except ScoreError as error:
                        counts[f"song: {error}"] += 1
                if voices[song]:
                    voice = the_voice(row, voices[song])
                    before = counts["found"], counts["notes"]
                    compare(row, voice, counts)
                    share = (counts["found"] - before[0]) / (counts["notes"] - before[1])
                    worst.append((share, f"{song}, verse {row['verse']}"))
        read = sum(bool(found) for found in voices.values())
        print(f"{dataset}: {read} of {len(voices)} songs read, {counts['notes']} notes of the table looked for")
        total, found = max(1, counts["notes"]), max(1, counts["found"])
        print(f"  same pitch at the same time {100 * counts['found'] / total:6.2f} %")
        print(f"    with the same duration    {100 * counts['same duration'] / found:6.2f} % of these")
        print(f"    with the same syllable    {100 * counts['same syllable'] / found:6.2f} % of these")
        for name, count in counts.most_common():
            if ":" in name:
                print(f"  {count:7}  {name}")
        for share, name in sorted(worst)[: options.show]:
            print(f"  {100 * share:6.1f} %  {name}")


if __name__ == "__main__":
    main()
