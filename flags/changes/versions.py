"""Which environments' versions a change moves: those in which something differs."""

from collections.abc import Iterable

from flags.model import Flag
from flags.wire.encoding import compact
from flags.wire.sdk import sdk_flag


def with_versions(before: Flag, after: Flag, environments: Iterable[str], now_ms: int) -> Flag:
    """`after` with the versions that follow from its differences to `before`.

    `environments` are all of the project: one that nobody has touched yet may change, too.
    """
    for key in environments:
        if _content(before, key) != _content(after, key):
            version = before.config(key).version + 1
            config = after.config(key).changed(version=version, modified=now_ms)
            after = after.with_config(key, config)
    return after.changed(version=before.version + 1)


def _content(flag: Flag, environment: str) -> tuple[bytes, str]:
    """What SDKs read and editors see there, but for version and date. As JSON: true is not 1."""
    wire = sdk_flag(flag, environment)
    del wire["version"]
    return compact(wire), flag.config(environment).model_dump_json(exclude={"version", "modified"})
