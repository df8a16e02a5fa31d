"""The metre of verse: where the beats of a line fall, and the foot that fits a section best.

A line's beats are found by dynamic programming: each foot (iambic, trochaic, anapestic, dactylic) says how many
unstressed syllables it expects before the first beat, between beats and after the last one, and what a deviation
costs; each syllable says what it costs to bear a beat or not. Words of one syllable bend easily, the stress of longer
ones hardly. Costs are set by hand, after the rules of Attridge (1982): promotion, demotion, initial inversion.
"""

from collections import Counter
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from lyrics.document import Line

FEET = ("iambic", "trochaic", "anapestic", "dactylic")  # of equal ones the first wins
_MIXED = 0.14  # mean cost of a syllable above which a text has no one foot: 7 % of rhymed verse, 75 % of prose
_LENGTHS = "monometer dimeter trimeter tetrameter pentameter hexameter heptameter octameter".split()
_NAMED = {"8.6.8.6": "common metre", "8.8.8.8": "long metre", "6.6.8.6": "short metre"}


class Metre(NamedTuple):
    """The metre of some lines."""

    name: str  # "iambic tetrameter", "common metre 8.6.8.6", "mixed"
    foot: str  # one of FEET, the best one even where the name is "mixed"
    fit: float  # 1: every syllable as the foot expects it; the median of rhymed verse is 0.7, that of prose 0.4
    beats: tuple[int, ...]  # number of beats of each line
    stress: tuple[str, ...]  # of each line, one sign per syllable: "/" with a beat, "x" without
    pattern: str | None  # syllables per line where they make a stanza, "8.6.8.6"


def find_metre(lines: Sequence[Line]) -> Metre:
    """Fit every foot to the lines and keep the best one. Raises ValueError if there are no lines."""
    if not lines:
        raise ValueError("a metre needs at least one line")
    weights = [tuple(_weights(line)) for line in lines]
    scansions = {foot: [_scan(line, foot) for line in weights] for foot in FEET}
    num_syllables = sum(map(len, weights))
    costs = {foot: sum(cost for cost, _ in scansions[foot]) / num_syllables for foot in FEET}
    foot = min(FEET, key=lambda foot: costs[foot])
    stress = tuple(stress for _, stress in scansions[foot])
    beats = tuple(line.count("/") for line in stress)
    pattern = _pattern([len(line) for line in weights])
    return Metre(
        name="mixed" if costs[foot] > _MIXED else _name(foot, beats, pattern),
        foot=foot,
        fit=round(max(0.0, 1 - costs[foot] / (2 * _MIXED)), 3),
        beats=beats,
        stress=stress,
        pattern=pattern,
    )


def _name(foot: str, beats: tuple[int, ...], pattern: str | None) -> str:
    if foot == "iambic" and pattern in _NAMED:
        return f"{_NAMED[pattern]} {pattern}"
    length, count = Counter(beats).most_common(1)[0]
    if count >= 0.75 * len(beats):
        return f"{foot} {_length(length)}"
    odd, even = set(beats[::2]), set(beats[1::2])
    if len(beats) >= 4 and len(odd) == len(even) == 1:
        return f"{foot} {_length(odd.pop())} and {_length(even.pop())}"
    return f"{foot}, {min(beats)} to {max(beats)} beats"


def _length(beats: int) -> str:
    return _LENGTHS[beats - 1] if 1 <= beats <= len(_LENGTHS) else f"verse of {beats} feet"


def _pattern(counts: list[int]) -> str | None:
    """Syllables per line where lines 1 and 3, 2 and 4, or all halves agree; a stanza sung twice ends in "D"."""
    if len(counts) >= 8 and len(counts) % 2 == 0 and counts[: len(counts) // 2] == counts[len(counts) // 2 :]:
        half = _pattern(counts[: len(counts) // 2])
        return f"{half} D" if half and "D" not in half else None
    if len(counts) != 4:
        return None
    if counts[1] == counts[3] and (counts[0] == counts[2] or counts[0] == counts[1]):
        return ".".join(map(str, counts))
    return None


# --- Scansion ----------------------------------------------------------------------------------------------------


def _weights(line: Line) -> list[tuple[float, float]]:
    """For each syllable the cost of a beat on it, and of none."""
    weights: list[tuple[float, float]] = []
    for word in line.words:
        stresses = [syllable.stress for syllable in word.syllables]
        if len(stresses) == 1:
            if word is line.words[-1]:  # the end of a line is a strong place
                weights.append((0.0, 0.9) if word.content else (0.15, 0.15))
            else:
                weights.append((0.0, 0.45) if word.content else (0.4, 0.0))
            continue
        for index, stress in enumerate(stresses):
            if stress == 1:
                weights.append((0.0, 1.0))
            elif stress == 2:
                weights.append((0.1, 0.3))
            else:
                beside = 1 in stresses[max(0, index - 1) : index + 2]
                weights.append((1.5 if beside else 0.35, 0.0))
    return weights


class _Foot(NamedTuple):
    """Costs of so many unstressed syllables at each place; what is not named costs `_FAR` and more."""

    start: tuple[float, ...]
    between: tuple[float, ...]
    end: tuple[float, ...]


_FAR = 1.6
_COSTS = {
    "iambic": _Foot(start=(0.5, 0.0, 0.6), between=(1.2, 0.0, 0.6), end=(0.0, 0.15, 0.5)),
    "trochaic": _Foot(start=(0.0, 0.5, 1.0), between=(1.2, 0.0, 0.6), end=(0.1, 0.0, 0.3)),
    "anapestic": _Foot(start=(0.5, 0.15, 0.0), between=(1.5, 0.45, 0.0), end=(0.0, 0.15, 0.3)),
    "dactylic": _Foot(start=(0.0, 0.4, 0.8), between=(1.5, 0.45, 0.0), end=(0.05, 0.05, 0.0)),
}


def _gap(costs: tuple[float, ...], size: int) -> float:
    return costs[size] if size < len(costs) else _FAR * (size - len(costs) + 1)


@cache
def _gaps(foot: str) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    table = _COSTS[foot]
    start, between, end = (
        tuple(_gap(costs, size) for size in range(6)) for costs in (table.start, table.between, table.end)
    )
    return start, between, end


@lru_cache(maxsize=8192)
def _scan(weights: tuple[tuple[float, float], ...], foot: str) -> tuple[float, str]:
    """Place the beats of a line at the least cost; return its cost, and the line as "x" and "/"."""
    start, between, end = _gaps(foot)
    reach = len(start)
    off = [0.0]  # cost of leaving all syllables before a place without a beat
    for _, without in weights:
        off.append(off[-1] + without)
    size = len(weights)
    best: list[float] = []
    previous: list[int] = []
    for index in range(size):
        cost, origin = (off[index] + start[index], -1) if index < reach else (float("inf"), -1)
        for earlier in range(max(0, index - reach), index):
            candidate = best[earlier] + off[index] - off[earlier + 1] + between[index - earlier - 1]
            if candidate < cost:
                cost, origin = candidate, earlier
        best.append(cost + weights[index][0])
        previous.append(origin)
    final = [
        best[index] + off[size] - off[index + 1] + end[size - index - 1] for index in range(max(0, size - reach), size)
    ]
    total = min(final)
    place = final.index(total) + max(0, size - reach)
    signs = ["x"] * size
    while place >= 0:
        signs[place] = "/"
        place = previous[place]
    return total, "".join(signs)
