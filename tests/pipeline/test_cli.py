import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from pipeline.cli import app
from pipeline.render import DEFAULT_FORMATS, FORMATS
from pipeline.song import MIDI_LYRICS, Song
from pipeline.version import VERSION

LYRICS = "[Verse]\nI left a lamp in the window\nAnd the rain on the roof kept time\n\n[Chorus]\nSail on, my sailor\n"


def _run(*arguments: str | Path, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)


@pytest.fixture
def lyrics(tmp_path: Path) -> Path:
    path = tmp_path / "lamp_light.txt"
    path.write_text(LYRICS, encoding="utf-8")
    return path


def test_compose_writes_three_files_named_after_the_input(lyrics: Path, tmp_path: Path) -> None:
    result = _run("compose", lyrics, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    paths = [tmp_path / "out" / f"lamp_light.{name}" for name in DEFAULT_FORMATS]
    assert result.stdout.splitlines() == [str(path) for path in paths]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(path.name for path in paths)
    assert Song.from_json(paths[2].read_bytes()).title == "Lamp Light"


def test_what_was_chosen_is_said_on_stderr_with_the_reason(lyrics: Path, tmp_path: Path) -> None:
    result = _run("compose", lyrics, "-o", tmp_path, "--key", "D major")
    for name in ("title", "key", "tempo", "meter", "style", "voice", "form"):
        assert re.search(rf"^{name}: ", result.stderr, re.MULTILINE), name
    assert re.search(r"^key: +D major  \(as asked\)$", result.stderr, re.MULTILINE)
    assert _run("compose", lyrics, "-o", tmp_path, "--force", "--quiet").stderr == ""
    assert re.search(r"^\d+ bars, \d+ chords$", _run("compose", lyrics, "-o", tmp_path, "--force", "-v").stderr, re.M)


def test_standard_input_and_a_title_name_the_files(tmp_path: Path) -> None:
    result = _run("compose", "-", "-o", tmp_path, "--title", "Café del Mar", "--format", "mid", stdin=LYRICS)
    assert result.stdout == f"{tmp_path / 'cafe-del-mar.mid'}\n"


def test_json_prints_one_object(lyrics: Path, tmp_path: Path) -> None:
    result = _run("compose", lyrics, "-o", tmp_path, "--json", "--quiet", "--format", "json", "--seed", "5")
    summary = json.loads(result.stdout)
    assert summary["files"] == [str(tmp_path / "lamp_light.json")]
    assert (summary["seed"], summary["title"]) == (5, "Lamp Light")
    assert summary["num_notes"] >= summary["num_syllables"] > 15


def test_nothing_is_overwritten_without_force(lyrics: Path, tmp_path: Path) -> None:
    (tmp_path / "lamp_light.musicxml").write_text("mine")
    result = _run("compose", lyrics, "-o", tmp_path)
    assert result.exit_code == 2
    assert result.stderr == f"Error: {tmp_path / 'lamp_light.musicxml'} exists already; use --force to overwrite it\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lamp_light.musicxml", "lamp_light.txt"]
    assert _run("compose", lyrics, "-o", tmp_path, "--force").exit_code == 0
    assert (tmp_path / "lamp_light.musicxml").read_text(encoding="utf-8").startswith("<?xml")


def test_no_command_overwrites_its_input(lyrics: Path, tmp_path: Path) -> None:
    document = tmp_path / "lamp_light.json"
    assert _run("compose", lyrics, "-o", tmp_path, "-f", "json").exit_code == 0
    for command in (
        ("compose", lyrics, "-f", "mid,txt"),
        ("render", document, "-f", "json"),
    ):
        result = _run(*command, "-o", tmp_path, "--force")
        assert (result.exit_code, result.stdout) == (2, ""), command
        assert re.fullmatch(r"Error: \S+ is read, and never overwritten; .* with -o\n", result.stderr)
    assert lyrics.read_text(encoding="utf-8") == LYRICS
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lamp_light.json", "lamp_light.txt"]


def test_a_document_may_be_revised_in_its_place(lyrics: Path, tmp_path: Path) -> None:
    document = tmp_path / "lamp_light.json"
    assert _run("compose", lyrics, "-o", tmp_path, "-f", "json").exit_code == 0
    assert _run("revise", document, "--tempo", "90", "-f", "json", "-o", tmp_path).exit_code == 2
    assert _run("revise", document, "--tempo", "90", "-f", "json", "-o", tmp_path, "--force").exit_code == 0
    assert json.loads(document.read_bytes())["settings"]["tempo_qpm"] == 90


