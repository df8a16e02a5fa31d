"""Songwright against people: the same measures on held-out human songs and on songs composed from their words.

Each held-out verse is composed anew from its words alone. Verses of eight and more lines are also composed with their
first half tagged as verse and their second half as chorus, verse and chorus in turn, to judge form and register.

Distributions of pitches and durations depend on metre, mode and style more than on anything else, and words tell
little of those. Their overlaps with the human songs are therefore judged twice: for songs composed from the words
alone, and for songs composed in the metre, mode and style of the human ones.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean, median, stdev

import numpy as np

from align.corpus import CorpusSong
from lyrics.cmudict import bare
from lyrics.document import Lyrics, Role
from lyrics.function_words import is_function_word
from melody import metrics
from melody.corpus import song_key
from melody.distances import overlap
from melody.harmony import infer_chords
from melody.metrics import SungNote, SungSong, SungSyllable
from pipeline.extend import as_corpus_song, lay_out
from pipeline.song import Song, SungSection
from pipeline.tune import Tune


def sung_from_corpus(song: CorpusSong) -> SungSong:
    """View a human song as the measures see it; chords are printed ones, or else derived from the tune."""
    key = song_key(song)
    sizes = [0] * len(song.words)
    for syllable in song.syllables:
        sizes[syllable.word] += 1
    content = [not is_function_word(bare(word)) for word in song.words]
    return SungSong(
        meter=song.meter,
        key=key,
        notes=tuple(
            SungNote(n.onset, n.duration, song.meter.strength(n.place), n.pitch, n.syllable, n.held, n.place)
            for n in song.notes
        ),
        syllables=tuple(
            SungSyllable(s.word, s.stress, content[s.word], sizes[s.word] == 1, s.line) for s in song.syllables
        ),
        chords=infer_chords(song, key),
    )


def lyric_lines(song: CorpusSong) -> list[str]:
    """Return the sung words of a corpus song, line by line."""
    lines: list[dict[int, str]] = [{} for _ in range(song.num_lines)]
    for syllable in song.syllables:
        lines[syllable.line][syllable.word] = song.words[syllable.word]
    return [" ".join(words.values()) for words in lines if words]


def verse_and_chorus(lines: Sequence[str]) -> str:
    """Tag the first half of eight or more lines as verse, the second as chorus; both are sung twice."""
    half = len(lines) // 2
    verse, chorus = "\n".join(lines[:half]), "\n".join(lines[half:])
    return f"[Verse 1]\n{verse}\n\n[Chorus]\n{chorus}\n\n[Verse 2]\n{verse}\n\n[Chorus]\n"


def sung_from_song(song: Song) -> SungSong:
    """View one of our songs as the measures see it."""
    rhythm = song.to_rhythm()
    notes: list[SungNote] = []
    syllables: list[SungSyllable] = []
    ends: list[int] = []
    word_count = line_count = 0
    for section in song.sections:
        for line in section.lines:
            for word in line.words:
                for syllable in word.syllables:
                    for part, note in enumerate(syllable.notes):
                        place = rhythm.place(note.onset)
                        strength = rhythm.meter.strength(place)
                        index = len(syllables)
                        notes.append(SungNote(note.onset, note.duration, strength, note.pitch, index, part > 0, place))
                    alone = len(word.syllables) == 1
                    syllables.append(SungSyllable(word_count, syllable.stress, word.content, alone, line_count))
                word_count += 1
            line_count += 1
        if section.lines:
            ends.append(line_count - 1)
    return SungSong(
        meter=song.settings.meter,
        key=song.settings.key,
        notes=tuple(notes),
        syllables=tuple(syllables),
        chords=song.chords,
        section_ends=tuple(ends),
    )


def sung_from_tune(tune: Tune) -> SungSong:
    """View a tune that was read from a file as the measures see it; notes without words have no stress."""
    laid = lay_out(tune)
    notes: list[SungNote] = []
    syllables: list[SungSyllable] = []
    num_words = 0
    for number, (line, timed, pitches) in enumerate(zip(laid.section.lines, laid.lines, laid.pitches, strict=True)):
        for note, pitch in zip(timed.notes, pitches, strict=True):
            place = (note.onset + laid.offset) % tune.meter.bar_ticks
            strength, syllable = tune.meter.strength(place), len(syllables) + note.syllable
            notes.append(SungNote(note.onset, note.duration, strength, pitch, syllable, note.held, place))
        for word in line.words:
            alone = len(word.syllables) == 1 and word.text != ""
            syllables += [SungSyllable(num_words, s.stress, word.content, alone, number) for s in word.syllables]
            num_words += 1
    chords = infer_chords(as_corpus_song(tune, laid, "folk"), tune.key)
    return SungSong(tune.meter, tune.key, tuple(notes), tuple(syllables), chords)


def register_lift(song: Song) -> float | None:
    """Return how far choruses lie above verses, in semitones (duration-weighted mean pitch); None without both."""
    heights: dict[Role, list[tuple[int, int]]] = {Role.VERSE: [], Role.CHORUS: []}
    for section in song.sections:
        if section.role in heights:
            heights[section.role].extend((n.pitch, n.duration) for line in section.lines for n in line.notes)
    if not all(heights.values()):
        return None
    verse, chorus = (sum(p * d for p, d in pairs) / sum(d for _, d in pairs) for pairs in heights.values())
    return chorus - verse


def repeats_hold(song: Song) -> bool:
    """Return whether every section that repeats another has its notes, at the same distance from its bar line."""

    def shape(section: SungSection) -> list[tuple[int, int, int]]:
        return [(n.onset - section.start, n.duration, n.pitch) for line in section.lines for n in line.notes]

    shapes = {section.id: shape(section) for section in song.sections}
    return all(shapes[s.id] == shapes[s.repeat_of] for s in song.sections if s.repeat_of is not None)


def sung_once(lyrics: Lyrics, song: Song) -> float:
    """Return the share of the lyrics' syllables that the song sings exactly once, in order, each on its own note."""
    written = [syllable.text for section in lyrics.sections for line in section.lines for syllable in line.syllables]
    sung = [s.text for line in song.lines for word in line.words for s in word.syllables]
    onsets = [s.notes[0].onset for line in song.lines for word in line.words for s in word.syllables if s.notes]
    in_order = sung == written and len(onsets) == len(sung) and all(a < b for a, b in pairwise(onsets))
    if in_order:
        return 1.0
    return sum(a == b for a, b in zip(written, sung, strict=False)) / max(len(written), len(sung))


