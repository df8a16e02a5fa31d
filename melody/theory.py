"""Keys and chords as plain values.

Pitch classes are 0..11 from C; pitches are MIDI numbers, 60 = C4.
"""

import re
from dataclasses import dataclass

_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
MAJOR = (0, 2, 4, 5, 7, 9, 11)
MINOR = (0, 2, 3, 5, 7, 8, 10)  # natural; the raised seventh comes with the dominant chord
# Fifths on the key signature (sharps > 0) by pitch class of a major tonic, and the tonic's name there.
_MAJOR_FIFTHS = {0: 0, 7: 1, 2: 2, 9: 3, 4: 4, 11: 5, 6: 6, 1: -5, 8: -4, 3: -3, 10: -2, 5: -1}


@dataclass(frozen=True, slots=True)
class Key:
    """A major or minor key."""

    tonic: int  # pitch class
    mode: str  # "major" or "minor"

    @classmethod
    def parse(cls, text: str) -> "Key":
        """Read "D major", "F# minor", "Bb", "Am", "c minor"; ValueError otherwise."""
        match = re.fullmatch(r"\s*([A-Ga-g])([#b♯♭]?)\s*(major|maj|minor|min|m|M)?\s*", text)
        if match is None:
            raise ValueError(f'key must look like "D major", "F# minor" or "Bbm", got {text!r}')
        letter, accidental, mode = match.groups()
        tonic = (_LETTERS[letter.upper()] + {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1}[accidental]) % 12
        return cls(tonic, "minor" if mode in ("minor", "min", "m") else "major")

    @property
    def fifths(self) -> int:
        """Sharps (> 0) or flats (< 0) on the key signature."""
        return _MAJOR_FIFTHS[self.tonic if self.mode == "major" else (self.tonic + 3) % 12]

    @property
    def scale(self) -> tuple[int, ...]:
        """The seven pitch classes from the tonic up (natural minor)."""
        steps = MAJOR if self.mode == "major" else MINOR
        return tuple((self.tonic + step) % 12 for step in steps)

    def __str__(self) -> str:
        """Write "D major"."""
        return f"{spell(self.tonic, self.fifths)} {self.mode}"


def spell(pitch_class: int, fifths: int) -> str:
    """Name of a pitch class as a key signature spells it: in B flat, 3 is "Eb"; in E, it is "D#".

    Notes outside the key take the nearest place on the line of fifths, as usual in printed music.
    """
    # On the line of fifths from C: 3 below the major tonic to 8 above it, so that A minor has G sharp, C major E flat.
    lowest = fifths - 3
    position = next(p for p in range(lowest, lowest + 12) if (p * 7) % 12 == pitch_class)
    letter = "FCGDAEB"[(position + 1) % 7]
    accidentals = (position + 1) // 7
    return letter + ("#" * accidentals if accidentals >= 0 else "b" * -accidentals)


# Quality suffix as written in chord symbols -> intervals above the root.
QUALITIES: dict[str, tuple[int, ...]] = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "dim": (0, 3, 6),
    "aug": (0, 4, 8),
    "7": (0, 4, 7, 10),
    "m7": (0, 3, 7, 10),
    "maj7": (0, 4, 7, 11),
    "m7b5": (0, 3, 6, 10),
    "dim7": (0, 3, 6, 9),
    "6": (0, 4, 7, 9),
    "m6": (0, 3, 7, 9),
    "sus4": (0, 5, 7),
    "sus2": (0, 2, 7),
    "7sus4": (0, 5, 7, 10),
    "add9": (0, 2, 4, 7),
    "9": (0, 2, 4, 7, 10),
    "m9": (0, 2, 3, 7, 10),
    "maj9": (0, 2, 4, 7, 11),
    "5": (0, 7),
}


@dataclass(frozen=True, slots=True)
class Chord:
    """A chord symbol."""

    root: int  # pitch class
    quality: str = ""  # a key of QUALITIES
    bass: int | None = None  # pitch class of the bass where it is not the root ("C/E")

    @classmethod
    def parse(cls, text: str) -> "Chord":
        """Read "Am7", "F#", "Bb/D"; ValueError otherwise."""
        match = re.fullmatch(r"([A-G])([#b♯♭]?)([^/]*)(?:/([A-G])([#b♯♭]?))?", text.strip())
        if match is None:
            raise ValueError(f"chord must look like C, Am7, F#m or G/B, got {text!r}")
        letter, accidental, quality, bass_letter, bass_accidental = match.groups()
        quality = {"M": "", "maj": "", "min": "m", "-": "m", "M7": "maj7", "min7": "m7", "°": "dim", "+": "aug"}.get(
            quality, quality
        )
        if quality not in QUALITIES:
            raise ValueError(f"chord {text!r} has an unknown quality {quality!r}; known: {', '.join(QUALITIES)}")
        shift = {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1}
        bass = None if bass_letter is None else (_LETTERS[bass_letter] + shift[bass_accidental]) % 12
        return cls((_LETTERS[letter] + shift[accidental]) % 12, quality, bass)

    @property
    def pitch_classes(self) -> frozenset[int]:
        """The pitch classes of the chord (the bass included)."""
        tones = {(self.root + interval) % 12 for interval in QUALITIES[self.quality]}
        return frozenset(tones if self.bass is None else tones | {self.bass})

    def symbol(self, fifths: int) -> str:
        """Write the symbol as the key signature spells it."""
        bass = "" if self.bass is None else "/" + spell(self.bass, fifths)
        return spell(self.root, fifths) + self.quality + bass


@dataclass(frozen=True, slots=True)
class ChordSpan:
    """A chord and how long it sounds."""

    onset: int  # ticks from the start of the song
    duration: int  # ticks
    chord: Chord
