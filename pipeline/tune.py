"""A tune that the user brings: read from a file, put on the grid, and understood (key, metre, where its bars begin).

What the file says is believed where it can be: its grid if the onsets lie on it, its time signature, its bar lines
unless the notes clearly speak against them (files often begin with the pick-up on their first bar line), its key
signature as evidence. What it does not say is found from the notes (melody/listening.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from statistics import median

import numpy as np

from align.meter import GRID, Meter
from melody.listening import METERS, TuneNote, find_key, find_meter, find_place
from melody.quantize import find_beat, follow_beat, on_own_grid, quantize
from melody.theory import Key
from pipeline.errors import SettingsError, TuneError
from pipeline.midi_reader import PlayedNote, PlayedTune, Signature, read_midi
from pipeline.names import counted
from pipeline.settings import MAX_TEMPO, MIN_TEMPO

MAX_BYTES = 60_000_000  # of any file: a recording; the readers of MIDI files and scores take far less
MAX_BARS = 500
MIN_NOTES = 4
DEFAULT_TEMPO = 100.0
# Time signatures that are read as others, all note values times a factor.
_READ_AS = {
    "2/2": ("4/4", Fraction(1)),
    "4/2": ("4/4", Fraction(1, 2)),
    "8/8": ("4/4", Fraction(1)),
    "3/2": ("3/4", Fraction(1, 2)),
    "3/8": ("3/4", Fraction(2)),
    "6/4": ("6/8", Fraction(1, 2)),
    "4/8": ("2/4", Fraction(1)),
    "2/8": ("2/4", Fraction(2)),
    "1/4": ("4/4", Fraction(1)),
    "9/8": ("3/4", Fraction(2, 3)),  # beats of three eighths become triplets
}


@dataclass(frozen=True, slots=True)
class Tune:
    """A melody on the grid. Bars begin at 0 and multiples of the bar's length; the first note lies in the first bar."""

    notes: tuple[TuneNote, ...]
    texts: tuple[str | None, ...]  # of each note: the lyric event that stands with it, as written
    meter: Meter
    key: Key
    tempo_qpm: float
    title: str
    reasons: tuple[tuple[str, str], ...]  # how key, metre and tempo were found
    num_left_out: int = 0  # ornaments for which the grid has no room
    voice: str = ""  # number and name of the track that it comes from


def read_tune(
    data: bytes,
    name: str,
    *,
    track: str | None = None,
    key: str | Key | None = None,
    meter: str | Meter | None = None,
    tempo: float | None = None,
) -> Tune:
    """Read a tune from the contents of a file: MIDI; with the extra [audio] also MusicXML, ABC, MEI, and WAV.

    `key`, `meter` and `tempo` take the place of what would be found. Raises TuneError with one sentence for files
    without a melody, MissingExtraError where a package is missing, SettingsError for settings that make no sense.
    """
    try:
        key = Key.parse(key) if isinstance(key, str) else key
        meter = Meter.parse(meter) if isinstance(meter, str) else meter
    except ValueError as error:
        raise SettingsError(str(error)) from error
    if tempo is not None and not MIN_TEMPO <= tempo <= MAX_TEMPO:
        raise SettingsError(f"tempo must be {MIN_TEMPO} to {MAX_TEMPO} quarter notes a minute, got {tempo:g}")
    head = data.lstrip()[:64]
    if not data:
        raise TuneError(f"{name} is empty; give a MIDI file")
    if data[:4] == b"MThd" or (data[:4] == b"RIFF" and b"MThd" in data[:64]):
        played = read_midi(data, name, track)
    elif data[:4] in (b"RIFF", b"RF64", b"fLaC", b"OggS", b"FORM"):
        from pipeline.hum import read_sound

        played = read_sound(data, name)
    elif head[:2] == b"PK" or head[:1] == b"<" or head[:2] in (b"X:", b"%a", b"**"):
        from pipeline.score_reader import read_score

        played = read_score(data, name, track)
    else:
        raise TuneError(f"{name} is not a MIDI file; give .mid, .musicxml, .abc or .wav")
    return understand(played, name, key=key, meter=meter, tempo=tempo)


