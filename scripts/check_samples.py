# SPDX-License-Identifier: Apache-2.0
"""Drives the sample apps of a running host with real requests, and the command that looks after them.

    check_samples.py PATH-OF-bulkhead          (the host is the one BULKHEAD_SOCKET names)

Prints a line for each thing it looked at. Exits 0 if all was as it should be, 1 otherwise.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import shutil
import subprocess
import sys
import tempfile
import time
from typing import Any, Callable
from urllib.parse import quote, urlsplit

TIMEOUT = 30
JSON = {"Content-Type": "application/json"}


class Unexpected(Exception):
    """What was seen is not what should be there."""


def expect(seen: Any, wanted: Any, what: str) -> None:
    if seen != wanted:
        raise Unexpected(f"{what}: {seen!r}, expected {wanted!r}")


class Command:
    """The command `bulkhead`."""

    def __init__(self, program: str) -> None:
        self.program = program

    def __call__(self, *arguments: str, status: int = 0) -> str:
        done = subprocess.run([self.program, *arguments], capture_output=True, text=True,
                              timeout=120, stdin=subprocess.DEVNULL, check=False)
        if done.returncode != status:
            raise Unexpected(f"bulkhead {' '.join(arguments)} exited with {done.returncode}, "
                             f"expected {status}: {done.stderr.strip()}")
        return done.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--json"))


class Site:
    """One app as a browser sees it: the name goes into the Host header, the connection to the host's port."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host = parts.netloc
        self.port = parts.port or 80

    def open(self, method: str, path: str, body: bytes | None = None,
             headers: dict[str, str] | None = None) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        connection.request(method, path, body, {"Host": self.host, **(headers or {})})
        return connection.getresponse()

    def ask(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        data = None if body is None else json.dumps(body).encode()
        reply = self.open(method, path, data, JSON if data else None)
        content = reply.read()
        expect(reply.status, status, f"{method} {path}: status")
        is_json = (reply.getheader("content-type") or "").startswith("application/json")
        return json.loads(content) if is_json and content else content


def page(site: Site) -> str:
    """Every sample has a page that the host serves itself, and serves well."""
    reply = site.open("GET", "/")
    body = reply.read()
    expect(reply.status, 200, "GET /: status")
    if b"<title>" not in body:
        raise Unexpected("GET / is not a page")
    etag = reply.getheader("etag")
    if not etag:
        raise Unexpected("GET / has no ETag")
    again = site.open("GET", "/", headers={"If-None-Match": etag})
    again.read()
    expect(again.status, 304, "GET / with its ETag: status")
    head = site.open("HEAD", "/")
    expect((head.status, head.read()), (200, b""), "HEAD /")
    expect(head.getheader("content-length"), str(len(body)), "HEAD /: length")
    part = site.open("GET", "/", headers={"Range": "bytes=0-4"})
    expect((part.status, part.read()), (206, body[:5]), "GET / bytes 0-4")
    for escape in ("/../bulkhead.toml", "/%2e%2e/bulkhead.toml", "/..%2fbulkhead.toml"):
        outside = site.open("GET", escape)
        content = outside.read()
        if outside.status < 400 or b"manifest" in content:
            raise Unexpected(f"GET {escape} left the package: {outside.status}")
    return f"page of {len(body)} bytes, ETag {etag}, 304, Range, HEAD; no way out of the package"


def journal(site: Site) -> str:
    words = f"seaworthy-{time.time_ns()}"
    entry = site.ask("POST", "/api/entries", {"title": "First", "text": f"A {words} day"}, 201)
    number = entry["id"]
    path = f"/api/entries/{number}"
    expect(site.ask("GET", path)["text"], f"A {words} day", "the entry that was written")
    listed = site.ask("GET", "/api/entries")["entries"]
    expect(number in [one["id"] for one in listed], True, "the list holds the entry")
    found = site.ask("GET", f"/api/entries?q={quote(words)}")["entries"]
    expect([one["id"] for one in found], [number], "the search finds the entry alone")
    changed = site.ask("PUT", path, {"title": "Été", "text": "✎ changed"})
    expect((changed["title"], changed["text"]), ("Été", "✎ changed"), "the entry after a change")
    expect(site.ask("POST", "/api/entries", {"title": 1}, 400)["detail"] != "", True, "a refusal")
    return f"wrote, listed, searched and changed entry {number}"


def journal_export(site: Site) -> str:
    """The export is signed, and its public key tells a changed one."""
    reply = site.open("GET", "/api/export")
    content = reply.read()
    expect(reply.status, 200, "GET /api/export: status")
    entries = json.loads(content)["entries"]
    expect(len(entries) > 0, True, "the export has entries")
    signature = base64.b64decode(reply.getheader("x-signature") or "")
    expect(len(signature), 64, "bytes of the signature")
    pem = site.ask("GET", "/api/export/key")
    if shutil.which("openssl") is None:
        return f"{len(entries)} entries and 64 bytes of signature; no openssl here to check it with"
    expect(verifies(pem, signature, content), True, "the signature of the export")
    expect(verifies(pem, signature, content + b" "), False, "the signature of a changed export")
    return f"{len(entries)} entries, signed; openssl accepts them and refuses a changed file"


def verifies(pem: bytes, signature: bytes, content: bytes) -> bool:
    with tempfile.TemporaryDirectory() as place:
        names = [f"{place}/{name}" for name in ("key", "signature", "digest")]
        for name, data in zip(names, (pem, signature, hashlib.sha256(content).digest())):
            with open(name, "wb") as file:
                file.write(data)
        done = subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", names[0], "-rawin",
                               "-sigfile", names[1], "-in", names[2]], capture_output=True, check=False)
    return done.returncode == 0


