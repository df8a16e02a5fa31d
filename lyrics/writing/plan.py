"""The lines to write, and which of them carry the title, the words asked for and the name, settled before any model."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from lyrics.document import Role
from lyrics.errors import RequestError
from lyrics.pronounce import Pronouncer
from lyrics.rhyme import RhymeKind, rhyme_kind
from lyrics.writing.request import UNRHYMED, Request, SectionPlan, resolve
from lyrics.writing.search import fits_metre
from lyrics.writing.words import SungWord, lexicon, sung_phrase


def check(request: Request) -> None:
    """Refuse early, before any model is loaded, what can be seen to be impossible. Raises RequestError."""
    lay_out(request, resolve(request, Pronouncer()))


@dataclass(slots=True)
class Slot:
    """A line to write."""

    section: int
    index: int
    role: Role
    num_syllables: int
    letter: str
    follower: bool = False  # a later line must rhyme with it
    end: SungWord | None = None  # a word or phrase that it must end on
    opening: SungWord | None = None  # one that it must begin with
    inside: SungWord | None = None  # one that must stand in it, wherever that is natural
    hook: bool = False  # the line that the chorus is remembered by
    echo: bool = False  # a line that takes it up again
    goes_on: bool = False  # the next line may finish its sentence

    @property
    def is_free(self) -> bool:
        """Whether nothing that it must have is settled."""
        return self.end is None and self.opening is None and self.inside is None


def _slots(plans: Sequence[SectionPlan]) -> list[Slot]:
    return [
        Slot(
            section,
            index,
            plan.role,
            size,
            letter,
            follower=letter != UNRHYMED and letter in plan.scheme[index + 1 :],
            hook=plan.role in _HOOKED and index == 0,
            echo=plan.role in _HOOKED and 0 < index == len(plan.syllables) // 2,
            goes_on=index % 2 == 0 and index + 1 < len(plan.syllables),
        )
        for section, plan in enumerate(plans)
        if plan.repeats < 0
        for index, (size, letter) in enumerate(zip(plan.syllables, plan.scheme, strict=True))
    ]


def lay_out(request: Request, plans: Sequence[SectionPlan]) -> list[Slot]:
    """Lay out the lines and give the title, the words to use and the name to their lines. Raises RequestError."""
    pronouncer = Pronouncer()
    slots = _slots(plans)
    partners = [word for word in lexicon(request.explicit) if may_end(word) and not request.avoids(word.text)]

    def rhymed(phrase: SungWord) -> bool:
        found = (rhyme_kind(phrase.line, word.line) is RhymeKind.PERFECT for word in partners)
        return sum(islice(filter(None, found), _LEAST_RHYMES)) == _LEAST_RHYMES

    def no_line_left(text: str) -> RequestError:
        return RequestError(f"there is no line left for {text!r}; ask for fewer words, or more lines")

    def place(option: str, text: str, choices: Iterable[Slot]) -> None:
        phrase = sung_phrase(text, pronouncer)
        size = phrase.num_syllables
        open_slots = list(choices)
        fitting = [slot for slot in open_slots if slot.num_syllables >= size and _fits_end(phrase, slot, request.metre)]
        if not fitting:
            if not open_slots:
                raise no_line_left(text)
            most = max(slot.num_syllables for slot in open_slots)
            if most < size:
                raise RequestError(
                    f"--{option} {text!r} has {size} syllables, and its line at most {most}; "
                    "use more --syllables, or a shorter one"
                )
            sizes = " or ".join(map(str, sorted({slot.num_syllables for slot in open_slots})))
            raise RequestError(
                f"no {request.metre} line of {sizes} syllables can end on {text!r}; "
                "use other --syllables or --metre free, or put it otherwise"
            )
        if option == "title":
            fitting = fitting[:1]
        free = [slot for slot in fitting if slot.letter == UNRHYMED]
        first = [slot for slot in fitting if slot.follower and not _answers(slot, slots)]
        if free:
            free[0].end = phrase
        elif first and rhymed(phrase):
            first[0].end = phrase
        elif first:
            last = phrase.line.words[-1].text.split()[-1]
            raise RequestError(
                f"nothing that can be sung rhymes with {last!r}, and the line that ends on it needs a rhyme; "
                "use --rhyme none, a scheme with unrhymed lines such as XAXA, or another word"
            )
        else:
            raise no_line_left(text)

    hooks = [slot for slot in slots if slot.role in (Role.CHORUS, Role.HOOK)] or slots
    if request.title:
        place("title", request.title, hooks)
    for text in request.use:
        phrase = sung_phrase(text, pronouncer)
        roomy = [slot for slot in slots if slot.is_free and _has_room(phrase, slot, request.metre)]
        if roomy:
            held = Counter(slot.section for slot in slots if slot.inside)
            best = min(roomy, key=lambda slot: (held[slot.section], slot.role is not Role.VERSE, slot.hook, slot.echo))
            best.inside = phrase
        else:
            place("use", text, [slot for slot in slots if slot.is_free])
    if request.to:
        name = sung_phrase(request.to, pronouncer)
        target = next((s for s in slots if s.is_free and s.num_syllables >= name.num_syllables + 3), None)
        if target is None:
            raise RequestError(f"no line has room for {request.to!r}; use more --syllables, or a shorter name")
        target.opening = name
    return slots


def _fits_end(phrase: SungWord, slot: Slot, metre: str) -> bool:
    return fits_metre(phrase.stress, slot.num_syllables - phrase.num_syllables, metre)


def _has_room(phrase: SungWord, slot: Slot, metre: str) -> bool:
    """Whether a phrase can stand in a line before its last word, which may have any length."""
    starts = range(slot.num_syllables - phrase.num_syllables)
    return any(fits_metre(phrase.stress, used, metre) for used in starts)


def _answers(slot: Slot, slots: Sequence[Slot]) -> bool:
    """Whether an earlier line of the section has the same letter."""
    return any(
        other.section == slot.section and other.index < slot.index and other.letter == slot.letter for other in slots
    )


_HOOKED = (Role.CHORUS, Role.HOOK)
_LEAST_RHYMES = 2  # perfect ones, for a word that the user puts at the end of a line
_LEAST_ENDS = 4  # poems that end a line on a word: else it is no natural line end


# Content words that promise more words: a line that ends on one of them sounds cut off.
_OPEN_ENDS = frozenset(
    "how just very even only quite rather own same whole mere let lets make makes making put puts seem seems become "
    "becomes get gets got give gives giving bring brings take takes want wants need needs like likes tell tells "
    "also once then thus least many few several such every each another other "
    "no not".split()
)


def may_end(word: SungWord) -> bool:
    """Whether a line may end on a word of the table: a content word that lines do end on, and that closes them."""
    return word.content and word.ends >= _LEAST_ENDS and "'" not in word.text and word.text not in _OPEN_ENDS
