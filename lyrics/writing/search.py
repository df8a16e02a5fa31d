"""Lines under hard constraints, word by word: only words that fit are ever offered to the language model.

A candidate is a walk through a tree of tokens. At every step it may take only tokens that lead to a word with which the
line can still end exactly: on its last syllable, on the word asked for, with stressed syllables where the metre has its
beats. What the model says decides among those; whatever it says, the line fits.
"""

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lyrics.lm import LanguageModel, Prefix
from lyrics.writing.words import SungWord

METRES = ("free", "iambic", "trochaic")


def fits_metre(stress: str, used: int, metre: str) -> bool:
    """Whether a word of this stress may begin at a syllable (from 0) of a line in a metre.

    In longer words the main stress bears a beat, and its unstressed neighbours bear none; words of one syllable bend.

    >>> fits_metre("010", 0, "iambic"), fits_metre("10", 0, "iambic"), fits_metre("10", 0, "trochaic")
    (True, False, True)
    """
    if metre == "free" or len(stress) == 1:
        return True
    beat = 1 if metre == "iambic" else 0
    for index, digit in enumerate(stress):
        strong = (used + index) % 2 == beat
        if digit == "1" and not strong:
            return False
        if digit == "0" and strong and "1" in stress[max(0, index - 1) : index + 2]:
            return False
    return True


@dataclass(frozen=True, slots=True)
class Candidate:
    """A line that fits."""

    words: tuple[int, ...]  # numbers in the vocabulary
    commas: frozenset[int]  # positions of words that a comma follows
    tokens: tuple[int, ...]
    log_probs: tuple[float, ...]  # of each token, given what stands before it
    log_end: float  # of a line end after the last one


class _Tree:
    """Words by their tokens."""

    def __init__(self) -> None:
        self.children: list[dict[int, int]] = [{}]
        self.word = [-1]  # the word that ends at a node
        self.parent = [-1]
        self.kinds: list[set[int]] = [set()]  # of the words at a node and below

    def add(self, tokens: Sequence[int], word: int, kind: int) -> int:
        """Add a word; return its node."""
        node = 0
        self.kinds[0].add(kind)
        for token in tokens:
            child = self.children[node].get(token)
            if child is None:
                child = len(self.children)
                self.children[node][token] = child
                self.children.append({})
                self.word.append(-1)
                self.parent.append(node)
                self.kinds.append(set())
            node = child
            self.kinds[node].add(kind)
        if self.word[node] < 0:
            self.word[node] = word
        return node


_START, _INSIDE = 0, 1  # the trees: a line's first word has a capital letter


class Vocabulary:
    """The words to write with, and how the language model writes them at the start of a line and inside it."""

    def __init__(self, words: Sequence[SungWord], model: LanguageModel, left_out: Container[str] = ()) -> None:
        """Encode all words; those left out (in lower case) keep their numbers and stand in no line."""
        self.words = tuple(words)
        self.number = {word.text.lower(): index for index, word in reversed(list(enumerate(self.words)))}
        self.stresses = sorted({word.stress for word in words})
        kinds = {stress: index for index, stress in enumerate(self.stresses)}
        self.kind = [kinds[word.stress] for word in words]
        encode = model.tokenizer
        texts = [word.text for word in words]
        starts = encode([" " + text[0].upper() + text[1:] for text in texts], add_special_tokens=False)["input_ids"]
        inside = encode([" " + text for text in texts], add_special_tokens=False)["input_ids"]
        self.trees = (_Tree(), _Tree())
        self.nodes: list[tuple[int, int]] = []
        self.inside_tokens: list[tuple[int, ...]] = [tuple(tokens) for tokens in inside]
        self.start_tokens: list[list[int]] = [list(tokens) for tokens in starts]
        for index, pair in enumerate(zip(starts, inside, strict=True)):
            if texts[index].lower() in left_out:
                self.nodes.append((0, 0))
                continue
            first, later = (
                tree.add(tokens, index, self.kind[index]) for tree, tokens in zip(self.trees, pair, strict=True)
            )
            self.nodes.append((first, later))
        comma = encode([","], add_special_tokens=False)["input_ids"][0]
        self.comma = comma[0] if len(comma) == 1 else None
        marks = encode(["\n", ".", "!", "?", ";"], add_special_tokens=False)["input_ids"]
        self.ends = np.array(sorted({tokens[0] for tokens in marks if len(tokens) == 1} | {model.newline}))

    def text(self, candidate: Candidate) -> str:
        """Write a line."""
        commas = candidate.commas
        parts = [self.words[word].text + "," * (place in commas) for place, word in enumerate(candidate.words)]
        line = " ".join(parts)
        return line[0].upper() + line[1:]


