# SPDX-License-Identifier: Apache-2.0
"""What was acknowledged is there after kill -9 of guest, worker and host; a rotation killed in the middle goes on.

BULKHEAD_SEED repeats a run's choices; each failure names its seed.
"""

from __future__ import annotations

import http.client
import os
import random
import signal
import sqlite3
import threading
import time
import unittest
from typing import Dict, List, Set, Tuple

from harness import App, EndToEndTest, Host, eventually, load_tests  # noqa: F401

TABLES = "CREATE TABLE single (writer INTEGER, n INTEGER); CREATE TABLE three (writer INTEGER, n INTEGER, part INTEGER)"


def a_seed() -> int:
    return int(os.environ.get("BULKHEAD_SEED") or random.SystemRandom().randrange(1 << 32))


class Writer(threading.Thread):
    """Reads the acknowledgements of one stream of rows after another, until told to stop.

    Each stream has a number of its own, so that a row acknowledged in one can be told from any other.
    """

    numbers = iter(range(1, 1 << 30))
    choice = threading.Lock()

    def __init__(self, app: App, database: str, way: str) -> None:
        super().__init__(daemon=True)
        self.app, self.database, self.way = app, database, way
        self.acknowledged: Dict[int, int] = {}  # Writer's number: how many rows, from 0 on.
        self.errors: List[str] = []
        self.stopping = False

    @property
    def total(self) -> int:
        return sum(self.acknowledged.copy().values())

    def run(self) -> None:
        while not self.stopping:
            with self.choice:
                number = next(self.numbers)
            self.acknowledged[number] = 0
            try:
                self.follow(number)
            except (OSError, http.client.HTTPException):
                time.sleep(0.01)  # Killed: the next stream finds a new one.

    def follow(self, number: int) -> None:
        answer = self.app.open("GET", f"/{self.way}/{self.database}/{number}")
        try:
            if answer.status != 200:
                time.sleep(0.05)  # Killed before it began: the next try may find it up.
                return
            while not self.stopping:
                line = answer.readline()
                if not line.endswith(b"\n"):
                    return
                if line.startswith(b"error"):
                    self.errors.append(line.decode().strip())
                    return
                if int(line) != self.acknowledged[number]:
                    raise AssertionError(f"{line!r} after {self.acknowledged[number]} lines")
                self.acknowledged[number] += 1
        finally:
            answer.connection.close()


