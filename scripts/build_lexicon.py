"""Make `lyrics/data/lexicon/words.tsv`, the words that lyrics are written with, from openly licensed verse.

    scripts/build_lexicon.py --verse verse_songlike.parquet --tokenizer MODEL

A word is kept if at least `--least` poems without "thou" and the like have it and the tokenizer of the language model
has it as one token (it is then usual in today's texts too), or if `added.txt` has it. So are other forms of such words
("sleeps", "shaking", "river's") that `--least-form` poems have. Those of `left_out.txt` never are. Each row has the
word, the poems that have it, and those that have it at the end of a line.
`vectors.safetensors` has what the words mean: the first principal components of their sentence embeddings, in 8 bits.
"""

import argparse
import re
from collections import Counter
from pathlib import Path

from lyrics.cmudict import pronunciations
from lyrics.model_files import write_model_files
from lyrics.verse import is_archaic
from lyrics.writing.words import stem

FOLDER = Path(__file__).parents[1] / "lyrics" / "data" / "lexicon"
_ARCHAIC = re.compile(r"\b(thou|thee|thy|thine|ye|doth|hath|dost|hast|wilt|shalt|'tis|'twas|o'er|e'er|ne'er)\b", re.I)
_COMPONENTS = 96  # keep 67 % of the variance
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")


def main() -> None:
    """Count, choose, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verse", type=Path, required=True, help="a Parquet file with a column `text`")
    parser.add_argument("--tokenizer", required=True, help="folder or hub id of the language model")
    parser.add_argument("--least", type=int, default=12, help="poems that must have a word")
    parser.add_argument("--least-form", type=int, default=8, help="poems that must have another form of such a word")
    options = parser.parse_args()

    import pyarrow.parquet as pq
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(options.tokenizer)
    within: Counter[str] = Counter()
    at_end: Counter[str] = Counter()
    for row in pq.read_table(options.verse).to_pylist():
        if _ARCHAIC.search(row["text"]):
            continue
        lines = [_WORD.findall(line.lower().replace("’", "'")) for line in row["text"].splitlines()]
        within.update({word for line in lines for word in line})
        at_end.update({line[-1] for line in lines if line})
    added, left_out = (_listed(FOLDER / name) for name in ("added.txt", "left_out.txt"))
    usual = {
        word
        for word, count in within.items()
        if count >= options.least and pronunciations(word) and len(tokenizer.encode(f" {word}")) == 1
    }
    chosen = (usual - left_out) | added
    stems = {part for word in chosen for part in _stems(word)}
    forms = {
        word
        for word, count in within.items()
        if count >= options.least_form
        and pronunciations(word)
        and not is_archaic(word)
        and not stems.isdisjoint(_stems(word))
    }
    forms -= chosen | left_out
    words = sorted(chosen | forms)
    rows = [f"{word}\t{within[word]}\t{at_end[word]}" for word in words]
    text = "# word, poems that have it, poems that have it at the end of a line; see CARD.md\n" + "\n".join(rows) + "\n"
    (FOLDER / "words.tsv").write_text(text, encoding="utf-8")
    _write_vectors(words)
    parts = f"{len(usual - left_out):,} of the verse, {len(added - usual):,} more of today, {len(forms):,} more forms"
    print(f"{len(words):,} words: {parts}")


def _stems(word: str) -> set[str]:
    """Return what other forms of a word may have in common with it: "hurri" and "hurry", "stop" and "stopp"."""
    short = stem(word)
    found = {short, short.removesuffix("e")}
    if short.endswith("i"):
        found.add(short[:-1] + "y")
    if len(short) > 3 and short[-1] == short[-2]:
        found.add(short[:-1])
    return found


def _write_vectors(words: list[str]) -> None:
    import numpy as np
    from safetensors.numpy import save

    from lyrics.embedding import embed

    embeddings = embed(words)
    mean = embeddings.mean(0)
    centred = embeddings - mean
    components = np.linalg.svd(centred, full_matrices=False)[2][:_COMPONENTS]
    vectors = centred @ components.T
    scaled = np.round(127 * vectors / np.abs(vectors).max(1, keepdims=True)).astype(np.int8)
    tensors = {"vectors": scaled, "mean": mean, "components": components.astype(np.float16)}
    write_model_files(FOLDER, {"vectors.safetensors": save(tensors)})


def _listed(path: Path) -> set[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return {word for line in lines if not line.startswith("#") for word in line.split()}


if __name__ == "__main__":
    main()
