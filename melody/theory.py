"""Keys and chords as plain values, and how they are spelled.

Pitch classes are 0..11 from C; pitches are MIDI numbers, 60 = C4. Names are found on the line of fifths
(... Bb -2, F -1, C 0, G 1, D 2 ...; Temperley, The Cognition of Basic Musical Structures, 2001, chapter 5).
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
        match = re.fullmatch(r"\s*([A-Ga-g])([#b♯♭]?)\s*((?i:major|maj|minor|min)|m|M)?\s*", text)
        if match is None:
            raise ValueError(f'key must look like "D major", "F# minor" or "Bbm", got {text!r}')
        letter, accidental, mode = match.groups()
        tonic = (_LETTERS[letter.upper()] + {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1}[accidental]) % 12
        return cls(tonic, "minor" if mode == "m" or (mode or "").lower() in ("minor", "min") else "major")

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
    return _name(_position(pitch_class, fifths - 3))


def neighbour(name: str, semitone: int) -> str:
    """Name the note a semitone above (1) or below (-1) a named one, on the next line or space of the staff.

    Where that would take a double accidental, it is named plainly, as in C.
    """
    position = "FCGDAEB".index(name[0]) - 1 + 7 * (name.count("#") - name.count("b")) - 5 * semitone
    if -8 < position < 13:  # from C flat to B sharp
        return _name(position)
    return spell((7 * position) % 12, 0)


def _position(pitch_class: int, lowest: int) -> int:
    """Place of a pitch class on the line of fifths, among the twelve from `lowest` up."""
    return lowest + (pitch_class * 7 - lowest) % 12


def _name(position: int) -> str:
    """Name of a place on the line of fifths: 0 is C, 6 is F#, -2 is Bb."""
    accidentals, letter = divmod(position + 1, 7)
    return "FCGDAEB"[letter] + ("#" * accidentals if accidentals >= 0 else "b" * -accidentals)


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
    "aug7": (0, 4, 8, 10),
    "mMaj7": (0, 3, 7, 11),
    "69": (0, 2, 4, 7, 9),
    "madd9": (0, 2, 3, 7),
    "7b5": (0, 4, 6, 10),
    "7b9": (0, 1, 4, 7, 10),
    "7#9": (0, 3, 4, 7, 10),
    "11": (0, 2, 5, 7, 10),  # the third is left out where the eleventh sounds
    "m11": (0, 2, 3, 5, 7, 10),
    "13": (0, 2, 4, 7, 9, 10),
}

# Other ways to write the same quality, after the clean-up in `_quality`.
_ALIASES = {
    "M": "", "maj": "", "major": "", "min": "m", "mi": "m", "minor": "m", "-": "m",
    "°": "dim", "o": "dim", "mb5": "dim", "+": "aug", "#5": "aug", "augmented": "aug", "diminished": "dim",
    "dom7": "7", "dominant": "7", "-7": "m7", "min7": "m7", "mi7": "m7",
    "M7": "maj7", "Maj7": "maj7", "ma7": "maj7", "j7": "maj7", "Δ": "maj7", "Δ7": "maj7",
    "ø": "m7b5", "ø7": "m7b5", "-7b5": "m7b5", "min7b5": "m7b5", "half-diminished": "m7b5",
    "°7": "dim7", "o7": "dim7", "M6": "6", "maj6": "6", "-6": "m6", "min6": "m6",
    "sus": "sus4", "4": "sus4", "2": "sus2", "7sus": "7sus4", "sus7": "7sus4", "sus47": "7sus4", "9sus4": "7sus4",
    "9sus": "7sus4", "add2": "add9", "(add9)": "add9", "madd2": "madd9", "-9": "m9", "min9": "m9", "M9": "maj9",
    "Maj9": "maj9", "Δ9": "maj9", "no3": "5", "+7": "aug7", "7#5": "aug7", "7+": "aug7", "7+5": "aug7",
    "augmented-ninth": "aug7", "9#5": "aug7", "mM7": "mMaj7", "mmaj7": "mMaj7", "-M7": "mMaj7", "-Δ": "mMaj7",
    "minmaj7": "mMaj7", "mΔ": "mMaj7", "minor-major": "mMaj7", "maj69": "69", "7-5": "7b5", "7-9": "7b9",
    "7+9": "7#9", "-11": "m11", "min11": "m11", "minor-11th": "m11", "m13": "m11", "minor-13th": "m11",
    "maj13": "maj9", "M13": "maj9", "13sus4": "7sus4", "alt": "7#9", "7alt": "7#9",
}  # fmt: skip
_SHIFTS = {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1}
# Interval above the root -> steps on the line of fifths: a major third is four fifths up.
_FIFTHS_OF_INTERVAL = (0, -5, 2, -3, 4, -1, 6, 1, -4, 3, -2, 5)


