import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from align.corpus import CorpusNote, CorpusSong, CorpusSyllable
from align.meter import Meter
from align.rhythm import LineRhythm, Rhythm, RhythmNote, SectionSpan
from lyrics.document import Line, Lyrics, Role, Section, Syllable, Word
from lyrics.errors import ModelFileError
from melody import chord_model
from melody.chord_model import NUM_STATES, chord_of, load_model, read_arrays, state_of
from melody.chord_plan import load_plan_model
from melody.harmony import infer_chords, plan_chords, read_symbol
from melody.theory import Chord, ChordSpan, Key

FORMS = {
    "verses": ("v", "v", "v"),
    "pop": ("v", "c", "v", "c", "b", "c"),
    "chorus first": ("c", "v", "c", "v", "c"),
    "all": ("i", "v", "p", "c", "v", "p", "c", "s", "b", "c", "o"),
}
ROLES = {
    "v": Role.VERSE,
    "c": Role.CHORUS,
    "b": Role.BRIDGE,
    "p": Role.PRE_CHORUS,
    "i": Role.INTRO,
    "s": Role.INSTRUMENTAL,
    "o": Role.OUTRO,
}
STYLES = ("popular", "folk", "hymn", "carol", "spiritual")


def song(
    form: str, meter: str = "4/4", num_lines: int = 4, line_bars: int = 2, pickup: int = 0
) -> tuple[Lyrics, Rhythm]:
    """Make a song of even lines; its last notes begin on the downbeat of the last bar of their lines."""
    measure = Meter.parse(meter)
    sections: list[Section] = []
    lines: list[LineRhythm] = []
    spans: list[SectionSpan] = []
    first: dict[Role, str] = {}
    cursor = pickup
    for number, letter in enumerate(FORMS[form]):
        role = ROLES[letter]
        count = 0 if letter in "is" else num_lines
        name = f"{letter}{number}"
        start = cursor
        for index in range(count):
            first_note = max(0, cursor - pickup)
            last = cursor + (line_bars - 1) * measure.bar_ticks
            notes = (RhythmNote(first_note, 120, 0), RhythmNote(last, measure.bar_ticks - pickup, 1))
            cursor += line_bars * measure.bar_ticks
            lines.append(LineRhythm(number, index, first_note, cursor - pickup, notes))
        if not count:
            cursor += 4 * measure.bar_ticks
        spans.append(SectionSpan(number, start, cursor))
        syllables = (Syllable("ha", ("HH", "AH1"), 1), Syllable("lo", ("L", "OW0"), 0))
        line = Line("halo", (Word("halo", "halo", 0, syllables, True),), 1)
        repeat = first.get(role) if letter == "c" else None
        first.setdefault(role, name)
        sections.append(Section(name, role, letter, (line,) * count, True, repeat))
    return Lyrics(tuple(sections)), Rhythm(measure, pickup, tuple(lines), tuple(spans), cursor)


def roots_at(spans: tuple[ChordSpan, ...], tick: int, key: Key) -> int:
    chord = next(span.chord for span in spans if span.onset <= tick < span.onset + span.duration)
    return (chord.root - key.tonic) % 12


def line_end_roots(rhythm: Rhythm, spans: tuple[ChordSpan, ...], key: Key) -> list[int]:
    return [roots_at(spans, line.notes[-1].onset, key) for line in rhythm.lines]


def section_chords(rhythm: Rhythm, spans: tuple[ChordSpan, ...], section: int) -> list[tuple[int, Chord]]:
    span = rhythm.sections[section]
    return [(chord.onset - span.start, chord.chord) for chord in spans if span.start <= chord.onset < span.end]


def tiles(rhythm: Rhythm, spans: tuple[ChordSpan, ...]) -> bool:
    bar = rhythm.meter.bar_ticks
    joined = all(one.onset + one.duration == two.onset for one, two in pairwise(spans))
    inside = all(
        (one.onset - rhythm.pickup) // bar == (one.onset + one.duration - 1 - rhythm.pickup) // bar for one in spans
    )
    whole = spans[0].onset == 0 and spans[-1].onset + spans[-1].duration == rhythm.end
    return joined and inside and whole and all(span.duration > 0 for span in spans)


