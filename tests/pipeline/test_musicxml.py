import re
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from align.published import read_musicxml
from melody.theory import QUALITIES, Chord, ChordSpan, Key
from pipeline.musicxml import musicxml_bytes
from pipeline.render import render
from pipeline.song import Song

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="session")
def complaints() -> Callable[[bytes], list[str]]:
    """Validate against the MusicXML 4.0 schema as the package `musicxml` carries it, without the network."""
    spec = find_spec("musicxml")
    assert spec is not None
    assert spec.origin is not None
    text = (Path(spec.origin).parent / "generate_classes" / "musicxml_4_0.xsd").read_text(encoding="utf-8")
    for name in ("xml", "xlink"):
        text = text.replace(f"http://www.musicxml.org/xsd/{name}.xsd", (DATA / "xsd" / f"{name}.xsd").as_uri())
    schema = etree.XMLSchema(etree.fromstring(text.encode(), etree.XMLParser(no_network=True)))

    def validate(document: bytes) -> list[str]:
        schema.validate(_parse(document))
        return [str(error) for error in schema.error_log]

    return validate


def _parse(document: bytes) -> Any:
    return etree.fromstring(document, etree.XMLParser(no_network=True, load_dtd=False))


def _printed(song: Song) -> list[str]:
    """All syllables as they stand under the notes."""
    return [word.printed(i) for line in song.lines for word in line.words for i in range(len(word.syllables))]


def test_the_score_obeys_the_schema(any_song: Song, complaints: Callable[[bytes], list[str]]) -> None:
    assert complaints(musicxml_bytes(any_song)) == []


def test_every_chord_and_key_obeys_the_schema(song: Song, complaints: Callable[[bytes], list[str]]) -> None:
    for tonic in range(12):
        for mode in ("major", "minor"):
            chords = [Chord((tonic + i) % 12, quality, i % 12 or None) for i, quality in enumerate(QUALITIES)]
            spans = tuple(ChordSpan(i * 120, 120, chord) for i, chord in enumerate(chords))
            other = replace(song, settings=replace(song.settings, key=Key(tonic, mode)), chords=spans)
            assert complaints(musicxml_bytes(other)) == []


def test_bars_are_full_and_the_pick_up_is_bar_0(song: Song) -> None:
    root = _parse(musicxml_bytes(song))
    bars = root.findall("part/measure")
    lengths = [sum(int(note.findtext("duration")) for note in bar.findall("note")) for bar in bars]
    assert lengths == [480] + [1920] * 8
    assert [bar.get("number") for bar in bars] == [str(number) for number in range(9)]
    assert bars[0].get("implicit") == "yes"


