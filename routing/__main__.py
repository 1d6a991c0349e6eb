"""`python -m routing FD`: a worker process of the proxy, see `routing.worker`."""

import sys

# Before anything imports httpx, which loads its command line where it can, and with it rich and
# pygments: 4 MB of memory in each worker.
sys.modules["httpx._main"] = None  # type: ignore[assignment]

from routing.worker import main  # noqa: E402

main()
