import json
from dataclasses import replace
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import SongError
from pipeline.seeds import MAX_SEED, line_seed
from pipeline.song import Song

SCHEMA = json.loads((files("pipeline") / "data" / "song.schema.json").read_text(encoding="utf-8"))
LINE = "$.sections[0].lines[0]"


def test_a_document_comes_back_as_it_was(any_song: Song) -> None:
    text = any_song.to_json()
    assert Song.from_json(text) == any_song
    assert Song.from_json(text.encode()).to_json() == text


def test_a_document_obeys_its_published_schema(any_song: Song) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(any_song.to_json()))


def test_every_field_of_the_schema_is_described_or_named_by_its_type() -> None:
    for name, definition in SCHEMA["$defs"].items():
        if definition.get("type") == "object":
            assert definition["additionalProperties"] is False, name
            assert definition["required"] == list(definition["properties"]), name


def test_letters_of_the_lyrics_stand_unescaped_in_the_document(song: Song) -> None:
    assert "“café”" in song.to_json()


def test_the_form_names_repeats_by_what_they_repeat(song: Song) -> None:
    assert song.form == ("v1", "c1", "c1", "s1")


def test_words_and_rhythm_can_be_taken_out_again(song: Song) -> None:
    lyrics, rhythm = song.to_lyrics(), song.to_rhythm()
    assert [len(section.lines) for section in lyrics.sections] == [1, 1, 1, 0]
    assert [note.onset for note in rhythm.lines[0].notes] == [note.onset for note in song.lines[0].notes]
    assert [note.held for note in rhythm.lines[0].notes[:4]] == [False, False, True, False]
    assert rhythm.lines[2].follows == 1


def _edit(song: Song, *path: str | int, to: Any) -> str:
    document = json.loads(song.to_json())
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return json.dumps(document)


WORDS = ("sections", 0, "lines", 0, "words")
BAD_DOCUMENTS: list[tuple[tuple[str | int, ...], Any, str]] = [
    (("format",), "songwright.song/2", r"\$.format: this program reads 'songwright.song/1', got 'songwright.song/2'"),
    (("seed",), -1, r"\$.seed: must be 0 to \d+, got -1"),
    (("seed",), True, r"\$.seed: must be a whole number, got true or false"),
    (("seed",), 1.5, r"\$.seed: must be a whole number, got a number"),
    (("ticks_per_quarter",), 960, r"\$.ticks_per_quarter: must be 480"),
    (("pickup",), 1920, r"\$.pickup: must be shorter than a bar"),
    (("end",), 15841, r"\$.end: must lie on a bar line"),
    (("form",), ["v1"], r"\$.form: must name the sections in order"),
    (("settings", "key"), "H major", r"\$.settings.key: key must look like"),
    (("settings", "tempo_qpm"), 0, r"\$.settings.tempo_qpm: must be 4 to 1000, got 0"),
    (("settings", "tempo_qpm"), "fast", r"\$.settings.tempo_qpm: must be a whole number, got text"),
    (("settings", "meter"), "7/8", r"\$.settings.meter: meter must be one of"),
    (("settings", "midi_lyrics"), "mumbled", r"\$.settings.midi_lyrics: must be one of plain"),
    (("settings", "voice", "low"), 80, r"\$.settings.voice: low \(80\) is above high \(79\)"),
    (("settings", "mood"), "glad", r"\$.settings: unknown field 'mood'"),
    (("chords", 1, "symbol"), "X", r"\$.chords\[1\].symbol: chord must look like"),
    (("chords", 1, "onset"), 0, r"\$.chords\[1\]: overlaps the chord before it"),
    (("sections", 0, "role"), "refrain", r"\$.sections\[0\].role: 'refrain' is not a valid Role"),
    (("sections", 1, "id"), "v1", r"\$.(form|sections\[1\].id): "),
    (("sections", 2, "repeat_of"), "s1", r"\$.(form|sections\[2\].repeat_of): "),
    (("sections", 1, "start"), 0, r"\$.sections\[1\]: the section does not lie between"),
    (("sections", 0, "lines", 0, "id"), "v1.2", r'\$.sections\[0\].lines\[0\].id: must be "v1.1", got \'v1.2\''),
    (("sections", 0, "lines", 0, "seed"), "0" * 16, r"lines\[0\].seed: does not derive"),
    (("sections", 0, "lines", 0, "seed"), "12", r"lines\[0\].seed: must be 16 hexadecimal digits"),
    (("sections", 0, "lines", 0, "follows"), "c9.9", r"lines\[0\].follows: 'c9.9' is not an earlier line"),
    (("sections", 0, "lines", 0, "words"), [], r"lines\[0\].words: a line needs at least one word"),
    ((*WORDS, 0, "text"), "Oh", r"words\[0\]: the syllables do not spell 'Oh'"),
    ((*WORDS, 0, "text"), "a\u0000", r"words\[0\].text: holds the control character U\+0000"),
    ((*WORDS, 0, "text"), "\ud800", r"words\[0\].text: holds the control character U\+D800"),
    ((*WORDS, 0, "syllables"), [], r"words\[0\].syllables: a word needs at least one syllable"),
    ((*WORDS, 0, "syllables", 0, "notes"), [], r"syllables\[0\].notes: the syllable 'O' has no note"),
    ((*WORDS, 0, "syllables", 0, "stress"), 3, r"syllables\[0\].stress: must be 0 to 2, got 3"),
    ((*WORDS, 0, "syllables", 0, "notes", 0, "pitch"), 99, r"notes\[0\]: pitch 99 is outside the voice's range"),
    ((*WORDS, 0, "syllables", 0, "notes", 0, "duration"), 481, r"words\[1\].*notes\[0\]: starts at 480, before"),
    ((*WORDS, 3, "syllables", 0, "notes", 3, "duration"), 9000, r"does not lie within its line"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "message"), BAD_DOCUMENTS)
