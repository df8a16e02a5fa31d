"""Revise a song: sing a line again, keep one, put other words to one, move the whole song to another key or tempo.

What is not asked to change stays as it is, note for note. A line that is sung again keeps its stretch of time and its
chords; it gets the next revision, and with it a seed of its own (pipeline/seeds.py). Where a section repeats another
one, a line and its repeats are one line that is sung several times: they change together. The network reads all lines
that stay, so that the new one follows from them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from align.meter import GRID
from align.rhythm import LineRhythm, Rhythm, RhythmNote
from align.search import align_line, keeps_rhythm
from lyrics.analysis import outline
from lyrics.document import Line, Lyrics, LyricsError
from lyrics.parse import parse_lyrics
from lyrics.pronounce import Pronouncer
from melody.decode import Directions, Echo, choose_window, melodize
from melody.listening import mode_degrees
from melody.theory import Chord, Key
from pipeline.compose import sung_words
from pipeline.errors import SettingsError
from pipeline.names import pitch_name
from pipeline.seeds import line_seed
from pipeline.settings import HIGHEST, LOWEST, MAX_TEMPO, MIN_TEMPO, VOICES
from pipeline.song import Note, Song, SungLine, chord_symbol

_TRIES = 8  # revisions that are tried until a line comes out other than it was


@dataclass(frozen=True, slots=True)
class _Place:
    """A line's stretch of time."""

    bar_line: int  # ticks: its first one
    num_bars: int
    pickup: int  # ticks before its bar lines that belong to it
    early: int  # ticks before its first bar line that it may really use
    end: int  # ticks from its first bar line to where its last note must end


def select(song: Song, names: Sequence[str]) -> tuple[str, ...]:
    """Return the ids of the lines that names mean: "v1.2", a section's "c1", or "all"; SettingsError if unknown."""
    found: list[str] = []
    for name in names:
        wanted = name.strip()
        ids = [
            line.id
            for section in song.sections
            for line in section.lines
            if wanted in (line.id, section.id) or wanted.lower() == "all"
        ]
        if not ids:
            known = ", ".join(
                f"{section.lines[0].id} to {section.lines[-1].id}" for section in song.sections if section.lines
            )
            raise SettingsError(f"there is no line {wanted!r}; this song has {known}")
        found += ids
    return tuple(dict.fromkeys(found))


def lock(song: Song, ids: Sequence[str], locked: bool = True) -> Song:
    """Mark lines, and their repeats, as finished, or free them again."""
    wanted = {member for identifier in ids for member in _family(song, identifier)}
    return _with_lines(song, {line.id: replace(line, locked=locked) for line in song.lines if line.id in wanted})


def set_tempo(song: Song, tempo: float) -> Song:
    """Sing faster or slower, in quarter notes a minute."""
    if not MIN_TEMPO <= tempo <= MAX_TEMPO:
        raise SettingsError(f"tempo must be {MIN_TEMPO} to {MAX_TEMPO} quarter notes a minute, got {tempo:g}")
    settings = replace(song.settings, tempo_qpm=float(tempo), reasons=_reasons(song, "tempo"))
    return replace(song, settings=settings)


def transpose(song: Song, semitones: int) -> Song:
    """Move the whole song, locked lines too: melody, chords, key and the range of the voice."""
    settings = song.settings
    pitches = [note.pitch for line in song.lines for note in line.notes] or [settings.low, settings.high]
    if not (LOWEST <= min(pitches) + semitones and max(pitches) + semitones <= HIGHEST):
        room = LOWEST - min(pitches), HIGHEST - max(pitches)
        raise SettingsError(f"transpose must be {room[0]} to {room[1]} semitones for this song, got {semitones}")
    if semitones == 0:
        return song
    key = Key((settings.key.tonic + semitones) % 12, settings.key.mode)

    def moved(chord: Chord) -> Chord:
        bass = None if chord.bass is None else (chord.bass + semitones) % 12
        return Chord((chord.root + semitones) % 12, chord.quality, bass)

    def raised(line: SungLine) -> SungLine:
        return _with_notes(line, [replace(note, pitch=note.pitch + semitones) for note in line.notes])

    given = tuple(chord_symbol(moved(Chord.parse(symbol)), key) for symbol in settings.chords)
    return replace(
        _with_lines(song, {line.id: raised(line) for line in song.lines}),
        settings=replace(
            settings,
            key=key,
            low=min(max(0, settings.low + semitones), min(pitches) + semitones),
            high=max(min(127, settings.high + semitones), max(pitches) + semitones),
            chords=given,
            reasons=_reasons(song, "key"),
        ),
        chords=tuple(replace(span, chord=moved(span.chord)) for span in song.chords),
    )


