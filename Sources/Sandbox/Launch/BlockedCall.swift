// SPDX-License-Identifier: Apache-2.0
import CHostShims
import Glibc

/// A system call the filter refused, for the developer to read.
public struct BlockedCall: Sendable, Codable, Equatable, Hashable, CustomStringConvertible {
  /// "socket", or "syscall 999" when it has no name.
  public var name: String
  /// The argument that decided, spelt out where that helps: "AF_INET".
  public var argument: String?
  /// The errno the process saw, by name.
  public var answer: String
  /// What to use instead, where there is something.
  public var advice: String?

  /// `blocked: socket(AF_INET) → EAFNOSUPPORT; use http.fetch`
  public var description: String {
    "blocked: \(name)(\(argument ?? "")) → \(answer)" + (advice.map { "; \($0)" } ?? "")
  }
}
