"""Songs made up for the melody stage: lyrics, a rhythm and chords built by hand."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from align.meter import Meter
from align.rhythm import LineRhythm, Rhythm, RhythmNote, SectionSpan
from lyrics.document import Line, Lyrics, Role, Section, Syllable, Word
from melody.theory import Chord, ChordSpan, Key

Form = tuple[tuple[str, Role, tuple[str, ...], str | None], ...]
BAR = 1920
LINE_BARS = 2


@dataclass(frozen=True)
class MadeUpSong:
    """Everything that `melodize` asks for."""

    lyrics: Lyrics
    rhythm: Rhythm
    chords: tuple[ChordSpan, ...]
    key: Key
    seeds: dict[str, int]
    rhymes: tuple[tuple[str, ...], ...]


def make_line(text: str, number: int) -> Line:
    """Every word one syllable; words of five letters are stressed."""
    words = tuple(
        Word(word, word, token, (Syllable(word, (), int(len(word) >= 5)),), True)
        for token, word in enumerate(text.split())
    )
    return Line(text, words, number)


def line_rhythm(start: int, count: int, section: int, line: int, follows: int | None, *, melisma: bool) -> LineRhythm:
    """Quarter notes from the downbeat and a half note to end; with a melisma the first note is halved."""
    notes: list[RhythmNote] = []
    step = 480 if count <= 7 else 240
    for i in range(count):
        last = i == count - 1
        duration = min(960, start + LINE_BARS * BAR - (start + i * step)) if last else step
        if melisma and i == 0:
            notes += [RhythmNote(start, step // 2, 0), RhythmNote(start + step // 2, step // 2, 0, held=True)]
        else:
            notes.append(RhythmNote(start + i * step, duration, i))
    return LineRhythm(section, line, start, start + LINE_BARS * BAR, tuple(notes), follows)


def make_song(form: Form, key: Key, seed: int = 0, *, melisma: bool = False) -> MadeUpSong:
    """Lay out sections given as (id, role, lines, id of the section that is repeated) over I V / IV V I patterns."""
    sections: list[Section] = []
    lines: list[LineRhythm] = []
    spans: list[SectionSpan] = []
    rhymes: list[tuple[str, ...]] = []
    chords: list[ChordSpan] = []
    minor = "m" if key.mode == "minor" else ""
    tick = 0
    for index, (name, role, texts, repeated) in enumerate(form):
        sections.append(
            Section(name, role, name, tuple(make_line(text, n + 1) for n, text in enumerate(texts)), True, repeated)
        )
        rhymes.append(tuple("AB"[n % 2] for n in range(len(texts))))
        start = tick
        for n, text in enumerate(texts):
            follows = None
            if repeated is not None or (role is Role.VERSE and index):
                first = next(i for i, section in enumerate(sections) if section.role is role)
                follows = next(i for i, line in enumerate(lines) if line.section == first and line.line == n)
            elif n >= 2:
                follows = len(lines) - 2
            lines.append(line_rhythm(tick, len(text.split()), index, n, follows, melisma=melisma))
            last = n == len(texts) - 1
            for degree, quality in ((0, minor), (7, "")) if not (n % 2 or last) else ((7, ""), (0, minor)):
                chords.append(ChordSpan(tick, BAR, Chord((key.tonic + degree) % 12, quality)))
                tick += BAR
        spans.append(SectionSpan(index, start, tick))
    lyrics = Lyrics(tuple(sections))
    rhythm = Rhythm(Meter(4, 4), 0, tuple(lines), tuple(spans), tick)
    seeds = {f"{s.id}.{n + 1}": seed * 1000 + 17 * i + n for i, s in enumerate(sections) for n in range(len(s.lines))}
    return MadeUpSong(lyrics, rhythm, tuple(chords), key, seeds, tuple(rhymes))


VERSE_1 = ("the river runs below the town", "and every lantern follows down", "the water keeps a silver name",
           "and nobody comes back the same")  # fmt: skip
VERSE_2 = ("the summer leaves a dusty door", "and nothing like it was before", "the ferry takes another load",
           "and morning finds the river road")  # fmt: skip
CHORUS = ("carry me over the water", "carry me back to my home", "carry me over the water", "never to leave you alone")
FORM = (
    ("v1", Role.VERSE, VERSE_1, None),
    ("c1", Role.CHORUS, CHORUS, None),
    ("v2", Role.VERSE, VERSE_2, None),
    ("c2", Role.CHORUS, CHORUS, "c1"),
)


@pytest.fixture
def build() -> Callable[..., MadeUpSong]:
    """Make a song: build("A minor", seed=3), or with another form or with melismas."""

    def make(key: str = "C major", *, form: Form = FORM, seed: int = 0, melisma: bool = False) -> MadeUpSong:
        return make_song(form, Key.parse(key), seed, melisma=melisma)

    return make