def beyond_voices(song: Song) -> str:
    """Say where the melody goes beyond what any voice of `VOICES` sings with ease; "" if it does not."""
    pitches = [note.pitch for line in song.lines for note in line.notes]
    lowest, highest = VOICES["bass"][0], VOICES["soprano"][1]
    if pitches and max(pitches) > highest:
        return f"goes up to {pitch_name(max(pitches))}, higher than a soprano sings with ease ({pitch_name(highest)})"
    if pitches and min(pitches) < lowest:
        return f"goes down to {pitch_name(min(pitches))}, lower than a bass sings with ease ({pitch_name(lowest)})"
    return ""


def to_key(song: Song, key: str | Key) -> Song:
    """Transpose to a key of the same mode, whichever way is nearer (up where both are six semitones)."""
    try:
        wanted = Key.parse(key) if isinstance(key, str) else key
    except ValueError as error:
        raise SettingsError(str(error)) from error
    if wanted.mode != song.settings.key.mode:
        raise SettingsError(
            f"the song is in {song.settings.key}, and a change to {wanted.mode} is another song: "
            f"compose it with --key {str(wanted)!r}"
        )
    up = (wanted.tonic - song.settings.key.tonic) % 12
    return transpose(song, up if up <= 6 else up - 12)


def reroll(song: Song, ids: Sequence[str], *, keep_rhythm: bool = False) -> Song:
    """Sing lines again, with their repeats: another rhythm and melody, or another melody alone.

    Raises SettingsError for a locked line.
    """
    done: set[str] = set()
    for identifier in ids:
        if identifier not in done:
            family = _family(song, identifier)
            _check_unlocked(song, family)
            song = _sing_again(song, family, _line(song, family[0]), keep_rhythm=keep_rhythm)
            done.update(family)
    return song


def replace_words(song: Song, identifier: str, text: str, pronouncer: Pronouncer | None = None) -> Song:
    """Put other words to a line and its repeats.

    They keep the line's melody if they have as many syllables with the stresses in the same places; else the line is
    sung again in the same bars. Raises SettingsError for a locked line, LyricsError for words that cannot be sung or
    for which its bars have no room.
    """
    family = _family(song, identifier)
    _check_unlocked(song, family)
    parsed = parse_lyrics(text, pronouncer)
    lines = [line for section in parsed.sections for line in section.lines]
    if len(lines) != 1 or len(parsed.sections) != 1:
        raise LyricsError(f"the new words of {identifier} must be one line, got {len(lines)}")
    old = _line(song, family[0])
    line = replace(lines[0], number=old.number)
    before = _as_line(song, family[0])
    rhyme = _rhyme(song, family[0], line)
    if old.text and keeps_rhythm(before, line):
        changed = {}
        for member in family:
            sung = _line(song, member)
            notes = [list(syllable.notes) for word in sung.words for syllable in word.syllables]
            changed[member] = replace(sung, text=line.text, rhyme=rhyme, words=sung_words(line, notes))
        return _with_lines(song, changed)
    return _sing_again(song, family, old, line=line, rhyme=rhyme)


