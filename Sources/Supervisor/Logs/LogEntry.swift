// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import Meter

/// One line of an app's log.
package struct LogEntry: Sendable, Equatable {
  package enum Source: String, Sendable {
    case stdout, stderr
    /// Written by the host about the app.
    case host
  }

  package var time: WallTime
  package var source: Source
  package var text: String
  /// The named event this line tells of, if it is one (`oom`, `crashed`, …).
  package var event: String?

  package init(time: WallTime, source: Source, text: String, event: String? = nil) {
    self.time = time
    self.source = source
    self.text = text
    self.event = event
  }

  /// The line as it lies on disk: one JSON object, newline included.
  var encodedLine: [UInt8] {
    var writer = JSONWriter(capacity: text.utf8.count + 96)
    writer.raw("{\"time\":")
    writer.string(time.rfc3339Milliseconds)
    writer.raw(",\"stream\":")
    writer.string(source.rawValue)
    writer.raw(",\"text\":")
    writer.string(text)
    if let event {
      writer.raw(",\"event\":")
      writer.string(event)
    }
    writer.raw("}\n")
    return writer.bytes
  }

  /// Reads a line back; nil for one that a crash cut short.
  init?(line: ArraySlice<UInt8>) {
    guard let json = try? JSONParser.parse(Array(line)), let time = json["time"]?.string,
      let at = WallTime(rfc3339: time), let source = json["stream"]?.string.flatMap(Source.init),
      let text = json["text"]?.string
    else { return nil }
    self.init(time: at, source: source, text: text, event: json["event"]?.string)
  }
}

extension WallTime {
  /// `2026-03-09T07:00:00.042Z`
  var rfc3339Milliseconds: String {
    let milliseconds = String(((microseconds % 1_000_000 + 1_000_000) % 1_000_000) / 1_000)
    let padded = String(repeating: "0", count: 3 - milliseconds.count) + milliseconds
    return "\(rfc3339.dropLast()).\(padded)Z"
  }
}
