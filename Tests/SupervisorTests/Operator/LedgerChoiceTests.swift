// SPDX-License-Identifier: Apache-2.0
import Foundation
import Supervisor
import Testing

@Suite("The choice of a ledger")
struct LedgerChoiceTests {
  private func directory() throws -> String {
    let path = FileManager.default.temporaryDirectory.path + "/ledger-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    return path
  }

  private func refusal(_ directory: String, _ choice: LedgerChoice) -> String {
    do throws(SupervisorError) {
      _ = try LedgerOpener(directory: directory, random: { Array(repeating: 7, count: $0) })
        .open(choice)
      return "opened"
    } catch { return error.description }
  }

  private func cluster(_ number: UInt64 = 0) -> LedgerChoice {
    .tigerBeetle(
      .init(library: "/nowhere/libtb_client.so", addresses: "127.0.0.1:1", number: number))
  }

  @Test("the embedded ledger needs nothing")
  func embedded() throws {
    let path = try directory()
    defer { try? FileManager.default.removeItem(atPath: path) }
    let opened = try LedgerOpener(directory: path, random: { _ in [] }).open(.embedded)
    #expect(opened.ledger == nil)
    #expect(opened.host == "local")
  }

  @Test("a library that is not there is refused by name, and nothing is written")
  func noLibrary() throws {
    let path = try directory()
    defer { try? FileManager.default.removeItem(atPath: path) }
    let said = refusal(path, cluster())
    #expect(said.contains("there is no libtb_client where the configuration says"))
    #expect(said.contains("/nowhere/libtb_client.so"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: path).isEmpty)
  }

  @Test("a book keeps the ledger it began with")
  func noSwitch() throws {
    let path = try directory()
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data().write(to: URL(filePath: path + "/ledger.sqlite"))
    #expect(refusal(path, cluster()).contains("--ledger says tigerbeetle"))
    #expect(refusal(path, .embedded) == "opened")
    try Data("7 00ff\n".utf8).write(to: URL(filePath: path + "/ledger-place"))
    #expect(refusal(path, .embedded).contains("is in TigerBeetle cluster 7"))
    #expect(refusal(path, cluster(8)).contains("cluster 7, not 8"))
    #expect(refusal(path, cluster(7)).contains("there is no libtb_client"))
    try Data("rubbish".utf8).write(to: URL(filePath: path + "/ledger-place"))
    #expect(refusal(path, cluster(7)).contains("does not hold a cluster and a name"))
  }
}
