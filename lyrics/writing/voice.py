"""Who speaks and when, so that a lyric stays with one speaker, one person spoken to and one time.

A language model of this size forgets from line to line who "he" is. The voice of a lyric is what its lines so far have
settled: the persons that pronouns and nouns of kin name, and for each section whether it is told in the past. A line
that brings in somebody new, or jumps in time, drifts.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

_THIRD = {
    "he": "he him his himself he's he'll he'd",
    "she": "she her hers herself she's she'll she'd",
    "they": "they them their theirs themselves they're they'll they'd they've",
}
_GROUPS = {word: person for person, words in _THIRD.items() for word in words.split()}
_PEOPLE = {
    "he": "husband father daddy dad son sons brother brothers grandfather uncle boy boys man men king gentleman groom "
    "boyfriend sir mister",
    "she": "wife mother mama mom mum daughter daughters sister sisters grandmother aunt girl girls woman women lady "
    "girlfriend ladies queen bride",
    "they": "people children kids friends parents family lovers strangers neighbors folks",
    "": "friend child baby lover stranger neighbor doctor teacher captain soldier master servant kid",
}
_KIN = {word: person for person, words in _PEOPLE.items() for word in words.split()}
_PAST = frozenset(
    "was were had did went came said saw knew told took gave made thought felt left found heard stood sat ran lost met "
    "fell grew held kept spoke wrote began broke brought bought caught drove ate fought forgot got laid led lay paid "
    "rode rose sang sold sent shook slept spent taught threw woke wore won could would used".split()
)
_NOT_PAST = frozenset("need bed red bleed seed speed feed weed shed sled indeed instead head dead ahead bread".split())
_PRESENT = frozenset(
    "am is are has do does will i'm you're i've you've we're we've they're he's she's it's there's i'll you'll we'll "
    "he'll she'll they'll don't doesn't can can't won't isn't aren't".split()
)


def time_of(words: Iterable[str]) -> str:
    """Whether lower-case words tell of the past or the present: "past", "present", or "" where nothing says it.

    >>> time_of("i was the last one".split()), time_of("i am here".split()), time_of("all night long".split())
    ('past', 'present', '')
    """
    past = present = 0
    for word in words:
        present += word in _PRESENT
        past += word in _PAST or (len(word) > 4 and word.endswith("ed") and word not in _NOT_PAST)
    return "" if past == present else ("past" if past > present else "present")


@dataclass(slots=True)
class Voice:
    """What the lines so far have settled."""

    known: set[str] = field(default_factory=set)  # persons and people that may be spoken of
    time: str = ""  # of the section

    def settle(self, words: Iterable[str]) -> None:
        """Take note of a line that stands, or of the theme, in lower-case words."""
        words = list(words)
        for word in words:
            if word in _KIN:
                self.known |= {word, _KIN[word]} if _KIN[word] else {word, "he", "she"}
            elif word in _GROUPS:
                self.known.add(_GROUPS[word])
        self.time = self.time or time_of(words)

    def new_section(self) -> None:
        """Begin a section, which may be told in another time."""
        self.time = ""

    def drift(self, words: Iterable[str]) -> float:
        """How far a line drifts: 1 for each somebody new, 0.5 for a jump in time."""
        words = list(words)
        strangers = {_GROUPS[word] for word in words if word in _GROUPS} | {word for word in words if word in _KIN}
        time = time_of(words)
        return len(strangers - self.known) + 0.5 * bool(time and self.time and time != self.time)