@settings(deadline=None, max_examples=60)
@given(
    form=st.sampled_from(sorted(FORMS)),
    meter=st.sampled_from(("4/4", "3/4", "2/4", "6/8", "12/8")),
    num_lines=st.integers(1, 9),
    line_bars=st.integers(1, 5),
    pickup=st.sampled_from((0, 240, 480)),
    key=st.builds(Key, st.integers(0, 11), st.sampled_from(("major", "minor"))),
    style=st.sampled_from(STYLES),
    seed=st.integers(0, 2**64 - 1),
    chords=st.sampled_from(((), (Chord(9, "m"), Chord(5), Chord(0)))),
)
def test_spans_tile_the_time_and_the_song_ends_on_the_tonic(
    form: str,
    meter: str,
    num_lines: int,
    line_bars: int,
    pickup: int,
    key: Key,
    style: str,
    seed: int,
    chords: tuple[Chord, ...],
) -> None:
    lyrics, rhythm = song(form, meter, num_lines, line_bars, pickup)
    spans = plan_chords(lyrics, rhythm, key, style, seed, chords)
    assert tiles(rhythm, spans)
    assert chords or roots_at(spans, rhythm.end - 1, key) == 0
    assert chords or line_end_roots(rhythm, spans, key)[-1] == 0


def test_the_same_seed_gives_the_same_plan_and_another_seed_another() -> None:
    lyrics, rhythm = song("pop")
    plans = [plan_chords(lyrics, rhythm, Key(0, "major"), "popular", seed) for seed in (1, 1, 2)]
    assert plans[0] == plans[1] != plans[2]


def test_songs_differ_in_how_often_their_chords_leave_the_key() -> None:
    lyrics, rhythm = song("pop", num_lines=8)
    key = Key(0, "major")
    shares = []
    for seed in range(40):
        plan = plan_chords(lyrics, rhythm, key, "popular", seed)
        foreign = [span.duration for span in plan if not span.chord.pitch_classes <= set(key.scale)]
        shares.append(sum(foreign) / rhythm.end)
    assert 4 <= sum(share == 0 for share in shares) <= 30
    assert max(shares) > 0.15


@pytest.mark.parametrize("mode", ["major", "minor"])
@pytest.mark.parametrize("style", STYLES)
def test_a_plan_in_another_key_is_the_same_plan_transposed(mode: str, style: str) -> None:
    lyrics, rhythm = song("all")
    for seed in range(8):
        low, high = (plan_chords(lyrics, rhythm, Key(tonic, mode), style, seed) for tonic in (0, 2))
        assert [
            ChordSpan(span.onset, span.duration, Chord((span.chord.root + 2) % 12, span.chord.quality)) for span in low
        ] == list(high)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("key", [Key(0, "major"), Key(9, "minor")])
def test_lines_end_on_one_or_five_and_else_on_four_six_or_two(style: str, key: Key) -> None:
    ends: list[int] = []
    for seed in range(12):
        for form in FORMS:
            lyrics, rhythm = song(form)
            ends += line_end_roots(rhythm, plan_chords(lyrics, rhythm, key, style, seed), key)
    shares = {root: ends.count(root) / len(ends) for root in set(ends)}
    assert shares[0] + shares[7] >= 0.85
    assert set(shares) <= ({0, 7, 5, 9, 2} if key.mode == "major" else {0, 7, 5, 8, 3})


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("key", [Key(7, "major"), Key(4, "minor")])
def test_sections_close_as_their_roles_ask(style: str, key: Key) -> None:
    middles: list[int] = []
    for seed in range(20):
        lyrics, rhythm = song("all")
        spans = plan_chords(lyrics, rhythm, key, style, seed)
        ends = line_end_roots(rhythm, spans, key)
        for number, line in enumerate(rhythm.lines):
            role = lyrics.sections[line.section].role
            if line.line == 1:
                middles.append(ends[number])
            if line.line == 3:
                allowed = {Role.CHORUS: {0}, Role.OUTRO: {0}, Role.BRIDGE: {7}, Role.PRE_CHORUS: {7}}.get(role, {0, 7})
                assert ends[number] in allowed
                before = roots_at(spans, line.notes[-1].onset - 1, key)
                assert ends[number] != 0 or before in (5, 7), "authentic or plagal"
        bridge = next(span for span in rhythm.sections if lyrics.sections[span.section].role is Role.BRIDGE)
        assert roots_at(spans, bridge.start, key) != 0
    assert 0.3 < middles.count(7) / len(middles) < 0.75, "half cadences in the middle"
    assert middles.count(0) / len(middles) > 0.15, "and full ones"


