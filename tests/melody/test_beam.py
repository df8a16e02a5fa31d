from itertools import product

import numpy as np
import pytest

from melody.beam import Problem, Solution, solve
from melody.features import NUM_CLASSES, NUM_INTERVALS, NUM_STATIC
from melody.lstm import NUM_INPUTS, NUM_OUTPUTS, NUM_SOURCES, START, ModelConfig, PitchModel, State


def random_model(hidden: int = 8) -> PitchModel:
    rng = np.random.default_rng(0)
    shapes = {
        "lstm.weight_ih_l0": (4 * hidden, NUM_INPUTS),
        "lstm.weight_hh_l0": (4 * hidden, hidden),
        "lstm.bias_ih_l0": (4 * hidden,),
        "lstm.bias_hh_l0": (4 * hidden,),
        "experts.weight": (NUM_OUTPUTS, hidden),
        "experts.bias": (NUM_OUTPUTS,),
        "skip.weight": (NUM_OUTPUTS, NUM_STATIC),
    }
    return PitchModel(
        ModelConfig(hidden=hidden),
        {name: rng.normal(scale=0.3, size=shape).astype(np.float32) for name, shape in shapes.items()},
    )


def random_problem(
    model: PitchModel, seed: int, notes: int, width: int, before: int | None = None, minor: bool = False
) -> Problem:
    rng = np.random.default_rng(seed)
    gates, skip = model.project(rng.random((notes, NUM_STATIC), dtype=np.float32))
    copied = rng.integers(0, START + 1, (notes, NUM_SOURCES))
    state = State(*(rng.normal(size=(1, model.config.hidden)).astype(np.float32) for _ in range(2)))
    low = int(rng.integers(0, NUM_CLASSES - width + 1))
    return Problem(
        line=model.prepare(gates, skip, copied, rng.integers(0, 13, notes), minor),
        state=model.start() if before is None else state,
        before=START if before is None else before,
        interval=NUM_INTERVALS if before is None else int(rng.integers(0, NUM_INTERVALS)),
        low=low,
        minor=minor,
        colour=np.zeros(notes, dtype=np.int64),
        scores=rng.normal(size=(notes, width)),
        motion=np.concatenate((np.zeros((1, NUM_INTERVALS)), rng.normal(size=(notes - 1, NUM_INTERVALS)))),
        motifs=rng.normal(size=(notes, NUM_INTERVALS + 1, NUM_INTERVALS)),
    )


def worth(model: PitchModel, problem: Problem, classes: tuple[int, ...]) -> float:
    """Score a line note by note, by what the network says and the problem asks, inside one octave in major."""
    total, state, before, interval = 0.0, problem.state, problem.before, problem.interval
    for note, sung in enumerate(classes):
        log_p, state = model.step(problem.line, note, state, np.array([before]), np.array([interval]))
        total += float(log_p[0, sung]) + problem.scores[note, sung - problem.low]
        if before < START:
            assert abs(sung - before) <= 4, "no rule on leaps takes part"
            row = interval if note else NUM_INTERVALS
            total += problem.motion[note, sung - before + 12] + problem.motifs[note, row, sung - before + 12]
        interval = NUM_INTERVALS if before == START else sung - before + 12
        before = sung
        total = round(total, 4)
    return total


def same(one: Solution, other: Solution) -> bool:
    states = zip(one.state, other.state, strict=True)
    return np.array_equal(one.classes, other.classes) and all(np.array_equal(a, b) for a, b in states)


@pytest.mark.parametrize("seed", range(5))
def test_a_wide_beam_finds_the_best_line_of_all(seed: int) -> None:
    model = random_model()
    problem = random_problem(model, seed, notes=4, width=3)
    [found] = solve(model, [problem], beam=27, monotone=0.0)
    lines = product(range(problem.low, problem.low + 3), repeat=4)
    assert tuple(found.classes.tolist()) == max(lines, key=lambda line: worth(model, problem, line))


def test_repeating_a_note_costs_more_each_time() -> None:
    model = random_model()
    problem = random_problem(model, 3, notes=12, width=3)
    free, dear = (solve(model, [problem], beam=27, monotone=price)[0].classes for price in (0.0, 50.0))
    assert not (np.diff(dear) == 0)[1:][(np.diff(dear) == 0)[:-1]].any(), "no note is sung three times in a row"
    assert not np.array_equal(free, dear)


def test_songs_in_step_get_what_they_get_alone_to_the_last_bit() -> None:
    model = random_model(hidden=128)
    rng = np.random.default_rng(9)
    problems = [
        random_problem(
            model,
            seed,
            notes=int(rng.integers(1, 15)),
            width=int(rng.integers(1, 16)),
            before=None if seed % 3 == 0 else int(rng.integers(0, NUM_CLASSES)),
            minor=bool(seed % 2),
        )
        for seed in range(23)
    ]
    alone = [solve(model, [problem], beam=8, monotone=0.6)[0] for problem in problems]
    for some in (range(23), range(22, -1, -1), range(0, 23, 2), range(5, 9)):
        together = solve(model, [problems[i] for i in some], beam=8, monotone=0.6)
        assert all(same(one, alone[i]) for i, one in zip(some, together, strict=True))
    assert [len(one.classes) for one in alone] == [len(problem.scores) for problem in problems]


def test_pitches_stay_in_the_window_of_their_own_song() -> None:
    model = random_model()
    problems = [random_problem(model, seed, notes=5, width=width) for seed, width in enumerate((1, 2, 15, 36))]
    for problem, solution in zip(problems, solve(model, problems, beam=8, monotone=0.6), strict=True):
        width = problem.scores.shape[1]
        assert ((solution.classes >= problem.low) & (solution.classes < problem.low + width)).all()