_State = tuple[int, int, int]  # tree, node, syllables before the word


@dataclass(frozen=True, slots=True)
class _Options:
    tokens: NDArray[np.int64]  # allowed next tokens
    states: list[_State]
    finished: list[int]  # the word that each of them completes, -1 if none
    comma: int  # position of the comma among them, -1 if none
    ending: bool  # whether every one of them begins the last word
    final: int  # the word that ends the line here, -1 if none


class LineSearch:
    """Finds candidates for a line of so many syllables that ends on one of some words."""

    def __init__(self, vocabulary: Vocabulary, num_syllables: int, metre: str, ends: Sequence[int]) -> None:
        """Take the numbers of the end words; those that do not fit are passed over."""
        self.vocabulary = vocabulary
        self.num_syllables = num_syllables
        self.metre = metre
        words = vocabulary.words
        self.ends = {word for word in ends if self.may_end(words[word])}
        self._least = min((words[word].num_syllables for word in self.ends), default=1)
        self._toward: tuple[dict[int, set[int]], ...] = ({}, {})  # nodes on the way to end words: their syllables
        for word in self.ends:
            for tree, place in enumerate(vocabulary.nodes[word]):
                node = place
                while node >= 0:
                    self._toward[tree].setdefault(node, set()).add(words[word].num_syllables)
                    node = vocabulary.trees[tree].parent[node]
        self._inside = [self._kinds_inside(used) for used in range(num_syllables + 1)]
        self._options: dict[_State, _Options] = {}

    def may_end(self, word: SungWord) -> bool:
        """Whether a line of this length and metre can end on a word."""
        used = self.num_syllables - word.num_syllables
        return used >= 0 and fits_metre(word.stress, used, self.metre)

    def _kinds_inside(self, used: int) -> set[int]:
        """Kinds of words that may stand after so many syllables and leave room for an end word."""
        return {
            kind
            for kind, stress in enumerate(self.vocabulary.stresses)
            if self.num_syllables - used - len(stress) >= self._least and fits_metre(stress, used, self.metre)
        }

    def _open(self, tree: int, node: int, used: int) -> bool:
        """Whether a word under this node may begin after so many syllables."""
        if self.vocabulary.trees[tree].kinds[node] & self._inside[used]:
            return True
        return self.num_syllables - used in self._toward[tree].get(node, ())

    def options(self, state: _State) -> _Options:
        """Return what may follow; remembered."""
        known = self._options.get(state)
        if known is None:
            known = self._options[state] = self._find_options(state)
        return known

    def _find_options(self, state: _State) -> _Options:
        tree, node, used = state
        vocabulary = self.vocabulary
        moves: dict[int, tuple[_State, int]] = {}
        for token, child in vocabulary.trees[tree].children[node].items():
            if self._open(tree, child, used):
                moves[token] = ((tree, child, used), -1)
        word = vocabulary.trees[tree].word[node]
        comma = final = -1
        if word >= 0:
            size = vocabulary.words[word].num_syllables
            if word in self.ends and used + size == self.num_syllables:
                final = word
            elif vocabulary.kind[word] in self._inside[used]:
                used += size
                for token, child in vocabulary.trees[_INSIDE].children[0].items():
                    if token not in moves and self._open(_INSIDE, child, used):
                        moves[token] = ((_INSIDE, child, used), word)
                room = 2 <= used <= self.num_syllables - 2
                if room and vocabulary.comma is not None and vocabulary.comma not in moves:
                    comma = len(moves)
                    moves[vocabulary.comma] = ((_INSIDE, 0, used), word)
        return _Options(
            np.array(list(moves), np.int64),
            [place for place, _ in moves.values()],
            [done for _, done in moves.values()],
            comma,
            word >= 0
            and bool(moves)
            and all(place[2] + self._least >= self.num_syllables for place, _ in moves.values()),
            final,
        )


