"""A chord plan for a new song whose rhythm is known.

Every bar has one chord (a cadence may halve the bar before it). Bars are sampled from a Markov chain counted in lead
sheets and in inferred chords of hymns and folk songs, under hard masks at line and section ends: forward filtering of
what can still follow, then drawing bar by bar, is an exact sample of the constrained chain (Pachet, Roy and Barbieri,
"Finite-length Markov processes with constraints", 2011).

Lines at the same place of sections with the same role share a *slot*, so that they share their chords; a slot obeys
what all of its lines ask for.
"""

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from align.rhythm import LineRhythm, Rhythm
from lyrics.document import Lyrics, Role
from melody.chord_model import CLASSES, MODES, Floats, chord_of, read_arrays
from melody.theory import MAJOR, MINOR, QUALITIES, Chord, ChordSpan, Key

TABLES = ("popular", "hymn", "folk")  # lead sheets; hymns and carols; folk songs and spirituals
TABLE_OF_STYLE = {"popular": 0, "hymn": 1, "carol": 1, "folk": 2, "spiritual": 2}
METERS = ("4/4", "3/4", "2/4", "6/8", "12/8")
PLACES = ("section start", "line start", "before the cadence", "cadence")


@dataclass(frozen=True, slots=True, eq=False)
class PlanModel:
    """What follows what from bar to bar. T tables, M modes, S states."""

    change: Floats  # (T, M, S, S): log probability of the chord of the next bar, given that it changes
    stay: Floats  # (T, 5): probability that it stays, by metre
    share: Floats  # (T, M, S): log share of bars
    place: Floats  # (T, M, 4, S): log ratio of a state at a place of the phrase to the state anywhere


@cache
def load_plan_model() -> PlanModel:
    """Read the model that plans chords; ModelFileError if its file is missing or changed."""
    return PlanModel(**read_arrays("plan.safetensors"))


# What a plan leans to beyond the counts: plain diatonic triads. The lead sheets are of 1890-1930 and full of sevenths
# and chains of dominants, and the chords of hymns are guesses from their melodies. States without a name are not used.
# (semitones above the tonic, class) -> factor by table.
_MAJOR_USE: dict[tuple[int, str], tuple[float, float, float]] = {
    (0, ""): (0.8, 0.8, 1.0),
    (2, "m"): (1.7, 1.6, 1.2),
    (4, "m"): (1.5, 0.7, 0.4),
    (5, ""): (2.2, 2.6, 2.2),
    (7, ""): (2.2, 3.5, 3.5),
    (7, "7"): (0.2, 0.3, 0.25),
    (9, "m"): (2.5, 3.0, 2.5),
    (2, "7"): (0.5, 0.5, 0.4),
    (9, "7"): (0.8, 0.3, 0.1),
    (4, "7"): (1.0, 0.05, 0.0),
    (0, "7"): (0.8, 0.3, 0.4),
    (5, "m"): (0.3, 0.0, 0.0),
    (10, ""): (1.0, 0.0, 0.3),
}
_MINOR_USE: dict[tuple[int, str], tuple[float, float, float]] = {
    (0, "m"): (0.9, 0.9, 0.9),
    (5, "m"): (1.2, 1.0, 1.2),
    (7, ""): (1.5, 5.0, 2.0),
    (7, "7"): (0.5, 0.5, 0.5),
    (8, ""): (1.2, 1.0, 1.0),
    (10, ""): (1.2, 1.0, 1.2),
    (3, ""): (1.2, 1.0, 1.0),
    (10, "7"): (0.2, 0.0, 0.0),
    (0, "7"): (0.1, 0.0, 0.0),
    (2, "dim"): (0.3, 0.5, 0.0),
}
# Songs differ in how readily their chords leave the key: factors on those chords, and by table the shares of songs.
COLOURS = (0.0, 1.5, 5.0)
COLOUR_SHARES = ((0.2, 0.4, 0.4), (0.5, 0.3, 0.2), (0.6, 0.25, 0.15))
_TONIC, _DOMINANT, _SUBDOMINANT = 0, 7, 5  # roots
_OPEN = {"major": (5, 9, 2), "minor": (5, 8, 3)}  # roots of other line ends: IV, vi, ii; iv, VI, III
# Shares of second lines, and of fourth lines that do not end their section, that must end on the dominant and on the
# tonic; the others are free.
HALF_CADENCES = ((0.3, 0.5), (0.15, 0.7))
OPEN_SHARE = 0.25  # of inner line ends that are neither I nor V
LEADS_ON = 0.5  # of verses before a chorus end on the dominant
SHARE_LINES = (0.8, 0.65, 0.7)  # by table: how often the second half of a stanza starts with the chords of the first
HALVE = (0.3, 0.5, 0.25)  # by table: how often the bar before a cadence is halved, where that is possible
_PREPARATIONS = (2, 5)  # roots that lead to the dominant: ii and IV
CONTRAST = 0.65  # how often the chorus starts off the chord that the verse starts on; else it goes on differently
EARLY_DOMINANT = 0.2  # weight of V in the bar before a half cadence, which it would take the point of
STAY = 0.75  # of the counted probability to keep a chord: lines are sung to fewer bars here than words fill there
SEVENTHS = 0.3  # share of popular songs in which some triads are sevenths
_FLOOR = 1e-9  # makes every sequence possible, so that fixed neighbours never leave a bar without a chord


