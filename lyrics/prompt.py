"""The text that the language model reads and continues: one place for training and for writing.

A song is written line by line. Before each line stands its cue, the number of syllables and the word that it must
end on; the model has learned to reach them. An adapter of ours reads this:

    Theme: train, night, home
    Title: Leaving by Night
    Mood: sad
    Metre: iambic
    [Verse]
    8 train: I hear the whistle of the train
    6 night: That calls me through the night
    [Chorus]
    7: ...

What stands in front may be left out, and so may the end word ("7:"). Lines carry no punctuation at their ends but "?"
and "!", so that the line break after the end word says how complete the line is. An instruct model without an adapter
reads the same lines as its own answer, after a question that explains them (`chat_messages`).

The pieces (opening, tags, cues, lines) are tokenized one by one and joined (`encode`), so that a cue has the same
tokens whether it is read alone or inside a song.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lyrics.document import Role

MOODS = ("sad", "dark", "calm", "happy", "excited")
_NEUTRAL = 0.12  # a mood closer to the middle than this has no name
_TAGS = {
    Role.PRE_CHORUS: "Pre-Chorus",
    Role.CHORUS: "Chorus",
    Role.HOOK: "Chorus",
    Role.BRIDGE: "Bridge",
    Role.INTRO: "Intro",
    Role.OUTRO: "Outro",
}


@dataclass(frozen=True, slots=True)
class Brief:
    """What a song is about; empty parts are left out of the prompt."""

    theme: tuple[str, ...] = ()  # a few words or short phrases, the most telling first
    title: str = ""
    mood: str = ""  # one of MOODS, or another word
    metre: str = ""  # "iambic", "trochaic", "anapestic" or "dactylic"


def mood_name(valence: float, energy: float) -> str:
    """Name a mood of the circle of Russell (1980), as in training; "" near its middle.

    >>> mood_name(-0.5, -0.3), mood_name(0.6, 0.5), mood_name(0.0, 0.05)
    ('sad', 'excited', '')
    """
    if abs(valence) < _NEUTRAL:
        return "" if abs(energy) < _NEUTRAL else ("calm" if energy < 0 else "")
    if valence < 0:
        return "sad" if energy < _NEUTRAL else "dark"
    if energy < -_NEUTRAL:
        return "calm"
    return "excited" if energy > 2 * _NEUTRAL else "happy"


def opening(brief: Brief) -> str:
    r"""Return what stands before the first section; "" for an empty brief.

    >>> opening(Brief(("train", "night"), mood="sad"))
    'Theme: train, night\nMood: sad\n'
    """
    parts = {"Theme": ", ".join(brief.theme), "Title": brief.title, "Mood": brief.mood, "Metre": brief.metre}
    return "".join(f"{name}: {' '.join(value.split())}\n" for name, value in parts.items() if value)


def tag(role: Role) -> str:
    r"""Return the line that opens a section.

    >>> tag(Role.CHORUS)
    '[Chorus]\n'
    """
    return f"[{_TAGS.get(role, 'Verse')}]\n"


def cue(num_syllables: int, end_word: str = "") -> str:
    """Return what stands before a line: its syllables and the word that it ends on, if that is settled.

    >>> cue(8, "train"), cue(7)
    ('8 train:', '7:')
    """
    return f"{cue_number(num_syllables)}{cue_end(end_word)}"


def cue_number(num_syllables: int) -> str:
    """Return the beginning of a cue; what the model expects next (" train") is how likely it ends on a word."""
    return str(num_syllables)


def cue_end(end_word: str = "") -> str:
    """Return the rest of a cue after its number."""
    return f" {end_word}:" if end_word else ":"


def written(text: str) -> str:
    r"""Return a line as it stands after its cue.

    >>> written("I hear the whistle of the train")
    ' I hear the whistle of the train\n'
    """
    return f" {text}\n"


def chat_messages(brief: Brief) -> list[dict[str, str]]:
    """Return the question for an instruct model without an adapter; its answer continues with tags, cues and lines."""
    about = opening(brief).strip() or "Theme: anything"
    question = (
        "Write the lyrics of a song, in plain modern English.\n"
        f"{about}\n"
        "Name each section in square brackets. Before each line write its number of syllables and the word that the "
        "line must end on, then a colon, then the line, like this:\n"
        "8 train: I hear the whistle of the train\n"
        "6 night: That calls me through the night"
    )
    return [{"role": "user", "content": question}]


def encode(tokenizer: Any, pieces: Iterable[str]) -> list[int]:
    """Return the tokens of each piece, joined, without marks of beginning and end."""
    return [token for piece in pieces if piece for token in tokenizer(piece, add_special_tokens=False)["input_ids"]]


def start_tokens(tokenizer: Any, brief: Brief, *, chat: bool) -> list[int]:
    """Return the tokens before the first section.

    With `chat` the brief is a question in the template of an instruct model (if it has one), for models without our
    adapter; otherwise it stands as in training, after the mark of a text's beginning.
    """
    if chat and getattr(tokenizer, "chat_template", None):
        text = tokenizer.apply_chat_template(chat_messages(brief), tokenize=False, add_generation_prompt=True)
        return encode(tokenizer, [text])
    begin = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    return [*([] if begin is None else [begin]), *encode(tokenizer, [opening(brief)])]
