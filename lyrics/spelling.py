"""Letters of a word divided among its syllables, as engravers print them under the notes: `beau-ti-ful`."""

import json
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

DATA = Path(__file__).parent / "data" / "spelling"
_UNSEEN = -12.0  # log probability of a letter sounding as it never did in training, for each phone


@cache
def alignment() -> dict[str, dict[str, float]]:
    """Log P(phones | letter), learned by EM on CMUdict in scripts/train_g2p.py."""
    table: dict[str, dict[str, float]] = json.loads((DATA / "alignment.json").read_text(encoding="utf-8"))
    return table


def align(letters: str, phones: Sequence[str]) -> list[tuple[int, int]]:
    """Give each letter a-z its phones, none, one or two, as (start, end) indices into `phones`.

    The most probable monotone alignment (Viterbi). Raises ValueError if there are too few letters.

    >>> align("wish", ["W", "IH1", "SH"])
    [(0, 1), (1, 2), (2, 3), (3, 3)]
    """
    num_letters, num_phones = len(letters), len(phones)
    if num_phones > 2 * num_letters:
        raise ValueError(f"{letters!r} has too few letters for {' '.join(phones)}")
    table = alignment()
    one = [phone.rstrip("012") for phone in phones]
    two = [f"{first} {second}" for first, second in zip(one, one[1:], strict=False)]
    nothing = float("-inf")
    scores = [0.0] + [nothing] * num_phones
    steps = []
    for t, letter in enumerate(letters):
        row = table[letter]
        silent = row.get("", _UNSEEN)
        low, high = max(0, num_phones - 2 * (num_letters - t - 1)), min(num_phones, 2 * (t + 1))
        new, taken = [nothing] * (num_phones + 1), [0] * (num_phones + 1)
        for j in range(low, high + 1):
            best, step = scores[j] + silent, 0
            if j:
                score = scores[j - 1] + row.get(one[j - 1], _UNSEEN)
                if score > best:
                    best, step = score, 1
                if j > 1:
                    score = scores[j - 2] + row.get(two[j - 2], 2 * _UNSEEN)
                    if score > best:
                        best, step = score, 2
            new[j], taken[j] = best, step
        scores = new
        steps.append(taken)
    spans, end = [], num_phones
    for taken in reversed(steps):
        spans.append((end - taken[end], end))
        end -= taken[end]
    return spans[::-1]


_VOWEL_GROUP = re.compile(r"[aeiouy]+")
_KEPT_TOGETHER = ("ch", "sh", "th", "ph", "wh", "gh", "ck", "qu")
_ONSETS = ("bl", "br", "cl", "cr", "dr", "fl", "fr", "gl", "gr", "pl", "pr", "tr", "tw", "thr", "shr", "chr")


def split_letters(letters: str, count: int) -> tuple[str, ...]:
    """Divide lower-case letters a-z into `count` parts, each with a vowel where there are enough."""
    groups = [[match.start(), match.end()] for match in _VOWEL_GROUP.finditer(letters)]
    while len(groups) > count:  # silent e, first the last one
        silent = [i for i in range(1, len(groups)) if letters[groups[i][0] : groups[i][1]] == "e"]
        del groups[silent[-1] if silent else -1]
    while 0 < len(groups) < count:  # two vowels side by side ("li-on"), else a syllabic consonant ("rhyth-m")
        wide = max(range(len(groups)), key=lambda i: groups[i][1] - groups[i][0])
        start, end = groups[wide]
        if end - start < 2:
            break
        groups[wide : wide + 1] = [[start, start + 1], [start + 1, end]]
    cuts = [_cut(letters, left[1], right[0]) for left, right in zip(groups, groups[1:], strict=False)]
    position = len(letters)
    while len(cuts) < count - 1:  # no more vowels: give single letters to the last syllables
        position -= 1
        if position not in cuts:
            cuts.append(max(position, 0))
    bounds = [0, *sorted(cuts), len(letters)]
    return tuple(letters[start:end] for start, end in zip(bounds, bounds[1:], strict=False))


def _cut(letters: str, start: int, end: int) -> int:
    between = letters[start:end]
    if len(between) <= 1 or between in _KEPT_TOGETHER:
        return start
    for onset in (between[-3:], between[-2:]):
        if len(onset) < len(between) and onset in _ONSETS + _KEPT_TOGETHER:
            return end - len(onset)
    return end - 1
