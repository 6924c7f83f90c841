// SPDX-License-Identifier: Apache-2.0

/// One mistake in a manifest: where it is, what is wrong and, where it helps, what to write instead.
public struct ManifestIssue: Sendable, Equatable {
  /// Where, as a reader writes it: `limits.memory`, `outbound[1].host`; empty for the whole file.
  public var path: String
  /// What is wrong, without a full stop.
  public var reason: String
  /// What to do, such as `did you mean "memory"?`; nil where there is nothing to add.
  public var suggestion: String?

  public init(path: String, reason: String, suggestion: String? = nil) {
    self.path = path
    self.reason = reason
    self.suggestion = suggestion
  }
}

extension ManifestIssue: CustomStringConvertible {
  public var description: String {
    "\(path.isEmpty ? "manifest" : path): \(reason)" + (suggestion.map { "; \($0)" } ?? "")
  }
}

/// Every mistake found in one manifest; never empty.
public struct ManifestError: Error, Sendable, Equatable, CustomStringConvertible {
  public var issues: [ManifestIssue]

  public init(_ issues: [ManifestIssue]) {
    precondition(!issues.isEmpty, "a manifest error without an issue")
    self.issues = issues
  }

  public var description: String { issues.map(\.description).joined(separator: "\n") }
}
