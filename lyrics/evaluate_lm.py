"""How well a language model follows its cues: likelihood of held-out lines, and what it writes by itself.

Nothing is enforced here, unlike in writing: the figures say how much the model has learned, and so how little the
search over its candidates has to throw away.
"""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from lyrics import prompt
from lyrics.document import LyricsError
from lyrics.lm import LanguageModel
from lyrics.parse import parse_lyrics
from lyrics.pronounce import Pronouncer
from lyrics.verse import Lesson


@dataclass(frozen=True, slots=True)
class Following:
    """How a model follows cues; the shares are of the lines sampled."""

    num_tokens: int
    loss: float  # nats per token of the held-out lines
    num_sampled: int
    exact: float  # have the number of syllables that was asked for
    within_one: float  # or one more or less
    end_word: float  # end on the word that was asked for, and then break the line
    both: float  # exact, with the end word


@dataclass(frozen=True, slots=True)
class Speed:
    """Tokens per second of a batch of candidates that share a prompt, and seconds of processor time for each token."""

    batch: int
    tokens_per_second: float
    processor_seconds: float


def follow(
    model: LanguageModel, lessons: Sequence[Lesson], *, num_cues: int, samples: int = 4, seed: int = 0
) -> Following:
    """Score all learned lines of some lessons, and sample lines for `num_cues` of their cues, spread evenly.

    Each line stands after the human lines before it.
    """
    pronouncer = Pronouncer()
    places = [(number, line) for number, lesson in enumerate(lessons) for line in _learned(lesson)]
    chosen = set(random.Random(seed).sample(places, min(num_cues, len(places))))
    total, tokens = 0.0, 0
    sampled: list[tuple[int, str, str]] = []
    for number, lesson in enumerate(lessons):
        begin = prompt.start_tokens(model.tokenizer, lesson.brief, chat=False)
        prefix = model.read(None, begin)
        for index, line in enumerate(lesson.lines):
            if line.starts_section:
                prefix = model.read(prefix, prompt.tag(line.role))
            prefix = model.read(prefix, [prompt.cue_number(line.num_syllables), prompt.cue_end(line.end_word)])
            text = model.encode(prompt.written(line.text))
            if line.learned:
                total -= float(model.score(prefix, [text])[0].sum())
                tokens += len(text)
            if (number, index) in chosen:
                for found in model.sample(prefix, samples, seed=seed + len(sampled), temperature=0.8, max_tokens=24):
                    sampled.append((line.num_syllables, line.end_word, model.decode(found)))
            prefix = model.read(prefix, text)
    exact = within = ended = both = 0
    for wanted, end_word, sung in sampled:
        count = num_syllables(sung, pronouncer)
        ends = sung.endswith("\n") and sung.rstrip(" \n?!.,").lower().split(" ")[-1:] == [end_word.lower()]
        exact += count == wanted
        within += abs(count - wanted) <= 1
        ended += ends
        both += ends and count == wanted
    share = 1 / max(1, len(sampled))
    return Following(
        tokens, total / max(1, tokens), len(sampled), exact * share, within * share, ended * share, both * share
    )


def _learned(lesson: Lesson) -> list[int]:
    return [index for index, line in enumerate(lesson.lines) if line.learned]


def num_syllables(text: str, pronouncer: Pronouncer) -> int:
    """Return the number of sung syllables of a line; 0 for one that cannot be sung."""
    try:
        return sum(len(line.syllables) for section in parse_lyrics(text, pronouncer).sections for line in section.lines)
    except LyricsError:
        return 0


def speed(model: LanguageModel, *, batch: int, prompt_tokens: int = 150, steps: int = 8) -> Speed:
    """Measure decoding: `batch` different candidates after a shared prompt, one token each a step."""
    size = len(model.vocabulary)
    prefix = model.read(None, _prompt(prompt_tokens, size))
    branches = model.branch(prefix, batch)
    branches.step([(300 + row) % size for row in range(batch)])  # the first step warms up
    wall, processor = time.perf_counter(), time.process_time()
    for step in range(steps):
        branches.step([(400 + step + row) % size for row in range(batch)])
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    return Speed(batch, steps * batch / wall, processor / (steps * batch))


def generate_speed(model: LanguageModel, *, batch: int, prompt_tokens: int = 150, steps: int = 8) -> Speed:
    """Measure the same with `generate` of transformers, the reading of the prompt left out."""
    import torch

    tokens = torch.tensor([_prompt(prompt_tokens, len(model.vocabulary))] * batch, device=model.network.device)

    def run(count: int) -> tuple[float, float]:
        wall, processor = time.perf_counter(), time.process_time()
        model.network.generate(
            input_ids=tokens,
            attention_mask=torch.ones_like(tokens),
            do_sample=True,
            min_new_tokens=count,
            max_new_tokens=count,
            pad_token_id=model.tokenizer.eos_token_id,
        )
        return time.perf_counter() - wall, time.process_time() - processor

    run(2)  # warms up
    first, whole = run(1), run(steps + 1)
    return Speed(batch, steps * batch / (whole[0] - first[0]), (whole[1] - first[1]) / (steps * batch))


def _prompt(num_tokens: int, size: int) -> list[int]:
    return [(7 * number + 300) % size for number in range(num_tokens)]
