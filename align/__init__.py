"""Time: metres, the grid, and syllables set to a rhythm."""

from align.meter import GRID, TICKS_PER_BEAT, Meter
from align.rhythm import LineRhythm, Rhythm, RhythmNote, SectionSpan

__all__ = ["GRID", "TICKS_PER_BEAT", "LineRhythm", "Meter", "Rhythm", "RhythmNote", "SectionSpan"]
