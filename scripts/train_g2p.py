"""Train the grapheme-to-phoneme model on CMUdict: align letters with phones by EM, then fit the n-grams.

    python scripts/train_g2p.py [--part tuning|held-out] [--keep 250000] [--out lyrics/data/g2p]

Writes `alignment.json` (also used to divide spellings), `model.safetensors` and `config.json`, and prints the model's
SHA-256 and its scores. `--part tuning`, the default, trains on eight tenths of the words and scores the second tenth;
`--part held-out` trains on nine tenths, as the shipped model, and scores the first. Words are split by inflection
family, so that no form of a held-out word is trained on. Nothing is random: the same dictionary gives the same bytes.
"""

import argparse
import hashlib
import json
import math
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lyrics import g2p, spelling
from lyrics.cmudict import DICTIONARY
from lyrics.model_files import write_model_files
from lyrics.syllable import count_syllables

Graphone = tuple[str, str]  # a letter and its phones, joined by spaces
Hashes = NDArray[np.uint64]
Floats = NDArray[np.float64]
LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Entry(NamedTuple):
    """A word and one way to say it."""

    word: str
    phones: tuple[str, ...]


def family(word: str) -> str:
    """Crude stem that the inflections and the commonest derivations of a word share.

    >>> family("running") == family("runs") == family("runners")
    True
    """
    stem = word
    for _ in range(3):
        shorter = re.sub(r"(?:s|es|ing|ed|er|or|est|ly|ness|less|ful|able|ment|ism|ist|en|ie|y|e|i|man)$", "", stem)
        if len(shorter) < 3 or shorter == stem:
            break
        stem = shorter
    return re.sub(r"([b-df-hj-np-tv-z])\1$", r"\1", stem)


def fold_of(word: str) -> int:
    """Return the tenth of the vocabulary that a word belongs to with its family: 0 is held out, 1 tunes."""
    return int(hashlib.sha256(family(word).encode()).hexdigest(), 16) % 10


def read_dictionary() -> dict[str, list[tuple[str, ...]]]:
    """All words of letters alone with their pronunciations."""
    words: dict[str, list[tuple[str, ...]]] = {}
    for line in DICTIONARY.read_text(encoding="utf-8").splitlines():
        word, *entries = line.split("\t")
        if re.fullmatch("[a-z]{2,}", word):
            sung = [tuple(entry.split()) for entry in entries]
            words[word] = [phones for phones in sung if count_syllables(phones)]
    return {word: entries for word, entries in words.items() if entries}


# --- letters to phones: EM over monotone alignments, each letter giving zero, one or two phones -----------------------


