"""Who speaks in a lyric, and to whom: the point of view, counted from pronouns."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from lyrics.document import Line
from lyrics.mood import plain_words

_PERSONS = {
    "I": "i me my mine myself i'm i'll i've i'd",
    "you": "you your yours yourself you're you'll you've you'd ya ye y'all thou thee thy thine",
    "we": "we us our ours ourselves we're we'll we've we'd let's",
    "she/he": "she her hers herself she's she'll she'd he him his himself he's he'll he'd",
    "they": "they them their theirs they're they'll they've they'd 'em",
}
_PERSON = {word: person for person, words in _PERSONS.items() for word in words.split()}
# Names for the person sung to, where they stand between commas or at an end of the line ("Sleep, little river").
_ADDRESSES = frozenset(
    "baby babe darling honey love lover sweetheart dear friend brother sister mother mama father papa daddy child boy "
    "girl lord jesus god sir stranger world moon river people ladies boys girls angel lady man son daughter".split()
)
_MIN_SHARE = 0.15  # of all personal pronouns, for a person to be named


@dataclass(frozen=True, slots=True)
class PointOfView:
    """Who speaks, and to whom."""

    name: str  # "I to you", "we", "she/he", or "none" without any pronoun
    counts: dict[str, int]  # pronouns by person, all five named
    addressed: tuple[str, ...]  # who is called by name or noun ("baby", "little river"), the most frequent first


def find_point_of_view(lines: Iterable[Line]) -> PointOfView:
    """Count the pronouns of lines and find who is called."""
    counts: Counter[str] = Counter()
    called: Counter[str] = Counter()
    for line in lines:
        words = plain_words(line)
        counts.update(_PERSON[word] for word in words if word in _PERSON)
        for index, word in enumerate(words):
            before = index == 0 or line.words[index - 1].suffix[:1] in (",", ".", "!", "?", ":", ";")
            little = index > 0 and words[index - 1] in ("little", "my", "sweet", "dear", "oh", "o")
            start = index - 1 if little else index
            before = before or (little and (start == 0 or line.words[start - 1].suffix[:1] in (",", ".", "!", "?")))
            after = line.words[index].suffix[:1] in (",", ".", "!", "?", ":") or index == len(words) - 1
            lone = len(words) == index - start + 1
            if word in _ADDRESSES and before and after and not lone:
                called[" ".join(words[start : index + 1]) if words[start] not in ("oh", "o") else word] += 1
    total = sum(counts.values())
    present = [person for person in _PERSONS if counts[person] and counts[person] >= _MIN_SHARE * total]
    speakers = [person for person in ("I", "we") if person in present]
    if speakers:
        name = " and ".join(speakers) + (" to you" if "you" in present else "")
        others = [person for person in ("she/he", "they") if person in present]
        if others and "you" not in present:
            name += " about " + " and ".join(others)
    elif "you" in present:
        name = "to you"
    else:
        name = " and ".join(present) or "none"
    return PointOfView(
        name=name,
        counts={person: counts[person] for person in _PERSONS},
        addressed=tuple(word for word, _ in called.most_common(3)),
    )
