"""A server of canned responses, in a separate process, so that the measured CPU time is that of the client alone.

`python -m benchmarks.server --pages 100` prints its port, and ends when its standard input does.
"""

import argparse
import asyncio
import base64
import functools
import re
import sys
import time
from collections import defaultdict, deque

from .data import EXAMPLES, PAGE_SIZE, Template, page_behind

TINY = (EXAMPLES / "tax.json").read_bytes()
_PAGE = re.compile(rb"[?&]page=(\d+)")
_LAST_ID = re.compile(rb"id%3A%3E(\d+)")
_KEY = re.compile(rb"\r\nAuthorization: Basic ([\w+/=]+)")
_HEAD = b"HTTP/1.1 %d X\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n%s\r\n"


class Answers:
    """The responses of the server, and its counters."""

    def __init__(self, options: argparse.Namespace, port: int) -> None:
        """Create with the options of the command line, and the port for the links."""
        self.options = options
        self.base = f"http://127.0.0.1:{port}/v1"
        self.template = Template(options.size)
        self.page = functools.lru_cache(maxsize=options.kept)(self.make_page)
        self.counted = {"requests": 0, "refused": 0, "faults": 0, "connections": 0}
        self._arrivals: defaultdict[bytes, deque[float]] = defaultdict(deque)

    def answer(self, target: bytes, key: bytes = b"") -> bytes:
        """Return the complete response to a request, head and body; an empty one closes the connection."""
        if target.endswith(b"/counted"):
            return answered(200, repr(self.counted).replace("'", '"').encode())
        self.counted["requests"] += 1
        if self._is_full(key):
            self.counted["refused"] += 1
            return answered(429, b"{}", b"X-RateLimit-Reset: %d\r\n" % (time.time() + 1))
        if key.startswith(b"failing") or self._fails():
            self.counted["faults"] += 1
            return self._fault()
        if b"/appointment_types" not in target:
            return answered(200, TINY)
        if behind := _LAST_ID.search(target):
            return self.page(page_behind(behind[1].decode()), by_id=True)
        number = _PAGE.search(target)
        return self.page(int(number[1]) if number else 1, by_id=b"sort=id" in target)

    def make_page(self, number: int, *, by_id: bool) -> bytes:
        """Return the response with a page; after an id, the rest of the list."""
        pages, size = self.options.pages, self.options.size
        total = max(0, pages + 1 - number if by_id else pages) * size
        if number > pages:
            return answered(200, b'{"appointment_types":[],"total_entries":%d,"links":{}}' % total)
        following = f"{self.base}/appointment_types?page={number + 1}&per_page={size}" if number < pages else None
        return answered(200, self.template.page(number, total=total, following=following))

    def _fails(self) -> bool:
        return bool(self.options.fault_every and self.counted["requests"] % self.options.fault_every == 0)

    def _fault(self) -> bytes:
        """Return in turn a refusal, nothing, and half a response."""
        turn = self.counted["faults"] % 3
        return (answered(503, b"{}"), b"", self.page(1, by_id=False)[:5000])[turn]

    def _is_full(self, key: bytes) -> bool:
        """Whether the sliding window of the key is full."""
        if not self.options.limit:
            return False
        now, arrivals = time.monotonic(), self._arrivals[key]
        while arrivals and arrivals[0] <= now - self.options.period:
            arrivals.popleft()
        arrivals.append(now)
        return len(arrivals) > self.options.limit


class Connection(asyncio.Protocol):
    """One connection: a request has no body, and its response is written at once."""

    def __init__(self, answers: Answers) -> None:
        """Create with the responses."""
        self._answers = answers
        self._unread = b""
        answers.counted["connections"] += 1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each complete request after the latency."""
        self._unread += data
        while b"\r\n\r\n" in self._unread:
            head, self._unread = self._unread.split(b"\r\n\r\n", 1)
            key = _key(head) if self._answers.options.by_key else b""
            answer = self._answers.answer(head.split(b" ", 2)[1], key)
            options = self._answers.options
            if latency := options.slowness if key.startswith(b"slow") else options.latency:
                asyncio.get_running_loop().call_later(latency, self._write, answer)
            else:
                self._write(answer)

    def _write(self, answer: bytes) -> None:
        self._transport.write(answer)
        length = int(answer.partition(b"Content-Length: ")[2].partition(b"\r")[0] or 0)
        if len(answer.partition(b"\r\n\r\n")[2]) < length or not answer:
            self._transport.close()


def _key(head: bytes) -> bytes:
    found = _KEY.search(head)
    return base64.b64decode(found[1]) if found else b""


def answered(status: int, body: bytes, headers: bytes = b"") -> bytes:
    """Return the bytes of a response."""
    return _HEAD % (status, len(body), headers) + body


async def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pages", type=int, default=100)
    parser.add_argument("--size", type=int, default=PAGE_SIZE, help="records in a page")
    parser.add_argument("--kept", type=int, default=200, help="pages made once")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds")
    parser.add_argument("--limit", type=int, default=0, help="requests in any period")
    parser.add_argument("--period", type=float, default=60.0, help="seconds")
    parser.add_argument(
        "--by-key", type=int, default=0, help="1: the limit is for each key, and its name may be a fate"
    )
    parser.add_argument("--slowness", type=float, default=3.0, help="seconds, for a key whose name begins with slow")
    parser.add_argument("--fault-every", type=int, default=0, help="requests from one fault to the next")
    options = parser.parse_args()
    holder: list[Answers] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(holder[0]), "127.0.0.1", 0, backlog=512)
    port = server.sockets[0].getsockname()[1]
    holder.append(Answers(options, port))
    print(port, flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