def understand(
    played: PlayedTune, name: str, *, key: Key | None = None, meter: Meter | None = None, tempo: float | None = None
) -> Tune:
    """Put a played tune on the grid and find what its file does not say; TuneError if there is too little of it."""
    notes = played.notes
    if len(notes) < MIN_NOTES:
        raise TuneError(f"{name} has only {counted(len(notes), 'note')}; give a melody of at least {MIN_NOTES}")
    reasons: list[tuple[str, str]] = []
    starts = [note.start for note in notes]
    own = played.in_quarters and on_own_grid(starts)
    signatures: Sequence[Signature] = played.signatures if own else ()
    if own:
        qpm, why = played.tempo_qpm, "as in the file"
        if played.tempo_changes:
            why = "the one that most of the tune has; it changes"
        scale = Fraction(1)
    else:
        beat = 60 / tempo if tempo else find_beat([note.seconds for note in notes])
        notes = _on_beat(notes, follow_beat([note.seconds for note in notes], beat))
        qpm, why = round(60 / beat, 1), "the beat that the onsets keep best"
    said: float | None = None
    if meter is None and signatures:
        meter, scale, said, changes = _main_signature(signatures, notes, name)
        notes = _scaled(notes, scale)
        said *= scale
        qpm = None if qpm is None else float(qpm * scale)
        reasons.append(("meter", "the one that most of the tune has; it changes" if changes else "as in the file"))
    elif meter is not None:
        reasons.append(("meter", "as asked"))
        said = next((s.tick for s in signatures if str(meter) == f"{s.numerator}/{s.denominator}"), None)
    else:
        reasons.append(("meter", "found from where the notes fall"))
    if own:
        lateness = _lateness([note.start for note in notes])
        notes = tuple(replace(n, start=n.start - lateness, end=n.end - lateness) for n in notes)
    meter, notes = _in_bars(notes, meter, said)
    _check_length(notes, meter, name)
    line, left_out = quantize(
        [n.start for n in notes], [n.end for n in notes], [n.pitch for n in notes], triplets=meter.denominator == 4
    )
    missing = set(left_out)
    texts = tuple(note.text for index, note in enumerate(notes) if index not in missing)
    if len(line) < MIN_NOTES:
        raise TuneError(f"{name} has only {counted(len(line), 'note')}; give a melody of at least {MIN_NOTES}")
    if key is None:
        key = find_key(line, played.key)
        signed = played.key is not None and played.key.fifths == key.fifths
        reasons.insert(0, ("key", "as in the file" if signed else "found from the notes"))
    else:
        reasons.insert(0, ("key", "as asked"))
    if tempo is not None:
        qpm, why = float(tempo), "as asked"
    elif qpm is None:
        qpm, why = DEFAULT_TEMPO, "the file has none"
    qpm = float(min(MAX_TEMPO, max(MIN_TEMPO, round(qpm, 3))))
    reasons.insert(1, ("tempo", why))
    return Tune(tuple(line), texts, meter, key, qpm, played.title, tuple(reasons), len(left_out), played.voice)


def _on_beat(notes: tuple[PlayedNote, ...], ticks: Sequence[float]) -> tuple[PlayedNote, ...]:
    """Give notes the onsets of a followed beat; each keeps its share of the time to the next onset."""
    placed = []
    rates = [
        (b - a) / max(1e-6, after.start - before.start)
        for a, b, before, after in zip(ticks, ticks[1:], notes, notes[1:], strict=False)
    ]
    rates.append(median(rates) if rates else 1.0)
    for note, tick, rate in zip(notes, ticks, rates, strict=True):
        placed.append(replace(note, start=tick, end=tick + (note.end - note.start) * rate))
    return tuple(placed)


