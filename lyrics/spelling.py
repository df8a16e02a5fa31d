"""Letters of a word divided among its syllables, as engravers print them under the notes: `beau-ti-ful`.

Letters are aligned with phones, so that it is known which letters spell each vowel. Between the vowels of two
neighbouring syllables, a log-linear model picks the cut; it has learned the habits of printed music (doubled
consonants part, suffixes stay whole, `fa-ther` but `riv-er`) from public-domain songs in scripts/train_splitting.py.
"""

import json
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

from lyrics.cmudict import pronunciations
from lyrics.syllable import syllabify

DATA = Path(__file__).parent / "data" / "spelling"
_UNSEEN = -12.0  # log probability of a letter sounding as it never did in training, for each phone
_VOWEL_LETTERS = frozenset("aeiouy")
_LAX = frozenset(("AE", "AH", "EH", "IH", "UH"))  # short vowels, which like a consonant after them: "riv-er"
_SHORT = _LAX - {"UH"}
_DIGRAPHS = frozenset(("th", "sh", "ch", "ph"))


@cache
def alignment() -> dict[str, dict[str, float]]:
    """Log P(phones | letter), learned by EM on CMUdict in scripts/train_g2p.py; phones without stress digits."""
    table: dict[str, dict[str, float]] = json.loads((DATA / "alignment.json").read_text(encoding="utf-8"))
    return table


@cache
def cut_weights() -> dict[str, int]:
    """Weights of the cut model by feature, in hundredths."""
    weights: dict[str, int] = json.loads((DATA / "cuts.json").read_text(encoding="utf-8"))
    return weights


@cache
def printed() -> dict[str, str]:
    """Words that songs print otherwise than the model divides them: letters and syllable count to parts."""
    table: dict[str, str] = json.loads((DATA / "printed.json").read_text(encoding="utf-8"))
    return table


def split(letters: str, phones: Sequence[str], seam: int = 0) -> tuple[str, ...]:
    """Divide the letters a-z of a word among the syllables of its pronunciation; every part has a letter.

    There is one part per vowel, unless the word has fewer letters than vowels: then one per letter. `seam`, if not 0,
    is the number of letters of a compound's first word; a cut falls there.

    >>> split("beautiful", "B Y UW1 T AH0 F AH0 L".split())
    ('beau', 'ti', 'ful')
    """
    count = sum(phone[-1].isdigit() for phone in phones)
    if count < 2:
        return (letters,)
    listed = printed().get(f"{letters}{count}")
    if listed is not None:
        return tuple(listed.split("-"))
    weights = cut_weights()
    cuts = [0]
    gaps = find_gaps(letters, phones)
    if gaps is None:
        return _even(letters, min(count, len(letters)))
    for gap in gaps:
        candidates = range(max(gap.low, cuts[-1]) + 1, gap.high + 1)
        if seam in candidates:
            cuts.append(seam)
        else:
            cuts.append(max(candidates, key=lambda cut: sum(weights.get(name, 0) for name in gap.features(cut))))
    return tuple(letters[start:end] for start, end in pairwise([*cuts, len(letters)]))


def _even(letters: str, count: int) -> tuple[str, ...]:
    bounds = [round(index * len(letters) / count) for index in range(count + 1)]
    return tuple(letters[start:end] for start, end in pairwise(bounds))


class Gap:
    """The stretch between the vowels of two neighbouring syllables, where the cut must fall."""

    __slots__ = ("_after", "_before", "_chunks", "_letters", "_onset", "high", "low")

    def __init__(
        self, letters: str, chunks: list[str], low: int, high: int, onset: int, before: str, after: str
    ) -> None:
        """Keep what the features need; `before` and `after` are the vowels (phones) on either side."""
        self._letters, self._chunks = letters, chunks
        self.low, self.high = low, high  # letters of the two vowels: a cut may fall before low + 1, ..., high
        self._onset = onset  # letter at which the next syllable begins by maximal onset
        self._before, self._after = before, after

    @property
    def closed(self) -> bool:
        """Whether one consonant follows a short stressed vowel: dictionaries close such syllables ("heav-en")."""
        middle = self._letters[self.low + 1 : self.high].lstrip("aeiouy")
        return self._before[:-1] in _SHORT and self._before[-1] == "1" and (len(middle) == 1 or middle in _DIGRAPHS)

    def features(self, cut: int) -> list[str]:
        """Names of the features of a cut before letter `cut`; the first character is the template."""
        letters, chunks, before = self._letters, self._chunks, self._before
        left, right = letters[:cut], letters[cut:]
        l4, r4 = ("^^^^" + left)[-4:], (right + "$$$$")[:4]
        middle = letters[self.low + 1 : self.high]
        at = str(cut - self.low - 1)
        shape = _shape(middle) + at
        drift = str(max(-3, min(3, cut - self._onset)))
        length = "L" if before[:-1] in _LAX else "T"
        known_left = "+" if len(left) > 3 and pronunciations(left) else "-"
        known_right = "+" if len(right) > 3 and pronunciations(right) else "-"
        names = [
            f"a{middle}{at}",
            f"b{letters[self.low]}{middle}{letters[self.high]}{at}",
            f"c{before}{at}{min(len(middle), 4)}",
            f"d{before}{middle}{at}",
            f"e{l4[3]}{r4[0]}",
            f"f{l4[2:]}{r4[:2]}",
            f"g{l4[2:]}{r4[0]}",
            f"h{l4[3]}{r4[:2]}",
            f"i{l4[1:]}{r4[0]}",
            f"j{l4[3]}{r4[:3]}",
            f"k{l4[1:]}",
            f"l{r4[:3]}",
            f"m{l4}",
            f"n{r4}",
            f"o{l4[1:]}{r4[:3]}",
            f"p{shape}",
            f"q{length}{before[-1]}{shape}",
            f"r{drift}",
            f"s{drift}{before}",
            f"t{drift}{length}{self._after[-1]}{before[-1]}",
            f"u{chunks[cut - 1]}|{chunks[cut]}",
            f"v{chunks[cut]}|{r4[:2]}",
            f"w{l4[2:]}|{chunks[cut]}",
            f"x{drift}{shape}{length}",
            f"y{'=' if l4[3] == r4[0] else '/'}{'.' if chunks[cut - 1] else ' '}{'.' if chunks[cut] else ' '}",
            f"z{'=' if l4[3] == r4[0] else '/'}{_shape(l4[2:])}{_shape(r4[:2])}",
            f"0{'=' if l4[3] == r4[0] else '/'}{before[:-1]}{chunks[cut - 1]}",
            f"A{known_left}{known_right}",
            f"B{known_left}{known_right}{drift}",
            f"C{known_left}{right[:6]}",
            f"D{left[:6]}{known_right}",
        ]
        if len(right) <= 6:
            names += (f"R{right}", f"S{right}|{l4[2:]}")
        if len(left) <= 6:
            names.append(f"L{left}")
        return names