def _sing_again(
    song: Song,
    family: tuple[str, ...],
    old: SungLine,
    *,
    line: Line | None = None,
    rhyme: str | None = None,
    keep_rhythm: bool = False,
) -> Song:
    """Sing a line anew, with new words if there are some, until it differs from what it was."""
    words = line or _as_line(song, family[0])
    place = _place(song, *(_line(song, member) for member in family))
    kept = tuple(
        RhythmNote(note.onset, note.duration, number, held=part > 0)
        for number, syllable in enumerate(s for word in old.words for s in word.syllables)
        for part, note in enumerate(syllable.notes)
    )
    wordless = not any(word.text for word in words.words)
    others = [_onsets(song, other) for other in song.lines if other.id not in family]
    for attempt in range(1, _TRIES + 1):
        seed = line_seed(song.seed, old.id, old.revision + attempt)
        notes = kept
        if line is not None or not (keep_rhythm or wordless):
            fresh = align_line(
                words,
                song.settings.meter,
                song.settings.style,
                seed,
                place.num_bars,
                place.pickup,
                place.early,
                place.end,
                others,
            )
            if fresh is None and line is not None:
                raise LyricsError(
                    f"the new words of {old.id} have {len(words.syllables)} syllables, too many for its "
                    f"{place.num_bars} bars; shorten them"
                )
            if fresh is not None:
                notes = tuple(replace(note, onset=note.onset + place.bar_line) for note in fresh)
        pitches = _melody(song, family[0], words, notes, seed, rhyme)
        new = [Note(note.onset, note.duration, pitch) for note, pitch in zip(notes, pitches, strict=True)]
        if tuple(new) != old.notes:
            break
    changed = {}
    for member in family:
        sung = _line(song, member)
        shift = _place(song, sung).bar_line - place.bar_line
        groups: list[list[Note]] = [[] for _ in words.syllables]
        for note, timed in zip(new, notes, strict=True):
            groups[timed.syllable].append(replace(note, onset=note.onset + shift))
        revision = sung.revision + attempt
        changed[member] = replace(
            sung,
            text=words.text,
            rhyme=sung.rhyme if rhyme is None else rhyme,
            seed=line_seed(song.seed, sung.id, revision),
            revision=revision,
            words=sung_words(words, groups),
        )
    return _with_lines(song, changed)


def _melody(
    song: Song, identifier: str, words: Line, notes: Sequence[RhythmNote], seed: int, rhyme: str | None
) -> tuple[int, ...]:
    """Find the pitches of one line; all others are given."""
    settings = song.settings
    number = next(index for index, line in enumerate(song.lines) if line.id == identifier)
    rhythm = song.to_rhythm()
    timed = [
        LineRhythm(r.section, r.line, r.start, r.end, tuple(notes), r.follows) if index == number else r
        for index, r in enumerate(rhythm.lines)
    ]
    lyrics = _with_words(song.to_lyrics(), timed[number], words)
    given = {index: [note.pitch for note in line.notes] for index, line in enumerate(song.lines) if index != number}
    rhymes = tuple(
        tuple(rhyme if rhyme is not None and line.id == identifier else line.rhyme for line in section.lines)
        for section in song.sections
    )
    usual = choose_window(settings.low, settings.high, settings.key).pitches
    heard = [note.pitch for line in song.lines for note in line.notes]
    fits = usual[0] <= min(heard) and max(heard) <= usual[1]
    weights = np.zeros(12)
    for line in song.lines:
        for note in line.notes:
            weights[(note.pitch - settings.key.tonic) % 12] += note.duration
    directions = Directions(
        given=given,
        echoes={number: Echo(None)},
        window=usual if fits else (settings.low, settings.high),
        scale=mode_degrees(settings.key, weights.tolist()),
    )
    seeds = {line.id: seed for line in song.lines}
    whole = Rhythm(rhythm.meter, rhythm.pickup, tuple(timed), rhythm.sections, rhythm.end)
    voice = (settings.low, settings.high)
    sung = melodize(
        lyrics, whole, song.chords, settings.key, voice, settings.style, seeds, rhymes, directions=directions
    )
    return sung[number]


def _with_words(lyrics: Lyrics, timed: LineRhythm, words: Line) -> Lyrics:
    section = lyrics.sections[timed.section]
    lines = (*section.lines[: timed.line], words, *section.lines[timed.line + 1 :])
    sections = list(lyrics.sections)
    sections[timed.section] = replace(section, lines=lines)
    return replace(lyrics, sections=tuple(sections))


