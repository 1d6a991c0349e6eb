"""YAML text becomes plain data that remembers where each value stood. Pure.

Only plain YAML: no tags, no duplicate keys, bounded size, depth and alias expansion. Scalars are
read as YAML 1.2 does, so that `off` and `on` are words (YAML 1.1 makes booleans of them).
"""

import re
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from migrator.plan.errors import PlanErrors, Problem

MAX_SIZE: Final = 1024 * 1024
MAX_DEPTH: Final = 32
MAX_NODES: Final = 50_000
Path = tuple[str | int, ...]
_BEYOND: Final = "the document is nested or repeated beyond measure"
_INT: Final = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT: Final = re.compile(r"[-+]?[0-9]{1,15}\.[0-9]{1,15}")
_WORDS: Final = {"": None, "~": None} | {
    text: value
    for word, value in (("null", None), ("true", True), ("false", False))
    for text in (word, word.capitalize(), word.upper())
}


@dataclass(frozen=True, slots=True)
class Document:
    data: Any
    places: dict[Path, tuple[int, int]] = field(repr=False)
    """Line and column of each value; of the key for members of mappings."""

    def place(self, path: Path) -> tuple[int, int]:
        """Of `path` or its nearest ancestor that is in the document."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, (1, 1))


def show_path(path: Path) -> str:
    """`("spec", "routes", 0)` as `spec.routes[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def read(text: str, file: str) -> Document:
    """Raises `PlanErrors`."""
    if len(text) > MAX_SIZE:
        raise PlanErrors([_problem(file, 1, 1, f"the file is larger than {MAX_SIZE} bytes")])
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        refused = "" if isinstance(error, _Refused) else "this is not YAML: "
        message = f"{refused}{error.problem or error.context}"
        raise PlanErrors([_problem(file, line, column, message)], text) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise PlanErrors([_problem(file, 1, 1, f"this is not YAML: {error}")]) from None
    if node is None:
        raise PlanErrors(
            [_problem(file, 1, 1, "the file is empty; `migrator init` writes a plan to start from")]
        )
    reader = _Reader(file)
    data = reader.value(node, (), 0)
    if reader.problems:
        raise PlanErrors(reader.problems, text)
    return Document(data, reader.places)


class _Refused(yaml.MarkedYAMLError):
    """YAML, but not of the plain kind."""


class _Loader(yaml.SafeLoader):
    """Refuses tags, and stops early in what is too large."""

    _composed = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call] # the stubs leave it out
        self._composed += 1
        if getattr(event, "tag", None) is not None:
            problem = f"the tag {event.tag} is not allowed in a plan"
        elif self._composed > MAX_NODES:
            problem = _BEYOND
        else:
            return super().compose_node(parent, index)
        raise _Refused(problem=problem, problem_mark=event.start_mark)


class _Reader:
    def __init__(self, file: str) -> None:
        self.file = file
        self.places: dict[Path, tuple[int, int]] = {}
        self.problems: list[Problem] = []
        self._count = 0

    def value(self, node: yaml.Node, path: Path, depth: int) -> Any:
        self._bound(node, path, depth)
        if not path or isinstance(path[-1], int):
            self.places[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(n, (*path, i), depth + 1) for i, n in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: Path, depth: int) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for key_node, value_node in sorted(node.value, key=_own):  # so that own places are kept
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append(self._at(key_node, path, "a key must be plain text"))
                continue
            if not _own((key_node, value_node)):
                merged |= self._merge(value_node, path, depth)
                continue
            key = key_node.value
            where = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            if key in own:
                first = self.places[(*path, key)][0]
                message = f"the key {key!r} is here twice; the first is in line {first}"
                self.problems.append(self._at(key_node, (*path, key), message))
                continue
            self.places[(*path, key)] = where
            own[key] = self.value(value_node, (*path, key), depth + 1)
        return merged | own

    def _merge(self, node: yaml.Node, path: Path, depth: int) -> dict[str, Any]:
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        result: dict[str, Any] = {}
        for source in reversed(sources):
            self._bound(source, path, depth)
            if isinstance(source, yaml.MappingNode):
                result |= self._mapping(source, path, depth + 1)
            else:
                self.problems.append(self._at(source, path, "<< needs a mapping"))
        return result

    def _scalar(self, node: yaml.Node) -> Any:
        text = str(node.value)
        if not isinstance(node, yaml.ScalarNode) or node.style is not None:
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _INT.fullmatch(text):
            return int(text)
        return float(text) if _FLOAT.fullmatch(text) else text

    def _bound(self, node: yaml.Node, path: Path, depth: int) -> None:
        self._count += 1
        if depth > MAX_DEPTH or self._count > MAX_NODES:
            raise PlanErrors([self._at(node, path, _BEYOND)])

    def _at(self, node: yaml.Node, path: Path, message: str) -> Problem:
        mark = node.start_mark
        return Problem(
            file=self.file,
            line=mark.line + 1,
            column=mark.column + 1,
            path=show_path(path),
            message=message,
        )


def _own(member: tuple[yaml.Node, yaml.Node]) -> bool:
    """Whether a member of a mapping is its own, not `<<`."""
    key = member[0]
    return not (isinstance(key, yaml.ScalarNode) and key.value == "<<" and key.style is None)


def _problem(file: str, line: int, column: int, message: str) -> Problem:
    return Problem(file=file, line=line, column=column, path="", message=message)
