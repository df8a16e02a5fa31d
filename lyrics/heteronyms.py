"""Words that are spelled alike and said otherwise: the neighbouring words tell which, where they can.

Each entry gives the usual pronunciation, the other one, and the words that call for the other one directly before or
directly after. What a neighbour does not settle keeps the usual pronunciation.
"""

from typing import NamedTuple

_PRONOUNS = "i you we they he she it who ye thou"
_MODALS = (
    "to will would shall should can could may might must don't didn't doesn't won't can't cannot couldn't wouldn't "
    "shouldn't let's i'll you'll we'll they'll he'll she'll it'll i'd you'd we'd they'd he'd she'd never not and"
)
_HAVE = "have has had having i've you've we've they've he's she's it's be is was were been being are i'm you're we're"
_VERB = f"{_PRONOUNS} {_MODALS}".replace(" and", "")


class Heteronym(NamedTuple):
    """One spelling, two pronunciations."""

    usual: tuple[str, ...]
    other: tuple[str, ...]
    before: frozenset[str]  # the other one directly after these words
    after: frozenset[str]  # or directly before these
    unless: frozenset[str] = frozenset()  # but never directly after these


def _entry(usual: str, other: str, before: str = "", after: str = "", unless: str = "") -> Heteronym:
    return Heteronym(
        tuple(usual.split()),
        tuple(other.split()),
        frozenset(before.split()),
        frozenset(after.split()),
        frozenset(unless.split()),
    )


def _noun_verb(noun: str, verb: str) -> Heteronym:
    return _entry(noun, verb, before=_VERB)


