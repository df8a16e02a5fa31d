"""What the align stage hands on: every syllable of a song at its place in time."""

from dataclasses import dataclass

from align.meter import Meter


@dataclass(frozen=True, slots=True)
class RhythmNote:
    """One note to be sung, without pitch."""

    onset: int  # ticks from the start of the song
    duration: int  # ticks, > 0
    syllable: int  # index into the line's syllables
    held: bool = False  # True: continues the syllable of the note before (melisma)


@dataclass(frozen=True, slots=True)
class LineRhythm:
    """The rhythm of one line. Its notes lie inside its own stretch of time, which no other line enters."""

    section: int  # index of the section in the lyrics
    line: int  # index of the line in its section
    start: int  # ticks: where the line's stretch begins (its pick-up, if there is one, included)
    end: int  # ticks: where the next line's stretch may begin
    notes: tuple[RhythmNote, ...]
    follows: int | None = None  # index (in Rhythm.lines) of the earlier line whose rhythm this one keeps or adapts


@dataclass(frozen=True, slots=True)
class SectionSpan:
    """A section's place in time; `start` is its first bar line, so a pick-up lies before it."""

    section: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The rhythm of a song. Bars begin at `pickup`, `pickup + bar`, ... ticks; the bar before `pickup` is short."""

    meter: Meter
    pickup: int  # ticks of the short first bar, 0 if the song starts on a downbeat
    lines: tuple[LineRhythm, ...]
    sections: tuple[SectionSpan, ...]
    end: int  # ticks: the last bar line

    def place(self, tick: int) -> int:
        """Position of a tick in its bar, in ticks."""
        return (tick - self.pickup) % self.meter.bar_ticks

    def strength(self, tick: int) -> int:
        """Metrical strength of a tick, as in `Meter.strength`."""
        return self.meter.strength(self.place(tick))
