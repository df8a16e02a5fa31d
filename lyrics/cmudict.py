"""The CMU Pronouncing Dictionary, looked up where it lies: no parsing at start.

`data/cmudict.txt` holds one word per line, sorted by bytes: the word, then its pronunciations, tab-separated.
Source: CMUdict 0.7b and later fixes (github.com/cmusphinx/cmudict); licence in `data/cmudict.LICENSE`.
"""

from functools import cache
from pathlib import Path

DICTIONARY = Path(__file__).parent / "data" / "cmudict.txt"


@cache
def _dictionary() -> bytes:
    return b"\n" + DICTIONARY.read_bytes()


@cache
def pronunciations(word: str) -> tuple[tuple[str, ...], ...]:
    """All pronunciations of a lower-case word, most usual first, each a tuple of ARPAbet phones; () if unknown.

    >>> pronunciations("read")
    (('R', 'EH1', 'D'), ('R', 'IY1', 'D'))
    """
    dictionary = _dictionary()
    key = word.encode()
    low, high = 0, len(dictionary)
    while low < high:  # binary search over line starts
        middle = (low + high) // 2
        start = dictionary.rfind(b"\n", 0, middle + 1) + 1
        end = dictionary.find(b"\t", start)
        if end < 0 or dictionary[start:end] > key:
            high = start - 1
        elif dictionary[start:end] < key:
            low = dictionary.find(b"\n", end)
        else:
            line = dictionary[end + 1 : dictionary.find(b"\n", end)].decode()
            return tuple(tuple(entry.split()) for entry in line.split("\t"))
    return ()
