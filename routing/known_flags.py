"""The flags that a proxy last knew, evaluated by the official SDK without any connection."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ldclient import LDClient
from ldclient.config import Config

from routing.errors import CannotStart
from routing.evaluator import Evaluator, Known
from routing.explain import Evaluate
from routing.flag_cache import FILE, RememberingStore


@contextmanager
def known_flags(state: Path, sdk_key: str) -> Iterator[Evaluate]:
    """Evaluates by the file that a proxy keeps in `state`. Raises CannotStart without one."""
    store = RememberingStore(state / FILE, sdk_key, writes=False, on_change=lambda: None)
    if not store.load():
        raise CannotStart(
            f"{state / FILE}: no flags of this SDK key are kept there",
            hint="start the proxy once; it writes the file when flags arrive",
        )
    # use_ldd: the SDK reads the store alone and opens no connection.
    config = Config(sdk_key, feature_store=store, use_ldd=True, send_events=False)
    with closing(LDClient(config)) as client:
        evaluator = Evaluator(client, store)
        yield lambda flag, context: evaluator.evaluate(flag, Known(context))
