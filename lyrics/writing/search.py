"""Lines under hard constraints, word by word: only words that fit are ever offered to the language model.

A candidate is a walk through a tree of tokens. At every step it may take only tokens that lead to a word with which the
line can still end exactly: on its last syllable, on the word asked for, with stressed syllables where the metre has its
beats. What the model says decides among those; whatever it says, the line fits.
"""

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lyrics.lm import LanguageModel, Prefix, Task
from lyrics.writing.words import SungWord

METRES = ("free", "iambic", "trochaic")


def fits_metre(stress: str, used: int, metre: str) -> bool:
    """Whether a word of this stress may begin at a syllable (from 0) of a line in a metre.

    In longer words the main stress bears a beat, and its unstressed neighbours bear none; words of one syllable bend
    ("x" where one stands in a phrase).

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
    cue: tuple[int, ...]  # what stands between the number of syllables and the line
    log_cue: float  # of its end word, 0 without one
    tokens: tuple[int, ...]
    log_probs: tuple[float, ...]  # of each token among those of the vocabulary, given what stands before it
    num_fixed: int = 0  # tokens of an opening

    @property
    def log_prob(self) -> float:
        """Log probability of the tokens and the end word in the cue."""
        return sum(self.log_probs) + self.log_cue


class _Tree:
    """Words by their tokens."""

    def __init__(self) -> None:
        self.children: list[dict[int, int]] = [{}]
        self.word = [-1]  # the word that ends at a node
        self.parent = [-1]
        self.kinds = [0]  # of the words at a node and below, a bit for each
        self.tokens: set[int] = set()

    def add(self, tokens: Sequence[int], word: int, kind: int) -> int:
        """Add a word; return its node. With kind -1 walks get there only if it is the word to end on."""
        node = 0
        bit = 1 << kind if kind >= 0 else 0
        self.tokens.update(tokens)
        self.kinds[0] |= bit
        for token in tokens:
            child = self.children[node].get(token)
            if child is None:
                child = len(self.children)
                self.children[node][token] = child
                self.children.append({})
                self.word.append(-1)
                self.parent.append(node)
                self.kinds.append(0)
            node = child
            self.kinds[node] |= bit
        if self.word[node] < 0:
            self.word[node] = word
        return node

    @cached_property
    def first(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """The tokens that words begin with, their nodes, and the kinds of the words below those."""
        nodes = list(self.children[0].values())
        kinds = np.array([self.kinds[node] for node in nodes], np.int64)
        return np.array(list(self.children[0]), np.int64), np.array(nodes, np.int64), kinds


_NEAR = 2  # syllables before the end word
_MOST_KINDS = 62  # bits
_START, _INSIDE = 0, 1  # the trees: a line's first word has a capital letter


class Vocabulary:
    """The words to write with, and how the language model writes them at the start of a line and inside it."""

    def __init__(self, words: Sequence[SungWord], model: LanguageModel, left_out: Container[str] = ()) -> None:
        """Encode all words; those left out (in lower case) keep their numbers and stand in no line."""
        self.words = tuple(words)
        self.number = {word.text.lower(): index for index, word in reversed(list(enumerate(self.words)))}
        self.stresses = sorted({word.stress for word in words})
        kinds = {stress: index for index, stress in enumerate(self.stresses)}
        if len(kinds) > _MOST_KINDS:
            raise ValueError(f"there are {len(kinds)} stress patterns, more than {_MOST_KINDS}")
        self.kind = [kinds[word.stress] for word in words]
        texts = [word.text for word in words]
        starts = _encoded(model, [" " + text[0].upper() + text[1:] for text in texts])
        inside = _encoded(model, [" " + text for text in texts])
        self.trees = (_Tree(), _Tree())
        self.nodes: list[tuple[int, int]] = []
        self.inside_tokens = inside
        self.start_tokens = starts
        for index, pair in enumerate(zip(starts, inside, strict=True)):
            if texts[index].lower() in left_out:
                self.nodes.append((0, 0))
                continue
            # Of a phrase the first word must stay free to go on otherwise.
            kind = -1 if " " in texts[index] else self.kind[index]
            first, later = (tree.add(tokens, index, kind) for tree, tokens in zip(self.trees, pair, strict=True))
            self.nodes.append((first, later))
        comma, *marks = _encoded(model, [",", "\n", ".", "!", "?", ";"])
        self.comma = comma[0] if len(comma) == 1 else None
        ends = sorted({tokens[0] for tokens in marks if len(tokens) == 1} | {model.newline})
        # All tokens that walks choose among, and those that would end a line: where it is at an end, no word is likely.
        commas = [] if self.comma is None else [self.comma]
        self.tokens = np.unique([*ends, *commas, *(token for tree in self.trees for token in tree.tokens)])
        self.places = np.full(model.num_tokens, -1, np.int64)  # of each token among these
        self.places[self.tokens] = np.arange(len(self.tokens))
        self.head = model.head_of(self.tokens)

    def beginning(self, words: Sequence[int]) -> list[int]:
        """Return the tokens of the words that a line begins with."""
        inside = [token for word in words[1:] for token in self.inside_tokens[word]]
        return [*self.start_tokens[words[0]], *inside] if words else []

    def text(self, candidate: Candidate) -> str:
        """Write a line."""
        commas = candidate.commas
        parts = [self.words[word].text + "," * (place in commas) for place, word in enumerate(candidate.words)]
        line = " ".join(parts)
        return line[0].upper() + line[1:]


@dataclass(frozen=True, slots=True)
class Reluctance:
    """Tokens that are less welcome than the model finds them, and by how many nats."""

    places: NDArray[np.int64]  # among the tokens of the vocabulary
    costs: NDArray[np.float32]

    @classmethod
    def of(cls, costs: Mapping[int, float], vocabulary: "Vocabulary") -> "Reluctance":
        """Take the cost of each token; those that no line can have are passed over."""
        known = {int(vocabulary.places[token]): cost for token, cost in costs.items() if vocabulary.places[token] >= 0}
        return cls(np.array(list(known), np.int64), np.array(list(known.values()), np.float32))


def _encoded(model: LanguageModel, texts: Sequence[str]) -> list[tuple[int, ...]]:
    """Return the tokens of each text; remembered, as every lyric has the words of the lexicon."""
    known: dict[str, tuple[int, ...]] = model.kept.setdefault("encoded", {})
    new = list({text: None for text in texts if text not in known})
    if new:
        tokens = model.tokenizer(new, add_special_tokens=False)["input_ids"]
        known.update(zip(new, map(tuple, tokens), strict=True))
    return [known[text] for text in texts]


_State = tuple[int, int, int]  # tree, node, syllables before the word
_FIRST: _State = (_START, 0, 0)
BEGINNING = -2  # of a line, where no word stands before


@dataclass(frozen=True, slots=True)
class _Options:
    """What may follow a state: tokens that go on with its word, then, if it is complete, tokens that begin another."""

    tokens: NDArray[np.int64]
    places: NDArray[np.int64]  # of the tokens among those of the vocabulary
    nodes: NDArray[np.int64]  # where each of them leads
    tree: int  # of those that go on
    used: int
    num_going_on: int
    word: int  # complete before the others, -1 if none
    used_after: int
    comma: int  # position of the comma among them, -1 if none
    ending: bool  # whether every one of them begins the last word
    final: int  # the word that ends the line here, -1 if none

    def state(self, pick: int) -> _State:
        """Where an option leads."""
        if pick < self.num_going_on:
            return self.tree, int(self.nodes[pick]), self.used
        return _INSIDE, int(self.nodes[pick]), self.used_after


class LineSearch:
    """Finds candidates for a line of so many syllables that ends on one of some words."""

    def __init__(self, vocabulary: Vocabulary, num_syllables: int, metre: str, ends: Sequence[int]) -> None:
        """Take the numbers of the end words; those that do not fit are passed over."""
        self.vocabulary = vocabulary
        self.num_syllables = num_syllables
        self.metre = metre
        words = vocabulary.words
        self._may_end = [self._fits(stress) for stress in vocabulary.stresses]
        self.ends = {word for word in ends if self.may_end(word)}
        self._least = min((words[word].num_syllables for word in self.ends), default=1)
        # Nodes on the way to end words: a bit for each number of syllables that those have.
        self._toward: tuple[dict[int, int], ...] = ({}, {})
        for word in self.ends:
            for tree, place in enumerate(vocabulary.nodes[word]):
                node = place
                while node >= 0:
                    self._toward[tree][node] = self._toward[tree].get(node, 0) | 1 << words[word].num_syllables
                    node = vocabulary.trees[tree].parent[node]
        self._inside = [self._kinds_inside(used) for used in range(num_syllables + 1)]
        self._options: dict[_State, _Options] = {}
        self._next_words: dict[int, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}

    def may_end(self, word: int) -> bool:
        """Whether a line of this length and metre can end on a word, given by its number."""
        return self._may_end[self.vocabulary.kind[word]]

    def _fits(self, stress: str) -> bool:
        used = self.num_syllables - len(stress)
        return used >= 0 and fits_metre(stress, used, self.metre)

    def is_near_end(self, options: "_Options") -> bool:
        """Whether a word begins here that may be the last but one."""
        return options.word >= 0 and self.num_syllables - options.used_after - self._least <= _NEAR

    def _kinds_inside(self, used: int) -> int:
        """Kinds of words that may stand after so many syllables and leave room for an end word, a bit for each."""
        return sum(
            1 << kind
            for kind, stress in enumerate(self.vocabulary.stresses)
            if self.num_syllables - used - len(stress) >= self._least and fits_metre(stress, used, self.metre)
        )

    def _open(self, tree: int, node: int, used: int) -> bool:
        """Whether a word under this node may begin after so many syllables."""
        if self.vocabulary.trees[tree].kinds[node] & self._inside[used]:
            return True
        return bool(self._toward[tree].get(node, 0) >> (self.num_syllables - used) & 1)

    def _words_after(self, used: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the tokens that a word inside the line may begin with after so many syllables, and their nodes."""
        known = self._next_words.get(used)
        if known is None:
            tokens, nodes, kinds = self.vocabulary.trees[_INSIDE].first
            toward = self._toward[_INSIDE]
            left = self.num_syllables - used
            leading = [node for node, sizes in toward.items() if sizes >> left & 1]
            allowed = ((kinds & self._inside[used]) != 0) | np.isin(nodes, leading)
            known = self._next_words[used] = tokens[allowed], nodes[allowed]
        return known

    def options(self, state: _State) -> _Options:
        """Return what may follow; remembered."""
        known = self._options.get(state)
        if known is None:
            known = self._options[state] = self._find_options(state)
        return known

    def _find_options(self, state: _State) -> _Options:
        tree, node, used = state
        vocabulary = self.vocabulary
        going_on = {
            token: child
            for token, child in vocabulary.trees[tree].children[node].items()
            if self._open(tree, child, used)
        }
        tokens = np.array(list(going_on), np.int64)
        nodes = np.array(list(going_on.values()), np.int64)
        word = vocabulary.trees[tree].word[node]
        comma = final = -1
        used_after = used
        complete = False
        if word >= 0:
            size = vocabulary.words[word].num_syllables
            if word in self.ends and used + size == self.num_syllables:
                final = word
            elif self._inside[used] >> vocabulary.kind[word] & 1:
                complete = True
                used_after = used + size
                more, places = self._words_after(used_after)
                fresh = ~np.isin(more, tokens)
                tokens, nodes = np.concatenate([tokens, more[fresh]]), np.concatenate([nodes, places[fresh]])
                room = 2 <= used_after <= self.num_syllables - 2
                if room and vocabulary.comma is not None and vocabulary.comma not in tokens:
                    comma = len(tokens)
                    tokens, nodes = np.append(tokens, vocabulary.comma), np.append(nodes, 0)
        begins = [used] * bool(going_on) + [used_after] * (len(tokens) > len(going_on))
        ending = word >= 0 and bool(begins) and all(place + self._least >= self.num_syllables for place in begins)
        return _Options(
            tokens,
            vocabulary.places[tokens],
            nodes,
            tree,
            used,
            len(going_on),
            word if complete else -1,
            used_after,
            comma,
            ending,
            final,
        )


