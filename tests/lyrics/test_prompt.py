from typing import Any

import pytest

from lyrics import prompt
from lyrics.document import Role


@pytest.mark.parametrize("role", list(Role))
def test_every_role_has_a_tag_on_a_line_of_its_own(role: Role) -> None:
    assert prompt.tag(role).startswith("[")
    assert prompt.tag(role).endswith("]\n")


def test_empty_parts_are_left_out_and_blanks_do_not_break_lines() -> None:
    assert prompt.opening(prompt.Brief()) == ""
    assert prompt.opening(prompt.Brief(title="Two\n words")) == "Title: Two words\n"


def test_a_cue_is_its_two_halves() -> None:
    assert prompt.cue(8, "train") == prompt.cue_number(8) + prompt.cue_end("train") == "8 train:"
    assert prompt.cue(12) == "12:"


@pytest.mark.parametrize(
    ("valence", "energy", "name"),
    [(-0.5, -0.5, "sad"), (-0.5, 0.5, "dark"), (0.5, -0.5, "calm"), (0.5, 0.2, "happy"), (0.5, 0.6, "excited")],
)
def test_the_moods_have_names(valence: float, energy: float, name: str) -> None:
    assert prompt.mood_name(valence, energy) == name
    assert name in prompt.MOODS


def test_without_a_chat_template_the_brief_stands_plainly(tiny: Any) -> None:
    tokenizer = tiny.make_tokenizer()
    brief = prompt.Brief(("night",))
    tokens = prompt.start_tokens(tokenizer, brief, chat=True)
    assert tokens[0] == tokenizer.bos_token_id
    assert tokenizer.decode(tokens[1:]) == "Theme: night\n"


def test_an_instruct_model_is_asked_in_its_own_template(tiny: Any) -> None:
    tokenizer = tiny.make_tokenizer()
    tokenizer.chat_template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<answer>"
    text = tokenizer.decode(prompt.start_tokens(tokenizer, prompt.Brief(("night",)), chat=True))
    assert text.startswith("<user>Write the lyrics")
    assert "Theme: night" in text
    assert text.endswith("<answer>")
