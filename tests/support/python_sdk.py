"""LaunchDarkly's SDK for Python, set up as a service does it, in each way it gets its data."""

import gc
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from operator import methodcaller
from typing import Any, Final

from ldclient import Config, LDClient, datasystem
from ldclient.config import DataSystemConfig

PATIENCE: Final = 20.0
RECONNECT: Final = 0.05
"""Seconds; the SDK itself waits 1 s at first."""
POLL: Final = 0.02
"""Seconds; the SDK itself allows no less than 30."""
close, flush = methodcaller("close"), methodcaller("flush")  # the SDK has no types for them


class _Config(Config):
    @property
    def poll_interval(self) -> float:
        return POLL


def _second_generation(*, stream: bool, poll: bool, first_poll: bool) -> DataSystemConfig:
    polling = datasystem.polling_ds_builder().poll_interval(POLL)
    streaming = datasystem.streaming_ds_builder().initial_reconnect_delay(RECONNECT)
    synchronizers = [streaming] * stream + [polling] * poll
    builder = datasystem.custom().synchronizers(*synchronizers)
    return builder.initializers([polling] if first_poll else None).build()


MODES: Final[Mapping[str, Callable[[], dict[str, Any]]]] = {
    "streaming": lambda: {},
    "polling": lambda: {"stream": False},
    "second-streaming": lambda: {
        "datasystem_config": _second_generation(stream=True, poll=False, first_poll=False)
    },
    "second-polling": lambda: {
        "datasystem_config": _second_generation(stream=False, poll=True, first_poll=False)
    },
    "second-default": lambda: {
        "datasystem_config": _second_generation(stream=True, poll=True, first_poll=True)
    },
}
"""Options by name; `second` is the second protocol generation, without a way back to the first."""


def sdk_config(origin: str, sdk_key: str, mode: str = "streaming", **options: Any) -> Config:
    return _Config(
        sdk_key=sdk_key,
        base_uri=origin,
        stream_uri=origin,
        events_uri=origin,
        initial_reconnect_delay=RECONNECT,
        **MODES[mode](),
        **options,
    )


@contextmanager
def python_sdk(
    origin: str, sdk_key: str, mode: str = "streaming", *, refused: bool = False, **options: Any
) -> Iterator[LDClient]:
    """Connected, unless it is `refused`: three addresses and a key are all it takes."""
    others = set(threading.enumerate())
    config = sdk_config(origin, sdk_key, mode, **options)
    client = LDClient(config=config, start_wait=0 if refused else PATIENCE)
    try:
        assert refused or client.is_initialized()
        yield client
    finally:
        close(client)
        _end(others)


def _end(others: set[threading.Thread]) -> None:
    """The SDK leaves its sockets to the garbage collector, which warns of each: not elsewhere."""
    for thread in threading.enumerate():
        if thread not in others and thread.name.startswith(("ldclient", "FDv2")):
            thread.join(0.5)  # nearly all have ended; one that reads a stream may not
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
