"""Measure melodies for the true rhythms of held-out songs beside the melodies that people sang to them.

    python scripts/evaluate_melody.py songs_open.parquet --songs 200

Every song keeps its words, rhythm, key and inferred chords; its pitches are thrown away and found anew. `--validation`
measures on training groups instead (those that the network's training kept for choosing the epoch), for tuning.
"""

import argparse
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import mean, median

import numpy as np

from align.corpus import CorpusSong, read_corpus
from align.rhythm import LineRhythm, Rhythm, RhythmNote, SectionSpan
from lyrics.document import Line, Lyrics, Role, Section, Syllable, Word
from melody import metrics
from melody.corpus import song_key
from melody.decode import melodize
from melody.distances import overlap
from melody.features import (
    LOWEST,
    NUM_CLASSES,
    NUM_INTERVALS,
    anchor_pitch,
    copy_sources,
    corpus_frame,
    refrains,
    rhyme_sounds,
    static_features,
)
from melody.harmony import infer_chords
from melody.lstm import START, PitchModel, copied_classes, load_model
from melody.metrics import CopyIndex, SungNote, SungSong, SungSyllable
from melody.theory import ChordSpan, Key

STANZA = 8  # longer songs without refrain are cut into stanzas of four lines


@dataclass(frozen=True, slots=True)
class Task:
    """A song of the corpus as a task for the decoder."""

    song: CorpusSong
    key: Key
    chords: tuple[ChordSpan, ...]
    lyrics: Lyrics
    rhythm: Rhythm
    rhymes: tuple[tuple[str, ...], ...]
    voice: tuple[int, int]


