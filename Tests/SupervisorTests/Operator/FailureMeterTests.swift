// SPDX-License-Identifier: Apache-2.0
import Foundation
import Meter
import Supervisor
import Synchronization
import Testing

@Suite("Failures in the meter")
struct FailureMeterTests {
  private final class Notes: AppJournal {
    let all = Mutex<[AppEvent]>([])
    func note(_ event: AppEvent, _ text: String) { all.withLock { $0.append(event) } }
  }

  @Test("each failure counts once, under what was said to be wrong; stops and idleness do not")
  func reasons() throws {
    let directory = FileManager.default.temporaryDirectory.path + "/failures-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let book = try MeterBook(directory: directory)
    let notes = Notes()
    let journal = try MeteredJournal(notes, app: "a", registry: book.registry)
    let events: [AppEvent] = [
      .started, .idle, .stopped, .started, .crashed, .started, .oom, .crashed, .started, .violation,
      .crashed, .startFailed, .started, .oom, .stopped, .started, .pids, .crashed,
    ]
    for event in events { journal.note(event, "") }
    #expect(notes.all.withLock { $0 } == events)
    var counts: [String: Int64] = [:]
    for line in try book.usage(app: "a").quantities { counts[line.label] = line.quantity }
    #expect(counts == ["crashed": 2, "oom": 1, "violation": 1, "start_failed": 1])
  }
}
