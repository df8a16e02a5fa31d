"""Write the example tunes for `songwright extend`: traditional, in the public domain, written down here from memory.

    python scripts/make_example_tunes.py examples/tunes

Notes are written as in ABC, with accidentals by hand: C is middle C, c the octave above, C, the one below; a number is
the length in eighths. None of them is in the data that the shipped models learned from.
"""

import argparse
import io
import re
from dataclasses import dataclass
from pathlib import Path

from mido import Message, MetaMessage, MidiFile, MidiTrack, bpm2tempo

_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_EIGHTH = 240


@dataclass(frozen=True, slots=True)
class ExampleTune:
    """A tune as it is written down."""

    title: str
    meter: tuple[int, int]
    key: str
    tempo_qpm: int
    notes: str
    pickup: int = 0  # eighths
    words: str = ""  # syllables as under a score, hyphens inside words


TUNES = {
    "au_clair_de_la_lune": ExampleTune(
        "Au clair de la lune", (4, 4), "G", 112,
        "G2 G2 G2 A2 | B4 A4 | G2 B2 A2 A2 | G8 | G2 G2 G2 A2 | B4 A4 | G2 B2 A2 A2 | G8",
        words="Au clair de la lu- ne, mon a- mi Pier- rot, prê- te- moi ta plu- me pour é- crire un mot.",
    ),
    "the_kesh": ExampleTune(
        "The Kesh", (6, 8), "G", 165,
        "G3 G A B | A3 A B d | e d d g d d | e d B d B A | G3 G A B | A3 A B d | e d d g d B | A G ^F G3",
    ),
    "the_south_wind": ExampleTune(
        "The South Wind", (3, 4), "G", 108,
        "d c | B3 A G2 | B3 c d2 | A4 B2 | A4 d c | B3 A G2 | B2 d2 e2 | d6 | d4 "
        "d c | B3 A G2 | B3 c d2 | A4 B2 | A4 B c | d2 B2 G2 | A3 G ^F2 | G6 | G4",
        pickup=2,
    ),
    "la_mantovana": ExampleTune(
        "La Mantovana", (4, 4), "Am", 120,
        "A2 B2 c2 d2 | e4 e4 | f2 e2 f2 a2 | e8 | d4 d2 d2 | c4 c4 | B2 A2 B2 c2 | A8",
    ),
}  # fmt: skip


def read_notes(text: str) -> list[tuple[int, int, int]]:
    """Return (onset, duration, pitch) of every note, in ticks of 480 to the quarter note."""
    notes, tick = [], 0
    for accidental, letter, octave, length in re.findall(r"([\^_=]?)([A-Ga-gz])([,']*)(\d*)", text):
        duration = _EIGHTH * int(length or 1)
        if letter != "z":
            pitch = 60 + _LETTERS[letter.upper()] + 12 * letter.islower() + 12 * (octave.count("'") - octave.count(","))
            notes.append((tick, duration, pitch + {"^": 1, "_": -1}.get(accidental, 0)))
        tick += duration
    return notes


def midi(tune: ExampleTune) -> bytes:
    """Return a tune as a MIDI file, a pick-up in a short first bar of its own as notation programs write it."""
    file = MidiFile(type=1, ticks_per_beat=480, charset="utf-8")
    conductor, melody = MidiTrack(), MidiTrack()
    conductor.append(MetaMessage("track_name", name=tune.title))
    conductor.append(MetaMessage("set_tempo", tempo=bpm2tempo(tune.tempo_qpm)))
    conductor.append(MetaMessage("key_signature", key=tune.key))
    numerator, denominator = tune.meter
    if tune.pickup:
        conductor.append(MetaMessage("time_signature", numerator=tune.pickup // 2, denominator=4))
    pickup = tune.pickup * _EIGHTH
    conductor.append(MetaMessage("time_signature", numerator=numerator, denominator=denominator, time=pickup))
    melody.append(MetaMessage("track_name", name="Melody"))
    syllables = iter(tune.words.split())
    now = 0
    for onset, duration, pitch in read_notes(tune.notes):
        if (syllable := next(syllables, None)) is not None:
            melody.append(MetaMessage("lyrics", text=syllable, time=onset - now))
            now = onset
        melody.append(Message("note_on", note=pitch, velocity=90, time=onset - now))
        melody.append(Message("note_off", note=pitch, velocity=0, time=duration))
        now = onset + duration
    file.tracks += [conductor, melody]
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def main() -> None:
    """Write every tune into a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, tune in TUNES.items():
        (folder / f"{name}.mid").write_bytes(midi(tune))
        print(folder / f"{name}.mid")


if __name__ == "__main__":
    main()
