// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import Meter
import Supervisor
import Testing

@Suite("Work the host does for an app")
struct HostWorkTests {
  /// Spins until this thread's own clock says so much has been used.
  private func burn(_ nanoseconds: Int64) {
    func used() -> Int64 {
      var time = timespec()
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
      return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
    let end = used() + nanoseconds
    while used() < end {}
  }

  private func charged(_ body: (HostWork) throws -> Void) throws -> Int64 {
    let directory = FileManager.default.temporaryDirectory.path + "/work-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let book = try MeterBook(directory: directory)
    try body(try HostWork(app: "a", registry: book.registry))
    return try book.usage(app: "a").total(Meters.cpuHost)
  }

  @Test("is charged by the thread's own clock: waiting costs nothing, work inside work counts once")
  func once() throws {
    let microseconds = try charged { work in
      work.measured {
        burn(20_000_000)
        usleep(50_000)
        work.measured { burn(20_000_000) }
      }
    }
    #expect(microseconds >= 40_000)
    // Twice the inner part would be 60,000; what the clock's own calls take is far less.
    #expect(microseconds < 55_000)
  }

  @Test("fractions of a microsecond are carried, from many threads, and none is lost")
  func fractions() async throws {
    let microseconds = try charged { work in
      DispatchQueue.concurrentPerform(iterations: 4) { _ in
        for _ in 0..<25_000 { work.add(nanoseconds: 130) }
      }
    }
    // 4 × 25,000 × 130 ns
    #expect(microseconds == 13_000)
  }

  @Test("work that fails is charged as well")
  func failing() throws {
    struct Failure: Error {}
    let microseconds = try charged { work in
      #expect(throws: Failure.self) {
        try work.measured { () throws(Failure) in
          burn(5_000_000)
          throw Failure()
        }
      }
    }
    #expect(microseconds >= 5_000)
  }
}
