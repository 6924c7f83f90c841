// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Foundation
import Glibc
import GuestAPI
import Supervisor
import Testing

@Suite("Copying an app's files, which are not trusted", .timeLimit(.minutes(1)))
struct PackageTreeTests {
  let tree: ScratchTree

  init() throws {
    tree = try ScratchTree()
    try tree.directory("app")
    try tree.file("outside/secret", "secret")
  }

  private func copy(_ bounds: PackageTree.Bounds = .init()) throws -> PackageTree.Totals {
    var package = PackageTree(bounds: bounds)
    try package.copy(from: tree.path("app"), to: tree.path("copy"))
    return package.totals
  }

  private func refusal(_ bounds: PackageTree.Bounds = .init()) -> HostError? {
    do {
      _ = try copy(bounds)
      return nil
    } catch {
      return error as? HostError
    }
  }

  @Test("files, directories and inner links arrive, with plain modes")
  func plainTree() throws {
    try tree.file("app/main.py", "print(1)", mode: 0o640)
    try tree.file("app/bin/tool", "#!/bin/sh", mode: 0o4711)
    try tree.file("app/deep/er/file", "deep", mode: 0o666)
    try tree.directory("app/empty", mode: 0o1777)
    try tree.link("app/deep/up", to: "../bin/tool")
    try tree.link("app/dangling", to: "not/there")
    let totals = try copy()
    #expect(
      tree.listing("copy") == [
        "bin", "bin/tool", "dangling -> not/there", "deep", "deep/er", "deep/er/file",
        "deep/up -> ../bin/tool", "empty", "main.py",
      ])
    #expect(totals == PackageTree.Totals(entries: 9, bytes: 21))
    for (name, mode) in [
      ("main.py", 0o644), ("bin/tool", 0o755), ("deep/er/file", 0o644), ("empty", 0o755),
    ] {
      var facts = stat()
      stat(tree.path("copy/\(name)"), &facts)
      #expect(Int(facts.st_mode & 0o7777) == mode, "\(name)")
    }
  }

  @Test("what belongs to the author's tools is left behind, at any depth")
  func ignored() throws {
    for name in PackageTree.ignored { try tree.file("app/a/\(name)/file") }
    try tree.file("app/a/.gitignore")
    _ = try copy()
    #expect(tree.listing("copy") == ["a", "a/.gitignore"])
  }

  @Test(
    "a link that leads out is refused by name",
    arguments: [
      ("out", "/etc/passwd"), ("out", "/"), ("out", ".."), ("out", "../outside/secret"),
      ("out", "./../outside"), ("a/out", "../.."), ("a/b/out", "../../../outside/secret"),
      // Each by itself looks as if it stayed inside.
      ("out", "a/b/up/../outside/secret"), ("out", "a/.."), ("out", "x/../../outside"),
    ])
  func linksOut(name: String, target: String) throws {
    try tree.directory("app/a/b")
    try tree.link("app/a/b/up", to: "../..")
    try tree.link("app/\(name)", to: target)
    let error = try #require(refusal())
    #expect(error.area == .params)
    #expect(error.message.contains(name), "\(error.message)")
  }

  @Test(
    "a link that stays inside is kept",
    arguments: [
      ("in", "main.py"), ("in", "a/b"), ("in", "."), ("in", "./a"), ("a/in", ".."),
      ("a/in", "../main.py"), ("a/b/in", "../.."), ("a/b/in", "./../../a"), ("in", "..hidden"),
    ])
  func linksIn(name: String, target: String) throws {
    try tree.directory("app/a/b")
    try tree.link("app/\(name)", to: target)
    #expect(refusal() == nil)
    #expect(tree.listing("copy").contains("\(name) -> \(target)"))
  }

  @Test("no chain of accepted links leads out", arguments: [1, 2, 3, 4] as [UInt64])
  func linkChains(seed: UInt64) throws {
    var random = SeededNumbers(seed: seed)
    let directories = ["app", "app/a", "app/a/b", "app/c"]
    for directory in directories { try tree.directory(directory) }
    let words = ["..", "a", "b", "c", ".", "l0", "l1", "l2", "l3"]
    for number in 0..<400 {
      let place = directories.randomElement(using: &random) ?? "app"
      let target = (0..<Int.random(in: 1...5, using: &random))
        .map { _ in words.randomElement(using: &random) ?? "." }.joined(separator: "/")
      let link = "\(place.dropFirst(4))/l\(number % 4)".drop { $0 == "/" }
      guard PackageTree.staysInside(link: String(link), target: target) else { continue }
      unlink(tree.path("app/\(link)"))
      try tree.link("app/\(link)", to: target)
      guard let resolved = realpath(tree.path("app/\(link)"), nil) else { continue }
      defer { free(resolved) }
      let text = String(cString: resolved)
      let root = realpath(tree.path("app"), nil).map { String(cString: $0) } ?? ""
      #expect(
        text == root || text.hasPrefix("\(root)/"), "seed \(seed): \(link) -> \(target): \(text)")
    }
  }

  @Test("a fifo is refused, and does not hang the host")
  func fifo() throws {
    try tree.fifo("app/pipe")
    #expect(refusal()?.message.hasPrefix("pipe:") == true)
  }

  @Test("a socket is refused")
  func socket() throws {
    try tree.socket("app/sock")
    #expect(refusal()?.message.hasPrefix("sock:") == true)
  }

  @Test("a device is refused", .enabled(if: geteuid() == 0, "only root can make a device"))
  func device() throws {
    try tree.device("app/null")
    #expect(refusal()?.message.hasPrefix("null:") == true)
  }

  @Test(
    "a file that cannot be read is named", .enabled(if: geteuid() != 0, "root reads every file"))
  func unreadable() throws {
    try tree.file("app/a/locked", mode: 0)
    #expect(refusal()?.message.hasPrefix("a/locked:") == true)
  }

  @Test("depth, number and size are bounded, exactly")
  func bounds() throws {
    var bounds = PackageTree.Bounds()
    bounds.depth = 3
    bounds.entries = 6
    bounds.bytes = 10
    try tree.directory("app/1/2/3")
    try tree.file("app/a", "12345")
    try tree.file("app/b", "12345")
    #expect(try copy(bounds) == PackageTree.Totals(entries: 5, bytes: 10))
    _ = TreeRemoval.remove(tree.path("copy"))
    try tree.file("app/c", "6")
    #expect(refusal(bounds)?.message.contains("larger than 10 bytes") == true)
    _ = TreeRemoval.remove(tree.path("copy"))
    try tree.file("app/c", "")
    #expect(try copy(bounds).entries == 6)
    _ = TreeRemoval.remove(tree.path("copy"))
    try tree.file("app/1/2/3/d", "")
    #expect(refusal(bounds)?.message.contains("more than 6") == true)
    _ = TreeRemoval.remove(tree.path("copy"))
    _ = TreeRemoval.remove(tree.path("app/1/2/3/d"))
    _ = TreeRemoval.remove(tree.path("app/c"))
    try tree.directory("app/1/2/3/4")
    #expect(refusal(bounds)?.message.contains("nest deeper than 3") == true)
  }

  @Test("a directory of more names than are allowed is not even sorted")
  func manyNames() throws {
    for number in 0..<50 { try tree.file("app/\(number)", "") }
    var bounds = PackageTree.Bounds()
    bounds.entries = 49
    #expect(refusal(bounds)?.message.contains("more than 49") == true)
    #expect(tree.listing("copy").isEmpty)
  }

  @Test("a file of a terabyte that takes no room is refused before a byte is copied")
  func sparse() throws {
    try tree.sparse("app/big", bytes: 1 << 40)
    #expect(refusal()?.message.contains("larger than") == true)
    #expect(!tree.exists("copy/big"))
  }

  @Test("a file of holes within the bound is copied as its zeros")
  func smallSparse() throws {
    try tree.sparse("app/holes", bytes: 3_000_000)
    #expect(try copy().bytes == 3_000_000)
    #expect(try Data(contentsOf: URL(filePath: tree.path("copy/holes"))) == Data(count: 3_000_000))
  }

  @Test("a name may hold a line break or anything else that is UTF-8; what is not is refused")
  func names() throws {
    for name in [
      "two\nlines", " ", "-rf", "é", "e\u{301}", "\u{1b}[2J", "a\\b",
      String(repeating: "n", count: 255),
    ] {
      try tree.file("app/\(name)")
    }
    #expect(try copy().entries == 8)
    #expect(tree.listing("copy") == tree.listing("app"))
    _ = TreeRemoval.remove(tree.path("copy"))
    try tree.file(named: [0x66, 0xff, 0x6f], in: "app")
    #expect(refusal()?.message.contains("not UTF-8") == true)
  }

  @Test("a source that is no directory, and a target that exists")
  func places() throws {
    var package = PackageTree()
    #expect(throws: HostError.self) {
      try package.copy(from: tree.path("nowhere"), to: tree.path("copy"))
    }
    #expect(throws: HostError.self) {
      try package.copy(from: tree.path("outside/secret"), to: tree.path("copy"))
    }
    #expect(!tree.exists("copy"))
    try tree.directory("copy")
    #expect(throws: HostError.self) {
      try package.copy(from: tree.path("app"), to: tree.path("copy"))
    }
  }

  @Test(
    "directories and files swapped for links while they are copied never let anything outside in")
  func swaps() throws {
    for number in 0..<20 { try tree.file("app/dir/\(number)", "inside") }
    try tree.file("app/file", "inside")
    for number in 0..<20 { try tree.file("elsewhere/\(number)", "secret") }
    let isDone = Observed(false)
    let finished = DispatchSemaphore(value: 0)
    let tree = tree
    Thread.detachNewThread {
      while !isDone.now {
        for (name, other) in [("app/dir", "elsewhere"), ("app/file", "outside/secret")] {
          rename(tree.path(name), tree.path("aside"))
          symlink(tree.path(other), tree.path(name))
          unlink(tree.path(name))
          rename(tree.path("aside"), tree.path(name))
        }
      }
      finished.signal()
    }
    defer {
      isDone.update { $0 = true }
      finished.wait()
    }
    for _ in 0..<300 {
      var package = PackageTree()
      try? package.copy(from: tree.path("app"), to: tree.path("copy"))
      for entry in tree.listing("copy") where !entry.contains(" -> ") {
        if let text = tree.text("copy/\(entry)") { #expect(text == "inside", "\(entry)") }
      }
      #expect(!tree.listing("copy").contains { $0.contains(" -> ") })
      _ = TreeRemoval.remove(tree.path("copy"))
    }
  }
}
