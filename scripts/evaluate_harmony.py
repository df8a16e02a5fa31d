"""Judge the chords: `python scripts/evaluate_harmony.py songs_open.parquet`.

Prints how often inferred roots equal the given ones on held-out lead sheets, and, for plans of made-up forms, the
cadences and the overlap of the chords with those of lead sheets. The floor is chords drawn evenly from the seven triads
of the key, the ceiling two halves of the lead sheets.
"""

import argparse
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from align.corpus import CorpusSong, read_corpus
from align.meter import Meter
from align.rhythm import LineRhythm, Rhythm, RhythmNote, SectionSpan
from lyrics.document import Line, Lyrics, Role, Section, Syllable, Word
from melody.chord_model import chord_of, state_of
from melody.corpus import song_key
from melody.distances import overlap
from melody.harmony import decode_chords, infer_chords, plan_chords, song_units
from melody.theory import Chord, ChordSpan, Key

FORM = (Role.VERSE, Role.CHORUS, Role.VERSE, Role.CHORUS, Role.BRIDGE, Role.CHORUS)
TRIADS = (0, 2 * 4 + 1, 4 * 4 + 1, 5 * 4, 7 * 4, 9 * 4 + 1, 11 * 4 + 3)


def sheet_song(meter: Meter, line_bars: int, num_lines: int = 4) -> tuple[Lyrics, Rhythm]:
    """Make lyrics of even lines and a rhythm in which each line's last note begins with its last bar."""
    word = Word("la", "la", 0, (Syllable("la", ("L", "AA1"), 1),), True)
    sections: list[Section] = []
    lines: list[LineRhythm] = []
    spans: list[SectionSpan] = []
    for number, role in enumerate(FORM):
        start = len(lines) * line_bars * meter.bar_ticks
        for index in range(num_lines):
            onset = start + index * line_bars * meter.bar_ticks
            last = onset + (line_bars - 1) * meter.bar_ticks
            notes = (RhythmNote(last, meter.bar_ticks, 0),)
            lines.append(LineRhythm(number, index, onset, last + meter.bar_ticks, notes))
        spans.append(SectionSpan(number, start, lines[-1].end))
        sections.append(Section(f"s{number}", role, role.value, (Line("la", (word,), 1),) * num_lines))
    return Lyrics(tuple(sections)), Rhythm(meter, 0, tuple(lines), tuple(spans), lines[-1].end)


def bar_states(spans: Sequence[ChordSpan], bars: Iterable[int], key: Key) -> list[int]:
    """Return the chord state at every bar line, dominant sevenths counted as their triads."""
    states, place = [], 0
    for bar in bars:
        while spans[place].onset + spans[place].duration <= bar:
            place += 1
        state = state_of(spans[place].chord, key)
        states.append(state - 2 if state % 4 == 2 else state)
    return states


def song_bars(song: CorpusSong) -> list[int]:
    """Return the onsets of the bars of a song of the corpus."""
    return [unit.start for unit in song_units(song) if unit.first]


def bigrams(songs: list[list[int]]) -> list[Hashable]:
    """Pool the pairs of neighbouring bars that differ."""
    return [pair for song in songs for pair in pairwise(song) if pair[0] != pair[1]]


def print_overlap(name: str, songs: list[list[int]], sheets: list[list[int]]) -> None:
    """Print the overlap of bar chords and of chord changes with those of lead sheets, and how often chords stay."""
    one = overlap([state for song in songs for state in song], [state for sheet in sheets for state in sheet])
    two = overlap(bigrams(songs), bigrams(sheets))
    pairs = [pair for song in songs for pair in pairwise(song)]
    stay = sum(first == second for first, second in pairs) / len(pairs)
    counts = Counter(state for song in songs for state in song)
    most = ", ".join(
        f"{chord_of(state, Key(0, 'major')).symbol(0)} {count / counts.total():.2f}"
        for state, count in counts.most_common(8)
    )
    print(f"  {name:24} chords {one:.3f}   changes {two:.3f}   bars that keep the chord {stay:.3f}   {most}")


def root_agreement(songs: list[CorpusSong]) -> tuple[float, float]:
    """Return the share of (half) bars whose inferred root is the given one, and of those with the tonic as root."""
    hits = tonics = total = 0
    for song in songs:
        key = song_key(song)
        units = song_units(song)
        given = bar_roots(infer_chords(song, key), [unit.start for unit in units])
        found = bar_roots(decode_chords(song, key, units), [unit.start for unit in units])
        hits += sum(one == two for one, two in zip(given, found, strict=True))
        tonics += sum(root == key.tonic for root in given)
        total += len(given)
    return hits / total, tonics / total


def bar_roots(spans: Sequence[ChordSpan], ticks: Iterable[int]) -> list[int]:
    """Return the root that sounds at each tick (in ascending order)."""
    roots, place = [], 0
    for tick in ticks:
        while spans[place].onset + spans[place].duration <= tick:
            place += 1
        roots.append(spans[place].chord.root)
    return roots


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="songs_open.parquet")
    parser.add_argument("--seeds", type=int, default=100, help="plans per style, metre and mode")
    options = parser.parse_args()
    sheets = {song.song_id: song for song in read_corpus(options.data) if song.chords}
    held_out = [song for song in sheets.values() if song.held_out]
    agreement, tonic = root_agreement(held_out)
    print(f"infer_chords on {len(held_out)} held-out lead sheets: root right in {agreement:.3f} of (half) bars")
    print(f"  always the tonic: {tonic:.3f}")

    major = [song for song in sheets.values() if song_key(song).mode == "major"]
    test = [bar_states(infer_chords(song, song_key(song)), song_bars(song), song_key(song)) for song in major]
    reference = [states for song, states in zip(major, test, strict=True) if not song.held_out]
    others = [states for song, states in zip(major, test, strict=True) if song.held_out]
    print(f"overlap with the chords of {len(reference)} lead sheets in major:")
    print_overlap("other lead sheets", others, reference)
    print_overlap("half against half", reference[::2], reference[1::2])
    random = np.random.Generator(np.random.PCG64(0))
    print_overlap("even random triads", [random.choice(TRIADS, 48).tolist() for _ in range(200)], reference)

    for style in ("popular", "folk", "hymn", "carol", "spiritual"):
        plans: list[list[int]] = []
        for mode in ("major", "minor"):
            key = Key(0, mode)
            line_ends: Counter[int] = Counter()
            qualities: Counter[str] = Counter()
            for meter in ("4/4", "3/4", "2/4", "6/8"):
                lyrics, rhythm = sheet_song(Meter.parse(meter), 2 if meter in ("4/4", "6/8") else 4)
                bars = range(0, rhythm.end, rhythm.meter.bar_ticks)
                for seed in range(options.seeds):
                    spans = plan_chords(lyrics, rhythm, key, style, seed)
                    line_ends.update(bar_roots(spans, [line.notes[-1].onset for line in rhythm.lines]))
                    qualities.update(span.chord.quality or "major" for span in spans)
                    if mode == "major":
                        plans.append(bar_states(spans, bars, key))
            total = line_ends.total()
            print(f"{style}, {mode}: lines that end on I or V {(line_ends[0] + line_ends[7]) / total:.3f}")
            names = {root: Chord(root).symbol(key.fifths) for root in line_ends}
            ends = ", ".join(f"{names[root]} {count / total:.2f}" for root, count in line_ends.most_common())
            kinds = ", ".join(f"{name} {count / qualities.total():.2f}" for name, count in qualities.most_common())
            print(f"  line ends: {ends}; chords: {kinds}")
        print_overlap(f"{style}, major", plans, reference)


if __name__ == "__main__":
    main()
