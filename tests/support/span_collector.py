"""A collector of traces, as OpenTelemetry's exporters know one."""

import asyncio
import contextlib
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class SpanCollector:
    """Receives OTLP/HTTP."""

    def __init__(self) -> None:
        self.headers: list[str] = []
        self.spans: list[Any] = []
        self.services: set[str] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                assert head.startswith("post /v1/traces ")
                length = int(head.split("content-length: ")[1].split("\r\n")[0])
                body = ExportTraceServiceRequest.FromString(await reader.readexactly(length))
                self.headers.append(head)
                for each in body.resource_spans:
                    names = {a.key: a.value.string_value for a in each.resource.attributes}
                    self.services.add(names["service.name"])
                    self.spans += [span for scope in each.scope_spans for span in scope.spans]
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()
