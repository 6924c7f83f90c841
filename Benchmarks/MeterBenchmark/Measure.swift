// SPDX-License-Identifier: Apache-2.0
import Foundation
import Meter

/// A directory for one run, removed at its end. On the disk that is measured, not in memory.
func withDirectory<Result>(_ body: (String) throws -> Result) throws -> Result {
  let path = FileManager.default.currentDirectoryPath + "/.bench-" + UUID().uuidString
  try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: path) }
  return try body(path)
}

/// Seconds a piece of work takes.
func seconds(_ body: () throws -> Void) rethrows -> Double {
  let start = MeterClock.system.monotonic()
  try body()
  return Double((MeterClock.system.monotonic() - start).value) / 1_000_000_000
}

/// CPU seconds of this process that a piece of work takes: what the wall clock would show on a quiet
/// machine, for work that waits for nothing.
func cpuSeconds(_ body: () throws -> Void) rethrows -> Double {
  func used() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
  let start = used()
  try body()
  return used() - start
}

func median(_ values: [Double]) -> Double {
  let sorted = values.sorted()
  return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
}

// Shown as it is measured, also into a file.
func row(_ name: String, _ value: String, _ other: String = "", _ note: String = "") {
  func pad(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }
  let line = [pad(name, 46), pad(value, 18), pad(other, 18), note].joined(separator: " ")
  FileHandle.standardOutput.write(Data((line + "\n").utf8))
}

func fixed(_ value: Double, _ places: Int) -> String { String(format: "%.\(places)f", value) }