def sample(
    search: LineSearch,
    model: LanguageModel,
    prefix: Prefix,
    count: int,
    source: np.random.Generator,
    temperature: float,
    bias: NDArray[np.float32],
    opening: int | None = None,
) -> list[Candidate]:
    """Sample some `count` candidates for the line that follows the prefix.

    `bias` (V,) is added to the log probabilities of tokens: how welcome the words are that begin with them. Where only
    an end word is left to choose, walks and end words are paired so that they suit each other best. With `opening`
    every line begins with that word and a comma.
    """
    vocabulary = search.vocabulary
    begin = _Walk((_START, 0, 0))
    if opening is not None:
        comma = [] if vocabulary.comma is None else [vocabulary.comma]
        begun = vocabulary.start_tokens[opening] + comma
        state = (_INSIDE, 0, vocabulary.words[opening].num_syllables)
        begin = _Walk(state, (opening,), (0,) * len(comma), tuple(begun), (0.0,) * len(begun))
        prefix = model.read(prefix, begun)
    branches = model.branch(prefix, count)
    walks = [begin] * count
    found: list[Candidate] = []
    while walks:
        log_probs = branches.log_probs
        moves: list[tuple[int, int, float]] = []  # row, option, its log probability
        ending: list[tuple[float, int, int, float]] = []
        num_ending = 0
        for row, walk in enumerate(walks):
            options = search.options(walk.state)
            if options.final >= 0:
                log_end = float(np.logaddexp.reduce(log_probs[row, vocabulary.ends]))
                found.append(walk.finish(options.final, log_end))
                continue
            if not len(options.tokens):
                continue
            allowed = log_probs[row, options.tokens].astype(np.float64)
            liked = allowed + bias[options.tokens]
            if options.ending:
                num_ending += 1
                for pick in np.argsort(-liked, kind="stable")[:_ENDS_EACH].tolist():
                    ending.append((walk.liking + float(liked[pick]), row, pick, float(allowed[pick])))
            else:
                pick = _draw(liked, source, temperature)
                moves.append((row, pick, float(allowed[pick])))
        ending.sort(key=lambda item: -item[0])
        chosen = Counter[int]()
        for _, row, pick, log_prob in ending:  # the end words that suit best, whichever walks they end
            token = int(search.options(walks[row].state).tokens[pick])
            if num_ending and chosen[token] < _SAME_END:
                chosen[token] += 1
                num_ending -= 1
                moves.append((row, pick, log_prob))
        moved = []
        for row, pick, log_prob in moves:
            options = search.options(walks[row].state)
            moved.append(walks[row].step(options, pick, log_prob, float(bias[options.tokens[pick]])))
        walks = moved
        if walks:
            branches.keep([row for row, _, _ in moves])
            branches.step([walk.tokens[-1] for walk in walks])
    return found


_ENDS_EACH = 4  # end words that a walk may try
_SAME_END = 6  # candidates that may end on the same token


def _draw(log_probs: NDArray[np.float64], source: np.random.Generator, temperature: float) -> int:
    """Draw one of some options; those far less likely than the best never."""
    scaled = np.where(log_probs < log_probs.max() - 6, -np.inf, log_probs) / temperature
    return int(np.argmax(scaled + source.gumbel(size=len(scaled))))


@dataclass(frozen=True, slots=True)
class _Walk:
    state: _State
    words: tuple[int, ...] = ()
    commas: tuple[int, ...] = ()
    tokens: tuple[int, ...] = ()
    log_probs: tuple[float, ...] = ()
    liking: float = 0.0  # sum of log probabilities and bias

    def step(self, options: _Options, pick: int, log_prob: float, bias: float) -> "_Walk":
        word = options.finished[pick]
        words = self.words if word < 0 else (*self.words, word)
        commas = (*self.commas, len(words) - 1) if pick == options.comma else self.commas
        tokens = (*self.tokens, int(options.tokens[pick]))
        liking = self.liking + log_prob + bias
        return _Walk(options.states[pick], words, commas, tokens, (*self.log_probs, log_prob), liking)

    def finish(self, word: int, log_end: float) -> Candidate:
        return Candidate((*self.words, word), frozenset(self.commas), self.tokens, self.log_probs, log_end)
