"""What a song shows: for each section a few words near the theme that belong together, and that no other section has.

Without such a plan every verse says the same again, or drifts to what verse is full of, whatever the theme.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from lyrics.writing.words import Floats, SungWord, same_stem, stem, vectors

_NEAR = 1.6  # standard deviations: words that lie farther from the theme are no images of it
_CHOICE = 80  # words to choose from
_EXPECTED = 0.3  # how much a natural log of the model's expectation counts beside a standard deviation
_TOGETHER = 2.0  # how much a cosine with the first word of the section counts
_ALIKE = 4  # letters: "drive" and "driving" begin alike
_APART = 2.5  # the same between the first words of two sections


def plan_images(
    words: Sequence[SungWord],
    near: Floats,
    expected: Floats,
    left_out: Iterable[str],
    num_sections: int,
    source: np.random.Generator,
    size: int = 5,
) -> list[list[int]]:
    """Choose numbers of words for each section, at most `size` each; fewer, or none, if the theme has few near it.

    `near` is how near each word lies to the theme, `expected` the log probability that the model gives it as a word for
    the theme; words that begin like those in `left_out` are no images. The first section gets the nearest ones.
    """
    if not num_sections:
        return []
    noise = source.gumbel(size=len(near)) * 0.3
    known = {word[:_ALIKE] for word in left_out}
    values = near + _EXPECTED * np.maximum(expected[: len(near)], -12) + noise
    ranked = [
        index
        for index in np.argsort(-values, kind="stable").tolist()
        if near[index] > _NEAR and words[index].content and words[index].text[:_ALIKE] not in known
    ]
    pool: list[int] = []
    for index in ranked:
        if not any(same_stem(stem(words[index].text), stem(words[other].text)) for other in pool):
            pool.append(index)
        if len(pool) == _CHOICE:
            break
    rows = vectors()[pool]
    alike = rows @ rows.T
    worth = values[pool]
    free = list(range(len(pool)))
    firsts: list[int] = []
    for _ in range(min(num_sections, len(free))):
        best = max(
            free, key=lambda item: worth[item] - _APART * max((alike[item, first] for first in firsts), default=0)
        )
        firsts.append(best)
        free.remove(best)
    sections = [[first] for first in firsts]
    for _ in range(size - 1):
        for section in sections:
            if free:
                first = section[0]
                best = max(free, key=lambda item: worth[item] + _TOGETHER * alike[item, first])
                section.append(best)
                free.remove(best)
    return [[pool[item] for item in section] for section in sections] + [
        [] for _ in range(num_sections - len(sections))
    ]
