"""Where randomness comes from: every line, and every other choice, has a seed of its own.

A line's seed derives from the song's seed, the line's id and its revision, so that re-rolling one line (a higher
revision) leaves the random numbers of all others alone.
"""

import hashlib

MAX_SEED = 2**53 - 1  # the largest whole number that every JSON reader keeps exactly


def derived_seed(song_seed: int, name: str, revision: int = 0) -> int:
    """Derive the 64-bit seed of one named choice, the same on every machine.

    >>> hex(derived_seed(0, "v1.1"))
    '0x750382a480a32696'
    """
    digest = hashlib.sha256(f"{song_seed}/{name}/{revision}".encode()).digest()
    return int.from_bytes(digest[:8], "big")


def line_seed(song_seed: int, line_id: str, revision: int = 0) -> int:
    """Derive the 64-bit seed of a line, for example "v1.3"."""
    return derived_seed(song_seed, line_id, revision)
