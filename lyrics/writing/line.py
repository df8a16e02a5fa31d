"""One line of a lyric: candidates that keep the constraints, and the one that scores best.

A line is good when it is likely, likelier given the theme than without it, near the theme in meaning, complete at its
end, and new. Likelihood alone picks loops and lines that say nothing; what a line repeats of earlier ones therefore
costs, and so does its least likely word: one word that does not fit spoils a line that is likely on the whole.
"""

import copy
import logging
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations, pairwise

import numpy as np

from lyrics.document import Line, LyricsError, Role
from lyrics.function_words import is_function_word
from lyrics.lm import LanguageModel, Prefix, Task, abreast, carry_out
from lyrics.mood import find_mood
from lyrics.parse import parse_lyrics
from lyrics.prompt import Brief, cue, cue_end, cue_number, opening, tag, written
from lyrics.pronounce import Pronouncer
from lyrics.rhyme import RhymeKind, Tail, relation, rhyme_kind, tails_of
from lyrics.writing.habits import START, habit, read_habits
from lyrics.writing.hook import is_telling, weakness
from lyrics.writing.images import plan_images
from lyrics.writing.plan import Slot, may_end
from lyrics.writing.request import UNRHYMED, Request
from lyrics.writing.search import BEGINNING, Candidate, LineSearch, Reluctance, Start, Vocabulary, fits_metre, sample
from lyrics.writing.voice import Voice
from lyrics.writing.words import LEXICON, Floats, SungWord, closeness, colours_people, lexicon, moods, same_stem, stem

logger = logging.getLogger(__name__)

_MOOD_POINTS = {
    "sad": (-0.6, -0.3),
    "dark": (-0.6, 0.3),
    "calm": (0.4, -0.5),
    "happy": (0.6, 0.3),
    "excited": (0.5, 0.7),
}
_END_HEAT = 0.6  # how freely end words are chosen that the model is told; at 1 some are odd
_SLANT_TOLD = 2.5  # nats: how much likelier a slant rhyme must be than a perfect one to be tried
_SHARE = 0.7  # of the effort for a line, where several ways lead to it
_TITLES = 2  # phrases of the theme that are tried
_TITLE_WALKS = 4  # candidates for a hook that ends on a phrase of the theme
_TAG = 2  # words
_WAYS = 4  # beginnings that are tried for a line that must have a word
_PARTNERS = 4  # words that must rhyme with the end of a line that another one answers, each of them
_COMMON_END = 60  # as often at the end of a line of the open verse: with rarer ones there is seldom a good line
_LINKS = frozenset("and but so or for then because".split())
_GLOOM = -0.55  # valence of words of death and dread
_GLOOM_NEAR = 1.8  # standard deviations: nearer to the theme they are welcome
_GLOOMY_MOODS = ("sad", "dark")
_WEAK = 4.0  # nats: a word less likely than this is felt not to fit
_TOKENS = 0.85  # for each syllable, in most lines
_MOST_GAIN = 1.0  # nats per token that knowing the theme may count


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard the writer tries; more is better and slower."""

    candidates: int = 18  # sampled at a time
    end_words: int = 7  # that those are told to end on
    rounds: int = 2  # at most, for a line whose best candidate is poor
    good: float = -8.0  # a score of a hook, or of a line that rhymes, that needs no further round
    fair: float = -8.0  # the same for other lines
    examined: int = 9  # candidates whose likelihood is computed anew, without knowing the end word
    compared: int = 4  # of those, whose likelihood without theme and earlier lines, and whose meaning are computed
    temperature: float = 0.85
    rhyme_temperature: float = 0.7  # of lines that must rhyme, which have less room
    ways: int = 2  # to go on with a section that are kept until a line must rhyme with an earlier one

    def share(self) -> "Effort":
        """Return the effort for one of several ways."""
        candidates, examined = (math.ceil(_SHARE * number) for number in (self.candidates, self.examined))
        return replace(self, candidates=candidates, examined=examined, rounds=1)

    def enough(self, slot: Slot, beside: "Neighbours") -> float:
        """Return the score above which a line needs no further round."""
        return self.good if beside.rhymes or slot.hook else self.fair


@dataclass(frozen=True, slots=True)
class Weights:
    """What makes a line good.

    Likelihoods are natural logs of whole lines over the usual number of tokens for their syllables: all candidates have
    as many syllables, and a mean over their own tokens would prefer those that are filled up with little words.
    """

    likelihood: float = 1.0
    information: float = 0.7  # log likelihood given the theme minus that without it
    plain: float = 1.0  # log likelihood under the bare model, which knows today's language better than verse does
    theme: float = 2.3  # cosine of the line's embedding with the theme's
    plain_complete: float = 0.2  # log probability of the line end under the bare model
    complete: float = 0.25  # log probability of the line end, half of it where the next line may go on
    weakest: float = 0.5  # what the least likely word falls short of `_WEAK`
    repeated_word: float = 0.8  # each content word that an earlier line has, or that stands in the line twice
    repeated_pair: float = 1.0  # each pair of neighbouring words that an earlier line has
    same_start: float = 0.5  # beginning with the same two words as an earlier line
    same_first: float = 0.4  # beginning with the same word as the line before
    first: float = 0.4  # while sampling: a first word, times the natural log of 1 + its earlier lines
    habit: float = 0.12  # the strength of each pair of words that we write more often than people do
    shy: float = 0.75  # while sampling: the same
    linked: float = 0.5  # a section that begins with "and" or "but"
    drift: float = 0.8  # somebody new, or another time (lyrics/writing/voice.py)
    comma: float = 0.15
    tag: float = 0.6  # a word or two behind a comma, to fill the line up to its rhyme: ", I know"
    slant: float = 2.0  # a slant rhyme where a perfect one may stand
    stray: float = 0.5  # a rhyme with a line that it should not rhyme with
    promise: float = 0.5  # while choosing an end word: how welcome its rhymes are
    kept_promise: float = 0.1  # the same for a line that stands to be chosen
    image: float = 1.3  # while sampling: a word that the plan gives to this section
    gloom: float = 1.0  # a word of death and dread, unless theme or mood ask for it
    hook: float = 0.6  # each thing that makes a hook weak
    title: float = 0.7  # a hook that ends on a phrase of the theme
    near: float = 0.5  # while sampling: each standard deviation that a word lies nearer to the theme than most
    mood: float = 1.5  # while sampling: agreement of a word with the mood asked for
    mood_line: float = 2.0  # agreement of a line with it


@dataclass(slots=True)
class Found:
    """A line that fits."""

    text: str
    line: Line  # as it is sung
    score: float


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Lines of the same section: those to rhyme with, and those not to."""

    rhymes: tuple[Line, ...] = ()
    others: tuple[Line, ...] = ()


