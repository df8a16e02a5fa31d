import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from lyrics.document import LyricsError
from pipeline.cli import app
from pipeline.compose import compose
from pipeline.errors import SettingsError
from pipeline.extend import extend
from pipeline.render import render
from pipeline.revise import lock, replace_words, reroll, select, set_tempo, to_key, transpose
from pipeline.song import Song, SungLine
from pipeline.tune import read_tune
from tests.pipeline.tunes import simple

LYRICS = (
    "[Verse 1]\nI left a lamp in the window\nAnd the rain on the roof kept time\nThe harbour was dark as a cellar\n"
    "The water was black as wine\n\n[Chorus]\nSail on, my sailor, sail on\nThe night will be over and gone\n\n"
    "[Verse 2]\nI left a light on the landing\nAnd the wind in the trees ran free\n\n[Chorus]\n"
)


@pytest.fixture(scope="module")
def composed() -> Song:
    return compose(LYRICS, seed=5, chords="C Am F G", key="C major")


def _changed(before: Song, after: Song) -> set[str]:
    return {a.id for a, b in zip(before.lines, after.lines, strict=True) if a != b}


def _but_for(song: Song, ids: Sequence[str]) -> Any:
    """Return the document as JSON without some lines."""
    document = json.loads(song.to_json())
    for section in document["sections"]:
        section["lines"] = [line for line in section["lines"] if line["id"] not in ids]
    return document


def _texts(line: SungLine) -> list[str]:
    return [syllable.text for word in line.words for syllable in word.syllables]


@pytest.mark.parametrize("identifier", ["v1.1", "v1.4", "v2.1", "v2.2"])
def test_a_line_is_sung_again_and_all_else_is_bit_identical(composed: Song, identifier: str) -> None:
    again = reroll(composed, [identifier])
    assert _changed(composed, again) == {identifier}
    assert _but_for(composed, [identifier]) == _but_for(again, [identifier])
    old, new = (next(line for line in song.lines if line.id == identifier) for song in (composed, again))
    assert new.notes != old.notes
    assert (_texts(new), new.start, new.end) == (_texts(old), old.start, old.end)
    assert new.revision > old.revision
    assert Song.from_json(again.to_json()) == again
    assert reroll(composed, [identifier]) == again


def test_a_chorus_stays_the_same_whenever_it_is_sung(composed: Song) -> None:
    for identifier in ("c1.2", "c2.2"):
        again = reroll(composed, [identifier])
        assert _changed(composed, again) == {"c1.2", "c2.2"}
        first, second = (section for section in again.sections if section.id in ("c1", "c2"))
        assert [(n.onset - first.start, n.duration, n.pitch) for n in first.lines[1].notes] == [
            (n.onset - second.start, n.duration, n.pitch) for n in second.lines[1].notes
        ]


def test_a_rhythm_can_be_kept(composed: Song) -> None:
    again = reroll(composed, ["v1.2"], keep_rhythm=True)
    old, new = composed.lines[1], again.lines[1]
    assert [(n.onset, n.duration) for n in new.notes] == [(n.onset, n.duration) for n in old.notes]
    assert [n.pitch for n in new.notes] != [n.pitch for n in old.notes]


def test_every_revision_is_another_one(composed: Song) -> None:
    different = 0
    for index in range(4):
        once = reroll(composed, [f"v1.{index + 1}"])
        twice = reroll(once, [f"v1.{index + 1}"])
        assert once.lines[index].notes not in (composed.lines[index].notes, twice.lines[index].notes)
        assert twice.lines[index].revision > once.lines[index].revision
        different += twice.lines[index].notes != composed.lines[index].notes
    assert different >= 3


def test_the_last_line_still_ends_on_the_tonic() -> None:
    song = reroll(compose(LYRICS, seed=3, key="C major"), ["c2.2"])
    assert song.lines[-1].notes[-1].pitch % 12 == 0


def test_a_locked_line_is_not_sung_again(composed: Song) -> None:
    locked = lock(composed, ["v1.2", "c1.1"])
    assert _changed(composed, locked) == {"v1.2", "c1.1", "c2.1"}
    for identifier in ("v1.2", "c2.1"):
        with pytest.raises(SettingsError, match=r"is locked; free it with --unlock"):
            reroll(locked, [identifier])
        with pytest.raises(SettingsError, match=r"is locked"):
            replace_words(locked, identifier, "Sail on")
    assert lock(locked, ["v1.2", "c2.1"], locked=False) == composed


