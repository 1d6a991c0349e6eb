"""Our own document of an environment: everything, readable and editable. Pure.

The same as YAML or JSON. A flag has what all environments share, and `config`, what it says in this
one. Versions are left out: those of where it is imported go on.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import Field

from flags.errors import rejecting
from flags.model import Config, Flag, Key, Model, Segment

API_VERSION: Final = "migrator.dev/v1alpha1"
_SHARED = frozenset({"environments", "version", "first_version"})
_NUMBERS = frozenset({"version", "modified"})
Document = dict[str, Any]


class Bundle(Model):
    apiVersion: Literal["migrator.dev/v1alpha1"] = API_VERSION
    kind: Literal["FlagEnvironment"] = "FlagEnvironment"
    project: Key
    environment: Key
    flags: Annotated[tuple[Document, ...], Field(max_length=5000)] = ()
    segments: Annotated[tuple[Document, ...], Field(max_length=1000)] = ()

    def read_flags(self, now_ms: int) -> list[Flag]:
        """With a config in this environment only. Raises `Rejected` naming the flag."""
        return [self._flag(document, index, now_ms) for index, document in enumerate(self.flags)]

    def read_segments(self, now_ms: int) -> list[Segment]:
        """Raises `Rejected` naming the segment."""
        found = []
        for index, document in enumerate(self.segments):
            with rejecting(f"segments.{index}"):
                found.append(
                    Segment.model_validate({"created": now_ms, **document, "modified": now_ms})
                )
        return found

    def _flag(self, document: Document, index: int, now_ms: int) -> Flag:
        shared = {k: v for k, v in document.items() if k != "config"}
        with rejecting(f"flags.{index}"):
            flag = Flag.model_validate({"created": now_ms, **shared})
        with rejecting(f"flags.{index} ({flag.key}): config"):
            given = document.get("config", {})
            if not isinstance(given, dict):
                raise ValueError("expected an object")
            config = Config.model_validate({**given, "modified": now_ms})
        return flag.with_config(self.environment, config)


def bundle(
    project: str, environment: str, flags: Iterable[Flag], segments: Iterable[Segment]
) -> Bundle:
    return Bundle(
        project=project,
        environment=environment,
        flags=tuple(_flag_document(flag, environment) for flag in flags),
        segments=tuple(
            s.model_dump(mode="json", exclude=set(_NUMBERS), exclude_defaults=True)
            for s in segments
        ),
    )


def parse(document: Any) -> Bundle:
    """Raises `Rejected` naming the field."""
    with rejecting("import"):
        return Bundle.model_validate(document)


class _Dumper(yaml.SafeDumper):
    """Readers of YAML 1.1 take U+0085 for a line break (section 5.4) unless it is escaped."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        style = '"' if "\x85" in data else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _Dumper.represent_str)


def to_yaml(document: Any) -> str:
    """Reads back as the same."""
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return text


def _flag_document(flag: Flag, environment: str) -> Document:
    shared = flag.model_dump(mode="json", exclude=set(_SHARED), exclude_defaults=True)
    config = flag.config(environment).model_dump(
        mode="json", exclude=set(_NUMBERS), exclude_defaults=True
    )
    return {**shared, "config": config}