@pytest.mark.parametrize("form", ["pop", "verses", "all"])
def test_parallel_lines_and_repeated_sections_have_the_same_chords(form: str) -> None:
    for seed in range(20):
        lyrics, rhythm = song(form)
        spans = plan_chords(lyrics, rhythm, Key(0, "major"), "popular", seed)
        seen: dict[Role, list[tuple[int, Chord]]] = {}
        for index, section in enumerate(lyrics.sections):
            chords = section_chords(rhythm, spans, index)
            assert seen.setdefault(section.role, chords) == chords


@pytest.mark.parametrize("form", ["pop", "chorus first"])
def test_the_chorus_does_not_go_like_the_verse(form: str) -> None:
    for seed in range(40):
        lyrics, rhythm = song(form)
        spans = plan_chords(lyrics, rhythm, Key(0, "major"), "folk", seed)
        first, second = (section_chords(rhythm, spans, index)[:3] for index in (0, 1))
        assert first != second


def test_minor_keys_have_a_major_dominant() -> None:
    for seed in range(20):
        lyrics, rhythm = song("pop")
        for span in plan_chords(lyrics, rhythm, Key(9, "minor"), "folk", seed):
            assert span.chord.root != 4 or span.chord.quality in ("", "7")
            assert span.chord.root != 9 or span.chord.quality == "m"


def test_secondary_dominants_are_not_the_rule_and_resolve() -> None:
    count = total = 0
    for seed in range(60):
        lyrics, rhythm = song("pop", line_bars=4)
        spans = plan_chords(lyrics, rhythm, Key(0, "major"), "popular", seed)
        for one, two in pairwise(spans):
            total += 1
            if one.chord.quality == "7" and one.chord.root != 7:
                count += 1
                assert two.chord.root in (one.chord.root, (one.chord.root + 5) % 12)
    assert 0 < count / total < 0.2  # in the lead sheets a fifth of the time


def test_given_chords_go_round_anew_in_every_section() -> None:
    lyrics, rhythm = song("verses", num_lines=3, line_bars=2, pickup=480)
    chords = tuple(Chord.parse(symbol) for symbol in ("Am", "F", "C", "G7/B"))
    spans = plan_chords(lyrics, rhythm, Key(9, "minor"), "popular", 0, chords)
    assert spans[0] == ChordSpan(0, 480, chords[0])
    assert [span.chord for span in spans[1:]] == [chords[index % 4] for index in range(6)] * 3


def test_two_lines_within_one_bar_still_close_the_song_on_the_tonic() -> None:
    lyrics, rhythm = song("verses", num_lines=2, line_bars=1)
    rest = rhythm.lines[2:]
    half = rhythm.meter.bar_ticks // 2
    short = [
        LineRhythm(0, 0, 0, half, (RhythmNote(0, 480, 0), RhythmNote(480, 480, 1))),
        LineRhythm(0, 1, half, half * 2, (RhythmNote(half, 480, 0), RhythmNote(half + 480, 480, 1))),
    ]
    squeezed = Rhythm(rhythm.meter, 0, (*short, *rest), rhythm.sections, rhythm.end)
    spans = plan_chords(lyrics, squeezed, Key(0, "major"), "hymn", 5)
    assert tiles(squeezed, spans)
    assert roots_at(spans, rhythm.end - 1, Key(0, "major")) == 0


def test_cost_grows_linearly_with_the_number_of_lines() -> None:
    def seconds(num_lines: int) -> float:
        lyrics, rhythm = song("verses", num_lines=num_lines)
        best = 1e9
        for _ in range(3):
            start = time.process_time()
            plan_chords(lyrics, rhythm, Key(0, "major"), "popular", 1)
            best = min(best, time.process_time() - start)
        return best

    seconds(4)
    assert seconds(320) < 20 * seconds(40)


