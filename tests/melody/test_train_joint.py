"""Training of the joint network: it learns, survives a kill, and says in one sentence what it cannot work with."""

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")

from align.corpus import CorpusNote, CorpusSong, CorpusSyllable  # noqa: E402
from align.meter import Meter  # noqa: E402
from melody import checkpoint  # noqa: E402
from melody.gan import (  # noqa: E402
    Discriminator,
    equal_earlier,
    judgements,
    read_judge,
    sing,
    soft_intervals,
    straight_through,
    train_gan,
    windows,
)
from melody.joint import NUM_INTERVALS, REACH, load_joint_model  # noqa: E402
from melody.joint_data import OPEN, JointExample, encode_song, make_batch, veiled, window  # noqa: E402
from melody.joint_features import BLOCKS, PROSODY, block_columns  # noqa: E402
from melody.joint_network import JointNetwork, Tensors, nats  # noqa: E402
from melody.lstm import ModelError  # noqa: E402
from melody.train_joint import (  # noqa: E402
    CONFIGS,
    Data,
    GanConfig,
    TrainJointConfig,
    batches_of,
    evaluate,
    make_network,
    parse_config,
    train_lstm,
)

GAN = GanConfig(rounds=2, steps=1, warm_up=2, batch=6, window=12, channels=8, samples=12)
CONFIG = TrainJointConfig(
    hidden=16, head=12, key=4, epochs=2, batch=6, longest=40, dropout=0.0, input_dropout=0.0, learning_rate=0.03,
    gan=GAN,
)  # fmt: skip


