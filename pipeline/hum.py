"""Hear a tune that is hummed, sung or played by one voice: a recording becomes notes.

The pitch is followed by pYIN (Mauch and Dixon, 2014) as librosa has it. A note is a stretch of steady pitch; a dip of
the loudness on the same pitch begins another one. The voice's tuning, which is seldom A = 440, is taken off first.
"""

import io
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lyrics.errors import need
from pipeline.errors import TuneError
from pipeline.midi_reader import PlayedNote, PlayedTune

MAX_SECONDS = 120.0
MAX_BYTES = 60_000_000  # two minutes of stereo at 48 kHz in 32 bit
_RATE = 16_000
_HOP = 320  # 20 ms
_LOWEST, _HIGHEST = 41, 86  # F2, D6: hummed, whistled, played
_SHORTEST = 0.09  # seconds of a note
_GAP = 0.08  # seconds of silence that end a note
_DIP, _REACH = 0.6, 8  # share of the loudness around it; frames
_SEMITONE_OFF = 0.6  # semitones off the running pitch that begin another note

Floats = NDArray[np.float64]


def read_sound(data: bytes, name: str) -> PlayedTune:
    """Return the notes of a recording; TuneError if there are none, MissingExtraError without librosa."""
    need(f"listening to {name}", "audio", "librosa", "soundfile")
    if len(data) > MAX_BYTES:
        raise TuneError(f"{name} is larger than {MAX_BYTES:,} bytes; give at most {MAX_SECONDS:.0f} seconds")
    import librosa
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            seconds = file.frames / max(1, file.samplerate)
            if not 0 < seconds <= MAX_SECONDS:
                raise TuneError(f"{name} lasts {seconds:,.0f} seconds; give 1 to {MAX_SECONDS:.0f}")
            sound = file.read(dtype="float32", always_2d=True).mean(axis=1)
            rate = file.samplerate
    except soundfile.LibsndfileError as error:
        raise TuneError(f"{name} is not a sound file that can be read; give a WAV file") from error
    if not np.isfinite(sound).all() or not np.abs(sound).max(initial=0.0) > 1e-4:
        raise TuneError(f"{name} is silent; record it again")
    sound = librosa.resample(sound, orig_sr=rate, target_sr=_RATE)
    sound = np.concatenate((sound, np.zeros(4 * _HOP, dtype=np.float32)))
    frequency, voiced, _ = librosa.pyin(
        sound,
        fmin=float(librosa.midi_to_hz(_LOWEST)),
        fmax=float(librosa.midi_to_hz(_HIGHEST)),
        sr=_RATE,
        hop_length=_HOP,
        frame_length=1024,
        resolution=0.25,
        n_thresholds=50,
        fill_na=np.nan,
    )
    loud = librosa.feature.rms(y=sound, frame_length=1024, hop_length=_HOP)[0]
    voiced = voiced & (loud[: len(voiced)] > 0.03 * float(loud.max()))
    pitch = np.where(voiced, librosa.hz_to_midi(np.where(np.isnan(frequency), 440.0, frequency)), np.nan)
    notes = _notes(pitch, _dips(loud[: len(pitch)]), _HOP / _RATE)
    if not notes:
        raise TuneError(f"{name} has no tune that can be heard; hum or play one note after the other")
    # Whatever its tempo is, the times go on as ticks of a beat of half a second: `in_quarters` says they are no grid.
    played = tuple(PlayedNote(960 * a, 960 * b, number, a) for a, b, number in notes)
    return PlayedTune(played, voice="recording", in_quarters=False)


def _dips(loud: Floats) -> set[int]:
    """Frames where the loudness has fallen to much less than it is on both sides, within a sixth of a second."""
    dips = set()
    for frame in range(1, len(loud) - 1):
        here = loud[frame]
        if here <= loud[frame - 1] and here < loud[frame + 1]:
            sides = loud[max(0, frame - _REACH) : frame].max(), loud[frame + 1 : frame + 1 + _REACH].max()
            if here < _DIP * min(sides):
                dips.add(frame)
    return dips


def _notes(pitch: Floats, dips: set[int], frame_seconds: float) -> list[tuple[float, float, int]]:
    """Cut a pitch track (MIDI numbers, NaN for silence) into (start, end, pitch)."""
    stretches: list[tuple[int, int]] = []
    start: int | None = None
    silent = 0
    for frame, value in enumerate([*pitch.tolist(), float("nan")]):
        if start is None:
            if value == value:
                start, silent = frame, 0
            continue
        if value != value:
            silent += 1
            if silent * frame_seconds >= _GAP or frame == len(pitch):
                stretches.append((start, frame + 1 - silent))
                start = None
            continue
        silent = 0
        window = pitch[max(start, frame - 8) : frame]
        running = float(np.nanmedian(window))
        ahead = pitch[frame : frame + 5]
        ahead = ahead[~np.isnan(ahead)]
        turned = len(ahead) >= 3 and bool((np.abs(ahead - running) > _SEMITONE_OFF).all())
        struck = any(frame + back in dips for back in (0, 1)) and (frame - start) * frame_seconds >= _SHORTEST
        if turned or struck:
            stretches.append((start, frame))
            start = frame
    heard = [(a, b, float(np.nanmedian(pitch[a:b]))) for a, b in stretches if (b - a) * frame_seconds >= _SHORTEST]
    if not heard:
        return []
    # The tuning: the mean direction of all deviations from equal temperament at A = 440.
    angles = np.exp(2j * np.pi * np.array([value for _, _, value in heard]))
    weights = np.array([b - a for a, b, _ in heard])
    tuning = float(np.angle((angles * weights).sum()) / (2 * np.pi))
    notes = [(a * frame_seconds, b * frame_seconds, round(value - tuning)) for a, b, value in heard]
    # What is left between two notes that touch is the singer's glide, not a rest.
    joined = [
        (a, following[0] if following[0] - b < _GAP else b, number) for (a, b, number), following in pairwise(notes)
    ]
    return [*joined, notes[-1]]