def corpus_song(
    pitches: tuple[int, ...], chords: tuple[tuple[int, str], ...] = (), pickup: int = 0, beats: int = 1
) -> CorpusSong:
    """Make a song of equal notes in 4/4 whose every eighth note ends a line."""
    step = beats * 480
    notes = tuple(
        CorpusNote(index * step, step, (index * step - pickup) % 1920, pitch, index, False)
        for index, pitch in enumerate(pitches)
    )
    syllables = tuple(CorpusSyllable("la", index, 1, True, True, index // 8) for index in range(len(pitches)))
    return CorpusSong(
        "made up", "1", "1", "folk", "en", Meter(4, 4), 0, "major", None, ("la",) * len(pitches), syllables, notes,
        chords, len(pitches) // 8, True, (),
    )  # fmt: skip


def test_lead_sheets_keep_their_chords_cut_at_bar_lines() -> None:
    tune = corpus_song((67,) + (60,) * 12, ((480, "C"), (2400, "N.C."), (4320, "G7b9sus/B")), pickup=480)
    assert infer_chords(tune, Key(0, "major")) == (
        ChordSpan(0, 480, Chord(0)),
        ChordSpan(480, 1920, Chord(0)),
        ChordSpan(2400, 1920, Chord(0)),
        ChordSpan(4320, 1920, Chord(7, "7b9", 11)),
    )


def test_chords_of_an_arpeggio_are_inferred() -> None:
    tune = corpus_song((60, 64, 67, 64, 60, 64, 67, 60, 67, 71, 74, 71, 67, 65, 62, 59, 60, 64, 67, 64, 60, 64, 60, 60))
    spans = infer_chords(tune, Key(0, "major"))
    roots = {span.onset: span.chord.root for span in spans}
    assert [roots[bar * 1920] for bar in range(6)] == [0, 0, 7, 7, 0, 0]
    assert spans[0].onset == 0
    assert spans[-1].onset + spans[-1].duration == 24 * 480


def test_inferred_chords_move_with_the_tune() -> None:
    random = np.random.Generator(np.random.PCG64(3))
    pitches = tuple(int(pitch) for pitch in random.choice([60, 62, 64, 65, 67, 69, 71, 72], 48))
    low = infer_chords(corpus_song(pitches), Key(0, "major"))
    high = infer_chords(corpus_song(tuple(pitch + 5 for pitch in pitches)), Key(5, "major"))
    assert [span.chord.root for span in high] == [(span.chord.root + 5) % 12 for span in low]


@pytest.mark.parametrize(
    ("symbol", "chord"),
    [
        ("C#dim7", Chord(1, "dim7")),
        ("G7/D", Chord(7, "7", 2)),
        ("Daug", Chord(2, "aug")),
        ("Cmaj7", Chord(0, "maj7")),
        ("Abminor-major", Chord(8, "mMaj7")),
        ("Faugmented-ninth", Chord(5, "aug7")),
        ("Gm7#11add13", Chord(7, "m7")),
        ("N.C.", None),
        ("", None),
    ],
)
def test_printed_symbols_are_read_or_come_to_the_nearest_known_chord(symbol: str, chord: Chord | None) -> None:
    assert read_symbol(symbol) == chord


def test_states_and_chords_agree() -> None:
    for key in (Key(0, "major"), Key(6, "minor")):
        for state in range(NUM_STATES):
            assert state_of(chord_of(state, key), key) == state


def test_the_models_hold_probabilities() -> None:
    model, plan = load_model(), load_plan_model()
    for logs in (model.start, model.change, model.emission, plan.change, plan.share):
        assert np.allclose(np.exp(logs).sum(axis=-1), 1, atol=1e-3)
    for shares in (model.stay, plan.stay):
        assert ((shares > 0) & (shares < 1)).all()


def test_a_changed_or_missing_model_file_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chord_model, "_FOLDER", tmp_path)
    with pytest.raises(ModelFileError, match="cannot be read"):
        read_arrays("chords.safetensors")
    (tmp_path / "chords.safetensors").write_bytes(b"not this")
    with pytest.raises(ModelFileError, match="install songwright again"):
        read_arrays("chords.safetensors")
