// SPDX-License-Identifier: Apache-2.0
import Glibc
import GuestAPI
import Testing

@Suite struct `Further sockets` {
  @Test func `are each served by themselves`() throws {
    let worker = try WorkerProcess(plan: ["socketsMax": 2])
    try worker.direct.execute("CREATE TABLE t (a)")
    let first = try worker.direct.openSocket()
    let second = try worker.direct.openSocket()
    #expect(try worker.direct.call("sql.open", [:]).word == "overloaded.sql_sockets")
    // Each numbers its own requests.
    let slow = try first.send("sql.query", WorkerSocket.params(endless))
    #expect(try second.rows("SELECT 1") == [[1]])
    #expect(try worker.direct.rows("SELECT 2") == [[2]])
    try first.notify(.cancel(.number(slow)))
    #expect(try first.answer(to: slow).word == "cancelled")
    // One more only where the host handed the socket over.
    #expect(try first.call("sql.open", [:]).word == "method")
    #expect(try worker.control.call("sql.open", [:]).word == "method")
  }

  @Test func `make room when they end, and leave their transactions to others`() throws {
    let worker = try WorkerProcess(plan: ["socketsMax": 1])
    try worker.direct.execute("CREATE TABLE t (a)")
    let socket = try worker.direct.openSocket()
    let id = try socket.begin(deadlineMs: 60_000)
    try socket.execute("INSERT INTO t VALUES (1)", in: id)
    socket.close()
    let next = try worker.direct.openSocketWhenFree()
    #expect(try next.call("sql.commit", ["transaction": .int(id)]).error == nil)
    #expect(try next.rows("SELECT a FROM t") == [[1]])
  }

  @Test func `end with the one they came from`() throws {
    let worker = try WorkerProcess()
    try worker.direct.execute("CREATE TABLE t (a)")
    let socket = try worker.direct.openSocket()
    let id = try socket.begin(deadlineMs: 60_000)
    try socket.execute("INSERT INTO t VALUES (1)", in: id)
    worker.direct.close()
    #expect(throws: WorkerSocket.Ended.self) { try socket.frame() }
    #expect(try worker.control.execute("INSERT INTO t VALUES (2)") == 1)
    #expect(try worker.control.rows("SELECT a FROM t") == [[2]])
  }
}

extension WorkerSocket {
  /// `sql.open`, which must succeed; nothing else may be on its way.
  func openSocket() throws -> WorkerSocket {
    let id = try send("sql.open", [:])
    guard let descriptor = try receiveDescriptor() else {
      throw RPCError(code: 0, message: "no descriptor beside \(try answer(to: id))")
    }
    #expect(try answer(to: id).result == [:])
    return WorkerSocket(descriptor, of: process)
  }

  /// The end of a socket is noticed a moment after it; asks again until there is room.
  func openSocketWhenFree() throws -> WorkerSocket {
    while true {
      do { return try openSocket() } catch { usleep(1_000) }
    }
  }
}
