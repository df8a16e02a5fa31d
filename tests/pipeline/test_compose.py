import io
import re
import subprocess
import sys
from itertools import combinations, pairwise
from pathlib import Path
from statistics import mean
from typing import Any

import mido
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lyrics.document import LyricsError
from lyrics.parse import parse_lyrics
from pipeline.compose import compose
from pipeline.errors import SettingsError
from pipeline.midi import lead_in
from pipeline.render import render
from pipeline.settings import STYLES
from pipeline.song import BACKING, Song

LYRICS = """\
[Verse 1]
I left a lamp in the window (a lamp)
And the rain on the roof kept time
There were “beautiful” ships on the water
But none of the ships was mine

[Chorus]
Sail on, sail on, my sailor
The harbour is open 24/7 & wide

[Verse 2]
You wrote me of cafés and islands
Of lovin' the salt and the sun

[Chorus]

[Outro]
"""


@pytest.fixture(scope="module")
def composed() -> Song:
    return compose(LYRICS, seed=3)


def _shape(song: Song, section: int) -> list[tuple[int, int, int]]:
    start = song.sections[section].start
    return [(n.onset - start, n.duration, n.pitch) for line in song.sections[section].lines for n in line.notes]


def test_every_syllable_is_sung_once_and_in_order(composed: Song) -> None:
    assert composed.to_lyrics().sections == parse_lyrics(LYRICS).sections
    notes = [note for line in composed.lines for note in line.notes]
    assert all(one.end <= other.onset for one, other in pairwise(notes))
    assert Song.from_json(composed.to_json()) == composed


def test_words_stand_letter_for_letter_in_every_file(composed: Song) -> None:
    files = render(composed, ["mid", "musicxml", "txt", "cho"])
    midi: Any = mido.MidiFile(file=io.BytesIO(files["mid"]), charset="utf-8")
    sung = "".join(message.text for message in midi.tracks[1] if message.type == "lyrics")
    for text in (sung, "".join(files["musicxml"].decode().split())):
        assert "“beau" in text
        assert "lov" in text
        assert "in'" in text
    for name in ("txt", "cho"):
        text = files[name].decode()
        assert "24/7" in text
        assert "& wide" in text.replace("[", "").replace("]", "") or name == "cho"


def test_a_repeated_section_repeats(composed: Song) -> None:
    assert composed.form == ("v1", "c1", "v2", "c1", "o1")
    assert _shape(composed, 1) == _shape(composed, 3)


def test_midi_lyrics_stand_at_their_notes(composed: Song) -> None:
    midi: Any = mido.MidiFile(file=io.BytesIO(render(composed, ["mid"])["mid"]), charset="utf-8")
    tick = 0
    found = []
    for message in midi.tracks[1]:
        tick += message.time
        if message.type == "lyrics":
            found.append((tick - lead_in(composed), message.text))
    expected = [
        (syllable.notes[0].onset, word.printed(index))
        for line in composed.lines
        for word in line.words
        for index, syllable in enumerate(word.syllables)
    ]
    assert found == expected


def test_the_same_seed_gives_the_same_bytes_in_another_process(composed: Song) -> None:
    program = (
        "import sys, hashlib; from pipeline.compose import compose; from pipeline.render import render;"
        "files = render(compose(sys.stdin.read(), seed=3));"
        "print(hashlib.sha256(b''.join(files.values())).hexdigest())"
    )
    import hashlib

    expected = hashlib.sha256(b"".join(render(composed).values())).hexdigest()
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            input=LYRICS,
            capture_output=True,
            encoding="utf-8",
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(sys.path), "PYTHONUTF8": "1"},
            check=True,
        )
        assert done.stdout.strip() == expected


def test_another_seed_gives_another_song(composed: Song) -> None:
    assert _shape(composed, 0) != _shape(compose(LYRICS, seed=4), 0)


def test_what_is_asked_for_is_kept() -> None:
    song = compose(
        LYRICS, key="F# minor", tempo=72.5, meter="3/4", style="folk", voice_range="C3-E4", title=" Sail \n on "
    )
    assert (str(song.settings.key), song.settings.tempo_qpm, str(song.settings.meter)) == ("F# minor", 72.5, "3/4")
    assert (song.settings.style, song.settings.low, song.settings.high) == ("folk", 48, 64)
    assert song.title == "Sail on"
    assert all(48 <= note.pitch <= 64 for line in song.lines for note in line.notes)


