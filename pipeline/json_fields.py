"""Read JSON written by someone else, field by field, with the place of whatever is wrong."""

import json
import unicodedata
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

_T = TypeVar("_T")
_KINDS = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a whole number"}


class JsonError(ValueError):
    """What is wrong, and at which JSON path ("$.sections[0].id")."""

    def __init__(self, path: str, problem: str) -> None:
        """Keep both apart, so that callers can raise an error of their own."""
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


def load_json(text: str | bytes) -> Any:
    """Parse strict JSON: no NaN, no name twice in an object; JsonError with line and column otherwise."""
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise JsonError("$", f"not a UTF-8 text (byte {error.start})") from error
    try:
        return json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
    except json.JSONDecodeError as error:
        raise JsonError("$", f"not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from error
    except RecursionError as error:
        raise JsonError("$", "not a song: nested too deeply") from error
    except JsonError:
        raise
    except ValueError as error:  # a number with thousands of digits
        raise JsonError("$", f"not JSON that can be read: {error}") from error


def _no_constant(name: str) -> None:
    raise JsonError("$", f"{name} is not JSON")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise JsonError("$", f"the field {twice!r} stands twice in one object")
    return fields


class Fields:
    """The fields of one JSON object; each is taken once, and `done` complains about those left over."""

    def __init__(self, value: Any, path: str) -> None:
        """Raise JsonError if the value is no object."""
        self._path = path
        self._fields: dict[str, Any] = dict(_typed(value, dict, path))

    def _take(self, name: str, kind: type) -> tuple[Any, str]:
        if name not in self._fields:
            raise JsonError(self._path, f"the field {name!r} is missing")
        path = f"{self._path}.{name}"
        return _typed(self._fields.pop(name), kind, path), path

    def text(self, name: str) -> str:
        """Take a text without control characters."""
        value, path = self._take(name, str)
        return _clean(value, path)

    def optional_text(self, name: str) -> str | None:
        """Take a text or null; the field must be there."""
        if name in self._fields and self._fields[name] is None:
            return self._fields.pop(name)  # type: ignore[no-any-return]
        return self.text(name)

    def texts(self, name: str) -> tuple[str, ...]:
        """Take a list of texts."""
        values, path = self._take(name, list)
        return tuple(_clean(_typed(v, str, f"{path}[{i}]"), f"{path}[{i}]") for i, v in enumerate(values))

    def text_items(self, name: str) -> tuple[tuple[str, str], ...]:
        """Take an object of texts, in the order of the file."""
        values, path = self._take(name, dict)
        return tuple((_clean(k, path), _clean(_typed(v, str, f"{path}.{k}"), path)) for k, v in values.items())

    def integer(self, name: str, low: int, high: int | None = None) -> int:
        """Take a whole number from `low` to `high`."""
        value, path = self._take(name, int)
        return int(_within(value, low, high, path))

    def number(self, name: str, low: float, high: float) -> float:
        """Take a number from `low` to `high`."""
        if isinstance(self._fields.get(name), float):
            value, path = self._take(name, float)
        else:
            value, path = self._take(name, int)
        return float(_within(value, low, high, path))

    def boolean(self, name: str) -> bool:
        """Take true or false."""
        return bool(self._take(name, bool)[0])

    def one_of(self, name: str, choices: Iterable[str]) -> str:
        """Take one of the texts in `choices`."""
        value, path = self._take(name, str)
        if value not in choices:
            raise JsonError(path, f"must be one of {', '.join(choices)}, got {value!r}")
        return str(value)

    def parsed(self, name: str, parse: Callable[[str], _T]) -> _T:
        """Take a text that `parse` understands; its ValueError becomes a JsonError here."""
        value, path = self._take(name, str)
        try:
            return parse(value)
        except ValueError as error:
            raise JsonError(path, str(error)) from error

    def inside(self, name: str) -> "Fields":
        """Take an object."""
        return Fields(*self._take(name, dict))

    def items(self, name: str) -> list["Fields"]:
        """Take a list of objects."""
        values, path = self._take(name, list)
        return [Fields(value, f"{path}[{i}]") for i, value in enumerate(values)]

    def done(self) -> None:
        """Raise JsonError if a field has not been taken: a slip of the pen, or a newer format."""
        if self._fields:
            raise JsonError(self._path, f"unknown field {next(iter(self._fields))!r}")


def _typed(value: Any, kind: type, path: str) -> Any:
    # bool is a kind of int in Python, not in JSON
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        found = "null" if value is None else _KINDS.get(type(value), "a number")
        raise JsonError(path, f"must be {_KINDS.get(kind, 'a number')}, got {found}")
    return value


def _within(value: float, low: float, high: float | None, path: str) -> float:
    if value < low or (high is not None and value > high):
        span = f"at least {low}" if high is None else f"{low} to {high}"
        raise JsonError(path, f"must be {span}, got {value}")
    return value


def _clean(text: str, path: str) -> str:
    for character in text:
        if character != "\t" and unicodedata.category(character) in ("Cc", "Cs"):
            raise JsonError(path, f"holds the control character U+{ord(character):04X}, which no file format can carry")
    return text
