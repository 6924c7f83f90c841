# SPDX-License-Identifier: Apache-2.0
"""What every end-to-end test stands on: a host of its own, packages to install, and the kernel's word on what is left.

The binary comes from BULKHEAD_BIN (default: the release build of this repository). Each host has a free port and a
temporary data directory; nothing outlives its test.
"""

from __future__ import annotations

import atexit
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, TypeVar

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BIN = os.path.abspath(os.environ.get("BULKHEAD_BIN", str(ROOT / ".build/release/bulkhead")))
GUESTS = HERE / "guests"
SLOWNESS = max(1.0, float(os.environ.get("BULKHEAD_PATIENCE") or 1))
"""How many times longer every wait may last: for machines that are emulated. Never less than 1."""
PATIENCE = 30.0
"""Seconds a test waits for something that must come. Not a measure: only a hang reaches it."""

Found = TypeVar("Found")


# --- waiting


def eventually(look: Callable[[], Found], what: str, patience: float = PATIENCE) -> Found:
    """Looks until something true is seen, and returns it."""
    end = time.monotonic() + patience * SLOWNESS
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"waited {patience * SLOWNESS:.0f} s in vain: {what}")
        time.sleep(0.02)


# --- skipping


def _allowed_skips() -> Dict[str, str]:
    allowed = {}
    for line in (HERE / "allowed_skips.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, reason = line.partition(": ")
            allowed[name] = reason
    return allowed


def skip(feature: str) -> None:
    """Skips a test for want of a feature, which must be one that allowed_skips.txt names."""
    allowed = _allowed_skips()
    if feature not in allowed:
        raise AssertionError(f"no test may be skipped for want of {feature!r}")
    raise unittest.SkipTest(f"{feature}: {allowed[feature]}")


def is_root() -> bool:
    return os.geteuid() == 0


# --- counting


class _Tally:
    result: Optional[unittest.TestResult] = None
    nested: List[str] = []

    @classmethod
    def show(cls) -> None:
        if cls.result is None:
            return
        bad = len({str(test) for test, _ in cls.result.failures + cls.result.errors})
        skipped = len(cls.result.skipped)
        sys.stderr.flush()
        for line in cls.nested:
            print(line)
        print(f"{cls.result.testsRun - bad - skipped} passed, {bad} failed, {skipped} skipped", flush=True)


atexit.register(_Tally.show)


class EndToEndTest(unittest.TestCase):
    """A test with hosts of its own."""

    maxDiff = 4000

    def run(self, result: Optional[unittest.TestResult] = None) -> Optional[unittest.TestResult]:
        begin = time.monotonic()
        done = super().run(result)
        if os.environ.get("E2E_TIMES"):
            print(f"{time.monotonic() - begin:7.2f} s  {self.id()}", file=sys.stderr, flush=True)
        return done

    def shortDescription(self) -> Optional[str]:
        return None  # The runner's line names the test; the sentence is for readers.

    def directory(self) -> Path:
        path = Path(tempfile.mkdtemp(prefix="bh-"))
        path.chmod(0o755)
        self.addCleanup(shutil.rmtree, path, ignore_errors=True)
        return path

    def host(self, *options: str, data: Optional[Path] = None, start: bool = True) -> "Host":
        """A running host, ended and cleared away with the test."""
        host = Host(data or self.directory() / "data", options)
        self.addCleanup(host.close)
        if start:
            host.start()
        return host

    def package(self, name: str, command: List[str], files: Iterable[str] = (), **manifest: Any) -> Path:
        """A package in a directory of its own; `files` are names in guests/. See `Package`."""
        return write_package(self.directory() / name, name, command, files, **manifest)

    def install(self, host: "Host", name: str, command: List[str], files: Iterable[str] = (),
                **manifest: Any) -> "App":
        return host.install(self.package(name, command, files, **manifest))

    def python(self, host: "Host", name: str = "web", **manifest: Any) -> "App":
        """The general Python guest: guests/web.py says what it answers."""
        return self.install(host, name, ["python3", "web.py"], ["web.py"], **manifest)

    def raw(self, host: "Host", behaviour: str, name: str = "raw", **manifest: Any) -> "App":
        """A guest that speaks the protocol by hand, well or badly: guests/raw.py."""
        return self.install(host, name, ["python3", "raw.py", behaviour], ["raw.py"], **manifest)


# --- side by side


class _Recorder(unittest.TestResult):
    """Keeps what one test reported, to be told to the real result by one thread."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: List[Any] = []

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("add") and name != "addDuration":
            return lambda *values: self.calls.append((name, values))
        return super().__getattribute__(name)


class _SideBySide(unittest.TestSuite):
    """Runs its tests in threads: each waits for processes of its own far more than it computes."""

    def run(self, result: unittest.TestResult, debug: bool = False) -> unittest.TestResult:
        def one(test: unittest.TestCase) -> _Recorder:
            recorder = _Recorder()
            test.run(recorder)
            return recorder

        tests = sorted(self, key=lambda test: not getattr(test, "takes_long", False))
        with ThreadPoolExecutor(int(os.environ.get("E2E_WORKERS", "6"))) as pool:
            for test, recorder in zip(tests, pool.map(one, tests)):
                result.startTest(test)
                for name, values in recorder.calls:
                    getattr(result, name)(*values)
                result.stopTest(test)
        _Tally.result = result
        return result


def load_tests(loader: unittest.TestLoader, tests: unittest.TestSuite, pattern: Optional[str]) -> unittest.TestSuite:
    """What `unittest` asks each module that imports this name: the module's tests, to be run side by side."""
    return _SideBySide(test for group in tests for test in group)


# --- packages


def _patient(run: str) -> str:
    """The time apps have to start and to stop, longer on a slow machine, unless the test says it itself."""
    for key, seconds in (("start_timeout", 10), ("stop_timeout", 5)):
        if SLOWNESS > 1 and key not in run:
            run += f'\n{key} = "{min(seconds * SLOWNESS, 300):.0f}s"'
    return run


def write_package(path: Path, name: str, command: List[str], files: Iterable[str] = (), *,
                  build: int = 1, version: str = "1.0.0", runtime: str = "python", run: str = "",
                  limits: str = "", more: str = "", assets: Optional[Dict[str, bytes]] = None) -> Path:
    """Writes bulkhead.toml and the guest's files. `run`, `limits` and `more` are lines of TOML."""
    path.mkdir(parents=True, exist_ok=True)
    lines = [
        "manifest = 1", "[app]", f'id = "org.e2e.{name}"', f'name = "{name}"',
        f'version = "{version}"', f"build = {build}", "[run]", f'runtime = "{runtime}"',
        f"command = {json.dumps(command)}", _patient(run),
        *(["[limits]", limits] if limits else []),
        *(["[http]", 'assets = "www"'] if assets is not None else []), more,
    ]
    (path / "bulkhead.toml").write_text("\n".join(lines) + "\n")
    for file in files:
        shutil.copyfile(GUESTS / file, path / file)
    for inner, content in (assets or {}).items():
        target = path / "www" / inner
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return path


# --- processes


class Process(NamedTuple):
    """A process told apart from any later one with the same number."""

    pid: int
    started: str
    name: str

    @staticmethod
    def of(pid: int) -> Optional["Process"]:
        fields = _stat(pid)
        return Process(pid, fields[19], fields[-1]) if fields and fields[0] != "Z" else None

    @property
    def lives(self) -> bool:
        return Process.of(self.pid) == self


def _stat(pid: int) -> Optional[List[str]]:
    """Fields of /proc/PID/stat from the state on, and the name at the end."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    name, _, rest = text.partition("(")[2].rpartition(")")
    return rest.split() + [name]


def descendants(pid: int) -> List[Process]:
    """Living children, their children and so on; not the process itself."""
    parents: Dict[int, List[int]] = {}
    for entry in os.listdir("/proc"):
        fields = _stat(int(entry)) if entry.isdigit() else None
        if fields:
            parents.setdefault(int(fields[1]), []).append(int(entry))
    found, queue = [], list(parents.get(pid, []))
    while queue:
        one = queue.pop()
        queue += parents.get(one, [])
        process = Process.of(one)
        if process:
            found.append(process)
    return found


def status_bytes(pid: int, key: str) -> int:
    """VmRSS or VmHWM, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"/proc/{pid}/status has no {key}")