def journal_forgery(site: Site) -> str:
    """Another site's page cannot write through a browser."""
    body = json.dumps({"title": "Forged", "text": "by another site"}).encode()
    foreign = {**JSON, "Origin": "http://elsewhere.example"}
    refused = site.open("POST", "/api/entries", body, foreign)
    refused.read()
    expect(refused.status, 403, "a browser's write without the token: status")
    headers = {**JSON, "Origin": f"http://{site.host}",
               "X-Journal-Token": site.ask("GET", "/api/token")["token"]}
    allowed = site.open("POST", "/api/entries", body, headers)
    allowed.read()
    expect(allowed.status, 201, "a browser's write with the token: status")
    return "a write from another site's page was refused, one from its own was taken"


def journal_keeps(site: Site, command: Command) -> str:
    before = site.ask("GET", "/api/entries")["entries"]
    command("restart", "journal")
    expect(site.ask("GET", "/api/entries")["entries"], before, "the entries after a restart")
    for entry in before:
        site.ask("DELETE", f"/api/entries/{entry['id']}", status=204)
    expect(site.ask("GET", "/api/entries")["entries"], [], "the entries after deletion")
    return f"{len(before)} entries survived a restart, then were deleted"


def hello_node(site: Site) -> str:
    facts = site.ask("GET", "/api/facts")
    expect(facts["app"]["id"], "org.example.hello-node", "the app's id as it knows it")
    expect(facts["identity"], None, "the identity of a stranger")
    forged = site.open("GET", "/api/facts", headers={"Remote-User": "root", "X-Forwarded-For": "9.9.9.9"})
    seen = json.loads(forged.read())
    expect(seen["remote"]["ip"], "127.0.0.1", "the address, whatever a client claims")
    expect(seen["identity"], None, "the identity, whatever a client claims")
    body = bytes(range(256)) * 8192
    echoed = site.open("POST", "/echo", body, {"Content-Type": "application/octet-stream"})
    expect((echoed.status, echoed.read() == body), (200, True), "2 MiB echoed")
    events = site.open("GET", "/events")
    first, second = events.readline(), (events.readline(), events.readline())[1]
    events.close()
    if not (first.startswith(b"data: ") and second.startswith(b"data: ")):
        raise Unexpected(f"the event stream began with {first!r}, {second!r}")
    return "facts, 2 MiB echoed, two server-sent events; forged headers were not believed"


def hello_swift(site: Site) -> str:
    greeting = site.ask("GET", "/api/hello")
    expect(greeting["language"], "Swift", "the language of the greeting")
    before = site.ask("GET", "/api/visits")["visits"]
    after = [site.ask("POST", "/api/visits")["visits"] for _ in range(3)]
    expect(after, [before + 1, before + 2, before + 3], "the visits counted")
    return f"greeted, and counted {after[-1]} visits in its database"


def burner(site: Site) -> str:
    """Known amounts; how near the meter comes to them is for burn.py and the end-to-end tests."""
    expect(site.ask("POST", "/api/cpu?seconds=0.1")["seconds"] >= 0.1, True, "CPU burnt")
    expect(site.ask("POST", "/api/disk?bytes=100000")["bytes"], 100_000, "bytes written")
    expect(site.ask("POST", "/api/query?rows=1000")["rows"], 1_000, "rows counted")
    foreign = site.open("POST", "/api/cpu?seconds=1", headers={"Origin": "http://elsewhere.example"})
    foreign.read()
    expect(foreign.status, 403, "another site's page: status")
    usage = site.ask("GET", "/api/usage")
    expect({"requests", "calls"} <= {line["meter"] for line in usage["meters"]}, True, "usage has meters")
    expect(site.ask("GET", "/api/cost")["lines"], [], "what nothing has a price for costs")
    return "burnt, wrote and counted known amounts; read its own usage and costs"