_FINAL, _SECTION_END, _HALF, _INNER = 3, 2, 1, 0  # how firmly a cadence is asked for


def plan_chords(
    lyrics: Lyrics, rhythm: Rhythm, key: Key, style: str, seed: int, given: tuple[Chord, ...] = ()
) -> tuple[ChordSpan, ...]:
    """Plan the chords of a song.

    The spans tile the time from 0 to `rhythm.end`, none crosses a bar line, and equal neighbours stay apart. A pick-up
    bar has the chord of the first full bar. Chords that the user gave go round, one to a bar, anew in every section.
    """
    bars = range(rhythm.pickup, rhythm.end, rhythm.meter.bar_ticks)
    sections = _sections_of_bars(rhythm, bars)
    chords: list[tuple[Chord, ...]] = []
    if given:
        first = 0
        for number, section in enumerate(sections):
            first = number if number and section != sections[number - 1] else first
            chords.append((given[(number - first) % len(given)],))
    else:
        phrases = _phrases(lyrics, rhythm, bars, sections)
        chords = _Planner(phrases, key, style, str(rhythm.meter), seed).plan()
    spans = [ChordSpan(0, rhythm.pickup, chords[0][0])] if rhythm.pickup else []
    for start, here in zip(bars, chords, strict=True):
        length = min(rhythm.meter.bar_ticks, rhythm.end - start) // len(here)
        spans.extend(ChordSpan(start + index * length, length, chord) for index, chord in enumerate(here))
    return tuple(spans)


@dataclass(frozen=True, slots=True)
class _Phrase:
    """The bars of a line, or four bars without words."""

    section: int
    role: Role
    index: int  # in its section
    count: int  # phrases in its section
    next_role: Role | None  # of the section after
    final: bool  # the last phrase of the song, or its last line
    bars: range  # of the song; empty for a line within the bar of another one
    cadence: range  # the bars in which its last syllable sounds


def _sections_of_bars(rhythm: Rhythm, bars: range) -> list[int]:
    """Return the place in Rhythm.sections of the section that each bar belongs to."""
    result, here = [], 0
    for bar in bars:
        while here + 1 < len(rhythm.sections) and rhythm.sections[here + 1].start <= bar:
            here += 1
        result.append(here)
    return result