def _shape(middle: str) -> str:
    """Write letters as v (vowel), c (consonant) or d (the one before, doubled)."""
    return "".join(
        "v" if letter in _VOWEL_LETTERS else "d" if index and middle[index - 1] == letter else "c"
        for index, letter in enumerate(middle)
    )


def find_gaps(letters: str, phones: Sequence[str]) -> list[Gap] | None:
    """Find the gaps between the syllables of a word, None where letters and vowels cannot be matched."""
    if len(phones) > 2 * len(letters):
        return None
    spans = align(letters, phones)
    vowels = [(index, phone) for index, phone in enumerate(phones) if phone[-1].isdigit()]
    owner = [0] * len(phones)  # letter that sounds each phone
    for letter, (start, end) in enumerate(spans):
        owner[start:end] = [letter] * (end - start)
    nuclei: list[int] = []
    for index, _ in vowels:
        letter = owner[index]
        if letters[letter] not in _VOWEL_LETTERS:  # "er", "arr" sound as one phone, given to an r: the vowel before it
            place, floor = letter, nuclei[-1] + 1 if nuclei else 0
            while place > floor and spans[place - 1][0] == spans[place - 1][1]:
                place -= 1
                if letters[place] in _VOWEL_LETTERS:
                    letter = place
        if nuclei and letter <= nuclei[-1]:
            return None
        nuclei.append(letter)
    chunks = [" ".join(phone.rstrip("012") for phone in phones[start:end]) for start, end in spans]
    gaps, start = [], 0
    for number, syllable in enumerate(syllabify(phones)[:-1]):
        start += len(syllable)
        gaps.append(
            Gap(
                letters,
                chunks,
                nuclei[number],
                nuclei[number + 1],
                owner[start],
                vowels[number][1],
                vowels[number + 1][1],
            )
        )
    return gaps


def align(letters: str, phones: Sequence[str]) -> list[tuple[int, int]]:
    """Give each letter a-z its phones, none, one or two, as (start, end) indices into `phones`.

    The most probable monotone alignment (Viterbi). Raises ValueError if there are too few letters.

    >>> align("wish", ["W", "IH1", "SH"])
    [(0, 1), (1, 2), (2, 3), (3, 3)]
    """
    num_letters, num_phones = len(letters), len(phones)
    if num_phones > 2 * num_letters:
        raise ValueError(f"{letters!r} has too few letters for {' '.join(phones)}")
    table = alignment()
    one = [phone.rstrip("012") for phone in phones]
    two = [f"{first} {second}" for first, second in pairwise(one)]
    nothing = float("-inf")
    scores = [0.0] + [nothing] * num_phones
    steps = []
    for t, letter in enumerate(letters):
        row = table[letter]
        silent = row.get("", _UNSEEN)
        low, high = max(0, num_phones - 2 * (num_letters - t - 1)), min(num_phones, 2 * (t + 1))
        new, taken = [nothing] * (num_phones + 1), [0] * (num_phones + 1)
        for j in range(low, high + 1):
            best, step = scores[j] + silent, 0
            if j:
                score = scores[j - 1] + row.get(one[j - 1], _UNSEEN)
                if score > best:
                    best, step = score, 1
                if j > 1:
                    score = scores[j - 2] + row.get(two[j - 2], 2 * _UNSEEN)
                    if score > best:
                        best, step = score, 2
            new[j], taken[j] = best, step
        scores = new
        steps.append(taken)
    spans, end = [], num_phones
    for taken in reversed(steps):
        spans.append((end - taken[end], end))
        end -= taken[end]
    return spans[::-1]