def make_task(song: CorpusSong, refrain: frozenset[int]) -> Task:
    """Lay out a song's words and rhythm as the earlier stages would hand them over."""
    key = song_key(song)
    order: dict[int, int] = {}
    for syllable in song.syllables:
        order.setdefault(syllable.line, len(order))
    num_lines = len(order)
    line_of = [order[syllable.line] for syllable in song.syllables]
    cuts = [0]
    for line in range(1, num_lines):
        if (line in refrain) != (line - 1 in refrain) or (num_lines > STANZA and line - cuts[-1] == STANZA // 2):
            cuts.append(line)
    section_of = [max(i for i, cut in enumerate(cuts) if cut <= line) for line in range(num_lines)]
    first_syllable = [line_of.index(line) for line in range(num_lines)]
    lines: list[Line] = []
    for line in range(num_lines):
        indices = [i for i, of in enumerate(line_of) if of == line]
        words: list[Word] = []
        for i in indices:
            syllable = song.syllables[i]
            stress = 0 if syllable.stress is None else syllable.stress
            part = Syllable(syllable.text, (), stress)
            if words and words[-1].token == syllable.word:
                old = words[-1]
                words[-1] = Word(old.text + part.text, old.written + part.text, old.token, (*old.syllables, part), True)
            else:
                words.append(Word(part.text, part.text, syllable.word, (part,), True))
        lines.append(Line(" ".join(word.text for word in words), tuple(words), line + 1))
    sections = []
    for index, cut in enumerate(cuts):
        end = cuts[index + 1] if index + 1 < len(cuts) else num_lines
        role = Role.CHORUS if cut in refrain else Role.VERSE
        sections.append(Section(f"{role[0]}{index + 1}", role, f"{role} {index + 1}", tuple(lines[cut:end])))
    lyrics = Lyrics(tuple(sections))
    drafts: list[list[RhythmNote]] = [[] for _ in range(num_lines)]
    for note in song.notes:
        line = line_of[note.syllable]
        drafts[line].append(RhythmNote(note.onset, note.duration, note.syllable - first_syllable[line], note.held))
    first = song.notes[0]
    pickup = (first.onset - first.place) % song.meter.bar_ticks
    end = song.notes[-1].onset + song.notes[-1].duration
    spans = tuple(
        SectionSpan(i, drafts[cut][0].onset, drafts[cuts[i + 1]][0].onset if i + 1 < len(cuts) else end)
        for i, cut in enumerate(cuts)
    )
    rhythm_lines = tuple(
        LineRhythm(section_of[n], n - cuts[section_of[n]], ns[0].onset, ns[-1].onset + ns[-1].duration, tuple(ns))
        for n, ns in enumerate(drafts)
    )
    sounds = rhyme_sounds(song)
    labels = [sound if sounds.count(sound) > 1 else "-" for sound in sounds]
    rhymes = tuple(tuple(labels[cut : cuts[i + 1] if i + 1 < len(cuts) else num_lines]) for i, cut in enumerate(cuts))
    rhythm = Rhythm(song.meter, pickup, with_follows(rhythm_lines, song), spans, end)
    chords = infer_chords(song, key)
    pitches = [note.pitch for note in song.notes]
    centre = (min(pitches) + max(pitches)) // 2
    return Task(song, key, chords, lyrics, rhythm, rhymes, (centre - 9, centre + 9))


def with_follows(lines: Sequence[LineRhythm], song: CorpusSong) -> tuple[LineRhythm, ...]:
    """Name for each line the earliest line of its section whose rhythm it keeps, as the aligner does."""
    place = {note.onset: note.place for note in song.notes}
    bar = song.meter.bar_ticks
    shapes: list[frozenset[int]] = []
    out: list[LineRhythm] = []
    for line in lines:
        first = line.notes[0].onset
        origin = first - place[first] + (bar if 2 * place[first] >= bar else 0)
        shape = frozenset(note.onset - origin for note in line.notes)
        follows = None
        for earlier, other in enumerate(shapes):
            alike = len(shape & other) / max(len(shape), len(other))
            if lines[earlier].section == line.section and alike >= 0.7:
                follows = earlier
                break
        shapes.append(shape)
        out.append(replace(line, follows=follows))
    return tuple(out)


def sing(task: Task, seed: int, model: PitchModel) -> tuple[tuple[int, ...], ...]:
    """Decode a task with the line seeds that a song seed gives."""
    ids = [f"{section.id}.{n + 1}" for section in task.lyrics.sections for n in range(len(section.lines))]
    seeds = {line_id: seed * 1_000_003 + index for index, line_id in enumerate(ids)}
    return melodize(
        task.lyrics,
        task.rhythm,
        task.chords,
        task.key,
        task.voice,
        task.song.style,
        seeds,
        task.rhymes,
        model=model,
    )


def sung_song(task: Task, pitches: Sequence[int]) -> SungSong:
    """Put pitches on a task's notes for the measures."""
    song = task.song
    sizes = Counter(syllable.word for syllable in song.syllables)
    return SungSong(
        song.meter,
        task.key,
        tuple(
            SungNote(note.onset, note.duration, song.meter.strength(note.place), pitch, note.syllable, note.held)
            for note, pitch in zip(song.notes, pitches, strict=True)
        ),
        tuple(SungSyllable(s.word, s.stress, True, sizes[s.word] == 1, s.line) for s in song.syllables),
        task.chords,
    )


def nats_per_note(tasks: Sequence[Task], refrain: Mapping[str, frozenset[int]], model: PitchModel) -> float:
    """Mean negative log-likelihood of the pitches that people sang, under the network alone."""
    total, count = 0.0, 0
    for task in tasks:
        frame = corpus_frame(task.song, task.key, task.chords, refrain.get(task.song.song_id))
        copies = copy_sources(frame)
        pitches = np.array([note.pitch for note in task.song.notes])
        anchor = anchor_pitch(float(np.median(pitches)), task.key.tonic)
        classes = np.clip(pitches - anchor - LOWEST, 0, NUM_CLASSES - 1)
        gates, skip = model.project(static_features(frame, copies))
        copied = copied_classes(copies, classes)
        before, interval, state = START, NUM_INTERVALS, model.start()
        for number in range(int(frame.line[-1]) + 1):
            rows = np.flatnonzero(frame.line == number)
            line = model.prepare(gates[rows], skip[rows], copied[rows], frame.chord_root[rows], frame.minor)
            for note, row in enumerate(rows.tolist()):
                log_p, state = model.step(line, note, state, np.array([before]), np.array([interval]))
                sung = int(classes[row])
                total -= float(log_p[0, sung])
                interval = NUM_INTERVALS if before == START else int(np.clip(sung - before, -12, 12)) + 12
                before = sung
        count += len(classes)
    return total / count


def chorus_lifts(tasks: Sequence[Task], songs: Sequence[SungSong]) -> list[float]:
    """Mean pitch of the refrain lines minus that of the other lines, for the songs that have both."""
    lifts = []
    for task, song in zip(tasks, songs, strict=True):
        starts = {line.start: task.lyrics.sections[line.section].role for line in task.rhythm.lines}
        sums: dict[Role, list[int]] = {Role.VERSE: [], Role.CHORUS: []}
        role = Role.VERSE
        for note in song.notes:
            role = starts.get(note.onset, role)
            sums[role].append(note.pitch)
        if sums[Role.VERSE] and sums[Role.CHORUS]:
            lifts.append(mean(sums[Role.CHORUS]) - mean(sums[Role.VERSE]))
    return lifts


def held_moves(songs: Sequence[SungSong]) -> tuple[float, float]:
    """Shares of repeats and of steps among the intervals inside syllables."""
    sizes = [abs(b.pitch - a.pitch) for song in songs for a, b in pairwise(song.notes) if b.held]
    return sum(s == 0 for s in sizes) / max(1, len(sizes)), sum(0 < s <= 2 for s in sizes) / max(1, len(sizes))


def measure(
    tasks: Sequence[Task], songs: Sequence[SungSong], others: Sequence[SungSong], index: CopyIndex | None
) -> dict[str, str]:
    """Rows of the table: name and printed value. `others` is the human column, for the overlap of pitches."""
    shares = metrics.interval_shares(songs)
    lifts = chorus_lifts(tasks, songs)
    repeats, steps = held_moves(songs)
    modes = {mode: [s for s in songs if s.key.mode == mode] for mode in ("major", "minor")}
    rows = {f"intervals: {name} %": f"{100 * share:.1f}" for name, share in shares.items()}
    rows["span, median semitones"] = f"{median(map(metrics.span, songs)):.0f}"
    rows["span over 14, share of songs"] = f"{mean(metrics.span(song) > 14 for song in songs):.3f}"
    rows["in key, share of time"] = f"{metrics.in_key(songs):.3f}"
    rows["last note on the tonic"] = f"{metrics.ends_on_tonic(songs):.3f}"
    rows["chord tones on strong beats"] = f"{metrics.chord_tones_on_strong_beats(songs):.3f}"
    rows["repeated 4-grams"] = f"{metrics.repeated_fourgrams(songs):.3f}"
    rows["refrain above verse, semitones"] = f"{mean(lifts):.2f}" if lifts else "-"
    rows["refrain above verse by 2 to 5"] = f"{mean(2 <= x <= 5 for x in lifts):.3f} of {len(lifts)}" if lifts else "-"
    rows["melisma: same pitch / step"] = f"{repeats:.3f} / {steps:.3f}"
    rows["pitch overlap with human (PD)"] = f"{overlap(metrics.pitches(songs), metrics.pitches(others)):.3f}"
    rows["scale-degree overlap"] = f"{overlap(degrees(songs), degrees(others)):.3f}"
    for mode, part in modes.items():
        rows[f"songs in {mode}"] = str(len(part))
    if index is not None:
        runs = [index.longest_run(metrics.tokens(song)) for song in songs]
        rows["longest run in training songs"] = f"{mean(runs):.2f} mean, {max(runs)} longest"
    return rows


def degrees(songs: Sequence[SungSong]) -> list[tuple[str, int]]:
    """Pool pitch classes above the tonic by mode."""
    return [(song.key.mode, (note.pitch - song.key.tonic) % 12) for song in songs for note in song.notes]


def main() -> None:
    """Read options, decode, print the two columns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="songs_open.parquet")
    parser.add_argument("--model", type=Path, help="model folder; default: the shipped one")
    parser.add_argument("--songs", type=int, default=200, help="at most so many songs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--validation", action="store_true", help="measure on a tenth of the training groups")
    parser.add_argument("--show", type=int, default=0, help="print so many melodies as scale degrees under their words")
    options = parser.parse_args()
    corpus = list(read_corpus(options.data))
    lines = refrains(corpus)
    part = [s for s in corpus if (int(s.group, 16) % 10 == 1 if options.validation else s.held_out)]
    verses = list({song.song_id: song for song in part}.values())[: options.songs]
    tasks = [make_task(song, lines.get(song.song_id, frozenset())) for song in verses]
    model = load_model() if options.model is None else load_model(options.model)
    human = [sung_song(task, [note.pitch for note in task.song.notes]) for task in tasks]
    began = time.process_time()
    melodies = [sing(task, options.seed, model) for task in tasks]
    seconds = time.process_time() - began
    ours = [sung_song(task, [p for line in melody for p in line]) for task, melody in zip(tasks, melodies, strict=True)]
    training = {s.song_id: s for s in corpus if not s.held_out and not (options.validation and s in part)}
    index = CopyIndex(metrics.tokens(_bare_song(song)) for song in training.values())
    columns = [measure(tasks, human, human, index), measure(tasks, ours, human, index)]
    print(f"{len(tasks)} songs, {sum(len(s.notes) for s in human)} notes; decoded in {seconds:.1f} s of CPU")
    print(f"the network gives the pitches that people sang {nats_per_note(tasks, lines, model):.4f} nats per note")
    print(f"{'':34}{'human':>24}{'ours':>24}")
    for name in columns[0]:
        print(f"{name:34}{columns[0][name]:>24}{columns[1][name]:>24}")
    for task, melody in list(zip(tasks, melodies, strict=True))[: options.show]:
        show(task, melody)


def _bare_song(song: CorpusSong) -> SungSong:
    notes = tuple(SungNote(n.onset, n.duration, 0, n.pitch, n.syllable, n.held) for n in song.notes)
    return SungSong(song.meter, song_key(song), notes, (), ())


def show(task: Task, melody: Sequence[Sequence[int]]) -> None:
    """Print a melody as scale degrees under its words: 5 is the fifth, 5, an octave lower, 5' an octave higher."""
    flat = [pitch for line in melody for pitch in line]
    anchor = anchor_pitch(median(flat), task.key.tonic)
    print(f"\n{task.song.song_id} ({task.song.style}, {task.song.meter}, {task.key})")
    for line, pitches in zip(task.rhythm.lines, melody, strict=True):
        section = task.lyrics.sections[line.section]
        syllables = section.lines[line.line].syllables
        upper, lower = "", ""
        for note, pitch in zip(line.notes, pitches, strict=True):
            octave, degree = divmod(pitch - anchor, 12)
            name = DEGREES[degree] + ("," * -octave if octave < 0 else "'" * octave)
            text = "_" if note.held else syllables[note.syllable].text
            width = max(len(name), len(text)) + 1
            upper += text.ljust(width)
            lower += name.ljust(width)
        print(f"  {section.id:4}{upper}\n      {lower}")


DEGREES = ("1", "b2", "2", "b3", "3", "4", "#4", "5", "b6", "6", "b7", "7")


if __name__ == "__main__":
    main()
