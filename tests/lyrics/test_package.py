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


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, lyrics; print(sorted(name for name in sys.modules if name.startswith(('lyrics', 'numpy', 'torch'))))"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "['lyrics']\n"
    )


def test_parsing_and_analyzing_loads_no_training_library() -> None:
    code = (
        "import sys; from lyrics import analyze, parse_lyrics; analyze(parse_lyrics('Hello zorblatt'));"
        "print(*{'torch', 'pandas', 'pyarrow', 'scipy', 'sklearn'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"
