"""Repeat signs written out: the rows of a song (one a verse) become one row, as it is sung from beginning to end.

Sources write repeats in two ways. MusicXML and ABC name the first and the last bar of what is repeated, and endings;
LilyPond (`REP`, `REPEND`) names the bar where it begins and the bar after it. The first time round sings the words of
verse 1, the second those of verse 2, and so on; where a verse has no words, as under a refrain that is printed once,
verse 1 lends its own. A tune with one repeat and four verses is sung four times.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

_NOTE_COLUMNS = ("pitch", "onset", "dur", "measure", "beat", "syllable", "syllabic", "line_id", "section_id")
_MOST_PASSES = 12
_LINES = 10_000  # added to the numbers of lines each time round, so that no line goes on in its own repetition


class RepeatError(ValueError):
    """Repeat signs that cannot be written out; the message names the reason in a few words."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bars that are sung without a jump: first bar, bar after the last, and which time round it is (from 0)."""

    first: int
    stop: int
    times: int


@dataclass(frozen=True, slots=True)
class _Repeat:
    first: int
    stop: int
    endings: tuple[tuple[int, int, frozenset[int]], ...] = ()  # first bar, bar after the last, times round (from 1)


def _signs(repeats: Iterable[str]) -> list[tuple[int, str]]:
    pairs = dict.fromkeys(repeats)  # every voice of a score writes its own
    return [(int(bar), kind) for bar, kind in (sign.split(":", 1) for sign in pairs)]


def _read(repeats: Iterable[str], last_bar: int, first_bar: int) -> list[_Repeat]:
    """Find what is repeated, in order; RepeatError where the signs do not go together."""
    begin = first_bar
    found: list[_Repeat] = []
    endings: dict[str, list[int]] = {}
    for bar, kind in _signs(repeats):
        match = re.fullmatch(r"ending-(start|stop|discontinue)-([\d, ]+)", kind)
        if match:
            where, numbers = match.groups()
            endings.setdefault(numbers, []).append(bar if where == "start" else bar + 1)
        elif kind in ("repeat-forward", "|:", "REP"):
            begin = bar
        elif kind in ("repeat-backward", ":|", ":|:", "REPEND"):
            stop = bar if kind == "REPEND" else bar + 1
            if stop <= begin or (found and begin < found[-1].stop):
                raise RepeatError("repeats overlap")
            found.append(_Repeat(begin, stop))
            begin = stop
        else:
            raise RepeatError(f"unknown sign {kind}")
    if any(len(bars) != 2 or bars[0] >= bars[1] for bars in endings.values()):
        raise RepeatError("endings without beginning or end")
    if endings:
        if len(found) != 1:
            raise RepeatError("endings of more than one repeat")
        spans = sorted(
            (first, stop, frozenset(int(n) for n in re.findall(r"\d+", numbers)))
            for numbers, (first, stop) in endings.items()
        )
        found = [_Repeat(found[0].first, found[0].stop, tuple(spans))]
    if found and found[-1].stop > last_bar + 1:
        raise RepeatError("repeat after the end")
    return found


def stretches(repeats: Sequence[str], first_bar: int, last_bar: int, num_verses: int) -> list[Stretch]:
    """Return the bars in the order in which they are sung, from `first_bar` to `last_bar` inclusive.

    A repeat is sung as often as there are verses, at least twice, or as often as its endings say.
    """
    out: list[Stretch] = []
    at = first_bar
    for repeat in _read(repeats, last_bar, first_bar):
        if repeat.first > at:
            out.append(Stretch(at, repeat.first, 0))
        at = repeat.stop
        if not repeat.endings:
            for times in range(min(_MOST_PASSES, max(2, num_verses))):
                out.append(Stretch(repeat.first, repeat.stop, times))
            continue
        begin = repeat.endings[0][0]
        num_times = max(max(numbers) for _, _, numbers in repeat.endings)
        if num_times > _MOST_PASSES or begin <= repeat.first:
            raise RepeatError("endings that leave nothing to repeat")
        for times in range(num_times):
            ending = next((e for e in repeat.endings if times + 1 in e[2]), None)
            if ending is None:
                raise RepeatError("an ending is missing")
            out += [Stretch(repeat.first, begin, times), Stretch(ending[0], ending[1], times)]
        at = max(stop for _, stop, _ in repeat.endings)
    if at <= last_bar:
        out.append(Stretch(at, last_bar + 1, 0))
    return out


def unroll(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Join the verses of a song with repeat signs in one row of the same columns, without repeats.

    `rows` are the verses of one part of one song in order: they share their notes. RepeatError where the signs do not
    go together, or where the verses do not share their notes.
    """
    first = rows[0]
    if any(row["pitch"] != first["pitch"] or row["onset"] != first["onset"] for row in rows):
        raise RepeatError("verses with different notes")
    bars = first["measure"]
    if list(bars) != sorted(bars):
        raise RepeatError("bars out of order")
    lilypond = any(sign.endswith(("REP", "REPEND")) for sign in first["repeats"])
    begin = min(bars[0], 1) if lilypond else 0
    order = stretches(first["repeats"], begin, bars[-1], len(rows))
    starts: dict[int, float] = {}
    for onset, bar, beat in zip(first["onset"], bars, first["beat"], strict=True):
        starts.setdefault(bar, max(0.0, onset - beat))
    end = first["onset"][-1] + first["dur"][-1]

    def time_of(bar: int) -> float:
        later = [b for b in starts if b >= bar]
        return starts[min(later)] if later else end

    out: dict[str, list[Any]] = {name: [] for name in _NOTE_COLUMNS}
    chord_onset: list[float] = []
    chord: list[str] = []
    now = 0.0
    for number, stretch in enumerate(order):
        since, until = time_of(stretch.first), time_of(stretch.stop)
        row = rows[min(stretch.times, len(rows) - 1)]
        for i, bar in enumerate(bars):
            if not stretch.first <= bar < stretch.stop:
                continue
            words = row if row["syllabic"][i] or stretch.times >= len(rows) else first
            for name in ("pitch", "dur", "beat"):
                out[name].append(first[name][i])
            out["measure"].append(number * _LINES + bar)
            out["onset"].append(first["onset"][i] - since + now)
            for name in ("syllable", "syllabic"):
                out[name].append(words[name][i])
            for name in ("line_id", "section_id"):
                value = words[name][i]
                out[name].append(value if value < 0 else value + number * _LINES)
        for onset, symbol in zip(first["chord_onset"], first["chord"], strict=True):
            if since <= onset < until:
                chord_onset.append(onset - since + now)
                chord.append(symbol)
        now += until - since
    return first | out | {
        "verse": "+".join(str(row["verse"]) for row in rows),
        "chord_onset": chord_onset,
        "chord": chord,
        "repeats": [],
        "lines": None,
        "n_notes": len(out["pitch"]),
        "n_syllables": sum(1 for syllabic in out["syllabic"] if syllabic),
    }  # fmt: skip
