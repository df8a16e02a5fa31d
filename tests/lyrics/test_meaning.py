import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lyrics import meaning
from lyrics.document import Line
from lyrics.errors import ModelFileError
from lyrics.lm import load_model
from lyrics.meaning import find_deep_mood, find_mood_by_meaning, load_mood_model, read_state
from lyrics.model_store import DEFAULT_MODEL, find_model
from lyrics.mood import Mood
from lyrics.parse import parse_lyrics
from lyrics.pronounce import Pronouncer

PRONOUNCER = Pronouncer()


def lines(text: str) -> list[Line]:
    return [line for section in parse_lyrics(text, PRONOUNCER).sections for line in section.lines]


@pytest.mark.parametrize(
    "read",
    [
        find_mood_by_meaning,
        pytest.param(
            find_deep_mood,
            marks=pytest.mark.skipif(
                find_model(DEFAULT_MODEL) is None,
                reason="the default model is not pulled: run `songwright models pull`",
            ),
        ),
    ],
)
@pytest.mark.parametrize(
    ("text", "glad", "excited"),
    [
        ("I turn the photo to the wall\nThere is nobody left to call", False, False),
        ("Everybody's jumping when the chorus hits\nWe're gonna dance until the floorboard splits", True, True),
        (
            "Don't look, don't look, just run, just run\nHe's coming through the corn with a flashlight and gun",
            False,
            True,
        ),
        ("The oars are at rest and the water's like glass\nWe drift by the lilies and let the hours pass", True, False),
    ],
)
def test_the_mood_of_lines_that_say_it_without_naming_it(
    read: Callable[[list[Line]], Mood], text: str, glad: bool, excited: bool
) -> None:
    mood = read(lines(text))
    assert (mood.valence > 0, mood.energy > 0) == (glad, excited)
    assert -1 <= mood.valence <= 1
    assert -1 <= mood.energy <= 1
    assert mood.by == ("model" if read is find_deep_mood else "meaning")


def test_the_language_model_reads_long_lyrics_in_stretches(tiny_folder: Path) -> None:
    model = load_model(str(tiny_folder))
    first, second = ["The night is long"] * 8, ["Sing, my brother", "Walk on"]
    apart = [read_state(model, stretch) for stretch in (first, second)]
    assert np.allclose(read_state(model, first + second), np.mean(apart, axis=0), atol=1e-5)


def test_stretches_weigh_as_much_as_they_are_long() -> None:
    first, second = ["The night is long", "We sing", "We dance", "The band is loud"], ["There is nobody left"]
    judge = load_mood_model().judge
    assert np.allclose(judge(first + second), 0.8 * judge(first) + 0.2 * judge(second), atol=1e-4)


def test_a_model_file_that_is_not_the_shipped_one_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    load_mood_model.cache_clear()
    monkeypatch.setattr(meaning, "FOLDER", tmp_path)
    with pytest.raises(ModelFileError, match=r"model\.safetensors"):
        find_mood_by_meaning(lines("Hello"))
    shutil.copy(Path(meaning.__file__).parent / "data" / "meaning" / "CARD.md", tmp_path / "model.safetensors")
    with pytest.raises(ModelFileError, match="SHA-256"):
        find_mood_by_meaning(lines("Hello"))


def test_the_quadrants_of_passages_that_nothing_learned_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """As docs/analysis.md says, less a few."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "scripts"))
    from evaluate_mood import FOLDER, quadrant, read_passages

    passages = read_passages(FOLDER / "sixth.tsv")
    found = [find_mood_by_meaning(lines(passage.text)) for passage in passages]
    right = [quadrant(one.valence, one.energy) == passage.label for one, passage in zip(found, passages, strict=True)]
    assert len(passages) == 60
    assert sum(right) >= 50
    del sys.modules["evaluate_mood"]
