import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from mido import MetaMessage, MidiFile
from typer.testing import CliRunner

from align.meter import Meter
from melody.listening import TuneNote, find_key, find_meter
from melody.theory import Key
from melody.tune_phrases import find_phrases
from pipeline.cli import app
from pipeline.errors import SettingsError
from pipeline.extend import extend
from pipeline.render import render
from pipeline.song import Note, Song
from pipeline.tune import Tune, read_tune
from tests.pipeline.tunes import TWINKLE, UPBEAT, conductor, events, midi, simple, track

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "tunes").glob("*.mid"))
WORDS = "The river is wide and the water is deep\nThe boats are at anchor, the sailors asleep\n"


def _tune(data: bytes | None = None) -> Tune:
    return read_tune(simple() if data is None else data, "x.mid")


def _notes(song: Song, section: int) -> list[Note]:
    return [note for line in song.sections[section].lines for note in line.notes]


def _given_is_kept(song: Song, tune: Tune) -> None:
    """Check that the tune stands in the song as it was given, moved as a whole."""
    sung = [(note.onset, note.duration, note.pitch) for note in _notes(song, 0)]
    shift = tune.notes[0].onset - sung[0][0]
    assert sung == [(note.onset - shift, note.duration, note.pitch) for note in tune.notes]
    assert (shift + song.pickup) % song.settings.meter.bar_ticks == 0


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_goes_on(path: Path) -> None:
    tune = read_tune(path.read_bytes(), path.name)
    song = extend(tune, seed=3)
    _given_is_kept(song, tune)
    given, new = song.sections
    assert new.end - new.start == 8 * song.settings.meter.bar_ticks
    assert [section.label for section in song.sections] == ["Tune", "Continuation"]
    assert all(line.locked for line in given.lines)
    assert not any(line.locked for line in new.lines)
    assert _notes(song, 1)[-1].pitch % 12 == tune.key.tonic
    assert Song.from_json(song.to_json()) == song


