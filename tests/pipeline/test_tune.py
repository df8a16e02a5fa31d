import random
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mido import Message, MetaMessage

from align.meter import Meter
from melody.theory import Key
from pipeline.errors import TuneError
from pipeline.midi_reader import MAX_BYTES
from pipeline.tune import Tune, read_tune
from tests.pipeline.tunes import TWINKLE, UPBEAT, Played, conductor, events, midi, simple, track


def _read(data: bytes, **options: Any) -> Tune:
    return read_tune(data, "x.mid", **options)


def _shape(tune: Tune) -> list[tuple[float, float, int]]:
    return [(note.onset / 480, note.duration / 480, note.pitch) for note in tune.notes]


def _expected(played: Played, first: float = 0.0) -> list[tuple[float, float, int]]:
    shape, now = [], first
    for beats, pitch in played:
        if pitch:
            shape.append((now, float(beats), pitch))
        now += beats
    return shape


QUIRKS: dict[str, bytes] = {
    "format 1": simple(),
    "format 0": midi(track([(0, MetaMessage("time_signature", numerator=4, denominator=4)), *events(TWINKLE)]), kind=0),
    "format 2": midi(conductor(), track(events(TWINKLE)), kind=2),
    "no signatures": midi(track(events(TWINKLE))),
    "96 ticks": midi(conductor(), track(events(TWINKLE, division=96)), division=96),
    "220 ticks": midi(conductor(), track(events(TWINKLE, division=220)), division=220),
    "1 tick": midi(conductor(), track(events(TWINKLE, division=1)), division=1),
    "staccato": midi(conductor(), track(events(TWINKLE, gap=0.12))),
    "legato": midi(conductor(), track(events(TWINKLE, gap=-0.04))),
    "drums": midi(conductor(), track(events([(0.25, 42)] * 128, channel=9), "Drums"), track(events(TWINKLE), "Flute")),
    "two bars of silence before": midi(conductor(), track(events([(8, 0), *TWINKLE]))),
    "on channel 7 of a mixed track": midi(
        conductor(), track([*events(TWINKLE, channel=6), *events([(4, 36)] * 8, channel=1)])
    ),
    "bass and chords beside it": midi(
        conductor(),
        track([*events([(4, 48)] * 8), *events([(4, 52)] * 8), *events([(4, 55)] * 8)], "Piano"),
        track(events([(2, 36)] * 16), "Bass"),
        track(events(TWINKLE), "Lead vocal"),
    ),
    "tempo changes": midi(
        conductor(
            (4, 4), (0, MetaMessage("set_tempo", tempo=500_000)), (1920, MetaMessage("set_tempo", tempo=600_000))
        ),
        track(events(TWINKLE)),
    ),
    "note-on with velocity 0": midi(
        conductor(),
        track([
            (t, m if m.type == "note_on" else Message("note_on", note=m.note, velocity=0)) for t, m in events(TWINKLE)
        ]),
    ),
    "RMID": b"RIFF" + struct.pack("<I", len(simple()) + 12) + b"RMIDdata" + struct.pack("<I", len(simple())) + simple(),
}  # fmt: skip


@pytest.mark.parametrize("name", QUIRKS)
def test_the_tune_is_read_whatever_the_program_that_wrote_it_did(name: str) -> None:
    tune = _read(QUIRKS[name])
    assert _shape(tune) == _expected(TWINKLE)
    assert (str(tune.meter), str(tune.key)) == ("4/4", "C major")


def test_running_status_is_understood() -> None:
    body, now = b"", 0
    for tick, message in sorted(events(TWINKLE, division=96), key=lambda e: (e[0], e[1].type == "note_on")):
        status = b"\x90" if not body else b""
        body += bytes([tick - now if tick - now < 128 else 0x81]) + (
            b"" if tick - now < 128 else bytes([tick - now - 128])
        )
        body += status + bytes([message.note, 80 if message.type == "note_on" else 0])
        now = tick
    body += b"\x00\xff\x2f\x00"
    data = b"MThd" + struct.pack(">IHHH", 6, 0, 1, 96) + b"MTrk" + struct.pack(">I", len(body)) + body
    assert _shape(_read(data)) == _expected(TWINKLE)


def _pickup_bar() -> bytes:
    """Return a file with the pick-up in a short bar of its own, as notation programs write it."""
    signs = [(0, MetaMessage("time_signature", numerator=1, denominator=4))]
    return midi(
        conductor(None, *signs, (480, MetaMessage("time_signature", numerator=3, denominator=4))), track(events(UPBEAT))
    )


@pytest.mark.parametrize(
    "data",
    [
        _pickup_bar(),
        simple([(2, 0), *UPBEAT], (3, 4)),  # silence before the pick-up
        simple(UPBEAT, (3, 4)),  # bar lines drawn as if there were no pick-up
        simple(UPBEAT, None),
    ],
    ids=["short bar", "silence", "bars shifted", "no signature"],
)
def test_a_pick_up_is_found(data: bytes) -> None:
    tune = _read(data)
    assert str(tune.meter) == "3/4"
    assert _shape(tune) == _expected(UPBEAT, 2.0)
    assert tune.key == Key.parse("G")


def test_a_performance_off_the_grid_is_quantised() -> None:
    rng = random.Random(3)
    loose = [(max(0, t + round(rng.gauss(0, 14))), m) for t, m in events(TWINKLE, gap=0.06)]
    tune = _read(midi(conductor(), track(loose)))
    assert [onset for onset, _, _ in _shape(tune)] == [onset for onset, _, _ in _expected(TWINKLE)]


