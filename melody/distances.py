"""How far two samples of melodies lie apart: overlap and divergence of histograms, MMD, warped melody distance.

Every distance compares a sample with another one of the same kind. None has a meaning by itself: print beside it what
notes drawn at random reach (the floor) and what another sample of human melodies reaches (the ceiling).
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def overlap(first: Iterable[Hashable], second: Iterable[Hashable]) -> float:
    """Return the overlapped area of two histograms, each summing to 1: sum of min(p, q). 1 means equal.

    Either may also be a mapping of values to how often they occur, at least once in all.

    Source: pitch and duration distribution similarity (PD, DD) of Sheng et al., SongMASS (2021).

    >>> overlap([1, 2], [1, 1, 1, 2])
    0.75
    """
    one, two = Counter(first), Counter(second)
    total_one, total_two = max(1, one.total()), max(1, two.total())
    return sum(min(one[key] / total_one, two[key] / total_two) for key in one.keys() & two.keys())


def jensen_shannon(first: Iterable[Hashable], second: Iterable[Hashable]) -> float:
    """Return the Jensen-Shannon divergence of two histograms in bits: 0 if they are equal, 1 if they share no value.

    JS(p, q) = (KL(p, m) + KL(q, m)) / 2 with m = (p + q) / 2. Source: Lin (1991).
    Raises ValueError for an empty sample.

    >>> jensen_shannon([1, 1], [2])
    1.0
    """
    one, two = Counter(first), Counter(second)
    if not one or not two:
        raise ValueError("the divergence of an empty sample is not defined")
    values = list(one.keys() | two.keys())
    p = np.array([one[value] for value in values]) / one.total()
    q = np.array([two[value] for value in values]) / two.total()
    middle = (p + q) / 2
    divergence = 0.0
    for histogram in (p, q):
        seen = histogram > 0
        divergence += float(np.sum(histogram[seen] * np.log2(histogram[seen] / middle[seen]))) / 2
    return max(0.0, divergence)


def squared_distances(first: Floats, second: Floats) -> Floats:
    """Return ||x - y||^2 for every row x of `first` (N, D) and y of `second` (M, D): (N, M)."""
    squares: Floats = np.sum(first**2, axis=1)[:, None] + np.sum(second**2, axis=1)[None] - 2 * first @ second.T
    squares.clip(min=0, out=squares)
    return squares


def mmd2(generated: Floats, real: Floats) -> float:
    """Return the squared maximum mean discrepancy between two samples of vectors, (N, D) and (M, D), at least 2 each.

    The unbiased estimate of Gretton et al. (2012, eq. 3): mean k(x, x') + mean k(y, y') - 2 mean k(x, y), without the
    pairs of a vector with itself, so it may fall a little below 0. The kernel is k(x, y) = exp(-||x - y||^2 / b) with
    b the median of ||y - y'||^2 over the pairs of `real`: all systems that are compared with one real sample are so
    compared by one kernel. A sample compared with `real` from the same source has expectation 0.
    """
    if len(generated) < 2 or len(real) < 2:
        raise ValueError("MMD needs two vectors or more on either side")
    within_real = squared_distances(real, real)
    pairs = np.triu_indices(len(real), k=1)
    bandwidth = float(np.median(within_real[pairs]))
    if bandwidth <= 0:  # most real vectors are equal: any kernel width would do, the mean is the natural one
        bandwidth = float(np.mean(within_real[pairs])) or 1.0

    def mean_of_pairs(squares: Floats) -> float:
        kernel = np.exp(-squares / bandwidth)
        count = len(squares)
        return float((kernel.sum() - np.trace(kernel)) / (count * (count - 1)))

    across = float(np.mean(np.exp(-squared_distances(generated, real) / bandwidth)))
    return mean_of_pairs(squared_distances(generated, generated)) + mean_of_pairs(within_real) - 2 * across


def warped_distance(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the mean distance of two series along their best alignment by dynamic time warping.

    Steps go forward in either series or in both (Sakoe and Chiba, 1978); the cheapest path's cost |a - b| is divided by
    its number of steps, so that long melodies do not lie further apart than short ones. On melodies as pitch series
    this is the melody distance (MD) of Sheng et al., SongMASS (2021), in semitones. Raises ValueError for an empty one.

    >>> warped_distance([0, 0, 2, 2], [0, 2])
    0.0
    """
    if not len(first) or not len(second):
        raise ValueError("an empty series has no distance")
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    rows, columns = len(one), len(two)
    # Along an antidiagonal all places are independent of each other. Entry i + 1 of `cost` belongs to place i of `one`;
    # `cost[0]` is infinite. Of equally cheap paths the shortest counts.
    blank = np.full(rows + 1, np.inf)
    cost, steps, cost_before, steps_before = blank, blank, blank, blank
    for diagonal in range(rows + columns - 1):
        low, high = max(0, diagonal - columns + 1), min(rows - 1, diagonal)
        here = np.arange(low, high + 1)
        if diagonal == 0:
            best, count = np.zeros(1), np.zeros(1)
        else:
            costs = np.stack((cost[here], cost[here + 1], cost_before[here]))
            counts = np.stack((steps[here], steps[here + 1], steps_before[here]))
            best = costs.min(axis=0)
            count = np.where(costs == best, counts, np.inf).min(axis=0)
        cost_before, steps_before = cost, steps
        cost, steps = blank.copy(), blank.copy()
        cost[here + 1] = best + np.abs(one[here] - two[diagonal - here])
        steps[here + 1] = count + 1
    return float(cost[rows] / steps[rows])
