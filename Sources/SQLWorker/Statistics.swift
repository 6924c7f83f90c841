// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import Synchronization

/// Counters since the worker began; they only grow.
final class Statistics: Sendable {
  let calls = Atomic<Int>(0)
  let errors = Atomic<Int>(0)
  let rowsRead = Atomic<Int>(0)
  let rowsWritten = Atomic<Int>(0)
  let busyNanoseconds = Atomic<Int>(0)

  private let endedRead = Atomic<Int>(0)
  private let endedWritten = Atomic<Int>(0)

  /// What a socket counted goes on counting when the socket is gone.
  func noteEnd(of channel: Channel) {
    endedRead.add(channel.bytesRead.load(ordering: .relaxed), ordering: .relaxed)
    endedWritten.add(channel.bytesWritten.load(ordering: .relaxed), ordering: .relaxed)
  }

  func add(read rows: Int) { rowsRead.add(rows, ordering: .relaxed) }
  func add(written rows: Int) { rowsWritten.add(rows, ordering: .relaxed) }

  /// The params of the `sql.stats` notification and the result of the request.
  func report(_ databases: Databases, _ channels: [Channel]) -> JSONValue {
    func value(_ counter: borrowing Atomic<Int>) -> JSONValue {
      .int(Int64(counter.load(ordering: .relaxed)))
    }
    let read = channels.reduce(endedRead.load(ordering: .relaxed)) {
      $0 + $1.bytesRead.load(ordering: .relaxed)
    }
    let written = channels.reduce(endedWritten.load(ordering: .relaxed)) {
      $0 + $1.bytesWritten.load(ordering: .relaxed)
    }
    let files = databases.list().map { entry -> JSONValue in
      ["name": .string(entry.name), "bytes": .int(entry.bytes), "walBytes": .int(entry.walBytes)]
    }
    return [
      "calls": value(calls), "errors": value(errors), "rowsRead": value(rowsRead),
      "rowsWritten": value(rowsWritten),
      "busyMicroseconds": .int(Int64(busyNanoseconds.load(ordering: .relaxed) / 1_000)),
      "bytesRead": .int(Int64(read)), "bytesWritten": .int(Int64(written)),
      "storedBytes": .int(databases.storedBytes), "databases": .array(files),
    ]
  }
}
