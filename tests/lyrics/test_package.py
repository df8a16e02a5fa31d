import subprocess
import sys

import pytest

import lyrics


def test_public_names_are_there() -> None:
    for name in lyrics.__all__:
        assert getattr(lyrics, name).__name__ == name


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'sonnet'"):
        _ = lyrics.sonnet


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_the_package_loads_nothing_else() -> None:
    assert run("import sys, lyrics; print(*(name for name in sys.modules if 'lyrics' in name))") == "lyrics\n"


def test_parsing_and_analyzing_loads_no_training_library() -> None:
    code = (
        "import sys; from lyrics import analyze, parse_lyrics; analyze(parse_lyrics('Hello zorblatt'));"
        "print(*{'torch', 'pandas', 'pyarrow', 'scipy', 'sklearn'} & set(sys.modules))"
    )
    assert run(code) == "\n"
