"""How a tune goes on without words: the form of the new phrases, and their rhythms made of the tune's own cells.

A continuation answers what was given. After a tune that has closed on its tonic come new phrases and then its opening
again, with a close (the third and fourth part of AABA, the commonest form of folk tunes); after one that stayed open
comes first its opening, now led to a close (a period: Caplin, Classical Form, 1998). Every phrase takes a window of the
tune as its model: its rhythm, with bars exchanged for others of the tune, and, as `Echo` says, part of its pitches,
kept or moved along the scale. The rest is sung by the network, which has read the tune (melody/decode.py).
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from align.meter import GRID, Meter
from melody.listening import TuneNote
from melody.theory import Key
from melody.tune_phrases import Phrase

_EXCHANGED = 0.3  # how often an inner bar of a new phrase takes the rhythm of another bar of the tune
LEAST_BARS = 2  # of a phrase

Cell = tuple[tuple[int, int], ...]  # (onset from the phrase's first bar line, duration) in ticks


class Part(StrEnum):
    """What a new phrase does."""

    CONTRAST = "contrast"  # something new, of known cells
    SEQUENCE = "sequence"  # the phrase before, a step higher or lower
    ANSWER = "answer"  # the phrase before, with another end
    RETURN = "return"  # the tune's opening
    HALF = "half"  # a stop before the next opening
    CLOSE = "close"  # the end, on the tonic


@dataclass(frozen=True, slots=True)
class NewPhrase:
    """A phrase to be sung."""

    part: Part
    bars: int
    rhythm: Cell
    model: int | None  # phrase of the tune that its rhythm comes from, None if from several
    before: bool  # its pitches take up the new phrase before it instead of the tune
    start: float  # share of its notes, from and to, that take up pitches
    end: float
    moved: bool  # those pitches are moved along the scale
    open: bool  # another phrase answers it: it does not end on the tonic


def is_closed(notes: Sequence[TuneNote], key: Key) -> bool:
    """Whether a tune ends on its tonic."""
    return notes[-1].pitch % 12 == key.tonic


def plan_parts(count: int, closed: bool, rng: np.random.Generator) -> list[Part]:
    """Choose what each of `count` phrases does; the last one closes."""
    if count > 4:
        parts: list[Part] = []
        left = count
        while left > 4:
            block = plan_parts(4 if left - 4 >= 2 or left == 5 else 3, closed, rng)
            parts += [*block[:-1], Part.HALF]
            left -= len(block)
            closed = False
        return parts + plan_parts(left, False, rng)
    forms: dict[tuple[int, bool], list[tuple[Part, ...]]] = {
        (1, True): [(Part.CLOSE,)],
        (1, False): [(Part.CLOSE,)],
        (2, True): [(Part.CONTRAST, Part.CLOSE)],
        (2, False): [(Part.RETURN, Part.CLOSE)],
        (3, True): [(Part.CONTRAST, Part.SEQUENCE, Part.CLOSE), (Part.CONTRAST, Part.RETURN, Part.CLOSE)],
        (3, False): [(Part.CONTRAST, Part.RETURN, Part.CLOSE), (Part.RETURN, Part.CONTRAST, Part.CLOSE)],
        (4, True): [
            (Part.CONTRAST, Part.SEQUENCE, Part.RETURN, Part.CLOSE),
            (Part.CONTRAST, Part.ANSWER, Part.RETURN, Part.CLOSE),
            (Part.CONTRAST, Part.CONTRAST, Part.RETURN, Part.CLOSE),
        ],
        (4, False): [
            (Part.RETURN, Part.CONTRAST, Part.SEQUENCE, Part.CLOSE),
            (Part.CONTRAST, Part.SEQUENCE, Part.RETURN, Part.CLOSE),
            (Part.CONTRAST, Part.ANSWER, Part.RETURN, Part.CLOSE),
        ],
    }
    options = forms[count, closed]
    return list(options[int(rng.integers(len(options)))])


def phrase_lengths(phrases: Sequence[Phrase], num_bars: int) -> list[int]:
    """Divide the bars asked for into phrases as long as the tune's."""
    counts = Counter(phrase.bars for phrase in phrases[:-1] or phrases)
    usual = max(counts, key=lambda bars: (counts[bars], -abs(bars - 4)))
    usual = min(max(usual, LEAST_BARS), 8)
    if usual * 2 > num_bars > LEAST_BARS and num_bars % 2 == 0:
        usual = num_bars // 2  # one long phrase is no continuation: two halves
    lengths = [usual] * (num_bars // usual)
    rest = num_bars - usual * len(lengths)
    if rest >= LEAST_BARS or not lengths:
        lengths.append(rest)
    elif rest:
        lengths[-1] += rest
    return lengths


def plan_phrases(
    notes: Sequence[TuneNote],
    phrases: Sequence[Phrase],
    meter: Meter,
    key: Key,
    num_bars: int,
    room: int,
    rng: np.random.Generator,
) -> list[NewPhrase]:
    """Plan phrases that fill `num_bars`; `room` is how many ticks before its bar line the first one may begin."""
    cells = _Cells(notes, phrases, meter, rng)
    lengths = phrase_lengths(phrases, num_bars)
    parts = plan_parts(len(lengths), is_closed(notes, key), rng)
    planned: list[NewPhrase] = []
    for index, (part, bars) in enumerate(zip(parts, lengths, strict=True)):
        twin = planned[-1] if planned and planned[-1].bars == bars else None
        model = cells.choose(part, bars)
        before, start, end, moved = False, 0.0, 1.0, False
        if part in (Part.SEQUENCE, Part.ANSWER) and twin is not None:
            rhythm, before, moved = twin.rhythm, True, part is Part.SEQUENCE
            end = (0.75, 1.0)[int(rng.integers(2))] if moved else (0.4, 0.6)[int(rng.integers(2))]
        else:
            rhythm = cells.window(model, bars)
            if part is not Part.RETURN:
                rhythm = cells.exchange(rhythm, bars)
            if part in (Part.CONTRAST, Part.SEQUENCE, Part.ANSWER):
                # Half of the contrasts are a motif of the tune on another degree, the others are free.
                end, moved = (0.0, 0.5)[int(rng.integers(2))], True
            elif part is Part.RETURN:
                end = (0.6, 0.75, 1.0)[int(rng.integers(3))]
            elif part is Part.HALF:
                end = 0.5
            else:
                start, end = ((0.0, 0.5), (0.45, 1.0))[int(rng.integers(2))]
        if part in (Part.CLOSE, Part.HALF):
            rhythm = cells.closed(rhythm, bars)
        # In a pair the first phrase asks and the second one answers.
        asks = index < len(parts) - 1 and part is not Part.HALF and (len(parts) - index) % 2 == 0
        planned.append(NewPhrase(part, bars, rhythm, model, before, start, end, moved, asks or part is Part.HALF))
    fitted: list[NewPhrase] = []
    for index, phrase in enumerate(planned):
        early = min(cells.upbeat, room) if index == 0 else cells.upbeat
        following = planned[index + 1].rhythm if index + 1 < len(planned) else ()
        after = min(cells.upbeat, max(0, -following[0][0])) if following else 0
        fitted.append(replace(phrase, rhythm=cells.fitted(phrase.rhythm, phrase.bars, early, after)))
    return fitted


class _Cells:
    """The rhythms of a tune, by phrase and by bar."""

    def __init__(
        self, notes: Sequence[TuneNote], phrases: Sequence[Phrase], meter: Meter, rng: np.random.Generator
    ) -> None:
        self.notes = notes
        self.phrases = phrases
        self.bar = meter.bar_ticks
        self.meter = meter
        self.rng = rng
        early = [max(0, phrase.bar_line - notes[phrase.first].onset) for phrase in phrases]
        self.upbeat = max(early)
        self.onsets = [note.onset for note in notes]
        self.cells: dict[Cell, int] = {}  # full bars that begin with an onset, and how often they occur
        last_bar = phrases[-1].bar_line + (phrases[-1].bars - 1) * self.bar
        for line in range(phrases[0].bar_line, last_bar, self.bar):
            cell = self._cut(line, line + self.bar)
            if cell and cell[0][0] == 0:
                self.cells[cell] = self.cells.get(cell, 0) + 1

    def _cut(self, start: int, end: int) -> Cell:
        first, after = bisect_left(self.onsets, start), bisect_left(self.onsets, end)
        return tuple((note.onset - start, note.duration) for note in self.notes[first:after])

    def choose(self, part: Part, bars: int) -> int:
        """Choose the phrase of the tune that a new one is modelled on."""
        count = len(self.phrases)
        if part is Part.RETURN:
            return 0
        if part is Part.CLOSE:
            options = [count - 1, count - 1, *([1] if count > 2 else [])]
        elif part is Part.HALF:
            options = list(range(count))
        else:
            options = list(range(1, count)) or [0]
        # A phrase of the length wanted is worth more than one that must be cut or lengthened.
        fitting = [index for index in options if self.phrases[index].bars == bars] or options
        return fitting[int(self.rng.integers(len(fitting)))]

    def window(self, model: int, bars: int) -> Cell:
        """Return the rhythm of so many bars of the tune from a phrase on; at its end the tune begins again."""
        phrase = self.phrases[model]
        length = bars * self.bar
        early = max(0, phrase.bar_line - self.notes[phrase.first].onset)
        rhythm = [(onset - early, d) for onset, d in self._cut(phrase.bar_line - early, phrase.bar_line + length)]
        if phrase.bars < bars or phrase.after == len(self.notes):
            end = phrase.bars * self.bar
            rhythm = [(onset, duration) for onset, duration in rhythm if onset < end]
            start = self.phrases[0].bar_line
            while end < length:
                more = self._cut(start, start + length - end)
                rhythm += [(onset + end, duration) for onset, duration in more]
                end += max(self.bar, self.phrases[-1].bar_line + self.phrases[-1].bars * self.bar - start)
        return tuple(rhythm)

    def exchange(self, rhythm: Cell, bars: int) -> Cell:
        """Give some inner bars the rhythm of other bars of the tune."""
        if not self.cells:
            return rhythm
        for number in range(1, bars - 1):
            line = number * self.bar
            here = [item for item in rhythm if line <= item[0] < line + self.bar]
            if self.rng.random() < _EXCHANGED and here and here[0][0] == line:
                odds = np.cumsum(list(self.cells.values()))
                cell = list(self.cells)[int(np.searchsorted(odds, self.rng.random() * odds[-1], side="right"))]
                inside = [(onset + line, duration) for onset, duration in cell]
                rhythm = tuple(sorted([item for item in rhythm if item not in here] + inside))
        return rhythm

    def closed(self, rhythm: Cell, bars: int) -> Cell:
        """End on a long note: as the tune's own last bar does, or else on the strongest place of the last bar."""
        line = (bars - 1) * self.bar
        tail = [item for item in rhythm if item[0] >= line]
        if tail and tail[-1][1] >= 1.5 * self.meter.pulse_ticks and len(tail) <= 4:
            return rhythm
        strong = [item for item in tail if self.meter.strength(item[0]) >= 4]
        stop = strong[0][0] if strong else tail[0][0] if tail else line
        kept = [item for item in rhythm if item[0] < stop]
        return (*kept, (stop, bars * self.bar - stop))

    def fitted(self, rhythm: Cell, bars: int, early: int, after: int) -> Cell:
        """Cut overlaps, drop what begins over `early` ticks before the bar line, leave `after` for what follows."""
        end = bars * self.bar - after
        inside = [item for item in rhythm if -early <= item[0] < end]
        if not inside or (len(inside) < 2 and bars > 1):
            pulse = self.meter.pulse_ticks
            inside = [(tick, pulse) for tick in range(0, end - pulse + 1, pulse)] or [(0, end)]
        fitted = []
        for index, (onset, duration) in enumerate(inside):
            stop = inside[index + 1][0] if index + 1 < len(inside) else end
            fitted.append((onset, max(min(duration, stop - onset), min(GRID // 2, stop - onset))))
        return tuple(fitted)
