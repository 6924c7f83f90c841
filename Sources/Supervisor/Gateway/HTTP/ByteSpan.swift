// SPDX-License-Identifier: Apache-2.0

/// A stretch of a request's head, by offset from its first byte.
package struct ByteSpan: Sendable, Equatable {
  package var start: UInt32
  package var count: UInt32

  package init(_ start: Int, _ count: Int) {
    self.start = UInt32(truncatingIfNeeded: start)
    self.count = UInt32(truncatingIfNeeded: count)
  }

  package static let empty = ByteSpan(0, 0)

  package var isEmpty: Bool { count == 0 }

  package func bytes(in head: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: head[Int(start)..<Int(start) + Int(count)])
  }

  package func string(in head: UnsafeRawBufferPointer) -> String {
    String(fieldBytes: bytes(in: head))
  }
}

extension String {
  /// Header bytes as text: UTF-8 where they are that, Latin-1 otherwise (RFC 9110 §5.5 calls such bytes opaque).
  package init(fieldBytes bytes: UnsafeRawBufferPointer) {
    if let text = String(validating: bytes, as: UTF8.self) {
      self = text
    } else {
      self = String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
    }
  }
}
