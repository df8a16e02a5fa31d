"""MIDI files with every quirk that programs give them, made on the spot."""

import io
from collections.abc import Sequence

from mido import Message, MetaMessage, MidiFile, MidiTrack

# "Ah! vous dirai-je, maman": (beats, pitch); eight bars of 4/4 in C major.
TWINKLE = [
    (1, 60), (1, 60), (1, 67), (1, 67), (1, 69), (1, 69), (2, 67), (1, 65), (1, 65), (1, 64), (1, 64), (1, 62), (1, 62),
    (2, 60), (1, 67), (1, 67), (1, 65), (1, 65), (1, 64), (1, 64), (2, 62), (1, 67), (1, 67), (1, 65), (1, 65), (1, 64),
    (1, 64), (2, 62),
]  # fmt: skip
# A tune of our own in 3/4 with a pick-up of one beat, in G major.
UPBEAT = [
    (1, 62), (2, 67), (1, 71), (1, 74), (1, 72), (1, 71), (2, 69), (1, 66), (2, 67), (1, 62), (2, 67), (1, 71),
    (1, 74), (1, 76), (1, 74), (2, 71), (1, 69), (2, 67),
]  # fmt: skip

Played = Sequence[tuple[float, int]]  # (beats, pitch); pitch 0 is a rest


def events(played: Played, *, division: int = 480, gap: float = 0.0, channel: int = 0) -> list[tuple[int, Message]]:
    """Return (tick, message) of notes one after the other; `gap` is the share of each note that is silent."""
    found = []
    now = 0.0
    for beats, pitch in played:
        if pitch:
            start, end = round(now * division), round((now + beats * (1 - gap)) * division)
            found.append((start, Message("note_on", note=pitch, velocity=80, channel=channel)))
            found.append((end, Message("note_off", note=pitch, velocity=0, channel=channel)))
        now += beats
    return found


def track(found: list[tuple[int, Message]], name: str | None = None) -> MidiTrack:
    """Put events in order into a track."""
    made = MidiTrack()
    if name is not None:
        made.append(MetaMessage("track_name", name=name))
    now = 0
    for tick, message in sorted(found, key=lambda event: (event[0], event[1].type != "note_off")):
        made.append(message.copy(time=tick - now))
        now = tick
    return made


def midi(*tracks: MidiTrack, kind: int = 1, division: int = 480) -> bytes:
    """Return the bytes of a file."""
    file = MidiFile(type=kind, ticks_per_beat=division, charset="utf-8")
    file.tracks.extend(tracks)
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def conductor(meter: tuple[int, int] | None = (4, 4), *more: tuple[int, MetaMessage]) -> MidiTrack:
    """Return a track with a time signature and what else is given, by tick."""
    found = [] if meter is None else [(0, MetaMessage("time_signature", numerator=meter[0], denominator=meter[1]))]
    return track([*found, *more], "A title")


def simple(played: Played = TWINKLE, meter: tuple[int, int] | None = (4, 4)) -> bytes:
    """Return a plain file: a conductor and a melody."""
    return midi(conductor(meter), track(events(played), "Melody"))
