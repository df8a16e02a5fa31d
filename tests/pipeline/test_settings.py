import math
from dataclasses import fields
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from align.meter import Meter
from lyrics.analysis import Analysis, SectionAnalysis, analyze
from lyrics.document import Lyrics
from lyrics.mood import Mood
from lyrics.parse import parse_lyrics
from melody.theory import Chord, Key
from pipeline.settings import MAX_TEMPO, MIN_TEMPO, STYLES, VOICES, Settings, choose_settings, parse_range

DARK = """
I sit alone in the cold and the dark
My tears are falling, I cry for the dead
The pain and the sorrow have broken my heart
I fear the grave and the grief in my head
"""
BRIGHT = """
[Verse]
The sun is shining, come dance and sing
With joy and laughter we play and run
[Chorus]
Happy happy, the bells all ring
Shout and smile in the summer sun
"""
HYMN = """
The Lord is holy, praise his name
His mercy never ends
The grace of God is still the same
From heaven he descends

O Lord of grace, I sing thy praise
In prayer I bow to thee
Thy holy word shall light my days
Thy mercy set me free
"""
DACTYLS = """
Merrily, merrily over the river
Carry me, carry me home to my mother
Slowly the shadows are covering over
Under the willow we wait for each other
"""


@cache
def read(text: str) -> tuple[Lyrics, Analysis]:
    lyrics = parse_lyrics(text)
    return lyrics, analyze(lyrics)


def chosen(text: str, **given: Any) -> Settings:
    return choose_settings(*read(text), **given)


def with_mood(valence: float, energy: float) -> tuple[Lyrics, Analysis]:
    lyrics, analysis = read(HYMN)
    values = {field.name: getattr(analysis, field.name) for field in fields(analysis)}
    return lyrics, Analysis(**(values | {"mood": Mood(valence, energy, ())}))


def test_dark_words_are_in_minor_and_the_reason_names_them() -> None:
    settings = chosen(DARK)
    assert settings.key.mode == "minor"
    assert "dark" in settings.reasons["key"]
    assert "alone" in settings.reasons["key"] or "grief" in settings.reasons["key"] or "dead" in settings.reasons["key"]


def test_bright_words_are_in_major() -> None:
    assert chosen(BRIGHT).key.mode == "major"


@pytest.mark.parametrize("meter", ["4/4", "3/4", "2/4", "6/8", "12/8"])
def test_more_energy_is_faster(meter: str) -> None:
    tempos = []
    for energy in (-0.5, 0.15, 0.8):
        lyrics, analysis = with_mood(0.2, energy)
        tempos.append(choose_settings(lyrics, analysis, meter=meter).tempo_qpm)
    assert tempos[0] < tempos[1] < tempos[2]
    assert all(60 <= tempo <= 140 for tempo in tempos)


def test_a_tagged_chorus_is_popular_strophic_words_are_folk_and_sacred_ones_a_hymn() -> None:
    assert chosen(BRIGHT).style == "popular"
    assert chosen(DARK).style == "folk"
    assert chosen(HYMN).style == "hymn"


def test_dactyls_go_into_a_triple_metre_and_iambs_into_four() -> None:
    assert {str(chosen(DACTYLS, seed=seed).meter) for seed in range(12)} <= {"3/4", "6/8"}
    assert chosen(DACTYLS).reasons["meter"].startswith("most lines are dactylic")
    assert str(chosen(HYMN).meter) == "4/4"


def test_what_is_given_is_kept_and_said_to_be_as_asked() -> None:
    settings = chosen(
        DARK, key="F# minor", tempo=77.5, meter="6/8", style="Carol", voice="Alto", title="My Song", seed=3
    )
    assert settings.key == Key(6, "minor")
    assert settings.tempo_qpm == 77.5
    assert settings.meter == Meter(6, 8)
    assert (settings.style, settings.voice, settings.title) == ("carol", "alto", "My Song")
    assert (settings.low, settings.high) == VOICES["alto"]
    assert set(settings.reasons.values()) == {"as asked"}


