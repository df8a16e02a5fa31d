"""Songs made by hand, with everything that writers must cope with."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from align.meter import Meter
from lyrics.document import Role
from melody.theory import Chord, ChordSpan, Key
from pipeline.seeds import line_seed
from pipeline.song import Note, Song, SongSettings, SungLine, SungSection, SungSyllable, SungWord

# A word is "syl·la·bles" with punctuation; the notes of a syllable are (onset, duration, pitch) in sixteenths.
Notes = list[tuple[int, int, int]]


def make_word(text: str, *notes: Notes, written: str | None = None, token: int = 0) -> SungWord:
    """Make a word from "(beau·ti·ful,": prefix, syllables, suffix."""
    core = text.strip("(),.!?“”")
    prefix, suffix = text[: text.index(core)], text[text.index(core) + len(core) :]
    parts = core.split("·")
    syllables = tuple(
        SungSyllable(part, ("AH1",), 1, tuple(Note(onset * 120, length * 120, pitch) for onset, length, pitch in sung))
        for part, sung in zip(parts, notes, strict=True)
    )
    spelled = "".join(parts)
    return SungWord(spelled, written or spelled, token, syllables, True, prefix, suffix, backing=prefix == "(")


def make_line(identifier: str, start: int, end: int, *words: SungWord, seed: int = 7) -> SungLine:
    """Make a line that lasts from sixteenth to sixteenth."""
    words = tuple(replace(word, token=index) for index, word in enumerate(words))
    text = " ".join(word.prefix + word.written + word.suffix for word in words)
    return SungLine(
        identifier, text, 2, "A", line_seed(seed, identifier), 0, False, start * 120, end * 120, None, words
    )


def _settings(key: str, meter: str) -> SongSettings:
    return SongSettings(
        Key.parse(key), 96, Meter.parse(meter), "folk", "mezzo", 57, 79, reasons=(("key", "the words are bright"),)
    )


def _chords(*spans: tuple[int, int, str]) -> tuple[ChordSpan, ...]:
    return tuple(ChordSpan(onset * 120, length * 120, Chord.parse(symbol)) for onset, length, symbol in spans)


def plain_song() -> Song:
    """Make a song with a pick-up, a melisma, a tie over a bar line, accents, a chromatic note and a repeat."""
    verse = make_line(
        "v1.1", 0, 52,
        make_word("O", [(0, 4, 62)]),
        make_word("beau·ti·ful,", [(4, 6, 67), (10, 2, 69)], [(12, 3, 71)], [(15, 9, 66)]),
        make_word("“café”", [(24, 2, 68), (26, 2, 69)]),
        make_word("nights", [(30, 6, 67), (36, 2, 69), (38, 2, 71), (40, 10, 72)]),
    )  # fmt: skip
    chorus = make_line(
        "c1.1", 52, 84,
        make_word("Sing", [(52, 8, 74)]),
        make_word("(ooh)", [(60, 3, 73)]),
        make_word("Wi-·Fi", [(64, 2, 72)], [(66, 2, 70)]),
        make_word("home.", [(68, 12, 67)]),
    )  # fmt: skip
    words = []
    for word in chorus.words:
        syllables = (
            replace(s, notes=tuple(Note(n.onset + 32 * 120, n.duration, n.pitch) for n in s.notes))
            for s in word.syllables
        )
        words.append(replace(word, syllables=tuple(syllables)))
    again = replace(
        chorus, id="c2.1", seed=line_seed(7, "c2.1"), start=84 * 120, end=116 * 120, follows="c1.1", words=tuple(words)
    )
    return Song(
        title="Beautiful Nights",
        seed=7,
        settings=_settings("G major", "4/4"),
        pickup=480,
        end=480 + 8 * 1920,
        sections=(
            SungSection("v1", Role.VERSE, "Verse 1", True, None, 480, 52 * 120, (verse,)),
            SungSection("c1", Role.CHORUS, "Chorus - loud", True, None, 52 * 120, 84 * 120, (chorus,)),
            SungSection("c2", Role.CHORUS, "Chorus - loud", True, "c1", 84 * 120, 116 * 120, (again,)),
            SungSection("s1", Role.INSTRUMENTAL, "Instrumental", True, None, 116 * 120, 132 * 120, ()),
        ),
        chords=_chords(
            (4, 16, "G"), (20, 8, "Am7"), (28, 8, "D7"), (36, 6, "G/B"), (42, 10, "C"), (52, 16, "Cm"),
            (68, 16, "G"), (84, 16, "Cm"), (100, 16, "G"), (116, 16, "Dsus4"),
        ),
    )  # fmt: skip


def compound_song() -> Song:
    """Make a song in 6/8 and a minor key, with a syllable held over three bars."""
    line = make_line(
        "v1.1", 0, 72,
        make_word("Row·ing", [(0, 4, 57)], [(4, 2, 59)]),
        make_word("for", [(6, 2, 60)]),
        make_word("the", [(8, 1, 62)]),
        make_word("har·bour", [(9, 3, 64)], [(12, 2, 68)]),
        make_word("lights", [(14, 34, 69)]),
    )  # fmt: skip
    return Song(
        title="Rowing",
        seed=7,
        settings=_settings("A minor", "6/8"),
        pickup=0,
        end=6 * 1440,
        sections=(SungSection("v1", Role.VERSE, "Verse 1", False, None, 0, 6 * 1440, (line,)),),
        chords=_chords((0, 12, "Am"), (12, 12, "E7"), (24, 48, "Am")),
    )


@pytest.fixture
def song() -> Song:
    """Return the song with a pick-up."""
    return plain_song()


@pytest.fixture
def compound() -> Song:
    """Return the song in 6/8."""
    return compound_song()


@pytest.fixture(params=[plain_song, compound_song], ids=["4/4 with pick-up", "6/8"])
def any_song(request: pytest.FixtureRequest) -> Song:
    """Return each song in turn."""
    make: Callable[[], Song] = request.param
    return make()
