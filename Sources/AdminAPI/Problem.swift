// SPDX-License-Identifier: Apache-2.0

/// An error on the admin socket: `application/problem+json`, RFC 9457.
public struct Problem: Error, Codable, Sendable, Equatable {
  public static let mediaType = "application/problem+json"

  /// `urn:bulkhead:problem:` and the code.
  public var type: String
  /// What failed, in a few words that are the same each time.
  public var title: String
  /// The HTTP status.
  public var status: Int
  /// Why, in this case, and what to do next.
  public var detail: String
  /// A stable word, such as `not_found.app` or `manifest.invalid`; programs decide by it.
  public var code: String
  /// Whether the same request may succeed later.
  public var retryable: Bool
  /// What to do next, where that is a command or a change of configuration.
  public var hint: String?
  /// Each mistake, where a whole document was checked.
  public var issues: [Issue]?

  public struct Issue: Codable, Sendable, Equatable {
    public var path: String
    public var reason: String
    public var suggestion: String?

    public init(path: String, reason: String, suggestion: String? = nil) {
      self.path = path
      self.reason = reason
      self.suggestion = suggestion
    }
  }

  public init(
    status: Int, code: String, title: String, detail: String, retryable: Bool = false,
    hint: String? = nil, issues: [Issue]? = nil
  ) {
    self.type = "urn:bulkhead:problem:\(code)"
    self.title = title
    self.status = status
    self.detail = detail
    self.code = code
    self.retryable = retryable
    self.hint = hint
    self.issues = issues
  }
}
