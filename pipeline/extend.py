"""Continue a tune that the user brings: the tune as it was given, then new phrases in its manner, as one song.

The chords of the tune are inferred from its notes, those of the continuation planned as for new songs. The network
reads the tune before it sings on (melody/decode.py), so that its recurrent state and its copies of earlier lines are
the tune's. Without words the form and the rhythms come from melody/continuation.py; with words the aligner sets them,
its first lines taking up the rhythms of the tune's phrases.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from align.corpus import CorpusNote, CorpusSong, CorpusSyllable
from align.meter import GRID, TICKS_PER_BEAT, Meter
from align.rhythm import LineRhythm, Rhythm, RhythmNote, SectionSpan
from align.search import PhraseRhythm, align_lyrics
from lyrics.analysis import outline
from lyrics.document import Line, Lyrics, Role, Section, Syllable, Word
from lyrics.parse import parse_lyrics
from lyrics.pronounce import Pronouncer
from melody.chord_plan import plan_chords
from melody.continuation import NewPhrase, Part, is_closed, plan_parts, plan_phrases
from melody.decode import Directions, Echo, melodize
from melody.harmony import infer_plain_chords
from melody.listening import TuneNote, mode_degrees
from melody.theory import Chord, ChordSpan, Key
from melody.tune_phrases import Phrase, find_phrases
from pipeline.compose import joined_chords, sung_sections
from pipeline.errors import SettingsError
from pipeline.given_words import GivenWord, given_words
from pipeline.seeds import MAX_SEED, derived_seed, line_seed
from pipeline.settings import STYLES, known
from pipeline.song import MIDI_LYRICS, Song, SongSettings
from pipeline.tune import Tune

GIVEN, CONTINUED = "t1", "t2"  # ids of the sections: the tune, and its continuation without words
MAX_NEW_BARS = 200
_BEYOND = 2  # semitones by which the continuation may leave the range of the tune
_LEAST_SPAN = 9
_POOR_SCALE = 20  # notes of a tune from which degrees that it never touches are left out
_ATTEMPTS = 8  # continuations that are sung; one of those that move most like the tune stays
_NEAR = 0.08  # how much stranger than the best one it may be
_COPIED = 0.6
_CLASHING = 1.5
_LONGEST_LINE = 8  # bars
_WORDLESS = Syllable("", (), 0)


@dataclass(frozen=True, slots=True)
class LaidOut:
    """The tune as lines of a song; times count from the start of the document."""

    section: Section
    lines: tuple[LineRhythm, ...]
    pitches: tuple[tuple[int, ...], ...]
    phrases: tuple[Phrase, ...]
    offset: int  # ticks of the tune's first bar that lie before the document's start
    pickup: int
    end: int  # the bar line with which the continuation begins


def extend(
    tune: Tune,
    *,
    bars: int | None = None,
    lyrics: str | Lyrics | None = None,
    seed: int = 0,
    style: str = "folk",
    title: str | None = None,
    name: str | None = None,
    midi_lyrics: str = "plain",
    pronouncer: Pronouncer | None = None,
) -> Song:
    """Return the tune and its continuation as one song; the same arguments give the same song.

    Without `lyrics` the continuation has `bars` bars (8 if not said); with them it has as many as the words need, and
    `bars`, if given, must be enough: the bars left over are rests. Raises SettingsError for settings without sense,
    LyricsError for lyrics that cannot be sung.
    """
    if not 0 <= seed <= MAX_SEED:
        raise SettingsError(f"seed must be a whole number from 0 to {MAX_SEED}, got {seed}")
    if bars is not None and not 1 <= bars <= MAX_NEW_BARS:
        raise SettingsError(f"bars must be 1 to {MAX_NEW_BARS}, got {bars}")
    try:
        style = known("style", style, STYLES)
        midi_lyrics = known("midi lyrics", midi_lyrics, MIDI_LYRICS)
    except ValueError as error:
        raise SettingsError(str(error)) from error
    laid = lay_out(tune)
    words = parse_lyrics(lyrics, pronouncer) if isinstance(lyrics, str) else lyrics
    if words is None:
        draft = _without_words(tune, laid, 8 if bars is None else bars, seed)
    else:
        draft = _with_words(tune, laid, words, bars, seed, style)
    return _sing(tune, laid, draft, seed, style, title or tune.title or name or "Untitled", midi_lyrics)


def lay_out(tune: Tune) -> LaidOut:
    """Divide the tune into phrases and make them lines, with their words or without."""
    bar, meter = tune.meter.bar_ticks, tune.meter
    words = given_words(tune.texts, tune.notes)
    starts = [word.notes[0][0] for word in words]
    said = {word.notes[0][0] for word in words if word.new_line}
    phrases = find_phrases(tune.notes, meter, set(starts), said)
    if said:  # the file says where its lines begin: they are the phrases, unless they are very long
        lines_said = find_phrases(tune.notes, meter, said)
        phrases = lines_said if max(phrase.bars for phrase in lines_said) <= _LONGEST_LINE else phrases
    first = tune.notes[0].onset
    unit = TICKS_PER_BEAT * 4 // meter.denominator
    pickup = -(-(bar - first) // unit) * unit if 2 * first >= bar else 0
    offset = bar - pickup if pickup else 0
    end = phrases[-1].bar_line + phrases[-1].bars * bar - offset
    lines: list[Line] = []
    timed: list[LineRhythm] = []
    pitches: list[tuple[int, ...]] = []
    for number, phrase in enumerate(phrases):
        here = [word for word, start in zip(words, starts, strict=True) if phrase.first <= start < phrase.after]
        line, notes = _line(here, tune.notes, offset, number)
        lines.append(line)
        begin = 0 if number == 0 else tune.notes[phrase.first].onset - offset
        stop = tune.notes[phrase.after].onset - offset if phrase.after < len(tune.notes) else end
        timed.append(LineRhythm(0, number, begin, stop, notes))
        pitches.append(tuple(note.pitch for note in tune.notes[phrase.first : phrase.after]))
    section = Section(GIVEN, Role.VERSE, "Tune", tuple(lines), tagged=False)
    return LaidOut(section, tuple(timed), tuple(pitches), phrases, offset, pickup, end)


def _line(
    words: Sequence[GivenWord], notes: Sequence[TuneNote], offset: int, number: int
) -> tuple[Line, tuple[RhythmNote, ...]]:
    sung: list[RhythmNote] = []
    syllable = 0
    for word in words:
        for indices in word.notes:
            for part, index in enumerate(indices):
                note = notes[index]
                sung.append(RhythmNote(note.onset - offset, note.duration, syllable, held=part > 0))
            syllable += 1
    numbered = tuple(replace(word.word, token=token) for token, word in enumerate(words))
    text = " ".join(w.prefix + w.text + w.suffix for w in numbered if w.text)
    return Line(text, numbered, number + 1), tuple(sung)


@dataclass(frozen=True, slots=True)
class _Draft:
    """The continuation before it has pitches."""

    sections: tuple[Section, ...]
    lines: tuple[LineRhythm, ...]  # their sections and `follows` count from the tune
    spans: tuple[SectionSpan, ...]
    end: int
    echoes: dict[int, Echo]
    rhymes: tuple[tuple[str, ...], ...]  # by section
    returns: tuple[tuple[int, int, int], ...] = ()  # (start, length, where in the tune) whose chords return


def _without_words(tune: Tune, laid: LaidOut, num_bars: int, seed: int) -> _Draft:
    rng = np.random.Generator(np.random.PCG64(derived_seed(seed, "continuation")))
    bar, count = tune.meter.bar_ticks, len(laid.lines)
    room = laid.end - laid.lines[-1].notes[-1].onset - laid.lines[-1].notes[-1].duration
    planned = plan_phrases(tune.notes, laid.phrases, tune.meter, tune.key, num_bars, room, rng)
    lines: list[LineRhythm] = []
    texts: list[Line] = []
    echoes: dict[int, Echo] = {}
    returns: list[tuple[int, int, int]] = []
    labels: list[str] = []
    line = laid.end
    for number, phrase in enumerate(planned):
        notes = tuple(RhythmNote(line + onset, length, i) for i, (onset, length) in enumerate(phrase.rhythm))
        source = count + number - 1 if phrase.before else phrase.model
        lines.append(LineRhythm(1, number, min(line, notes[0].onset), 0, notes, source))
        words = tuple(Word("", "", token, (_WORDLESS,), False) for token in range(len(notes)))
        texts.append(Line("", words, count + number + 1))
        free = source is None or phrase.end <= phrase.start
        echoes[count + number] = Echo(None if free else source, phrase.start, phrase.end, phrase.moved)
        if phrase.part is Part.RETURN and phrase.model is not None:
            model = laid.phrases[phrase.model]
            kept = min(model.bars, phrase.bars) - 1
            returns.append((line, kept * bar, model.bar_line - laid.offset))
        labels.append(_label(number, planned))
        line += phrase.bars * bar
    stops = [other.start for other in lines[1:]] + [line]
    section = Section(CONTINUED, Role.VERSE, "Continuation", tuple(texts), tagged=False)
    return _Draft(
        (section,),
        tuple(replace(timed, end=stop) for timed, stop in zip(lines, stops, strict=True)),
        (SectionSpan(1, laid.end, line),),
        line,
        echoes,
        (tuple(labels),),
        tuple(returns),
    )


def _label(number: int, planned: Sequence[NewPhrase]) -> str:
    """Let a phrase that asks rhyme with the one that answers it."""
    if planned[number].open and number + 1 < len(planned):
        return f"n{number}"
    return f"n{number - 1}" if number and planned[number - 1].open else "-"


def _with_words(tune: Tune, laid: LaidOut, lyrics: Lyrics, num_bars: int | None, seed: int, style: str) -> _Draft:
    rng = np.random.Generator(np.random.PCG64(derived_seed(seed, "continuation")))
    bar, count = tune.meter.bar_ticks, len(laid.lines)
    seeds = _seeds(lyrics.sections, seed)
    own = align_lyrics(lyrics, tune.meter, style, seeds, [_rhythm_of(line, laid, tune.meter) for line in laid.lines])
    shift = laid.end - own.pickup
    last = laid.lines[-1].notes[-1]
    if own.lines and own.lines[0].notes[0].onset + shift < last.onset + last.duration:
        shift += bar  # its pick-up needs a bar
    needed = (own.end + shift - laid.end) // bar
    if num_bars is not None and num_bars < needed:
        raise SettingsError(
            f"the words need {needed} bars, and there are {num_bars}; give --bars {needed}, or leave it out"
        )
    end = laid.end + max(needed, num_bars or 0) * bar
    lines = tuple(
        LineRhythm(
            line.section + 1,
            line.line,
            max(line.start + shift, laid.end - max(0, laid.end - line.notes[0].onset - shift)),
            line.end + shift,
            tuple(replace(note, onset=note.onset + shift) for note in line.notes),
            None if line.follows is None else line.follows + count,
        )
        for line in own.lines
    )
    spans = [SectionSpan(s.section + 1, s.start + shift, s.end + shift) for s in own.sections]
    spans[0] = replace(spans[0], start=laid.end)
    spans[-1] = replace(spans[-1], end=end)
    echoes: dict[int, Echo] = {}
    seen: set[Role] = set()
    for index, section in enumerate(lyrics.sections):
        here = [number for number, line in enumerate(own.lines) if line.section == index]
        if section.repeat_of is None and section.role not in seen and here:
            seen.add(section.role)
            parts = plan_parts(len(here), is_closed(tune.notes, tune.key) or index > 0, rng)
            for place, (number, part) in enumerate(zip(here, parts, strict=True)):
                echoes[count + number] = _echo(part, place, count + number, laid, rng)
    rhymes = tuple(section.rhyme_labels for section in outline(lyrics).sections)
    return _Draft(lyrics.sections, lines, tuple(spans), end, echoes, rhymes)


def _echo(part: Part, place: int, number: int, laid: LaidOut, rng: np.random.Generator) -> Echo:
    """Say what a line with words takes up, as phrases without words do."""
    if part is Part.SEQUENCE and place:
        return Echo(number - 1, 0.0, 0.75, moved=True)
    if part is Part.ANSWER and place:
        return Echo(number - 1, 0.0, 0.5)
    if part is Part.RETURN:
        return Echo(0, 0.0, 0.75)
    if part is Part.CLOSE:
        return Echo(len(laid.lines) - 1, 0.45, 1.0)
    source = int(rng.integers(len(laid.lines)))
    return Echo(source, 0.0, (0.0, 0.5)[int(rng.integers(2))], moved=True)


def _rhythm_of(line: LineRhythm, laid: LaidOut, meter: Meter) -> PhraseRhythm:
    phrase = laid.phrases[line.line]
    start = phrase.bar_line - laid.offset
    onsets = tuple(round((note.onset - start) / GRID) for note in line.notes if not note.held)
    return PhraseRhythm(onsets, phrase.bars)


def _seeds(sections: Sequence[Section], seed: int) -> dict[str, int]:
    return {
        f"{section.id}.{number}": line_seed(seed, f"{section.id}.{number}")
        for section in sections
        for number in range(1, len(section.lines) + 1)
    }


def _sing(tune: Tune, laid: LaidOut, draft: _Draft, seed: int, style: str, title: str, midi_lyrics: str) -> Song:
    """Find chords and pitches, and put the song together."""
    lyrics = Lyrics((laid.section, *draft.sections), title)
    given_lines = _given_lines(laid, draft)
    rhythm = Rhythm(
        tune.meter,
        laid.pickup,
        (*given_lines, *draft.lines),
        (SectionSpan(0, laid.pickup, laid.end), *draft.spans),
        draft.end,
    )
    given_chords = infer_plain_chords(as_corpus_song(tune, laid, style), tune.key)
    planned = [
        replace(span, chord=_modal(span.chord, tune))
        for span in plan_chords(lyrics, rhythm, tune.key, style, derived_seed(seed, "chords"))
    ]
    chords = _chords(given_chords, planned, draft, laid.end)
    rhymes = (_given_labels(tune, laid), *draft.rhymes)
    low, high = _range(tune)
    directions = Directions(
        given=dict(enumerate(laid.pitches)), echoes=draft.echoes, window=(low, high), scale=_scale(tune)
    )
    seeds = _seeds(lyrics.sections, seed)
    # Lines that take up nothing as it was: they should not come out as copies of phrases of the tune.
    fresh = [number for number, echo in draft.echoes.items() if echo.source is None or echo.moved]
    attempts = []
    for attempt in range(_ATTEMPTS):
        tried = {name: derived_seed(line, "attempt", attempt) for name, line in seeds.items()} if attempt else seeds
        sung = melodize(lyrics, rhythm, chords, tune.key, (low, high), style, tried, rhymes, directions=directions)
        new = [pitch for line in sung[len(laid.lines) :] for pitch in line]
        strange = _strangeness([n.pitch for n in tune.notes], new, tune.key)
        strange += _CLASHING * _clashes(rhythm, sung, chords, len(laid.lines))
        strange += _COPIED * sum(sung[number] in laid.pitches for number in fresh)
        attempts.append((round(strange, 6), attempt, sung))
    attempts.sort()
    near = [sung for strange, _, sung in attempts if strange <= attempts[0][0] + _NEAR]
    distinct = list(dict.fromkeys(near))  # so that seeds differ where several are good
    pitches = distinct[derived_seed(seed, "choice") % len(distinct)]
    sections = sung_sections(lyrics, rhythm, pitches, seeds, rhymes)
    given = replace(sections[0], lines=tuple(replace(line, locked=True) for line in sections[0].lines))
    heard = [pitch for line in pitches for pitch in line]
    settings = SongSettings(
        key=tune.key,
        tempo_qpm=tune.tempo_qpm,
        meter=tune.meter,
        style=style,
        voice="custom",
        low=min(low, *heard),
        high=max(high, *heard),
        midi_lyrics=midi_lyrics,
        reasons=(*tune.reasons, ("voice", "the range of the tune and a little more")),
    )
    return Song(
        title=" ".join("".join(c if c.isprintable() else " " for c in title).split()) or "Untitled",
        seed=seed,
        settings=settings,
        pickup=laid.pickup,
        end=draft.end,
        sections=(given, *sections[1:]),
        chords=joined_chords(chords, rhythm),
    )


def _strangeness(given: Sequence[int], new: Sequence[int], key: Key) -> float:
    """How far a continuation moves otherwise than the tune: by sizes of intervals, by degrees, by how it ends."""

    def sizes(pitches: Sequence[int]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        steps = np.abs(np.diff(pitches))
        counts = np.bincount(np.searchsorted([1, 3, 5, 8], steps, side="right"), minlength=5)
        return counts / max(1, len(steps))

    def degrees(pitches: Sequence[int]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.bincount(np.asarray(pitches) % 12, minlength=12) / len(pitches)

    # The last step to the tonic comes from beside it, or down or up from the fifth.
    leap = abs(new[-1] - new[-2]) not in (1, 2, 5, 7) if len(new) > 1 else False
    stuck = max((sum(1 for _ in run) for _, run in groupby(new)), default=0)
    allowed = max(sum(1 for _ in run) for _, run in groupby(given))
    strange = float(np.abs(sizes(given) - sizes(new)).sum() + 0.5 * np.abs(degrees(given) - degrees(new)).sum())
    if given[-1] % 12 == key.tonic:
        strange += 0.4 * (new[-1] != given[-1])  # in the tune's own octave
    return strange + 0.3 * leap + 0.2 * max(0, stuck - allowed)


def _clashes(rhythm: Rhythm, pitches: Sequence[Sequence[int]], chords: Sequence[ChordSpan], first: int) -> float:
    """Return the share of weighty notes, on strong beats or longer than a beat, that are foreign to their chord."""
    starts = [span.onset for span in chords]
    weighty = foreign = 0
    for line, tune in zip(rhythm.lines[first:], pitches[first:], strict=True):
        for note, pitch in zip(line.notes, tune, strict=True):
            index = bisect_right(starts, note.onset) - 1
            if index >= 0 and (rhythm.strength(note.onset) >= 4 or note.duration > rhythm.meter.pulse_ticks):
                weighty += 1
                foreign += pitch % 12 not in chords[index].chord.pitch_classes
    return foreign / max(1, weighty)


def _given_lines(laid: LaidOut, draft: _Draft) -> tuple[LineRhythm, ...]:
    """Let the last line of the tune end where the continuation's first pick-up may begin."""
    first = min([laid.end, *(line.start for line in draft.lines[:1])])
    return (*laid.lines[:-1], replace(laid.lines[-1], end=first))


