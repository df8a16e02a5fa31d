"""Names of files and notes."""

import re
import unicodedata

from melody.theory import spell

_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)  # names that Windows keeps to itself
_UNFOLDED = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ı": "i"}
)
_MAX_LENGTH = 80


def slug(title: str) -> str:
    """Make a file name of a title: ASCII letters and digits with hyphens between.

    >>> slug("Café — L’Été, 1999!")
    'cafe-l-ete-1999'
    >>> slug("夜曲")
    'song'
    """
    folded = unicodedata.normalize("NFKD", title.lower().translate(_UNFOLDED)).encode("ascii", "ignore").decode()
    # An apostrophe inside an ASCII word joins: "don't" -> "dont".
    words = re.findall(r"[a-z0-9]+", folded.replace("'", ""))
    return _safe("-".join(words))


def safe_name(stem: str) -> str:
    """Keep a file's stem as it is where that is safe everywhere, and make a slug of it otherwise.

    >>> safe_name("harbour_lights")
    'harbour_lights'
    """
    return _safe(stem) if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", stem) else slug(stem)


def _safe(name: str) -> str:
    name = name[:_MAX_LENGTH].strip("-. ")
    return f"{name}-song" if _RESERVED.match(name) else name or "song"


def title_from_stem(stem: str) -> str:
    """Make a title of a file's stem.

    >>> title_from_stem("harbour_lights")
    'Harbour Lights'
    """
    words = stem.replace("_", " ").replace("-", " ").split()
    return " ".join(word if any(letter.isupper() for letter in word) else word.capitalize() for word in words)


def counted(number: int, thing: str) -> str:
    """Say how many there are of a thing.

    >>> counted(1, "row"), counted(2_000, "row")
    ('1 row', '2,000 rows')
    """
    return f"{number:,} {thing}" + ("" if number == 1 else "s")


def pitch_name(pitch: int) -> str:
    """Name a MIDI pitch: 60 is "C4"."""
    return f"{spell(pitch % 12, 0)}{pitch // 12 - 1}"
