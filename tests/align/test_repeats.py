"""Repeat signs written out, on tunes of a few bars."""

from typing import Any

import pytest

from align.repeats import RepeatError, Stretch, stretches, unroll


def row(verse: str, words: list[str], repeats: list[str], pitches: list[int] | None = None) -> dict[str, Any]:
    """Two half notes a bar of 4/4; an empty word holds the syllable before."""
    count = len(words)
    return {
        "verse": verse,
        "pitch": pitches or [60 + i for i in range(count)],
        "onset": [2.0 * i for i in range(count)],
        "dur": [2.0] * count,
        "measure": [i // 2 for i in range(count)],
        "beat": [2.0 * (i % 2) for i in range(count)],
        "syllable": words,
        "syllabic": [1 if word else 0 for word in words],
        "line_id": [0] * count,
        "section_id": [0] * count,
        "chord_onset": [0.0, 4.0],
        "chord": ["C", "G"],
        "repeats": repeats,
        "lines": [" ".join(words)],
    }


def test_a_repeat_without_beginning_starts_with_the_tune() -> None:
    assert stretches(["1:repeat-backward"], 0, 3, 1) == [Stretch(0, 2, 0), Stretch(0, 2, 1), Stretch(2, 4, 0)]


def test_a_repeat_is_sung_as_often_as_there_are_verses() -> None:
    found = stretches(["1:repeat-forward", "2:repeat-backward"], 0, 2, 3)
    assert found == [Stretch(0, 1, 0), Stretch(1, 3, 0), Stretch(1, 3, 1), Stretch(1, 3, 2)]


def test_each_time_has_its_ending() -> None:
    signs = [
        "0:repeat-forward", "2:ending-start-1", "2:repeat-backward", "2:ending-stop-1",
        "3:ending-start-2", "3:ending-stop-2",
    ]  # fmt: skip
    assert stretches(signs, 0, 4, 1) == [
        Stretch(0, 2, 0), Stretch(2, 3, 0), Stretch(0, 2, 1), Stretch(3, 4, 1), Stretch(4, 5, 0),
    ]  # fmt: skip


def test_lilypond_names_the_bar_after_the_repeat_and_every_voice_says_it() -> None:
    signs = ["1:REP", "1:REP", "3:REPEND", "3:REPEND", "3:REP", "5:REPEND"]
    expected = [Stretch(1, 3, 0), Stretch(1, 3, 1), Stretch(3, 5, 0), Stretch(3, 5, 1)]
    assert stretches(signs, 1, 4, 1) == expected


@pytest.mark.parametrize(
    ("signs", "reason"),
    [
        (["1:repeat-backward", "0:repeat-forward", "3:repeat-backward"], "overlap"),
        (["9:repeat-backward"], "after the end"),
        (["1:ending-start-1", "2:repeat-backward"], "without beginning or end"),
        (["0:coda"], "unknown sign coda"),
    ],
)
def test_signs_that_do_not_go_together_are_refused(signs: list[str], reason: str) -> None:
    with pytest.raises(RepeatError, match=reason):
        stretches(signs, 0, 3, 1)


def test_the_second_time_sings_the_second_verse_and_borrows_words_it_lacks() -> None:
    signs = ["0:repeat-forward", "1:repeat-backward"]
    first = row("1", ["la", "le", "li", "lo", "end", "ing"], signs)
    second = row("2", ["ma", "me", "", "", "", ""], signs)
    whole = unroll([first, second])
    assert whole["syllable"] == ["la", "le", "li", "lo", "ma", "me", "li", "lo", "end", "ing"]
    assert whole["pitch"] == [60, 61, 62, 63, 60, 61, 62, 63, 64, 65]
    assert whole["onset"] == [2.0 * i for i in range(10)]
    assert whole["beat"] == [0.0, 2.0] * 5
    assert whole["chord_onset"] == [0.0, 4.0, 8.0, 12.0]
    assert (whole["verse"], whole["n_notes"], whole["n_syllables"], whole["repeats"]) == ("1+2", 10, 10, [])
    assert len(set(whole["line_id"])) == 3  # each time round is a line of its own


def test_one_verse_is_sung_twice_to_the_same_words() -> None:
    whole = unroll([row("1", ["la", "", "li", "lo"], ["1:repeat-backward"])])
    assert whole["syllable"] == ["la", "", "li", "lo"] * 2
    assert whole["syllabic"] == [1, 0, 1, 1] * 2


def test_verses_with_other_notes_are_not_joined() -> None:
    signs = ["1:repeat-backward"]
    with pytest.raises(RepeatError, match="different notes"):
        unroll([row("1", ["a"] * 4, signs), row("2", ["b"] * 4, signs, [70, 71, 72, 73])])
