"""Songwright: the lyrics stage. Public names load their modules when first used: importing the package is free."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lyrics.analysis import Analysis, analyze
    from lyrics.document import Line, Lyrics, LyricsError, Role, Section, Syllable, Word
    from lyrics.parse import parse_lyrics, read_lyrics
    from lyrics.pronounce import Pronouncer, UnpronounceableError

_MODULES = {
    "Analysis": "analysis",
    "Line": "document",
    "Lyrics": "document",
    "LyricsError": "document",
    "Pronouncer": "pronounce",
    "Role": "document",
    "Section": "document",
    "Syllable": "document",
    "UnpronounceableError": "pronounce",
    "Word": "document",
    "analyze": "analysis",
    "parse_lyrics": "parse",
    "read_lyrics": "parse",
}
__all__ = [
    "Analysis",
    "Line",
    "Lyrics",
    "LyricsError",
    "Pronouncer",
    "Role",
    "Section",
    "Syllable",
    "UnpronounceableError",
    "Word",
    "analyze",
    "parse_lyrics",
    "read_lyrics",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
