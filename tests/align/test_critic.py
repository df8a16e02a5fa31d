"""The critic of rhythms: what it sees, and that the search heeds it."""

from pathlib import Path

import numpy as np
import pytest

from align.critic import Stretch, cut_stretches, describe, load_critic
from align.features import STYLES
from align.meter import GRID, Meter
from lyrics.errors import ModelFileError

FOUR = Meter(4, 4)


def even(bars: int, each: int = 4, bar: int = 16) -> Stretch:
    """Notes of one length."""
    onsets = tuple(range(0, bar * bars, each))
    return Stretch(0, 0, onsets, (each,) * len(onsets), (False,) * len(onsets), bars)


def test_stretches_of_eight_bars_begin_where_lines_begin_and_the_last_is_as_long_as_it_is() -> None:
    onsets = list(range(0, 16 * 14, 4))
    begins = [index for index, onset in enumerate(onsets) if onset % 32 == 0]
    first, second = cut_stretches(onsets, [4] * len(onsets), [False] * len(onsets), begins, 16)
    assert (first.first, first.start, first.bars, len(first.onsets)) == (0, 0, 8, 32)
    assert (second.first, second.start, second.bars, len(second.onsets)) == (32, 128, 6, 24)


def test_a_pick_up_belongs_to_the_stretch_that_it_leads_to() -> None:
    onsets = list(range(12, 12 + 16 * 16, 4))
    begins = [index for index, onset in enumerate(onsets) if onset % 32 == 12]
    first, second = cut_stretches(onsets, [4] * len(onsets), [False] * len(onsets), begins, 16)
    assert (first.start, first.onsets[0], first.onsets[-1]) == (16, -4, 120)
    assert (second.start, second.onsets[0]) == (144, -4)


def test_a_few_bars_are_no_stretch() -> None:
    assert cut_stretches([0, 4, 8, 12], [4] * 4, [False] * 4, [0], 16) == []


@pytest.mark.parametrize("meter", [FOUR, Meter(3, 4), Meter(2, 4), Meter(6, 8), Meter(12, 8)], ids=str)
@pytest.mark.parametrize("style", STYLES)
def test_every_stretch_has_the_features_that_the_critic_knows(meter: Meter, style: str) -> None:
    bar = meter.bar_ticks // GRID
    late = Stretch(0, 0, (-2, 0, 3, 5 * bar), (2, 3, 5 * bar - 3, 70), (False, False, True, False), 8)
    stretches = [even(8, bar=bar), even(4, bar, bar), late]
    rows = [describe(stretch, meter, style) for stretch in stretches]
    assert {len(row) for row in rows} == {len(load_critic().mean)}
    assert np.isfinite(rows).all()
    assert np.isfinite(load_critic().judge(rows))


def test_what_comes_back_is_seen() -> None:
    wild = Stretch(0, 0, (0, 6, 7, 18, 22, 33, 41, 55), (6, 1, 11, 4, 11, 8, 14, 9), (False,) * 8, 4)
    assert describe(even(4), FOUR, "folk") != describe(wild, FOUR, "folk")
    assert load_critic().judge([]) == 0.0


def test_a_missing_critic_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"critic\.safetensors cannot be read.*install songwright again"):
        load_critic(tmp_path)
