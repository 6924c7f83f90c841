// SPDX-License-Identifier: Apache-2.0
import Glibc
import GuestAPI
import SQLEngine

extension Worker {
  func listDatabases(_ call: Call) -> [UInt8] {
    let entries = databases.list().map { entry -> JSONValue in
      [
        "name": .string(entry.name), "bytes": .int(entry.bytes), "walBytes": .int(entry.walBytes),
        "declared": .bool(entry.isDeclared),
      ]
    }
    return reply(call, ["databases": .array(entries)])
  }

  func createDatabase(_ call: Call, on thread: ServingThread) throws(HostError) -> [UInt8] {
    let name = try StatementRequest.string(call.params, "database")
    thread.handOver()
    try databases.create(name)
    return reply(call, ["database": .string(name)])
  }

  func deleteDatabase(_ call: Call, on thread: ServingThread) throws(HostError) -> [UInt8] {
    let database = try database(call)
    let lane: Lane
    do throws(HostError) { lane = try database.writer() } catch {
      // What cannot be opened can still be thrown away.
      guard error.code == "sql.corrupt" || error.code == "sql.migration" else { throw error }
      try databases.remove(database)
      return reply(call, [:])
    }
    let job = Job(call) { [self] _ throws(HostError) in
      guard database.close(until: call.deadline) else { throw Lane.waited }
      lane.connection.close()
      try databases.remove(database)
      return reply(call, [:])
    }
    try lane.submit(job, on: thread)
    return []
  }

  /// `sql.explain`: what SQLite would do, without doing it.
  func explain(_ call: Call, on thread: ServingThread) throws(HostError) -> [UInt8] {
    let request = try StatementRequest(call)
    let database = try database(call)
    let reader = try opened(database).takeReader()
    defer { database.giveBack(reader) }
    return try thread.run(call, on: reader) { () throws(HostError) in
      let subject = try reader.statement(request.sql)
      let plan = try reader.statement("EXPLAIN QUERY PLAN " + request.sql)
      defer { plan.reset() }
      var frame = ReplyFrame(result: call.id)
      frame.writer.raw("{\"readOnly\":")
      frame.writer.bool(subject.isReadOnly)
      frame.writer.raw(",\"parameters\":")
      frame.writer.value(.array(subject.parameterNames))
      frame.writer.raw(",\"columns\":")
      frame.writer.raw(subject.columns())
      frame.writer.raw(",\"plan\":")
      _ = try ResultWriter(rows: RowWriter(safeIntegers: false))
        .write(plan, on: reader, to: &frame)
      frame.writer.raw("}")
      return frame.finished()
    }
  }

  /// `worker.shutdown`, from the host only: transactions are rolled back, databases closed, the log folded in.
  func shutDown(_ call: Call, on thread: ServingThread) -> [UInt8] {
    for transaction in transactions.all { transaction.abandon() }
    watchdog.noteWork()
    let deadline = Monotonic.after(milliseconds: plan.graceMs)
    while !transactions.all.isEmpty, Monotonic.now < deadline { usleep(1_000) }
    for database in databases.open {
      guard let lane = database.openLane, database.close(until: deadline) else { continue }
      if lane.waitUntilFree(deadline) { lane.connection.close() }
    }
    reportStatistics()
    call.answer(reply(call, [:]), flush: true)
    _exit(0)
  }
}
