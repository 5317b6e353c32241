"""A partner that responds to every call with success after a fixed time: `python -m bench.partner PORT MILLISECONDS`.

The response is the same for all addresses: `code` 200 for billing and BPM, and an empty traffic list. `GET /seen`
returns the number of calls since the last `GET /seen`. It also returns the seconds from the arrival of the first call
to the last response.
"""

import asyncio
import json
import sys
import time

BODY = b'{"code":200,"message":"OK","result":{"code":200,"message":"OK","result":[]}}'
LONGEST_HEAD = 64 * 1024


class Partner:
    """Responds to calls and counts them."""

    def __init__(self, seconds: float):
        self.seconds = seconds
        self.calls = 0
        self.first = self.last = 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves a connection until the client closes it."""
        try:
            while True:
                await self._answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        arrived = time.monotonic()
        if head.startswith(b"GET"):
            writer.write(_http(self._seen()))
            return
        await reader.readexactly(_length(head))
        await asyncio.sleep(self.seconds - (time.monotonic() - arrived))
        writer.write(_http(BODY))
        self.calls += 1
        self.first, self.last = self.first or arrived, time.monotonic()

    def _seen(self) -> bytes:
        seen = {"calls": self.calls, "seconds": self.last - self.first}
        self.calls, self.first, self.last = 0, 0.0, 0.0
        return json.dumps(seen).encode()


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def _http(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


async def main(port: int, milliseconds: float) -> None:
    """Serves until the process is stopped."""
    partner = Partner(milliseconds / 1000)
    server = await asyncio.start_server(partner.serve, "127.0.0.1", port, limit=LONGEST_HEAD, backlog=256)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
