"""Published songs, in small files written for the purpose."""

import io
import zipfile
from pathlib import Path

import pytest

from align.published import PublishedVoice, ScoreError, musicxml_voices, read_abc, read_musicxml, read_score

HEADER = "X: 1\nT: Made up\nM: 3/4 % metre\nL: 1/4\nK: G\n"


def tune(voice: PublishedVoice) -> list[tuple[float, float, int]]:
    """Onsets and durations in quarters, pitches."""
    return [(note.onset / 480, note.duration / 480, note.pitch) for note in voice.notes]


def words(voice: PublishedVoice, verse: str = "1") -> list[str]:
    return [dict(note.words).get(verse, "") for note in voice.notes]


def test_abc_reads_key_octaves_lengths_and_accidentals_until_the_bar_line() -> None:
    voice = read_abc(HEADER + "F | f =f f/2 f/ | f, ^c' _B3/2 |\nw: a b c d e f g h\n")
    assert (voice.time_signature, voice.key_fifths) == ("3/4", 1)
    assert tune(voice) == [
        (0, 1, 66), (1, 1, 78), (2, 1, 77), (3, 0.5, 77), (3.5, 0.5, 77), (4, 1, 66), (5, 1, 85), (6, 1.5, 70),
    ]  # fmt: skip
    assert [note.bar for note in voice.notes] == [0, 1, 1, 1, 1, 2, 2, 2]


def test_abc_joins_ties_but_words_count_every_written_note() -> None:
    voice = read_abc(HEADER + "G2 A | A- A B- | B c2 |\nw: one two three * four * five\n")
    assert tune(voice) == [(0, 2, 67), (2, 1, 69), (3, 2, 69), (5, 2, 71), (7, 2, 72)]
    assert words(voice) == ["one", "two", "three", "four", "five"]


def test_abc_rhythms_broken_in_triplets_and_in_rests() -> None:
    voice = read_abc("X:1\nL:1/8\nM:4/4\nK:C\nc>d c<d z2 (3ccc Z c|\nw: a b c d e f g h\n")
    expected = [
        (0, 0.75),
        (0.75, 0.25),
        (1, 0.25),
        (1.25, 0.75),
        (3, 1 / 3),
        (10 / 3, 1 / 3),
        (11 / 3, 1 / 3),
        (8, 0.5),
    ]
    found = [(onset, duration) for onset, duration, _ in tune(voice)]
    assert [value for pair in found for value in pair] == pytest.approx([value for pair in expected for value in pair])


def test_abc_aligns_verses_hyphens_holds_bars_and_blanks() -> None:
    text = HEADER + "G A B | c d e |\nw: 1.~Sil- ver | ring bells\\-a _\nw: al-ways * on\nG3 |\nw: end\nw: stop\n"
    voice = read_abc(text)
    assert words(voice) == ["1. Sil", "ver", "", "ring", "bells-a", "", "end"]
    assert words(voice, "2") == ["al", "ways", "", "on", "", "", "stop"]


def test_abc_reads_the_voice_that_sings() -> None:
    head = "X:1\nM:3/4\nL:1/4\nV: S\nV: B\nK: F\n"
    text = head + "[V: S] B2 c |\nw: one two\nw: eins zwei\n[V: B] D,3 |\n[V: S] A3 |\nw: three\n"
    voice = read_abc(text)
    assert tune(voice) == [(0, 2, 70), (2, 1, 72), (3, 3, 69)]
    assert words(voice) == ["one", "two", "three"]
    assert voice.verses == ("1", "2")


def test_abc_takes_the_top_of_chords_and_leaves_ornaments_out() -> None:
    voice = read_abc(HEADER + '"Am"[Ace]2 {b}!fermata!c "D7"d |\nw: one two three\n')
    assert tune(voice) == [(0, 2, 76), (2, 1, 72), (3, 1, 74)]