@pytest.mark.parametrize(
    ("given_one", "kept"),
    [
        ({"tempo": 90.0}, ("key", "meter", "style", "voice", "title")),
        ({"title": "Other"}, ("key", "meter", "style", "voice", "tempo_qpm")),
        ({"key": "D major"}, ("meter", "style", "voice", "tempo_qpm", "title")),
        ({"voice": "bass"}, ("meter", "style", "tempo_qpm", "title")),
    ],
)
def test_giving_one_setting_leaves_the_others_alone(given_one: dict[str, Any], kept: tuple[str, ...]) -> None:
    one, other = chosen(BRIGHT, seed=7), chosen(BRIGHT, seed=7, **given_one)
    assert all(getattr(one, name) == getattr(other, name) for name in kept)


def test_every_setting_has_a_reason() -> None:
    assert set(chosen(BRIGHT).reasons) == {"title", "style", "meter", "voice", "key", "tempo"}
    assert all(chosen(BRIGHT).reasons.values())


def test_a_mode_alone_is_kept_and_its_tonic_chosen_for_the_voice() -> None:
    for mode in ("major", "minor", " Minor "):
        for text in (DARK, BRIGHT):
            settings = chosen(text, key=mode)
            assert settings.key.mode == mode.strip().lower()
            assert "as asked" in settings.reasons["key"]
            assert "suits the voice" in settings.reasons["key"]


def test_the_same_seed_chooses_the_same_and_other_seeds_other_keys() -> None:
    assert chosen(BRIGHT, seed=5) == chosen(BRIGHT, seed=5)
    assert len({chosen(BRIGHT, seed=seed).key.tonic for seed in range(30)}) >= 3


@pytest.mark.parametrize("voice", sorted(VOICES))
@pytest.mark.parametrize("text", [DARK, BRIGHT])
def test_chosen_keys_are_easy_and_lie_well_in_the_voice(voice: str, text: str) -> None:
    low, high = VOICES[voice]
    for seed in range(20):
        key = chosen(text, voice=voice, seed=seed).key
        assert abs(key.fifths) <= 4
        # From the dominant under the tonic to the dominant over it, or from tonic to tonic.
        tonics = [pitch for pitch in range(low, high + 1) if pitch % 12 == key.tonic]
        around = any(low <= tonic - 5 and tonic + 7 <= high for tonic in tonics)
        assert around or any(tonic + 12 <= high for tonic in tonics)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("C3-E4", (48, 64)),
        ("a3 – d5", (57, 74)),
        ("Bb2-F#4", (46, 66)),
        ("A0-C8", (21, 108)),
        ((60, 72), (60, 72)),
    ],
)
def test_ranges_are_read(text: str | tuple[int, int], expected: tuple[int, int]) -> None:
    assert parse_range(text) == expected
    assert (chosen(BRIGHT, voice_range=text).low, chosen(BRIGHT, voice_range=text).high) == expected


