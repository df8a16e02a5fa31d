"""Letters of a word divided among its syllables, as engravers print them under the notes: `beau-ti-ful`."""

import re

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