def overlap_of_halves(
    songs: Sequence[SungSong],
    groups: Sequence[str],
    pool: Callable[[Iterable[SungSong]], Sequence[Hashable]],
    splits: int = 20,
) -> float:
    """Return how well two random halves of human songs overlap, verses of one song in one half: the mean of `splits`.

    Half of the songs stand for fewer tunes than all of them, so songs of ours that suit all may well exceed it.
    """
    rng = np.random.Generator(np.random.PCG64(0))
    names = sorted(set(groups))
    likeness = []
    for _ in range(splits):
        half = {names[i] for i in rng.permutation(len(names))[: len(names) // 2]}
        one = [song for song, group in zip(songs, groups, strict=True) if group in half]
        other = [song for song, group in zip(songs, groups, strict=True) if group not in half]
        likeness.append(overlap(pool(one), pool(other)))
    return mean(likeness)


def expected_in_kind(
    songs: Sequence[SungSong],
    training: Sequence[SungSong],
    pool: Callable[[Iterable[SungSong]], Sequence[Hashable]],
) -> dict[Hashable, float]:
    """Return the histogram to expect of `songs` if all that is known of each is its metre, its mode and its length.

    The values of every song are spread as those of all training songs of its metre and mode.
    """
    kinds: dict[tuple[str, str], list[SungSong]] = {}
    for song in training:
        kinds.setdefault((str(song.meter), song.key.mode), []).append(song)
    known = {kind: Counter(pool(members)) for kind, members in kinds.items()}
    everything = Counter(pool(training))
    expected: dict[Hashable, float] = {}
    for song in songs:
        source = known.get((str(song.meter), song.key.mode), everything)
        for value, count in source.items():
            expected[value] = expected.get(value, 0) + len(pool([song])) * count / source.total()
    return expected


def chunks(song: SungSong, size: int = 20) -> list[list[tuple[int, int]]]:
    """Cut the song's tokens into stretches of 20 notes, the unit in which published systems are compared."""
    sequence = metrics.tokens(song)
    return [sequence[i : i + size - 1] for i in range(0, max(1, len(sequence) - size + 2), size)]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; `reached` is None where the row is only shown."""

    name: str
    human: str
    ours: str
    target: str
    reached: bool | None


def table(
    human: Sequence[SungSong],
    lyrics: Sequence[Lyrics],
    samples: Sequence[Sequence[Song]],
    alike: Sequence[Sequence[Song]],
    forms: Sequence[Song],
    groups: Sequence[str],
    training: Sequence[SungSong],
) -> list[Row]:
    """Measure human songs and ours by the same code.

    Each of `samples` is composed to `lyrics`, the words of `human`, one song each, and so is each of `alike`, but in
    the metre, mode and style of the human ones. Overlaps are means over samples, with their standard deviation if there
    are several; everything else is measured on the first. `forms` have verses and choruses; `groups` tells which of
    `human` are verses of one song; `training` are the songs that the models learned from, to look for copied stretches.
    """
    songs = samples[0]
    ours = [sung_from_song(song) for song in songs]
    rows: list[Row] = []

    def row(
        name: str,
        measure: Callable[[Sequence[SungSong]], tuple[float, ...]],
        target: str,
        reached: Callable[..., bool] | None,
        scale: float = 100,
        digits: int = 1,
    ) -> None:
        theirs, mine = measure(human), measure(ours)

        def text(values: tuple[float, ...]) -> str:
            return " / ".join(f"{value * scale:.{digits}f}" for value in values)

        rows.append(Row(name, text(theirs), text(mine), target, None if reached is None else reached(*mine)))

    def stress(sung: Sequence[SungSong]) -> tuple[float, ...]:
        match = metrics.stress_match(sung)
        return match.stronger, match.equal, match.weaker

    once = mean(map(sung_once, lyrics, songs))
    rows.append(Row("syllables sung exactly once, in order, %", "-", f"{100 * once:.1f}", "100", once == 1))
    row("crammed syllables", lambda s: (metrics.crammed_syllables(s),), "0", lambda n: n == 0, 1, 0)
    row("rests inside a word", lambda s: (metrics.rests_inside_words(s),), "0", lambda n: n == 0, 1, 0)
    row(
        "stressed syllable stronger / equal / weaker, %",
        stress,
        ">= 95 / - / <= 2",
        lambda stronger, _, weaker: stronger >= 0.95 and weaker <= 0.02,
    )
    row(
        "function words on strong beats, %",
        lambda s: (metrics.on_strong_beat(s, content=False),),
        "<= 20",
        lambda share: share <= 0.20,
    )
    row(
        "content monosyllables on strong beats, %",
        lambda s: (metrics.on_strong_beat(s, content=True),),
        ">= 65",
        lambda share: share >= 0.65,
    )
    row(
        "phrase-final note / other notes",
        lambda s: (metrics.phrase_final_ratio(s),),
        "2 to 3",
        lambda ratio: 2 <= ratio <= 3,
        1,
        2,
    )
    human_intervals = metrics.interval_shares(human)
    for name, middle in human_intervals.items():

        def share_of(s: Sequence[SungSong], name: str = name) -> tuple[float, ...]:
            return (metrics.interval_shares(s)[name],)

        if name == "over octave":
            row("intervals: over octave, %", share_of, "<= 0.2", lambda share: share <= 0.002)
        else:
            row(
                f"intervals: {name}, %",
                share_of,
                "human +- 5",
                lambda share, middle=middle: abs(share - middle) <= 0.05,
            )
    row(
        "span, median semitones",
        lambda s: (median(map(metrics.span, s)),),
        "<= 14",
        lambda semitones: semitones <= 14,
        1,
        0,
    )
    row("notes per syllable", lambda s: (metrics.notes_per_syllable(s),), "1.05-1.20", lambda n: 1.05 <= n <= 1.2, 1, 3)
    row("notes in key, %", lambda s: (metrics.in_key(s),), ">= 95", lambda share: share >= 0.95)
    row("last note on the tonic, %", lambda s: (metrics.ends_on_tonic(s),), ">= 80", lambda share: share >= 0.8)
    row(
        "chord tones on strong beats, %",
        lambda s: (metrics.chord_tones_on_strong_beats(s),),
        ">= 80",
        lambda share: share >= 0.8,
    )
    row("lines that end on I or V, %", lambda s: (metrics.cadences(s),), ">= 85", lambda share: share >= 0.85)
    row("4-grams of notes repeated in the song, %", lambda s: (metrics.repeated_fourgrams(s),), "as human", None)

    lifts = [lift for lift in map(register_lift, forms) if lift is not None]
    higher = mean(2 <= lift <= 5 for lift in lifts)
    rows.append(Row("chorus 2-5 semitones above verse, % of songs", "-", f"{100 * higher:.1f}", ">= 80", higher >= 0.8))
    identical = mean(map(repeats_hold, forms))
    rows.append(Row("repeated sections identical, %", "-", f"{100 * identical:.1f}", "100", identical == 1))

    by_words, in_kind = ([list(map(sung_from_song, sample)) for sample in kind] for kind in (samples, alike))
    for name, pool, floor in (
        ("PD: pitch classes above the tonic", metrics.pitches, 0.96),
        ("DD: durations", metrics.durations, 0.96),
        ("IOI: onset intervals", metrics.onset_intervals, 0.94),
    ):
        theirs = pool(human)
        ceiling = overlap_of_halves(human, groups, pool)
        bounds = f"{100 * ceiling:.1f} / {100 * overlap(theirs, pool(training)):.1f}"
        bounds_in_kind = f"{100 * ceiling:.1f} / {100 * overlap(theirs, expected_in_kind(human, training, pool)):.1f}"
        alone, given = ([100 * overlap(theirs, pool(sung)) for sung in kind] for kind in (by_words, in_kind))
        rows.append(Row(f"{name}, words alone, %", bounds, _mean_and_spread(alone), "-", None))
        rows.append(
            Row(
                f"{name}, metre, mode and style given, %",
                bounds_in_kind,
                _mean_and_spread(given),
                f">= {100 * floor:.0f}",
                mean(given) >= 100 * floor,
            )
        )
    index = metrics.CopyIndex(map(metrics.tokens, training))
    theirs_run, our_run = (
        mean(index.longest_run(chunk) for song in sung for chunk in chunks(song)) for sung in (human, ours)
    )
    rows.append(
        Row(
            "longest run found in training songs, mean notes per 20",
            f"{theirs_run:.1f}",
            f"{our_run:.1f}",
            "<= 6",
            our_run <= 6,
        )
    )
    return rows


def _mean_and_spread(values: Sequence[float]) -> str:
    return f"{mean(values):.1f}" + (f" +- {stdev(values):.1f}" if len(values) > 1 else "")