# --- the command


class Done(NamedTuple):
    """A finished command."""

    code: int
    out: str
    err: str


def run_command(*arguments: str, env: Optional[Dict[str, str]] = None, stdin: str = "") -> Done:
    done = subprocess.run([BIN, *arguments], input=stdin, capture_output=True, text=True, timeout=90 * SLOWNESS,
                          env={**os.environ, **(env or {})}, check=False)
    return Done(done.returncode, done.stdout, done.stderr)


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


# --- the host


class Host:
    """One `bulkhead serve` and what can be asked of it."""

    def __init__(self, data: Path, options: Iterable[str] = ()) -> None:
        self.data = data
        self.options = list(options)
        self.listen = "127.0.0.1:0"
        self.under: List[str] = []
        self.process: Optional[subprocess.Popen] = None
        self.port = 0
        self._log = tempfile.TemporaryFile()

    # Life.

    def start(self) -> "Host":
        self.spawn()
        eventually(self._has_spoken, "the host serves")
        return self

    def spawn(self) -> None:
        self._log.seek(0)
        self._log.truncate()
        self.process = subprocess.Popen(
            [*self.under, BIN, "serve", "--data", str(self.data), "--listen", self.listen, *self.options],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, start_new_session=True)

    def _has_spoken(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"the host ended with {self.process.returncode}: {self.log}")
        for line in self.log.splitlines():
            if line.startswith("serving http://"):
                self.port = int(line.split()[1].rsplit(":", 1)[1])
        return self.port != 0

    @property
    def log(self) -> str:
        """What the host printed."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def wait(self) -> int:
        assert self.process is not None
        return self.process.wait(PATIENCE * SLOWNESS)

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        self.port = 0
        return self.wait()

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.port = 0
        self.wait()

    def close(self) -> None:
        try:
            if self.process is not None and self.process.poll() is None:
                self.stop()
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the host did not stop: {self.log}") from None
        finally:
            self._log.close()
            for path in reversed(self.cgroups()):
                try:
                    os.rmdir(path)  # What a failed test or a killed host left: the machine is not ours to litter.
                except OSError:
                    pass

    def rss(self) -> int:
        return status_bytes(self.pid, "VmRSS")

    def peak(self) -> int:
        return status_bytes(self.pid, "VmHWM")

    def processes(self) -> List[Process]:
        return descendants(self.pid)

    # What the kernel keeps for it.

    @property
    def mark(self) -> str:
        """The name of the host's cgroups: two data directories, two names."""
        value = 0xCBF29CE484222325
        for byte in os.path.realpath(self.data).encode():
            value = (value ^ byte) * 0x100000001B3 % (1 << 64)
        return f"bulkhead-{value:x}"

    def cgroups(self) -> List[str]:
        """Its cgroup directories, in every hierarchy."""
        found = []
        for top, names, _ in os.walk("/sys/fs/cgroup"):
            if self.mark in names:
                place = os.path.join(top, self.mark)
                found += [inner for inner, _, _ in os.walk(place)]
                names.remove(self.mark)
        return sorted(found)

    def mounts(self) -> List[str]:
        """Mounts that name its data directory, as this process sees them."""
        place = os.path.realpath(self.data)
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        return [line for line in lines if place + "/" in line or self.mark in line]

    # The command.

    @property
    def socket(self) -> str:
        return str(self.data / "admin.sock")

    def command(self, *arguments: str, status: Optional[int] = 0, stdin: str = "") -> Done:
        """Runs `bulkhead` against this host. Fails unless it exits with `status`; None takes any."""
        done = run_command(*arguments, env={"BULKHEAD_SOCKET": self.socket}, stdin=stdin)
        if status is not None and done.code != status:
            raise AssertionError(
                f"bulkhead {' '.join(arguments)} exited with {done.code}, expected {status}\n"
                f"{done.err}\n--- host\n{self.log[-2000:]}")
        return done

    def json(self, *arguments: str) -> Any:
        return json.loads(self.command(*arguments, "--json").out)

    def install(self, package: Path) -> "App":
        report = json.loads(self.command("install", str(package), "--yes", "--json").out)
        return App(self, report["id"])

    def ps(self) -> Dict[str, Dict[str, Any]]:
        return {app["id"]: app for app in self.json("ps")}


