// SPDX-License-Identifier: Apache-2.0

/// How the command ends, after sysexits(3). The numbers are part of the interface.
public enum CommandStatus: Int32, Sendable, CaseIterable {
  case success = 0
  /// It was tried and failed.
  case failure = 1
  /// The command line is wrong.
  case usage = 64
  /// A manifest or other data is wrong.
  case data = 65
  /// No host answers on the socket.
  case unavailable = 69
  /// It may work later.
  case retry = 75
  /// The operator did not agree, or may not.
  case notPermitted = 77
  /// The host's own configuration is wrong.
  case configuration = 78
}

extension Problem {
  /// What the command exits with on this problem.
  public var exitStatus: CommandStatus {
    if retryable { return .retry }
    switch code.split(separator: ".").first.map(String.init) ?? code {
    case "manifest", "params", "sql", "package", "prices": return .data
    case "permission": return .notPermitted
    case "configuration": return .configuration
    case "unreachable": return .unavailable
    default: return .failure
    }
  }
}
