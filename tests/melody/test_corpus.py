import pytest

from align.corpus import CorpusNote, CorpusSong, CorpusSyllable
from align.meter import Meter
from melody.corpus import in_scale_share, song_key
from melody.theory import Key


def tune(pitches: tuple[int, ...], fifths: int = 0, printed_mode: str = "major") -> CorpusSong:
    notes = tuple(CorpusNote(i * 480, 480, i * 480 % 1920, pitch, i, False) for i, pitch in enumerate(pitches))
    syllables = tuple(CorpusSyllable("la", i, 1, True, True, 0) for i in range(len(pitches)))
    return CorpusSong(
        "made up", "1", "1", "folk", "en", Meter(4, 4), fifths, printed_mode, None, ("la",) * len(pitches),
        syllables, notes, (), 1, True, (),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("pitches", "fifths", "key"),
    [
        ((60, 64, 67, 60), 0, Key(0, "major")),
        ((69, 72, 76, 69), 0, Key(9, "minor")),
        ((67, 71, 74, 67), 1, Key(7, "major")),
        ((64, 67, 71, 76), 1, Key(4, "minor")),
        ((60, 64, 67, 64), 0, Key(0, "major")),  # ends on neither tonic: the triad that sounds longer
        ((69, 72, 69, 76, 69, 71), 0, Key(9, "minor")),
    ],
)
def test_the_key_follows_from_the_signature_and_the_last_note(pitches: tuple[int, ...], fifths: int, key: Key) -> None:
    assert song_key(tune(pitches, fifths)) == key


def test_the_printed_mode_does_not_count() -> None:
    assert song_key(tune((69, 72, 76, 69), 0, "major")).mode == "minor"


def test_the_raised_sixth_and_seventh_belong_to_a_minor_key() -> None:
    assert in_scale_share(tune((69, 78, 80, 69)), Key(9, "minor")) == 1
    assert in_scale_share(tune((60, 61, 62, 60)), Key(0, "major")) == 0.75
