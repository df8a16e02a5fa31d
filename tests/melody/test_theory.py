import pytest
from hypothesis import given
from hypothesis import strategies as st

from melody.theory import QUALITIES, Chord, Key, spell

MAJOR_KEYS = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
MINOR_KEYS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "Bb", "B")
KEYS = [Key(tonic, mode) for mode in ("major", "minor") for tonic in range(12)]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("D major", Key(2, "major")),
        ("F# minor", Key(6, "minor")),
        ("Bb", Key(10, "major")),
        ("Am", Key(9, "minor")),
        ("c minor", Key(0, "minor")),
        ("d MINOR", Key(2, "minor")),
        (" e♭ maj ", Key(3, "major")),
        ("GM", Key(7, "major")),
    ],
)
def test_keys_are_read(text: str, key: Key) -> None:
    assert Key.parse(text) == key


@pytest.mark.parametrize("text", ["", "H", "C##", "D dorian", "7", "Cmajorminor"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="key must look like"):
        Key.parse(text)


@pytest.mark.parametrize("tonic", range(12))
def test_keys_have_their_usual_names(tonic: int) -> None:
    assert str(Key(tonic, "major")) == f"{MAJOR_KEYS[tonic]} major"
    assert str(Key(tonic, "minor")) == f"{MINOR_KEYS[tonic]} minor"


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_scales_use_every_letter_once_and_the_signature_accidentals(key: Key) -> None:
    names = [spell(pitch_class, key.fifths) for pitch_class in key.scale]
    assert sorted(name[0] for name in names) == list("ABCDEFG")
    assert sum(name.count("#") - name.count("b") for name in names) == key.fifths
    assert Key.parse(str(key)) == key


@pytest.mark.parametrize("key", [key for key in KEYS if key.mode == "minor"], ids=str)
def test_the_leading_tone_of_a_minor_key_is_a_raised_seventh_degree(key: Key) -> None:
    seventh = spell(key.scale[6], key.fifths)
    leading = spell((key.tonic + 11) % 12, key.fifths)
    assert leading[0] == seventh[0]
    assert leading.count("#") - leading.count("b") == seventh.count("#") - seventh.count("b") + 1


@pytest.mark.parametrize(
    ("symbol", "pitch_classes"),
    [
        ("C", {0, 4, 7}),
        ("CΔ", {0, 4, 7, 11}),
        ("CM7", {0, 4, 7, 11}),
        ("Cmaj7", {0, 4, 7, 11}),
        ("Bø", {11, 2, 5, 9}),
        ("Bm7b5", {11, 2, 5, 9}),
        ("Bm7♭5", {11, 2, 5, 9}),
        ("Bº", {11, 2, 5}),
        ("Bo7", {11, 2, 5, 8}),
        ("G7sus", {7, 0, 2, 5}),
        ("Gsus", {7, 0, 2}),
        ("Asus2", {9, 11, 4}),
        ("G7#5", {7, 11, 3, 5}),
        ("Gaug7", {7, 11, 3, 5}),
        ("C+", {0, 4, 8}),
        ("G13", {7, 11, 2, 5, 9, 4}),
        ("G11", {7, 0, 2, 5, 9}),
        ("Cadd2", {0, 2, 4, 7}),
        ("C(add9)", {0, 2, 4, 7}),
        ("AmMaj7", {9, 0, 4, 8}),
        ("Am(maj7)", {9, 0, 4, 8}),
        ("A-7", {9, 0, 4, 7}),
        ("Amin", {9, 0, 4}),
        ("C6/9", {0, 2, 4, 7, 9}),
        ("C6/9/E", {0, 2, 4, 7, 9}),
        ("F#m7/E", {6, 9, 1, 4}),
        ("G7b9", {7, 8, 11, 2, 5}),
        ("E7#9", {4, 7, 8, 11, 2}),
        ("D5", {2, 9}),
        ("C/D", {0, 2, 4, 7}),
        ("Cb", {11, 3, 6}),
    ],
)
def test_chord_symbols_are_read(symbol: str, pitch_classes: set[int]) -> None:
    assert Chord.parse(symbol).pitch_classes == pitch_classes


@pytest.mark.parametrize("symbol", ["", "H", "am", "Cfoo", "C/", "C/H", "7", "C E", "C##", "C\nm"])
def test_what_is_no_chord_is_refused(symbol: str) -> None:
    with pytest.raises(ValueError, match="chord"):
        Chord.parse(symbol)


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_symbols_read_back_in_every_key_without_double_accidentals(key: Key) -> None:
    for root in range(12):
        for quality in QUALITIES:
            for bass in (None, *((root + interval) % 12 for interval in QUALITIES[quality][1:]), (root + 1) % 12):
                chord = Chord(root, quality, bass)
                symbol = chord.symbol(key.fifths)
                assert Chord.parse(symbol) == chord
                assert "##" not in symbol
                assert "bb" not in symbol.replace("Bbb", "") or "bb5" in symbol


@pytest.mark.parametrize(
    ("chord", "key", "symbol"),
    [
        (Chord(8), "C", "Ab"),
        (Chord(10), "C", "Bb"),
        (Chord(1, "dim7"), "C", "C#dim7"),
        (Chord(6, "m7b5"), "C", "F#m7b5"),
        (Chord(5, "m"), "C", "Fm"),
        (Chord(4, "7", 8), "Am", "E7/G#"),
        (Chord(7, "7", 11), "Cm", "G7/B"),
        (Chord(2, "7", 6), "Gm", "D7/F#"),
        (Chord(3, "7", 7), "G# minor", "D#7/G"),
        (Chord(2), "Bb", "D"),
        (Chord(11, "7"), "E", "B7"),
        (Chord(3), "G", "Eb"),
        (Chord(0), "F#", "C"),
        (Chord(0, "dim7"), "C# minor", "B#dim7"),
        (Chord(4), "Db", "E"),
    ],
)
def test_chords_are_spelled_by_their_function(chord: Chord, key: str, symbol: str) -> None:
    assert chord.symbol(Key.parse(key).fifths) == symbol


def test_diatonic_roots_are_spelled_as_the_scale() -> None:
    for key in KEYS:
        qualities = ("", "m", "m", "", "", "m", "dim") if key.mode == "major" else ("m", "dim", "", "m", "m", "", "")
        for root, quality in zip(key.scale, qualities, strict=True):
            assert Chord(root, quality).root_name(key.fifths) == spell(root, key.fifths)


def test_notes_over_a_chord_are_spelled_as_its_tones() -> None:
    assert Chord(5, "m").spell(8, 0) == "Ab"
    assert Chord(4, "7").spell(8, 0) == "G#"
    assert Chord(0, "aug").spell(8, 0) == "G#"
    assert Chord(11, "dim").spell(5, 0) == "F"
    assert Chord(0).spell(6, 0) == "F#"


@given(st.text(max_size=12))
def test_parsing_any_text_gives_a_chord_or_a_value_error(text: str) -> None:
    try:
        chord = Chord.parse(text)
    except ValueError:
        return
    assert chord.quality in QUALITIES
