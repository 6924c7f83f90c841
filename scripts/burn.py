# SPDX-License-Identifier: Apache-2.0
"""Has the sample app burner use known amounts, and prints the host's report beside them.

    burn.py PATH-OF-bulkhead          (the host is the one BULKHEAD_SOCKET names, with samples/burner installed)

What is known is what the app's own process counted (process time, resource usage), what went over the client's socket,
and what lies on the disk; none of it comes from the host. Exits 0 if every figure is as near as it is said to be.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, NamedTuple
from urllib.parse import urlsplit

APP = "org.example.burner"
MIB = 1 << 20
PATIENCE = 120


class Figure(NamedTuple):
    """One known amount and what the host reported of it."""

    what: str
    unit: str
    known: float
    reported: float
    tolerance: float

    @property
    def deviation(self) -> float:
        return self.reported / self.known - 1 if self.known else float(self.reported != 0)

    @property
    def is_near(self) -> bool:
        return abs(self.deviation) <= self.tolerance


class Client:
    """HTTP by hand, so that every byte that passes is counted."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.netloc, parts.port or 80
        self.sent = self.received = self.requests = 0

    def ask(self, method: str, target: str, body: bytes = b"") -> bytes:
        head = f"{method} {target} HTTP/1.1\r\nHost: {self.host}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        whole = head.encode() + body
        answer = bytearray()
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as wire:
            wire.sendall(whole)
            while piece := wire.recv(1 << 18):
                answer += piece
        self.sent += len(whole)
        self.received += len(answer)
        self.requests += 1
        start, _, content = bytes(answer).partition(b"\r\n\r\n")
        if not start.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"{method} {target}: {start.splitlines()[:1]} {content[:300]!r}")
        return content

    def post(self, target: str) -> Any:
        return json.loads(self.ask("POST", target))


class Operator:
    """What the host says, through its command."""

    def __init__(self, program: str, socket_path: str | None = None) -> None:
        self.program = program
        self.environment = {**os.environ, **({"BULKHEAD_SOCKET": socket_path} if socket_path else {})}

    def json(self, *arguments: str) -> Any:
        done = subprocess.run([self.program, *arguments, "--json"], capture_output=True, text=True, timeout=PATIENCE,
                              env=self.environment, check=False)
        if done.returncode != 0:
            raise SystemExit(f"bulkhead {' '.join(arguments)}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def report(self) -> dict[str, int]:
        """Quantities by meter, and bytes held by kind under `held.KIND`."""
        report = self.json("report", "usage", "--app", APP, "--by", "meter")
        found = {row["meter"]: row["quantity"] for row in report["rows"]}
        for level in report["held"]:
            found["held." + level["kind"]] = level["bytes"]
        return found

    def cpu(self) -> float:
        report = self.report()
        return (report.get("cpu.user", 0) + report.get("cpu.system", 0)) / 1e6

    def settled(self, read: Callable[[], float]) -> float:
        """A figure once it has stopped moving: what a process used is read from the kernel each second."""
        last = read()
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            time.sleep(1.2)
            now = read()
            # An idle guest still uses a little.
            if now - last <= 0.0005 * max(now, 1):
                return now
            last = now
        raise SystemExit(f"a figure did not settle: {last}")

    def memory(self) -> int:
        return int(self.json("stats", APP)[0]["memoryBytes"])


def on_disk(directory: Path) -> int:
    """Bytes the file system has allocated below a directory (stat(2))."""
    return sum(os.lstat(os.path.join(top, name)).st_blocks * 512
               for top, directories, files in os.walk(directory) for name in files + directories)


def measure(operator: Operator, client: Client, say: Callable[[str], None] = lambda line: None) -> list[Figure]:
    """Burns everything, one thing after the other."""
    client.ask("GET", "/api/usage")  # Starts the app: that is not part of what is measured.
    figures = []
    before = operator.report()
    sent, received, requests = client.sent, client.received, client.requests

    def processor(what: str, target: str, tolerance: float) -> None:
        say(what)
        start = operator.settled(operator.cpu)
        known = client.post(target)["seconds"]
        figures.append(Figure(what, "s", known, operator.settled(operator.cpu) - start, tolerance))

    processor("CPU, one burst of 1 s", "/api/cpu?seconds=1", 0.01)
    processor("CPU, 3 s", "/api/cpu?seconds=3", 0.01)
    processor("CPU, 200 processes of 50 ms", "/api/children?count=200&live=50&burn=20", 0.05)

    say("memory")
    small = operator.memory()
    held = client.post(f"/api/memory?bytes={128 * MIB}")["bytes"]
    figures.append(Figure("memory held", "MiB", held / MIB, (operator.memory() - small) / MIB, 0.01))
    client.post("/api/memory?bytes=0")

    say("disk")
    root = Path(operator.json("inspect", APP)["directories"]["root"])
    files = client.post(f"/api/disk?bytes={16 * MIB}")["bytes"]
    client.post(f"/api/rows?bytes={4 * MIB}")
    say("network")
    client.ask("POST", "/api/upload", os.urandom(16 * MIB))
    client.ask("GET", f"/api/download?bytes={16 * MIB}")
    after = operator.report()

    def rise(name: str) -> int:
        return after.get(name, 0) - before.get(name, 0)

    figures += [
        Figure("files written", "MiB", files / MIB, rise("held.data") / MIB, 0.01),
        Figure("database, as the disk has it", "MiB", on_disk(root / "sql") / MIB, after["held.sqlite"] / MIB, 0.01),
        Figure("bytes in", "MiB", (client.sent - sent) / MIB, rise("ingress.received") / MIB, 0.01),
        Figure("bytes out", "MiB", (client.received - received) / MIB, rise("ingress.sent") / MIB, 0.01),
        Figure("requests", "", client.requests - requests, rise("requests"), 0.0),
    ]
    return figures


def table(figures: list[Figure]) -> str:
    lines = [f"{'WHAT':<32} {'KNOWN':>12} {'REPORTED':>12}      {'OFF BY':>8}  {'ALLOWED':>7}"]
    for one in figures:
        lines.append(f"{one.what:<32} {one.known:>12.3f} {one.reported:>12.3f} {one.unit:<4} {one.deviation:>8.2%}  "
                     f"{one.tolerance:>7.0%}{'' if one.is_near else '  too far'}")
    return "\n".join(lines)


def main() -> int:
    operator = Operator(sys.argv[1])
    client = Client(operator.json("status", APP)[0]["url"])
    figures = measure(operator, client, lambda line: print(f"  burning: {line}", file=sys.stderr, flush=True))
    report = subprocess.run([operator.program, "report", "usage", "--app", APP, "--by", "meter"], capture_output=True,
                            text=True, check=True)
    print(report.stdout)
    print(table(figures))
    far = [one for one in figures if not one.is_near]
    print(f"{len(figures) - len(far)} passed, {len(far)} failed")
    return 1 if far else 0


if __name__ == "__main__":
    sys.exit(main())