def test_words_that_fit_keep_the_melody(composed: Song) -> None:
    after = replace_words(composed, "v1.2", "And the moon on the road kept time")
    assert _changed(composed, after) == {"v1.2"}
    assert after.lines[1].notes == composed.lines[1].notes
    assert after.lines[1].text == "And the moon on the road kept time"
    assert after.lines[1].revision == composed.lines[1].revision
    assert Song.from_json(after.to_json()) == after


@pytest.mark.parametrize("text", ["And the wandering rain on the roof kept time", "Rain", "Sail on (sail on)"])
def test_other_words_are_sung_in_the_same_bars(composed: Song, text: str) -> None:
    after = replace_words(composed, "v1.2", text)
    assert _changed(composed, after) == {"v1.2"}
    assert _but_for(composed, ["v1.2"]) == _but_for(after, ["v1.2"])
    assert (after.lines[1].text, after.lines[1].end) == (text, composed.lines[1].end)
    assert Song.from_json(after.to_json()) == after
    assert set(render(after)) == {"mid", "musicxml", "json"}


def test_new_words_get_their_own_rhyme(composed: Song) -> None:
    assert replace_words(composed, "v1.4", "The water was silver and gold").lines[3].rhyme not in {
        line.rhyme for line in composed.lines[:3] if line.rhyme != "-"
    }
    assert replace_words(composed, "v1.3", "The harbour was darker than lime").lines[2].rhyme == composed.lines[1].rhyme


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("Sail on\nmy sailor", "must be one line, got 2"),
        ("la " * 60, r"have 60 syllables, too many for its \d bars"),
        ("Sail on, my ночь", "cannot pronounce"),
    ],
)
def test_words_that_cannot_be_sung_are_refused(composed: Song, text: str, message: str) -> None:
    with pytest.raises(LyricsError, match=message):
        replace_words(composed, "v1.2", text)


@settings(max_examples=20, deadline=None)
@given(semitones=st.integers(-9, 9))
def test_transposing_moves_everything_alike_and_back(composed: Song, semitones: int) -> None:
    moved = transpose(composed, semitones)
    assert [n.pitch - semitones for line in moved.lines for n in line.notes] == [
        n.pitch for line in composed.lines for n in line.notes
    ]
    assert [(s.chord.root - semitones) % 12 for s in moved.chords] == [s.chord.root for s in composed.chords]
    assert (moved.settings.key.tonic - semitones) % 12 == composed.settings.key.tonic
    assert Song.from_json(moved.to_json()) == moved
    back = transpose(moved, -semitones)
    assert replace(back, settings=composed.settings) == composed
    assert (back.settings.low, back.settings.high, back.settings.chords) == (
        composed.settings.low, composed.settings.high, composed.settings.chords
    )  # fmt: skip


def test_a_key_is_reached_the_nearer_way(composed: Song) -> None:
    for name, semitones in (("D major", 2), ("A", -3), ("F#", 6), ("C", 0)):
        assert to_key(composed, name) == transpose(composed, semitones)
    for name, message in (("A minor", "is another song"), ("H", "key must look like")):
        with pytest.raises(SettingsError, match=message):
            to_key(composed, name)
    with pytest.raises(SettingsError, match="transpose must be"):
        transpose(composed, 60)


def test_the_tempo_changes_alone(composed: Song) -> None:
    quick = set_tempo(composed, 132)
    assert quick.settings.tempo_qpm == 132
    assert (quick.sections, quick.chords) == (composed.sections, composed.chords)
    with pytest.raises(SettingsError, match="tempo must be 30 to 300"):
        set_tempo(composed, 1)


def test_lines_are_named_one_by_one_by_section_or_all(composed: Song) -> None:
    assert select(composed, ["v2", "v1.1", "v2.1"]) == ("v2.1", "v2.2", "v1.1")
    assert len(select(composed, ["all"])) == len(composed.lines)
    with pytest.raises(SettingsError, match=r"no line 'v9'; this song has v1.1 to v1.4, c1.1 to c1.2"):
        select(composed, ["v9"])


def test_a_continuation_can_be_sung_again() -> None:
    song = extend(read_tune(simple(), "x.mid"), seed=1)
    again = reroll(song, ["t2.1"])
    assert _changed(song, again) == {"t2.1"}
    assert Song.from_json(again.to_json()) == again
    with pytest.raises(SettingsError, match=r"t1.1 is locked"):
        reroll(song, ["t1.1"])
    worded = replace_words(song, "t2.2", "Sail on")
    assert Song.from_json(worded.to_json()) == worded


