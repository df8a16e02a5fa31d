import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def tiny() -> Any:
    """The module that makes tiny random language models."""
    spec = importlib.util.spec_from_file_location("tiny_lm", HERE / "tiny_lm.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def tiny_folder(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny random Llama and its tokenizer."""
    make: Callable[[Path], Path] = tiny.save_tiny_model
    return make(tmp_path_factory.mktemp("tiny"))
