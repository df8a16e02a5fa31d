"""What can be counted in a song: prosody, intervals, harmony, repetition, likeness to a corpus.

All measures work on `SungSong`, a flat view that both human songs and ours have, so that one piece of code measures
both. Shares are in 0..1. Pooled measures count over all songs together; per-song measures are named so.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import mean, median

from align.meter import Meter
from melody.theory import ChordSpan, Key


@dataclass(frozen=True, slots=True)
class SungNote:
    """A note with all that the measures ask about it."""

    onset: int  # ticks
    duration: int  # ticks
    strength: int  # of its place in the bar, see Meter.strength
    pitch: int
    syllable: int  # counts through the song; a held note has the number of the note before
    held: bool
    place: int = -1  # ticks from the bar line; -1 where it is not known


@dataclass(frozen=True, slots=True)
class SungSyllable:
    """A syllable with all that the measures ask about it."""

    word: int  # counts through the song
    stress: int | None  # 0, 1, 2; None where unknown
    content: bool  # part of a content word
    monosyllable: bool
    line: int  # counts through the song


@dataclass(frozen=True, slots=True)
class SungSong:
    """A song as the measures see it."""

    meter: Meter
    key: Key
    notes: tuple[SungNote, ...]
    syllables: tuple[SungSyllable, ...]
    chords: tuple[ChordSpan, ...]
    section_ends: tuple[int, ...] = ()  # lines that end a section


@dataclass(frozen=True, slots=True)
class StressMatch:
    """Shares of neighbouring stressed/unstressed syllables of one word, by which stands metrically stronger."""

    stronger: float  # the stressed one
    equal: float
    weaker: float
    num_pairs: int


def stress_match(songs: Iterable[SungSong]) -> StressMatch:
    """Compare metrical strength within words: Meter.strength of the onsets of stressed and unstressed neighbours.

    Pairs are neighbouring syllables of one word of which exactly one is stressed (1 or 2). Source: the stress/metre
    agreement of Halle and Lerdahl (1993), counted as in the table of human songs.
    """
    counts: Counter[int] = Counter()
    for song in songs:
        strength = {note.syllable: note.strength for note in song.notes if not note.held}
        for index in range(len(song.syllables) - 1):
            first, second = song.syllables[index : index + 2]
            if first.word != second.word or first.stress is None or second.stress is None:
                continue
            if (first.stress > 0) == (second.stress > 0):
                continue
            difference = strength[index] - strength[index + 1]
            if second.stress > 0:
                difference = -difference
            counts[(difference > 0) - (difference < 0)] += 1
    total = max(1, counts.total())
    return StressMatch(counts[1] / total, counts[0] / total, counts[-1] / total, counts.total())


def on_strong_beat(songs: Iterable[SungSong], *, content: bool) -> float:
    """Return the share of function words (or content words) of one syllable that begin on a strong beat.

    Strong beats are the places of strength 4 and 5: beats 1 and 3 of 4/4, 1 of 2/4 and 3/4, both beats of 6/8.
    """
    hits = total = 0
    for song in songs:
        for note in song.notes:
            syllable = song.syllables[note.syllable]
            if not note.held and syllable.monosyllable and syllable.content == content:
                total += 1
                hits += note.strength >= 4
    return hits / max(1, total)


def rests_inside_words(songs: Iterable[SungSong]) -> int:
    """Count the rests between syllables of one word."""
    return sum(
        before.onset + before.duration < after.onset
        and song.syllables[before.syllable].word == song.syllables[after.syllable].word
        for song in songs
        for before, after in zip(song.notes, song.notes[1:], strict=False)
    )


def crammed_syllables(songs: Iterable[SungSong]) -> int:
    """Count the syllables that have no onset of their own."""
    return sum(len(song.syllables) - len({n.onset for n in song.notes if not n.held}) for song in songs)


def phrase_final_ratio(songs: Iterable[SungSong]) -> float:
    """Return the mean over songs of median sung length of line-final syllables over that of all other syllables."""
    ratios = []
    for song in songs:
        length: Counter[int] = Counter()
        for note in song.notes:
            length[note.syllable] += note.duration
        last = {syllable.line: index for index, syllable in enumerate(song.syllables)}
        finals = set(last.values())
        others = [length[i] for i in range(len(song.syllables)) if i not in finals]
        if others:
            ratios.append(median(length[i] for i in finals) / median(others))
    return mean(ratios)


def interval_shares(songs: Iterable[SungSong]) -> dict[str, float]:
    """Share of melodic intervals by size: repeat 0, step 1-2, third 3-4, fourth+ 5 and more, over octave > 12."""
    counts: Counter[str] = Counter()
    for song in songs:
        for before, after in zip(song.notes, song.notes[1:], strict=False):
            size = abs(after.pitch - before.pitch)
            counts["repeat" if size == 0 else "step" if size <= 2 else "third" if size <= 4 else "fourth+"] += 1
            counts["over octave"] += size > 12
    total = max(1, counts.total() - counts["over octave"])
    return {name: counts[name] / total for name in ("repeat", "step", "third", "fourth+", "over octave")}


def span(song: SungSong) -> int:
    """Return the distance from the lowest to the highest note, in semitones."""
    pitches = [note.pitch for note in song.notes]
    return max(pitches) - min(pitches)


def notes_per_syllable(songs: Iterable[SungSong]) -> float:
    """Return the number of notes per syllable; 1 means no melisma."""
    pairs = [(len(song.notes), len(song.syllables)) for song in songs]
    return sum(notes for notes, _ in pairs) / max(1, sum(syllables for _, syllables in pairs))


def in_key(songs: Iterable[SungSong]) -> float:
    """Return the share of sung time on notes of the key; in minor the raised sixth and seventh count as its notes."""
    inside = total = 0
    for song in songs:
        tonic = song.key.tonic
        extra = {(tonic + 9) % 12, (tonic + 11) % 12} if song.key.mode == "minor" else set()
        scale = set(song.key.scale) | extra
        for note in song.notes:
            total += note.duration
            inside += note.duration if note.pitch % 12 in scale else 0
    return inside / max(1, total)


def ends_on_tonic(songs: Sequence[SungSong]) -> float:
    """Return the share of songs whose last note is the tonic."""
    return mean(song.notes[-1].pitch % 12 == song.key.tonic for song in songs)


def _chord_at(song: SungSong, tick: int) -> ChordSpan | None:
    return next((span for span in song.chords if span.onset <= tick < span.onset + span.duration), None)


def chord_tones_on_strong_beats(songs: Iterable[SungSong]) -> float:
    """Return the share of notes beginning on strong beats (strength 4 or 5) that belong to the sounding chord."""
    hits = total = 0
    for song in songs:
        spans = sorted(song.chords, key=lambda span: span.onset)
        position = 0
        for note in song.notes:
            while position + 1 < len(spans) and spans[position + 1].onset <= note.onset:
                position += 1
            if spans and note.strength >= 4 and spans[position].onset <= note.onset:
                total += 1
                hits += note.pitch % 12 in spans[position].chord.pitch_classes
    return hits / max(1, total)


def cadences(songs: Iterable[SungSong]) -> float:
    """Return the share of lines whose last syllable is sung over a chord on I or V (root, any quality)."""
    hits = total = 0
    for song in songs:
        last = {song.syllables[note.syllable].line: note for note in song.notes if not note.held}
        for note in last.values():
            chord = _chord_at(song, note.onset)
            if chord is not None:
                total += 1
                hits += (chord.chord.root - song.key.tonic) % 12 in (0, 7)
    return hits / max(1, total)


def pitches(songs: Iterable[SungSong]) -> list[tuple[str, int]]:
    """Pool the pitches of all notes as pitch classes above the tonic, major and minor apart."""
    return [(song.key.mode, (note.pitch - song.key.tonic) % 12) for song in songs for note in song.notes]


def durations(songs: Iterable[SungSong]) -> list[int]:
    """Pool the durations of all notes, in sixteenths (at least 1)."""
    return [max(1, round(note.duration / 120)) for song in songs for note in song.notes]


def onset_intervals(songs: Iterable[SungSong]) -> list[int]:
    """Pool the inter-onset intervals between successive notes, in sixteenths, those over two whole notes cut off."""
    return [
        min(32, max(1, round((after.onset - before.onset) / 120)))
        for song in songs
        for before, after in zip(song.notes, song.notes[1:], strict=False)
    ]


def tokens(song: SungSong) -> list[tuple[int, int]]:
    """Return (interval from the note before in semitones, duration in sixteenths) of every note but the first."""
    return [
        (after.pitch - before.pitch, max(1, round(after.duration / 120)))
        for before, after in zip(song.notes, song.notes[1:], strict=False)
    ]


def repeated_fourgrams(songs: Iterable[SungSong]) -> float:
    """Return the mean over songs of the share of 4-grams of `tokens` that occurred before in the song."""
    shares = []
    for song in songs:
        sequence = tokens(song)
        grams = [tuple(sequence[i : i + 4]) for i in range(len(sequence) - 3)]
        if grams:
            shares.append(1 - len(set(grams)) / len(grams))
    return mean(shares)


class CopyIndex:
    """All runs of `tokens` in a set of melodies, to ask how long a stretch of a new one stands in them."""

    def __init__(self, sequences: Iterable[Sequence[tuple[int, int]]], longest: int = 40) -> None:
        """Index every run of up to `longest` tokens."""
        self.longest = longest
        self._runs: set[int] = set()
        for sequence in sequences:
            for start in range(len(sequence)):
                run = 0
                for token in sequence[start : start + longest]:
                    run = self._extend(run, token)
                    self._runs.add(run)

    @staticmethod
    def _extend(run: int, token: tuple[int, int]) -> int:
        # A 64-bit rolling hash (FNV-1a style, one step a number): collisions are too rare to matter here.
        for value in token:
            run = ((run ^ (value & 0xFFFF)) * 0x100000001B3 + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        return run

    def longest_run(self, sequence: Sequence[tuple[int, int]]) -> int:
        """Return the length, in notes, of the longest stretch of `sequence` found in the indexed songs."""
        best = 0
        for start in range(len(sequence)):
            run = 0
            for length, token in enumerate(sequence[start : start + self.longest], start=1):
                run = self._extend(run, token)
                if run not in self._runs:
                    break
                best = max(best, length)
        return best + 1 if best else 0
