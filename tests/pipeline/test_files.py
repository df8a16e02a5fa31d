import os
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import OutputExistsError, SettingsError
from pipeline.files import write_files
from pipeline.names import pitch_name, safe_name, slug, title_from_stem


def test_files_and_missing_folders_are_made(tmp_path: Path) -> None:
    write_files({tmp_path / "new" / "a.mid": b"1", tmp_path / "new" / "b.json": b"2"})
    assert {path.name: path.read_bytes() for path in (tmp_path / "new").iterdir()} == {"a.mid": b"1", "b.json": b"2"}


def test_nothing_is_overwritten_unless_asked(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"old")
    with pytest.raises(OutputExistsError):
        write_files({tmp_path / "a": b"1", tmp_path / "b": b"2"})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"b": b"old"}
    write_files({tmp_path / "a": b"1", tmp_path / "b": b"2"}, force=True)
    assert (tmp_path / "b").read_bytes() == b"2"


def test_a_folder_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(SettingsError, match="a is a folder"):
        write_files({tmp_path / "a": b"1"}, force=True)


def test_files_do_not_go_into_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(SettingsError, match="a is a file; give a folder"):
        write_files({tmp_path / "a" / "b" / "c": b"1"}, force=True)


def test_an_input_is_never_overwritten(tmp_path: Path) -> None:
    words, link = tmp_path / "words.txt", tmp_path / "link.txt"
    words.write_bytes(b"mine")
    link.symlink_to(words)
    for path in (words, link):
        with pytest.raises(SettingsError, match="never overwritten; give another place with -o"):
            write_files({tmp_path / "a": b"1", path: b"2"}, inputs=[None, words], force=True)
    assert (words.read_bytes(), (tmp_path / "a").exists()) == (b"mine", False)


def test_a_full_disk_leaves_no_half_written_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"old")
    really_open = Path.open

    class FullDisk:
        def __init__(self, file: Any) -> None:
            self.file = file

        def __enter__(self) -> "FullDisk":
            return self

        def __exit__(self, *error: object) -> None:
            self.file.close()

        def write(self, content: bytes) -> None:
            self.file.write(content[:1])
            if content == b"222":
                raise OSError(28, "No space left on device")

    def open_on_full_disk(path: Path, *arguments: Any, **options: Any) -> FullDisk:
        return FullDisk(really_open(path, *arguments, **options))

    monkeypatch.setattr(Path, "open", open_on_full_disk)
    with pytest.raises(OSError, match="No space"):
        write_files({tmp_path / "a": b"111", tmp_path / "b": b"222"}, force=True)
    monkeypatch.undo()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"old"}


def test_files_have_the_usual_permissions(tmp_path: Path) -> None:
    write_files({tmp_path / "a": b""})
    (tmp_path / "b").touch()
    assert os.stat(tmp_path / "a").st_mode == os.stat(tmp_path / "b").st_mode


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Harbour Lights", "harbour-lights"),
        ("Don’t Stop — Now!", "dont-stop-now"),
        ("Straße nach Ærø", "strasse-nach-aero"),
        ("../../etc/passwd", "etc-passwd"),
        ("夜曲", "song"),
        ("", "song"),
        ("CON", "con-song"),
        ("a" * 300, "a" * 80),
    ],
)
def test_slugs_are_safe_file_names(title: str, name: str) -> None:
    assert slug(title) == name


def test_stems_are_kept_where_they_are_safe() -> None:
    assert safe_name("harbour_lights.v2") == "harbour_lights.v2"
    assert safe_name("my song (final)") == "my-song-final"
    assert title_from_stem("harbour_lights") == "Harbour Lights"
    assert title_from_stem("") == ""


def test_pitches_have_names() -> None:
    assert [pitch_name(pitch) for pitch in (48, 60, 66)] == ["C3", "C4", "F#4"]
