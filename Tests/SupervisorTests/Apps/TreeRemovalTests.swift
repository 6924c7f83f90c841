// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import Supervisor
import Testing

@Suite("Removing a tree that a guest wrote", .timeLimit(.minutes(1)))
struct TreeRemovalTests {
  let tree: ScratchTree

  init() throws {
    tree = try ScratchTree()
    try tree.file("outside/precious", "precious")
    try tree.directory("data")
  }

  private func remove(_ name: String = "data") -> [String] { TreeRemoval.remove(tree.path(name)) }

  @Test("links are removed, what they lead to is not")
  func links() throws {
    try tree.link("data/file", to: tree.path("outside/precious"))
    try tree.link("data/directory", to: tree.path("outside"))
    try tree.link("data/a/up", to: "../../outside")
    try tree.link("data/root", to: "/")
    try tree.link("data/self", to: "self")
    #expect(remove() == [])
    #expect(!tree.exists("data"))
    #expect(tree.text("outside/precious") == "precious")
  }

  @Test("the root itself may be a link, a file, or missing")
  func roots() throws {
    try tree.link("link", to: tree.path("outside"))
    try tree.file("file")
    for name in ["link", "file", "missing", "missing/deeper"] { #expect(remove(name) == []) }
    #expect(!tree.exists("link"))
    #expect(tree.text("outside/precious") == "precious")
  }

  @Test("every kind of entry goes, whatever its name or mode")
  func kinds() throws {
    try tree.fifo("data/fifo")
    try tree.socket("data/socket")
    try tree.file("data/two\nlines")
    try tree.file("data/-rf")
    try tree.file(named: [0xff, 0xfe, 0x80], in: "data")
    try tree.file(named: [0x2e, 0x2e, 0x2e], in: "data")
    try tree.file("data/locked/inner/file", mode: 0)
    try tree.directory("data/locked/inner", mode: 0)
    try tree.directory("data/locked", mode: 0o100)
    #expect(remove() == [])
    #expect(!tree.exists("data"))
  }

  @Test("a directory whose name is not UTF-8 goes with what is in it")
  func oddDirectory() throws {
    try tree.directory(named: [0xc3, 0x28], in: "data")
    try tree.file(named: [0xc3, 0x28, 0x2f, 0x66], in: "data")
    #expect(remove() == [])
    #expect(!tree.exists("data"))
  }

  @Test(
    "directories nested far past every limit on paths go, and leave no descriptor open",
    arguments: [15, 16, 17, 40, 5_000])
  func deep(depth: Int) throws {
    try tree.nest("data", depth: depth)
    try tree.nest("data/d/side", depth: depth)
    try tree.file("data/.deep-1", "a name the removal would use")
    try tree.file("data/.deep-2/file", "and another")
    #expect(remove() == [])
    #expect(!tree.exists("data"))
    #expect(try openBelowTree() == [], "none is left open")
  }

  /// What this process has open of the tree, removed or not; other tests' descriptors aside.
  private func openBelowTree() throws -> [String] {
    let names = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
    return names.compactMap {
      try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")
    }.filter { $0.hasPrefix(tree.path("")) }
  }

  @Test("a wide tree goes")
  func wide() throws {
    for outer in 0..<30 {
      for inner in 0..<30 { try tree.file("data/\(outer)/\(inner)", "") }
    }
    #expect(remove() == [])
    #expect(!tree.exists("data"))
  }

  @Test("what cannot be removed is named", .enabled(if: geteuid() != 0, "root removes everything"))
  func named() throws {
    try tree.file("fixed/data/file")
    try tree.directory("fixed", mode: 0o555)
    #expect(TreeRemoval.remove(tree.path("fixed/data")) == [tree.path("fixed/data")])
    try tree.directory("fixed", mode: 0o755)
  }
}
