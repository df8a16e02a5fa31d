"""The CMU Pronouncing Dictionary, looked up where it lies: no parsing at start.

`data/cmudict.txt` holds one word per line, sorted by bytes: the word, then its pronunciations, tab-separated.
Source: CMUdict 0.7b and later fixes (github.com/cmusphinx/cmudict); licence in `data/cmudict.LICENSE`.
"""

import re
from bisect import bisect_right
from functools import cache, lru_cache
from mmap import ACCESS_READ, mmap
from pathlib import Path

DICTIONARY = Path(__file__).parent / "data" / "cmudict.txt"
_STRIDE = 16_384  # bytes between two anchors


@cache
def _dictionary() -> tuple[mmap, list[bytes], list[int]]:
    """Map the file; about every `_STRIDE` bytes a word and its place, so that a look-up searches a small stretch.

    Processes that map it share its memory.
    """
    with DICTIONARY.open("rb") as file:
        data = mmap(file.fileno(), 0, access=ACCESS_READ)
    places = [0, *(data.find(b"\n", place) + 1 for place in range(_STRIDE, len(data) - _STRIDE, _STRIDE))]
    return data, [data[place : data.find(b"\t", place)] for place in places], [*places, len(data)]


@lru_cache(maxsize=1 << 16)  # words of any text are looked up, known or not
def pronunciations(word: str) -> tuple[tuple[str, ...], ...]:
    """All pronunciations of a lower-case word, most usual first, each a tuple of ARPAbet phones; () if unknown.

    >>> pronunciations("read")
    (('R', 'EH1', 'D'), ('R', 'IY1', 'D'))
    """
    data, words, places = _dictionary()
    key = word.encode()
    index = bisect_right(words, key) - 1
    if index < 0:
        return ()
    start = places[index]
    if key != words[index]:
        start = data.find(b"\n" + key + b"\t", start, places[index + 1]) + 1
        if not start:
            return ()
    entries = data[start + len(key) + 1 : data.find(b"\n", start)].decode()
    return tuple(tuple(entry.split()) for entry in entries.split("\t"))


def bare(word: str) -> str:
    """Lower-case a printed word and strip the punctuation around it: the form that the dictionary knows."""
    return (
        re.sub(r"^[^a-z']+|[^a-z']+$", "", word.lower().replace("’", "'").replace("_", "")).strip("'") or word.lower()
    )
