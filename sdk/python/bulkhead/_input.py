# SPDX-License-Identifier: Apache-2.0
"""``wsgi.input`` of a body that arrives in pieces."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, Optional

    from ._streams import InputStream


class Input:
    """``wsgi.input`` of a streamed body. It ends where the body ends."""

    def __init__(self, stream: InputStream) -> None:
        self._stream = stream
        self._rest = b""

    def read(self, size: Optional[int] = -1) -> bytes:
        if size is None or size < 0:
            parts = [self._rest]
            self._rest = b""
            while True:
                piece = self._stream.read()
                if not piece:
                    return b"".join(parts)
                parts.append(piece)
        parts, have = [], 0
        while have < size:
            piece = self._take(size - have)
            if not piece:
                break
            parts.append(piece)
            have += len(piece)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read1(self, size: int = -1) -> bytes:
        return self._take(size if size > 0 else 65_536)

    def readinto(self, buffer: Any) -> int:
        data = self._take(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readline(self, size: Optional[int] = -1) -> bytes:
        limit = -1 if size is None else size
        parts: list[bytes] = []
        have = 0
        while limit < 0 or have < limit:
            piece = self._take(65_536)
            if not piece:
                break
            wanted = piece if limit < 0 else piece[: limit - have]
            cut = wanted.find(b"\n") + 1 or len(wanted)
            parts.append(piece[:cut])
            have += cut
            self._rest = piece[cut:] + self._rest
            if parts[-1].endswith(b"\n"):
                break
        return b"".join(parts)

    def readlines(self, hint: int = -1) -> list[bytes]:
        lines, total = [], 0
        for line in self:
            lines.append(line)
            total += len(line)
            if 0 < hint <= total:
                break
        return lines

    def __iter__(self) -> Iterator[bytes]:
        while True:
            line = self.readline()
            if not line:
                return
            yield line

    def readable(self) -> bool:
        return True

    @property
    def closed(self) -> bool:
        return False

    def close(self) -> None:
        pass

    def _take(self, limit: int) -> bytes:
        piece = self._rest or self._stream.read()
        if len(piece) > limit:
            self._rest = piece[limit:]
            return piece[:limit]
        self._rest = b""
        return piece
