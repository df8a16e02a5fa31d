"""Time signatures, their grid and the strength of each place in the bar.

Time is counted in ticks, 480 to the quarter note. Metrical strength follows Lerdahl and Jackendoff (1983): the level
of a place is the number of pulse layers that fall on it.
"""

from dataclasses import dataclass
from functools import cache

TICKS_PER_BEAT = 480  # a beat is a quarter note; 480 = 2**5 * 3 * 5, so triplets are exact
GRID = 120  # the aligner's grid: a sixteenth note


@dataclass(frozen=True, slots=True)
class Meter:
    """A time signature: 4/4, 3/4, 2/4, 6/8 or 12/8."""

    numerator: int
    denominator: int

    def __post_init__(self) -> None:
        """Raise ValueError for time signatures that the aligner does not know."""
        if (self.numerator, self.denominator) not in _LAYERS:
            known = ", ".join(f"{n}/{d}" for n, d in _LAYERS)
            raise ValueError(f"meter must be one of {known}, got {self.numerator}/{self.denominator}")

    @classmethod
    def parse(cls, text: str) -> "Meter":
        """Read "3/4"; ValueError if it is not a known time signature."""
        numerator, slash, denominator = text.strip().partition("/")
        if not (slash and numerator.isdecimal() and denominator.isdecimal()):
            raise ValueError(f"meter must look like 3/4, got {text!r}")
        return cls(int(numerator), int(denominator))

    def __str__(self) -> str:
        """Write "3/4"."""
        return f"{self.numerator}/{self.denominator}"

    @property
    def bar_ticks(self) -> int:
        """Length of a bar in ticks."""
        return self.numerator * TICKS_PER_BEAT * 4 // self.denominator

    @property
    def pulse_ticks(self) -> int:
        """Length of the felt beat: a quarter in simple metres, a dotted quarter in compound ones."""
        return 3 * TICKS_PER_BEAT // 2 if self.denominator == 8 else TICKS_PER_BEAT

    def strength(self, tick: int) -> int:
        """Metrical strength of a place, from 0 (off the grid of sixteenths) to 5 (downbeat of 4/4 or 12/8).

        >>> [Meter(4, 4).strength(beat * 480) for beat in range(4)]
        [5, 3, 4, 3]
        >>> [Meter(3, 4).strength(beat * 480) for beat in range(3)]
        [5, 3, 3]
        """
        return _strengths(self.numerator, self.denominator).get(tick % self.bar_ticks, 0)


# For each metre, pulse lengths in ticks with the strength of the places where they fall, strongest first.
# A downbeat is 5 everywhere and a felt beat at least 3, so that strengths compare across metres.
_LAYERS: dict[tuple[int, int], tuple[tuple[int, int], ...]] = {
    (4, 4): ((1920, 5), (960, 4), (480, 3), (240, 2), (120, 1)),
    (3, 4): ((1440, 5), (480, 3), (240, 2), (120, 1)),
    (2, 4): ((960, 5), (480, 3), (240, 2), (120, 1)),
    (6, 8): ((1440, 5), (720, 4), (240, 2), (120, 1)),
    (12, 8): ((2880, 5), (1440, 4), (720, 3), (240, 2), (120, 1)),
}


@cache
def _strengths(numerator: int, denominator: int) -> dict[int, int]:
    bar = numerator * TICKS_PER_BEAT * 4 // denominator
    strengths: dict[int, int] = {}
    for pulse, strength in _LAYERS[numerator, denominator]:
        for tick in range(0, bar, pulse):
            strengths.setdefault(tick, strength)
    return strengths
