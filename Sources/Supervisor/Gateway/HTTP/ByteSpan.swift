// SPDX-License-Identifier: Apache-2.0

/// A stretch of a request's head, by offset from its first byte.
struct ByteSpan: Sendable, Equatable {
  var start: UInt32
  var count: UInt32

  init(_ start: Int, _ count: Int) {
    self.start = UInt32(truncatingIfNeeded: start)
    self.count = UInt32(truncatingIfNeeded: count)
  }

  static let empty = ByteSpan(0, 0)

  var isEmpty: Bool { count == 0 }

  func bytes(in head: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: head[Int(start)..<Int(start) + Int(count)])
  }

  func string(in head: UnsafeRawBufferPointer) -> String {
    String(fieldBytes: bytes(in: head))
  }
}

extension String {
  /// Header bytes as text: UTF-8 where they are that, Latin-1 otherwise (RFC 9110 §5.5 calls such bytes opaque).
  init(fieldBytes bytes: UnsafeRawBufferPointer) {
    if let text = String(validating: bytes, as: UTF8.self) {
      self = text
    } else {
      self = String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
    }
  }
}