def fit_alignment(entries: list[Entry], iterations: int = 12) -> dict[str, dict[str, float]]:
    """Estimate log P(phones | letter); phones without stress, joined by spaces, "" for a silent letter."""
    symbols = sorted({phone.rstrip("012") for entry in entries for phone in entry.phones})
    index = {symbol: i for i, symbol in enumerate(symbols)}
    size = len(symbols)

    # what a letter may give: 0 nothing, 1 + p one phone, 1 + size + p * size + q two phones
    width = 1 + size + size * size

    def add(counts: Floats, places: NDArray[np.int64], values: Floats) -> None:
        counts += np.bincount(places.ravel(), values.ravel(), len(counts))

    groups: dict[tuple[int, int], list[tuple[list[int], list[int]]]] = defaultdict(list)
    for word, phones in entries:
        if math.ceil(len(phones) / 2) <= len(word):
            groups[len(word), len(phones)].append(
                ([ord(c) - 97 for c in word], [index[phone.rstrip("012")] for phone in phones])
            )
    batches = [(np.array([w for w, _ in rows]), np.array([p for _, p in rows])) for _, rows in sorted(groups.items())]
    probabilities = np.full((26, width), 1.0)
    probabilities[:, 0] = 20.0  # start: silence likely, two phones unlikely
    probabilities[:, 1 : 1 + size] = 10.0
    probabilities[:, 1 + size :] = 0.02
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    for iteration in range(iterations):
        counts = np.full(26 * width, 1e-9)
        total = 0.0
        for letters, sounds in batches:
            n, num_letters = letters.shape
            num_phones = sounds.shape[1]
            one = 1 + sounds
            two = 1 + size + sounds[:, :-1] * size + sounds[:, 1:]
            forward = np.zeros((num_letters + 1, n, num_phones + 1))
            forward[0, :, 0] = 1.0
            emit = []
            for t in range(num_letters):
                letter = letters[:, t]
                p0, p1 = probabilities[letter, 0], probabilities[letter[:, None], one]
                p2 = probabilities[letter[:, None], two] if num_phones > 1 else np.zeros((n, 0))
                emit.append((p0, p1, p2))
                forward[t + 1] += forward[t] * p0[:, None]
                forward[t + 1, :, 1:] += forward[t, :, :-1] * p1
                if num_phones > 1:
                    forward[t + 1, :, 2:] += forward[t, :, :-2] * p2
            likelihood = forward[num_letters, :, num_phones]
            total += float(np.log(likelihood).sum())
            backward = np.zeros((n, num_phones + 1))
            backward[:, num_phones] = 1 / likelihood
            for t in range(num_letters - 1, -1, -1):
                letter = letters[:, t]
                p0, p1, p2 = emit[t]
                base = letter[:, None] * width
                add(counts, base, (forward[t] * p0[:, None] * backward).sum(axis=1, keepdims=True))
                add(counts, base + one, forward[t, :, :-1] * p1 * backward[:, 1:])
                before = backward * p0[:, None]
                before[:, :-1] += p1 * backward[:, 1:]
                if num_phones > 1:
                    add(counts, base + two, forward[t, :, :-2] * p2 * backward[:, 2:])
                    before[:, :-2] += p2 * backward[:, 2:]
                backward = before
        counts_by_letter = counts.reshape(26, width)
        probabilities = counts_by_letter / counts_by_letter.sum(axis=1, keepdims=True)
        print(f"alignment, iteration {iteration + 1}: {total / len(entries):.3f} nats per word", flush=True)
    table: dict[str, dict[str, float]] = {}
    for number in range(26):
        row: dict[str, float] = {}
        for chunk in np.flatnonzero(probabilities[number] > 2e-5).tolist():
            first, second = divmod(int(chunk) - 1 - size, size)
            name = "" if chunk == 0 else symbols[chunk - 1] if chunk <= size else f"{symbols[first]} {symbols[second]}"
            row[name] = round(math.log(probabilities[number, chunk]), 3)
        table[LETTERS[number]] = row
    return table


# --- n-grams of graphones ---------------------------------------------------------------------------------------------


class Ngrams(NamedTuple):
    """The different n-grams of one length, in the order of their hashes."""

    hashes: Hashes
    counts: NDArray[np.int64]
    contexts: Hashes  # hash of each without its last graphone
    suffixes: Hashes  # hash of each without its first
    initial: NDArray[np.bool_]  # whether it begins at the word boundary
    last: NDArray[np.int64]  # number of its last graphone


def count_ngrams(words: list[list[int]]) -> list[Ngrams]:
    """Count the n-grams of all lengths; `words` are graphone numbers, boundaries included, in reading order."""
    flat = np.concatenate([np.array(word, np.uint64) for word in words])
    place = np.concatenate([np.arange(len(word)) for word in words])
    found = []
    for n in range(1, g2p.ORDER + 1):
        ends = np.flatnonzero(place >= n - 1)

        def hashed(first: int, last: int, ends: NDArray[np.intp] = ends) -> Hashes:
            hashes = np.zeros(len(ends), np.uint64)
            for back in range(first, last, -1):
                hashes = g2p.extend(hashes, flat[ends - back])
            return hashes

        hashes, index, counts = np.unique(hashed(n - 1, -1), return_index=True, return_counts=True)
        contexts, suffixes = hashed(n - 1, 0)[index], hashed(n - 2, -1)[index]
        ends = ends[index]
        found.append(Ngrams(hashes, counts, contexts, suffixes, place[ends] == n - 1, flat[ends].astype(np.int64)))
    return found