@settings(max_examples=10, deadline=None)
@given(data=st.data(), seed=st.integers(0, 50), meter=st.sampled_from(["4/4", "3/4", "6/8"]))
def test_any_series_of_changes_leaves_a_sound_song(data: st.DataObject, seed: int, meter: str) -> None:
    song = compose(LYRICS, seed=seed, meter=meter)
    for _ in range(3):
        line = data.draw(st.sampled_from([line.id for line in song.lines]))
        kind = data.draw(st.sampled_from(["reroll", "words", "move"]))
        before = song
        if kind == "reroll":
            song = reroll(song, [line], keep_rhythm=data.draw(st.booleans()))
        elif kind == "words":
            text = data.draw(
                st.sampled_from(["O river", "The wandering stars over harbour and hill", "Hold me till day"])
            )
            try:
                song = replace_words(song, line, text)
            except LyricsError:
                continue
        else:
            song = transpose(song, data.draw(st.sampled_from([-2, 1, 3])))
            continue
        number = line.rpartition(".")[2]
        allowed = {line} if line[0] == "v" else {f"c1.{number}", f"c2.{number}"}
        assert _changed(before, song) <= allowed
    assert Song.from_json(song.to_json()) == song


def _run(*arguments: Any, stdin: str | None = None) -> Any:
    return CliRunner().invoke(app, ["revise", *map(str, arguments)], input=stdin)


def test_the_command_changes_what_it_is_asked_to(composed: Song, tmp_path: Path) -> None:
    path = tmp_path / "song.json"
    path.write_text(composed.to_json(), encoding="utf-8")
    result = _run(
        path, "--reroll", "v1.1", "--words", "v2.1=I left a lamp on the landing", "--lock", "v1.2", "--key", "D major",
        "--tempo", "90", "-o", tmp_path / "out",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [
        str(tmp_path / "out" / f"song.{kind}") for kind in ("mid", "musicxml", "json")
    ]
    revised = Song.from_json((tmp_path / "out" / "song.json").read_bytes())
    assert (str(revised.settings.key), revised.settings.tempo_qpm) == ("D major", 90)
    assert revised.lines[1].locked
    expected = reroll(replace_words(composed, "v2.1", "I left a lamp on the landing"), ["v1.1"])
    assert transpose(lock(expected, ["v1.2"]), 2).sections == revised.sections
    assert _run(path, "--tempo", "90", "-o", tmp_path).exit_code == 2  # nothing is overwritten
    assert json.loads(
        _run("-", "--reroll", "c1", "--json", "-q", "-o", tmp_path / "b", stdin=composed.to_json()).stdout
    )["changed"] == ["c1.1", "c1.2", "c2.1", "c2.2"]


def test_a_line_that_is_only_locked_is_not_called_changed(composed: Song, tmp_path: Path) -> None:
    result = _run("-", "--lock", "c1", "-o", tmp_path, stdin=composed.to_json())
    assert "locked: c1.1, c1.2, c2.1, c2.2\n" in result.stderr
    assert "changed: no line\n" in result.stderr


def test_a_melody_beyond_every_voice_is_told(composed: Song, tmp_path: Path) -> None:
    assert "note:" not in _run("-", "--transpose", "2", "-o", tmp_path / "a", stdin=composed.to_json()).stderr
    assert (
        "higher than a soprano" in _run("-", "--transpose", "24", "-o", tmp_path / "b", stdin=composed.to_json()).stderr
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "say what to change"),
        (["--reroll", "x"], "there is no line 'x'"),
        (["--words", "v1.1"], "words must look like"),
        (["--words", "v1=Sail"], "words must look like"),
        (["--transpose", "1", "--key", "D"], "either --transpose or --key"),
        (["--keep-rhythm", "--tempo", "90"], "goes with --reroll"),
        (["--tempo", "0"], "tempo must be"),
        (["--transpose", "x"], "Invalid value for '--transpose'"),
    ],
)
def test_bad_wishes_are_one_clear_sentence(composed: Song, tmp_path: Path, arguments: list[str], message: str) -> None:
    path = tmp_path / "song.json"
    path.write_text(composed.to_json(), encoding="utf-8")
    result = _run(path, "-o", tmp_path / "out", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr.splitlines()[-1]
    assert not (tmp_path / "out").exists()
