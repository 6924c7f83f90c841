// SPDX-License-Identifier: Apache-2.0

/// Text that is the same only if its bytes are, as every other JSON implementation sees keys and ids.
///
/// Swift's `String` compares and hashes by canonical equivalence: `"\u{e9}" == "e\u{301}"`. For bytes from outside that
/// is a second opinion on what a key is, and it is slow on purpose-made text: comparing 240 KB of combining marks
/// with anything took 3.3 s. Wherever guest text of unbounded length is compared, it is compared through here.
struct ExactText: Hashable {
  let text: String

  static func == (left: ExactText, right: ExactText) -> Bool {
    left.text.hasSameBytes(as: right.text)
  }

  func hash(into hasher: inout Hasher) {
    var text = text
    text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
  }
}

extension String {
  /// Equality of UTF-8 bytes, linear whatever the text.
  package func hasSameBytes(as other: String) -> Bool {
    guard utf8.count == other.utf8.count else { return false }
    let contiguous = utf8.withContiguousStorageIfAvailable { left in
      other.utf8.withContiguousStorageIfAvailable { right in left.elementsEqual(right) }
    }
    return (contiguous ?? nil) ?? utf8.elementsEqual(other.utf8)
  }
}
