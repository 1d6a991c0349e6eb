"""The measurements fit the flag server: it starts, it switches, its streams are understood."""

import json
from contextlib import closing

from bench.flags.capture import capture
from bench.flags.flag_server import FLAG, running_flag_server
from bench.flags.streams import Streams


def test_a_switch_reaches_every_stream() -> None:
    with running_flag_server(flags=3) as server, closing(Streams(server.port)) as streams:
        sample = capture(server.port, server.rest.switch)
        assert len(streams.open(2)) == 2
        switched = server.rest.switch()
        assert switched.sent < streams.patched().last
        assert server.usage.private_memory() > 0
    flags = json.loads(sample.put.partition(b"data:")[2])["data"]["flags"]
    assert {*flags} == {FLAG, "flag-0001", "flag-0002"}
    on, off = (json.loads(each.partition(b"data:")[2])["data"]["on"] for each in sample.patches)
    assert (on, off) == (True, False)
