// SPDX-License-Identifier: Apache-2.0
import CHostShims

/// Writes the records of `bh_launch.h`.
struct PlanWriter {
  private(set) var bytes: [UInt8] = []

  mutating func record(_ type: bh_record_type, _ body: (inout PlanWriter) -> Void) {
    let start = bytes.count
    value(bh_record(type: type.rawValue, length: 0))
    let payload = bytes.count
    body(&self)
    let length = UInt32(bytes.count - payload)
    withUnsafeBytes(of: length.littleEndian) {
      bytes.replaceSubrange(start + 4..<start + 8, with: $0)
    }
    while bytes.count % 8 != 0 { bytes.append(0) }
  }

  mutating func record(_ type: bh_record_type, _ text: String) {
    record(type) { $0.text(text) }
  }

  /// A C struct without padding of its own, as it lies in memory.
  mutating func value<T: BitwiseCopyable>(_ value: T) {
    withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) }
  }

  mutating func text(_ text: String) {
    bytes.append(contentsOf: text.utf8)
    bytes.append(0)
  }
}
