"""One line of a lyric: candidates that keep the constraints, and the one that scores best.

A line is good when it is likely, likelier given the theme than without it, near the theme in meaning, complete at its
end, and new. Likelihood alone picks loops and lines that say nothing; what a line repeats of earlier ones therefore
costs, and so does its least likely word: one word that does not fit spoils a line that is likely on the whole.
"""

import logging
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np

from lyrics.document import Line, LyricsError, Role
from lyrics.function_words import is_function_word
from lyrics.lm import LanguageModel, Prefix
from lyrics.parse import parse_lyrics
from lyrics.prompt import Brief, cue, opening, tag
from lyrics.pronounce import Pronouncer
from lyrics.rhyme import RhymeKind, rhyme_kind
from lyrics.writing.plan import Slot, may_end
from lyrics.writing.request import Request
from lyrics.writing.search import Candidate, LineSearch, Vocabulary, sample
from lyrics.writing.words import LEXICON, Floats, SungWord, closeness, lexicon, moods

logger = logging.getLogger(__name__)

_MOOD_POINTS = {
    "sad": (-0.6, -0.3),
    "dark": (-0.6, 0.3),
    "calm": (0.4, -0.5),
    "happy": (0.6, 0.3),
    "excited": (0.5, 0.7),
}
_PARTNERS = 5  # words that must rhyme with the end of a line that another one answers
_WEAK = 4.0  # nats: a word less likely than this is felt not to fit
_MOST_GAIN = 1.0  # nats per token that knowing the theme may count


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard the writer tries; more is better and slower."""

    candidates: int = 24  # sampled at a time
    rounds: int = 1  # at most, for a line whose best candidate is poor; twice as many where it must rhyme
    good: float = -1.5  # a score that needs no further round
    examined: int = 10  # candidates whose likelihood without the theme and whose meaning are computed
    temperature: float = 0.75


@dataclass(frozen=True, slots=True)
class Weights:
    """What makes a line good; likelihoods are natural logs per token."""

    likelihood: float = 1.0
    information: float = 0.5  # log likelihood given the theme minus that without it
    theme: float = 1.2  # cosine of the line's embedding with the theme's
    complete: float = 0.25  # log probability of the line end
    weakest: float = 0.5  # what the least likely word falls short of `_WEAK`
    repeated_word: float = 0.8  # each content word that an earlier line has, or that stands in the line twice
    repeated_pair: float = 0.8  # each pair of neighbouring words that an earlier line has
    same_start: float = 0.5  # beginning with the same two words as an earlier line
    comma: float = 0.15
    slant: float = 0.8  # a slant rhyme where a perfect one may stand
    stray: float = 0.5  # a rhyme with a line that it should not rhyme with
    near: float = 0.5  # while sampling: each standard deviation that a word lies nearer to the theme than most
    mood: float = 0.5  # while sampling: agreement with the mood asked for


@dataclass(slots=True)
class Found:
    """A line that fits."""

    candidate: Candidate
    text: str
    line: Line  # as it is sung
    score: float


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Lines of the same section: those to rhyme with, and those not to."""

    rhymes: tuple[Line, ...] = ()
    others: tuple[Line, ...] = ()