def test_every_style_sings_the_same_words_differently() -> None:
    tunes = {}
    for style in STYLES:
        song = compose(LYRICS, style=style, key="G major", meter="4/4", tempo=96)
        tunes[style] = {(note.onset, note.duration, note.pitch) for line in song.lines for note in line.notes}
    shares = [
        len(tunes[one] & tunes[other]) / max(len(tunes[one]), len(tunes[other]))
        for one, other in combinations(STYLES, 2)
    ]
    assert max(shares) < 0.9
    assert mean(shares) < 0.6


def test_the_example_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(example, {})
    assert [path.suffix for path in tmp_path.iterdir()] == [".mid"]


def test_given_chords_go_round() -> None:
    song = compose(LYRICS, key="A minor", chords="Am, F | C G")
    assert song.settings.chords == ("Am", "F", "C", "G")
    assert {span.chord.symbol(0) for span in song.chords} <= {"Am", "F", "C", "G"}


def test_the_title_is_given_or_written_or_the_name_or_the_first_words() -> None:
    assert compose("Title: Low Tide\nSail on my sailor").title == "Low Tide"
    assert compose("Title: Low Tide\nSail on my sailor", title="High Tide").title == "High Tide"
    assert compose("Sail on my sailor", name="Tide").title == "Tide"
    assert "sail" in compose("Sail on my sailor").title.lower()


def test_backing_words_are_sung_in_place_or_left_out() -> None:
    sung = [[word.text for word in line.words] for line in compose("Sail on (ooh yeah)\n(ah)\nmy sailor").lines]
    assert sung == [["Sail", "on", "ooh", "yeah"], ["ah"], ["my", "sailor"]]
    left = compose("Sail on (ooh yeah)\n(ah)\nmy sailor", backing="skip")
    assert [[word.text for word in line.words] for line in left.lines] == [["Sail", "on"], ["my", "sailor"]]
    assert Song.from_json(left.to_json()) == left
    with pytest.raises(LyricsError, match="all words are backing words"):
        compose("(ooh)", backing="skip")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"key": "H"}, "key must look like"),
        ({"meter": "7/8"}, "meter must be one of"),
        ({"tempo": -3.0}, "tempo"),
        ({"tempo": float("nan")}, "tempo"),
        ({"style": "polka"}, "style"),
        ({"voice": "castrato"}, "voice"),
        ({"voice_range": "E4-C3"}, "range"),
        ({"voice_range": "loud"}, "range"),
        ({"chords": "Am Q"}, "chord must look like"),
        ({"chords": " , "}, "chords must look like"),
        ({"seed": -1}, "seed must be"),
        ({"backing": "louder"}, "backing must be one of"),
        ({"midi_lyrics": "mumbled"}, "midi lyrics must be one of"),
    ],
)
def test_settings_that_make_no_sense_are_refused(option: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        compose("Sail on my sailor", **option)


# What lyrics may hold and still be sung, and what they may not.
ODD = ["(ooh)", "(la", "na)", "[Chorus]", "[Verse 2]", "x2", "24/7", "ev·ery", "lovin'", "…", "—", "ß", "½", "&", "é"]
WORDS = ["sail", "beautiful", "the", "of", "rain", "Wi-Fi", "DJ", "café", "I'm", "1999", "window", "ocean"]
LINES = st.lists(st.sampled_from(WORDS + WORDS + ODD), max_size=9).map(" ".join)
FORMATS = ("mid", "musicxml", "json", "txt", "cho")


@settings(max_examples=25, deadline=None)
@given(text=st.lists(LINES, max_size=7).map("\n".join), seed=st.integers(0, 2**32), backing=st.sampled_from(BACKING))
def test_odd_lyrics_become_songs_that_every_writer_can_write(text: str, seed: int, backing: str) -> None:
    try:
        song = compose(text, seed=seed, backing=backing)
    except LyricsError:
        return
    files = render(song, FORMATS)
    assert Song.from_json(files["json"]) == song
    assert render(Song.from_json(files["json"]), FORMATS) == files


@settings(max_examples=60, deadline=None)
@given(text=st.one_of(st.text(), st.text(st.characters(categories=["L", "M", "N", "P", "S", "Zs"]), max_size=30)))
def test_any_text_becomes_a_song_or_is_refused_in_words(text: str) -> None:
    try:
        song = compose(text)
    except LyricsError as error:
        complaint = str(error)
    else:
        complaint = "" if render(song, FORMATS) else "nothing written"
    assert "\n" not in complaint