@pytest.mark.parametrize(
    ("given_one", "message"),
    [
        ({"voice_range": "E4-C3"}, "from a lower note to a higher one, got E4-C3"),
        ({"voice_range": "C4-C4"}, "from a lower note to a higher one"),
        ({"voice_range": "C4-B4"}, "an octave .* or more, got C4-B4: 11"),
        ({"voice_range": "C0-C4"}, "within A0-C8"),
        ({"voice_range": "C4-C99999999999999999999"}, "within A0-C8"),
        ({"voice_range": "H3-C5"}, "range must look like C3-E4, got 'H3-C5'"),
        ({"voice_range": ""}, "range must look like"),
        ({"voice_range": (60, 200)}, "within A0-C8"),
        ({"voice_range": "C3-E4", "voice": "alto"}, "either a voice or a range"),
        ({"key": "H"}, "key must look like"),
        ({"key": ""}, "key must look like"),
        ({"tempo": -3}, "tempo must be 30 to 300 quarter notes a minute, got -3"),
        ({"tempo": 0}, "tempo must be"),
        ({"tempo": 1000}, "tempo must be"),
        ({"tempo": math.nan}, "tempo must be .* got nan"),
        ({"tempo": math.inf}, "tempo must be"),
        ({"style": "jazz"}, "style must be one of popular, folk, hymn, carol, spiritual, got 'jazz'"),
        ({"voice": "countertenor"}, "voice must be one of soprano, .* got 'countertenor'"),
        ({"meter": "7/8"}, "meter must be one of 4/4"),
        ({"meter": "waltz"}, "meter must look like 3/4"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(given_one: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        chosen(BRIGHT, **given_one)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("symbols", "key"),
    [
        ("Am F C G", "A minor"),
        ("C G Am F", "C major"),
        ("E A B7 E", "E major"),
        ("Dm G7 C", "C major"),
        ("Am G F E", "A minor"),
        ("G", "G major"),
    ],
)
def test_given_chords_settle_the_key(symbols: str, key: str) -> None:
    chords = tuple(map(Chord.parse, symbols.split()))
    settings = chosen(DARK, chords=chords)
    assert (str(settings.key), settings.reasons["key"]) == (key, "the key of the chords")
    assert settings.reasons["chords"] == "as asked"
    assert chosen(DARK, chords=chords, key="major").key.mode == "major"


def test_a_key_that_is_asked_for_stays_and_chords_strange_to_it_are_named() -> None:
    settings = chosen(DARK, chords=tuple(map(Chord.parse, "E A B7 E".split())), key="Eb major")
    assert (str(settings.key), settings.reasons["key"]) == ("Eb major", "as asked")
    assert settings.reasons["chords"].startswith("as asked; ")
    assert settings.reasons["chords"].endswith(" strange to Eb major")


@pytest.mark.parametrize("tempo", [MIN_TEMPO, MAX_TEMPO])
def test_the_ends_of_the_tempo_range_are_allowed(tempo: float) -> None:
    assert chosen(BRIGHT, tempo=tempo).tempo_qpm == tempo


@given(text=st.text(max_size=20))
def test_no_range_key_or_style_ends_in_another_error(text: str) -> None:
    for name in ("voice_range", "key", "style", "voice", "meter"):
        lyrics, analysis = with_mood(0.1, 0.1)
        try:
            choose_settings(lyrics, analysis, **{name: text})  # type: ignore[arg-type]
        except ValueError:
            continue


def test_the_title_is_the_lyrics_own_else_the_hook_else_the_first_words() -> None:
    assert chosen("Title: Low Tide\n\n" + DARK).title == "Low Tide"
    assert chosen("One line\nTurn it up now!\nThree words here\nTurn it up now!").title == "Turn it up now"
    assert chosen("Every time that I walk by the river in the rain\nI sing").title == "Every time that I walk"


def test_styles_are_those_of_the_aligner() -> None:
    from align.features import STYLES as KNOWN

    assert set(STYLES) == set(KNOWN)


def test_words_in_no_metre_are_sung_in_four() -> None:
    lyrics, analysis = read(BRIGHT)
    values = {field.name: getattr(analysis, field.name) for field in fields(analysis)}
    flat = {field.name: getattr(analysis.sections[0], field.name) for field in fields(SectionAnalysis)} | {"fit": 0.0}
    settings = choose_settings(lyrics, Analysis(**(values | {"sections": (SectionAnalysis(**flat),)})))
    assert settings.meter == Meter(4, 4)
    assert settings.reasons["meter"] == "the lines have no regular metre"


def test_themes_choose_carols_and_move_the_tempo() -> None:
    stanzas = (
        "The shepherds came to Bethlehem\nAcross the winter snow",
        "The holly and the carols ring\nBy manger light aglow",
    )
    carol = chosen("\n\n".join(stanzas))
    assert carol.style == "carol"
    assert "shepherds" in carol.reasons["style"]
    party = chosen("Friday at the disco, turn the music loud\nDancing at the party, dancing with the crowd")
    assert "faster for its theme, party" in party.reasons["tempo"]
    loss = chosen("They mourn beside the coffin\nThe widow at the grave\nThe cemetery silent\nThe funeral, the dead")
    assert "slower for its theme, loss" in loss.reasons["tempo"]