@dataclass(slots=True)
class LineWriter:
    """Writes lines about a theme, and remembers what was written."""

    request: Request
    model: LanguageModel
    extra: Sequence[SungWord] = ()  # phrases that some lines must begin or end with
    effort: Effort = field(default_factory=Effort)
    weights: Weights = field(default_factory=Weights)
    used_ends: set[str] = field(default_factory=set)
    seen_words: Counter[str] = field(default_factory=Counter)
    seen_pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    seen_starts: Counter[tuple[str, ...]] = field(default_factory=Counter)
    source: np.random.Generator = field(init=False)
    _lazy: "_Material" = field(init=False)

    def __post_init__(self) -> None:
        """Prepare the words and the theme."""
        self.source = np.random.default_rng(self.request.seed)
        self._lazy = _Material(self.request, self.model, tuple(self.extra), self.weights)
        for text in self._lazy.examples_text.lower().splitlines():
            texts = re.findall(r"[a-z']+", text)
            pairs = pairwise(texts)
            self.seen_pairs.update(pair for pair in pairs if not all(map(is_function_word, pair)))

    def start(self, title: str = "") -> Prefix:
        """Return the prompt: lyrics of ours that show the manner, then the theme."""
        request = self.request
        theme = (request.theme, *request.use, *([f"to {request.to}"] if request.to else []))
        metre = "" if request.metre == "free" else request.metre
        return self.model.read(self._lazy.examples, [opening(Brief(theme, title, request.mood, metre))])

    def remember(self, line: Line) -> None:
        """Count a line among those that stand already."""
        texts = [word.text.lower() for word in line.words]
        self.used_ends.add(texts[-1])
        self.seen_words.update({text for text in texts if not is_function_word(text)})
        self.seen_pairs.update(pairwise(texts))
        self.seen_starts[tuple(texts[:2])] += 1

    def find(self, text: Prefix, slot: Slot, beside: Neighbours) -> list[Found]:
        """Find lines for a place after the text so far, the best first; none if the constraints leave no word."""
        ends = self._end_words(slot, beside)
        found: dict[str, Found] = {}
        prefix = self.model.read(text, [cue(slot.num_syllables)])
        rounds = self.effort.rounds * (2 if beside.rhymes else 1)
        for _ in range(rounds if ends else 0):
            candidates = sample(
                self._search(slot.num_syllables, tuple(ends)),
                self.model,
                prefix,
                self.effort.candidates,
                self.source,
                self.effort.temperature,
                self._lazy.bias,
                None if slot.opening is None else self._lazy.number(slot.opening),
            )
            for item in self._judge(slot, beside, candidates, set(found)):
                found[item.text] = item
            if any(item.score > self.effort.good for item in found.values()):
                break
        ranked = sorted(found.values(), key=lambda item: -item.score)
        if ranked:
            logger.info("%6.2f %s", ranked[0].score, ranked[0].text)
        return ranked

    def _end_words(self, slot: Slot, beside: Neighbours) -> list[int]:
        """All words that the line may end on: unused, fitting, rhyming where it must, or with enough rhymes to come."""
        lazy = self._lazy
        if slot.end is not None:
            return [lazy.number(slot.end)]
        words = lazy.vocabulary.words
        search = self._search(slot.num_syllables, ())
        found = []
        for index in lazy.ends:
            word = words[index]
            if word.text.lower() in self.used_ends or not search.may_end(word):
                continue
            if beside.rhymes:
                if self._rhyme(word.line, beside.rhymes) is None:
                    continue
            elif slot.follower and self._count_partners(index) < _PARTNERS:
                continue
            found.append(index)
        return found

    def _rhyme(self, line: Line, others: Sequence[Line]) -> RhymeKind | None:
        """How a line rhymes with the first of others, if it may: with none of them by the same sounds."""
        kinds = [rhyme_kind(other, line) for other in others]
        allowed = (RhymeKind.PERFECT, RhymeKind.SLANT) if self.request.slant else (RhymeKind.PERFECT,)
        if RhymeKind.IDENTITY in kinds or kinds[0] not in allowed:
            return None
        return kinds[0]

    def _count_partners(self, index: int) -> int:
        """How many unused words rhyme perfectly with one."""
        lazy = self._lazy
        words = lazy.vocabulary.words
        family = lazy.families[lazy.rimes[index]]
        return sum(words[other].text.lower() not in self.used_ends for other in family) - 1

    def _search(self, num_syllables: int, ends: tuple[int, ...]) -> LineSearch:
        return LineSearch(self._lazy.vocabulary, num_syllables, self.request.metre, ends)

    def _judge(self, slot: Slot, beside: Neighbours, candidates: Sequence[Candidate], known: set[str]) -> list[Found]:
        """Score candidates; only the most promising are looked at closely, and only those that hold are kept."""
        from lyrics.embedding import embed

        weights = self.weights
        lazy = self._lazy
        rough: dict[str, tuple[float, Candidate]] = {}
        for candidate in candidates:
            text = lazy.vocabulary.text(candidate)
            if text in rough or text in known:
                continue
            likelihood = (sum(candidate.log_probs) + candidate.log_end) / (len(candidate.tokens) + 1)
            score = weights.likelihood * likelihood + weights.complete * max(candidate.log_end, -6.0)
            score += weights.weakest * min(0.0, min(candidate.log_probs) + _WEAK)
            score -= self._staleness(candidate) + weights.comma * len(candidate.commas)
            rough[text] = score, candidate
        kept: list[Found] = []
        for text, (score, candidate) in sorted(rough.items(), key=lambda item: -item[1][0]):
            line = self._checked(text, slot, beside)
            if line is not None:
                if beside.rhymes and self._rhyme(line, beside.rhymes) is RhymeKind.SLANT:
                    score -= weights.slant
                if slot.end is None and any(rhyme_kind(other, line) is RhymeKind.PERFECT for other in beside.others):
                    score -= weights.stray
                kept.append(Found(candidate, text, line, score))
            if len(kept) == self.effort.examined:
                break
        if not kept:
            return []
        prefix = self.model.read(lazy.plain, [cue(slot.num_syllables)])
        without = self.model.score(prefix, [item.candidate.tokens for item in kept])
        meanings = embed([item.text for item in kept]) @ lazy.theme
        for item, plain, meaning in zip(kept, without, meanings, strict=True):
            gain = (sum(item.candidate.log_probs) - float(plain.sum())) / len(plain)
            item.score += weights.information * min(gain, _MOST_GAIN) + weights.theme * float(meaning)
        return kept

    def _checked(self, text: str, slot: Slot, beside: Neighbours) -> Line | None:
        """Read a line as `compose` will; None if it is not sung as planned (a word said otherwise in company)."""
        try:
            line = parse_lyrics(text, self._lazy.pronouncer).sections[0].lines[0]
        except LyricsError:
            return None
        if len(line.syllables) != slot.num_syllables:
            return None
        if beside.rhymes and self._rhyme(line, beside.rhymes) is None:
            return None
        return line

    def _staleness(self, candidate: Candidate) -> float:
        """Weigh what a line repeats: of itself, of earlier lines, of the theme's wording."""
        lazy = self._lazy
        words = [lazy.vocabulary.words[index] for index in candidate.words]
        texts = [word.text.lower() for word in words]
        repeated = sum(count - 1 for count in Counter(texts).values())
        content = {word.text.lower() for word in words if word.content}
        repeated += sum(min(2, self.seen_words[text]) for text in content)
        repeated += max(0, len(content & lazy.theme_words) - 1)
        pairs = sum(self.seen_pairs[pair] > 0 for pair in pairwise(texts))
        starts = self.weights.same_start * min(2, self.seen_starts[tuple(texts[:2])])
        return self.weights.repeated_word * repeated + self.weights.repeated_pair * pairs + starts