@dataclass(frozen=True, slots=True)
class Start:
    """How some walks begin: the search that they keep to, and the cue that tells the model their end word."""

    search: LineSearch
    count: int
    cue: tuple[int, ...]
    log_cue: float = 0.0


def sample(
    starts: Sequence[Start],
    model: LanguageModel,
    prefix: Prefix,
    source: np.random.Generator,
    temperature: float,
    bias: NDArray[np.float32],
    opening: Sequence[int] = (),
    comma: bool = False,
    reluctance: Mapping[int, "Reluctance"] = {},
) -> Task[list[Candidate]]:
    """Sample candidates for a line, as a task; the prefix ends on its number of syllables.

    `bias` (V,) is added to the log probabilities of tokens: how welcome the words are that begin with them.
    `reluctance` says which are less welcome behind a word, given by its number, or as the first word of a line
    (`BEGINNING`). Where only an end word is left to choose, walks and end words are paired so that they suit each other
    best. With `opening` every line begins with those words, and with `comma` one stands behind them.
    """
    if not starts:
        return []
    vocabulary = starts[0].search.vocabulary
    branches = model.branch(prefix, sum(start.count for start in starts), vocabulary.head)
    walks = [
        walk
        for start in starts
        for walk in [_begin(start, vocabulary, opening, comma=comma)]
        for _ in range(start.count)
    ]
    yield from branches.extending([(*walk.start.cue, *walk.tokens) for walk in walks])
    found: list[Candidate] = []
    num_walks = len(walks)
    welcome = bias[vocabulary.tokens]
    while walks:
        log_probs = branches.log_probs
        likings = log_probs + welcome
        moves: list[tuple[int, int, float]] = []  # row, option, its log probability
        ending: list[tuple[float, int, int, float]] = []
        second: list[tuple[float, int, int, float]] = []
        num_ending = 0
        for row, walk in enumerate(walks):
            options = walk.start.search.options(walk.state)
            if not len(options.tokens):
                continue
            before = BEGINNING if walk.state == _FIRST else options.word
            if before in reluctance:
                likings[row, reluctance[before].places] -= reluctance[before].costs
            liked = likings[row, options.places]
            if options.ending:
                num_ending += 1
                picks = np.argsort(-liked, kind="stable")[:_ENDS_EACH].tolist()
            else:
                picks = _draw(liked, source, temperature, 2 if walk.start.search.is_near_end(options) else 1)
            steps = [
                (walk.liking + float(liked[pick]), row, pick, float(log_probs[row, options.places[pick]]))
                for pick in picks
            ]
            if options.ending:
                ending += steps
            else:
                moves.append(steps[0][1:])
                second += steps[1:]
        ending.sort(key=lambda item: -item[0])
        chosen = Counter[int]()
        for _, row, pick, log_prob in ending:  # the end words that suit best, whichever walks they end
            token = int(walks[row].start.search.options(walks[row].state).tokens[pick])
            if num_ending and (walks[row].start.log_cue or chosen[token] < _SAME_END):
                chosen[token] += 1
                num_ending -= 1
                moves.append((row, pick, log_prob))
        second.sort(key=lambda item: -item[0])
        room = _GROWTH * num_walks - len(moves)
        moves += [(row, pick, log_prob) for _, row, pick, log_prob in second[: max(0, room)]]
        moved: list[_Walk] = []
        rows: list[int] = []
        for row, pick, log_prob in moves:
            search = walks[row].start.search
            options = search.options(walks[row].state)
            walk = walks[row].step(options, pick, log_prob, float(likings[row, options.places[pick]]))
            final = search.options(walk.state).final
            if final >= 0:
                found.append(walk.finish(final))
            else:
                moved.append(walk)
                rows.append(row)
        walks = moved
        if walks:
            branches.keep(rows)
            yield from branches.extending([walk.tokens[-1:] for walk in walks])
    return found