def _place(song: Song, *lines: SungLine) -> _Place:
    """Find the bars that a line has, and the time in them that all of its repeats have, too."""
    bar = song.settings.meter.bar_ticks
    bar_lines = [song.pickup + -(-(line.start - song.pickup) // bar) * bar for line in lines]
    early = min(bar_line - line.start for bar_line, line in zip(bar_lines, lines, strict=True))
    end = min(line.end - bar_line for bar_line, line in zip(bar_lines, lines, strict=True))
    num_bars = max(1, -(-end // bar))
    return _Place(bar_lines[0], num_bars, max(early, num_bars * bar - end) // GRID * GRID, early, end)


def _onsets(song: Song, line: SungLine) -> tuple[int, ...]:
    """Return where a line's syllables begin, in sixteenths from its first bar line."""
    bar_line = _place(song, line).bar_line
    return tuple((syllable.notes[0].onset - bar_line) // GRID for word in line.words for syllable in word.syllables)


def _rhyme(song: Song, identifier: str, line: Line) -> str:
    """Label the rhyme of a line with new words: as the line of its section with which it rhymes, or by a new letter."""
    lyrics, rhythm = song.to_lyrics(), song.to_rhythm()
    number = next(index for index, sung in enumerate(song.lines) if sung.id == identifier)
    timed = rhythm.lines[number]
    if not all(syllable.phones for other in lyrics.sections[timed.section].lines for syllable in other.syllables):
        return "-"  # a tune without words, or with words of an unknown sound, around it
    fresh = outline(_with_words(lyrics, timed, line)).sections[timed.section].rhyme_labels
    mine = fresh[timed.line]
    old = [sung.rhyme for sung in song.sections[timed.section].lines]
    if mine == "-":
        return "-"
    partners = [old[index] for index, label in enumerate(fresh) if label == mine and index != timed.line]
    known = [label for label in partners if label != "-"]
    free = (chr(code) for code in range(ord("A"), ord("Z")) if chr(code) not in old)
    return known[0] if known else next(free, "Z")


def _family(song: Song, identifier: str) -> tuple[str, ...]:
    """Return the ids of a line and its repeats, the one that they repeat first."""
    by_id = {section.id: section for section in song.sections}

    def source(section_id: str) -> str:
        repeated = by_id[section_id].repeat_of
        return section_id if repeated is None else source(repeated)

    section_id, _, number = identifier.rpartition(".")
    first = source(section_id)
    size = len(by_id[first].lines)
    members = [
        section
        for section in song.sections
        if source(section.id) == first and len(section.lines) == size and int(number) <= size
    ]
    family = tuple(f"{section.id}.{number}" for section in members)
    return family if identifier in family else (identifier,)


def _check_unlocked(song: Song, family: Sequence[str]) -> None:
    for identifier in family:
        if _line(song, identifier).locked:
            raise SettingsError(f"{identifier} is locked; free it with --unlock {identifier}")


def _line(song: Song, identifier: str) -> SungLine:
    return next(line for line in song.lines if line.id == identifier)


def _as_line(song: Song, identifier: str) -> Line:
    """Return a line as the lyrics stage gave it."""
    lyrics = song.to_lyrics()
    return next(
        plain
        for section, words in zip(song.sections, lyrics.sections, strict=True)
        for line, plain in zip(section.lines, words.lines, strict=True)
        if line.id == identifier
    )


def _with_lines(song: Song, changed: Mapping[str, SungLine]) -> Song:
    sections = (
        replace(section, lines=tuple(changed.get(line.id, line) for line in section.lines)) for section in song.sections
    )
    return replace(song, sections=tuple(sections))


def _with_notes(line: SungLine, notes: Sequence[Note]) -> SungLine:
    """Give a line other notes, as many as it has."""
    left = iter(notes)
    words = (
        replace(word, syllables=tuple(replace(s, notes=tuple(next(left) for _ in s.notes)) for s in word.syllables))
        for word in line.words
    )
    return replace(line, words=tuple(words))


def _reasons(song: Song, name: str) -> tuple[tuple[str, str], ...]:
    """Say that a setting is as asked."""
    return tuple((dict(song.settings.reasons) | {name: "as asked"}).items())
