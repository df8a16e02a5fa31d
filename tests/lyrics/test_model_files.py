"""Files of models: checked when they are read, entered when they are written."""

import hashlib
from pathlib import Path

import pytest

from lyrics.errors import ModelFileError
from lyrics.model_files import SUMS, read_model_file, write_model_files

ROOT = Path(__file__).parents[2]


def test_what_was_written_is_read_and_stands_in_the_sums(tmp_path: Path) -> None:
    write_model_files(tmp_path / "model", {"b.bin": b"two", "a.json": b"{}"})
    write_model_files(tmp_path / "model", {"b.bin": b"three"})
    assert read_model_file(tmp_path / "model" / "b.bin") == b"three"
    digests = [hashlib.sha256(content).hexdigest() for content in (b"{}", b"three")]
    assert (tmp_path / "model" / SUMS).read_text() == f"{digests[0]}  a.json\n{digests[1]}  b.bin\n"


def test_another_file_is_refused(tmp_path: Path) -> None:
    write_model_files(tmp_path, {"a.bin": b"weights"})
    (tmp_path / "a.bin").write_bytes(b"weightz")
    with pytest.raises(ModelFileError, match="SHA-256 differs; install songwright again"):
        read_model_file(tmp_path / "a.bin")
    with pytest.raises(ModelFileError, match=r"SHA-256 differs$"):
        read_model_file(tmp_path / "a.bin", ours=False)


def test_a_file_of_ours_that_nothing_is_known_about_is_refused_and_a_users_is_not(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"weights")
    with pytest.raises(ModelFileError, match="SHA-256 differs"):
        read_model_file(tmp_path / "a.bin")
    assert read_model_file(tmp_path / "a.bin", ours=False) == b"weights"
    (tmp_path / SUMS).write_bytes(b"\xff\xfe not sums at all\n\n")
    assert read_model_file(tmp_path / "a.bin", ours=False) == b"weights"


def test_every_shipped_weight_stands_in_the_sums_beside_it() -> None:
    weights = [path for package in ("lyrics", "align", "melody") for path in (ROOT / package).rglob("*.safetensors")]
    assert len(weights) >= 10
    for path in weights:
        read_model_file(path)