def figures(command: Command) -> str:
    seen, total = [], 0.0
    for app in command.json("ps"):
        expect(app["state"], "running", f"{app['id']}: state")
        if not 0 < app["memoryBytes"] <= app["memoryLimitBytes"]:
            raise Unexpected(f"{app['id']}: memory {app['memoryBytes']} of {app['memoryLimitBytes']}")
        # Where cgroups are not ours, the kernel counts CPU in ticks of 10 ms: a small app may have had none yet.
        total += app["cpuSeconds"]
        seen.append(f"{app['origin']} {app['cpuSeconds']:.2f} s, {app['memoryBytes'] >> 20} MiB")
    if total <= 0:
        raise Unexpected("no app used any CPU time")
    return "; ".join(seen)


def words(command: Command) -> str:
    """The command's other answers, with the exit codes that scripts rely on."""
    inspection = command.json("inspect", "journal")
    expect(inspection["manifest"]["app"]["id"], "org.example.journal", "the manifest inspected")
    expect(isinstance(command.json("logs", "journal"), list), True, "the log is a list")
    expect(isinstance(command.json("doctor"), list), True, "the doctor's answer is a list")
    command("status", "nobody", status=1)
    command("restart", status=64)
    command("check", "/proc/self", status=65)
    command("ps", "--socket", "/nowhere/admin.sock", status=69)
    command("uninstall", "journal", status=77)
    return "inspect, logs, doctor; exit codes 1, 64, 65, 69 and 77"


def stop_and_start(site: Site, command: Command) -> str:
    command("stop", "hello-swift")
    expect(command.json("status", "hello-swift")[0]["state"], "disabled", "the state after stop")
    refused = site.open("GET", "/api/hello")
    refused.read()
    expect(refused.status, 503, "a request to a stopped app: status")
    command("start", "hello-swift")
    site.ask("GET", "/api/hello")
    return "stopped, refused with 503, started, answered"


def new_package(command: Command, ports: int) -> str:
    """What `new` writes installs and runs."""
    done = []
    with tempfile.TemporaryDirectory() as place:
        for language in ("python", "node"):
            name = f"fresh-{language}"
            command("new", f"{place}/{name}", "--lang", language)
            command("check", f"{place}/{name}")
            command("install", f"{place}/{name}", status=77)
            url = json.loads(command("install", f"{place}/{name}", "--yes", "--json"))["url"]
            site = Site(url)
            expect(site.port, ports, "the new app's port")
            expect(site.ask("POST", "/visits"), {"visits": 1}, f"{language}: the first visit")
            command("uninstall", name, "--yes")
            expect(site.open("GET", "/").status >= 400, True, "a removed app's page")
            done.append(language)
    return f"made, checked, installed, visited and removed: {', '.join(done)}"


def main() -> int:
    command = Command(sys.argv[1])
    apps = {app["origin"]: Site(app["url"]) for app in command.json("ps")}
    checks: list[tuple[str, Callable[[], str]]] = []
    for name, site in sorted(apps.items()):
        checks.append((f"{name}: page", lambda site=site: page(site)))
    checks += [
        ("journal: app", lambda: journal(apps["journal"])),
        ("journal: export", lambda: journal_export(apps["journal"])),
        ("journal: forgery", lambda: journal_forgery(apps["journal"])),
        ("hello-node: app", lambda: hello_node(apps["hello-node"])),
        ("hello-swift: app", lambda: hello_swift(apps["hello-swift"])),
        ("burner: app", lambda: burner(apps["burner"])),
        ("figures", lambda: figures(command)),
        ("journal: restart", lambda: journal_keeps(apps["journal"], command)),
        ("command", lambda: words(command)),
        ("stop and start", lambda: stop_and_start(apps["hello-swift"], command)),
        ("new packages", lambda: new_package(command, apps["journal"].port)),
    ]
    failed = 0
    for name, check in checks:
        begin = time.monotonic()
        try:
            line = f"ok    {name}: {check()}"
        except Exception as error:  # whatever broke, the other checks still tell something
            failed += 1
            line = f"FAIL  {name}: {type(error).__name__}: {error}"
        print(f"{line}  ({time.monotonic() - begin:.2f} s)", flush=True)
    if failed:
        for name in sorted(apps):
            print(f"--- log of {name}\n{command('logs', name, '-n', '20')}", file=sys.stderr)
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
