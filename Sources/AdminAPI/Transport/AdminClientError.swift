// SPDX-License-Identifier: Apache-2.0

/// Why a request to the host brought no answer worth having.
public enum AdminClientError: Error, Sendable, Equatable {
  /// No such socket, or nobody listens on it.
  case notRunning(socket: String)
  /// The socket is there, and this user may not use it.
  case notPermitted(socket: String)
  /// The path is longer than a socket's address can be.
  case pathTooLong(socket: String)
  /// The host took the request and did not answer in time.
  case timeout(seconds: Int)
  /// A system call failed for another reason.
  case failed(call: String, errno: Int32)
  /// What answered is not a host.
  case malformed(String)
  /// The host refused, and said why.
  case problem(Problem)
}
