"""Distances between samples, on samples small enough to work out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from melody.distances import jensen_shannon, mmd2, overlap, warped_distance

SAMPLES = st.lists(st.integers(0, 4), min_size=1, max_size=20)
SERIES = st.lists(st.integers(0, 12), min_size=1, max_size=8)


def test_overlap_is_one_for_equal_and_zero_for_disjoint_histograms() -> None:
    assert overlap([1, 1, 2, 2], [1, 2]) == 1.0
    assert overlap([1], [2]) == 0.0
    assert overlap([1, 2], [1, 1, 1, 2]) == 0.75


def test_divergence_of_a_coin_from_a_coin_that_always_falls_on_one_side() -> None:
    # p = (1/2, 1/2), q = (1, 0), m = (3/4, 1/4): KL(p, m) = (log2(2/3) + log2 2) / 2, KL(q, m) = log2(4/3)
    expected = ((math.log2(2 / 3) + 1) / 2 + math.log2(4 / 3)) / 2
    assert jensen_shannon(["head", "tail"], ["head"]) == pytest.approx(expected)


def test_divergence_is_zero_for_equal_and_one_bit_for_disjoint_histograms() -> None:
    assert jensen_shannon([1, 2, 2], [2, 1, 2, 2, 1, 2]) == pytest.approx(0)
    assert jensen_shannon([1, 1], [2, 3]) == 1.0
    with pytest.raises(ValueError, match="empty"):
        jensen_shannon([], [1])


@given(SAMPLES, SAMPLES)
@settings(deadline=None)
def test_histogram_distances_are_symmetric_and_bounded(one: list[int], two: list[int]) -> None:
    assert jensen_shannon(one, two) == pytest.approx(jensen_shannon(two, one), abs=1e-12)
    assert 0 <= jensen_shannon(one, two) <= 1 + 1e-12
    assert overlap(one, two) == pytest.approx(overlap(two, one))
    assert 0 <= overlap(one, two) <= 1 + 1e-12


def test_mmd_of_two_points_against_two_points() -> None:
    # real: 0 and 2, so the bandwidth is 4; generated: 0 and 0. Within real exp(-1), within generated 1,
    # across (1 + e^-1) / 2.
    value = mmd2(np.array([[0.0], [0.0]]), np.array([[0.0], [2.0]]))
    assert value == pytest.approx(1 + math.exp(-1) - (1 + math.exp(-1)))
    # generated: 2 and 4: within exp(-1), across (e^-1 + e^-4 + 1 + e^-1) / 4
    value = mmd2(np.array([[2.0], [4.0]]), np.array([[0.0], [2.0]]))
    assert value == pytest.approx(2 * math.exp(-1) - (2 * math.exp(-1) + math.exp(-4) + 1) / 2)


def test_mmd_tells_a_shifted_sample_from_one_of_the_same_source() -> None:
    rng = np.random.default_rng(0)
    real, same = rng.normal(size=(300, 5)), rng.normal(size=(300, 5))
    assert abs(mmd2(same, real)) < 0.005
    assert mmd2(same + 1, real) > 0.05


def test_mmd_needs_pairs_and_survives_equal_vectors() -> None:
    with pytest.raises(ValueError, match="two vectors"):
        mmd2(np.zeros((1, 3)), np.zeros((2, 3)))
    assert mmd2(np.zeros((3, 2)), np.zeros((3, 2))) == pytest.approx(0)


def test_warping_forgives_tempo_but_not_pitch() -> None:
    assert warped_distance([60, 60, 62, 62], [60, 62]) == 0
    # best path 0-0, 0-0, 3-2, 3-2 or shorter: costs 0, 1 over the diagonal of [0, 3] and [0, 2]
    assert warped_distance([0, 3], [0, 2]) == 0.5
    assert warped_distance([1], [4, 4]) == 3.0
    with pytest.raises(ValueError, match="empty"):
        warped_distance([], [1])


@given(SERIES, SERIES, st.integers(1, 3))
@settings(deadline=None)
def test_warping_is_symmetric_and_a_stretched_series_is_at_no_distance(
    one: list[int], two: list[int], factor: int
) -> None:
    assert warped_distance(one, two) == pytest.approx(warped_distance(two, one))
    assert warped_distance(one, [value for value in one for _ in range(factor)]) == 0
