// SPDX-License-Identifier: Apache-2.0

import Glibc
import GuestAPI

/// The place of the admin socket in the file system.
///
/// The server binds a name beside the final one and renames it there once it listens with mode 0600: so nobody can
/// connect before the mode is set, and a name that is there always answers.
struct AdminSocket: Sendable {
  let path: String
  /// Where the server binds.
  var stagingPath: String { path + ".new" }

  /// Finds out whether another host uses the path, and removes what a dead one left.
  func claim() throws(HostError) {
    guard stagingPath.utf8.count < 108 else {
      throw HostError(
        .unsupported, "socket_path",
        "The data directory's path is too long for a Unix socket: \(stagingPath.utf8.count) bytes, "
          + "at most 107. Use a shorter --data.")
    }
    switch Self.probe(path) {
    case 0:
      throw HostError(
        .conflict, "host_running",
        "Another host is running on \(path). Stop it first, or use another --data.")
    case ENOENT: break
    case ECONNREFUSED:
      guard unlink(path) == 0 || errno == ENOENT else { throw Self.failed("remove", path) }
    case ENOTSOCK, ENOTDIR:
      throw HostError(
        .conflict, "not_a_socket",
        "\(path) is there and is no socket. Move it away, or use another --data.")
    case let code:
      throw HostError(
        .internal, "socket", "Cannot tell whether a host is running on \(path).",
        log: "connect: errno \(code)")
    }
    unlink(stagingPath)
  }

  /// Gives the bound socket its mode and its final name.
  func publish() throws(HostError) {
    guard chmod(stagingPath, 0o600) == 0 else { throw Self.failed("protect", stagingPath) }
    guard rename(stagingPath, path) == 0 else { throw Self.failed("publish", path) }
  }

  func remove() {
    unlink(path)
    unlink(stagingPath)
  }

  /// Connects and hangs up; returns 0 or the error's number.
  private static func probe(_ path: String) -> Int32 {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return errno }
    defer { close(descriptor) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let status = withUnsafePointer(to: address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard status != 0 else { return 0 }
    let code = errno
    // A file that is no socket also refuses connections; a file must not be deleted for that.
    var facts = stat()
    if code == ECONNREFUSED, lstat(path, &facts) == 0, facts.st_mode & S_IFMT != S_IFSOCK {
      return ENOTSOCK
    }
    return code
  }

  private static func failed(_ verb: String, _ path: String) -> HostError {
    let code = errno
    return HostError(
      .internal, "socket",
      "Cannot \(verb) the admin socket \(path): \(String(cString: strerror(code))).",
      log: "errno \(code)")
  }
}