def test_a_performance_without_a_click_is_followed() -> None:
    rng = random.Random(5)
    now, found = 0.0, []
    for index, (beats, pitch) in enumerate(TWINKLE):
        beat = 0.46 * (1 + 0.08 * index / len(TWINKLE))  # dragging, in seconds, under a tempo of 120
        start, end = now + rng.gauss(0, 0.008), now + beats * beat * 0.9
        found += [(round(max(0, start) * 960), Message("note_on", note=pitch, velocity=80))]
        found += [(round(end * 960), Message("note_off", note=pitch, velocity=0))]
        now += beats * beat
    tune = _read(midi(track(found)))
    lengths = [after.onset - before.onset for before, after in zip(tune.notes, tune.notes[1:], strict=False)]
    assert lengths == [round(beats * 480) for beats, _ in TWINKLE[:-1]]
    assert 120 <= tune.tempo_qpm <= 140


def test_triplets_stay_triplets() -> None:
    third = 1 / 3
    played = [*TWINKLE[:7], (third, 65), (third, 64), (third, 62), (1, 60), (1, 64), (1, 62), (4, 60)]
    tune = _read(simple(played))
    assert [note.onset for note in tune.notes[7:11]] == [3840, 4000, 4160, 4320]
    assert tune.num_left_out == 0


@pytest.mark.parametrize(
    ("numerator", "denominator", "read", "beats"),
    [
        (2, 2, "4/4", 1.0),
        (3, 2, "3/4", 0.5),
        (3, 8, "3/4", 2.0),
        (6, 4, "6/8", 0.5),
        (12, 8, "12/8", 1.0),
        (9, 8, "3/4", 2 / 3),
    ],
)
def test_other_time_signatures_are_read_as_known_ones(
    numerator: int, denominator: int, read: str, beats: float
) -> None:
    bar = numerator * 4 / denominator
    pitches = [60, 64, 67, 64, 60, 62, 64, 60]
    tune = _read(simple([(bar / 2, pitch) for pitch in pitches], (numerator, denominator)))
    assert str(tune.meter) == read
    assert tune.notes[1].onset == bar / 2 * beats * 480


def test_what_is_asked_takes_the_place_of_what_is_found() -> None:
    tune = _read(simple(), key="A minor", meter="2/4", tempo=77)
    assert (tune.key, tune.meter, tune.tempo_qpm) == (Key.parse("Am"), Meter(2, 4), 77)
    assert dict(tune.reasons) == {"key": "as asked", "tempo": "as asked", "meter": "as asked"}


def test_the_tempo_is_the_one_of_most_notes() -> None:
    tune = _read(QUIRKS["tempo changes"])
    assert tune.tempo_qpm == 100
    assert "changes" in dict(tune.reasons)["tempo"]


def test_the_named_track_is_taken() -> None:
    data = midi(conductor(), track(events(TWINKLE), "One"), track(events([(2, 72), (2, 74)] * 8), "Two"))
    assert _read(data, track="two").notes[0].pitch == 72
    assert _read(data, track="2").notes[0].pitch == 60
    with pytest.raises(TuneError, match=r"no track 'Three' with notes; it has 2 \(One\), 3 \(Two\)"):
        _read(data, track="Three")


def _chords() -> bytes:
    return midi(conductor(), track([*events([(1, 60)] * 16), *events([(1, 64)] * 16), *events([(1, 67)] * 16)], "Pad"))


BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "text": (b"Sail on, my sailor", "is not a MIDI file"),
    "zeros": (bytes(1000), "is not a MIDI file"),
    "header only": (b"MThd", "ends in the middle"),
    "cut off": (simple()[:90], "ends in the middle"),
    "no tracks": (midi(), "has no notes"),
    "no notes": (midi(conductor()), "has no notes"),
    "drums": (midi(track(events([(1, 42)] * 16, channel=9))), "has only drums"),
    "chords": (_chords(), r"Pad plays several notes at once \(\d+ % of them\)"),
    "three notes": (simple(TWINKLE[:3]), "has only 3 notes"),
    "one note again and again on one tick": (midi(track(events([(0, 60)] * 50))), "has no notes"),
    "gigantic": (b"MThd" + bytes(MAX_BYTES), "larger than 500,000 bytes"),
    "a note after a year": (simple([*TWINKLE, (100_000, 0), (1, 60)]), "bars long; give a tune of at most"),
    "5/4": (simple(TWINKLE, (5, 4)), "is in 5/4, .*--meter"),
    "0 ticks": (simple()[:12] + b"\0\0" + simple()[14:], "0 ticks"),
    "key of eleven sharps": (
        simple()[:22] + b"\x00\xff\x59\x02\x0b\x00" + simple()[22:], "broken key signature|not a sound|ends in"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_tune_is_refused_in_one_sentence(name: str) -> None:
    data, message = BAD[name]
    with pytest.raises(TuneError, match=message) as caught:
        _read(data)
    assert "\n" not in str(caught.value)


@settings(max_examples=150, deadline=None)
@given(
    data=st.one_of(
        st.binary(max_size=300), st.binary(max_size=200).map(lambda tail: b"MThd\0\0\0\6\0\1\0\1\1\xe0" + tail)
    )
)
def test_random_bytes_are_refused_in_words(data: bytes) -> None:
    with pytest.raises(TuneError):
        _read(data)


@settings(max_examples=200, deadline=None)
@given(
    edits=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=12),
    cut=st.integers(0, 400),
)
def test_damaged_files_are_read_or_refused_in_words(edits: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(QUIRKS["tempo changes"])
    for place, value in edits:
        data[place % len(data)] = value
    try:
        tune = _read(bytes(data[: len(data) - cut] if cut > 380 else data))
    except TuneError:
        return
    onsets = [note.onset for note in tune.notes]
    assert onsets == sorted(set(onsets))
    assert all(note.duration > 0 for note in tune.notes)
    assert 0 <= onsets[0] < tune.meter.bar_ticks