class App:
    """An installed app, as a client and as the operator sees it."""

    def __init__(self, host: Host, identifier: str) -> None:
        self.host = host
        self.id = identifier
        self.name = identifier.rsplit(".", 1)[1]

    @property
    def authority(self) -> str:
        return f"{self.name}.localhost:{self.host.port}"

    @property
    def directory(self) -> Path:
        return self.host.data / "apps" / self.id

    def open(self, method: str, path: str, body: Any = None, headers: Optional[Dict[str, str]] = None,
             source: Optional[str] = None) -> http.client.HTTPResponse:
        """Sends a request and returns as soon as the head of the answer is there."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.host.port, timeout=60 * SLOWNESS, source_address=(source, 0) if source else None)
        connection.request(method, path, body, {"Host": self.authority, **(headers or {})})
        response = connection.getresponse()
        response.connection = connection  # type: ignore[attr-defined]  # keeps the socket open
        return response

    def ask(self, method: str, path: str, body: Any = None, headers: Optional[Dict[str, str]] = None,
            source: Optional[str] = None) -> Answer:
        response = self.open(method, path, body, headers, source)
        content = response.read()
        response.connection.close()  # type: ignore[attr-defined]
        return Answer(response.status, response.headers, content)

    def get(self, path: str, headers: Optional[Dict[str, str]] = None) -> Answer:
        return self.ask("GET", path, headers=headers)

    @property
    def status(self) -> Dict[str, Any]:
        return self.host.json("status", self.id)[0]

    def await_state(self, state: str) -> Dict[str, Any]:
        def look() -> Optional[Dict[str, Any]]:
            status = self.status
            return status if status["state"] == state else None
        return eventually(look, f"{self.id} is {state}; it is {self.status}")

    def log(self) -> List[Dict[str, Any]]:
        return self.host.json("logs", self.id, "-n", "1000")

    def printed(self) -> List[str]:
        return [line["text"] for line in self.log() if line["stream"] != "host"]

    def events(self) -> List[str]:
        return [line["event"] for line in self.log() if line.get("event")]

    def await_event(self, event: str, times: int = 1) -> None:
        eventually(lambda: self.events().count(event) >= times,
                   f"{self.id} has an event {event}; its log is {self.log()[-5:]}")

    def await_line(self, text: str) -> None:
        eventually(lambda: any(text in line for line in self.printed()),
                   f"{self.id} prints {text!r}; its log is {self.log()[-5:]}")