_TABLE = {
    "read": _entry("R IY1 D", "R EH1 D", before=f"{_HAVE} he she it who just once already"),
    "live": _entry(
        "L IH1 V", "L AY1 V", before="a", after="wire wires music show shows band crowd stage ammunition tv"
    ),
    "lives": _entry(
        "L IH1 V Z",
        "L AY1 V Z",
        before="our your their my his her these those all nine many both two three new past whose thousand of",
        unless="who that it he she",
    ),
    "wind": _entry("W IH1 N D", "W AY1 N D", before="to can will they roads rivers", after="up down through around"),
    "winds": _entry("W IH1 N D Z", "W AY1 N D Z", before="it that road river path trail", after="up down through"),
    "tear": _entry(
        "T IH1 R", "T EH1 R", before=f"{_VERB} wear", after="it me us you them apart down up away off out the through"
    ),
    "tears": _entry("T IH1 R Z", "T EH1 R Z", before="it she he that love", after="me us apart down it up"),
    "lead": _entry("L IY1 D", "L EH1 D", before="like of heavy", after="balloon pipe bullet bullets"),
    "close": _entry(
        "K L OW1 S",
        "K L OW1 Z",
        before=f"{_MODALS} i we they you eyes doors",
        after="your my the our their his her that this these thine thy your up down it",
        unless="so too as very stay stays stayed hold holding keep come came been get draw is are be was were i'm "
        "you're we're not how pull",
    ),
    "use": _entry("Y UW1 Z", "Y UW1 S", before="no any a the of what some good much in out"),
    "used": _entry("Y UW1 Z D", "Y UW1 S T", after="to"),
    "uses": _entry("Y UW1 Z IH0 Z", "Y UW1 S IH0 Z", before="many some the"),
    "house": _entry("HH AW1 S", "HH AW1 Z", before="to will could"),
    "excuse": _entry("IH0 K S K Y UW1 Z", "IH0 K S K Y UW1 S", before="no an any your my the that this a another good"),
    "abuse": _entry("AH0 B Y UW1 S", "AH0 B Y UW1 Z", before=_VERB),
    "bow": _entry("B AW1", "B OW1", before="a the my your his her", after="and tie"),
    "sow": _entry("S OW1", "S AW1", before="a the old"),
    "row": _entry("R OW1", "R AW1", after="erupted"),
    "wound": _entry("W UW1 N D", "W AW1 N D", after="up down around round through tight it"),
    "minute": _entry("M IH1 N AH0 T", "M AY0 N UW1 T", after="detail details"),
    "dove": _entry("D AH1 V", "D OW1 V", before="i he she they we", after="in into down deep under"),
    "does": _entry("D AH1 Z", "D OW1 Z", before="two three bucks and"),
    "bass": _entry("B EY1 S", "B AE1 S", before="sea striped", after="fish"),
    "desert": _noun_verb("D EH1 Z ER0 T", "D IH0 Z ER1 T"),
    "present": _noun_verb("P R EH1 Z AH0 N T", "P R IY0 Z EH1 N T"),
    "record": _noun_verb("R EH1 K ER0 D", "R IH0 K AO1 R D"),
    "object": _noun_verb("AA1 B JH EH0 K T", "AH0 B JH EH1 K T"),
    "subject": _noun_verb("S AH1 B JH IH0 K T", "S AH0 B JH EH1 K T"),
    "project": _noun_verb("P R AA1 JH EH0 K T", "P R AH0 JH EH1 K T"),
    "rebel": _noun_verb("R EH1 B AH0 L", "R IH0 B EH1 L"),
    "permit": _noun_verb("P ER1 M IH0 T", "P ER0 M IH1 T"),
    "conduct": _noun_verb("K AA1 N D AH0 K T", "K AH0 N D AH1 K T"),
    "conflict": _noun_verb("K AA1 N F L IH0 K T", "K AH0 N F L IH1 K T"),
    "contest": _noun_verb("K AA1 N T EH0 S T", "K AH0 N T EH1 S T"),
    "content": _entry("K AH0 N T EH1 N T", "K AA1 N T EH0 N T", before="the this"),
    "contract": _noun_verb("K AA1 N T R AE2 K T", "K AH0 N T R AE1 K T"),
    "contrast": _noun_verb("K AA1 N T R AE0 S T", "K AH0 N T R AE1 S T"),
    "convert": _noun_verb("K AA1 N V ER0 T", "K AH0 N V ER1 T"),
    "convict": _noun_verb("K AA1 N V IH0 K T", "K AH0 N V IH1 K T"),
    "import": _noun_verb("IH1 M P AO0 R T", "IH0 M P AO1 R T"),
    "increase": _noun_verb("IH1 N K R IY0 S", "IH0 N K R IY1 S"),
    "insult": _noun_verb("IH1 N S AH2 L T", "IH0 N S AH1 L T"),
    "produce": _entry("P R AH0 D UW1 S", "P R OW1 D UW0 S", before="fresh the"),
    "progress": _noun_verb("P R AA1 G R EH2 S", "P R AH0 G R EH1 S"),
    "protest": _noun_verb("P R OW1 T EH2 S T", "P R AH0 T EH1 S T"),
    "refuse": _entry("R IH0 F Y UW1 Z", "R EH1 F Y UW2 S", before="the"),
    "suspect": _entry("S AH0 S P EH1 K T", "S AH1 S P EH2 K T", before="a the prime"),
    "perfect": _entry("P ER1 F IH2 K T", "P ER0 F EH1 K T", before="to"),
    "perfume": _entry("P ER1 F Y UW2 M", "P ER0 F Y UW1 M", before="to"),
    "upset": _entry("AH0 P S EH1 T", "AH1 P S EH2 T", before="an the"),
    "invite": _entry("IH0 N V AY1 T", "IH1 N V AY0 T", before="an the"),
    "estimate": _entry("EH1 S T AH0 M AH0 T", "EH1 S T AH0 M EY2 T", before=_VERB),
    "separate": _entry("S EH1 P ER0 IH0 T", "S EH1 P ER0 EY2 T", before=_VERB),
    "alternate": _entry("AO1 L T ER0 N AH0 T", "AO1 L T ER0 N EY2 T", before=_VERB),
    "graduate": _entry("G R AE1 JH AH0 W AH0 T", "G R AE1 JH AH0 W EY2 T", before=_VERB),
    "learned": _entry("L ER1 N D", "L ER1 N IH0 D", after="man men one ones friend"),
    "blessed": _entry(
        "B L EH1 S IH0 D",
        "B L EH1 S T",
        before="i've you've we've god've i'm you're we're so is are am be been was were has have had i he feel feeling "
        "feels god lord get got were truly too",
    ),
    "beloved": _entry("B IH0 L AH1 V IH0 D", "B IH0 L AH1 V D", before="was is are be were so"),
    "aged": _entry("EY1 JH IH0 D", "EY1 JH D", before="i we he she has have had you they well"),
    "cursed": _entry("K ER1 S T", "K ER1 S IH0 D", before="this that these those thou ye thy"),
    "putting": _entry("P UH1 T IH0 NG", "P AH1 T IH0 NG", after="green"),
}


def heteronym(word: str, before: str = "", after: str = "") -> tuple[str, ...]:
    """Phones of a lower-case word between its lower-case neighbours; () for a word with one pronunciation.

    >>> heteronym("live", "we", "here"), heteronym("close", "to", "the")
    (('L', 'IH1', 'V'), ('K', 'L', 'OW1', 'Z'))
    """
    entry = _TABLE.get(word)
    if entry is None:
        return ()
    if before not in entry.unless and (before in entry.before or after in entry.after):
        return entry.other
    return entry.usual