@pytest.mark.parametrize("name", MIDI_LYRICS)
def test_rendering_a_document_gives_the_files_that_composing_gave(lyrics: Path, tmp_path: Path, name: str) -> None:
    assert _run("compose", lyrics, "-o", tmp_path / "a", "--midi-lyrics", name).exit_code == 0
    result = _run("render", tmp_path / "a" / "lamp_light.json", "-o", tmp_path / "b")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [str(tmp_path / "b" / f"lamp_light.{kind}") for kind in ("mid", "musicxml")]
    for kind in ("mid", "musicxml"):
        file = f"lamp_light.{kind}"
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_render_reads_standard_input_and_changes_the_lyric_convention(lyrics: Path, tmp_path: Path) -> None:
    _run("compose", lyrics, "-o", tmp_path)
    text = (tmp_path / "lamp_light.json").read_text(encoding="utf-8")
    result = _run("render", "-", "-o", tmp_path / "b", "-f", "json,txt", "--midi-lyrics", "kar", "--json", stdin=text)
    assert [Path(path).name for path in json.loads(result.stdout)["files"]] == ["lamp-light.json", "lamp-light.txt"]
    assert Song.from_json((tmp_path / "b" / "lamp-light.json").read_bytes()).settings.midi_lyrics == "kar"


def test_analyze_shows_a_table_or_json(lyrics: Path) -> None:
    result = _run("analyze", lyrics)
    assert result.exit_code == 0, result.stderr
    assert "win·dow" in result.stdout
    assert "\x1b[" not in result.stdout
    analysis = json.loads(_run("analyze", "-", "--json", stdin=LYRICS).stdout)
    assert [section["label"] for section in analysis["sections"]] == ["Verse", "Chorus"]


def test_what_is_left_out_is_said_on_stderr(tmp_path: Path) -> None:
    text = "{title: Lamp}\n{key: G}\nG   Am\nI left a [G]lamp\n"
    told = "left out: 1 line of chords, 1 chord among the words, 1 note about the song\n"
    assert _run("analyze", "-", stdin=text).stderr == told
    assert _run("compose", "-", "-o", tmp_path, stdin=text).stderr.startswith(told)
    assert _run("compose", "-", "-o", tmp_path, "--force", "--quiet", stdin=text).stderr == ""


