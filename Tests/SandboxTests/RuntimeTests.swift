// SPDX-License-Identifier: Apache-2.0
import Glibc
import Sandbox
import Testing

/// What apps are written in has to start and work under the filter.
@Suite("a runtime")
struct RuntimeTests {
  static func has(_ path: String) -> Bool { access(path, X_OK) == 0 }

  static let python = """
    import asyncio, concurrent.futures, hashlib, json, os, shutil, socket, sqlite3, ssl, subprocess
    import tempfile, threading, multiprocessing, time, zoneinfo
    assert subprocess.run(["/bin/echo", "x"], capture_output=True).stdout == b"x\\n"
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda n: n * n, range(100))) == 328350
    async def main():
        a, b = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=a)
        b.sendall(b"hello\\n")
        assert await reader.readline() == b"hello\\n"
        process = await asyncio.create_subprocess_exec("/bin/true")
        assert await process.wait() == 0
        writer.close()
    asyncio.run(main())
    with tempfile.TemporaryDirectory() as directory:
        db = sqlite3.connect(directory + "/a.db")
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("create table t(x)")
        db.executemany("insert into t values (?)", [(n,) for n in range(100)])
        db.commit()
        assert db.execute("select count(*) from t").fetchone() == (100,)
        shutil.copyfile("/usr/bin/env", directory + "/env")
        shutil.copytree("/etc", directory + "/etc", dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns("*"))
    context = multiprocessing.get_context("fork")
    process = context.Process(target=print, args=("child",))
    process.start(); process.join()
    assert process.exitcode == 0
    ssl.create_default_context()
    print("works")
    """

  @Test("CPython starts, forks, threads, waits, stores", .enabled(if: has("/usr/bin/python3")))
  func python() async throws {
    try await expectWorks(Fixture.policy("/usr/bin/python3", "-I", "-c", Self.python))
  }

  static let node = """
    const fs = require('fs'), cp = require('child_process'), os = require('os'),
      net = require('net'), worker = require('worker_threads'), assert = require('assert');
    if (!worker.isMainThread) { worker.parentPort.postMessage(6 * 7); return; }
    (async () => {
      assert.equal(cp.execFileSync('/bin/echo', ['x']).toString(), 'x\\n');
      fs.writeFileSync('/tmp/a', 'data'); fs.copyFileSync('/tmp/a', '/tmp/b');
      assert.equal(fs.readFileSync('/tmp/b', 'utf8'), 'data');
      await fs.promises.cp('/tmp/a', '/tmp/c');
      const server = net.createServer(s => s.end('pong')).listen('/tmp/s.sock');
      await new Promise(done => server.on('listening', done));
      const text = await new Promise(done => net.connect('/tmp/s.sock').on('data', d => done('' + d)));
      assert.equal(text, 'pong'); server.close();
      const answer = await new Promise(done =>
        new worker.Worker(__filename_or_code, {eval: true}).on('message', done));
      assert.equal(answer, 42);
      os.cpus(); os.totalmem(); crypto.subtle; require('zlib').gzipSync('x'.repeat(100000));
      console.log('works');
    })();
    """

  @Test(
    "Node starts, runs workers and children, serves a socket", .enabled(if: has("/usr/bin/node")))
  func node() async throws {
    let code = Self.node.split(separator: "__filename_or_code")
    let worker = "\"require('worker_threads').parentPort.postMessage(6 * 7)\""
    var policy = Fixture.policy("/usr/bin/node", "-e", code.joined(separator: worker))
    policy.limits.memoryBytes = 512 << 20
    try await expectWorks(policy)
  }

