"""Syllables to rhythm: an exact search over a grid of sixteenths, scored by what singers do.

Hard rules hold by construction. Every line owns a whole number of bars. Which lines begin with a pick-up is drawn
first, so that the windows of all lines tile: a line that begins at bar line S with n bars and a pick-up of at most P
sings only in [S - P, S + n * bar - Q), where Q is the pick-up of the line after it. Inside its window a line's
syllables are placed in order by forward filtering and backward sampling over (syllable, onset, interval before): the
backward pass sums the scores of all ways to go on, the forward pass draws one of them, sharper than the learned
probabilities by a temperature. The scores are the learned ones of `align.scorer` plus prosody weights, because the
songs set words a little less carefully than we want to.

Lines that stand at the same place of parallel sections, and pairs of lines inside a stanza, are solved together: one
rhythm that suits all of them. Where syllables differ, the later line is drawn towards the earlier one's rhythm.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from itertools import pairwise, product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from align.critic import Stretch, count_opening, cut_stretches, describe, load_critic
from align.features import (
    AFTER_STRESS,
    BEFORE_STRESS,
    BOUNDARY,
    COMMA,
    CONTENT,
    CONTENT_WEAK,
    FUNCTION,
    FUNCTION_CLASSES,
    FUNCTION_STRONG,
    FUNCTION_WEAK,
    INSIDE,
    INTERVAL_CLASS,
    INTERVALS,
    NUM_CLASSES,
    NUM_METERS,
    PREVIOUS_OF_INTERVAL,
    PRIMARY,
    SECONDARY,
    STOP,
    STYLES,
    LineFeatures,
    line_features,
    meter_class,
    scored_bar,
    words_of_line,
)
from align.fitted import Table, read_fitted
from align.manners import Manner, load_manners
from align.melisma import LONGEST_LAST, Ending, divide, divide_last, draw_ending, last_length, note_lengths
from align.meter import GRID, TICKS_PER_BEAT, Meter
from align.rhythm import LineRhythm, Rhythm, RhythmNote, SectionSpan
from align.scorer import (
    MAX_BARS,
    MAX_LINE,
    MODEL,
    NUM_STARTS,
    START_LOW,
    Floats,
    Ints,
    Places,
    RhythmScorer,
    load_scorer,
)
from lyrics.document import Line, Lyrics, Role

Bools = NDArray[np.bool_]

LONGEST_PHRASE = 16  # syllables; longer lines are sung as several phrases with a breath between them
BARS_WITHOUT_LINES = {Role.INTRO: 4, Role.OUTRO: 4}  # others: 8
_VARIANTS = 4  # rhythms that are tried for a line at the same place of parallel sections
_BAND = 32  # candidate onsets for each syllable
# By metre class, added to the score of a metre: with it, over the training songs, every metre comes out best about as
# often as singers use it (2/4 less often, for it is heard as 4/4).
_METER_LIFT = (0.0, -0.12, -0.1, -0.11)
_NEVER = np.float32(-1e4)
_SMALLEST = 1e-20  # of weights, beside the largest of the step after them
_LIKING = {1: 0.0, 2: 0.0, 3: -1.0, 4: 0.0, 6: -1.0, 8: -0.5}  # for even numbers of bars of a line
ENDING_EDGES = (4, 5, 8, 9, 12, 13, 16, 17, 21, 25, 29)  # sixteenths
_LONG_END = 20  # sixteenths; no last note is too long that is no longer than this
_KEPT = 100  # phrases whose learned scores are kept, 100 kB each
_TRIES = 40  # rhythms that are drawn for a line until one keeps to its bars


@dataclass(frozen=True, slots=True)
class SearchConfig:
    """Weights beside the learned scores, in nats; tuned on training songs (group % 10 == 1)."""

    temperature: float = 0.5
    article_on_strong: float = -3.3  # the weakest function words
    function_on_strong: float = -2.0
    content_on_strong: float = 0.7
    stressed_on_strong: float = 0.5
    unstressed_on_strong: float = -1.0
    stress_equal: float = -4.0  # a stressed syllable no stronger than its unstressed neighbour in the word
    stress_reversed: float = -14.0
    weak_longer: float = -1.5  # a weak syllable longer than the one before it, if that is strong (half if it is weak)
    weak_long: float = -0.8  # per doubling of a weak syllable beyond a quarter (twice that for articles)
    # By style: a syllable held over a place stronger than its own, per level of strength, and how songs differ in it.
    syncopated: tuple[float, ...] = (0.0, -0.6, -1.6, -2.4, -0.9)
    syncopated_spread: tuple[float, ...] = (0.7, 0.6, 0.8, 0.8, 0.7)
    most_syncopated: float = 0.35
    # By style: a last note that is held over a place stronger than its own.
    last_syncopated: tuple[float, ...] = (-0.5, -0.7, -1.5, -2.5, -0.7)
    weak_syncopated: float = -0.6  # the same, in addition, for weak syllables
    downbeat: float = 0.6  # a syllable on the first beat of a bar
    closing: float = 0.4  # per doubling of the last note of a line that closes a pair; the line before it pays as much
    closing_spread: float = 0.3  # how songs differ in it
    last_downbeat: float = 0.6  # the last note of a section that begins on the first beat of a bar
    overlong: float = -9.0  # per bar of a last note beyond two bars or nearly
    # Added to it, by what a line does: it asks, closes a pair of lines, closes a section.
    ending_by_close: Table = ((0.0,) * (len(ENDING_EDGES) + 1),) * 3
    # By style: a last note that begins on the first beat, on another strong one, elsewhere.
    last_place: Table = ((0.0,) * 3,) * len(STYLES)
    # By style: a line without a pick-up, with one of up to a beat, with a longer one.
    pickup_bias: Table = ((0.0,) * 3,) * len(STYLES)
    # By style: per onset that an adapted line shares with the line it follows.
    keep_onset: tuple[float, ...] = (1.6, 1.1, 1.3, 1.3, 1.1)
    share_within: float = 0.8  # chance that a line of a stanza shares the rhythm of its partner
    pickup_cost: tuple[float, ...] = (0.0, 0.1, 0.16, 0.18, 0.06)  # by style: per line and beat of pick-up allowance
    bars_margin: float = 2.0  # numbers of bars this much less likely than the likeliest are not tried
    # Per doubling of the bars of a line, by metre class (4/4, 3/4, 2/4, 6/8): so that songs are as broad as human ones.
    breadth: tuple[float, ...] = (0.5, -0.2, -1.0, 0.2)
    breadth_spread: float = 1.5  # how songs differ in it
    # Per metre class and interval (1, 2, 3, ... sixteenths as in INTERVALS): evens out what the prosody weights and the
    # temperature do to the distribution of intervals.
    interval_bias: Table = ((0.0,) * len(INTERVALS),) * NUM_METERS
    # The same for the time from a line's last onset to the next line, by the classes of ENDING_EDGES.
    ending_bias: Table = ((0.0,) * (len(ENDING_EDGES) + 1),) * NUM_METERS
    # Added to it, by style.
    ending_by_style: Table = ((0.0,) * (len(ENDING_EDGES) + 1),) * len(STYLES)
    manner: float = 0.4  # weight of the song's manner of rhythm
    density: float = 1.0  # weight of its density
    # By style: weight of the intervals that the song has had so far at a place in the bar; how songs differ in it.
    own: tuple[float, ...] = (3.6, 0.6, 3.0, 3.3, 1.4)
    own_spread: float = 1.1
    candidates: int = 4  # rhythms that are drawn for a line; one is chosen for the bars that come back in it
    # What a bar is worth that has the rhythm of the bar two before, by style, and how songs differ in it.
    returning: tuple[float, ...] = (3.5, 0.3, 2.0, 2.0, 1.2)
    returning_spread: float = 1.2
    held_lift: tuple[float, ...] = (-0.2, 1.7, 1.0, 2.4, 0.4)  # by style: log of the factor on the chances of melisma
    held_spread: float = 1.3  # and how songs differ in it
    held_never: tuple[float, ...] = (0.5, 0.2, 0.3, 0.15, 0.1)  # by style: how many songs have none
    # By style: log odds of a rest at the end of a line beside what is usual after such a gap, and how songs differ in
    # them (mean, standard deviation), fitted to training songs.
    rest_habit: tuple[tuple[float, float], ...] = ((-3.0, 3.2), (-1.2, 3.0), (-4.4, 3.6), (-4.0, 3.0), (1.2, 2.8))
    # The same for rests at punctuation inside a line: songs that rest at the ends of lines do so there, too.
    pause_habit: tuple[float, float] = (-2.0, 2.2)
    # By style: how much worse a line may fit the bars of its section, or of the line it follows.
    bars_loyalty: tuple[float, ...] = (3.0, 6.0, 6.0, 6.0, 6.0)
    bars_fit: float = 1.0  # weight of the best rhythm's score in the choice of bars
    joint: int = 6  # lines of a group whose learned scores are averaged
    trials: int = 4  # beginnings that are made of a song at most, of which the critic chooses one
    enough: float = 0.3  # what the critic says of one that is gone on with at once


_BY_HAND = SearchConfig()
# To compare metres, only what singers do with the words counts: no wish for breath, breadth or even statistics.
_PLAIN = SearchConfig(breadth=(0.0,) * NUM_METERS, downbeat=0.0)


@cache
def fitted_config() -> SearchConfig:
    """Return the weights with the fitted tables, with which songs are made; ModelFileError if these are missing."""
    tables: dict[str, Any] = read_fitted(MODEL)
    return SearchConfig(**tables)


@dataclass(frozen=True, slots=True)
class PhraseRhythm:
    """The rhythm of a phrase of a tune that the lyrics go on with."""

    onsets: tuple[int, ...]  # of its syllables, in sixteenths from its first bar line; a pick-up is negative
    bars: int


def align_lyrics(
    lyrics: Lyrics,
    meter: Meter,
    style: str,
    seeds: Mapping[str, int],
    after: Sequence[PhraseRhythm] = (),
    config: SearchConfig | None = None,
) -> Rhythm:
    """Place every syllable of the lyrics in time.

    `style` is one of "popular", "folk", "hymn", "carol", "spiritual"; `seeds` maps line ids ("v1.3") to integers
    >= 0; an entry "song", if there is one, seeds what all lines share (else the first line's seed does). Lines that
    share a rhythm take the seed of the first of them. Sections with `repeat_of` repeat exactly. Where the lyrics go on
    with a tune, they come `after` its phrases: first lines take up their rhythms, as later lines take up earlier ones.
    The cost grows linearly with the number of lines. Raises ValueError for an unknown style.
    """
    if style not in STYLES:
        raise ValueError(f"style must be one of {', '.join(STYLES)}, got {style!r}")
    config = config or fitted_config()
    learned = _Learned(load_scorer(), meter, STYLES.index(style), config)
    slots = _slots(lyrics, learned.scorer)
    groups, group_of = _group(slots, seeds, after)
    following = _following(slots, group_of)
    opening = count_opening([slot.section for slot in slots])
    trials = config.trials if opening else 1
    best, best_worth = _begin(lyrics, learned, slots, groups, group_of, following, opening, seeds, after, 0, trials > 1)
    for trial in range(1, trials):
        if best_worth >= config.enough:
            break
        begun, worth = _begin(lyrics, learned, slots, groups, group_of, following, opening, seeds, after, trial, True)
        if worth > best_worth:
            best, best_worth = begun, worth
    search, pickup = best.search, best.pickup
    begun_groups = len(best.groups)
    groups[:begun_groups] = best.groups
    search.choose_bars(slots[opening:], groups, group_of, pickup)
    search.choose_pickups(groups, begun_groups, following, pickup, seeds)
    for group in groups[begun_groups:]:
        reference = None if group.reference is None else groups[group.reference]
        search.solve(group, reference, pickup, np.random.Generator(np.random.PCG64(seeds[group.leader])))
    return _lay_out(lyrics, search, pickup, groups, group_of, len(after))


class _Begun(NamedTuple):
    """A song whose first sections have their rhythms."""

    search: "_Search"
    pickup: int  # allowance, sixteenths
    groups: "list[_Group]"  # of the first sections


def _begin(
    lyrics: Lyrics,
    learned: "_Learned",
    slots: Sequence["_Slot"],
    groups: Sequence["_Group"],
    group_of: Mapping[tuple[int, int], int],
    following: "Mapping[int, set[int | None]]",
    opening: int,
    seeds: Mapping[str, int],
    after: Sequence[PhraseRhythm],
    trial: int,
    judged: bool,
) -> tuple[_Begun, float]:
    """Find rhythms for the first `opening` lines; the second value is what the critic says of them, if it is asked.

    Every `trial` draws the habits of the song and its rhythms anew.
    """

    def draws(seed: int) -> np.random.Generator:
        return np.random.Generator(np.random.PCG64([seed, trial] if trial else seed))

    search = _Search(learned)
    if slots:
        lengths = [len(phrase.classes) for slot in slots[:12] for phrase in slot.phrases]
        rng = draws(seeds.get("song", seeds[slots[0].id]))
        search.draw_manner(rng, lengths, [phrase.onsets for phrase in after])
    pickup = search.pickup_allowance([group.members[0] for group in groups[len(after) : len(after) + 12]])
    if after:
        pickup = search.pickup_of(after)
    first = slots[:opening]
    num_groups = max((group_of[slot.section, slot.line] + 1 for slot in first), default=len(after))
    begun = [
        group if number < len(after) else _Group(group.leader, group.members, group.reference, group.closes)
        for number, group in enumerate(groups[:num_groups])
    ]
    search.choose_bars(first, begun, group_of, pickup)
    search.choose_pickups(begun, len(after), following, pickup, seeds)
    for group in begun[len(after) :]:
        reference = None if group.reference is None else begun[group.reference]
        search.solve(group, reference, pickup, draws(seeds[group.leader]))
    if not judged:
        return _Begun(search, pickup, begun), 0.0
    sections = lyrics.sections[: first[-1].section + 1]
    rhythm = _lay_out(replace(lyrics, sections=sections), search, pickup, begun, group_of, len(after))
    style = STYLES[learned.style]
    features = [describe(stretch, rhythm.meter, style) for stretch in stretches_of(rhythm)]
    return _Begun(search, pickup, begun), load_critic().judge(features)


def align_line(
    line: Line,
    meter: Meter,
    style: str,
    seed: int,
    num_bars: int,
    pickup: int,
    early: int,
    end: int,
    others: Sequence[Sequence[int]] = (),
) -> tuple[RhythmNote, ...] | None:
    """Place the syllables of one line anew in the stretch of time that it has; None if they do not fit there.

    The line sings from `pickup` ticks before its first bar line to `pickup` ticks before the one after its last bar,
    and nothing before `early` ticks before its first bar line; its last note may be held to `end`. All ticks, those of
    the result too, count from that bar line. `others` are the onsets of other lines of the song, in sixteenths from
    their first bar lines: the line is sung in their manner.
    """
    if style not in STYLES:
        raise ValueError(f"style must be one of {', '.join(STYLES)}, got {style!r}")
    search = _Search(_Learned(load_scorer(), meter, STYLES.index(style), fitted_config()))
    phrases = _phrases(line_features(words_of_line(line), search.scorer.tables["prominence"]))
    search.draw_manner(np.random.Generator(np.random.PCG64(seed)), [len(phrase.classes) for phrase in phrases], others)
    allowance, late = pickup // GRID, num_bars * search.bar - end // GRID
    counts = [len(phrase.classes) for phrase in phrases]
    options = [
        bars
        for bars in product(range(1, num_bars + 1), repeat=len(phrases))
        if sum(bars) == num_bars
        and all(_roomy(n, b * search.bar, search.unit) for n, b in zip(counts, bars, strict=True))
    ]
    if not options:
        return None
    bars = max(options, key=lambda bars: sum(map(search.bars_score, counts, bars)))
    for attempt in range(_TRIES):
        rng = np.random.Generator(np.random.PCG64([seed, attempt] if attempt else seed))
        group = _Group("", [tuple(phrases)], bars=list(bars), early=early // GRID, late=max(0, late))
        search.solve(group, None, allowance, rng)
        if _sound(group, search.bar, allowance):
            break
    else:
        return None
    starts = [sum(bars[:index]) * search.bar for index in range(len(bars))]
    following = [start + onsets[0] for start, onsets in zip(starts, group.onsets, strict=True)][1:]
    gaps = [
        after - start - onsets[-1]
        for start, onsets, after in zip(starts, group.onsets, (*following, end // GRID), strict=True)
    ]
    return tuple(_notes(search, group, [start * GRID for start in starts], gaps))


def _notes(
    search: "_Search", group: "_Group", starts: Sequence[int], gaps: Sequence[int], final: bool = False
) -> Iterator[RhythmNote]:
    """Yield the notes of a line whose phrases have their first bar lines at `starts` (ticks).

    `gaps` are the sixteenths from the last onset of each phrase to the first one of what follows. The `final` line of a
    song is held to its end, wherever else it is sung.
    """
    syllable = 0
    for index, (start, gap) in enumerate(zip(starts, gaps, strict=True)):
        lengths = (*group.pieces[index], search.last_pieces(group, index, gap, hold=final and index == len(gaps) - 1))
        for onset, pieces in zip(group.onsets[index], lengths, strict=True):
            tick = start + onset * GRID
            for piece, duration in enumerate(pieces):
                yield RhythmNote(tick, duration * GRID, syllable, held=piece > 0)
                tick += duration * GRID
            syllable += 1


def _roomy(syllables: int, window: int, unit: int) -> bool:
    """Whether syllables fit into so many sixteenths, at worst most of them as sixteenths, with a breath after them."""
    return syllables + unit // 2 + 1 <= window


def _sound(group: "_Group", bar: int, allowance: int) -> bool:
    """Whether every phrase keeps to its bars, which it cannot where there are too many syllables."""
    for index, (phrase, bars) in enumerate(zip(group.onsets, group.bars, strict=True)):
        early, late = group.room(index, allowance)
        if any(a >= b for a, b in pairwise(phrase)) or phrase[0] < -early or phrase[-1] + 2 > bars * bar - late:
            return False
    return True


def keeps_rhythm(one: Line, other: Line) -> bool:
    """Whether a line can be sung to another one's rhythm: as many syllables, stresses where the other has them."""
    prominence = load_scorer().tables["prominence"]
    phrases = [tuple(_phrases(line_features(words_of_line(line), prominence))) for line in (one, other)]
    sizes = [[len(phrase.classes) for phrase in line] for line in phrases]
    return sizes[0] == sizes[1] and _compatible(*phrases)


def score_meter(lyrics: Lyrics, meter: Meter, style: str) -> float:
    """Mean log score per syllable (nats) of the best rhythms of the first lines in this metre.

    Comparable between metres: the higher, the better the words fall into the metre.
    """
    search = _Search(_Learned(load_scorer(), meter, STYLES.index(style), _PLAIN))
    slots = _slots(lyrics, search.scorer)[:8]
    if not slots:
        return 0.0
    groups = [_Group("", [slot.phrases]) for slot in slots]
    pickup = search.pickup_allowance([group.members[0] for group in groups])
    search.choose_bars(slots, groups, {(slot.section, slot.line): index for index, slot in enumerate(slots)}, pickup)
    total = count = 0.0
    for group in groups:
        for features, bars in zip(group.members[0], group.bars, strict=True):
            total += search.value(features, bars, pickup) + search.bars_score(len(features.classes), bars)
            count += len(features.classes)
    return total / count + _METER_LIFT[search.kind]


class _Slot(NamedTuple):
    """A line that is not part of a repeated section."""

    section: int
    line: int
    id: str
    role: Role
    key: tuple[str, ...]  # its words: lines with the same words share everything
    closes_section: bool
    phrases: tuple[LineFeatures, ...]

    @property
    def closes(self) -> int:
        """2: the line closes its section, 1: a pair of lines, -1: another line follows in the pair."""
        return 2 if self.closes_section else 1 if self.line % 2 else -1

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(len(phrase.classes) for phrase in self.phrases)


@dataclass(slots=True)
class _Group:
    """Lines that share one rhythm."""

    leader: str  # id of the first line, whose seed is used
    members: list[tuple[LineFeatures, ...]]
    reference: int | None = None  # an earlier group whose rhythm this one adapts
    closes: int = 0  # as in _Slot, 0: not known
    bars: list[int] = field(default_factory=list)  # of each phrase, in bars of the metre
    early: int | None = None  # sixteenths before its first bar line with which it may begin, once that is decided
    upbeat: bool = False  # whether it does
    late: int | None = None  # sixteenths before the bar line after it that belong to what follows
    onsets: list[tuple[int, ...]] = field(default_factory=list)  # of each phrase, sixteenths from its first bar line
    pieces: list[tuple[tuple[int, ...], ...]] = field(default_factory=list)  # of all its syllables but the last
    endings: list[Ending] = field(default_factory=list)  # of the last one

    def room(self, index: int, pickup: int) -> tuple[int, int]:
        """Sixteenths before the first bar line of a phrase, and before the one after it, that are its own and are not.

        Phrases inside a line have the `pickup` that the song allows.
        """
        early = self.early if index == 0 and self.early is not None else pickup
        late = self.late if index == len(self.bars) - 1 and self.late is not None else pickup
        return early, late


def _slots(lyrics: Lyrics, scorer: RhythmScorer) -> list[_Slot]:
    prominence = scorer.tables["prominence"]
    slots = []
    for index, section in enumerate(lyrics.sections):
        if section.repeat_of is None:
            for number, line in enumerate(section.lines):
                words = words_of_line(line)
                features = line_features(words, prominence)
                slots.append(
                    _Slot(
                        index,
                        number,
                        f"{section.id}.{number + 1}",
                        section.role,
                        tuple(word.text for word in words),
                        number == len(section.lines) - 1,
                        tuple(_phrases(features)),
                    )
                )
    return slots


def _phrases(features: LineFeatures) -> list[LineFeatures]:
    """Cut a long line into phrases of at most LONGEST_PHRASE syllables, at punctuation where it stands well."""
    n = len(features.classes)
    if n <= LONGEST_PHRASE:
        return [features]
    parts = -(-n // LONGEST_PHRASE)
    result, start = [], 0
    while n - start > LONGEST_PHRASE:
        ideal = start + (n - start) / (-(-(n - start) // LONGEST_PHRASE))
        low, high = start + 4, min(start + LONGEST_PHRASE, n - 2)

        def fitness(cut: int, ideal: float = ideal) -> float:
            mark = features.follows[cut - 1]
            worth = {INSIDE: -100.0, BOUNDARY: 0.0, COMMA: 4.0, STOP: 6.0}[mark]
            if features.classes[cut - 1] in FUNCTION_CLASSES:
                worth -= 3.0  # "the" does not end a phrase
            elif features.classes[cut] in (FUNCTION_WEAK, FUNCTION):
                worth += 1.5  # but "and" or "I" may begin one
            return worth - 0.7 * abs(cut - ideal)

        cut = max(range(low, high + 1), key=fitness)
        result.append(_slice(features, start, cut))
        start = cut
    result.append(_slice(features, start, n))
    assert len(result) >= parts
    return result


def _slice(features: LineFeatures, start: int, end: int) -> LineFeatures:
    return LineFeatures(features.classes[start:end], features.follows[start:end], features.stresses[start:end])


def _prominences(features: LineFeatures) -> list[float]:
    weight = {FUNCTION_WEAK: 0.0, FUNCTION: 0.3, FUNCTION_STRONG: 0.5, CONTENT_WEAK: 0.7, CONTENT: 1.0}
    weight |= {PRIMARY: 1.0, SECONDARY: 0.6, BEFORE_STRESS: 0.0, AFTER_STRESS: 0.0}
    return [weight.get(kind, 0.5) for kind in features.classes]


def _compatible(one: tuple[LineFeatures, ...], other: tuple[LineFeatures, ...]) -> bool:
    """Whether two lines can share a rhythm: as many syllables, and no stress of a word against another one."""
    for a, b in zip(one, other, strict=True):
        pairs = zip(_stress_steps(a), _stress_steps(b), strict=True)
        if any(x * y < 0 for x, y in pairs):
            return False
        # Three in ten of the syllables may want another weight.
        apart = sum(abs(x - y) > 0.6 for x, y in zip(_prominences(a), _prominences(b), strict=True))
        if apart > 0.3 * len(a.classes):
            return False
    return True


def _stress_steps(features: LineFeatures) -> list[int]:
    """+1 where a word's stressed syllable is followed by an unstressed one, -1 for the reverse, 0 elsewhere."""
    steps = []
    for i in range(len(features.classes) - 1):
        a, b = features.stresses[i], features.stresses[i + 1]
        inside = features.follows[i] == INSIDE
        steps.append(1 if inside and a == 1 and b == 0 else -1 if inside and a == 0 and b == 1 else 0)
    return steps


def _group(
    slots: Sequence[_Slot], seeds: Mapping[str, int], after: Sequence[PhraseRhythm] = ()
) -> tuple[list[_Group], dict[tuple[int, int], int]]:
    """Decide which lines share a rhythm; the second value gives the group of (section, line).

    Phrases that the lyrics come `after` are groups without members, before all others.
    """
    groups = [_Group("", [], bars=[phrase.bars], onsets=[phrase.onsets]) for phrase in after]
    group_of: dict[tuple[int, int], int] = {}
    by_words: dict[tuple[str, ...], int] = {}
    sizes: list[tuple[int, ...]] = [(0,)] * len(after)
    parallel: dict[tuple[Role, int], list[int]] = {}  # groups seen at a place of sections with this role

    def join(candidates: Sequence[int], slot: _Slot) -> int | None:
        for candidate in candidates:
            if sizes[candidate] == slot.sizes and _compatible(groups[candidate].members[0], slot.phrases):
                groups[candidate].members.append(slot.phrases)
                groups[candidate].closes = max(groups[candidate].closes, slot.closes)
                return candidate
        return None

    for slot in slots:
        seen = parallel.setdefault((slot.role, slot.line), [])
        found = by_words.get(slot.key)
        reference = seen[0] if seen else None
        if found is None:
            found = join(seen, slot)
        if found is None and not seen:
            # The first section of its role: lines answer the line two before, or else the one before (ABAB, AABB).
            partners = [group_of[slot.section, slot.line - back] for back in (2, 1) if slot.line >= back]
            chance = np.random.Generator(np.random.PCG64(seeds[slot.id] ^ 0x5EED)).random() if partners else 1.0
            if slot.line >= 2 and chance < _BY_HAND.share_within:
                found = join(partners[:1] if chance < 0.6 * _BY_HAND.share_within else partners, slot)
            if found is None and slot.line >= 2 and abs(sum(sizes[partners[0]]) - sum(slot.sizes)) <= 2:
                reference = partners[0]
        if reference is None and slot.line:
            reference = group_of[slot.section, slot.line - 1]
        if found is None:
            if reference is None and after:
                reference = slot.line % len(after)
            found = len(groups)
            groups.append(_Group(slot.id, [slot.phrases], reference, closes=slot.closes))
            sizes.append(slot.sizes)
        by_words.setdefault(slot.key, found)
        if len(seen) < _VARIANTS and found not in seen:
            seen.append(found)
        group_of[slot.section, slot.line] = found
    return groups, group_of


def _following(slots: Sequence[_Slot], group_of: Mapping[tuple[int, int], int]) -> dict[int, set[int | None]]:
    """Find the groups that follow each group inside sections; None where it ends one."""
    following: dict[int, set[int | None]] = {}
    for slot in slots:
        here, after = group_of[slot.section, slot.line], group_of.get((slot.section, slot.line + 1))
        following.setdefault(here, set()).add(after)
    return following


@cache
def _held_over(meter: Meter) -> Floats:
    """For every place and interval, by how much the strongest place inside the interval is stronger than its start."""
    bar = meter.bar_ticks // GRID
    strengths = [meter.strength(place * GRID) for place in range(bar)]
    inside = [
        [
            max([0, *(strengths[(place + t) % bar] - strengths[place] for t in range(1, interval))])
            for interval in INTERVALS
        ]
        for place in range(bar)
    ]
    return np.array(inside, dtype=np.float32)


def pickup_allowances(meter: Meter) -> tuple[int, ...]:
    """Return the pick-ups that lines may have, in sixteenths."""
    if meter.numerator == 2:
        return 0, 2, 4
    return (0, 2, 6) if meter.denominator == 8 else (0, 4, 8)


_STARTS = np.arange(START_LOW, START_LOW + NUM_STARTS)  # where lines may begin
_OF_PICKUPS = 0xA11  # beside the seed of a line: the draw of its pick-up
_LONGEST_GAP = 64  # sixteenths; a bar line and a half bar lie in any of them


@cache
def _strongest_within(meter: Meter) -> Ints:
    """Find the strongest place within a note, its first one left out: (place in the bar, length up to _LONGEST_GAP)."""
    bar = meter.bar_ticks // GRID
    strengths: Ints = np.array([meter.strength(place * GRID) for place in range(bar)])
    within = np.zeros((bar, _LONGEST_GAP + 1), dtype=np.int64)
    for length in range(2, _LONGEST_GAP + 1):
        within[:, length] = np.maximum(within[:, length - 1], strengths[(np.arange(bar) + length - 1) % bar])
    return within


class _Learned:
    """The learned scores of the phrases of a song in one metre and style, whatever its habits; each is found once."""

    def __init__(self, scorer: RhythmScorer, meter: Meter, style: int, config: SearchConfig) -> None:
        self.config = config
        self.scorer = scorer
        self.meter = meter
        self.style = style
        self.kind = meter_class(meter)
        self.bias: Floats = np.array(config.interval_bias[self.kind], dtype=np.float32)
        self.values: dict[tuple[LineFeatures, int, int], float] = {}  # see _Search.value
        self._starts: dict[tuple[LineFeatures, int], Floats] = {}
        self._arcs: dict[tuple[tuple[LineFeatures, ...], int, tuple[int, int]], tuple[Floats, Floats]] = {}

    def starts(self, phrase: LineFeatures, bars: int) -> Floats:
        """Score the places where a phrase of so many bars may begin, (NUM_STARTS,)."""
        found = self._starts.get((phrase, bars))
        if found is None:
            bar = scored_bar(self.meter)
            scored = bars * (self.meter.bar_ticks // GRID) // bar
            found = self._starts[phrase, bars] = self.scorer.starts(phrase, self.kind, self.style, scored, bar)
            found.flags.writeable = False
        return found

    def arcs(
        self, members: Sequence[LineFeatures], bars: int, room: tuple[int, int], grid: "_Grid"
    ) -> tuple[Floats, Floats]:
        """Score the intervals of phrases that are sung alike, [n - 1, K, D, B]: learned scores and word stress.

        The second array has the weights that follow from the scores at the temperature.
        """
        key = tuple(members), bars, room
        found = self._arcs.get(key)
        if found is None:
            if len(self._arcs) >= _KEPT:
                del self._arcs[next(iter(self._arcs))]
            arcs = self._score(members, grid)
            weights = np.exp(arcs / np.float32(self.config.temperature))
            arcs.flags.writeable = weights.flags.writeable = False  # all beginnings of the song share them
            found = self._arcs[key] = arcs, weights
        return found

    def _score(self, members: Sequence[LineFeatures], grid: "_Grid") -> Floats:
        assert grid.places is not None
        few = members[: self.config.joint]
        if len(members) == 1:
            arcs = self.scorer.intervals(members[0], self.kind, self.style, grid.places)
        else:
            scored = [self.scorer.intervals(member, self.kind, self.style, grid.places) for member in few]
            arcs = np.mean(scored, axis=0)
        stress = np.zeros_like(grid.held_over)  # [n - 1, B, K]
        weak_syncopated = self.config.weak_syncopated / len(members) * grid.held_over
        for member in members:
            weak = np.array([kind in _WEAK for kind in member.classes[:-1]])
            stress += weak_syncopated * weak[:, None, None]
        for member in members:
            for i, step in enumerate(_stress_steps(member)):
                if step:
                    np.minimum(stress[i], grid.against[step][i], out=stress[i])
        arcs += np.ascontiguousarray(np.swapaxes(stress, 1, 2))[:, :, None]
        arcs += np.swapaxes(_lengths(members), 1, 2)[..., None]
        return arcs


class _Search:
    """The search for the rhythms of a song with its habits."""

    def __init__(self, learned: _Learned) -> None:
        config, meter, style = learned.config, learned.meter, learned.style
        self.config = config
        self.learned = learned
        self.scorer = learned.scorer
        self.meter = meter
        self.style = style
        self.kind = learned.kind
        self.bar = meter.bar_ticks // GRID
        self.scored_bar = scored_bar(meter)
        self.strengths: Ints = np.array([meter.strength(place * GRID) for place in range(self.bar)])
        self.held_over = _held_over(meter)
        self.shortest = 1 if meter.numerator == 2 or meter.denominator == 8 else 2  # sixteenths in a melisma
        self.unit = 2 if meter.denominator == 8 else 4  # the notated beat
        self.breadth = config.breadth[self.kind]
        self.fits: dict[int, list[dict[int, float]]] = {}  # by group: how well its phrases fit numbers of bars
        self.manner: Manner | None = None  # of the song, once it is drawn
        self.ending_bias: Floats = np.array(config.ending_bias[self.kind], dtype=np.float32)
        self.ending_bias += np.array(config.ending_by_style[style], dtype=np.float32)
        self.ending_by_close: Floats = np.array(config.ending_by_close, dtype=np.float32)
        self.last_place: Floats = np.array(config.last_place[style], dtype=np.float32)
        self.manner_intervals: Floats = np.zeros((self.bar, len(INTERVALS)), dtype=np.float32)
        self.sung: Floats = np.zeros((self.bar, len(INTERVALS)), dtype=np.float32)  # how often, in this song
        self.own = 0.0  # weight of what was sung
        self.closing, self.syncopated = config.closing, config.syncopated[style]
        self.returning = 0.0
        self.bar_rhythms: set[tuple[int, ...]] = set()  # that the song has had
        self.rest_habit = config.rest_habit[style][0]
        self.pause_habit = 0.0
        self.held_lift = math.exp(config.held_lift[style])

    # --- what the whole song shares -----------------------------------------------------------------------------

    def pickup_allowance(self, lines: Sequence[tuple[LineFeatures, ...]]) -> int:
        """Choose the pick-up allowance P (sixteenths) that serves the lines best."""
        allowances = pickup_allowances(self.meter)
        scores = [-self.config.pickup_cost[self.style] * len(lines) * allowance / self.unit for allowance in allowances]
        for line in lines:
            bars = self._likely_bars(len(line[0].classes))
            starts = np.exp(self._starts([line[0]], bars))
            for index, allowance in enumerate(allowances):
                scores[index] += float(np.log(starts[-allowance - START_LOW :].sum() + 0.02))
        return allowances[int(np.argmax(scores))]

    def pickup_of(self, phrases: Sequence[PhraseRhythm]) -> int:
        """Return the pick-up allowance that a tune's own phrases have."""
        early = max(0, -min(phrase.onsets[0] for phrase in phrases if phrase.onsets))
        return min(-(-early // self.unit) * self.unit, self.bar - self.unit)

    def choose_pickups(
        self,
        groups: Sequence[_Group],
        first: int,
        following: Mapping[int, set[int | None]],
        pickup: int,
        seeds: Mapping[str, int],
    ) -> None:
        """Decide for every group from the `first` on whether it begins with a pick-up, of at most `pickup` sixteenths.

        What follows a section, or is not among the groups yet, has room for any pick-up.
        """
        allowances = [allowance for allowance in pickup_allowances(self.meter) if allowance <= pickup]
        if pickup not in allowances:
            allowances.append(pickup)  # of a tune that goes on
        for group in groups[first:]:
            reference = None if group.reference is None else groups[group.reference]
            chances = self._pickup_chances(group, allowances, None if reference is None else reference.early)
            chance = np.random.Generator(np.random.PCG64([seeds[group.leader], _OF_PICKUPS])).random()
            group.early = allowances[int((chances <= chance * chances[-1]).sum())]
            group.upbeat = group.early > 0
        # A line that has no time to spare at its end begins so much earlier.
        changed = True
        while changed:
            changed = False
            for number, group in enumerate(groups[first:], first):
                group.late = max(
                    groups[after].early or 0 if after is not None and after < len(groups) else pickup
                    for after in following[number]
                )
                if len(group.bars) == 1 and group.early is not None:
                    spare = group.bars[0] * self.bar - self._needed(len(group.members[0][0].classes))
                    needed = min(pickup, group.late - spare)
                    if group.early < needed:
                        group.early = min(allowance for allowance in allowances if allowance >= needed)
                        changed = True

    def _pickup_chances(self, group: _Group, allowances: Sequence[int], usual: int | None) -> NDArray[np.float64]:
        """Weigh the pick-ups that a group may have, added up; the `usual` one is that of the line that it follows."""
        config = self.config
        strength = self.strengths[_STARTS % self.bar]
        first = np.mean([_UNARY[member[0].classes[0]] for member in group.members])
        scores = self._starts([member[0] for member in group.members[: config.joint]], group.bars[0])
        scores = scores + (strength >= 4) * first + config.downbeat * (strength == 5)
        weights = []
        for bias, shorter, allowance in zip(
            config.pickup_bias[self.style], (-NUM_STARTS, *allowances), allowances, strict=False
        ):
            weight = np.logaddexp.reduce(scores[(_STARTS >= -allowance) & (_STARTS < -shorter)])
            weights.append(weight + bias + (config.keep_onset[self.style] if allowance == usual else 0.0))
        return np.cumsum(np.exp(np.array(weights) - max(weights)))

    def bars_score(self, syllables: int, bars: int) -> float:
        """Log probability of a number of bars for a line of so many syllables."""
        scored = bars * self.bar // self.scored_bar
        if scored > MAX_BARS:
            return -8.0 - abs(syllables / (2 * bars) - 2)
        table = self.scorer.weights["bars"][self.style, self.kind, min(syllables, MAX_LINE)]
        return float(table[scored - 1])

    def draw_manner(
        self, rng: np.random.Generator, lengths: Sequence[int], known: Sequence[Sequence[int]] = ()
    ) -> None:
        """Draw what all lines of the song share: its manner of rhythm, and whether breaths are written as rests.

        The manner suits the style and lines of such `lengths` (syllables); if there are `known` phrases, it is theirs.
        """
        manners = load_manners(self.kind)
        noise = rng.gumbel(size=len(manners.manners))
        usual, spread = self.config.rest_habit[self.style]
        rests = float(rng.normal())
        self.rest_habit = usual + spread * rests
        self.pause_habit = self.config.pause_habit[0] + self.config.pause_habit[1] * rests
        self.held_lift = math.exp(self.config.held_lift[self.style] + self.config.held_spread * float(rng.normal()))
        if rng.random() < self.config.held_never[self.style]:
            self.held_lift = 0.0
        self.closing += self.config.closing_spread * float(rng.normal())
        self.breadth += self.config.breadth_spread * float(rng.normal())
        self.syncopated += self.config.syncopated_spread[self.style] * float(rng.normal())
        self.syncopated = min(self.config.most_syncopated, self.syncopated)
        own, returning = self.config.own[self.style], self.config.returning[self.style]
        self.own = max(0.0, own + self.config.own_spread * float(rng.normal()))
        self.returning = max(0.0, returning + self.config.returning_spread * float(rng.normal()))
        if any(known):
            self.manner = manners.of_rhythm(known, self.style, self.scored_bar)
        else:
            scores = np.log(manners.shares[self.style]) + noise + self._suits(manners.manners, lengths)
            self.manner = manners.manners[int(np.argmax(scores))]
        self.manner_intervals = self.config.manner * self.manner.intervals[np.arange(self.bar) % self.scored_bar]
        for onsets in known:
            self._remember(onsets)

    def _remember(self, onsets: Sequence[int]) -> None:
        """Keep the intervals of a phrase by their places in the bar: the song goes on as it began."""
        for here, following in pairwise(onsets):
            if following - here in INTERVAL_CLASS:
                self.sung[here % self.bar, INTERVAL_CLASS[following - here]] += 1
        self.bar_rhythms.update(self._bars_of(onsets))

    def _bars_of(self, onsets: Sequence[int]) -> list[tuple[int, ...]]:
        """Places of the onsets in each bar but the pick-up and the last one, which the next line may fill."""
        rhythms: list[list[int]] = [[] for _ in range(onsets[-1] // self.bar)]
        for onset in onsets:
            if 0 <= onset // self.bar < len(rhythms):
                rhythms[onset // self.bar].append(onset % self.bar)
        return [tuple(rhythm) for rhythm in rhythms]

    def _returns(self, onsets: Sequence[int]) -> float:
        """Count the bars whose rhythm was there before: two bars earlier in the line, or elsewhere in the song."""
        rhythms = self._bars_of(onsets)
        count = 0.0
        for number, rhythm in enumerate(rhythms):
            if number >= 2 and rhythm == rhythms[number - 2]:
                count += 1
            elif rhythm in self.bar_rhythms:
                count += 0.6
        return count

    def wishes(self) -> Floats:
        """Score intervals by the place in the bar where they begin, (bar, K): metre, manner, and the song so far."""
        share = self.sung / np.maximum(self.sung.sum(axis=1, keepdims=True), 1)
        result: Floats = self.learned.bias + self.manner_intervals + self.own * share
        return result

    def _suits(self, manners: Sequence[Manner], lengths: Sequence[int]) -> Floats:
        """Say how well each manner's density suits lines of so many syllables, in nats per line."""
        ratio = self.bar / self.scored_bar
        total: Floats = np.zeros(len(manners), dtype=np.float32)
        for syllables, count in Counter(lengths).items():
            bars = [(bars, self.bars_score(syllables, bars)) for bars in _LIKING if self._fits(syllables, bars)]
            for index, manner in enumerate(manners):
                ways = [score + manner.suits(syllables, n * ratio) for n, score in bars]
                total[index] += count * np.logaddexp.reduce(ways)
        return total / np.float32(max(1, len(lengths)))

    def _bars(self, syllables: int) -> dict[int, float]:
        """Numbers of bars with room for the syllables, with their log probability and our liking for even phrases."""
        ratio = self.bar / self.scored_bar
        return {
            bars: liking
            + self.bars_score(syllables, bars)
            + self.breadth * math.log2(bars)
            + (0.0 if self.manner is None else self.config.density * self.manner.suits(syllables, bars * ratio))
            for bars, liking in _LIKING.items()
            if self._fits(syllables, bars)
        }

    def _likely_bars(self, syllables: int) -> int:
        scores = self._bars(syllables)
        return max(scores, key=lambda bars: scores[bars])

    def _fit_bars(self, phrase: LineFeatures, pickup: int) -> dict[int, float]:
        """Score the likely numbers of bars by how often singers use them and how well the phrase is sung in them."""
        scores = self._bars(len(phrase.classes))
        best = max(scores.values())
        near = [bars for bars, score in scores.items() if score >= best - self.config.bars_margin]
        if len(near) == 1:
            return {near[0]: 0.0}
        return {bars: scores[bars] + self.config.bars_fit * self.value(phrase, bars, pickup) for bars in near}

    def _fits(self, syllables: int, bars: int) -> bool:
        """Whether the syllables have room, on average an eighth each (in 2/4 less), but no bars of silence."""
        window = bars * self.bar
        if bars > 1 and window > max(32, 7 * syllables + 12):
            return False
        return self._needed(syllables) <= window or bars == 8

    def _needed(self, syllables: int) -> int:
        """Count the sixteenths that a phrase needs at least."""
        return 2 + (3 * syllables // 2 if self.meter.numerator == 2 else 2 * syllables)

    def choose_bars(
        self, slots: Sequence[_Slot], groups: Sequence[_Group], group_of: Mapping[tuple[int, int], int], pickup: int
    ) -> None:
        """Give every phrase of every group its number of bars; lines of a section are of one length where they can."""
        sections: dict[int, list[int]] = {}
        for slot in slots:
            sections.setdefault(slot.section, []).append(group_of[slot.section, slot.line])
        fits = self.fits
        for members in sections.values():
            fresh = [index for index in dict.fromkeys(members) if not groups[index].bars]
            for index in fresh:
                fits[index] = [self._fit_bars(phrase, pickup) for phrase in groups[index].members[0]]
            single = [index for index in members if len(groups[index].members[0]) == 1]
            # The section's usual length: a line for which it is not likely pays the whole loyalty.
            worth: dict[int, float] = {}
            for bars in sorted({bars for index in single for bars in fits[index][0]}, reverse=True):
                losses = (max(fits[i][0].values()) - fits[i][0].get(bars, -math.inf) for i in single)
                worth[bars] = -sum(min(loss, self.config.bars_loyalty[self.style]) for loss in losses)
            usual = max(worth, key=worth.__getitem__, default=0)
            for index in fresh:
                group = groups[index]
                group.bars = [max(fit, key=fit.__getitem__) for fit in fits[index]]
                reference = None if group.reference is None else groups[group.reference].bars
                wanted = reference[0] if reference else usual
                syllables = len(group.members[0][0].classes)
                if len(group.bars) == 1 and self._fits(syllables, wanted):
                    fit = fits[index][0]
                    loss = fit[group.bars[0]] - fit[wanted] if wanted in fit else self._loss(syllables, wanted)
                    if loss < self.config.bars_loyalty[self.style]:
                        group.bars = [wanted]

    def _loss(self, syllables: int, bars: int) -> float:
        """How much less likely a number of bars is than the likeliest."""
        scores = self._bars(syllables)
        return max(scores.values()) - scores.get(bars, -math.inf)

    # --- one line -------------------------------------------------------------------------------------------------

    def _starts(self, members: Sequence[LineFeatures], bars: int) -> Floats:
        each = [self.learned.starts(member, bars) for member in members]
        result: Floats = np.mean(each, axis=0) if len(each) > 1 else each[0]
        if self.manner is not None:
            result = result + self.config.manner * self.manner.starts
        return result

    def solve(self, group: _Group, reference: _Group | None, pickup: int, rng: np.random.Generator) -> None:
        """Find the rhythm of a group."""
        compound = self.meter.denominator == 8
        for index, bars in enumerate(group.bars):
            members = [member[index] for member in group.members]
            model = None
            if reference is not None and index < len(reference.onsets) and reference.bars[index] == bars:
                model = reference.onsets[index]
            room = group.room(index, pickup)
            upbeat = group.upbeat and index == 0
            onsets = self._sample(_Lattice(self, members, bars, room, model, group.closes, upbeat), rng)
            lengths = note_lengths(
                members, onsets, compound=compound, tables=self.scorer.tables, habit=self.pause_habit, rng=rng
            )
            self._remember(onsets)
            group.onsets.append(onsets)
            group.pieces.append(
                divide(
                    members,
                    lengths,
                    compound=compound,
                    tables=self.scorer.tables,
                    rng=rng,
                    lift=self.held_lift,
                    shortest=self.shortest,
                )
            )
            group.endings.append(draw_ending(rng))

    def last_pieces(self, group: _Group, index: int, gap: int, hold: bool = False) -> tuple[int, ...]:
        """Divide the time of a phrase's last syllable, if so many sixteenths go by before the next phrase."""
        compound, tables, ending = self.meter.denominator == 8, self.scorer.tables, group.endings[index]
        if group.members[0][index].follows[-1] == INSIDE:
            length = gap  # a word longer than a phrase is not broken by a breath
        elif hold:
            length = min(gap, LONGEST_LAST)
        else:
            length = last_length(gap, ending, self.rest_habit, compound=compound, tables=tables)
        if group.pieces[index] and len(group.pieces[index][-1]) > 1:
            return (length,)
        return divide_last(
            length, ending, compound=compound, tables=tables, lift=self.held_lift, shortest=self.shortest
        )

    def value(self, phrase: LineFeatures, bars: int, pickup: int) -> float:
        """Score of (nearly) the best rhythm, whatever the habits of the song."""
        values, key = self.learned.values, (phrase, bars, pickup)
        if key not in values:
            lattice = _Lattice(_Search(self.learned), [phrase], bars, (pickup, pickup), None)
            temperature = 0.05
            value, _ = lattice.backward(temperature)
            first = lattice.first + value
            top = first.max()
            values[key] = float(top + temperature * np.log(np.exp((first - top) / temperature).sum()))
        return values[key]

    def _sample(self, lattice: "_Lattice", rng: np.random.Generator) -> tuple[int, ...]:
        drawn = self._draw(lattice, self.config.candidates if self.returning else 1, rng)
        if len(drawn) > 1 and drawn[0][-1] >= self.bar:
            worth = np.array([self.returning * self._returns(onsets) for onsets in drawn])
            return drawn[int(np.argmax(worth + rng.gumbel(size=len(drawn))))]
        return drawn[0]

    def _draw(self, lattice: "_Lattice", count: int, rng: np.random.Generator) -> list[tuple[int, ...]]:
        """Draw rhythms."""
        first, steps = lattice.weights(self.config.temperature)
        chances = rng.random((len(steps) + 1, count))
        places = _choose(np.repeat(first[:, None], count, axis=1), chances[0])
        onsets = [lattice.times[0, places]]
        previous = np.zeros(count, dtype=np.int64)
        for i, step in enumerate(steps):
            choices = _choose(step[:, previous, places], chances[i + 1])
            onsets.append(onsets[-1] + _INTERVALS[choices])
            previous = _PREVIOUS[choices]
            places = onsets[-1] - lattice.times[i + 1, 0]
        return [tuple(column) for column in np.array(onsets).T.tolist()]


def _choose(weights: Floats, chances: NDArray[np.float64]) -> Ints:
    """Draw a row of every column, (rows, columns), by its weights."""
    below = np.cumsum(weights, axis=0, dtype=np.float64)
    chosen: Ints = (below <= chances * below[-1]).sum(axis=0)
    return np.minimum(chosen, len(weights) - 1)


_UNARY = np.zeros(NUM_CLASSES, dtype=np.float32)
_UNARY[list(FUNCTION_CLASSES)] = _BY_HAND.function_on_strong
_UNARY[FUNCTION_WEAK] = _BY_HAND.article_on_strong
_UNARY[[CONTENT_WEAK, CONTENT]] = _BY_HAND.content_on_strong
_UNARY[[PRIMARY]] = _BY_HAND.stressed_on_strong
_UNARY[[BEFORE_STRESS, AFTER_STRESS]] = _BY_HAND.unstressed_on_strong
_PREVIOUS = np.array(PREVIOUS_OF_INTERVAL)
_INTERVALS = np.array(INTERVALS)
_WEAK = (*FUNCTION_CLASSES, BEFORE_STRESS, AFTER_STRESS)
_STRONG = (CONTENT_WEAK, CONTENT, PRIMARY, SECONDARY)
# For a weak syllable: by the class of the interval before, whether each of INTERVALS is longer than that interval.
_LONGER = np.array([[interval > before for interval in INTERVALS] for before in (99, 1, 2, 3, 4, 6, 99)])
_BEYOND = np.log2(np.maximum(INTERVALS, 4) / np.float32(4)).astype(np.float32)


class _Lattice:
    """All rhythms of some lines of equal length in a window of bars, with their scores."""

    def __init__(
        self,
        search: _Search,
        members: Sequence[LineFeatures],
        bars: int,
        room: tuple[int, int],
        reference: tuple[int, ...] | None,
        closes: int = 0,
        upbeat: bool = False,
    ) -> None:
        """Lay it out; `room` is that of `_Group`, and an `upbeat` begins before the bar line."""
        n = len(members[0].classes)
        end = bars * search.bar - room[1]
        grid = _grid(search.meter, n, bars, room, search.config.stress_equal, search.config.stress_reversed)
        self.times, legal = grid.times, grid.legal
        unary = np.mean([_UNARY[list(member.classes)] for member in members], axis=0)
        if upbeat:
            legal = legal.copy()
            legal[0] &= self.times[0] < 0
        self.unary: Floats = np.where(
            legal, grid.strong * unary[:, None] + search.config.downbeat * grid.first_beat, _NEVER
        ).astype(np.float32)
        if reference is not None:
            self.unary += search.config.keep_onset[search.style] * np.isin(self.times, reference)
        ending_bias = search.ending_bias
        if closes:
            ending_bias = ending_bias + search.ending_by_close[max(0, closes)]
        last = self.unary[-1]  # a view
        last += ending_bias[grid.ending]
        last += search.last_place[grid.last_place]
        last += search.config.last_syncopated[search.style] * grid.crossing
        last += search.config.overlong * grid.overlong
        if closes:
            weight = min(closes, 1) * search.closing
            last += weight * np.log2(np.clip((end - self.times[-1]) / 8, 0.25, 1.5 * search.bar / 8))

        if closes == 2:
            last += search.config.last_downbeat * grid.first_beat[-1]

        starts = search._starts(members[: search.config.joint], bars)
        offset = self.times[0] - START_LOW
        known = (offset >= 0) & (offset < NUM_STARTS)
        self.first: Floats = self.unary[0] + np.where(known, starts[np.clip(offset, 0, NUM_STARTS - 1)], _NEVER)
        if n == 1:
            return
        # What the habits of the song say depends on nothing but the place in the bar.
        wishes = search.wishes() + search.syncopated * search.held_over  # [places, K]
        self.wishes: Floats = np.swapaxes(wishes[grid.place], 1, 2)  # [n - 1, K, B]
        self.arcs, self.arc_weights = search.learned.arcs(members, bars, room, grid)
        self.inside, self.target = grid.inside, grid.target

    def backward(self, temperature: float) -> tuple[Floats, list[Floats]]:
        """Soft maximum over all continuations: for the first syllable by place [B], and for every step [K, D, B]."""
        n = len(self.times)
        if n == 1:
            return np.zeros_like(self.first), []
        value = np.repeat(self.unary[-1][None], 7, axis=0)  # [D, B]
        steps: list[Floats] = []
        for i in range(n - 2, -1, -1):
            ahead = np.where(self.inside[i], value.reshape(-1).take(self.target[i]), _NEVER)  # [K, B]
            step = self.arcs[i] + (ahead + self.wishes[i])[:, None]
            steps.append(step)
            top = step.max(axis=0)
            soft = step - top
            soft /= temperature
            value = top + temperature * np.log(np.exp(soft, out=soft).sum(axis=0))
            if i:
                value = value + self.unary[i]
        return value[0], steps[::-1]

    def weights(self, temperature: float) -> tuple[Floats, list[Floats]]:
        """Weights of all ways to begin, by place [B], and to go on, for every step [K, D, B].

        They are what `backward` finds, as exponentials, up to a factor for each step: sums of products need no
        logarithms. Where nothing but the forbidden is left they are all too small, and `backward` is asked.
        """
        n = len(self.times)
        steps: list[Floats] = []
        fits = np.exp((self.unary - self.unary.max(axis=1, keepdims=True)) / temperature)
        value = np.repeat(fits[-1][None], 7, axis=0)  # [D, B]
        if n > 1:
            wished = np.exp(self.wishes / np.float32(temperature))
            wished *= self.inside
        for i in range(n - 2, -1, -1):
            ahead = value.reshape(-1).take(self.target[i])
            ahead *= wished[i]
            step = self.arc_weights[i] * ahead[:, None]
            steps.append(step)
            value = step.sum(axis=0)
            if i:
                value *= fits[i]
            top = value.max()
            if top < _SMALLEST:
                break
            value /= top
        first = np.exp((self.first - self.first.max()) / temperature)
        if n > 1:
            first = first * value[0]
        if len(steps) == n - 1 and first.max() >= _SMALLEST:
            return first, steps[::-1]
        values, scores = self.backward(temperature)
        scores = [self.first + values, *scores]
        found = [np.exp((score - score.max(axis=0)) / temperature) for score in scores]
        return found[0], found[1:]


class _Grid(NamedTuple):
    """The candidate onsets of n syllables in a window of bars, and what is known of them whatever the words."""

    times: Ints  # [n, B]
    strengths: Ints  # [n, B]
    legal: Bools  # [n, B]
    strong: Bools  # [n, B]
    first_beat: Bools  # [n, B]
    place: Ints  # [n - 1, B]: in the bar
    # Of the last syllable, [B]: its class among endings, that of its beat, whether it is held across a stronger place,
    # and by how many bars it is too long.
    ending: Ints
    last_place: Ints
    crossing: Bools
    overlong: Floats
    places: Places | None  # of all syllables but the last
    held_over: Floats  # [n - 1, B, K]
    against: dict[int, Floats]  # by the direction of a step in stress, [n - 1, B, K]: what it costs
    inside: Bools  # [n - 1, K, B]: whether an interval lands on a candidate of the next syllable
    target: Ints  # [n - 1, K, B]: on which, as a place in an array [D, B]


@lru_cache(32)  # songs have lines of few lengths; 100 to 200 kB each
def _grid(meter: Meter, n: int, bars: int, room: tuple[int, int], stress_equal: float, stress_reversed: float) -> _Grid:
    (early, late), bar = room, meter.bar_ticks // GRID
    end = bars * bar - late
    times = _candidate_times(n, -early, end)
    levels: Ints = np.array([meter.strength(place * GRID) for place in range(bar)])
    strengths = levels[times % bar]
    # A syllable leaves room for those after it: a sixteenth each, and an eighth for the last.
    legal = (times >= -early) & (times + np.arange(n, 0, -1)[:, None] + 1 <= end)
    landing = times[:-1, :, None] + np.array(INTERVALS)
    change = levels[landing % bar] - strengths[:-1, :, None]
    against = {}
    for direction in (1, -1):
        rise = -direction * change  # > 0: the stressed syllable is the stronger one
        cost = np.where(rise > 0, 0, np.where(rise == 0, stress_equal, stress_reversed))
        against[direction] = cost.astype(np.float32)
    candidate = np.swapaxes(landing - times[1:, :1, None], 1, 2)
    width = times.shape[1]
    inside = (candidate >= 0) & (candidate < width)
    target = np.where(inside, candidate, 0) + _PREVIOUS[:, None] * width
    places = load_scorer().places(meter_class(meter), scored_bar(meter), end, times[:-1]) if n > 1 else None
    gap = end - times[-1]
    grid = _Grid(
        times=times,
        strengths=strengths,
        legal=legal,
        strong=strengths >= 4,
        first_beat=strengths == 5,
        place=times[:-1] % bar,
        ending=np.searchsorted(ENDING_EDGES, gap, side="right"),
        last_place=np.minimum(5 - strengths[-1], 2),
        crossing=_strongest_within(meter)[times[-1] % bar, np.minimum(gap, _LONGEST_GAP)] > strengths[-1],
        overlong=(np.maximum(0, gap - max(_LONG_END, 1.75 * bar)) / bar).astype(np.float32),
        places=places,
        held_over=_held_over(meter)[times[:-1] % bar],
        against=against,
        inside=inside,
        target=target,
    )
    for array in (*(part for part in grid if isinstance(part, np.ndarray)), *against.values()):
        array.flags.writeable = False  # all songs share them
    return grid


def _lengths(members: Sequence[LineFeatures]) -> Floats:
    """Mean cost of weak syllables that are held: [n - 1, NUM_PREVIOUS, K]."""
    kinds = [[_holding(member, i) for i in range(len(member.classes) - 1)] for member in members]
    result: Floats = _held_costs()[kinds].mean(axis=0)
    return result


def _holding(member: LineFeatures, i: int) -> int:
    """Row of `_held_costs` for a syllable."""
    if member.classes[i] not in _WEAK or member.follows[i] >= COMMA:
        return 0
    after = 0 if i == 0 else 2 if member.classes[i - 1] in _STRONG else 1
    return 1 + after + 3 * (member.classes[i] == FUNCTION_WEAK)


@cache
def _held_costs() -> Floats:
    """Cost of holding a syllable, (7, NUM_PREVIOUS, K).

    Rows: one that is not weak; then, for other words and for articles, the first one, one after a weak one, one after a
    strong one.
    """
    costs = [np.zeros(_LONGER.shape)]
    for articles in (1, 2):
        long = _BY_HAND.weak_long * articles * _BEYOND
        costs += [long + _BY_HAND.weak_longer * after * _LONGER for after in (0.0, 0.5, 1.0)]
    return np.array(costs, dtype=np.float32)


def _candidate_times(n: int, start: int, end: int) -> Ints:
    """Candidate onsets: for each of n syllables a band of sixteenths around an even pace, shape [n, B]."""
    width = min(_BAND, end - start)
    if n == 1:
        lows = np.array([start])
    else:
        pace = np.linspace(0, max(n - 1, end - min(8, (end - start) // 4)), n)
        lows = np.clip(np.round(pace).astype(np.int64) - width // 2, start, end - width)
    return lows[:, None] + np.arange(width)


def stretches_of(rhythm: Rhythm) -> list[Stretch]:
    """Cut a rhythm into the stretches that the critic judges."""
    notes = [note for line in rhythm.lines for note in line.notes]
    begins, count = [], 0
    for line in rhythm.lines:
        if line.notes:
            begins.append(count)
        count += len(line.notes)
    return cut_stretches(
        [(note.onset - rhythm.pickup) // GRID for note in notes],
        [note.duration // GRID for note in notes],
        [note.held for note in notes],
        begins,
        rhythm.meter.bar_ticks // GRID,
    )


@dataclass(slots=True)
class _Placed:
    """A line at its place in the song; times in ticks."""

    section: int
    line: int
    group: int
    starts: list[int]  # the first bar line of each phrase
    end: int  # the first bar line of what follows


def _lay_out(
    lyrics: Lyrics,
    search: _Search,
    pickup: int,
    groups: Sequence[_Group],
    group_of: Mapping[tuple[int, int], int],
    num_before: int = 0,
) -> Rhythm:
    """Put the groups' rhythms into the song, in ticks; the first `num_before` groups are not part of it."""
    meter = search.meter
    numbers = {section.id: index for index, section in enumerate(lyrics.sections)}
    first_bar_line = 0
    if lyrics.sections and lyrics.sections[0].lines:
        unit = TICKS_PER_BEAT * 4 // meter.denominator
        early = -min(0, groups[group_of[0, 0]].onsets[0][0]) * GRID
        first_bar_line = -(-early // unit) * unit
    cursor = first_bar_line
    placed: list[_Placed] = []
    sections: list[SectionSpan] = []
    for number, section in enumerate(lyrics.sections):
        start = cursor
        source = number if section.repeat_of is None else numbers[section.repeat_of]
        for index in range(len(section.lines)):
            group_number = group_of[source, index]
            starts = []
            for bars in groups[group_number].bars:
                starts.append(cursor)
                cursor += bars * meter.bar_ticks
            placed.append(_Placed(number, index, group_number, starts, cursor))
        if not section.lines:
            cursor += BARS_WITHOUT_LINES.get(section.role, 8) * meter.bar_ticks
        sections.append(SectionSpan(number, start, cursor))

    # A line's stretch of time ends where the next line begins, if that is later than the pick-up allowance, but not
    # after the bar line. So a last note can be held until then.
    stretches: list[int] = []
    for number, here in enumerate(placed):
        stretches.append(here.end - pickup * GRID)
        if number + 1 < len(placed) and placed[number + 1].starts[0] == here.end:
            stretches[-1] = here.end + GRID * min(0, groups[placed[number + 1].group].onsets[0][0])
    # Of each line's phrases: sixteenths from the last onset to what follows.
    shortest: dict[tuple[int, tuple[str, ...]], list[int]] = {}  # the same words are sung alike everywhere
    keys = [
        (line.group, tuple(word.text for word in lyrics.sections[line.section].lines[line.line].words))
        for line in placed
    ]
    for line, key, stretch in zip(placed, keys, stretches, strict=True):
        onsets = groups[line.group].onsets
        begins = [start + GRID * phrase[0] for start, phrase in zip(line.starts, onsets, strict=True)]
        ends = (*begins[1:], stretch)
        left = [
            (end - start) // GRID - phrase[-1] for end, start, phrase in zip(ends, line.starts, onsets, strict=True)
        ]
        shortest[key] = list(map(min, left, shortest.get(key, left)))

    lines: list[LineRhythm] = []
    first_of_group: dict[int, int] = {}
    line_start = max(0, first_bar_line - pickup * GRID)
    for line, key, stretch in zip(placed, keys, stretches, strict=True):
        group = groups[line.group]
        follows = first_of_group.setdefault(line.group, len(lines))
        followed: int | None = follows
        if follows == len(lines):
            inside = group.reference is not None and group.reference >= num_before
            followed = first_of_group[group.reference] if inside and group.reference is not None else None
        start = max(line_start, line.starts[0] - pickup * GRID)
        notes = tuple(_notes(search, group, line.starts, shortest[key], final=key == keys[-1]))
        lines.append(LineRhythm(line.section, line.line, start, stretch, notes, followed))
        line_start = stretch
    return Rhythm(meter, first_bar_line, tuple(lines), tuple(sections), cursor)


assert INTERVAL_CLASS[INTERVALS[0]] == 0
