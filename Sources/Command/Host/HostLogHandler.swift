// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import Foundation
import Logging

/// Writes the host's log to standard error, one line an entry: time, level, message, `key=value`.
///
/// A line is one write, so lines of different threads never mix.
package struct HostLogHandler: LogHandler {
  package var logLevel: Logger.Level
  package var metadata: Logger.Metadata = [:]

  package init(logLevel: Logger.Level) { self.logLevel = logLevel }

  package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  package func log(event: LogEvent) {
    Terminal.standardError.write(
      Self.line(
        at: Date(), level: event.level, message: "\(event.message)",
        metadata: metadata.merging(event.metadata ?? [:]) { $1 }))
  }

  package static func line(
    at date: Date, level: Logger.Level, message: String, metadata: Logger.Metadata
  ) -> String {
    var line = "\(Timestamp.text(date)) \(level.rawValue) \(Printer.harmless(message))"
    for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
      line += " \(key)=\(quoted("\(value)"))"
    }
    return line + "\n"
  }

  /// As logfmt has it: quotes only where the value would not read as one word.
  private static func quoted(_ text: String) -> String {
    let safe = Printer.harmless(text)
    guard safe.isEmpty || safe.contains(where: { " =\"\\".contains($0) }) else { return safe }
    let escaped = safe.flatMap { $0 == "\"" || $0 == "\\" ? ["\\", $0] : [$0] }
    return "\"\(String(escaped))\""
  }
}
