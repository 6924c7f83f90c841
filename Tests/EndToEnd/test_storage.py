# SPDX-License-Identifier: Apache-2.0
"""An app that fills its data directory: refused by name, never a surprise for the disk or the neighbours."""

from harness import EndToEndTest, eventually, load_tests  # noqa: F401

LIMIT = 32
"""MiB the app may store."""


class DataDirectory(EndToEndTest):

    def hoarder(self, host, name="hoard", memory="128MiB"):
        return self.install(
            host, name, ["python3", "hoard.py"], ["hoard.py"], run="data_dir = true",
            limits=f'storage = "{LIMIT}MiB"\nmemory = "{memory}"')

    def do(self, app, path):
        return app.get(path).json

    def await_refusal(self, app):
        eventually(lambda: self.do(app, "/write?name=probe&count=1") == "EFBIG", "writes are refused")
        app.await_event("storage")

    def test_a_full_directory_takes_no_more_and_reads_and_deletes_go_on(self):
        """EFBIG for writes and event `storage`; after deleting it may write again, without a restart."""
        host = self.host()
        app = self.hoarder(host)
        self.assertEqual(self.do(app, f"/write?count={LIMIT}"), LIMIT)
        self.await_refusal(app)
        self.assertGreaterEqual(self.do(app, "/read"), LIMIT << 20)
        self.assertEqual(self.do(app, "/write?name=another&count=1"), "EFBIG")
        pid = app.status["pid"]
        self.assertEqual(self.do(app, "/free"), "free")
        eventually(lambda: "has room again" in app.log()[-1]["text"], "the host has seen it")
        eventually(lambda: self.do(app, "/write?name=new&count=1") == 1, "it may write")
        self.assertEqual(app.status["pid"], pid, "nothing was restarted")

    def test_it_starts_full_when_it_ended_full(self):
        """A restart is no way round the limit, and the app can still free what it holds."""
        host = self.host()
        app = self.hoarder(host)
        self.do(app, f"/write?count={LIMIT}")
        self.await_refusal(app)
        host.command("restart", app.id)
        self.assertEqual(self.do(app, "/write?name=more&count=1"), "EFBIG")
        self.assertEqual(self.do(app, "/free"), "free")

    def test_an_app_that_raises_its_own_limit_is_ended(self):
        host = self.host()
        app = self.hoarder(host)
        self.do(app, f"/write?count={LIMIT}")
        self.await_refusal(app)
        try:
            self.do(app, "/raise")
        except (OSError, ValueError):
            pass
        eventually(lambda: any("raised its own limit" in line["text"] for line in app.log()), "it is ended")

    def test_files_that_no_directory_shows_count(self):
        """Unlinked and open: on the disk all the same."""
        host = self.host()
        app = self.hoarder(host)
        self.assertEqual(self.do(app, f"/hold?count={LIMIT}"), LIMIT)
        self.await_refusal(app)

    def test_a_directory_that_grows_past_the_refusal_ends_its_app(self):
        """A mapping fills the holes of a file without a write: the guest goes, the word is `storage`."""
        host = self.host()
        app = self.hoarder(host, memory="512MiB")
        for index in range(8):
            self.assertEqual(self.do(app, f"/hole?name=h{index}&count={LIMIT}"), LIMIT)
        self.do(app, f"/write?count={LIMIT}")
        self.await_refusal(app)
        for index in range(8):
            try:
                self.do(app, f"/through?name={index}&count={LIMIT}")
            except (OSError, ValueError):
                break
        eventually(lambda: any("grew although" in line["text"] for line in app.log()), "it is ended")

    def test_blocks_are_not_reserved_without_a_write(self):
        """One call could take the whole disk before anybody counts."""
        app = self.hoarder(self.host())
        self.assertEqual(self.do(app, "/reserve?count=16"), "ENOTSUP")

    def test_a_directory_closed_to_the_host_counts_as_full(self):
        """A plain user's guest has the host's uid: what it hides from the count does not go uncounted."""
        app = self.hoarder(self.host())
        self.assertEqual(self.do(app, f"/hide?count={LIMIT}"), LIMIT)
        self.await_refusal(app)
        self.assertEqual(self.do(app, "/free"), "free")
        eventually(lambda: self.do(app, "/write?name=new&count=1") == 1, "it may write")

    def test_a_restart_is_no_new_beginning(self):
        """What grew past the refusal is not started again until somebody removes files."""
        host = self.host()
        app = self.hoarder(host)
        self.do(app, f"/write?count={LIMIT}")
        self.await_refusal(app)
        host.command("stop", app.id)
        with open(app.directory / "data/more", "wb") as file:
            for _ in range(80):
                file.write(b"\xff" * (1 << 20))
        self.assertIn("remove files from", host.command("start", app.id, status=1).err)
        (app.directory / "data/more").unlink()
        host.command("start", app.id)
        self.assertEqual(self.do(app, "/free"), "free")
        eventually(lambda: self.do(app, "/write?name=new&count=1") == 1, "it may write without a restart")

    def test_empty_files_are_bounded_too(self):
        """Names cost the disk as well."""
        host = self.host()
        app = self.hoarder(host)
        self.do(app, "/names?count=100000")
        self.await_refusal(app)

    def test_a_neighbour_has_its_own_limit(self):
        host = self.host()
        full, other = self.hoarder(host), self.hoarder(host, "other")
        self.do(full, f"/write?count={LIMIT}")
        self.await_refusal(full)
        self.assertEqual(self.do(other, "/write?count=4"), 4)

    def test_doctor_says_how_data_directories_are_bounded(self):
        layer = next(one for one in self.host().json("doctor") if one["layer"] == "storage")
        self.assertIn("counted", layer["detail"])
