from math import erf

import numpy as np
import pytest

from lyrics.bert import BertEncoder, gelu
from lyrics.embedding import PACKAGE, SIZE

TEXTS = [[101, 1996, 4126, 102], [101, 102], [101, *range(2000, 2130), 102], [101, 2188, 2153, 102]]


@pytest.fixture(scope="module")
def small() -> BertEncoder:
    """A BERT with two layers, random."""
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    torch.manual_seed(1)
    config = transformers.BertConfig(
        vocab_size=5000, hidden_size=48, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96
    )
    network = transformers.BertModel(config)
    return BertEncoder({name: weight.numpy() for name, weight in network.state_dict().items()}, 4)


def test_states_are_those_of_transformers() -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    folder = pytest.importorskip(PACKAGE).get_model_path()
    network = transformers.AutoModel.from_pretrained(folder, local_files_only=True).eval()
    weights = {name: weight.numpy() for name, weight in network.state_dict().items()}
    for text, states in zip(TEXTS, BertEncoder(weights, num_heads=12)(TEXTS), strict=True):
        with torch.inference_mode():
            expected = network(torch.tensor([text])).last_hidden_state[0].numpy()
        assert states.shape == (len(text), SIZE)
        assert np.abs(states - expected).max() < 1e-5


def test_a_text_has_the_same_states_in_any_company(small: BertEncoder) -> None:
    together = small(TEXTS)
    for text, states in zip(TEXTS, together, strict=True):
        assert small([text])[0] == pytest.approx(states, abs=1e-5)


def test_every_piece_and_its_place_count(small: BertEncoder) -> None:
    one, other, turned = small([[101, 5, 6, 102], [101, 5, 7, 102], [101, 6, 5, 102]])
    assert np.abs(one[0] - other[0]).max() > 1e-3
    assert np.abs(one[0] - turned[0]).max() > 1e-4


def test_gelu_is_exact() -> None:
    x = np.linspace(-12, 12, 2001, dtype=np.float32)
    expected = [value * (1 + erf(value / 2**0.5)) / 2 for value in x.tolist()]
    assert gelu(x) == pytest.approx(np.array(expected), abs=1e-6)


def test_changes_of_low_rank_are_added_to_the_weights(small: BertEncoder) -> None:
    rng = np.random.default_rng(0)
    up, down = (rng.normal(size=shape).astype(np.float32) for shape in ((48, 2), (2, 96)))
    name = "encoder.layer.1.output.dense"
    changed = small.adapted({name: (up, down)})
    inner = rng.normal(size=(3, 96)).astype(np.float32)
    assert np.allclose(changed._linear(inner, name) - small._linear(inner, name), inner @ down.T @ up.T, atol=1e-3)
    unchanged = small.adapted({name: (0 * up, down)})(TEXTS)
    assert all(np.array_equal(one, other) for one, other in zip(unchanged, small(TEXTS), strict=True))
