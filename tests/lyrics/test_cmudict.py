import random

from lyrics.cmudict import DICTIONARY, pronunciations
from lyrics.syllable import PHONES


def test_every_line_of_the_dictionary_is_found() -> None:
    lines = DICTIONARY.read_text(encoding="utf-8").splitlines()
    chosen = [lines[0], lines[-1], *random.Random(0).sample(lines, 2000)]
    for line in chosen:
        word, *entries = line.split("\t")
        assert pronunciations(word) == tuple(tuple(entry.split()) for entry in entries)


def test_unknown_words_have_no_pronunciation() -> None:
    for word in ("", "!", "aaaaaab", "zzzzzzzz", "hello\tworld", "éé", "hello\n"):
        assert pronunciations(word) == ()


def test_the_words_are_sorted_as_the_look_up_needs_them() -> None:
    words = [line.split(b"\t")[0] for line in DICTIONARY.read_bytes().splitlines()]
    assert words == sorted(words)


def test_all_phones_are_arpabet() -> None:
    phones = {
        phone.rstrip("012")
        for line in DICTIONARY.read_text(encoding="utf-8").splitlines()
        for entry in line.split("\t")[1:]
        for phone in entry.split()
    }
    assert phones == PHONES