@dataclass(slots=True)
class Memory:
    """What was written so far."""

    used_ends: set[str] = field(default_factory=set)
    words: Counter[str] = field(default_factory=Counter)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    starts: Counter[tuple[str, ...]] = field(default_factory=Counter)
    firsts: Counter[str] = field(default_factory=Counter)
    last_first: str = ""
    voice: Voice = field(default_factory=Voice)
    heard: list[str] = field(default_factory=list)  # lines that stand and that the bare model has not read yet
    plain_text: Prefix | None = None  # what it has read


@dataclass(slots=True)
class LineWriter:
    """Writes lines about a theme, and remembers what was written."""

    request: Request
    model: LanguageModel
    extra: Sequence[SungWord] = ()  # phrases that some lines must begin or end with
    effort: Effort = field(default_factory=Effort)
    weights: Weights = field(default_factory=Weights)
    title_words: Sequence[SungWord] = ()  # phrases of the theme that a hook may end on
    reserved_ends: set[str] = field(default_factory=set)  # stems that only the hook may end on
    memory: "Memory" = field(default_factory=lambda: Memory())
    source: np.random.Generator = field(init=False)
    returns: bool = field(init=False)  # whether the hook comes back whole, where no rhyme stands against it
    _lazy: "_Material" = field(init=False)

    def __post_init__(self) -> None:
        """Prepare the words and the theme."""
        self.source = np.random.default_rng(self.request.seed)
        self.returns = bool(self.source.random() < 0.5)
        self._lazy = _Material(self.request, self.model, tuple(self.extra), self.weights)
        self.memory.voice.settle(re.findall(r"[a-z']+", self.request.theme.lower()))
        self.memory.voice.new_section()
        for text in self._lazy.examples_text.lower().splitlines():
            texts = re.findall(r"[a-z']+", text)
            pairs = pairwise(texts)
            self.memory.pairs.update(pair for pair in pairs if not all(map(is_function_word, pair)))

    def start(self, title: str = "") -> Prefix:
        """Return the prompt: lyrics of ours that show the manner, then the theme."""
        request = self.request
        theme = (request.theme, *request.use, *([f"to {request.to}"] if request.to else []))
        metre = "" if request.metre == "free" else request.metre
        return self.model.read(self._lazy.examples, [opening(Brief(theme, title, request.mood, metre))])

    def plan_titles(self, slots: Sequence[Slot]) -> None:
        """Choose phrases of the theme that the hook may end on; no other line ends on their last words."""
        if not any(slot.hook and slot.is_free and slot.letter == UNRHYMED for slot in slots):
            self.title_words = ()
        sizes = np.array([phrase.num_syllables for phrase in self.title_words])
        chance = self.source.random(len(sizes)) ** (1 / sizes)  # longer ones say more
        self.title_words = [self.title_words[index] for index in np.argsort(-chance)[:_TITLES].tolist()]
        self._lazy.titles = {self._lazy.number(phrase) for phrase in self.title_words}
        self.reserved_ends = {stem(phrase.text.split()[-1]) for phrase in self.title_words}

    def plan_images(self, roles: Sequence[Role]) -> None:
        """Choose what each section shows, the chorus first; sections of one kind that repeat show the same."""
        order = sorted(range(len(roles)), key=lambda index: (roles[index] not in (Role.CHORUS, Role.HOOK), index))
        firsts = [index for index in order if roles[index] is Role.VERSE or roles.index(roles[index]) == index]
        self._lazy.plan(firsts, self.source)

    def begin_section(self, number: int) -> None:
        """Begin a section: it may be told in another time, and shows images of its own."""
        self.memory.voice.new_section()
        self._lazy.show(number)

    def remember(self, line: Line) -> None:
        """Count a line among those that stand already."""
        texts = [word.text.lower() for word in line.words]
        self.memory.used_ends.add(stem(texts[-1]))
        self.memory.words.update({text for text in texts if not is_function_word(text)})
        self.memory.pairs.update(pairwise(texts))
        self.memory.starts[tuple(texts[:2])] += 1
        self.memory.firsts[texts[0]] += 1
        self.memory.last_first = texts[0]
        self.memory.voice.settle(texts)

    def beside(self) -> "LineWriter":
        """Return a writer who remembers the same so far and goes another way."""
        text = self.memory.plain_text
        other = copy.copy(self)
        other.memory = copy.deepcopy(self.memory, {id(text): text})
        return other

    def find(self, text: Prefix, slot: Slot, beside: Neighbours, echo: Sequence[str] = ()) -> list[Found]:
        """Find lines for a place after the text so far, the best first; none if the constraints leave no word.

        With `echo` they begin with those words, which the lexicon must have.
        """
        return carry_out(self.finding(text, slot, beside, echo))

    def finding(self, text: Prefix, slot: Slot, beside: Neighbours, echo: Sequence[str] = ()) -> Task[list[Found]]:
        """Do what `find` does, as a task."""
        ends = self._end_words(slot, beside)
        found: dict[str, Found] = {}
        lazy = self._lazy
        prefix = self.model.read(text, [cue_number(slot.num_syllables)])
        opening = [lazy.vocabulary.number[word] for word in echo]
        if slot.opening is not None:
            opening = [lazy.number(slot.opening)]
        told = False
        enough = self.effort.enough(slot, beside)
        for _ in range(self.effort.rounds if ends else 0):
            candidates = yield from self._sampled(prefix, slot, beside, ends, opening, told=told)
            judged = yield from self._judge(prefix, slot, beside, candidates, set(found))
            for item in judged:
                found[item.text] = item
            if any(item.score > enough for item in found.values()):
                break
            told = not told
        ranked = sorted(found.values(), key=lambda item: -item.score)
        if ranked:
            logger.info("%6.2f %s", ranked[0].score, ranked[0].text)
        return ranked

    def _sampled(
        self,
        prefix: Prefix,
        slot: Slot,
        beside: Neighbours,
        ends: Sequence[int],
        opening: Sequence[int],
        *,
        told: bool,
    ) -> Task[list[Candidate]]:
        if told:
            yield from prefix.reading()
        starts = self._starts(prefix, slot, beside, ends, told=told)
        heat = self.effort.rhyme_temperature if beside.rhymes else self.effort.temperature
        if slot.inside is None:
            comma = slot.opening is not None
            tasks = [self._sample(starts, prefix, heat, opening, comma=comma)]
            if slot.hook and slot.is_free and not opening:
                tasks += self._titles(prefix, slot)
        else:
            fewer = [replace(start, count=-(-start.count // _WAYS)) for start in starts]
            parts = yield from self._ways_to(prefix, slot, ends)
            tasks = [self._sample(fewer, prefix, heat, part) for part in parts]
        found = yield from abreast(tasks)
        return [candidate for part in found for candidate in part]

    def _sample(
        self, starts: Sequence[Start], prefix: Prefix, heat: float, opening: Sequence[int] = (), *, comma: bool = False
    ) -> Task[list[Candidate]]:
        lazy = self._lazy
        reluctance = lazy.reluctance(self.weights.first, self.memory.firsts)
        return sample(
            starts, self.model, prefix, self.source, heat, lazy.bias, opening, comma=comma, reluctance=reluctance
        )

    def _titles(self, prefix: Prefix, slot: Slot) -> list[Task[list[Candidate]]]:
        """Find lines that end on a phrase of the theme: that is what many songs are remembered by."""
        if slot.letter != UNRHYMED:
            return []
        lazy = self._lazy
        found = []
        for phrase in self.title_words:
            texts = phrase.text.lower().split()
            if any(map(self.request.avoids, texts)) or stem(texts[-1]) in self.memory.used_ends:
                continue
            cue_tokens = tuple(self.model.encode(cue_end(texts[-1])))
            start = Start(self._search(slot.num_syllables, (lazy.number(phrase),)), _TITLE_WALKS, cue_tokens)
            if start.search.ends:
                found.append(self._sample([start], prefix, self.effort.temperature))
        return found

    def _ways_to(self, prefix: Prefix, slot: Slot, ends: Sequence[int]) -> Task[list[list[int]]]:
        """Find beginnings of a line after which the word or phrase that must stand in it is likely, and that word."""
        assert slot.inside is not None
        lazy = self._lazy
        vocabulary = lazy.vocabulary
        number = lazy.number(slot.inside)
        close = tuple(self.model.encode(cue_end()))
        free = [Start(self._search(slot.num_syllables, tuple(ends)), self.effort.candidates, close)]
        lines = yield from self._sample(free, prefix, self.effort.temperature)
        room = slot.num_syllables - slot.inside.num_syllables
        parts: set[tuple[int, ...]] = set()
        for words in [(), *(candidate.words[:-1] for candidate in lines)]:
            used = 0
            for place in range(len(words) + 1):
                if used < room and number not in words[:place]:
                    if fits_metre(slot.inside.stress, used, self.request.metre):
                        parts.add(words[:place])
                if place < len(words):
                    used += vocabulary.words[words[place]].num_syllables
        ordered = sorted(parts)
        tokens = [
            [
                *close,
                *vocabulary.beginning(part),
                *(vocabulary.inside_tokens if part else vocabulary.start_tokens)[number],
            ]
            for part in ordered
        ]
        scores = yield from self.model.scoring(prefix, tokens)
        size = [
            len(row) - len(close) - len(vocabulary.beginning(part)) for row, part in zip(tokens, ordered, strict=True)
        ]
        fit = [float(row[-length:].sum() + row.mean()) for row, length in zip(scores, size, strict=True)]
        best = sorted(range(len(ordered)), key=lambda index: -fit[index])[:_WAYS]
        return [[*ordered[index], number] for index in best]

    def read(self, text: Prefix, found: Found) -> Prefix:
        """Return the text with a line behind it, told as the model knows it: syllables, end word, line."""
        self.memory.heard.append(found.text)
        cue_text = cue(len(found.line.syllables), found.line.words[-1].text)
        return self.model.read(text, [cue_text, written(found.text)])

    def taken_up(self, hook: Line, slot: Slot) -> tuple[str, ...]:
        """Return the words of the hook that a later line begins with again; none if no phrase of it says enough.

        The phrase has a telling word, leaves room for more, and preferably ends where a phrase ends.
        """
        taken: tuple[str, ...] = ()
        texts: list[str] = []
        used = 0
        for word, following in pairwise(hook.words):
            texts.append(word.text.lower())
            used += len(word.syllables)
            if texts[-1] not in self._lazy.vocabulary.number or used > slot.num_syllables - 3:
                break
            telling = any(is_telling(text) for text in texts)
            if used >= 2 and telling and (not taken or (word.content and not following.content)):
                taken = tuple(texts)
        return taken

    def _starts(
        self, prefix: Prefix, slot: Slot, beside: Neighbours, ends: Sequence[int], *, told: bool
    ) -> list[Start]:
        """Share the candidates out among end words.

        Where it is `told` the word to end on, the model gets there by design; else candidates end where they come to.
        """
        lazy = self._lazy
        count = self.effort.candidates
        if slot.end is not None:
            cue_tokens = self.model.encode(cue_end(slot.end.text.split()[-1].strip(".,!?")))
            return [Start(self._search(slot.num_syllables, tuple(ends)), count, tuple(cue_tokens))]
        close = tuple(self.model.encode(cue_end()))
        words = [word for word in ends if len(lazy.vocabulary.inside_tokens[word]) == 1] if told else []
        if not words:
            return [Start(self._search(slot.num_syllables, tuple(ends)), count, close)]
        firsts = [lazy.vocabulary.inside_tokens[word][0] for word in words]
        likely = prefix.log_probs[firsts]
        liking = likely + 2 * lazy.likes[words] + _END_HEAT * self.source.gumbel(size=len(words))
        if slot.follower and not beside.rhymes:
            liking += self.weights.promise * self._promises(prefix, words)
        others = [tails_of(line) for line in beside.rhymes]
        for index, word in enumerate(words):
            if others and self._rhyme(lazy.tails[word], others) is RhymeKind.SLANT:
                liking[index] -= _SLANT_TOLD
        chosen = np.argsort(-liking)[: min(self.effort.end_words, count)].tolist()
        return [
            Start(
                self._search(slot.num_syllables, (words[index],)),
                count // len(chosen) + (place < count % len(chosen)),
                (firsts[index], *close),
                float(likely[index]),
            )
            for place, index in enumerate(chosen)
        ]

    def _end_words(self, slot: Slot, beside: Neighbours) -> list[int]:
        """All words that the line may end on: unused, fitting, rhyming where it must, or with enough rhymes to come."""
        lazy = self._lazy
        if slot.end is not None:
            return [lazy.number(slot.end)]
        words = lazy.vocabulary.words
        search = self._search(slot.num_syllables, ())
        taken = self.memory.used_ends | (set() if slot.hook else self.reserved_ends)
        fitting = [index for index in lazy.ends if search.may_end(index) and stem(words[index].text) not in taken]
        if beside.rhymes:
            others = [tails_of(line) for line in beside.rhymes]
            return [index for index in fitting if self._rhyme(lazy.tails[index], others) is not None]
        if slot.follower:
            common = [index for index in lazy.ends if words[index].ends >= _COMMON_END]
            free = {index for index in common if stem(words[index].text) not in self.memory.used_ends}
            partners = Counter(lazy.rimes[index] for index in free)
            return [index for index in fitting if partners[lazy.rimes[index]] - (index in free) >= _PARTNERS]
        return fitting

    def _rhyme(self, line: Sequence[Tail], others: Sequence[Sequence[Tail]]) -> RhymeKind | None:
        """How a line rhymes with the first of others, if it may: with none of them by the same sounds."""
        kinds = [relation(other, line) for other in others]
        allowed = (RhymeKind.PERFECT, RhymeKind.SLANT) if self.request.slant else (RhymeKind.PERFECT,)
        if RhymeKind.IDENTITY in kinds or kinds[0] not in allowed:
            return None
        return kinds[0]

    def _promises(self, prefix: Prefix, words: Sequence[int]) -> Floats:
        """How welcome the perfect rhymes of each word are: the line that must rhyme with it ends on one of them."""
        lazy = self._lazy
        made: dict[tuple[str, ...], dict[int, float]] = {}
        for rime in {lazy.rimes[word] for word in words}:
            free = [
                item
                for item in lazy.families[rime]
                if stem(lazy.vocabulary.words[item].text) not in self.memory.used_ends
            ]
            firsts = [lazy.vocabulary.inside_tokens[item][0] for item in free]
            made[rime] = dict(zip(free, (prefix.log_probs[firsts] + 2 * lazy.likes[free]).tolist(), strict=True))
        found = []
        for word in words:
            others = [value for item, value in made[lazy.rimes[word]].items() if item != word]
            found.append(float(np.logaddexp.reduce(others)) if others else -20.0)
        return np.array(found, np.float32)

    def _search(self, num_syllables: int, ends: tuple[int, ...]) -> LineSearch:
        return LineSearch(self._lazy.vocabulary, num_syllables, self.request.metre, ends)

    def _judge(
        self, prefix: Prefix, slot: Slot, beside: Neighbours, candidates: Sequence[Candidate], known: set[str]
    ) -> Task[list[Found]]:
        """Score candidates; only the most promising are looked at closely, and only those that hold are kept.

        A model that was told an end word finds it likely wherever it stands. What counts is therefore how likely the
        line is for a model that was told its length alone.
        """
        from lyrics.embedding import embed

        weights = self.weights
        lazy = self._lazy
        usual = _TOKENS * slot.num_syllables
        rough: dict[str, tuple[float, float, Candidate]] = {}
        for candidate in candidates:
            text = lazy.vocabulary.text(candidate)
            if text in known or (text in rough and rough[text][2].log_prob >= candidate.log_prob):
                continue
            if self._stutters(candidate) or colours_people(self._texts(candidate)):
                continue
            cost = self._staleness(candidate, hook=slot.hook)
            if slot.index == 0 and lazy.vocabulary.words[candidate.words[0]].text in _LINKS:
                cost += weights.linked
            cost += weights.comma * len(candidate.commas)
            cost += weights.tag * (max(candidate.commas, default=0) >= max(1, len(candidate.words) - 1 - _TAG))
            cost += weights.gloom * float(sum(lazy.gloomy[word] for word in candidate.words))
            if slot.hook:
                cost += weights.hook * weakness([lazy.vocabulary.words[word] for word in candidate.words])
                cost -= weights.title * (candidate.words[-1] in lazy.titles)
            rough[text] = weights.likelihood * candidate.log_prob / usual - cost, cost, candidate
        others = [tails_of(line) for line in beside.rhymes]
        kept: list[tuple[Found, Candidate]] = []
        for text, (_, cost, candidate) in sorted(rough.items(), key=lambda item: -item[1][0]):
            line = self._checked(text, slot, beside)
            if line is not None:
                if others and self._rhyme(tails_of(line), others) is RhymeKind.SLANT:
                    cost += weights.slant
                if slot.end is None and any(rhyme_kind(other, line) is RhymeKind.PERFECT for other in beside.others):
                    cost += weights.stray
                kept.append((Found(text, line, -cost), candidate))
            if len(kept) == self.effort.examined:
                break
        if not kept:
            return []
        close = tuple(self.model.encode(cue_end()))
        lines = [(*close, *candidate.tokens, self.model.newline) for _, candidate in kept]
        firsts = [len(close) + candidate.num_fixed * (slot.inside is None) for _, candidate in kept]  # behind openings
        told, heard = yield from abreast(
            [self.model.scoring(prefix, lines), self._plain_scores([item.text for item, _ in kept])]
        )
        complete = weights.complete * (0.5 if slot.goes_on else 1.0)
        if slot.follower and not beside.rhymes:
            ends = [candidate.words[-1] for _, candidate in kept]
            planned = [place for place, word in enumerate(ends) if word in lazy.rimes]
            promises = self._promises(prefix, [ends[place] for place in planned])
            for place, promise in zip(planned, promises, strict=True):
                kept[place][0].score += weights.kept_promise * float(promise)
        for (item, _), scores in zip(kept, heard, strict=True):
            item.score += weights.plain * float(scores[:-1].sum()) / usual + weights.plain_complete * float(scores[-1])
        for (item, _), first, scores in zip(kept, firsts, told, strict=True):
            free = (len(scores) - 1 - first) / (len(scores) - 1 - len(close))  # an opening is not judged
            item.score += weights.likelihood * float(scores[first:-1].sum()) / (usual * free)
            if self.request.mood:
                item.score += weights.mood_line * lazy.agreement(item.line)
            item.score += complete * max(float(scores[-1]), -6.0)
            item.score += weights.weakest * min(0.0, float(scores[first:-1].min()) + _WEAK)
        best = sorted(range(len(kept)), key=lambda index: -kept[index][0].score)[: self.effort.compared]
        number = tuple(self.model.encode(cue_number(slot.num_syllables)))
        plain = yield from self.model.scoring(lazy.plain, [(*number, *lines[index][:-1]) for index in best])
        meanings = embed([kept[index][0].text for index in best]) @ lazy.theme
        theme = weights.theme * (1.5 if slot.hook else 1.0)
        for index, without, meaning in zip(best, plain, meanings, strict=True):
            first = firsts[index]
            gain = float(told[index][first:-1].mean() - without[len(number) + first :].mean())
            kept[index][0].score += weights.information * min(gain, _MOST_GAIN) + theme * float(meaning)
        return [kept[index][0] for index in best]

    def _plain_scores(self, texts: Sequence[str]) -> Task[list[Floats]]:
        """Return the log probabilities of lines under the bare model, behind the lines that stand."""
        bare = self.model.bare
        if self.memory.plain_text is None:
            self.memory.plain_text = bare.read(None, f"Lyrics: {self.request.theme}\n\n")
        if self.memory.heard:
            self.memory.plain_text = bare.read(
                self.memory.plain_text, "".join(f"{text}\n" for text in self.memory.heard)
            )
            self.memory.heard.clear()
        return bare.scoring(self.memory.plain_text, [bare.encode(f"{text}\n") for text in texts])

    def _checked(self, text: str, slot: Slot, beside: Neighbours) -> Line | None:
        """Read a line as `compose` will; None if it is not sung as planned (a word said otherwise in company)."""
        try:
            line = parse_lyrics(text, self._lazy.pronouncer).sections[0].lines[0]
        except LyricsError:
            return None
        if len(line.syllables) != slot.num_syllables:
            return None
        if beside.rhymes and self._rhyme(tails_of(line), list(map(tails_of, beside.rhymes))) is None:
            return None
        return line

    def _stutters(self, candidate: Candidate) -> bool:
        """Whether a content word stands twice in a line, in any form."""
        words = [self._lazy.vocabulary.words[index] for index in candidate.words]
        stems = [stem(word.text) for word in words if word.content]
        return any(same_stem(first, second) for first, second in combinations(stems, 2))

    def _texts(self, candidate: Candidate) -> list[str]:
        return " ".join(self._lazy.vocabulary.words[index].text for index in candidate.words).lower().split()

    def _staleness(self, candidate: Candidate, *, hook: bool) -> float:
        """Weigh what a line repeats: of itself, of earlier lines, of the theme's wording."""
        lazy = self._lazy
        texts = self._texts(candidate)
        repeated = sum(count - 1 for count in Counter(texts).values())
        content = {text for text in texts if not is_function_word(text)}
        if hook:  # which may well say the theme itself
            content -= lazy.theme_words
        repeated += sum(min(2, self.memory.words[text]) for text in content)
        repeated += max(0, len(content & lazy.theme_words) - 1)
        pairs = sum(self.memory.pairs[pair] > 0 for pair in pairwise(texts))
        starts = self.weights.same_start * min(2, self.memory.starts[tuple(texts[:2])])
        starts += self.weights.same_first * (texts[0] == self.memory.last_first)
        drift = self.weights.drift * self.memory.voice.drift(texts)
        worn = self.weights.repeated_pair * pairs + self.weights.habit * habit(texts)
        return self.weights.repeated_word * repeated + worn + starts + drift


class _Material:
    """What a writer needs and computes once."""

    def __init__(self, request: Request, model: LanguageModel, extra: tuple[SungWord, ...], weights: Weights) -> None:
        from lyrics.embedding import embed

        table = lexicon(request.explicit)
        left_out = {word.text.lower() for word in (*table, *extra) if request.avoids(word.text)}
        self.request = request
        self.model = model
        self.pronouncer = Pronouncer()
        self.vocabulary = Vocabulary([*table, *extra], model, left_out=left_out)
        self.ends = [index for index, word in enumerate(table) if may_end(word) and word.text.lower() not in left_out]
        self.theme: Floats = embed([f"{request.theme} {request.mood}".strip()])[0]
        found = re.findall(r"[a-z']+", request.theme.lower())
        self.theme_words = {word for word in found if not is_function_word(word)}
        likes = np.zeros(len(self.vocabulary.words), np.float32)
        near = closeness(self.theme)
        likes[: len(near)] = weights.near * np.clip(near - 1, 0, 2)
        carried = moods(request.explicit)
        if request.mood:
            likes[: len(table)] += weights.mood * (carried @ np.array(_MOOD_POINTS[request.mood], np.float32))
        self.gloomy = np.zeros(len(likes), np.float32)
        if request.mood not in _GLOOMY_MOODS:
            self.gloomy[: len(near)] = (carried[: len(near), 0] < _GLOOM) & (near < _GLOOM_NEAR)
            likes -= weights.gloom * self.gloomy
        self.likes = self._plain_likes = likes
        self._plans: dict[int, list[int]] = {}
        self._near, self._image = near, weights.image
        self._table = table
        self.rimes = {index: _rime(table[index]) for index in self.ends}
        self.tails = {index: tails_of(table[index].line) for index in self.ends}
        self.bias = self._bias()
        self._habits = self._find_habits(weights.shy)
        self._reluctance = {word: Reluctance.of(costs, self.vocabulary) for word, costs in self._habits.items()}
        self.titles: set[int] = set()  # phrases of the theme
        self.families: dict[tuple[str, ...], list[int]] = {}
        for index, rime in self.rimes.items():
            self.families.setdefault(rime, []).append(index)

    def _find_habits(self, weight: float) -> dict[int, dict[int, float]]:
        """Return the cost of tokens behind each word by habit, of words that begin alike that of the strongest one."""
        found: dict[int, dict[int, float]] = {}
        numbers = self.vocabulary.number | {START: BEGINNING}
        for (first, second), strength in read_habits().items():
            if first in numbers and second in numbers:
                token = self._first_token(second, begins=first == START)
                costs = found.setdefault(numbers[first], {})
                costs[token] = max(costs.get(token, 0.0), weight * strength)
        return found

    def reluctance(self, weight: float, earlier: Mapping[str, int]) -> dict[int, Reluctance]:
        """Return what is less welcome behind each word, and to begin a line as so many `earlier` ones begin with it."""
        begun = Counter[int]()
        for text, count in earlier.items():
            if text in self.vocabulary.number:
                begun[self._first_token(text, begins=True)] += count
        costs = dict(self._habits.get(BEGINNING, {}))
        for token, count in begun.items():
            costs[token] = costs.get(token, 0.0) + weight * math.log1p(count)
        return {**self._reluctance, BEGINNING: Reluctance.of(costs, self.vocabulary)}

    def _first_token(self, text: str, *, begins: bool) -> int:
        number = self.vocabulary.number[text]
        return (self.vocabulary.start_tokens if begins else self.vocabulary.inside_tokens)[number][0]

    def number(self, word: SungWord) -> int:
        """Return the number of a word or phrase in the vocabulary."""
        return self.vocabulary.number[word.text.lower()]

    @cached_property
    def examples_text(self) -> str:
        return (LEXICON / "examples.txt").read_text(encoding="utf-8")

    @property
    def examples(self) -> Prefix:
        key = "examples", self.examples_text
        found: Prefix | None = self.model.kept.get(key)
        if found is None:
            found = self.model.kept[key] = self.model.read(self.model.start(Brief()), self.examples_text)
            _ = found.state  # read by itself, so that the first lyric follows the same numbers as all others
        return found

    @cached_property
    def plain(self) -> Prefix:
        """The prompt without a theme."""
        return self.model.read(self.examples, [tag(Role.VERSE)])

    def plan(self, sections: Sequence[int], source: np.random.Generator) -> None:
        """Choose what each of these sections shows, the most important one first."""
        theme = self.model.read(self.examples, [opening(Brief((self.request.theme,))).rstrip("\n") + ","])
        expected = theme.log_probs[[tokens[0] for tokens in self.vocabulary.inside_tokens[: len(self._near)]]]
        near = np.where(self.gloomy[: len(self._near)] > 0, 0, self._near)
        plans = plan_images(self._table, near, expected, self.theme_words, len(sections), source)
        self._plans = dict(zip(sections, plans, strict=True))
        for index, images in self._plans.items():
            logger.info("section %d shows: %s", index, " ".join(self._table[image].text for image in images))

    def show(self, section: int) -> None:
        """Make the images of a section welcome, and those of others no more than other words."""
        self.likes = self._plain_likes.copy()
        for number, images in self._plans.items():
            if images:
                self.likes[images] = self._image + np.maximum(self.likes[images], 0) if number == section else 0
        self.bias = self._bias()

    def agreement(self, line: Line) -> float:
        """How far the mood of a line is the one asked for."""
        mood = find_mood([line])
        valence, energy = _MOOD_POINTS[self.request.mood]
        return valence * mood.valence + energy * mood.energy

    def _bias(self) -> Floats:
        """How welcome each token is: the liking of the dearest word that begins with it, 0 for most."""
        found = np.zeros(self.model.num_tokens, np.float32)
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
