// SPDX-License-Identifier: Apache-2.0

/// One instruction of a classic BPF program: `struct sock_filter`, 8 bytes.
package struct FilterInstruction: Sendable, Equatable, BitwiseCopyable {
  package var code: UInt16
  package var ifTrue: UInt8
  package var ifFalse: UInt8
  package var operand: UInt32

  package init(code: UInt16, ifTrue: UInt8 = 0, ifFalse: UInt8 = 0, operand: UInt32) {
    self.code = code
    self.ifTrue = ifTrue
    self.ifFalse = ifFalse
    self.operand = operand
  }

  package enum Code {
    package static let load: UInt16 = 0x20
    package static let and: UInt16 = 0x54
    package static let jump: UInt16 = 0x05
    package static let jumpIfEqual: UInt16 = 0x15
    package static let jumpIfAtLeast: UInt16 = 0x35
    package static let jumpIfAbove: UInt16 = 0x25
    package static let jumpIfSet: UInt16 = 0x45
    package static let answer: UInt16 = 0x06
  }

  static func load(_ offset: UInt32) -> FilterInstruction {
    .init(code: Code.load, operand: offset)
  }
  static func and(_ mask: UInt32) -> FilterInstruction { .init(code: Code.and, operand: mask) }
  static func answer(_ verdict: FilterVerdict) -> FilterInstruction {
    .init(code: Code.answer, operand: verdict.rawValue)
  }
}

/// What the kernel is told to do with a call: `SECCOMP_RET_*`.
package struct FilterVerdict: RawRepresentable, Sendable, Hashable {
  package let rawValue: UInt32
  package init(rawValue: UInt32) { self.rawValue = rawValue }

  package static let allow = FilterVerdict(rawValue: 0x7FFF_0000)
  package static let killProcess = FilterVerdict(rawValue: 0x8000_0000)
  package static let notify = FilterVerdict(rawValue: 0x7FC0_0000)
  package static func errno(_ number: Int32) -> FilterVerdict {
    FilterVerdict(rawValue: 0x0005_0000 | UInt32(number))
  }

  /// The errno the caller sees, when that is what happens.
  package var errno: Int32? {
    rawValue & 0xFFFF_0000 == 0x0005_0000 ? Int32(rawValue & 0xFFFF) : nil
  }
}

/// Offsets in `struct seccomp_data`.
enum SeccompData {
  static let number: UInt32 = 0
  static let architecture: UInt32 = 4
  /// The low half: both supported machines are little-endian.
  static func argument(_ index: Int) -> UInt32 { 16 + 8 * UInt32(index) }
}
