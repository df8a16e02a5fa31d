import io
from collections.abc import Sequence

import numpy as np
import pytest

from pipeline.errors import TuneError
from pipeline.extend import extend
from pipeline.tune import read_tune

soundfile = pytest.importorskip("soundfile")
pytest.importorskip("librosa")
RATE = 16_000
BEAT = 0.5  # seconds
TUNE = [(1, 60), (1, 60), (1, 62), (1, 64), (2, 62), (2, 60), (1, 64), (1, 65), (2, 67), (4, 60)]


def hum(tune: Sequence[tuple[float, int]], off_key: float = 0.35) -> bytes:
    """Return a WAV file of a voice with vibrato that hums a tune, sharp of A = 440 by a third of a semitone."""
    rng = np.random.default_rng(1)
    parts, phase = [], 0.0
    for beats, pitch in tune:
        time = np.arange(int(beats * BEAT * RATE)) / RATE
        heard = pitch + off_key + 0.15 * np.sin(2 * np.pi * 5 * time) * (time > 0.15)
        angle = phase + 2 * np.pi * np.cumsum(440 * 2 ** ((heard - 69) / 12)) / RATE
        phase = float(angle[-1])
        loud = np.minimum(1, time / 0.04) * np.minimum(1, (time[-1] + 1 / RATE - time) / 0.06)
        parts.append(loud * sum(np.sin(k * angle) / k**1.5 for k in range(1, 5)))
    sound = np.concatenate(parts)
    return wav(sound / np.abs(sound).max() * 0.6 + rng.normal(size=len(sound)) * 0.002)


def wav(sound: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, sound, RATE, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


@pytest.mark.filterwarnings("ignore")  # what librosa and numba say while they load is theirs
def test_a_hummed_tune_is_heard_and_goes_on() -> None:
    tune = read_tune(hum(TUNE), "hummed.wav")
    assert [note.pitch for note in tune.notes] == [pitch for _, pitch in TUNE]
    steps = [after.onset - before.onset for before, after in zip(tune.notes, tune.notes[1:], strict=False)]
    assert steps == [beats * 480 for beats, _ in TUNE[:-1]]
    assert 115 < tune.tempo_qpm < 125
    assert str(tune.key) == "C major"
    assert extend(tune, bars=4).sections[1].lines


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (wav(np.zeros(RATE)), "is silent"),
        (wav(np.zeros(0)), "lasts 0 seconds"),
        (wav(np.zeros(RATE * 121)), "lasts 121 seconds"),
        (hum(TUNE)[:40], "is not a sound file|lasts 0 seconds"),
        (wav(np.random.default_rng(2).normal(size=RATE) * 0.1), "no tune that can be heard|has only"),
    ],
    ids=["silence", "nothing", "too long", "cut off", "noise"],
)
def test_what_has_no_tune_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(TuneError, match=message):
        read_tune(data, "hummed.wav")
