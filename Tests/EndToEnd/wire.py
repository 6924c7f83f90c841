# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 by hand: for what a polite client does not do."""

from __future__ import annotations

import socket
from typing import Dict, List, NamedTuple, Optional

from harness import App


class Seen(NamedTuple):
    status: int
    headers: Dict[str, str]
    body: bytes


class Wire:
    """One connection to an app. Reads exactly one answer at a time."""

    def __init__(self, app: App, timeout: float = 60) -> None:
        self.app = app
        self.socket = socket.create_connection(("127.0.0.1", app.host.port), timeout)
        self.rest = b""

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, text: str, body: bytes = b"") -> None:
        self.socket.sendall(text.replace("\n", "\r\n").encode() + body)

    def request(self, method: str, path: str, headers: str = "", body: bytes = b"") -> None:
        """`headers` are lines with a newline each."""
        self.send(f"{method} {path} HTTP/1.1\nHost: {self.app.authority}\n{headers}\n", body)

    def more(self) -> bool:
        piece = self.socket.recv(65_536)
        self.rest += piece
        return bool(piece)

    def until(self, mark: bytes) -> bytes:
        while mark not in self.rest:
            if not self.more():
                raise ConnectionError(f"the connection ended after {self.rest!r}")
        found, _, self.rest = self.rest.partition(mark)
        return found

    def exactly(self, count: int) -> bytes:
        while len(self.rest) < count:
            if not self.more():
                raise ConnectionError(f"the connection ended {count - len(self.rest)} bytes early")
        found, self.rest = self.rest[:count], self.rest[count:]
        return found

    def head(self) -> Seen:
        """The head of the next answer."""
        lines: List[str] = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return Seen(int(lines[0].split()[1]), headers, b"")

    def chunk(self) -> bytes:
        """The next chunk of a chunked body; empty at the end."""
        count = int(self.until(b"\r\n"), 16)
        piece = self.exactly(count)
        self.until(b"\r\n")
        return piece

    def answer(self, to: str = "GET") -> Seen:
        """The next answer, body and all."""
        head = self.head()
        body = b""
        if to != "HEAD" and head.status >= 200 and head.status not in (204, 304):
            if head.headers.get("transfer-encoding") == "chunked":
                piece: Optional[bytes] = None
                while piece != b"":
                    piece = self.chunk()
                    body += piece
            else:
                body = self.exactly(int(head.headers["content-length"]))
        return Seen(head.status, head.headers, body)

    @property
    def is_closed(self) -> bool:
        """Waits for the other side to close. False if something else comes."""
        try:
            return not self.rest and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True