def made_up_song(seed: int) -> CorpusSong:
    """Four lines of six notes by step in quarters and halves; the third line repeats the first."""
    rng = np.random.default_rng(seed)
    steps = [int(step) for step in rng.integers(-1, 2, 24)]
    steps[12:18] = steps[0:6]
    notes: list[CorpusNote] = []
    degree, scale = 4, (0, 2, 4, 5, 7, 9, 11, 12, 14)
    for i, step in enumerate(steps):
        degree = int(np.clip(degree + step, 0, 8))
        onset = i // 6 * 4 * 960 + i % 6 * 480
        notes.append(CorpusNote(onset, 960 if i % 6 == 5 else 480, onset % 1920, 60 + scale[degree], i, False))
    notes[-1] = replace(notes[-1], pitch=60)
    syllables = tuple(CorpusSyllable("la", i, i % 2, True, True, i // 6) for i in range(24))
    return CorpusSong(
        f"made up/{seed}", f"{seed % 16:x}", "1", "folk", "en", Meter(4, 4), 0, "major", None, ("la",) * 24, syllables,
        tuple(notes), (), 4, True, (),
    )  # fmt: skip


@pytest.fixture(scope="module")
def data() -> Data:
    examples = [encode_song(made_up_song(seed), OPEN) for seed in range(16)]
    return Data(examples[:12], examples[12:])


def weights(folder: Path, name: str = "model.safetensors") -> bytes:
    return (folder / name).read_bytes()


def test_training_lowers_the_loss_and_writes_curves(tmp_path: Path, data: Data) -> None:
    config = replace(CONFIG, epochs=6)
    untrained = evaluate(make_network(config), data.validation, config)["total"]
    trained = train_lstm(data, config, tmp_path, cpu=True)
    assert trained.history[-1]["validation: total"] < 0.8 * untrained
    lines = (tmp_path / "lstm.csv").read_text().splitlines()
    assert lines[0].startswith("epoch,training: total,validation: rest")
    assert len(lines) == 7
    assert (tmp_path / "lstm.png").read_bytes().startswith(b"\x89PNG")
    assert load_joint_model(tmp_path).config == CONFIG.model


def test_a_run_that_was_killed_ends_as_one_that_was_not(tmp_path: Path, data: Data) -> None:
    train_lstm(data, CONFIG, tmp_path / "whole", cpu=True)
    train_gan(data, CONFIG, tmp_path / "whole", cpu=True)
    broken = tmp_path / "broken"
    train_lstm(data, CONFIG, broken, cpu=True, stop_after=1)

    def kill(text: str, share: float) -> None:
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):  # in the middle of an epoch
        train_lstm(data, CONFIG, broken, cpu=True, progress=kill)
    train_lstm(data, CONFIG, broken, cpu=True)
    with pytest.raises(KeyboardInterrupt):
        train_gan(data, CONFIG, broken, cpu=True, progress=kill)
    train_gan(data, CONFIG, broken, cpu=True)
    for name in ("model.safetensors", "gan.safetensors", "discriminator.safetensors", "lstm.csv", "gan.csv"):
        assert weights(tmp_path / "whole", name) == weights(broken, name), name


def test_a_finished_run_is_left_as_it_is(tmp_path: Path, data: Data) -> None:
    config = replace(CONFIG, epochs=1)
    train_lstm(data, config, tmp_path, cpu=True)
    before = weights(tmp_path)
    assert len(train_lstm(data, config, tmp_path, cpu=True).history) == 1
    assert weights(tmp_path) == before


def test_a_folder_with_another_run_is_not_gone_on_with(tmp_path: Path, data: Data) -> None:
    config = replace(CONFIG, epochs=1)
    train_lstm(data, config, tmp_path, cpu=True)
    with pytest.raises(ModelError, match="another configuration or of other data"):
        train_lstm(data, replace(config, seed=1), tmp_path, cpu=True)
    with pytest.raises(ModelError, match="another configuration or of other data"):
        train_lstm(Data(data.training[1:], data.validation), config, tmp_path, cpu=True)


def test_a_damaged_checkpoint_is_refused_and_the_weights_stay(tmp_path: Path, data: Data) -> None:
    config = replace(CONFIG, epochs=1)
    train_lstm(data, config, tmp_path, cpu=True)
    before = weights(tmp_path)
    path = tmp_path / "lstm-state.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ModelError, match="not a checkpoint"):
        train_lstm(data, config, tmp_path, cpu=True)
    assert weights(tmp_path) == before


def test_a_full_disk_leaves_the_last_good_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: Data) -> None:
    train_lstm(data, CONFIG, tmp_path, cpu=True, stop_after=1)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        train_lstm(data, CONFIG, tmp_path, cpu=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    monkeypatch.undo()
    assert len(train_lstm(data, CONFIG, tmp_path, cpu=True).history) == CONFIG.epochs


def test_checkpoints_keep_optimisers_and_facts(tmp_path: Path) -> None:
    def make() -> tuple[Any, Any]:
        torch.manual_seed(0)
        layer = torch.nn.Linear(3, 2)
        return layer, torch.optim.Adam(layer.parameters(), 0.1)

    def step(layer: Any, optimizer: Any) -> None:
        optimizer.zero_grad()
        layer(torch.ones(1, 3)).sum().backward()
        optimizer.step()

    layer, optimizer = make()
    step(layer, optimizer)
    content = checkpoint.pack({"a": layer}, {"a": optimizer}, {"history": [1.5]})
    checkpoint.write_whole(tmp_path / "state", content)
    step(layer, optimizer)
    other, other_optimizer = make()
    facts = checkpoint.unpack(tmp_path / "state", {"a": other}, {"a": other_optimizer})
    step(other, other_optimizer)
    assert facts == {"history": [1.5]}
    assert torch.equal(layer.weight, other.weight)


def test_padding_changes_nothing(data: Data) -> None:
    network = make_network(CONFIG).eval()
    short = window(data.training[0], 0, 9)
    alone = Tensors.of(make_batch([short], CONFIG.model))
    padded = Tensors.of(make_batch([short, data.training[1]], CONFIG.model))
    with torch.no_grad():
        assert torch.allclose(
            nats(network(alone), alone).total[0], nats(network(padded), padded).total[0, :9], atol=1e-5
        )


def test_the_future_does_not_move_the_past(data: Data) -> None:
    network = make_network(CONFIG).eval()
    item = data.training[0]
    changed = replace(item, pitch=np.append(item.pitch[:15], 30 - item.pitch[15:]))
    scores = []
    for one in (item, changed):
        batch = Tensors.of(make_batch([one], CONFIG.model))
        with torch.no_grad():
            scores.append(network(batch).pitch[0, :15])
    assert torch.equal(*scores)


def test_without_copying_earlier_notes_do_not_compete(data: Data) -> None:
    network = make_network(replace(CONFIG, without=("copying", "meaning"))).eval()
    plain = make_network(CONFIG).eval()
    batch = Tensors.of(make_batch(data.training[:2], CONFIG.model))
    with torch.no_grad():
        assert not torch.allclose(network(batch).pitch, plain(batch).pitch)
        network.copy["pitch"].token.weight.add_(5.0)
        before = network(batch).pitch
        network.copy["pitch"].token.weight.zero_()
        assert torch.allclose(network(batch).pitch, before)


def test_a_veil_hides_words_and_tells_the_end_only_when_asked(data: Data) -> None:
    item = data.training[0]
    veil = replace(CONFIG.veil(), words=True, end=False)
    hidden = veiled(item, veil)
    assert not hidden.features[:, block_columns(PROSODY)].any()
    assert hidden.features[:, block_columns(("style",))].any()
    assert (item.onsets[:, -8:].argmax(axis=1) == 7).all()  # unknown
    assert hidden.onsets[0, -8:].argmax() == 4  # four to seven bars are left
    assert hidden.onsets[-1, -8:].argmax() == 0


def test_an_epoch_sings_one_song_of_every_group(data: Data) -> None:
    batches = batches_of([*data.training, *data.training], CONFIG, np.random.default_rng(0))
    assert sorted(item.group for batch in batches for item in batch) == sorted(item.group for item in data.training)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "JSON object"),
        ("{", "Expecting"),
        ('{"hiden": 3}', "hiden"),
        ('{"gan": {"round": 3}}', "round"),
        ('{"without": ["rhythm"]}', "without must be"),
        ('{"vocabulary": "notes"}', "vocabulary"),
        ('{"hidden": 0}', "hidden"),
        ('{"hidden": "many"}', "hidden"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_config(text)


def test_a_config_names_only_what_it_changes() -> None:
    config = parse_config('{"hidden": 64, "gan": {"rounds": 3}}')
    assert config == replace(CONFIGS["full"], hidden=64, gan=replace(GanConfig(), rounds=3))


# The adversarial stage


@pytest.fixture(scope="module")
def pieces(data: Data) -> tuple[JointNetwork, list[JointExample]]:
    return make_network(CONFIG).eval(), windows(data.training, CONFIG, np.random.default_rng(0))


def test_windows_begin_lines_and_have_one_length(pieces: tuple[JointNetwork, list[JointExample]]) -> None:
    since = BLOCKS["since"]
    columns = block_columns(("since",))
    assert {len(item) for item in pieces[1]} == {GAN.window}
    assert all(item.features[0, columns].argmax() == 0 for item in pieces[1])
    assert len(columns) == since


def test_what_is_sung_is_what_torch_scores_highest_with_the_same_noise(
    pieces: tuple[JointNetwork, list[JointExample]],
) -> None:
    network, items = pieces
    sung = sing(network.model(), items, np.random.default_rng(3))
    batch = Tensors.of(sung.batch)
    with torch.no_grad():
        scores = network(batch)
    for score, noise, chosen in (
        (scores.rest, sung.rest_noise, sung.batch.rest),
        (scores.duration, sung.duration_noise, sung.batch.duration),
        (scores.pitch, sung.pitch_noise, sung.batch.pitch),
    ):
        assert np.mean((score.numpy() + noise).argmax(axis=2) == chosen) > 0.999  # rounding may decide a tie


def test_singing_that_leans_to_an_interval_takes_it(pieces: tuple[JointNetwork, list[JointExample]]) -> None:
    network, items = pieces
    leaning = np.zeros(NUM_INTERVALS, dtype=np.float32)
    leaning[REACH] = 60  # repeat the note
    sung = sing(network.model(), items, np.random.default_rng(3), leaning=leaning)
    assert (np.diff(sung.batch.pitch, axis=1) == 0).all()
    assert (np.diff(sing(network.model(), items, np.random.default_rng(3)).batch.pitch, axis=1) != 0).any()


def test_straight_through_samples_are_one_hot_and_carry_gradients(
    pieces: tuple[JointNetwork, list[JointExample]],
) -> None:
    network, items = pieces
    sung = sing(network.model(), items, np.random.default_rng(3))
    batch = Tensors.of(sung.batch)
    noise = [torch.from_numpy(a) for a in (sung.rest_noise, sung.duration_noise, sung.pitch_noise)]
    first = straight_through(network(batch), batch, noise, 1.0)
    second = straight_through(network(batch, first), batch, noise, 1.0)
    assert torch.allclose(second.pitch.argmax(dim=2), batch.pitch)
    assert torch.allclose(second.pitch.amax(dim=2), torch.ones(()), atol=1e-5)
    judge = Discriminator(CONFIG.model, 8)
    network.zero_grad()
    judge(batch, second).sum().backward()
    assert network.lstm.weight_hh_l0.grad.abs().sum() > 0
    network.zero_grad()
    # The last note's judgement reaches earlier choices through what the network read, not only through the judge.
    reread = straight_through(network(batch, first), batch, noise, 1.0)
    (slope,) = torch.autograd.grad(reread.pitch[:, -1].square().sum(), first.pitch)
    assert slope[:, :-1].abs().sum() > 0


def test_soft_intervals_are_the_intervals_of_one_hot_pitches() -> None:
    pitch = torch.tensor([[3, 5, 5, 0, 29]])
    found = soft_intervals(torch.nn.functional.one_hot(pitch, 30).float())
    assert found[0, 0].sum() == 0
    assert (found[0, 1:4].argmax(dim=1) - REACH).tolist() == [2, 0, -5]
    assert found[0, 4].sum() == 0  # 29 semitones: wider than any class


def test_equal_earlier_notes_are_found_at_their_lag() -> None:
    rows = torch.nn.functional.one_hot(torch.tensor([[1, 2, 1, 2, 3]]), 4).float()
    found = equal_earlier(rows)
    assert found[0, :, 0].tolist() == [0, 0, 0, 0, 0]
    assert found[0, :, 1].tolist() == [0, 0, 1, 1, 0]


def test_the_discriminator_learns_to_tell_people_from_an_untrained_generator(
    pieces: tuple[JointNetwork, list[JointExample]],
) -> None:
    network, items = pieces
    torch.manual_seed(0)
    judge = Discriminator(CONFIG.model, 16)
    optimizer = torch.optim.Adam(judge.parameters(), 0.01)
    real = make_batch(items, CONFIG.model)
    true, false = Tensors.of(real), Tensors.of(sing(network.model(), items, np.random.default_rng(0)).batch)
    for _ in range(15):
        loss = (1 - judge(true, network.choices(true))).relu().mean()
        loss = loss + (1 + judge(false, network.choices(false))).relu().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    judge.eval()
    fresh = sing(network.model(), items, np.random.default_rng(1)).batch
    assert judgements(judge, network, real).mean() > judgements(judge, network, fresh).mean() + 0.2


def test_a_plain_gan_needs_no_lstm_and_its_discriminator_is_kept(tmp_path: Path, data: Data) -> None:
    config = replace(CONFIG, gan=replace(GAN, pretrained=False, likelihood=0.0, rounds=1))
    trained = train_gan(data, config, tmp_path, cpu=True)
    assert [row["round"] for row in trained.history] == [0, 1]
    assert isinstance(read_judge(tmp_path, config), Discriminator)
    assert (tmp_path / "gan.png").read_bytes().startswith(b"\x89PNG")


# The command


@pytest.fixture
def run() -> Callable[..., Any]:
    from typer.testing import CliRunner

    from pipeline.cli import app

    return lambda *arguments: CliRunner().invoke(app, ["train", "melody", *map(str, arguments)])


def corpus_row(song: CorpusSong, group: int) -> dict[str, Any]:
    notes = song.notes
    return {
        "song_id": song.song_id, "dataset": "bbloomf_songs", "group": f"{group:x}", "verse": "1", "language": "en",
        "time_sig": "4/4", "n_time_changes": 0, "n_key_changes": 0, "n_syllables": len(notes), "n_notes": len(notes),
        "key_fifths": 0, "key_mode": "major", "tempo_bpm": 100.0, "pitch": [note.pitch for note in notes],
        "onset": [note.onset / 480 for note in notes], "dur": [note.duration / 480 for note in notes],
        "beat": [note.place / 480 for note in notes], "syllable": ["la"] * len(notes), "syllabic": [1] * len(notes),
        "line_id": [song.syllables[note.syllable].line for note in notes], "chord_onset": [0.0], "chord": ["C"],
        "lines": ["la la la la la la"] * 4,
    }  # fmt: skip


def test_the_command_trains_both_stages_from_a_table(tmp_path: Path, run: Callable[..., Any]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(
        pa.Table.from_pylist([corpus_row(made_up_song(i), 1 + i % 4) for i in range(16)]), tmp_path / "songs.parquet"
    )
    config = tmp_path / "small.json"
    config.write_text(
        '{"hidden": 12, "head": 8, "key": 4, "epochs": 1, "batch": 8, '
        '"gan": {"rounds": 1, "steps": 1, "warm_up": 1, "batch": 4, "window": 12, "channels": 8, "samples": 8}}'
    )
    result = run("--data", tmp_path, "--out", tmp_path / "run", "--config", config, "--cpu")
    assert result.exit_code == 0, result.output
    written = [Path(line).name for line in result.stdout.splitlines()]
    assert written[0] == "model.safetensors"
    assert {"lstm.csv", "gan.safetensors", "gan.png", "stages.json"} <= set(written)
    load_joint_model(tmp_path / "run")
    again = run("--data", tmp_path, "--out", tmp_path / "run", "--config", config, "--seed", 5, "--cpu")
    assert again.exit_code == 2
    assert "another configuration" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--data", "nowhere.parquet"), "there is no file nowhere.parquet"),
        (("--data", "{here}/text.parquet"), "is not a parquet file"),
        (("--data", "{here}/lines.parquet"), "has no column song_id"),
        (("--data", "{here}/empty"), "holds no parquet files"),
        (("--data", "{here}/lines.parquet", "--config", "huge"), "config must be one of"),
        (("--data", "{here}/lines.parquet", "--config", "{here}/none.json"), "cannot read"),
        (("--data", "{here}/lines.parquet", "--stage", "both"), "stage must be one of"),
        (("--data", "{here}/lines.parquet", "--stage", "gan"), "holds no trained LSTM"),
    ],
)
def test_bad_input_is_one_sentence(
    tmp_path: Path, run: Callable[..., Any], arguments: tuple[str, ...], message: str
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    (tmp_path / "text.parquet").write_text("no table")
    (tmp_path / "empty").mkdir()
    pq.write_table(pa.table({"pitch": [[60]]}), tmp_path / "lines.parquet")
    result = run("--out", tmp_path / "run", *(argument.format(here=tmp_path) for argument in arguments))
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.startswith("Error: ")
    assert len(result.stderr.splitlines()) == 1
