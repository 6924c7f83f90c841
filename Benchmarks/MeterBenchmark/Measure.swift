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