class Smoothed(NamedTuple):
    """N-grams of one length with interpolated probabilities."""

    hashes: Hashes
    probability: Floats
    lower: Floats  # probability of the suffix
    weight: Floats  # what leaving the n-gram out costs, in nats over the training words
    context: NDArray[np.intp]  # index into contexts
    contexts: Hashes


def smooth(ngrams: list[Ngrams]) -> list[Smoothed]:
    """Interpolated modified Kneser-Ney smoothing (Chen and Goodman, 1998)."""
    levels: list[Smoothed] = []
    for n, (hashes, raw, contexts, suffixes, initial, last) in enumerate(ngrams, 1):
        counts = raw.astype(float)
        if n < len(ngrams):  # how many graphones come before it, not how often it comes
            seen, times = np.unique(ngrams[n].suffixes, return_counts=True)
            places = np.minimum(np.searchsorted(seen, hashes), len(seen) - 1)
            counts = np.where(initial, counts, np.where(seen[places] == hashes, times[places], 0))
        keep = last != g2p.BOUNDARY if n == 1 else np.ones(len(hashes), bool)
        hashes, counts, contexts, suffixes, raw = (a[keep] for a in (hashes, counts, contexts, suffixes, raw))
        n1, n2, n3, n4 = (float(max(1, (counts == times).sum())) for times in (1, 2, 3, 4))
        y = n1 / (n1 + 2 * n2)
        discounts = np.clip([0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3], 0, None)
        discount = np.minimum(discounts[np.minimum(counts, 3).astype(int)], counts)
        unique, context = np.unique(contexts, return_inverse=True)
        total = np.bincount(context, counts)
        left = np.bincount(context, discount) / total
        if n == 1:
            lower = np.full(len(hashes), 1 / len(hashes))
        else:
            lower = levels[-1].probability[np.searchsorted(levels[-1].hashes, suffixes)]
        probability = (counts - discount) / total[context] + left[context] * lower
        weight = raw * (np.log(probability) - np.log(left[context] * lower))
        levels.append(Smoothed(hashes, probability, lower, weight, context, unique))
    return levels


def pack(levels: list[Smoothed], keep: int) -> dict[str, NDArray[Any]]:
    """Keep the unigrams and the `keep` longer n-grams that matter most; reckon the back-off weights; quantise."""
    weights = np.concatenate([level.weight for level in levels[1:]])
    least = np.sort(weights)[-min(keep, len(weights))]
    tensors: dict[str, NDArray[Any]] = {}
    for n, level in enumerate(levels, 1):
        kept = level.weight >= (least if n > 1 else -np.inf)
        size = len(level.contexts)
        taken = np.bincount(level.context[kept], level.probability[kept], size)
        below = np.bincount(level.context[kept], level.lower[kept], size)
        backoff = np.log(np.maximum(1 - taken, 1e-6) / np.maximum(1 - below, 1e-6))
        used = np.bincount(level.context[kept], minlength=size) > 0
        keys, first = np.unique(g2p.stored(level.hashes[kept]), return_index=True)
        values = -np.log(level.probability[kept][first]) / g2p.STEP
        contexts, first_context = np.unique(g2p.stored(level.contexts[used]), return_index=True)
        backoffs = (g2p.BACKOFF_SHIFT - backoff[used][first_context]) / g2p.STEP
        tensors[f"keys{n}"], tensors[f"contexts{n}"] = keys, contexts
        tensors[f"values{n}"] = np.clip(np.round(values), 0, 255).astype(np.uint8)
        tensors[f"backoffs{n}"] = np.clip(np.round(backoffs), 0, 255).astype(np.uint8)
    return tensors


# --- scores --------------------------------------------------------------------------------------------------------