def _begin(start: Start, vocabulary: Vocabulary, opening: Sequence[int], *, comma: bool) -> "_Walk":
    """Return a walk that has taken the opening words, whose log probabilities are left out of account."""
    if not opening:
        return _Walk(start, _FIRST)
    tokens = vocabulary.beginning(opening)
    used = sum(vocabulary.words[word].num_syllables for word in opening)
    words, commas = tuple(opening), tuple[int, ...]()
    if comma and vocabulary.comma is not None:
        tokens.append(vocabulary.comma)
        state = _INSIDE, 0, used
        commas = (len(opening) - 1,)
    else:  # the last word is complete when another one follows it
        last = opening[-1]
        tree = _START if len(opening) == 1 else _INSIDE
        state = tree, vocabulary.nodes[last][tree], used - vocabulary.words[last].num_syllables
        words = words[:-1]
    return _Walk(start, state, words, commas, tuple(tokens), (0.0,) * len(tokens), 0.0, len(tokens))


_ENDS_EACH = 4  # end words that a walk may try
_SAME_END = 6  # candidates that may end on the same token, of those whose cue says nothing


_GROWTH = 2  # so many times as many walks at the end of a line as at its beginning: there they have to turn


def _draw(liked: NDArray[np.float32], source: np.random.Generator, temperature: float, count: int) -> list[int]:
    """Draw some of the options without putting back; those far less liked than the best never."""
    near = np.flatnonzero(liked >= liked.max() - 6)
    scaled = liked[near] / temperature + source.gumbel(size=len(near))
    best = [np.argmax(scaled)] if count == 1 else np.argsort(-scaled, kind="stable")[:count]
    return [int(near[pick]) for pick in best]


@dataclass(frozen=True, slots=True)
class _Walk:
    start: Start
    state: _State
    words: tuple[int, ...] = ()
    commas: tuple[int, ...] = ()
    tokens: tuple[int, ...] = ()
    log_probs: tuple[float, ...] = ()
    liking: float = 0.0  # sum of log probabilities and of how welcome the tokens are
    num_fixed: int = 0

    def step(self, options: _Options, pick: int, log_prob: float, liked: float) -> "_Walk":
        word = options.word if pick >= options.num_going_on else -1
        words = self.words if word < 0 else (*self.words, word)
        commas = (*self.commas, len(words) - 1) if pick == options.comma else self.commas
        tokens = (*self.tokens, int(options.tokens[pick]))
        log_probs = *self.log_probs, log_prob
        liking = self.liking + liked
        return _Walk(self.start, options.state(pick), words, commas, tokens, log_probs, liking, self.num_fixed)

    def finish(self, word: int) -> Candidate:
        start = self.start
        return Candidate(
            (*self.words, word),
            frozenset(self.commas),
            start.cue,
            start.log_cue,
            self.tokens,
            self.log_probs,
            self.num_fixed,
        )