def _given_labels(tune: Tune, laid: LaidOut) -> tuple[str, ...]:
    """Label phrases of the tune that ask and answer as rhymes, "-" for the others."""
    labels: list[str] = []
    for number, pitches in enumerate(laid.pitches):
        asks = pitches[-1] % 12 != tune.key.tonic and number + 1 < len(laid.pitches)
        answers = number > 0 and labels[-1] == f"g{number - 1}"
        labels.append(labels[-1] if answers else f"g{number}" if asks else "-")
    return tuple(labels)


def _chords(
    given: Sequence[ChordSpan], planned: Sequence[ChordSpan], draft: _Draft, start: int
) -> tuple[ChordSpan, ...]:
    """Join the chords of the tune with those planned after it; where the opening returns, so do its chords."""

    def part(spans: Sequence[ChordSpan], first: int, after: int, moved: int) -> list[ChordSpan]:
        cut = []
        for span in spans:
            a, b = max(span.onset, first), min(span.onset + span.duration, after)
            if a < b:
                cut.append(ChordSpan(a + moved, b - a, span.chord))
        return cut

    chords = part(given, 0, start, 0)
    if chords and chords[-1].onset + chords[-1].duration < start:
        chords[-1] = replace(chords[-1], duration=start - chords[-1].onset)
    place = start
    for first, length, source in draft.returns:
        chords += part(planned, place, first, 0) + part(given, source, source + length, first - source)
        place = first + length
    return tuple(chords + part(planned, place, draft.end, 0))


