"""Which ids have been seen, in eight bytes an id: a hundred million take less than a gigabyte."""

import hashlib

import numpy as np
from numpy.typing import NDArray

_RECENT = 1 << 14  # ids kept in a set before they are sorted into an array


class SeenIds:
    """A set of ids that is only ever added to.

    It keeps 64 bits of a hash of each: among a million ids, the chance that two are taken for the same is 1 in 40
    million, among a hundred million 1 in 4,000. Sorted arrays of doubling sizes are merged as they fill up.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self._recent: set[int] = set()
        self._sorted: list[NDArray[np.uint64]] = []

    def add(self, identifier: str) -> bool:
        """Add an id; return whether it is new."""
        digest = hashlib.blake2b(identifier.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        number = int.from_bytes(digest, "big")
        if number in self._recent or any(self._holds(array, number) for array in self._sorted):
            return False
        self._recent.add(number)
        if len(self._recent) >= _RECENT:
            self._merge()
        return True

    @staticmethod
    def _holds(array: NDArray[np.uint64], number: int) -> bool:
        place = int(np.searchsorted(array, np.uint64(number)))
        return place < len(array) and int(array[place]) == number

    def _merge(self) -> None:
        merged = np.fromiter(self._recent, dtype=np.uint64, count=len(self._recent))
        merged.sort()
        self._recent.clear()
        while self._sorted and len(self._sorted[-1]) <= len(merged):
            merged = np.concatenate((self._sorted.pop(), merged))
            merged.sort()
        self._sorted.append(merged)
