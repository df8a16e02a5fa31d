"""Training on songs made up here: scales and arpeggios over chords, with words that mean nothing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from align.corpus import CorpusNote, CorpusSong, CorpusSyllable  # noqa: E402
from align.meter import Meter  # noqa: E402
from melody.features import copy_sources, corpus_frame, static_features  # noqa: E402
from melody.lstm import START, State, copied_classes, load_model  # noqa: E402
from melody.theory import Chord, ChordSpan, Key  # noqa: E402
from melody.train_lstm import (  # noqa: E402
    Example,
    PitchNetwork,
    TrainConfig,
    baselines,
    evaluate,
    example,
    export,
    make_batch,
    mean_loss,
    train,
    without_chords,
)

DEGREES = {"major": (0, 2, 4, 5, 7, 9, 11, 12), "minor": (0, 2, 3, 5, 7, 8, 11, 12)}


def made_up_song(seed: int, mode: str = "major", tonic: int = 60) -> tuple[CorpusSong, Key, tuple[ChordSpan, ...]]:
    """Four lines of seven notes that wander along the scale by step."""
    rng = np.random.default_rng(seed)
    notes: list[CorpusNote] = []
    syllables: list[CorpusSyllable] = []
    degree = 2
    for line in range(4):
        for i in range(7):
            degree = int(np.clip(degree + rng.integers(-1, 2), 0, 7))
            onset = line * 8 * 480 + i * 480
            duration = 960 if i == 6 else 480
            held = i == 3 and line == 1
            if not held:
                syllables.append(CorpusSyllable("la", len(syllables), i % 2 or None, True, True, line))
            pitch = tonic + DEGREES[mode][degree]
            notes.append(CorpusNote(onset, duration, onset % 1920, pitch, len(syllables) - 1, held))
    song = CorpusSong(
        song_id=f"made up/{seed}",
        group=f"{seed:x}",
        verse="1",
        style="folk",
        language="en",
        meter=Meter(4, 4),
        key_fifths=0,
        key_mode=mode,
        tempo_qpm=None,
        words=("la",) * len(syllables),
        syllables=tuple(syllables),
        notes=tuple(notes),
        chords=(),
        num_lines=4,
        lines_from_source=True,
        lines_text=("la la la",) * 4,
    )
    quality = "m" if mode == "minor" else ""
    chords = tuple(
        ChordSpan(bar * 1920, 1920, Chord((tonic + (0, 5, 7, 0)[bar % 4]) % 12, quality)) for bar in range(16)
    )
    return song, Key(tonic % 12, mode), chords


def made_up_examples(count: int) -> list[Example]:
    return [example(*made_up_song(seed, "minor" if seed % 3 == 0 else "major")) for seed in range(count)]


def test_transposing_a_song_changes_nothing_that_the_network_sees() -> None:
    low, high = (example(*made_up_song(1, tonic=tonic)) for tonic in (58, 65))
    np.testing.assert_array_equal(low.inputs, high.inputs)
    np.testing.assert_array_equal(low.classes, high.classes)
    np.testing.assert_array_equal(low.gathers, high.gathers)


@pytest.mark.parametrize("mode", ["major", "minor"])
def test_numpy_sings_what_torch_learned(tmp_path: Path, mode: str) -> None:
    torch.manual_seed(3)
    network = PitchNetwork(hidden=16)
    torch.nn.init.normal_(network.skip.weight, std=0.3)
    network.eval()
    export(network, tmp_path)
    model = load_model(tmp_path)
    song, key, chords = made_up_song(5, mode)
    item = example(song, key, chords)
    with torch.no_grad():
        expected = torch.log_softmax(network(make_batch([item])), dim=2)[0].numpy()
    frame = corpus_frame(song, key, chords)
    copies = copy_sources(frame)
    classes = item.classes
    # Features pass through half precision in training; so they do here.
    static = static_features(frame, copies).astype(np.float16).astype(np.float32)
    copied = copied_classes(copies, classes)
    state: State = model.start()
    row = 0
    for number in range(4):
        rows = np.flatnonzero(frame.line == number)
        line = model.prepare(*model.project(static[rows]), copied[rows], frame.chord_root[rows], frame.minor)
        for note in range(len(rows)):
            before = np.array([classes[row - 1] if row else START])
            interval = np.array([25 if row < 2 else int(classes[row - 1] - classes[row - 2]) + 12])
            log_p, state = model.step(line, note, state, before, interval)
            np.testing.assert_allclose(log_p[0], expected[row], atol=1e-4)
            row += 1


def test_padding_and_company_change_nothing() -> None:
    torch.manual_seed(0)
    network = PitchNetwork(hidden=8)
    network.eval()
    long, short = made_up_examples(2)
    short = replace(
        short,
        inputs=short.inputs[:9],
        classes=short.classes[:9],
        gathers=short.gathers[:9],
        copied=short.copied[:9],
        moved=short.moved[:9],
    )
    with torch.no_grad():
        together = network(make_batch([long, short]))
        alone = network(make_batch([short]))
    torch.testing.assert_close(together[1, :9], alone[0], atol=1e-5, rtol=1e-5)


def test_later_notes_do_not_move_earlier_scores() -> None:
    torch.manual_seed(0)
    network = PitchNetwork(hidden=8)
    network.eval()
    (item,) = made_up_examples(1)
    batch, changed = make_batch([item]), make_batch([item])
    changed.inputs[:, 20:] = 1
    with torch.no_grad():
        torch.testing.assert_close(network(batch)[:, :20], network(changed)[:, :20])


def test_a_short_training_beats_counting_and_repeats_itself() -> None:
    examples = made_up_examples(40)
    training, validation = examples[:32], examples[32:]
    config = TrainConfig(hidden=16, epochs=6, batch_songs=8, learning_rate=1e-2, seed=1)
    first = train(training, validation, config)
    assert first.validation < baselines(training, validation)["unigram"]
    assert first.history[-1][0] < first.history[0][0]
    second = train(training, validation, config)
    assert second.history == first.history
    assert evaluate(first.network, validation) == pytest.approx(first.validation)


def test_training_stops_when_its_time_is_over() -> None:
    examples = made_up_examples(4)
    trained = train(examples, examples, TrainConfig(hidden=4, epochs=50, max_seconds=0))
    assert len(trained.history) == 1


def test_one_step_lowers_the_loss() -> None:
    torch.manual_seed(0)
    network = PitchNetwork(hidden=8)
    batch = make_batch(made_up_examples(4))
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    before = mean_loss(network, batch)
    before.backward()
    optimizer.step()
    assert float(mean_loss(network, batch).detach()) < float(before.detach())


def test_the_ablation_without_chords_is_blind_to_them() -> None:
    song, key, chords = made_up_song(2)
    other = tuple(ChordSpan(span.onset, span.duration, Chord(9, "m")) for span in chords)
    items = [without_chords(example(song, key, those)) for those in (chords, other)]
    np.testing.assert_array_equal(items[0].gathers, items[1].gathers)
