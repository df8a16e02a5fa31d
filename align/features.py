"""What the rhythm scorer sees of a line: a class for every syllable, and what stands between the syllables.

The same few functions describe engraved songs (for training) and parsed lyrics (for composing), so that the scorer
meets in use what it met in training.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from align.meter import GRID, Meter
from lyrics.cmudict import bare
from lyrics.document import Line
from lyrics.function_words import is_function_word

if TYPE_CHECKING:
    from align.corpus import CorpusSong

# Classes of syllables. Monosyllables by what the word does and how often singers put it on a strong beat (learned,
# `prominence.tsv`); syllables of longer words by their stress.
NONE = 0  # before the first or after the last syllable of the line
FUNCTION_WEAK, FUNCTION, FUNCTION_STRONG = 1, 2, 3
CONTENT_WEAK, CONTENT = 4, 5
PRIMARY, SECONDARY, BEFORE_STRESS, AFTER_STRESS = 6, 7, 8, 9
UNKNOWN = 10  # only in training: the dictionary does not have the engraver's number of syllables
NUM_CLASSES = 11
FUNCTION_CLASSES = (FUNCTION_WEAK, FUNCTION, FUNCTION_STRONG)
CONTENT_CLASSES = (CONTENT_WEAK, CONTENT)

# What follows a syllable.
INSIDE, BOUNDARY, COMMA, STOP = 0, 1, 2, 3
_STOPS = re.compile(r"[.;:!?…—–]|--")
_COMMAS = re.compile(r"[,)\"”]")

# Inter-onset intervals that the scorer knows, in grid units of a sixteenth.
INTERVALS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20, 24)
INTERVAL_CLASS = {interval: index for index, interval in enumerate(INTERVALS)}
# The interval before, in coarser classes: 0 none (first syllable), then 1, 2, 3, 4, 5-6, 7 and more sixteenths.
NUM_PREVIOUS = 7
PREVIOUS_OF_INTERVAL = tuple(interval if interval <= 4 else 5 if interval <= 6 else 6 for interval in INTERVALS)

STYLES = ("popular", "folk", "hymn", "carol", "spiritual")
NUM_METERS = 4
NUM_PLACES = 16  # sixteenths in the longest bar that the scorer knows


def meter_class(meter: Meter) -> int:
    """Index of the metre for the scorer: 4/4, 3/4, 2/4, 6/8; 12/8 is scored as pairs of 6/8 bars (too few songs)."""
    return {(4, 4): 0, (3, 4): 1, (2, 4): 2, (6, 8): 3, (12, 8): 3}[meter.numerator, meter.denominator]


def scored_bar(meter: Meter) -> int:
    """Grid units of the bar that the scorer counts in."""
    return 12 if meter.denominator == 8 else meter.bar_ticks // GRID


class WordFeatures(NamedTuple):
    """A word as the features need it."""

    text: str  # lower-case, without punctuation
    stresses: tuple[int | None, ...]  # one per syllable
    content: bool
    suffix: str  # punctuation after the word


class LineFeatures(NamedTuple):
    """Features of a line's syllables; all tuples have one entry per syllable."""

    classes: tuple[int, ...]
    follows: tuple[int, ...]  # INSIDE, BOUNDARY, COMMA or STOP
    stresses: tuple[int | None, ...]


def line_features(words: Iterable[WordFeatures], prominence: Mapping[str, float]) -> LineFeatures:
    """Describe a line.

    `prominence` maps lower-case monosyllables to the learned log odds (natural logarithm, relative to all function
    words or to all content words) that singers put them on a strong beat.
    """
    classes: list[int] = []
    follows: list[int] = []
    stresses: list[int | None] = []
    for word in words:
        stresses.extend(word.stresses)
        follows.extend([INSIDE] * (len(word.stresses) - 1))
        follows.append(STOP if _STOPS.search(word.suffix) else COMMA if _COMMAS.search(word.suffix) else BOUNDARY)
        if len(word.stresses) == 1:
            lift = prominence.get(word.text, 0.0)
            if word.content:
                classes.append(CONTENT if lift > -0.4 else CONTENT_WEAK)
            else:
                classes.append(FUNCTION_STRONG if lift > 0.4 else FUNCTION if lift > -0.4 else FUNCTION_WEAK)
        else:
            primary = word.stresses.index(1) if 1 in word.stresses else len(word.stresses)
            for index, stress in enumerate(word.stresses):
                if stress is None:
                    classes.append(UNKNOWN)
                elif stress:
                    classes.append(PRIMARY if stress == 1 else SECONDARY)
                else:
                    classes.append(BEFORE_STRESS if index < primary else AFTER_STRESS)
    return LineFeatures(tuple(classes), tuple(follows), tuple(stresses))


def words_of_line(line: Line) -> list[WordFeatures]:
    """Words of a parsed line."""
    return [
        WordFeatures(
            word.text.lower().replace("’", "'"),
            tuple(syllable.stress for syllable in word.syllables),
            word.content,
            word.suffix,
        )
        for word in line.words
    ]


