"""Where commands write: colour only on terminals, JSON for scripts."""

import json
import sys
from typing import Any

from rich.console import Console


def console() -> Console:
    """Standard output; rich leaves out colour when it is no terminal or NO_COLOR is set.

    Text is shown as it is: what people gave as a reason may look like markup.
    """
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=not sys.stdout.isatty())


def print_json(value: Any) -> None:
    """One line of JSON, at once, so that a reader of a pipe sees it when it happens."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()
