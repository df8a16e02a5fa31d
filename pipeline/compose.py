"""Lyrics in, song out: the stages in order, and their results put together in a `Song`."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from align.meter import Meter
from align.rhythm import LineRhythm, Rhythm
from align.search import align_lyrics
from lyrics.analysis import outline
from lyrics.document import Line, Lyrics, LyricsError, Section, Word
from lyrics.parse import parse_lyrics
from lyrics.pronounce import Pronouncer
from melody.chord_plan import plan_chords
from melody.decode import SongToSing, melodize_all
from melody.theory import Chord, ChordSpan, Key
from pipeline.errors import SettingsError
from pipeline.seeds import MAX_SEED, derived_seed, line_seed
from pipeline.settings import choose_settings, is_mode, known
from pipeline.song import (
    BACKING,
    MIDI_LYRICS,
    Note,
    Song,
    SongSettings,
    SungLine,
    SungSection,
    SungSyllable,
    SungWord,
    chord_symbol,
)

logger = logging.getLogger(__name__)


def compose(
    text: str | Lyrics,
    *,
    seed: int = 0,
    key: str | Key | None = None,
    tempo: float | None = None,
    meter: str | Meter | None = None,
    style: str | None = None,
    voice: str | None = None,
    voice_range: str | tuple[int, int] | None = None,
    chords: str | Sequence[str | Chord] = (),
    title: str | None = None,
    name: str | None = None,
    pronunciations: Path | None = None,
    backing: str = "in-place",
    midi_lyrics: str = "plain",
) -> Song:
    """Compose a song to lyrics (as text, or parsed). The same arguments give the same song.

    What is not given is chosen from the lyrics: `key` ("D major", or "minor" alone), `tempo` (quarter notes per
    minute), `meter` ("3/4"), `style`, `voice` ("alto") or `voice_range` ("C3-E4", or two MIDI numbers), `chords` ("Am
    F C G", which settle the key where it is not given), `title` (else the lyrics' own, else `name`, else the first
    words). `pronunciations` is a file of the user's own. `backing` says what happens to (backing words): "in-place"
    sings them, "skip" leaves them out. `midi_lyrics` is one of `pipeline.song.MIDI_LYRICS`.

    Raises LyricsError for lyrics that cannot be sung, SettingsError for settings that make no sense.
    """
    return sing(
        [
            draft(
                text,
                seed=seed,
                key=key,
                tempo=tempo,
                meter=meter,
                style=style,
                voice=voice,
                voice_range=voice_range,
                chords=chords,
                title=title,
                name=name,
                pronunciations=pronunciations,
                backing=backing,
                midi_lyrics=midi_lyrics,
            )
        ]
    )[0]


@dataclass(frozen=True, slots=True)
class Draft:
    """A song but for its pitches."""

    lyrics: Lyrics
    rhythm: Rhythm
    plan: tuple[ChordSpan, ...]
    title: str
    seed: int
    seeds: Mapping[str, int]  # by line
    settings: SongSettings
    rhymes: tuple[tuple[str, ...], ...]


def sing(drafts: Sequence[Draft]) -> list[Song]:
    """Give songs their pitches: to each the same as alone, to several at once in less time."""
    melodies = melodize_all(
        SongToSing(
            song.lyrics,
            song.rhythm,
            song.plan,
            song.settings.key,
            (song.settings.low, song.settings.high),
            song.settings.style,
            song.seeds,
            song.rhymes,
        )
        for song in drafts
    )
    return [
        Song(
            title=song.title,
            seed=song.seed,
            settings=song.settings,
            pickup=song.rhythm.pickup,
            end=song.rhythm.end,
            sections=sung_sections(song.lyrics, song.rhythm, pitches, song.seeds, song.rhymes),
            chords=joined_chords(song.plan, song.rhythm),
        )
        for song, pitches in zip(drafts, melodies, strict=True)
    ]


def draft(
    text: str | Lyrics,
    *,
    seed: int = 0,
    key: str | Key | None = None,
    tempo: float | None = None,
    meter: str | Meter | None = None,
    style: str | None = None,
    voice: str | None = None,
    voice_range: str | tuple[int, int] | None = None,
    chords: str | Sequence[str | Chord] = (),
    title: str | None = None,
    name: str | None = None,
    pronunciations: Path | None = None,
    backing: str = "in-place",
    midi_lyrics: str = "plain",
) -> Draft:
    """Do all of `compose` that comes before the pitches; the arguments and errors are the same."""
    with _settings_errors():
        if not 0 <= seed <= MAX_SEED:
            raise ValueError(f"seed must be a whole number from 0 to {MAX_SEED}, got {seed}")
        backing = known("backing", backing, BACKING)
        midi_lyrics = known("midi lyrics", midi_lyrics, MIDI_LYRICS)
        given = parse_chords(chords)
        if isinstance(key, str) and not is_mode(key):
            key = Key.parse(key)
        meter = Meter.parse(meter) if isinstance(meter, str) else meter

    lyrics = parse_lyrics(text, Pronouncer(pronunciations)) if isinstance(text, str) else text
    if backing == "skip":
        lyrics = _without_backing(lyrics)
    analysis = outline(lyrics)
    with _settings_errors():
        chosen = choose_settings(
            lyrics,
            analysis,
            key=key,
            tempo=tempo,
            meter=meter,
            style=style,
            voice=voice,
            voice_range=voice_range,
            chords=given,
            title=_clean(title) or _clean(lyrics.title) or _clean(name) or None,
            seed=seed,
        )
    reasons = dict(chosen.reasons)
    if not _clean(title) and (_clean(lyrics.title) or _clean(name)):
        reasons["title"] = "as the lyrics say" if _clean(lyrics.title) else "from the file's name"
    guessed = sorted({word.text for line in _lines(lyrics) for word in line.words if not word.in_dictionary})
    logger.info("%d lines, %d syllables", analysis.num_lines, analysis.num_syllables)
    if guessed:
        logger.info("pronunciation guessed, not in the dictionary: %s", ", ".join(guessed))
    rhymes = tuple(section.rhyme_labels for section in analysis.sections)
    seeds = {
        f"{section.id}.{number}": line_seed(seed, f"{section.id}.{number}")
        for section in lyrics.sections
        for number in range(1, len(section.lines) + 1)
    }
    rhythm = align_lyrics(lyrics, chosen.meter, chosen.style, seeds)
    plan = plan_chords(lyrics, rhythm, chosen.key, chosen.style, derived_seed(seed, "chords"), given)
    logger.info("%d bars, %d chords", (rhythm.end - rhythm.pickup) // rhythm.meter.bar_ticks, len(plan))
    settings = SongSettings(
        key=chosen.key,
        tempo_qpm=chosen.tempo_qpm,
        meter=chosen.meter,
        style=chosen.style,
        voice=chosen.voice,
        low=chosen.low,
        high=chosen.high,
        chords=tuple(chord_symbol(chord, chosen.key) for chord in given),
        backing=backing,
        midi_lyrics=midi_lyrics,
        reasons=tuple(reasons.items()),
    )
    return Draft(lyrics, rhythm, plan, chosen.title, seed, seeds, settings, rhymes)


@contextmanager
def _settings_errors() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise SettingsError(str(error)) from error


def parse_chords(chords: str | Sequence[str | Chord]) -> tuple[Chord, ...]:
    """Read "Am F C G" (blanks, commas or bar lines between), or a list; ValueError for what is no chord."""
    if isinstance(chords, str):
        chords = chords.replace(",", " ").replace("|", " ").split()
        if not chords:
            raise ValueError('chords must look like "Am F C G", got an empty text')
    return tuple(Chord.parse(chord) if isinstance(chord, str) else chord for chord in chords)


def _lines(lyrics: Lyrics) -> Iterator[Line]:
    return (line for section in lyrics.sections for line in section.lines)


def _clean(text: str | None) -> str:
    """Strip a title of control characters and needless blanks."""
    return " ".join("".join(c if c.isprintable() else " " for c in text or "").split())


def _without_backing(lyrics: Lyrics) -> Lyrics:
    """Leave out (backing words), and lines that consist of them."""
    sections = []
    for section in lyrics.sections:
        lines = (replace(line, words=tuple(word for word in line.words if not word.backing)) for line in section.lines)
        sections.append(replace(section, lines=tuple(line for line in lines if line.words)))
    if not any(section.lines for section in sections):
        raise LyricsError("all words are backing words, in parentheses, and those are skipped")
    return replace(lyrics, sections=tuple(sections))


def joined_chords(plan: Sequence[ChordSpan], rhythm: Rhythm) -> tuple[ChordSpan, ...]:
    """Join neighbours of the same chord within a section: one symbol where the chord changes.

    The voice sings a pick-up bar alone: chords begin with the first full bar.
    """
    starts = {section.start for section in rhythm.sections}
    joined: list[ChordSpan] = []
    for span in plan:
        if span.onset < rhythm.pickup:
            continue
        last = joined[-1] if joined and span.onset not in starts else None
        if last is not None and last.chord == span.chord and last.onset + last.duration == span.onset:
            joined[-1] = replace(last, duration=last.duration + span.duration)
        else:
            joined.append(span)
    return tuple(joined)


def sung_sections(
    lyrics: Lyrics,
    rhythm: Rhythm,
    pitches: Sequence[Sequence[int]],
    seeds: Mapping[str, int],
    rhymes: Sequence[Sequence[str]],
) -> tuple[SungSection, ...]:
    """Put words, rhythm and pitches together."""
    ids = [f"{lyrics.sections[timed.section].id}.{timed.line + 1}" for timed in rhythm.lines]
    sung: dict[int, list[SungLine]] = {index: [] for index in range(len(lyrics.sections))}
    for identifier, timed, tune in zip(ids, rhythm.lines, pitches, strict=True):
        line = lyrics.sections[timed.section].lines[timed.line]
        sung[timed.section].append(
            SungLine(
                id=identifier,
                text=line.text,
                number=line.number,
                rhyme=rhymes[timed.section][timed.line],
                seed=seeds[identifier],
                revision=0,
                locked=False,
                start=timed.start,
                end=timed.end,
                follows=None if timed.follows is None else ids[timed.follows],
                words=_words(line, timed, tune),
            )
        )
    return tuple(
        _section(section, span.start, span.end, tuple(sung[index]))
        for index, (section, span) in enumerate(zip(lyrics.sections, rhythm.sections, strict=True))
    )


def _section(section: Section, start: int, end: int, lines: tuple[SungLine, ...]) -> SungSection:
    return SungSection(section.id, section.role, section.label, section.tagged, section.repeat_of, start, end, lines)


def _words(line: Line, timed: LineRhythm, tune: Sequence[int]) -> tuple[SungWord, ...]:
    notes: list[list[Note]] = [[] for _ in line.syllables]
    for note, pitch in zip(timed.notes, tune, strict=True):
        notes[note.syllable].append(Note(note.onset, note.duration, pitch))
    return sung_words(line, notes)


def sung_words(line: Line, notes: Sequence[Sequence[Note]]) -> tuple[SungWord, ...]:
    """Put the notes of every syllable of a line under its words."""
    words = []
    first = 0
    for word in line.words:
        words.append(_word(word, notes[first : first + len(word.syllables)]))
        first += len(word.syllables)
    return tuple(words)


def _word(word: Word, notes: Sequence[Sequence[Note]]) -> SungWord:
    return SungWord(
        text=word.text,
        written=word.written,
        token=word.token,
        syllables=tuple(
            SungSyllable(syllable.text, syllable.phones, syllable.stress, tuple(sung))
            for syllable, sung in zip(word.syllables, notes, strict=True)
        ),
        content=word.content,
        prefix=word.prefix,
        suffix=word.suffix,
        backing=word.backing,
        in_dictionary=word.in_dictionary,
    )