def _phrases(lyrics: Lyrics, rhythm: Rhythm, bars: range, sections: list[int]) -> list[_Phrase]:
    """Divide the bars among the lines; sections without lines are divided into phrases of four bars."""
    lines: dict[int, list[LineRhythm]] = {}
    for line in rhythm.lines:
        lines.setdefault(line.section, []).append(line)
    last_sung = rhythm.lines[-1].section if rhythm.lines else -1
    phrases: list[_Phrase] = []
    first = 0
    for place, num_bars in sorted(Counter(sections).items()):
        after = first + num_bars
        section = rhythm.sections[place].section
        following = rhythm.sections[place + 1].section if place + 1 < len(rhythm.sections) else None
        here = lines.get(section, [])
        if here:
            # A line owns the bars whose bar lines lie in its stretch of time; the first one, those before it too.
            cuts = [first]
            for line in here[1:]:
                cut = -(-(line.start - bars.start) // bars.step)
                cuts.append(min(max(cut, cuts[-1]), after))
            cadences = [_last_bars(line, bars, first, after) for line in here]
        else:
            cuts = list(range(first, after, 4))
            cadences = [range(end - 1, end) for end in [*cuts[1:], after]]
        for index, (span, cadence) in enumerate(zip(pairwise([*cuts, after]), cadences, strict=True)):
            last = index == len(cuts) - 1
            phrases.append(
                _Phrase(
                    section,
                    lyrics.sections[section].role,
                    index,
                    len(cuts),
                    None if following is None else lyrics.sections[following].role,
                    last and (following is None or section == last_sung),
                    range(*span),
                    cadence,
                )
            )
        first = after
    return phrases


def _last_bars(line: LineRhythm, bars: range, first: int, after: int) -> range:
    """Return the bars of the section, from `first` to before `after`, in which the line's last syllable sounds."""
    last = line.notes[-1]
    onset = next(note.onset for note in line.notes if note.syllable == last.syllable)
    low = min(max((onset - bars.start) // bars.step, first), after - 1)
    high = min((last.onset + last.duration - 1 - bars.start) // bars.step, after - 1)
    return range(low, max(low, high) + 1)


class _Tables(NamedTuple):
    """The model of one style, mode and metre, over the V states in use, as probabilities."""

    states: tuple[int, ...]
    roots: NDArray[np.int64]  # (V,)
    move: Floats  # (V, V): from bar to bar, staying included
    share: Floats  # (V,)
    place: Floats  # (4, V): factors at the PLACES
    secondary: NDArray[np.bool_]  # (V,): dominants of other chords than the tonic; their goal must follow


@cache
def _tables(table: int, mode: int, meter: str, colour: float) -> _Tables:
    model = load_plan_model()
    scale = (MAJOR, (*MINOR, 11))[mode]
    chosen: dict[int, float] = {}
    for (root, name), by in (_MAJOR_USE, _MINOR_USE)[mode].items():
        leaves_key = any((root + interval) % 12 not in scale for interval in QUALITIES[name])
        factor = by[table] * (colour if leaves_key else 1.0)
        if factor:
            chosen[root * len(CLASSES) + CLASSES.index(name)] = factor
    states = np.array(list(chosen))
    factors = np.array(list(chosen.values()))
    roots = states // len(CLASSES)
    change = np.exp(model.change[table, mode][np.ix_(states, states)]) * factors
    secondary = (states % len(CLASSES) == CLASSES.index("7")) & (roots != _DOMINANT)
    resolves = (roots[:, None] + 5) % 12 == roots[None, :]
    change = np.where(secondary[:, None] & ~resolves, 0, change) + _FLOOR
    change /= change.sum(axis=1, keepdims=True)
    stay = STAY * model.stay[table, METERS.index(meter)]
    share = np.exp(model.share[table, mode, states]) * factors
    return _Tables(
        states=tuple(chosen),
        roots=roots,
        move=(1 - stay) * change + stay * np.eye(len(states)),
        share=share / share.sum(),
        place=np.exp(model.place[table, mode][:, states]),
        secondary=secondary,
    )


@dataclass(slots=True, eq=False)
class _Slot:
    """The chords of a line, shared by all lines at the same place of sections with the same role."""

    roots: list[frozenset[int] | None]  # that a bar may have; None: any
    firmness: list[int]
    open: bool  # an inner line that may end on another chord than I and V
    leads_on: bool  # a verse that ends on the dominant, where a section with another role follows
    echoes: bool  # a line, and its partner, that begin like the lines two before
    half: float  # a draw for how a second or fourth line ends
    cadences: set[int] = field(default_factory=set)  # bars in which a last syllable begins
    held: set[int] = field(default_factory=set)  # bars into which it is held: they keep the chord before
    chords: list[int] = field(default_factory=list)  # once drawn: indices into _Tables.states
    halves: dict[int, int] = field(default_factory=dict)  # bar -> chord of its second half

    def ask(self, bar: int, roots: frozenset[int], firmness: int) -> None:
        """Narrow a bar's roots; where that would leave nothing, the firmer wish wins."""
        before = self.roots[bar]
        both = roots if before is None else before & roots
        if both:
            self.roots[bar] = both
        elif firmness > self.firmness[bar]:
            self.roots[bar] = roots
        self.firmness[bar] = max(self.firmness[bar], firmness)


class _Planner:
    """Draws the chords of one song, two lines at a time, in the order of singing."""

    def __init__(self, phrases: list[_Phrase], key: Key, style: str, meter: str, seed: int) -> None:
        self.phrases = phrases
        self.key = key
        self.table = TABLE_OF_STYLE[style]
        self.halvable = meter == "4/4"
        self.random = np.random.Generator(np.random.PCG64(seed))
        colour = COLOURS[bisect_right(list(accumulate(COLOUR_SHARES[self.table][:-1])), self.random.random())]
        self.tables = _tables(self.table, MODES.index(key.mode), meter, colour)
        self.slots: list[_Slot] = []  # of each phrase
        self.openings: dict[Role, _Slot] = {}  # the first line of the first section with a role

    def plan(self) -> list[tuple[Chord, ...]]:
        """Return the chord of every bar, two where a bar is halved."""
        self._make_slots()
        self._ask_cadences()
        phrases = self.phrases
        number = 0
        while number < len(phrases):
            pair = phrases[number].index % 2 == 0 and phrases[number].index + 1 < phrases[number].count
            after = number + 1 + pair
            if any(not self._drawn(other) for other in range(number, after)):
                self._fill(number, after)
            number = after
        colours = self._colours()
        chords: list[tuple[Chord, ...]] = []
        for phrase, slot in zip(phrases, self.slots, strict=True):
            for bar in range(len(phrase.bars)):
                halves = [slot.chords[bar], *([slot.halves[bar]] if bar in slot.halves else [])]
                chords.append(tuple(colours[half] for half in halves))
        return chords

    def _drawn(self, number: int) -> bool:
        return len(self.slots[number].chords) == len(self.phrases[number].bars)

    def _make_slots(self) -> None:
        slots: dict[tuple[Role, int, int], _Slot] = {}
        for phrase in self.phrases:
            place = phrase.role, phrase.index, len(phrase.bars)
            if place not in slots:
                length = len(phrase.bars)
                *draws, half = self.random.random(4).tolist()
                chances = OPEN_SHARE, LEADS_ON, SHARE_LINES[self.table]
                is_open, leads_on, echoes = (draw < chance for draw, chance in zip(draws, chances, strict=True))
                leads_on &= phrase.next_role not in (None, phrase.role)
                slots[place] = _Slot([None] * length, [_INNER] * length, is_open, leads_on, echoes, half)
            self.slots.append(slots[place])

    def _ask_cadences(self) -> None:
        """Tell the slots how their lines end; the last bars of a section stay with its cadence."""
        owner = {bar: number for number, phrase in enumerate(self.phrases) for bar in phrase.bars}
        for number, phrase in enumerate(self.phrases):
            first = phrase.cadence[0]
            home = owner[first]  # not the line's own phrase if the line ends within the bar of another one
            slot, base = self.slots[home], self.phrases[home].bars.start
            roots, firmness = self._cadence(phrase, self.slots[number])
            ends_section = phrase.index == phrase.count - 1
            for bar in range(first, self.phrases[home].bars.stop if ends_section else first + 1):
                slot.ask(bar - base, roots, firmness)
            slot.cadences.add(first - base)
            slot.held.update(bar - base for bar in phrase.cadence[1:] if owner[bar] == home)
            before = owner.get(first - 1)
            if roots == {_TONIC} and before is not None and self.phrases[before].section == phrase.section:
                approach = frozenset({_DOMINANT, _SUBDOMINANT})
                self.slots[before].ask(first - 1 - self.phrases[before].bars.start, approach, _HALF)

    def _cadence(self, phrase: _Phrase, slot: _Slot) -> tuple[frozenset[int], int]:
        """Return the roots on which a line may end, and how firmly."""
        either = frozenset({_TONIC, _DOMINANT})
        if phrase.final:
            return frozenset({_TONIC}), _FINAL
        if phrase.index == phrase.count - 1:
            if phrase.role in (Role.CHORUS, Role.HOOK, Role.OUTRO):
                return frozenset({_TONIC}), _SECTION_END
            if phrase.role in (Role.PRE_CHORUS, Role.BRIDGE):
                return frozenset({_DOMINANT}), _SECTION_END
            return frozenset({_DOMINANT if slot.leads_on else _TONIC}), _SECTION_END
        if phrase.count >= 4 and phrase.index % 2:
            open_half, closed_half = HALF_CADENCES[phrase.index % 4 == 3]
            if slot.half < open_half:
                return frozenset({_DOMINANT}), _HALF
            if slot.half > 1 - closed_half:
                return frozenset({_TONIC}), _HALF
        if slot.open and phrase.index % 2 == 0:
            return frozenset(_OPEN[self.key.mode]), _INNER
        return either, _INNER

    def _fill(self, start: int, after: int) -> None:
        """Draw the chords of the phrases from `start` to before `after`."""
        phrase = self.phrases[start]
        avoid = set() if start else {_DOMINANT}  # roots that the first bar should not have
        rival = None
        if phrase.index == 0 and not self._drawn(start):
            if phrase.role == Role.BRIDGE:
                avoid = {_TONIC, _DOMINANT}
            rivals = {Role.CHORUS: Role.VERSE, Role.HOOK: Role.VERSE, Role.VERSE: Role.CHORUS}
            rival = self.openings.get(rivals.get(phrase.role, phrase.role))
            if rival is not None and rival.chords and self.random.random() < CONTRAST:
                avoid = {int(self.tables.roots[rival.chords[0]]), _DOMINANT}
        drawn = self._draw(start, after, avoid)
        slot = self.slots[start]
        if rival is not None and rival.chords and slot.roots:
            common = min(len(rival.chords), len(slot.roots))
            if drawn[:common] == rival.chords[:common]:
                drawn = self._draw(start, after, {int(self.tables.roots[rival.chords[0]])})
        position = 0
        for number in range(start, after):
            length = len(self.phrases[number].bars)
            if not self._drawn(number):
                self.slots[number].chords = drawn[position : position + length]
                self._halve(self.slots[number])
            position += length
        if phrase.index == 0:
            self.openings.setdefault(phrase.role, slot)

    def _draw(self, start: int, after: int, avoid: set[int]) -> list[int]:
        """Sample the bars of some phrases, given the bar before and what is known of the bar after them."""
        tables = self.tables
        weights = [row for number in range(start, after) for row in self._weights(number)]
        keeps = [bar in self.slots[n].held for n in range(start, after) for bar in range(len(self.phrases[n].bars))]
        if not weights:
            return []
        different = ~np.isin(tables.roots, list(avoid))
        if (weights[0] * different).any():
            weights[0] = weights[0] * different
        ahead = self._weights(after)[:1] if after < len(self.phrases) else []
        stay = np.eye(len(tables.states)) + _FLOOR
        # Backwards: how well the bars after a chord can go on. Forwards: draw from what can.
        future = [np.ones(len(tables.states))]
        for row in ahead:
            future.append(tables.move @ row)
        for row, keep in zip(weights[:0:-1], keeps[:0:-1], strict=True):
            onward = (stay if keep else tables.move) @ (row * future[-1])
            future.append(onward / onward.sum())
        future.reverse()
        past = self._chord_before(start)
        odds = tables.share if past is None else tables.move[past]
        result: list[int] = []
        for row, onward, keep in zip(weights, future, keeps, strict=False):
            if result:
                odds = (stay if keep else tables.move)[result[-1]]
            total = np.cumsum(odds * row * onward)
            result.append(int(np.searchsorted(total, self.random.random() * total[-1], side="right")))
        return result

    def _chord_before(self, number: int) -> int | None:
        while number and not self.phrases[number - 1].bars:
            number -= 1
        return self.slots[number - 1].chords[-1] if number else None

    def _weights(self, number: int) -> list[Floats]:
        """Return for every bar of a phrase how much each chord is wanted there, leaving aside its neighbours."""
        tables, phrase, slot = self.tables, self.phrases[number], self.slots[number]
        if self._drawn(number):
            return [np.eye(len(tables.states))[chord] for chord in slot.chords]
        model = self._model_chords(number)
        rows = []
        for bar in range(len(phrase.bars)):
            row = np.ones(len(tables.states))
            if bar == 0:
                row = row * tables.place[0 if phrase.index == 0 else 1]
            if bar in slot.cadences or bar + 1 in slot.cadences:
                row = row * tables.place[3 if bar in slot.cadences else 2]
            if bar == len(phrase.bars) - 1:
                row = row * np.where(tables.secondary, _FLOOR, 1)  # its goal might be another one in the next verse
            roots = slot.roots[bar]
            if bar + 1 in slot.cadences and slot.roots[bar + 1] == frozenset({_DOMINANT}):
                row = row * np.where(tables.roots == _DOMINANT, EARLY_DOMINANT, 1)
            if roots is not None:
                row = row * np.isin(tables.roots, list(roots))
            rows.append(row)
        taken = False  # the bar after, from the model
        for bar in reversed(range(len(model))):
            # A dominant is taken over only with its goal.
            taken = bool(rows[bar][model[bar]] > _FLOOR and (taken or not tables.secondary[model[bar]]))
            if taken:
                rows[bar] = rows[bar][model[bar]] * np.eye(len(tables.states))[model[bar]]
        return rows

    def _model_chords(self, number: int) -> list[int]:
        """Return the chords that a phrase takes over from the phrase two before it, or four past a stanza.

        The second half of a stanza begins like the first and closes in its own way (a period: Caplin, Classical Form,
        1998): line 3 repeats line 1, line 4 repeats line 2 up to its cadence.
        """
        phrase, slot = self.phrases[number], self.slots[number]
        back = 2 if phrase.index % 4 >= 2 else 4
        if phrase.index < back:
            return []
        source = self.slots[number - back]
        echoes = self.slots[number - phrase.index % 2].echoes
        if not echoes or len(source.chords) != len(phrase.bars):
            return []
        if phrase.index % 2:
            kept = source.chords[: max(0, min(slot.cadences, default=0) - 1)]
            while kept and self.tables.secondary[kept[-1]]:
                kept = kept[:-1]  # its goal may not follow here
            return kept
        return source.chords

    def _halve(self, slot: _Slot) -> None:
        """Now and then halve the bar before a cadence, so that a dominant or its preparation leads into it."""
        for cadence in sorted(slot.cadences):
            bar = cadence - 1
            if not self.halvable or bar < 0 or bar in slot.cadences or self.random.random() >= HALVE[self.table]:
                continue
            if self.tables.secondary[slot.chords[max(0, bar - 1) : cadence]].any():
                continue
            here, goal = (int(self.tables.roots[slot.chords[number]]) for number in (bar, cadence))
            if goal == _TONIC and here == _DOMINANT:
                slot.halves[bar], slot.chords[bar] = slot.chords[bar], self._pick(_PREPARATIONS)
            elif goal == _TONIC and here in (_TONIC, *_OPEN[self.key.mode]):
                slot.halves[bar] = self._pick((_DOMINANT,))
            elif goal == _DOMINANT and here in (_TONIC, 9):
                slot.halves[bar] = self._pick(_PREPARATIONS)

    def _pick(self, roots: tuple[int, ...]) -> int:
        """Draw a diatonic chord on one of the roots."""
        total = np.cumsum(self.tables.share * np.isin(self.tables.roots, roots) * ~self.tables.secondary)
        return int(np.searchsorted(total, self.random.random() * total[-1], side="right"))

    def _colours(self) -> list[Chord]:
        """Return the chord to write for each state; some popular songs have sevenths on triads off the tonic."""
        chords = [chord_of(state, self.key) for state in self.tables.states]
        if self.table or self.random.random() >= SEVENTHS:
            return chords
        sevenths = {"": "maj7", "m": "m7"}
        return [
            replace(chord, quality=sevenths[chord.quality])
            if root not in (_TONIC, _DOMINANT, 10) and chord.quality in sevenths and self.random.random() < 0.6
            else chord
            for root, chord in zip(self.tables.roots, chords, strict=True)
        ]
