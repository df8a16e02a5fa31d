from collections import Counter
from pathlib import Path

import pytest


def test_pairs_that_many_lyrics_have_and_verse_has_not_are_habits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "scripts"))
    from count_habits import strengthened

    lyrics = [["I could hear the sea", "I could hear the sea"], ["I could go", "The sea, the sea"], ["I could"]]
    usual = Counter({("the", "sea"): 90, ("go", "on"): 10})
    table = strengthened({("i", "could"): 1.0}, lyrics, usual)
    assert set(table) == {("", "i"), ("i", "could")}
    assert table["i", "could"] == pytest.approx(1.92, abs=0.01)  # the log of (3 + 2) / (0 + 2) more; a line counts once
