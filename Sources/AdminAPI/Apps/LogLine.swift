// SPDX-License-Identifier: Apache-2.0

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// One line an app wrote, or the host wrote about it.
public struct LogLine: Codable, Sendable, Equatable {
  public enum Stream: String, Codable, Sendable, CaseIterable { case stdout, stderr, host }
  public var time: Date
  public var stream: Stream
  /// Without its line end.
  public var text: String
  /// The named event this line tells of, such as `oom`, if it is one.
  public var event: String?

  public init(time: Date, stream: Stream, text: String, event: String? = nil) {
    self.time = time
    self.stream = stream
    self.text = text
    self.event = event
  }
}

/// Which lines of a log.
public struct LogQuery: Codable, Sendable, Equatable {
  /// The last so many lines; nil for all that are kept.
  public var tail: Int?
  /// Only lines from this time on.
  public var since: Date?
  /// Whether to go on with new lines until the reader leaves.
  public var follow: Bool

  public init(tail: Int? = nil, since: Date? = nil, follow: Bool = false) {
    self.tail = tail
    self.since = since
    self.follow = follow
  }
}

/// Something that happened on the host.
public struct HostEvent: Codable, Sendable, Equatable {
  public var time: Date
  /// Nil where it concerns the host itself.
  public var app: String?
  /// A stable word: `started`, `crashed`, `oom`, `installed`, `limit.warn`.
  public var kind: String
  public var detail: String

  public init(time: Date, app: String?, kind: String, detail: String) {
    self.time = time
    self.app = app
    self.kind = kind
    self.detail = detail
  }
}