def distance(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """Levenshtein distance between two phone sequences."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1]


def score(words: dict[str, list[tuple[str, ...]]], model: g2p.Model) -> dict[str, float]:
    """Score guesses against the nearest pronunciation of the dictionary; all values are shares from 0 to 1.

    `phone_error` and `word` ignore stress digits; `word_with_stress` does not. `primary` is the share of words of
    two or more syllables, their number guessed right, whose primary stress lies on the right syllable.
    """
    sums: Counter[str] = Counter()
    for word, entries in words.items():
        found = g2p.guess(word, model)
        plain = tuple(phone.rstrip("012") for phone in found)
        references = [tuple(phone.rstrip("012") for phone in phones) for phones in entries]
        distances = [distance(plain, reference) for reference in references]
        nearest = min(range(len(entries)), key=lambda i: distances[i])
        sums["errors"] += distances[nearest]
        sums["phones"] += len(references[nearest])
        sums["word"] += distances[nearest] == 0
        sums["word_with_stress"] += found in entries
        same = [phones for phones in entries if count_syllables(phones) == count_syllables(found)]
        sums["syllables"] += bool(same)
        if same and count_syllables(found) > 1:
            sums["stressed"] += 1
            sums["primary"] += any(primary_place(found) == primary_place(phones) for phones in same)
    return {
        "words": len(words),
        "phone_error": sums["errors"] / sums["phones"],
        "word": sums["word"] / len(words),
        "word_with_stress": sums["word_with_stress"] / len(words),
        "syllables": sums["syllables"] / len(words),
        "primary": sums["primary"] / sums["stressed"],
    }


def primary_place(phones: tuple[str, ...]) -> int:
    """Index of the syllable with primary stress."""
    digits = [phone[-1] for phone in phones if phone[-1].isdigit()]
    return digits.index("1") if "1" in digits else -1


def main() -> None:
    """Train, write the model, print its scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=["tuning", "held-out"], default="tuning", help="what to keep apart and score")
    parser.add_argument("--keep", type=int, default=250_000, help="n-grams longer than one")
    parser.add_argument("--rare", type=int, default=4, help="graphones seen less often are slips of the dictionary")
    parser.add_argument("--out", type=Path, default=g2p.FOLDER)
    parser.add_argument("--alignment", type=Path, default=spelling.DATA / "alignment.json")
    options = parser.parse_args()

    from safetensors.numpy import save

    words = read_dictionary()
    final = options.part == "held-out"
    known = {word: entries for word, entries in words.items() if fold_of(word) > (0 if final else 1)}
    # The alignment also divides spellings, so it is always that of the nine tenths.
    table = fit_alignment([Entry(word, entries[0]) for word, entries in words.items() if fold_of(word)])
    options.alignment.parent.mkdir(parents=True, exist_ok=True)
    options.alignment.write_text(json.dumps(table), encoding="utf-8")
    spelling.alignment.cache_clear()

    drafts: list[list[Graphone]] = []
    for word, entries in known.items():
        for phones in entries:
            if len(phones) <= 2 * len(word):
                spans = spelling.align(word, phones)
                drafts.append(
                    [(letter, " ".join(phones[start:end])) for letter, (start, end) in zip(word, spans, strict=True)]
                )
    times = Counter(graphone for draft in drafts for graphone in draft)
    graphones = sorted(graphone for graphone, count in times.items() if count >= options.rare)
    numbers = {graphone: number for number, graphone in enumerate(graphones, 2)}
    sequences = [
        [g2p.BOUNDARY, *(numbers[graphone] for graphone in reversed(draft)), g2p.START]
        for draft in drafts
        if all(graphone in numbers for graphone in draft)
    ]
    print(f"{len(sequences)} pronunciations, {len(graphones)} graphones, {len(drafts) - len(sequences)} left out")
    data = save(pack(smooth(count_ngrams(sequences)), options.keep))
    config = {"order": g2p.ORDER, "keep": options.keep, "rare": options.rare, "graphones": graphones}
    content = (json.dumps(config) + "\n").encode()
    write_model_files(options.out, {"model.safetensors": data, "config.json": content})
    scored = {word: entries for word, entries in words.items() if fold_of(word) == (0 if final else 1)}
    for name, value in score(scored, g2p.load(options.out)).items():
        print(f"{name}: {value:.4f}")


if __name__ == "__main__":
    main()
