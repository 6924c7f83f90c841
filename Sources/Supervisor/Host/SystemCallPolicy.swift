// SPDX-License-Identifier: Apache-2.0
import Sandbox

/// One rule of the filter that guests run under, as `bulkhead syscalls` publishes it.
public struct SystemCallPolicy: Codable, Sendable, Equatable {
  public var name: String
  /// `allowed`; `checked`: allowed with some arguments; `refused`: answered with `errno`, by name.
  public var rule: String
  /// What a refused call, or a checked one with other arguments, answers.
  public var errno: String?
  public var why: String

  /// Every rule, allowed ones first. A call that is not listed is answered with ENOSYS; one of another architecture's
  /// table ends the process.
  ///
  /// - Parameter native: for apps whose runtime is `native`.
  public static func all(native: Bool) -> [SystemCallPolicy] {
    SyscallListing.all(native ? .native : .standard).map {
      SystemCallPolicy(name: $0.name, rule: $0.kind.rawValue, errno: $0.errno, why: $0.why)
    }
  }
}
