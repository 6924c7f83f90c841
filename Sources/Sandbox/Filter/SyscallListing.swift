// SPDX-License-Identifier: Apache-2.0

/// The policy as people read it: one line per system call, with its reason.
public struct SyscallListing: Sendable, Codable, Equatable {
  public enum Kind: String, Sendable, Codable { case allowed, checked, refused }

  public var name: String
  public var kind: Kind
  /// What a refused call, or a checked one with other arguments, answers: "EPERM".
  public var errno: String?
  public var why: String

  /// Every rule of a profile, allowed ones first, each group by name. A call that is not listed is
  /// refused with ENOSYS.
  public static func all(_ profile: SandboxPolicy.Profile) -> [SyscallListing] {
    SyscallFilter(profile: profile).rules.map { rule in
      switch rule.answer {
      case .allow: SyscallListing(name: rule.name, kind: .allowed, errno: nil, why: rule.why)
      case .allowWhen(_, let number):
        SyscallListing(
          name: rule.name, kind: .checked, errno: errnoSymbols[number], why: rule.why)
      case .refuse(let number):
        SyscallListing(
          name: rule.name, kind: .refused, errno: errnoSymbols[number], why: rule.why)
      }
    }.sorted { ($0.kind.order, $0.name) < ($1.kind.order, $1.name) }
  }
}

extension SyscallListing.Kind {
  fileprivate var order: Int {
    switch self {
    case .allowed: 0
    case .checked: 1
    case .refused: 2
    }
  }
}
