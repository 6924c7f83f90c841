# SPDX-License-Identifier: Apache-2.0
"""Starts a host and nginx with the same files, loads both in turns, and compares medians.

Everything runs on this machine and stops by itself. Needs nginx and wrk, and a built `bulkhead`
(BULKHEAD, else .build/release/bulkhead).
"""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TICKS = os.sysconf("SC_CLK_TCK")


def fail(why, hint=""):
    sys.exit(f"{Path(sys.argv[0]).name}: {why}" + (f"\n  {hint}" if hint else ""))


def need(program):
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")
    return found or fail(f"{program} is not installed", f"apt-get install {program}")


def bulkhead():
    path = Path(os.environ.get("BULKHEAD", ROOT / ".build/release/bulkhead"))
    if not path.exists():
        fail(f"there is no {path}", "swift build -c release, or set BULKHEAD to the program")
    return path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, condition, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.1)
    fail(f"{what} did not happen within {seconds} s")


def answers(port):
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False


def stop(process):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(15)
    if process.poll() is None:
        process.kill()
        process.wait()


@contextlib.contextmanager
def host(package, work):
    """A host with one app installed; gives its process and port."""
    program, port, data = bulkhead(), free_port(), Path(work) / "data"
    environment = os.environ | {
        "BULKHEAD_SOCKET": str(data / "admin.sock"),
        "BULKHEAD_SDK": str(ROOT / "sdk"),
        "BULKHEAD_KIT": str(ROOT / "Sources"),
    }
    weaker = os.environ.get("ALLOW_WEAKER", "").split()
    command = [program, "serve", "--data", data, "--listen", f"127.0.0.1:{port}"]
    with open(Path(work) / "host.log", "w") as log:
        process = subprocess.Popen(
            [*command, *(["--allow-weaker", *weaker] if weaker else [])],
            env=environment, stdout=log, stderr=log)
    try:
        wait_for("the host's start", lambda: answers(port) or process.poll() is not None)
        if process.poll() is not None:
            fail("the host did not start", (Path(work) / "host.log").read_text())
        subprocess.run(
            [program, "install", package, "--yes"], env=environment, check=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        yield process, port
    finally:
        stop(process)


@contextlib.contextmanager
def nginx(work, server, upstream=""):
    """nginx with one server block; gives its process and port."""
    port, folder = free_port(), Path(work) / "nginx"
    folder.mkdir()
    (folder / "nginx.conf").write_text(f"""
daemon off; worker_processes auto; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000;
  open_file_cache max=1000 inactive=60s; open_file_cache_valid 1s;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  {upstream}
  server {{ listen 127.0.0.1:{port} backlog=1024; {server} }}
}}""")
    process = subprocess.Popen([need("nginx"), "-c", folder / "nginx.conf"], stderr=subprocess.PIPE)
    try:
        wait_for("nginx's start", lambda: answers(port) or process.poll() is not None)
        if process.poll() is not None:
            fail("nginx did not start", process.stderr.read().decode())
        yield process, port
    finally:
        stop(process)


def resident(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return fail(f"/proc/{pid}/status has no VmRSS")


def family(pid):
    """A process and all that descend from it."""
    children = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found, queue = [], [pid]
    while queue:
        found.append(queue.pop())
        queue += children.get(found[-1], [])
    return found


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
    return total / TICKS


SCRIPT = """
done = function(summary, latency, requests)
  local errors = summary.errors
  io.stderr:write(string.format(
    '{"requests":%d,"seconds":%f,"p50":%f,"p99":%f,"failed":%d}',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""


def load(url, host_name, work, seconds, connections=32):
    """One run of wrk: requests/s, and percentiles in microseconds."""
    script = Path(work) / "report.lua"
    script.write_text(SCRIPT)
    run = subprocess.run(
        [need("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "-s", script,
         "-H", f"Host: {host_name}", url],
        capture_output=True, text=True, check=True)
    report = json.loads(re.search(r"\{.*\}", run.stderr).group())
    if report["failed"] or not report["requests"]:
        fail(f"{report['failed']} of {report['requests']} requests to {url} failed")
    return report


def compare(name, ours, theirs, work, rounds=5, seconds=4):
    """Loads both in turns. Each side is (name, url, host name, pids); gives one row of medians."""
    runs = {side[0]: [] for side in (ours, theirs)}
    for side in (ours, theirs):
        load(side[1], side[2], work, 1)
    for _ in range(rounds):
        for label, url, host_name, pids in (ours, theirs):
            before = cpu_seconds(pids())
            report = load(url, host_name, work, seconds)
            spent = cpu_seconds(pids()) - before
            runs[label].append((
                report["requests"] / report["seconds"], report["p50"], report["p99"],
                spent * 1e6 / report["requests"]))
    medians = {label: [statistics.median(column) for column in zip(*rows)]
               for label, rows in runs.items()}
    return name, medians[ours[0]], medians[theirs[0]]


def table(rows, ours="bulkhead", theirs="nginx"):
    print(f"{'':24} {'':>10} {'requests/s':>11} {'p50 µs':>9} {'p99 µs':>9} {'CPU µs':>8}")
    for name, left, right in rows:
        for label, values in ((ours, left), (theirs, right)):
            rate, p50, p99, cpu = values
            print(f"{name:24} {label:>10} {rate:11,.0f} {p50:9,.0f} {p99:9,.0f} {cpu:8.1f}")
            name = ""
        print(f"{'':24} {'ratio':>10} {left[0] / right[0]:11.2f} {left[1] / right[1]:9.2f} "
              f"{left[2] / right[2]:9.2f} {left[3] / right[3]:8.2f}")


@contextlib.contextmanager
def workspace():
    need("wrk")
    with tempfile.TemporaryDirectory(prefix="bulkhead-bench.") as work:
        # nginx's workers give up root; they must be able to read the files.
        os.chmod(work, 0o755)
        yield work