class _Material:
    """What a writer needs and computes once."""

    def __init__(self, request: Request, model: LanguageModel, extra: tuple[SungWord, ...], weights: Weights) -> None:
        from lyrics.embedding import embed

        table = lexicon(request.explicit)
        avoided = {word.lower() for word in request.avoid}
        self.model = model
        self.pronouncer = Pronouncer()
        self.vocabulary = Vocabulary([*table, *extra], model, left_out=avoided)
        self.ends = [index for index, word in enumerate(table) if may_end(word) and word.text.lower() not in avoided]
        self.theme: Floats = embed([f"{request.theme} {request.mood}".strip()])[0]
        found = re.findall(r"[a-z']+", request.theme.lower())
        self.theme_words = {word for word in found if not is_function_word(word)}
        likes = np.zeros(len(self.vocabulary.words), np.float32)
        near = closeness(self.theme)
        likes[: len(near)] = weights.near * np.clip(near - 1, 0, 2)
        if request.mood:
            likes[: len(table)] += weights.mood * (moods(table) @ np.array(_MOOD_POINTS[request.mood], np.float32))
        self.likes = likes
        self.rimes = {index: _rime(table[index]) for index in self.ends}
        self.families: dict[tuple[str, ...], list[int]] = {}
        for index, rime in self.rimes.items():
            self.families.setdefault(rime, []).append(index)

    def number(self, word: SungWord) -> int:
        """Return the number of a word or phrase in the vocabulary."""
        return self.vocabulary.number[word.text.lower()]

    @cached_property
    def examples_text(self) -> str:
        return (LEXICON / "examples.txt").read_text(encoding="utf-8")

    @cached_property
    def examples(self) -> Prefix:
        return self.model.read(self.model.start(Brief()), self.examples_text)

    @cached_property
    def plain(self) -> Prefix:
        """The prompt without a theme."""
        return self.model.read(self.examples, [tag(Role.VERSE)])

    @cached_property
    def bias(self) -> Floats:
        """How welcome each token is: the liking of the dearest word that begins with it, 0 for most."""
        found = np.zeros(len(self.examples.log_probs), np.float32)
        for index in np.argsort(self.likes, kind="stable"):
            for tokens in (self.vocabulary.start_tokens[index], self.vocabulary.inside_tokens[index]):
                found[tokens[0]] = self.likes[index]
        return found


def _rime(word: SungWord) -> tuple[str, ...]:
    """Return the sounds of a word from its last stressed vowel on."""
    phones = [phone for syllable in word.syllables for phone in syllable.phones]
    vowels = [index for index, phone in enumerate(phones) if phone[-1].isdigit()]
    start = max((index for index in vowels if phones[index][-1] != "0"), default=vowels[-1])
    return tuple(phone.rstrip("012") for phone in phones[start:])