def _quality(text: str) -> str | None:
    """Return the key of QUALITIES that a written quality means, None if it means none."""
    text = text.replace("♯", "#").replace("♭", "b").replace("º", "°").replace("^", "Δ").replace("△", "Δ")
    text = text.replace("(", "").replace(")", "").replace(" ", "").replace("6/9", "69")
    if text not in QUALITIES:
        text = _ALIASES.get(text, text)
    return text if text in QUALITIES else None


@dataclass(frozen=True, slots=True)
class Chord:
    """A chord symbol."""

    root: int  # pitch class
    quality: str = ""  # a key of QUALITIES
    bass: int | None = None  # pitch class of the bass where it is not the root ("C/E")

    @classmethod
    def parse(cls, text: str) -> "Chord":
        """Read "Am7", "F#", "Bb/D", "CΔ", "Bø", "G7sus"; ValueError otherwise.

        Unusual extensions come to the nearest known quality: "Cm13" is read as "Cm11".
        """
        match = re.fullmatch(r"([A-G])([#b♯♭]?)(6/9|.*?)(?:/([A-G])([#b♯♭]?))?", text.strip())
        if match is None:
            raise ValueError(f"chord must look like C, Am7, F#m or G/B, got {text!r}")
        letter, accidental, written, bass_letter, bass_accidental = match.groups()
        quality = _quality(written)
        if quality is None:
            raise ValueError(f"chord {text!r} has an unknown quality {written!r}; known: {', '.join(QUALITIES)}")
        root = (_LETTERS[letter] + _SHIFTS[accidental]) % 12
        bass = None if bass_letter is None else (_LETTERS[bass_letter] + _SHIFTS[bass_accidental]) % 12
        return cls(root, quality, None if bass == root else bass)

    @property
    def pitch_classes(self) -> frozenset[int]:
        """The pitch classes of the chord (the bass included)."""
        tones = {(self.root + interval) % 12 for interval in QUALITIES[self.quality]}
        return frozenset(tones if self.bass is None else tones | {self.bass})

    def root_name(self, fifths: int) -> str:
        """Name of the root as chord symbols in this key signature spell it.

        Major and dominant chords outside the key lean to flats (in C: Ab, Db), minor and diminished ones, which
        mostly lead upwards, to sharps (C#dim7, F#m7b5). Double accidentals are avoided.
        """
        return _name(self._root_position(fifths))

    def bass_name(self, fifths: int) -> str:
        """Name of the bass: of the root, or of the note after the stroke, spelled as a note of the chord."""
        if self.bass is None:
            return self.root_name(fifths)
        name = self.spell(self.bass, fifths)
        return name if len(name) < 3 else spell(self.bass, 0)  # D#7/G in G sharp minor, not D#7/F##

    def spell(self, pitch_class: int, fifths: int) -> str:
        """Name of a note heard over this chord: chord tones as the chord spells them, others as the key does."""
        interval = (pitch_class - self.root) % 12
        if interval not in QUALITIES[self.quality]:
            return spell(pitch_class, fifths)
        steps = _FIFTHS_OF_INTERVAL[interval]
        if interval == 8 and "aug" in self.quality:
            steps = 8
        elif interval == 6:
            steps = -6  # a diminished fifth: the only tritone among the qualities
        elif interval == 3 and "7#9" in self.quality:
            steps = 9
        return _name(self._root_position(fifths) + steps)

    def symbol(self, fifths: int) -> str:
        """Write the symbol as the key signature spells it."""
        bass = "" if self.bass is None else "/" + self.bass_name(fifths)
        return self.root_name(fifths) + self.quality + bass

    def _root_position(self, fifths: int) -> int:
        leads_up = 3 in QUALITIES[self.quality] and 4 not in QUALITIES[self.quality]
        position = _position(self.root, fifths - (3 if leads_up else 5))
        # Cb is -7, E# 11 and B# 12 on the line of fifths; nobody wants to read chords on Fb, or major ones on B#.
        return position - 12 if position > 11 + leads_up else position + 12 if position < -7 else position


@dataclass(frozen=True, slots=True)
class ChordSpan:
    """A chord and how long it sounds."""

    onset: int  # ticks from the start of the song
    duration: int  # ticks
    chord: Chord
