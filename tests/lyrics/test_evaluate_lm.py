from pathlib import Path
from typing import Any

import pytest

from lyrics.evaluate_lm import Following, follow, generate_speed, num_syllables, speed
from lyrics.pronounce import Pronouncer
from lyrics.verse import Poem, lessons


@pytest.fixture(scope="module")
def found(tiny_folder: Path) -> tuple[Any, Any]:
    from lyrics.lm import load_model

    stanza = (
        "I hear the whistle of the train",
        "It calls me through the night",
        "I walk along the road again",
        "And go",
    )
    made = lessons([Poem("", "", (stanza,), "", True)], Pronouncer(), seed=0)
    return load_model(str(tiny_folder), precision="float32"), made


def test_a_random_model_follows_no_cue(found: tuple[Any, Any]) -> None:
    model, made = found
    result = follow(model, made, num_cues=2, samples=3)
    assert isinstance(result, Following)
    assert result.num_sampled == 6
    assert result.num_tokens == sum(len(model.encode(f" {line.text}\n")) for line in made[0].lines if line.learned)
    assert result.loss > 4
    assert result.both <= result.exact <= result.within_one < 0.7


def test_a_model_that_writes_the_human_lines_follows_every_cue(
    found: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, made = found
    cues = {f"{line.num_syllables} {line.end_word}:": f" {line.text}\n" for line in made[0].lines}

    def sample(self: Any, prefix: Any, count: int, **rest: Any) -> list[list[int]]:
        cue = self.decode(prefix.tokens).split("\n")[-1]
        return [self.encode(cues[cue])] * count

    monkeypatch.setattr(type(model), "sample", sample)
    result = follow(model, made, num_cues=4, samples=2)
    assert (result.exact, result.end_word, result.both) == (1.0, 1.0, 1.0)


def test_syllables_are_those_that_are_sung() -> None:
    assert num_syllables(" I hear the whistle of the train\n", Pronouncer()) == 8
    assert num_syllables("\n", Pronouncer()) == 0


def test_speed_counts_every_branch(found: tuple[Any, Any]) -> None:
    result = speed(found[0], batch=4, prompt_tokens=10, steps=2)
    assert result.batch == 4
    assert result.tokens_per_second > 0
    assert result.processor_seconds > 0


def test_generate_is_measured_by_the_tokens_after_the_first(
    found: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, _ = found
    shapes: list[tuple[int, ...]] = []
    generate = model.network.generate

    def counted(**options: Any) -> Any:
        made = generate(**options)
        shapes.append(tuple(made.shape))
        return made

    monkeypatch.setattr(model.network, "generate", counted)
    assert generate_speed(model, batch=4, prompt_tokens=10, steps=5).batch == 4
    assert shapes[-2:] == [(4, 11), (4, 16)]