NOTE = "<note>{extra}<pitch><step>{step}</step><octave>4</octave></pitch><duration>{duration}</duration>{rest}</note>"


def score(*measures: str, parts: int = 1) -> bytes:
    attributes = (
        "<attributes><divisions>2</divisions><key><fifths>-1</fifths></key>"
        "<time><beats>4</beats><beat-type>4</beat-type></time></attributes>"
    )
    body = "".join(f"<measure>{attributes if i == 0 else ''}{content}</measure>" for i, content in enumerate(measures))
    names = "".join(f"<score-part id='P{n}'><part-name>Voice {n}</part-name></score-part>" for n in range(parts))
    content = "".join(f"<part id='P{n}'>{body if n == 0 else '<measure/>'}</part>" for n in range(parts))
    return f"<score-partwise><part-list>{names}</part-list>{content}</score-partwise>".encode()


def note(step: str, duration: int, *lyrics: str, tie: str = "", extra: str = "") -> str:
    ties = "".join(f"<tie type='{kind}'/>" for kind in tie.split())
    verses = "".join(
        f"<lyric number='{n + 1}'><syllabic>single</syllabic><text>{text}</text></lyric>"
        for n, text in enumerate(lyrics)
    )
    return NOTE.format(step=step, duration=duration, rest=ties + verses, extra=extra)


def test_musicxml_reads_divisions_ties_verses_and_bars() -> None:
    content = score(
        note("C", 2, "one", "eins"),
        note("D", 4, "two", "zwei", tie="start") + note("D", 4, tie="stop start"),
        note("D", 2, tie="stop") + note("E", 2, "three"),
    )
    voice = read_musicxml(content)
    assert (voice.name, voice.time_signature, voice.key_fifths) == ("Voice 0", "4/4", -1)
    assert tune(voice) == [(0, 1, 60), (1, 5, 62), (6, 1, 64)]
    assert [n.bar for n in voice.notes] == [0, 1, 2]
    assert words(voice, "2") == ["eins", "zwei", ""]


def test_musicxml_keeps_voices_apart_takes_the_top_of_chords_and_leaves_grace_notes_out() -> None:
    upper = note("E", 4, "la", extra="") + note("G", 4, extra="<chord/>") + note("A", 1, extra="<grace/>")
    lower = "<backup><duration>4</duration></backup><forward><duration>2</duration></forward>"
    lower += note("C", 2).replace("<duration>", "<voice>2</voice><duration>")
    voice = read_musicxml(score(upper + lower))
    assert tune(voice) == [(0, 2, 67)]
    assert len(musicxml_voices(score(upper + lower, parts=2))) == 1


@pytest.mark.parametrize(
    "container", ["<container><rootfiles><rootfile full-path='a.xml'/></rootfiles></container>", "<a b='it's'>"]
)
def test_zipped_scores_are_read_also_where_the_container_is_broken(container: str, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("META-INF/container.xml", container)
        archive.writestr("a.xml", score(note("C", 8, "la")))
    path = tmp_path / "song.mxl"
    path.write_bytes(buffer.getvalue())
    assert tune(read_score(path)) == [(0, 4, 60)]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xml", b"<score-partwise>", "no MusicXML score"),
        ("a.xml", b"<opus/>", "no partwise MusicXML score"),
        ("a.xml", score(note("C", 4)), "no voice of the score has words"),
        ("a.mxl", b"PK\x03\x04 broken", "no compressed MusicXML"),
        ("a.abc", b"X:1\nK:C\nCDEF|\n", "no voice of the score has words"),
        ("a.abc", b"\x00\xff not music", "no voice of the score has words"),
    ],
)
def test_a_file_that_is_no_sung_score_is_refused_in_one_sentence(
    name: str, content: bytes, message: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ScoreError, match=message):
        read_score(path)
    with pytest.raises(ScoreError, match="cannot read"):
        read_score(tmp_path / "missing.xml")
