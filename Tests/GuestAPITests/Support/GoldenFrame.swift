// SPDX-License-Identifier: Apache-2.0
import Foundation
import GuestAPI

/// One frame as it lies in `Golden/`: `<name>.json` is the JSON part to the byte (and a final newline), `<name>.hex`
/// the body if there is one. `UPDATE_GOLDEN=1` writes what the code says instead of comparing.
struct GoldenFrame {
  var json: [UInt8]
  var body: [UInt8]

  static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Golden")
  static var isUpdating: Bool { ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1" }

  /// The names of every frame in the folder.
  static func names() throws -> Set<String> {
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    return Set(files.filter { $0.hasSuffix(".json") }.map { String($0.dropLast(5)) })
  }

  static func read(_ name: String) throws -> GoldenFrame {
    var json = Array(try Data(contentsOf: folder.appending(path: "\(name).json")))
    if json.last == UInt8(ascii: "\n") { json.removeLast() }
    let hex =
      (try? String(contentsOf: folder.appending(path: "\(name).hex"), encoding: .utf8)) ?? ""
    return GoldenFrame(json: json, body: bytes(hex: hex))
  }

  func write(_ name: String) throws {
    try Data(json + [UInt8(ascii: "\n")]).write(to: Self.folder.appending(path: "\(name).json"))
    guard !body.isEmpty else { return }
    let digits = body.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
    let lines = stride(from: 0, to: digits.count, by: 32).map { start in
      digits[start..<min(start + 32, digits.count)].joined(separator: " ")
    }
    try Data((lines.joined(separator: "\n") + "\n").utf8)
      .write(to: Self.folder.appending(path: "\(name).hex"))
  }

  private static func bytes(hex: String) -> [UInt8] {
    hex.split { $0.isWhitespace }.compactMap { UInt8($0, radix: 16) }
  }
}