def _range(tune: Tune) -> tuple[int, int]:
    """Return the range of the continuation: the tune's and a little more."""
    pitches = [note.pitch for note in tune.notes]
    low, high = min(pitches), max(pitches)
    spare = max(0, _LEAST_SPAN - (high - low))
    low, high = low - max(_BEYOND, spare // 2), high + max(_BEYOND, spare - spare // 2)
    return max(0, low), min(127, high)


def _mode(tune: Tune) -> frozenset[int]:
    """Return the degrees of the tune's mode."""
    own = frozenset((pitch_class - tune.key.tonic) % 12 for pitch_class in tune.key.scale)
    return mode_degrees(tune.key, _weights(tune)) or own


def _scale(tune: Tune) -> frozenset[int]:
    """Return the degrees that the continuation sings: those of the mode; pentatonic tunes keep their gaps."""
    mode, weight = _mode(tune), _weights(tune)
    used = frozenset(degree for degree in mode if weight[degree])
    return used if len(tune.notes) >= _POOR_SCALE and len(used) >= 4 and 0 in used else mode


def _weights(tune: Tune) -> list[int]:
    """Return how long each degree (semitones above the tonic) sounds, in ticks."""
    weight = [0] * 12
    for note in tune.notes:
        weight[(note.pitch - tune.key.tonic) % 12] += note.duration
    return weight


def _modal(chord: Chord, tune: Tune) -> Chord:
    """Bend a chord to the tune's mode: dorian tunes have a major subdominant, mixolydian ones a minor dominant."""
    tonic, mode = tune.key.tonic, mode_degrees(tune.key, _weights(tune))
    if mode is None:
        return chord
    allowed = mode | ({11} if tune.key.mode == "minor" else set())
    subdominant = [Chord((tonic + 5) % 12, quality) for quality in ("", "m")]
    bent = [Chord(chord.root, quality) for quality in ("", "m")]
    for option in (chord, *bent, *subdominant):
        if {(pitch_class - tonic) % 12 for pitch_class in option.pitch_classes} <= allowed:
            return option
    return Chord(tonic, "m" if tune.key.mode == "minor" else "")


def as_corpus_song(tune: Tune, laid: LaidOut, style: str) -> CorpusSong:
    """View the tune as a song of the corpus, for the model that infers chords."""
    line_of = [number for number, p in enumerate(laid.phrases) for _ in range(p.first, p.after)]
    bar = tune.meter.bar_ticks
    return CorpusSong(
        song_id="tune",
        group="0",
        verse="1",
        style=style,
        language="",
        meter=tune.meter,
        key_fifths=tune.key.fifths,
        key_mode=tune.key.mode,
        tempo_qpm=tune.tempo_qpm,
        words=("",) * len(tune.notes),
        syllables=tuple(CorpusSyllable("", index, None, True, True, line) for index, line in enumerate(line_of)),
        notes=tuple(
            CorpusNote(note.onset - laid.offset, note.duration, note.onset % bar, note.pitch, index, False)
            for index, note in enumerate(tune.notes)
        ),
        chords=(),
        num_lines=len(laid.phrases),
        lines_from_source=False,
        lines_text=(),
    )
