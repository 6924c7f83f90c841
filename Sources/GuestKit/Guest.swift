// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import Glibc

/// The entry point of a Swift guest.
///
/// ```swift
/// try await Guest.serve { request, host in
///   .text("hello, \(request.identity?.name ?? "stranger")")
/// }
/// ```
public enum Guest {
  public typealias Handler = @Sendable (HTTPRequest, Host) async throws -> HTTPResponse

  /// Connects to the host, answers requests until the host asks the guest to stop or hangs up, and returns.
  ///
  /// - Throws: `GuestError.noSocket` when not started by a host.
  public static func serve(_ handler: @escaping Handler) async throws(GuestError) {
    guard let text = getenv("BULKHEAD_FD"), let descriptor = Int32(String(cString: text)) else {
      throw .noSocket
    }
    // Its own way to the SQL worker, if the app has a database.
    let sql = getenv("BULKHEAD_SQL_FD").flatMap { Int32(String(cString: $0)) }
    // A host that went away shows as EPIPE from write, not as a signal that kills.
    signal(SIGPIPE, SIG_IGN)
    let connection = Connection(descriptor: descriptor, sql: sql, handler: handler)
    await connection.run()
  }
}

/// Why a guest could not be served, or a call to the host failed.
public enum GuestError: Error, Sendable {
  /// `BULKHEAD_FD` is missing: start this program through `bulkhead`.
  case noSocket
  /// The host hung up.
  case disconnected
  /// The host broke the protocol, or the guest did.
  case violation(ProtocolViolation)
  /// The host said no; `word` is the stable code.
  case refused(RPCError)
  /// The sender gave up a body before its end, and why.
  case brokenOff(String)
  /// What came back has another shape than the call promises.
  case unexpectedAnswer(String)
}

extension GuestError {
  /// The stable word of what the host refused (`not_found.secret`); nil for any other failure.
  public var code: String? {
    guard case .refused(let error) = self else { return nil }
    return error.word
  }
}
