import json
from dataclasses import replace
from pathlib import Path

import pytest

from lyrics.document import Lyrics
from lyrics.parse import parse_lyrics
from pipeline.compose import compose
from pipeline.errors import MissingExtraError, SettingsError
from pipeline.render import DEFAULT_FORMATS, FORMATS, parse_formats, render
from pipeline.song import Song

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_chords_stand_above_the_letters_where_they_change(song: Song) -> None:
    text = render(song, ["txt"])["txt"].decode()
    assert text.startswith("Title: Beautiful Nights\nKey: G major\nMeter: 4/4\nTempo: 96\n\n[Verse 1]\n")
    assert "  G         Am7     D7    G/B C\nO beautiful, “café” nights\n" in text
    assert text.endswith("[Instrumental]\n| Dsus4 |\n")


def test_chordpro_has_the_chords_between_the_letters(song: Song) -> None:
    text = render(song, ["cho"])["cho"].decode()
    assert "{title: Beautiful Nights}\n{key: G}\n{tempo: 96}\n{time: 4/4}\n" in text
    assert "{start_of_verse: Verse 1}\nO [G]beautiful,[Am7] “café” [D7]nights[G/B][C]\n{end_of_verse}" in text
    assert "{comment: Instrumental}\n{start_of_grid}\n| Dsus4 |\n{end_of_grid}" in text


def test_a_chord_may_change_inside_a_word(compound: Song) -> None:
    assert "[Am]Rowing for the har[E7]bour lights[Am]" in render(compound, ["cho"])["cho"].decode()


def test_tokens_sung_as_other_words_stand_as_written(song: Song) -> None:
    document = json.loads(song.to_json())
    words = document["sections"][1]["lines"][0]["words"]
    words[0]["written"] = words[1]["written"] = "24/7"
    words[1]["token"], words[1]["prefix"] = words[0]["token"], ""
    text = render(Song.from_json(json.dumps(document)), ["txt"])["txt"].decode()
    assert "24/7) Wi-Fi home." in text


def test_formats_are_read_in_order_and_once() -> None:
    assert parse_formats("json, MID,.musicxml,json") == ("json", "mid", "musicxml")
    assert set(DEFAULT_FORMATS) <= set(FORMATS)


@pytest.mark.parametrize("text", ["", ",", "mid,mp3", "mid musicxml"])
def test_unknown_formats_are_named(text: str) -> None:
    with pytest.raises(SettingsError, match="format must be one or more of mid, musicxml, json"):
        parse_formats(text)


def test_sound_is_a_wav_file_as_long_as_the_song(compound: Song) -> None:
    sound = render(compound, ["wav"])["wav"]
    assert sound[:4] == b"RIFF"
    assert int.from_bytes(sound[28:32], "little") * compound.length_seconds == pytest.approx(len(sound), rel=0.25)


@pytest.mark.parametrize("name", ["svg", "wav"])
def test_a_missing_extra_is_named(song: Song, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lyrics.errors.find_spec", lambda package: None)
    with pytest.raises(MissingExtraError, match=rf"the format {name} needs \w+; install it with: .*\[audio\]"):
        render(song, [name])


def test_a_song_without_chords_is_written_all_the_same(any_song: Song) -> None:
    bare = replace(any_song, chords=())
    assert set(render(bare, tuple(FORMATS))) == set(FORMATS)


def _words(lyrics: Lyrics) -> list[object]:
    """Sections and words, whatever the lines they were written on."""
    return [
        (section.id, section.role, section.label, section.repeat_of, [line.words for line in section.lines])
        for section in lyrics.sections
    ]


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.txt")), ids=lambda path: path.stem)
def test_sheets_read_back_with_the_same_sections_and_words(path: Path) -> None:
    # Chords of every kind, and one that is a word by itself.
    song = compose(path.read_text(encoding="utf-8"), name="A", chords="Am A F#m7b5 G/B Bbmaj7 D7sus4 Em A")
    for name, content in render(song, ["txt", "cho"]).items():
        read = parse_lyrics(content.decode())
        assert _words(read) == _words(song.to_lyrics()), name
        assert read.title == song.title


def test_a_sheet_of_a_song_without_tags_reads_back() -> None:
    song = compose(
        "I am A\n#1 Am I\n# 1 only\n\nStay (ooh\nooh) stay x2\n\nB is C, every #1 {now}\n\nStay (ooh\nooh) stay x2",
        chords="A",
        title="A",
    )
    for name, content in render(song, ["txt", "cho"]).items():
        assert _words(parse_lyrics(content.decode())) == _words(song.to_lyrics()), name