@settings(max_examples=12, deadline=None)
@given(
    steps=st.lists(st.tuples(st.sampled_from([0.5, 1, 1, 1, 2]), st.integers(-4, 9)), min_size=4, max_size=40),
    meter=st.sampled_from([(4, 4), (3, 4), (2, 4), (6, 8), (12, 8)]),
    bars=st.integers(1, 13),
    seed=st.integers(0, 1000),
)
def test_the_laws_hold_for_any_tune(
    steps: list[tuple[float, int]], meter: tuple[int, int], bars: int, seed: int
) -> None:
    scale = [0, 2, 4, 5, 7, 9, 11]
    played = [(beats, 67 + 12 * (step // 7) + scale[step % 7]) for beats, step in steps]
    tune = read_tune(simple(played, meter), "x.mid")
    song = extend(tune, bars=bars, seed=seed)
    _given_is_kept(song, tune)
    new = _notes(song, 1)
    section = song.sections[1]
    assert section.end - section.start == bars * song.settings.meter.bar_ticks
    assert song.end == section.end
    assert new[-1].end <= song.end
    pitches = [note.pitch for note in tune.notes]
    assert min(pitches) - 6 <= min(note.pitch for note in new)
    assert max(note.pitch for note in new) <= max(pitches) + 6
    assert new[-1].pitch % 12 == tune.key.tonic
    allowed = {*tune.key.scale, (tune.key.tonic + 11) % 12, (tune.key.tonic + 9) % 12, *(p % 12 for p in pitches)}
    chords = {tone for span in song.chords for tone in span.chord.pitch_classes}
    assert {note.pitch % 12 for note in new} <= allowed | chords
    assert Song.from_json(song.to_json()) == song
    assert set(render(song, ["mid", "musicxml", "txt", "cho"])) == {"mid", "musicxml", "txt", "cho"}


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_song() -> None:
    songs = [extend(_tune(), seed=seed).to_json() for seed in (1, 1, 2)]
    assert songs[0] == songs[1]
    assert [n.pitch for n in _notes(Song.from_json(songs[0]), 1)] != [
        n.pitch for n in _notes(Song.from_json(songs[2]), 1)
    ]


def test_the_rhythms_are_the_tunes_own() -> None:
    tune = read_tune((EXAMPLES[0].parent / "the_south_wind.mid").read_bytes(), "x")
    song = extend(tune, seed=1)
    bar = song.settings.meter.bar_ticks

    def cells(notes: Sequence[Note]) -> set[tuple[int, ...]]:
        found: dict[int, list[int]] = {}
        for note in notes:
            found.setdefault((note.onset - song.pickup) // bar, []).append((note.onset - song.pickup) % bar)
        return {tuple(cell) for cell in found.values()}

    shared = cells(_notes(song, 1)) & cells(_notes(song, 0))
    assert len(shared) >= 0.7 * len(cells(_notes(song, 1)))


def test_a_phrase_that_returns_has_the_tunes_opening() -> None:
    song = extend(_tune((EXAMPLES[0].parent / "au_clair_de_la_lune.mid").read_bytes()), seed=1)
    opening = [note.pitch for note in song.sections[0].lines[0].notes]
    assert [note.pitch for note in song.sections[1].lines[2].notes][:4] == opening[:4]


def test_a_pick_up_begins_the_continuation_where_there_is_room() -> None:
    song = extend(_tune(simple(UPBEAT, (3, 4))), seed=2)
    assert song.pickup == 480
    assert _notes(song, 1)[0].onset >= song.sections[1].start - 480


def test_a_mode_keeps_its_notes() -> None:
    # D dorian: B natural in a minor key
    dorian = [(1, p) for p in (62, 62, 69, 69, 71, 72, 71, 69, 67, 65, 64, 62, 71, 72, 74, 71, 69, 67, 64, 62)]
    tune = read_tune(simple(dorian), "x.mid", key="D minor")
    for seed in range(3):
        assert 70 not in {note.pitch for note in _notes(extend(tune, seed=seed), 1)}


def test_words_are_set_and_sung_once_each() -> None:
    tune = _tune(simple(UPBEAT, (3, 4)))
    song = extend(tune, lyrics=WORDS, seed=4)
    _given_is_kept(song, tune)
    assert [line.text for line in song.sections[1].lines] == WORDS.splitlines()
    assert sum(len(word.syllables) for line in song.sections[1].lines for word in line.words) == 22
    assert song == extend(tune, lyrics=WORDS, seed=4)
    assert Song.from_json(song.to_json()) == song


def test_bars_with_words_must_be_enough_and_the_rest_are_rests() -> None:
    tune = _tune()
    needed = (extend(tune, lyrics=WORDS).end - extend(tune, lyrics=WORDS).sections[1].start) // 1920
    song = extend(tune, lyrics=WORDS, bars=needed + 2)
    assert song.end - song.sections[1].start == (needed + 2) * 1920
    with pytest.raises(SettingsError, match=f"the words need {needed} bars"):
        extend(tune, lyrics=WORDS, bars=1)


LYRICS: dict[str, list[str]] = {
    "plain": ["Twin", "kle,", "twin", "kle,", "lit", "tle", "star,"],
    "hyphens": ["Twin-", "kle,", "twin-", "kle,", "lit-", "tle", "star,"],
    "blanks": ["Twin", "kle, ", "twin", "kle, ", "lit", "tle ", "star,\r"],
    "karaoke": ["\\Twin", "kle,", " twin", "kle,", " lit", "tle", " star,"],
}


@pytest.mark.parametrize("convention", LYRICS)
def test_words_in_the_file_are_kept_however_they_are_written(convention: str) -> None:
    found = events(TWINKLE)
    onsets = sorted(tick for tick, message in found if message.type == "note_on")
    lyric = [(tick, MetaMessage("lyrics", text=t)) for tick, t in zip(onsets, LYRICS[convention], strict=False)]
    song = extend(_tune(midi(conductor(), track([*lyric, *found], "Melody"))), seed=1)
    words = [word for line in song.sections[0].lines for word in line.words]
    assert [(w.text, w.suffix, len(w.syllables)) for w in words[:4]] == [
        ("Twinkle", ",", 2), ("twinkle", ",", 2), ("little", "", 2), ("star", ",", 1)
    ]  # fmt: skip
    written = MidiFile(file=io.BytesIO(render(song, ["mid"])["mid"]))
    texts = [m.text for t in written.tracks for m in t if m.type == "lyrics"]
    assert texts == ["Twin", "kle,", "twin", "kle,", "lit", "tle", "star,"]


def test_a_melisma_in_the_file_stays_one() -> None:
    found = events(TWINKLE)
    onsets = sorted(tick for tick, message in found if message.type == "note_on")
    lyric = [(tick, MetaMessage("lyrics", text="la ")) for index, tick in enumerate(onsets) if index % 2 == 0]
    song = extend(_tune(midi(track([*lyric, *found]))))
    assert len(song.sections[0].lines[0].words[0].syllables[0].notes) == 2


def test_what_our_own_program_wrote_can_go_on() -> None:
    first = extend(_tune(), seed=1)
    again = read_tune(render(first, ["mid"])["mid"], "x.mid")
    assert [(n.onset, n.pitch) for n in again.notes] == [(n.onset, n.pitch) for line in first.lines for n in line.notes]
    assert again.key == first.settings.key


def test_a_tune_with_triplets_is_written_down(tmp_path: Path) -> None:
    third = 1 / 3
    played = [
        *TWINKLE[:7],
        (third, 65),
        (third, 64),
        (third, 62),
        (1, 60),
        (2 * third, 64),
        (third, 62),
        (1, 60),
        (4, 60),
    ]
    song = extend(_tune(simple(played)), seed=1)
    score = etree.fromstring(render(song, ["musicxml"])["musicxml"])
    assert len(score.findall(".//time-modification")) >= 5
    starts = score.findall(".//tuplet[@type='start']")
    assert len(starts) == len(score.findall(".//tuplet[@type='stop']")) >= 2
    for measure in score.findall(".//measure"):
        assert sum(int(d.text or 0) for d in measure.findall("note/duration")) == 1920


def test_a_slip_jig_goes_on_in_triplets() -> None:
    jig = [(1.5, 67), (0.5, 71), (0.5, 69), (0.5, 67), (1.5, 74), (1, 71), (0.5, 69), (1.5, 67), (1.5, 62)] * 2
    song = extend(_tune(simple([*jig, (4.5, 67)], (9, 8))), bars=4, seed=1)
    assert str(song.settings.meter) == "3/4"
    score = etree.fromstring(render(song, ["musicxml"])["musicxml"])
    for measure in score.findall(".//measure[@number!='0']"):
        assert sum(int(d.text or 0) for d in measure.findall("note/duration")) == 1440


def test_key_and_metre_are_found() -> None:
    now, notes = 0, []
    for beats, pitch in UPBEAT:
        notes.append(TuneNote(int(now), int(beats * 480), pitch))
        now += int(beats * 480)
    assert find_key(notes) == Key.parse("G")
    assert find_key([TuneNote(n.onset, n.duration, n.pitch + 5) for n in notes]) == Key.parse("C")
    assert find_meter([note.onset for note in notes]) == (Meter(3, 4), 960)


def test_phrases_are_found_by_their_long_notes() -> None:
    tune = _tune()
    assert [tune.notes[p.first].onset / 1920 for p in find_phrases(tune.notes, tune.meter)] == [0, 2, 4, 6]


def test_scores_are_read_through_verovio() -> None:
    abc = "X:1\nT:Try\nM:3/4\nL:1/4\nK:G\nD|G2 B|d c B|A2 F|G2 D|G2 B|d e d|B2 A|G2|]\n"
    tune = read_tune(abc.encode(), "x.abc")
    assert (str(tune.meter), str(tune.key), tune.notes[0].onset) == ("3/4", "G major", 960)
    assert _notes(extend(tune), 0)[0].pitch == 62


BAD_SCORES = {
    "not XML": b"<score", "other XML": b"<html></html>", "entities": b'<!DOCTYPE a [<!ENTITY b "c">]><mei/>',
    "no score": b"<score-partwise/>", "not ABC": b"X:1\nno key", "not a ZIP": b"PK\3\4" + bytes(40),
    "not UTF-8": b"<score-partwise>\xff</score-partwise>", "not sound": b"RIFF\0\0\0\0WAVE", "silence": b"fLaC",
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_SCORES)
def test_other_files_that_are_broken_are_refused_in_words(name: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(BAD_SCORES[name])
    result = CliRunner().invoke(app, ["extend", str(path), "-o", str(tmp_path / "out")])
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1), result.stderr
    assert result.stderr.startswith(f"Error: {path} ")


def _run(*arguments: Any, stdin: bytes | None = None) -> Any:
    return CliRunner().invoke(app, ["extend", *map(str, arguments)], input=stdin)


def test_the_command_writes_three_files_and_says_what_it_found(tmp_path: Path) -> None:
    result = _run(EXAMPLES[0], "-o", tmp_path)
    assert result.exit_code == 0, result.stderr
    names = [f"{EXAMPLES[0].stem}-extended.{kind}" for kind in ("mid", "musicxml", "json")]
    assert result.stdout.splitlines() == [str(tmp_path / name) for name in names]
    assert "key:    G major  (as in the file)" in result.stderr
    assert "form:   Tune, Continuation" in result.stderr
    assert _run(EXAMPLES[0], "-o", tmp_path).exit_code == 2


def test_the_command_reads_standard_input_and_words(tmp_path: Path) -> None:
    words = tmp_path / "more.txt"
    words.write_text(WORDS, encoding="utf-8")
    result = _run(
        "-", "--lyrics", words, "-o", tmp_path, "--title", "Wide", "--json", "-q", "-f", "mid,json", stdin=simple()
    )
    assert result.exit_code == 0, result.stderr
    printed = json.loads(result.stdout)
    assert printed["sections"] == ["Tune", "Verse 1"]
    assert [Path(path).name for path in printed["files"]] == ["wide-extended.mid", "wide-extended.json"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bars", "0"], "bars must be 1 to 200, got 0"),
        (["--seed", "-1"], "seed must be a whole number"),
        (["--key", "H"], "key must look like"),
        (["--meter", "7/8"], "meter must be one of"),
        (["--tempo", "0"], "tempo must be 30 to 300"),
        (["--style", "polka"], "style must be one of"),
        (["--track", "9"], "has no track '9'"),
        (["--lyrics", "none.txt"], "there is no file none.txt"),
        (["--midi-lyrics", "sung"], "midi lyrics must be one of"),
    ],
)
def test_bad_options_are_one_clear_sentence(tmp_path: Path, arguments: list[str], message: str) -> None:
    path = tmp_path / "x.mid"
    path.write_bytes(simple())
    result = _run(path, "-o", tmp_path / "out", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert not (tmp_path / "out").exists()
