"""What will be hard to sing, read off the sounds before there is a melody.

The last stressed syllable of a line is the one that is held, and often the highest. Open vowels carry there, clusters
of consonants stop the sound; the same onsets in a row trip the tongue, and a phrase must end before the breath does.
The limits are set by hand.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from lyrics.document import Line, Syllable, Word

_LONG_LINE = 15  # syllables sung without a mark to breathe at: some seven seconds at a moderate tempo
_CLUSTER = 3  # consonants after the vowel of a held syllable ("strengths", "world's")
_SEAM = 5  # consonants between two vowels across words ("asks strength")
_TRIPS = 4  # words in a row that begin alike
_CLOSED = frozenset(("IH", "UH"))  # short, closed vowels that lose their colour when held
_BREATHS = ",;:.!?—–…"


@dataclass(frozen=True, slots=True)
class Warning:
    """Something that is hard to sing."""

    kind: str  # "held cluster", "closed vowel", "tongue-twister", "crowded seam" or "no breath"
    line: int  # in the source text, from 1
    words: str  # the words it is about
    suggestion: str


def find_warnings(lines: Sequence[Line]) -> tuple[Warning, ...]:
    """Find what is hard to sing in lines, in their order."""
    return tuple(warning for line in lines for warning in _line(line))


def _line(line: Line) -> list[Warning]:
    warnings: list[Warning] = []
    held = _held(line)
    if held is not None:
        word, syllable = held
        vowel = next((phone for phone in syllable.phones if phone[-1].isdigit()), "")
        place = syllable.phones.index(vowel) if vowel else 0
        coda = syllable.phones[place + 1 :]
        if len(coda) >= _CLUSTER:
            warnings.append(
                Warning(
                    "held cluster",
                    line.number,
                    word.text,
                    f"{len(coda)} consonants close the note that is held; end on a word with a more open sound",
                )
            )
        elif vowel.rstrip("012") in _CLOSED and coda and coda[-1] in ("P", "T", "K", "B", "D", "G", "CH", "JH"):
            warnings.append(
                Warning(
                    "closed vowel",
                    line.number,
                    word.text,
                    "a short vowel that a stop cuts off stands where the note is held; long vowels (day, sky) carry",
                )
            )
    run = _same_onsets(line)
    if run:
        warnings.append(
            Warning(
                "tongue-twister",
                line.number,
                " ".join(word.text for word in run),
                "words in a row begin alike; change one of them, or sing it slowly",
            )
        )
    for first, second in pairwise(line.words):
        size = _after(first) + _before(second)
        if size >= _SEAM and not set(first.suffix) & set(_BREATHS):
            warnings.append(
                Warning(
                    "crowded seam",
                    line.number,
                    f"{first.text} {second.text}",
                    f"{size} consonants between two vowels; put a word that begins with a vowel after {first.text!r}",
                )
            )
    longest = _longest_phrase(line)
    if longest > _LONG_LINE:
        warnings.append(
            Warning(
                "no breath",
                line.number,
                line.text,
                f"{longest} syllables without a place to breathe; break the line, or set a comma",
            )
        )
    return warnings


def _held(line: Line) -> tuple[Word, Syllable] | None:
    """Return the last stressed syllable, with its word, if it is the last of the line or before a weak one."""
    for word in reversed(line.words):
        if word.backing:
            continue
        for syllable in reversed(word.syllables):
            if syllable.stress or len(word.syllables) == 1:
                return word, syllable
    return None


def _same_onsets(line: Line) -> tuple[Word, ...]:
    """Return the longest run of different content words that begin with the same cluster, if it is long enough."""
    best: list[Word] = []
    run: list[Word] = []
    for word in line.words:
        if not word.content:
            continue
        onset = _onset(word)
        if run and onset and onset == _onset(run[-1]) and word.text.lower() != run[-1].text.lower():
            run.append(word)
        else:
            run = [word]
        if len(run) > len(best):
            best = list(run)
    return tuple(best) if len(best) >= _TRIPS else ()


def _onset(word: Word) -> tuple[str, ...]:
    phones = word.syllables[0].phones
    return phones[: next((index for index, phone in enumerate(phones) if phone[-1].isdigit()), 0)]


def _after(word: Word) -> int:
    phones = word.syllables[-1].phones
    return next((index for index, phone in enumerate(reversed(phones)) if phone[-1].isdigit()), len(phones))


def _before(word: Word) -> int:
    return len(_onset(word))


def _longest_phrase(line: Line) -> int:
    longest = count = 0
    for word in line.words:
        count += len(word.syllables)
        longest = max(longest, count)
        if set(word.suffix) & set(_BREATHS):
            count = 0
    return longest
