"""Show an analysis of lyrics to people: a coloured table per section, for the terminal."""

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from lyrics.analysis import Analysis, SectionAnalysis
from lyrics.document import Lyrics, Word
from pipeline.names import counted

# Colours of the rhyme labels, in turn; readable on dark and on light.
_COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "red")


def show(lyrics: Lyrics, analysis: Analysis, console: Console) -> None:
    """Print the analysis; the console decides about colours (NO_COLOR, no terminal)."""
    console.print(_head(analysis))
    seen: set[str] = set()
    for section, analysed in zip(lyrics.sections, analysis.sections, strict=True):
        console.print()
        if analysed.repeat_of in seen:
            console.print(Text.assemble((analysed.label, "bold"), f"  repeats {analysed.repeat_of}"))
        elif not analysed.lines:
            console.print(Text.assemble((analysed.label, "bold"), f"  {analysed.role.value}, no words"))
        else:
            words = [line.words for line in section.lines]
            console.print(_section(analysed, words))
        seen.add(analysed.id)
    remarks = _remarks(analysis)
    if remarks:
        console.print()
        console.print(Text("To look at before singing", style="bold"))
        for remark in remarks:
            console.print(Text(f"  {remark}"), soft_wrap=True)
    guessed = sorted({word for section in analysis.sections for line in section.lines for word in line.guessed})
    if guessed:
        console.print()
        console.print(
            Text.assemble(("Pronunciation guessed (not in the dictionary): ", "bold"), ", ".join(guessed)),
            soft_wrap=True,
        )


def _head(analysis: Analysis) -> RenderableType:
    mood = analysis.mood
    rows = [
        ("title", analysis.title or "-"),
        (
            "length",
            f"{counted(len(analysis.sections), 'section')}, {counted(analysis.num_lines, 'line')}, "
            f"{counted(analysis.num_words, 'word')}, {counted(analysis.num_syllables, 'syllable')}",
        ),
        ("form", ", ".join(section.label for section in analysis.sections)),
        ("metre", analysis.metre),
        ("mood", f"valence {mood.valence:+.2f}, energy {mood.energy:+.2f}{_carriers(analysis)}"),
        ("themes", "; ".join(f"{theme.name} ({', '.join(theme.words[:4])})" for theme in analysis.themes) or "-"),
        ("speaks", _voice(analysis)),
    ]
    if analysis.hook is not None:
        rows.append(("hook", f"{analysis.hook.text} ({counted(analysis.hook.count, 'time')})"))
    if analysis.refrains:
        rows.append(("refrain", "; ".join(analysis.refrains)))
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, Text(value))
    return table


def _voice(analysis: Analysis) -> str:
    view = analysis.point_of_view
    return f"{view.name}, calling {', '.join(view.addressed)}" if view.addressed else view.name


def _remarks(analysis: Analysis) -> list[str]:
    """Say in a sentence each, by line, what breaks a parallel and what is hard to sing."""
    remarks = [
        (
            one.line,
            f"{one.num_syllables} syllables where line{'s' * (len(one.parallel) > 1)} "
            f"{', '.join(map(str, one.parallel))} {'have' if len(one.parallel) > 1 else 'has'} {one.others}",
        )
        for one in analysis.uneven
    ]
    remarks += [(one.line, f"{one.kind}, “{one.words}”: {one.suggestion}") for one in analysis.warnings]
    return [f"line {line}: {text}" for line, text in sorted(remarks)]


def _carriers(analysis: Analysis) -> str:
    words = [word.word for word in analysis.mood.words[:5]]
    return f" ({', '.join(words)})" if words else ""


def _section(section: SectionAnalysis, words: list[tuple[Word, ...]]) -> RenderableType:
    heading = Text.assemble((section.label, "bold"), f"  {section.role.value}")
    if section.guess is not None:
        heading.append(f" (perhaps a {section.guess.role.value}: {section.guess.reason})")
    if section.metre:
        heading.append(f", {section.metre} (fit {section.fit:.2f})")
    if section.rhyme_scheme:
        heading.append(f", rhymes {section.rhyme_scheme}")
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="dim")
    table.add_column("line", justify="right", style="dim")
    table.add_column("syllables", overflow="fold")
    table.add_column("count", justify="right")
    table.add_column("stress", overflow="fold")
    table.add_column("rhyme")
    for line, sung in zip(section.lines, words, strict=True):
        colour = "dim" if line.rhyme == "-" else _COLOURS[(ord(line.rhyme[0]) - ord("A")) % len(_COLOURS)]
        rhyme = line.rhyme if line.rhyme_kind is None else f"{line.rhyme} {line.rhyme_word} ({line.rhyme_kind})"
        table.add_row(
            str(line.number), _divided(sung), str(line.num_syllables), Text(line.stress), Text(rhyme, style=colour)
        )
    return Group(heading, table)


def _divided(words: tuple[Word, ...]) -> Text:
    """Write the words with their syllables apart, stressed ones in bold."""
    text = Text()
    for number, word in enumerate(words):
        text.append(" " * (number > 0) + word.prefix)
        for index, syllable in enumerate(word.syllables):
            text.append("·" * (index > 0))
            text.append(syllable.text, style="bold" if syllable.stress == 1 and word.content else "")
        text.append(word.suffix)
    return text
