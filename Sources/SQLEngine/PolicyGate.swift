// SPDX-License-Identifier: Apache-2.0
import CSQLite

/// The authorizer of one connection: passes SQLite's questions to `StatementPolicy` and remembers the answer's words.
final class PolicyGate {
  /// The app's unless the worker says otherwise: SQLite compiles statements anew whenever it must.
  private var policy = StatementPolicy(author: .worker)
  private var refusal: String?
  private(set) var isTransactional = false

  func install(on handle: OpaquePointer) {
    sqlite3_set_authorizer(
      handle,
      { context, action, first, second, _, _ in
        guard let context else { return SQLITE_DENY }
        return Unmanaged<PolicyGate>.fromOpaque(context).takeUnretainedValue()
          .answer(action, first, second)
      }, Unmanaged.passUnretained(self).toOpaque())
  }

  /// From here on statements are the app's.
  func beginStatement(_ kind: StatementPolicy.Kind) {
    policy = StatementPolicy(author: .app)
    policy.kind = kind
    refusal = nil
    isTransactional = false
  }

  var kind: StatementPolicy.Kind { policy.kind }

  /// Why the last statement was refused; told once.
  func takeRefusal() -> String? {
    defer { refusal = nil }
    return refusal
  }

  func beginOwn() { policy = StatementPolicy(author: .worker) }
  func endOwn() { beginStatement(.ordinary) }

  private func answer(
    _ action: Int32, _ first: UnsafePointer<CChar>?, _ second: UnsafePointer<CChar>?
  ) -> Int32 {
    if policy.author == .worker { return SQLITE_OK }
    // By far the most frequent questions, always allowed: no strings are made for them.
    if action == SQLITE_READ || action == SQLITE_SELECT { return SQLITE_OK }
    switch policy.verdict(
      action, first.map { String(cString: $0) }, second.map { String(cString: $0) })
    {
    case .allowed: return SQLITE_OK
    case .transactional:
      isTransactional = true
      return SQLITE_OK
    case .refused(let reason):
      if refusal == nil { refusal = reason }
      return SQLITE_DENY
    }
  }
}
