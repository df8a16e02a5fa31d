"""The critic of melodies: what it sees."""

from pathlib import Path

import numpy as np
import pytest

from align.critic import Stretch
from align.meter import Meter
from lyrics.errors import ModelFileError
from melody.critic import describe, load_critic
from melody.theory import Key

ONSETS = (-4, *range(0, 60, 4), *range(64, 120, 8))
STRETCH = Stretch(0, 0, ONSETS, (4,) * 16 + (8,) * 7, (False,) * 5 + (True,) + (False,) * 17, 8)
TUNE = (55, 60, 62, 64, 65, 67, 67, 69, 67, 65, 64, 62, 60, 59, 60, 61, 62, 64, 72, 67, 64, 62, 60)


@pytest.mark.parametrize("key", ["C major", "A minor", "F# minor"])
def test_every_melody_has_the_features_that_the_critic_knows(key: str) -> None:
    rows = [
        describe(STRETCH, tune, Meter(4, 4), Key.parse(key), style)
        for tune in (TUNE, (60,) * len(TUNE))
        for style in ("popular", "hymn")
    ]
    assert {len(row) for row in rows} == {len(load_critic().mean)}
    assert np.isfinite(rows).all()
    assert np.isfinite(load_critic().judge(rows))


def test_a_single_note_can_be_described() -> None:
    one = Stretch(0, 0, (0,), (64,), (False,), 4)
    assert np.isfinite(describe(one, (60,), Meter(4, 4), Key.parse("C major"), "folk")).all()


def test_transposing_changes_nothing() -> None:
    low = describe(STRETCH, TUNE, Meter(4, 4), Key.parse("C major"), "folk")
    high = describe(STRETCH, [pitch + 5 for pitch in TUNE], Meter(4, 4), Key.parse("F major"), "folk")
    np.testing.assert_allclose(low, high, atol=1e-9)


def test_a_missing_critic_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"critic\.safetensors cannot be read.*install songwright again"):
        load_critic(tmp_path)
