import shutil
from pathlib import Path

import pytest

from lyrics import meaning
from lyrics.document import Line
from lyrics.errors import ModelFileError
from lyrics.meaning import find_deep_mood
from lyrics.parse import parse_lyrics
from lyrics.pronounce import Pronouncer

PRONOUNCER = Pronouncer()


def lines(text: str) -> list[Line]:
    return [line for section in parse_lyrics(text, PRONOUNCER).sections for line in section.lines]


@pytest.mark.parametrize(
    ("text", "glad", "excited"),
    [
        ("The phone in the hallway hasn't rung in a week\nI say good morning just to hear myself speak", False, False),
        ("Everybody's jumping when the chorus hits\nWe're gonna dance until the floorboard splits", True, True),
        (
            "Don't look, don't look, just run, just run\nHe's coming through the corn with a flashlight and gun",
            False,
            True,
        ),
        ("The oars are at rest and the water's like glass\nWe drift by the lilies and let the hours pass", True, False),
    ],
)
def test_the_mood_of_lines_that_say_it_without_naming_it(text: str, glad: bool, excited: bool) -> None:
    mood = find_deep_mood(lines(text))
    assert (mood.valence > 0, mood.energy > 0) == (glad, excited)
    assert -1 <= mood.valence <= 1
    assert -1 <= mood.energy <= 1


def test_a_model_file_that_is_not_the_shipped_one_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    meaning._load.cache_clear()
    monkeypatch.setattr(meaning, "FOLDER", tmp_path)
    with pytest.raises(ModelFileError, match=r"model\.safetensors"):
        find_deep_mood(lines("Hello"))
    shutil.copy(Path(meaning.__file__).parent / "data" / "meaning" / "CARD.md", tmp_path / "model.safetensors")
    with pytest.raises(ModelFileError, match="SHA-256"):
        find_deep_mood(lines("Hello"))