class Killing(EndToEndTest):
    takes_long = True

    def test_every_acknowledged_row_survives_kill_9_of_guest_worker_and_host(self):
        """Two apps write to three databases over ten streams; guest, worker or host is killed at random instants.

        Then every acknowledged row is there, none is there twice, what belongs together is whole, and SQLite finds
        each file sound.
        """
        seed = a_seed()
        chance = random.Random(seed)
        with self.subTest(seed=seed):
            total = self.kill_and_count(chance)
            print(f"durability, seed {seed}: {total} rows acknowledged, {self.killed}", flush=True)

    def kill_and_count(self, chance: random.Random) -> int:
        host = self.host()
        python = self.writing(host, "inpython", ["python3", "writer.py"], "writer.py", "python", ("left", "right"))
        node = self.writing(host, "innode", ["node", "writer.mjs"], "writer.mjs", "node", ("left",))
        writers = [Writer(python, name, way) for name in ("left", "right") for way in ("single", "batch", "hand")]
        writers += [Writer(node, "left", way) for way in ("single", "single", "batch")]
        writers.append(Writer(python, "left", "single"))
        for writer in writers:
            writer.start()
        kills = ["guest", "worker", "host"] * 7
        chance.shuffle(kills)
        self.killed: Dict[str, int] = {}
        try:
            for victim in kills:
                before = {writer: writer.total for writer in writers}
                eventually(lambda: all(writer.total > before[writer] for writer in writers),
                           "every stream has rows acknowledged again")
                time.sleep(chance.random() * 0.5)
                self.kill(host, victim, chance)
        finally:
            for writer in writers:
                writer.stopping = True
            for writer in writers:
                writer.join(30)
        self.assertFalse([writer for writer in writers if writer.is_alive()])
        # The worker ends under a statement; the writer's next stream goes on.
        known = {"error upstream.sql", "error sql.interrupted", "error overloaded.sql_restarted",
                 "error not_found.transaction", "error overloaded.sql_busy", "error internal.closed"}
        self.assertEqual({error for writer in writers for error in writer.errors} - known, set())
        self.assertEqual(host.stop(), 0)
        self.assertEqual(set(self.killed), {"guest", "worker", "host"})
        return self.count(writers)

    def writing(self, host: Host, name: str, command: List[str], file: str, runtime: str,
                databases: Tuple[str, ...]) -> App:
        package = self.package(
            name, command, [file], runtime=runtime, limits='memory = "512MiB"\nprocesses = 128',
            run="max_concurrency = 16",
            more="".join(f'[[sqlite]]\nname = "{one}"\nmigrations = "migrations/{one}"\n' for one in databases))
        for one in databases:
            folder = package / "migrations" / one
            folder.mkdir(parents=True)
            for number, statement in enumerate(TABLES.split("; ")):
                (folder / f"{number}.sql").write_text(statement)
        return host.install(package)

    def kill(self, host: Host, victim: str, chance: random.Random) -> None:
        if victim == "host":
            host.kill()
            self.killed[victim] = self.killed.get(victim, 0) + 1
            host.start()
            return
        names = {"SQLWorker"} if victim == "worker" else {"python3", "node"}
        # Between two lives of it there may be none to kill.
        found = eventually(lambda: [one for one in host.processes() if one.name in names], f"there is a {victim}")
        chosen = chance.choice(sorted(found))
        try:
            os.kill(chosen.pid, signal.SIGKILL)
            self.killed[victim] = self.killed.get(victim, 0) + 1
        except ProcessLookupError:
            pass  # It ended by itself meanwhile, with the one that was killed before.

    def count(self, writers: List[Writer]) -> int:
        total = 0
        for app, name in {(writer.app, writer.database) for writer in writers}:
            file = sqlite3.connect(app.directory / "sql" / f"{name}.sqlite")
            self.addCleanup(file.close)
            self.assertEqual(file.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            single = file.execute("SELECT writer, n FROM single").fetchall()
            self.assertEqual(len(single), len(set(single)), "a row is there twice")
            parts = file.execute("SELECT writer, n, part FROM three").fetchall()
            self.assertEqual(len(parts), len(set(parts)), "a row is there twice")
            three = {(writer, n) for writer, n, _ in parts}
            self.assertEqual(len(parts), 3 * len(three), "a batch or transaction is there in part")
            for writer in writers:
                if (writer.app, writer.database) != (app, name):
                    continue
                kept: Set[Tuple[int, int]] = set(single) if writer.way == "single" else three
                promised = {(number, n) for number, rows in writer.acknowledged.items() for n in range(rows)}
                self.assertEqual(promised - kept, set(), f"{writer.way} rows of {name} are gone")
                total += len(promised)
        self.assertGreater(total, 500)
        return total


class Rotating(EndToEndTest):
    takes_long = True
    SECRETS = 60

    def test_a_rotation_of_the_master_key_survives_kill_9_of_the_host(self):
        """The host is killed at random instants of a rotation, again and again: afterwards every secret of every
        version opens and every key signs, of an app that runs, of one that is stopped and of one that was uninstalled
        with its data kept. In the end only the new key is left, and nothing is sealed with another."""
        seed = a_seed()
        with self.subTest(seed=seed):
            self.rotate_and_kill(random.Random(seed))

    def rotate_and_kill(self, chance: random.Random) -> None:
        host = self.host()
        apps = [self.keeper(host, name) for name in ("running", "stopped", "removed")]
        running, stopped, removed = apps
        for app in apps:
            self.assertEqual(app.get(f"/fill/{self.SECRETS}").body, b"filled")
        host.command("stop", "stopped")
        package = self.package("removed", ["python3", "vault.py"], ["vault.py"])
        host.command("uninstall", "removed", "--keep-data", "--yes")
        begin = time.monotonic()
        host.command("secret", "rotate-master-key")
        length = time.monotonic() - begin
        first = self.master_keys(host)
        self.assertEqual(len(first), 1)
        in_the_middle = 0
        for number in range(8):
            asking = threading.Thread(
                target=host.command, args=("secret", "rotate-master-key"), kwargs={"status": None}, daemon=True)
            asking.start()
            time.sleep(chance.random() * length)
            host.kill()
            asking.join(30)
            in_the_middle += len(self.master_keys(host)) > 1
            host.start()
            # While the rotation goes on.
            self.assertEqual(running.get(f"/check/{self.SECRETS}").body, b"ok")
            self.assertEqual(running.get(f"/new/n{number}").body, f"n{number}".encode())
        eventually(lambda: len(self.master_keys(host)) == 1, "the rotation has ended")
        self.assertGreater(in_the_middle, 0, "no kill came in the middle of a rotation")
        self.assertNotEqual(self.master_keys(host), first)
        host.command("start", "stopped")
        self.assertEqual(stopped.get(f"/check/{self.SECRETS}").body, b"ok")
        host.install(package)
        self.assertEqual(removed.get(f"/check/{self.SECRETS}").body, b"ok")
        self.assertEqual(host.stop(), 0)
        self.assertEqual(len(set().union(*(self.key_ids(app) for app in apps))), 1)

    def keeper(self, host: Host, name: str) -> App:
        return self.install(host, name, ["python3", "vault.py"], ["vault.py"])

    def master_keys(self, host: Host) -> List[str]:
        return (host.data / "master.key").read_text().split("\n")[1:-1]

    def key_ids(self, app: App) -> Set[str]:
        """The master keys that something of the app is sealed with."""
        file = sqlite3.connect(app.directory / "state.sqlite")
        self.addCleanup(file.close)
        found = file.execute("SELECT key_id FROM secret UNION SELECT key_id FROM signing_key WHERE sealed NOT NULL")
        return {row[0] for row in found}


if __name__ == "__main__":
    unittest.main()