  @Test("the JVM starts and collects garbage", .enabled(if: has("/usr/bin/java")))
  func java() async throws {
    let source = """
      import java.nio.file.*; import java.util.*; import java.util.concurrent.*;
      public class Main { public static void main(String[] a) throws Exception {
        List<byte[]> kept = new ArrayList<>();
        for (int i = 0; i < 2000; i++) { kept.add(new byte[65536]); if (kept.size() > 100) kept.clear(); }
        ExecutorService pool = Executors.newFixedThreadPool(4);
        int sum = 0; List<Future<Integer>> all = new ArrayList<>();
        for (int i = 0; i < 50; i++) { final int n = i; all.add(pool.submit(() -> n)); }
        for (Future<Integer> f : all) sum += f.get();
        pool.shutdown();
        Files.copy(Path.of("/app/Main.java"), Path.of("/tmp/copy"));
        new ProcessBuilder("/bin/true").start().waitFor();
        System.out.println(sum == 1225 ? "works" : "wrong"); } }
      """
    let directory = try scratchDirectory("java")
    defer { try? GuestTree(directory).remove() }
    writeBytes(Array(source.utf8), to: directory + "/Main.java")
    var policy = Fixture.policy("/usr/bin/java", "-Xmx128m", "/app/Main.java")
    policy.binds = [.code(directory)]
    policy.limits.memoryBytes = 1 << 30
    policy.limits.cpuCores = 2
    try await expectWorks(policy)
  }

  @Test("Perl and the shell's tools work", .enabled(if: has("/usr/bin/perl")))
  func perl() async throws {
    try await expectWorks(
      Fixture.policy(
        "/usr/bin/perl", "-e",
        "my $o = `echo x | sort | gzip | gunzip`; print $o eq \"x\\n\" ? \"works\\n\" : \"wrong\";")
    )
  }

  @Test("a dynamic native Swift program works")
  func swift() async throws {
    let source = Fixture.launcherPath.dropLast("SandboxLaunch".count) + "SandboxTestHost"
    var policy = Fixture.policy("/app/host", app: "swift")
    // A dynamic Swift binary: its runtime lies where the compiler is.
    let runtime = try #require(swiftRuntime())
    var view = RuntimeView.standard(await Fixture.hostFacts().layout)
    view = view.adding(runtime)
    policy.runtime = view
    policy.environment["LD_LIBRARY_PATH"] = runtime + "/swift/linux"
    policy.binds = [.code(String(source), at: "/app/host")]
    let output = try await Fixture.run(policy)
    #expect(output.exit.outcome == .exited(code: 64), "\(output.errors)")
    #expect(output.text.hasPrefix("usage: SandboxTestHost"))
  }

  @Test("sendfile is refused, except in the native profile")
  func sendfile() async throws {
    var policy = Attacker.policy("send_file")
    #expect(try await Attacker.report(policy) == ["send_file": "refused EINVAL"])
    policy = Attacker.policy("send_file")
    policy.profile = .native
    #expect(try await Attacker.report(policy) == ["send_file": "GOT IT"])
  }

  @Test("an interpreter below a closed home can be shown", .enabled(if: pyenv != nil))
  func pyenvPython() async throws {
    let prefix = try #require(Self.pyenv)
    var policy = Fixture.policy(
      prefix + "/bin/python3", "-c", "import json, ctypes, ssl; print('works')")
    policy.runtime = RuntimeView.standard(await Fixture.hostFacts().layout).adding(prefix)
    try await expectWorks(policy)
  }

  /// A Python of pyenv that this user can read.
  static let pyenv: String? = {
    guard let home = getenv("HOME").map({ String(cString: $0) }) else { return nil }
    let versions = home + "/.pyenv/versions"
    guard let directory = opendir(versions) else { return nil }
    defer { closedir(directory) }
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      let prefix = versions + "/" + name
      if name.first != ".", has(prefix + "/bin/python3") { return prefix }
    }
    return nil
  }()

  private func swiftRuntime() -> String? {
    for line in (readText("/proc/self/maps") ?? "").split(separator: "\n") {
      if let range = line.firstIndex(of: "/"), line.hasSuffix("/swift/linux/libswiftCore.so") {
        return String(line[range...].dropLast("/swift/linux/libswiftCore.so".count))
      }
    }
    return nil
  }

  private func expectWorks(
    _ policy: SandboxPolicy, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let output = try await Fixture.run(policy)
    #expect(
      output.isSuccess && output.text.hasSuffix("works\n"),
      "\(output.exit) \(output.text) \(output.errors)", sourceLocation: sourceLocation)
  }
}

func scratchDirectory(_ name: String) throws -> String {
  let path = "/tmp/bulkhead-\(name)-\(getpid())"
  guard mkdir(path, 0o755) == 0 || errno == EEXIST else {
    throw SandboxError(.policy, errno: errno, path)
  }
  return path
}