def test_help_and_version() -> None:
    assert _run("--version").stdout == f"songwright {VERSION}\n"
    assert f'version = "{VERSION}"' in (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    listed = _run("--help").stdout
    assert all(name in listed for name in ("compose", "analyze", "render"))
    assert all(name in _run("compose", "--help").stdout for name in FORMATS)


# The lyrics, further arguments, the exit code, and what the sentence says.
BAD_INPUT: list[tuple[str, bytes, list[str], int, str]] = [
    ("empty", b"", [], 2, "the lyrics are empty"),
    ("blank", b" \n\t\n", [], 2, "the lyrics are empty"),
    ("only tags", b"[Verse]\n[Chorus]\n", [], 2, "line 1, column 1: there are no lines to sing|has no lines"),
    ("binary", b"\x89PNG\r\n\x1a\n\x00\x00\x00", [], 2, "not a text file|not UTF-8"),
    ("Latin-1", b"Sail on\ncaf\xe9 del mar", [], 2, r"line 2, column 4: .*not UTF-8"),
    ("10 MB", b"Sail on my sailor\n" * 600_000, [], 2, "larger than"),
    ("5,000 syllables", b"la " * 5000, [], 2, "line 1, column .*syllables"),
    ("emoji", "Sail on\nmy 🎵 sailor 😀".encode(), [], 2, r"line 2, column \d+: cannot pronounce .*😀"),
    ("another script", "Sail on\nmy ночь sailor".encode(), [], 2, "line 2, column 4: cannot pronounce “ночь”"),
    ("unknown tag", b"[Vrese 1]\nSail on", [], 2, r"line 1, column 1: unknown tag \[Vrese 1\]; did you mean"),
    ("impossible range", b"Sail on", ["--range", "C4-C3"], 2, "range must go from a lower note to a higher one"),
    ("narrow range", b"Sail on", ["--range", "C4-D4"], 2, "range must span an octave"),
    ("no range", b"Sail on", ["--range", "loud"], 2, "range must look like C3-E4, got 'loud'"),
    ("voice and range", b"Sail on", ["--range", "C3-E4", "--voice", "alto"], 2, "either a voice or a range"),
    ("key", b"Sail on", ["--key", "H"], 2, "key must look like .*got 'H'"),
    ("tempo", b"Sail on", ["--tempo", "-3"], 2, "tempo must be 30 to 300 .* got -3"),
    ("no tempo", b"Sail on", ["--tempo", "fast"], 2, "Invalid value for '--tempo'"),
    ("meter", b"Sail on", ["--meter", "7/8"], 2, "meter must be one of 4/4.* got 7/8"),
    ("style", b"Sail on", ["--style", "polka"], 2, "style must be one of popular.* got 'polka'"),
    ("voice", b"Sail on", ["--voice", "whistle"], 2, "voice must be one of soprano.* got 'whistle'"),
    ("chords", b"Sail on", ["--chords", "Am Q"], 2, "chord must look like .*got 'Q'"),
    ("no chords", b"Sail on", ["--chords", ""], 2, "chords must look like"),
    ("format", b"Sail on", ["--format", "mp3"], 2, "format must be one or more of mid.*got 'mp3'"),
    ("seed", b"Sail on", ["--seed", "-1"], 2, "seed must be a whole number from 0"),
    ("no seed", b"Sail on", ["--seed", "x"], 2, "Invalid value for '--seed'"),
    ("MIDI lyrics", b"Sail on", ["--midi-lyrics", "sung"], 2, "midi lyrics must be one of plain.* got 'sung'"),
    ("backing", b"Sail on", ["--backing", "loud"], 2, "backing must be one of in-place, skip, got 'loud'"),
    ("pronunciations", b"Sail on", ["--pronunciations", "no-such-file"], 2, "cannot read no-such-file: No such file"),
    ("unknown option", b"Sail on", ["--colour"], 2, "[Nn]o such option: --colour"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "arguments", "code", "message"), [row[1:] for row in BAD_INPUT], ids=[row[0] for row in BAD_INPUT]
)
def test_bad_input_is_one_clear_sentence(
    tmp_path: Path, content: bytes, arguments: list[str], code: int, message: str
) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(content)
    result = _run("compose", path, "-o", tmp_path / "out", *arguments)
    assert result.exit_code == code
    assert result.stdout == ""
    complaint = result.stderr.splitlines()[-1]
    assert complaint.startswith("Error: ")
    assert re.search(message, complaint), complaint
    assert isinstance(result.exception, SystemExit)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["compose", "analyze", "render"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, command: str) -> None:
    for path in (tmp_path / "none.txt", tmp_path):
        result = _run(command, path)
        assert (result.exit_code, result.stdout) == (2, "")
        assert str(path) in result.stderr


def test_a_broken_document_is_refused_with_the_place(lyrics: Path, tmp_path: Path) -> None:
    _run("compose", lyrics, "-o", tmp_path, "--format", "json")
    path = tmp_path / "lamp_light.json"
    path.write_text(re.sub(r'"pitch": \d+', '"pitch": 200', path.read_text(encoding="utf-8")), encoding="utf-8")
    result = _run("render", path, "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert result.stderr == (
        f"Error: {path}: $.sections[0].lines[0].words[0].syllables[0].notes[0].pitch: must be 0 to 127, got 200\n"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", ["", LYRICS])
def test_what_is_no_document_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "song.txt"
    path.write_text(content)
    for command in (("render", path), ("revise", path, "--tempo", "90")):
        result = _run(*command)
        assert result.exit_code == 2
        assert result.stderr.startswith(f"Error: {path}: not JSON: ")


def test_a_document_is_no_lyrics(lyrics: Path, tmp_path: Path) -> None:
    _run("compose", lyrics, "-o", tmp_path, "--format", "json")
    for command in ("compose", "analyze"):
        result = _run(command, tmp_path / "lamp_light.json")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "lamp_light.json is JSON, not lyrics; render and revise read song documents" in result.stderr


@pytest.mark.parametrize(
    "arguments", [("compose", "-"), ("render", "-"), ("extend", "-"), ("batch", "-", "-o", "out")], ids=" ".join
)
def test_closed_standard_input_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    result = subprocess.run(
        [*SCRIPT, *arguments], preexec_fn=lambda: os.close(0), capture_output=True, text=True, env=ENVIRONMENT
    )
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "Error: standard input is closed; give a file, or send text to it\n"
    assert not list(tmp_path.iterdir())


def test_one_is_counted_as_one(tmp_path: Path) -> None:
    assert "1 section, 1 line, 2 words, 2 syllables" in _run("analyze", "-", stdin="Sail on").stdout


def test_a_folder_without_permission_fails_with_code_1(lyrics: Path, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    if os.access(locked, os.W_OK):  # root may write everywhere, but makes no folders in /proc
        locked = Path("/proc/songs")
    result = _run("compose", lyrics, "-o", locked)
    assert (result.exit_code, result.stdout) == (1, "")
    assert re.fullmatch(
        rf"Error: {locked}.*: (Permission denied|No such file or directory)", result.stderr.splitlines()[-1]
    )


def test_a_folder_that_is_a_file_is_refused(lyrics: Path) -> None:
    result = _run("compose", lyrics, "-o", lyrics)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"Error: {lyrics} is a file; give a folder for the output\n"


def test_a_full_disk_fails_with_code_1_and_leaves_nothing(
    lyrics: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(source: object, target: object) -> None:
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr("pipeline.files.os.replace", no_space)
    result = _run("compose", lyrics, "-o", tmp_path)
    assert result.exit_code == 1
    assert "No space left on device" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["lamp_light.txt"]


def test_a_missing_extra_fails_with_code_1(lyrics: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lyrics.errors.find_spec", lambda package: None)
    result = _run("compose", lyrics, "-o", tmp_path / "out", "--format", "svg")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: the format svg needs verovio; install it with: {sys.executable} -m pip ")
    assert result.stderr.endswith("[audio]'\n")


def test_a_bug_keeps_its_traceback(lyrics: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any, **options: Any) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr("pipeline.compose.melodize_all", broken)
    result = _run("compose", lyrics, "-o", tmp_path)
    assert repr(result.exception) == "ValueError('a bug')"


SCRIPT = [sys.executable, "-c", "from pipeline.cli import app; app()"]
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}


def test_help_imports_nothing_heavy() -> None:
    program = "import sys; from pipeline.cli import app; app(['--help'], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=ENVIRONMENT, check=True)
    assert not {"numpy", "mido", "torch", "pretty_midi", "verovio"} & set(done.stdout.split())


def test_composing_never_imports_what_only_training_needs(lyrics: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from pipeline.cli import app;"
        f"app(['compose', {str(lyrics)!r}, '-o', {str(tmp_path)!r}], standalone_mode=False); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=ENVIRONMENT, check=True)
    assert not {"align.corpus", "torch", "pandas", "pyarrow", "scipy", "music21"} & set(done.stdout.split())


def test_the_example_in_the_documentation_is_what_analyze_prints() -> None:
    root = Path(__file__).parents[2]
    shown = (root / "docs" / "analysis.md").read_text(encoding="utf-8").split("```\n")[1]
    environment = ENVIRONMENT | {"COLUMNS": "80"}
    done = subprocess.run(
        [*SCRIPT, "analyze", str(root / "examples" / "walk_on_slowly.txt")],
        capture_output=True, text=True, encoding="utf-8", env=environment, check=True,
    )  # fmt: skip
    assert [line.rstrip() for line in done.stdout.rstrip().splitlines()] == shown.rstrip().splitlines()


@pytest.mark.parametrize("arguments", [["--json"], []])
def test_analyzing_never_imports_torch(lyrics: Path, arguments: list[str]) -> None:
    program = (
        "import sys; from pipeline.cli import app;"
        f"app(['analyze', {str(lyrics)!r}, *{arguments!r}], standalone_mode=False); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=ENVIRONMENT, check=True)
    assert not {"torch", "transformers"} & set(done.stdout.split())


def test_reading_by_meaning_without_the_extra_names_it(lyrics: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lyrics import embedding, meaning

    embedding.load_encoder.cache_clear()
    meaning.load_mood_model.cache_clear()
    monkeypatch.setattr("lyrics.errors.find_spec", lambda package: None)
    result = CliRunner().invoke(app, ["analyze", str(lyrics), "--deep"])
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: reading by meaning needs ")
    assert "[lm]'" in result.stderr


def test_a_reader_that_goes_away_is_no_traceback(lyrics: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*SCRIPT, "analyze", str(lyrics)], stdout=writing, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    )
    os.close(writing)
    assert done.returncode == 1
    assert done.stderr == ""


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_an_interrupt_ends_quietly_with_130() -> None:
    # The signal comes from inside, when the program waits for its input: no clock decides whether it has begun. The
    # handler is set because a process started in the background inherits that interrupts are ignored.
    program = (
        "import os, signal, sys, types; from pipeline.cli import app;"
        "signal.signal(signal.SIGINT, signal.default_int_handler);"
        "sys.stdin = types.SimpleNamespace(buffer=types.SimpleNamespace("
        "read=lambda *_: os.kill(os.getpid(), signal.SIGINT) or b'la'));"
        "app(['analyze', '-'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, env=ENVIRONMENT, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")