def test_a_wrong_document_is_refused_with_the_place(
    song: Song, path: tuple[str | int, ...], value: Any, message: str
) -> None:
    with pytest.raises(SongError, match=message):
        Song.from_json(_edit(song, *path, to=value))


@pytest.mark.parametrize("name", list(SCHEMA["properties"]))
def test_a_missing_field_is_named(song: Song, name: str) -> None:
    document = json.loads(song.to_json())
    del document[name]
    with pytest.raises(SongError, match=f"the field '{name}' is missing"):
        Song.from_json(json.dumps(document))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"not JSON: Expecting value \(line 1, column 1\)"),
        ("{", "not JSON"),
        ("[]", r"\$: must be an object, got a list"),
        ("null", "must be an object, got null"),
        ("{}", "the field 'format' is missing"),
        ('{"seed": NaN}', "NaN is not JSON"),
        ('{"seed": 1, "seed": 2}', "the field 'seed' stands twice"),
        ('{"seed": ' + "9" * 5000 + "}", "not JSON that can be read"),
        ("[" * 100_000, "nested too deeply"),
        (b"\xff\xfe{", r"not a UTF-8 text \(byte 0\)"),
    ],
)
def test_what_is_no_document_is_refused(text: str | bytes, message: str) -> None:
    with pytest.raises(SongError, match=message):
        Song.from_json(text)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(value=JSON_VALUES, data=st.data())
def test_a_document_with_anything_anywhere_is_read_or_refused(song: Song, value: Any, data: st.DataObject) -> None:
    document: Any = json.loads(song.to_json())
    place: Any = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not (isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans())):
            place[key] = value
            break
        place = place[key]
    try:
        read = Song.from_json(json.dumps(document))
    except SongError:
        return
    assert Song.from_json(read.to_json()) == read


def test_line_seeds_differ_by_song_line_and_revision_and_stay_the_same_for_ever() -> None:
    assert line_seed(0, "v1.1") == 0x750382A480A32696
    assert len({line_seed(s, i, r) for s in (0, 1, MAX_SEED) for i in ("v1.1", "v1.2") for r in (0, 1)}) == 12


def test_a_tempo_with_a_fraction_is_kept(song: Song) -> None:
    quicker = replace(song, settings=replace(song.settings, tempo_qpm=92.5))
    assert Song.from_json(quicker.to_json()).settings.tempo_text == "92.5"
