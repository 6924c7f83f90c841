// SPDX-License-Identifier: Apache-2.0
import Glibc
import Sandbox
import Synchronization
import Testing

/// The escapes of other launchers were links, swapped paths and leaked descriptors.
@Suite("a path")
struct PathTests {
  @Test("that is a link is not bound, in whichever part it lies by then")
  func links() async throws {
    let directory = try scratchDirectory("links")
    mkdir(directory + "/real", 0o755)
    symlink("/etc", directory + "/link")
    var policy = Fixture.policy("/bin/true", app: "links")
    policy.binds = [.code(directory + "/link")]
    await expectFailure(policy, .bindSource, ELOOP)
    // Above the source a link is the operator's own.
    symlink(directory, directory + "-above")
    policy.binds = [.code(directory + "-above/real")]
    #expect(try await Fixture.run(policy).isSuccess)
    unlink(directory + "-above")
    unlink(directory + "/link")
    rmdir(directory + "/real")
    rmdir(directory)
  }

  @Test("that is swapped for a link while cells are built never shows what the link means")
  func swapped() async throws {
    let directory = try scratchDirectory("swap")
    mkdir(directory + "/code", 0o755)
    writeBytes(Array("inside".utf8), to: directory + "/code/which")
    mkdir(directory + "/secret", 0o755)
    writeBytes(Array("secret".utf8), to: directory + "/secret/which")
    symlink(directory + "/secret", directory + "/other")
    let flags = Flags()
    onThread {
      while !flags.stop.load(ordering: .relaxed) {
        rename(directory + "/code", directory + "/kept")
        rename(directory + "/other", directory + "/code")
        rename(directory + "/code", directory + "/other")
        rename(directory + "/kept", directory + "/code")
      }
      flags.stopped.store(true, ordering: .relaxed)
    }
    var shown: [String: Int] = [:]
    for _ in 0..<60 {
      var policy = Fixture.policy("/bin/cat", "/app/which", app: "swap")
      policy.binds = [.code(directory + "/code")]
      do {
        let output = try await Fixture.run(policy)
        shown[output.text, default: 0] += 1
      } catch let error as SandboxError {
        #expect(error.step == .bindSource, "\(error)")
        shown["refused", default: 0] += 1
      }
    }
    flags.stop.store(true, ordering: .relaxed)
    try await settle { flags.stopped.load(ordering: .relaxed) }
    #expect(shown["secret"] == nil, "\(shown)")
    #expect(shown.values.reduce(0, +) == 60)
    try GuestTree(directory).remove()
  }

  /// For the swapping thread.
  final class Flags: Sendable {
    let stop = Atomic<Bool>(false)
    let stopped = Atomic<Bool>(false)
  }

  @Test("a guest left behind is not followed by the host")
  func guestTree() async throws {
    let directory = try scratchDirectory("tree")
    chown(directory, 61_234, 61_234)
    let outside = try scratchDirectory("outside")
    writeBytes(Array("canary".utf8), to: outside + "/canary")
    var policy = Fixture.policy(
      "/bin/sh", "-c",
      """
      cd /data; ln -s /etc/shadow s; ln -s \(outside) d; ln -s ../../../../etc/passwd up
      mkfifo pipe 2>/dev/null; echo fine > file; mkdir -p deep/er; echo x > deep/er/x
      printf x > "$(printf 'bad\\377name')"; mkdir closed; chmod 0 closed
      """, app: "tree")
    policy.binds = [.data(directory)]
    #expect(try await Fixture.run(policy).exit.outcome == .exited(code: 0))
    let tree = try GuestTree(directory)
    #expect(try tree.read("file", max: 100) == Array("fine\n".utf8))
    #expect(try tree.read("deep/er/x", max: 2) == Array("x\n".utf8))
    expectErrno(ELOOP) { try tree.read("s", max: 100) }
    expectErrno(ELOOP) { try tree.read("d/canary", max: 100) }
    expectErrno(ELOOP) { try tree.read("up", max: 100) }
    expectErrno(EXDEV) {
      try tree.read("../\(outside.split(separator: "/").last ?? "")/canary", max: 9)
    }
    expectErrno(EXDEV) { try tree.read("/etc/passwd", max: 100) }
    expectErrno(EFBIG) { try tree.read("file", max: 4) }
    expectErrno(EINVAL) { try tree.read("deep", max: 4) }
    mkfifo(directory + "/fifo", 0o644)
    expectErrno(EINVAL) { try tree.read("fifo", max: 4) }
    #expect(tree.size().entries >= 9)
    #expect(tree.size(entriesMax: 2).isComplete == false)
    try tree.remove()
    #expect(access(directory, F_OK) != 0)
    #expect(readText(outside + "/canary") == "canary")
    unlink(outside + "/canary")
    rmdir(outside)
  }

  @Test("written by a guest belongs to its uid on disk, or to the source's owner by a mapped mount")
  func owners() async throws {
    let directory = try scratchDirectory("owners")
    var policy = Fixture.policy("/bin/sh", "-c", "echo x > /data/f; stat -c %u /data /data/f")
    policy.binds = [.data(directory)]
    let output = try await Fixture.run(policy)
    // Inside it is always the app's own.
    #expect(output.text == "1000\n1000\n", "\(output.errors)")
    var status = stat()
    #expect(lstat(directory + "/f", &status) == 0)
    #expect(status.st_uid == geteuid())
    try GuestTree(directory).remove()
  }

  @Test(
    "closed to everyone but the host's root is readable inside, by a mapped mount only",
    .enabled(if: Fixture.isRoot))
  func closedSource() async throws {
    let directory = try scratchDirectory("closed")
    writeBytes(Array("code".utf8), to: directory + "/f", mode: 0o600)
    chmod(directory, 0o700)
    var policy = Fixture.policy("/bin/cat", "/app/f")
    policy.binds = [.code(directory)]
    #expect(try await Fixture.run(policy).text == "code")
    policy.binds = [Bind(source: directory, path: "/app", mapsOwner: false)]
    policy.instance += "b"
    #expect(try await Fixture.run(policy).isSuccess == false)
    try GuestTree(directory).remove()
  }

  private func expectErrno(
    _ number: Int32, sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () throws -> [UInt8]
  ) {
    let error = #expect(throws: SandboxError.self, sourceLocation: sourceLocation) {
      _ = try body()
    }
    #expect(error?.errno == number, sourceLocation: sourceLocation)
  }
}