def test_types_and_dots_last_as_long_as_they_say(any_song: Song) -> None:
    lengths = {"whole": 1920, "half": 960, "quarter": 480, "eighth": 240, "16th": 120, "32nd": 60, "64th": 30}
    for note in _parse(musicxml_bytes(any_song)).iter("note"):
        if note.find("type") is not None:
            plain = lengths[note.findtext("type")]
            assert int(note.findtext("duration")) == (plain * 3 // 2 if note.find("dot") is not None else plain)


def test_sections_tempo_key_and_breaks_are_written(song: Song) -> None:
    root = _parse(musicxml_bytes(song))
    assert [mark.text for mark in root.iter("rehearsal")] == [section.label for section in song.sections]
    assert root.find(".//sound").get("tempo") == "96"
    assert root.findtext(".//metronome/per-minute") == "96"
    assert (root.findtext(".//fifths"), root.findtext(".//mode")) == ("1", "major")
    assert root.findtext("work/work-title") == "Beautiful Nights"
    assert [bar.get("number") for bar in root.findall("part/measure") if bar.find("print") is not None] == [
        "4",
        "6",
        "8",
    ]
    assert root.findall("part/measure")[-1].findtext("barline/bar-style") == "light-heavy"


def test_a_compound_metre_counts_dotted_beats(compound: Song) -> None:
    root = _parse(musicxml_bytes(compound))
    assert root.findtext(".//metronome/per-minute") == "64"
    assert root.find(".//metronome/beat-unit-dot") is not None
    assert root.find(".//sound").get("tempo") == "96"


def test_melismas_have_a_slur_and_an_extender_and_words_their_hyphens(song: Song) -> None:
    root = _parse(musicxml_bytes(song))
    slurs = [slur.get("type") for slur in root.iter("slur")]
    melismas = [s for line in song.lines for w in line.words for s in w.syllables if len(s.notes) > 1]
    assert slurs == ["start", "stop"] * len(melismas)
    extended = [lyric.findtext("text") for lyric in root.iter("lyric") if lyric.find("extend") is not None]
    assert extended == ["beau", "“café”", "nights"]
    syllabic = [(lyric.findtext("syllabic"), lyric.findtext("text")) for lyric in root.iter("lyric")]
    assert syllabic[:4] == [("single", "O"), ("begin", "beau"), ("middle", "ti"), ("end", "ful,")]
    assert [text for _, text in syllabic] == _printed(song)


def test_a_tied_note_has_its_words_once_and_its_accidental_once(song: Song) -> None:
    notes = list(_parse(musicxml_bytes(song)).iter("note"))
    for note in notes:
        stops = any(tie.get("type") == "stop" for tie in note.findall("tie"))
        assert not stops or (note.find("lyric") is None and note.find("accidental") is None)
    accidentals = [note.findtext("accidental") for note in notes if note.find("accidental") is not None]
    # G sharp, then G natural again in the same bar; over C minor D flat, which leads to C, and B flat.
    assert accidentals[:4] == ["sharp", "natural", "flat", "flat"]


def test_chord_symbols_are_written_where_the_chords_change(song: Song) -> None:
    root = _parse(musicxml_bytes(song))
    kinds = [(h.findtext("root/root-step"), h.find("kind").text) for h in root.iter("harmony")]
    assert kinds[:5] == [
        ("G", "major"),
        ("A", "minor-seventh"),
        ("D", "dominant"),
        ("G", "major"),
        ("C", "major"),
    ]
    assert root.find(".//harmony/bass/bass-step").text == "B"
    assert len(list(root.iter("harmony"))) == len(song.chords)


def test_music21_reads_every_syllable_at_its_note(any_song: Song) -> None:
    from music21 import converter

    score = converter.parse(musicxml_bytes(any_song).decode(), format="musicxml")
    found = []
    for note in score.recurse().notes:
        if note.isNote and note.lyric:
            offset = note.getOffsetInHierarchy(score)
            found.append((round(float(offset) * 480), note.pitch.midi, note.lyric))
    expected = [
        (syllable.notes[0].onset, syllable.notes[0].pitch, word.printed(index))
        for line in any_song.lines
        for word in line.words
        for index, syllable in enumerate(word.syllables)
    ]
    assert found == expected
    symbols = [c for c in score.recurse().getElementsByClass("ChordSymbol")]
    assert [round(float(c.getOffsetInHierarchy(score)) * 480) for c in symbols] == [s.onset for s in any_song.chords]


def test_verovio_reads_every_syllable_in_order(any_song: Song) -> None:
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    assert toolkit.loadData(musicxml_bytes(any_song).decode())
    mei = etree.fromstring(toolkit.getMEI().encode())
    names = {"m": "http://www.music-encoding.org/ns/mei"}
    assert [syllable.text for syllable in mei.findall(".//m:syl", names)] == _printed(any_song)
    assert len(mei.findall(".//m:harm", names)) == len(any_song.chords)


def test_the_picture_of_the_score_is_the_same_each_time(song: Song) -> None:
    picture = render(song, ["svg"])["svg"]
    assert picture == render(song, ["svg"])["svg"]
    assert re.search(rb">\s*home\.\s*<", picture)


def test_what_xml_cannot_hold_is_replaced(song: Song, complaints: Callable[[bytes], list[str]]) -> None:
    assert complaints(musicxml_bytes(replace(song, title="A\x00B\ufffe & <C>\ud800"))) == []


def test_a_note_that_no_note_value_fits_is_refused_in_words(song: Song) -> None:
    text = song.to_json().replace(
        '{"onset": 0, "duration": 480, "pitch": 62}', '{"onset": 7, "duration": 9, "pitch": 62}'
    )
    with pytest.raises(ValueError, match=r"the note at tick 7 .* cannot be written down"):
        musicxml_bytes(Song.from_json(text))


def test_the_same_song_gives_the_same_bytes(any_song: Song) -> None:
    assert musicxml_bytes(any_song) == musicxml_bytes(Song.from_json(any_song.to_json()))


def test_our_reader_of_published_scores_finds_the_song_in_the_score(any_song: Song) -> None:
    voice = read_musicxml(musicxml_bytes(any_song))
    sung = [(note.onset, note.duration, note.pitch) for line in any_song.lines for note in line.notes]
    assert [(note.onset, note.duration, note.pitch) for note in voice.notes] == sung
    assert [text for note in voice.notes for _, text in note.words] == _printed(any_song)