def words_of_song(song: "CorpusSong") -> list[WordFeatures]:
    """All words of an engraved song."""
    stresses: list[list[int | None]] = [[] for _ in song.words]
    for syllable in song.syllables:
        stresses[syllable.word].append(syllable.stress)
    result = []
    for text, found in zip(song.words, stresses, strict=True):
        plain = bare(text)
        tail = re.search(r"[^\w'’]*$", text)
        result.append(WordFeatures(plain, tuple(found), not is_function_word(plain), tail.group() if tail else ""))
    return result


class SungLine(NamedTuple):
    """A line of an engraved song on the grid; the unit is a sixteenth, counted from the line's first bar line.

    The first bar line is the one that a pick-up leads to, so the first onset is negative where there is a pick-up.
    """

    features: LineFeatures
    onsets: tuple[int, ...]  # one per syllable
    ends: tuple[int, ...]  # end of each syllable's last note
    splits: tuple[tuple[int, ...], ...]  # durations of each syllable's notes
    bars: int  # scored bars up to the next line's first bar line
    end: int  # onset of the next line's first syllable


def sung_lines(song: "CorpusSong", prominence: Mapping[str, float]) -> list[SungLine]:
    """Lines of an engraved song that lie on the grid in whole bars; others (triplets, mid-bar breaks) are left out."""
    words = words_of_song(song)
    notes: list[list[tuple[int, int, int]]] = [[] for _ in song.syllables]
    for note in song.notes:
        notes[note.syllable].append((note.onset, note.duration, note.place))
    lines: list[list[int]] = [[] for _ in range(song.num_lines)]
    for index, syllable in enumerate(song.syllables):
        lines[syllable.line].append(index)
    bar = scored_bar(song.meter) * GRID

    def bar_line(index: int) -> int:
        onset, _, place = notes[index][0]
        place %= bar
        return onset - place + (bar if place >= pickup_threshold(song.meter) * GRID else 0)

    result = []
    for number, members in enumerate(lines):
        if not members:
            continue
        origin = bar_line(members[0])
        following = lines[number + 1] if number + 1 < len(lines) else []
        if following:
            end, next_origin = notes[following[0]][0][0], bar_line(following[0])
        else:
            last = notes[members[-1]][-1]
            end = next_origin = origin + -(-(last[0] + last[1] - origin) // bar) * bar
        places_agree = all((notes[i][0][0] - origin) % bar == notes[i][0][2] % bar for i in members)
        on_grid = all(value % GRID == 0 for i in members for note in notes[i] for value in note[:2])
        if (
            not (places_agree and on_grid)
            or (next_origin - origin) % bar
            or not origin < next_origin <= origin + 8 * bar
        ):
            continue
        indices = sorted({song.syllables[i].word for i in members})
        features = line_features([words[index] for index in indices], prominence)
        if len(features.classes) != len(members):
            continue  # a word broken over two lines
        result.append(
            SungLine(
                features,
                tuple((notes[i][0][0] - origin) // GRID for i in members),
                tuple((notes[i][-1][0] + notes[i][-1][1] - origin) // GRID for i in members),
                tuple(tuple(note[1] // GRID for note in notes[i]) for i in members),
                (next_origin - origin) // bar,
                (end - origin) // GRID,
            )
        )
    return result


def pickup_threshold(meter: Meter) -> int:
    """Grid place in the scored bar from which a line's beginning counts as a pick-up to the next bar."""
    return 4 if (meter.numerator, meter.denominator) == (3, 4) else scored_bar(meter) // 2


def learn_prominence(songs: Sequence["CorpusSong"], weights: Sequence[float]) -> dict[str, float]:
    """Log odds that a monosyllable starts on a strong beat, relative to its kind (function or content), shrunk.

    Words that weigh less than five sung instances are left out.
    """
    strong: dict[str, float] = {}
    total: dict[str, float] = {}
    for song, weight in zip(songs, weights, strict=True):
        words = words_of_song(song)
        places: dict[int, int] = {}
        for note in song.notes:
            places.setdefault(note.syllable, note.place)
        for index, syllable in enumerate(song.syllables):
            word = words[syllable.word]
            if len(word.stresses) == 1 and index in places:
                total[word.text] = total.get(word.text, 0.0) + weight
                if song.meter.strength(places[index]) >= 4:
                    strong[word.text] = strong.get(word.text, 0.0) + weight
    result = {}
    for kind in (True, False):
        members = [text for text in sorted(total) if is_function_word(text) == kind]
        mean = sum(strong.get(text, 0.0) for text in members) / sum(total[text] for text in members)
        for text in members:
            if total[text] >= 5:
                share = (strong.get(text, 0.0) + 4 * mean) / (total[text] + 4)
                result[text] = math.log(share / (1 - share)) - math.log(mean / (1 - mean))
    return result