def _main_signature(
    signatures: Sequence[Signature], notes: Sequence[PlayedNote], name: str
) -> tuple[Meter, Fraction, float, bool]:
    """Return the metre of most notes, its scale, a tick (unscaled) of one of its bar lines, and if there are others.

    Notation programs write a short first bar as a bar of its own metre: what holds for most notes is the tune's.
    """
    counts: dict[tuple[int, int], int] = {}
    last: dict[tuple[int, int], float] = {}
    for index, signature in enumerate(signatures):
        until = signatures[index + 1].tick if index + 1 < len(signatures) else float("inf")
        kind = signature.numerator, signature.denominator
        here = sum(signature.tick - 1 <= note.start < until - 1 for note in notes)
        counts[kind] = counts.get(kind, 0) + here
        if here:
            last[kind] = signature.tick
    kind = max(counts, key=lambda kind: counts[kind])
    text = f"{kind[0]}/{kind[1]}"
    text, scale = _READ_AS.get(text, (text, Fraction(1)))
    try:
        meter = Meter.parse(text)
    except ValueError as error:
        raise TuneError(
            f"{name} is in {text}, and tunes can be continued in {', '.join(map(str, (*METERS, Meter(12, 8))))}; "
            "say --meter to have it read in one of them"
        ) from error
    changes = counts[kind] < 0.9 * sum(counts.values())
    return meter, scale, last.get(kind, signatures[0].tick), changes


def _scaled(notes: Sequence[PlayedNote], scale: Fraction) -> tuple[PlayedNote, ...]:
    if scale == 1:
        return tuple(notes)
    return tuple(replace(n, start=float(n.start * scale), end=float(n.end * scale)) for n in notes)


def _lateness(starts: Sequence[float]) -> float:
    """How much a humanised performance lies behind its grid on the whole, in ticks; 0 for exact files."""
    phase = np.exp(2j * np.pi * np.asarray(starts) / GRID).mean()
    late = float(np.angle(phase)) * GRID / (2 * np.pi)
    return late if abs(phase) >= 0.6 and 1 < abs(late) < GRID / 4 else 0.0


def _in_bars(
    notes: tuple[PlayedNote, ...], meter: Meter | None, said: float | None
) -> tuple[Meter, tuple[PlayedNote, ...]]:
    """Move a tune so that bars begin at multiples of their length and the first note lies in the first bar."""
    rough, _ = quantize([n.start for n in notes], [n.end for n in notes], [n.pitch for n in notes], triplets=False)
    onsets = [note.onset for note in rough]
    if meter is None:
        meter, place = find_meter(onsets)
    elif said is None:
        # 12/8 is two bars of 6/8 to the tables.
        place = find_meter(onsets, [meter if meter in METERS else Meter(6, 8)])[1]
    else:
        first = round((notes[0].start - said) / GRID) * GRID
        exact = notes[0].start - said
        place = find_place(onsets, meter, first % meter.bar_ticks)
        moved = place - first % meter.bar_ticks
        shift = exact + moved - notes[0].start
        bars = (notes[0].start + shift + GRID / 2) // meter.bar_ticks
        shift -= bars * meter.bar_ticks
        return meter, tuple(replace(n, start=n.start + shift, end=n.end + shift) for n in notes)
    shift = place - notes[0].start
    if abs(notes[0].start - onsets[0]) < GRID / 2:
        shift = place - onsets[0]  # the grid, not the first note's own deviation from it
    return meter, tuple(replace(n, start=n.start + shift, end=n.end + shift) for n in notes)


def _check_length(notes: Sequence[PlayedNote], meter: Meter, name: str) -> None:
    bars = notes[-1].end / meter.bar_ticks
    if not bars <= MAX_BARS:
        raise TuneError(f"{name} is {bars:,.0f} bars long; give a tune of at most {MAX_BARS}")
