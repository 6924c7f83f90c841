// SPDX-License-Identifier: Apache-2.0

/// What the filter does about one system call, and why.
package struct SyscallRule: Sendable {
  package let name: String
  package let answer: Answer
  package let why: String

  package enum Answer: Sendable, Equatable {
    case allow
    /// Allowed when every condition of at least one alternative holds, else the errno.
    case allowWhen([[ArgumentCondition]], otherwise: Int32)
    case refuse(Int32)
  }

  static func allow(_ name: String, _ why: String) -> SyscallRule {
    SyscallRule(name: name, answer: .allow, why: why)
  }

  static func allow(
    _ name: String, when conditions: ArgumentCondition..., otherwise errno: Int32, _ why: String
  ) -> SyscallRule {
    SyscallRule(name: name, answer: .allowWhen([conditions], otherwise: errno), why: why)
  }

  static func allow(
    _ name: String, whenAny alternatives: [[ArgumentCondition]], otherwise errno: Int32,
    _ why: String
  ) -> SyscallRule {
    SyscallRule(name: name, answer: .allowWhen(alternatives, otherwise: errno), why: why)
  }
}

/// `argument & mask` is one of `values`. Only the low 32 bits are looked at: every argument named
/// in the table is an `int`, of which the kernel itself reads no more.
package struct ArgumentCondition: Sendable, Equatable {
  package var argument: Int
  package var mask: UInt32
  package var values: [UInt32]

  /// The argument is one of `values`, bits outside `mask` ignored.
  static func argument(_ index: Int, isOneOf values: [UInt32], ignoring ignored: UInt32 = 0)
    -> ArgumentCondition
  {
    ArgumentCondition(argument: index, mask: ~ignored, values: values)
  }

  /// None of these bits is set.
  static func argument(_ index: Int, lacks bits: UInt32) -> ArgumentCondition {
    ArgumentCondition(argument: index, mask: bits, values: [0])
  }
}
