// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A connected Unix socket, closed when its owner lets go of it.
struct UnixConnection: ~Copyable {
  private let descriptor: Int32

  /// Connects within the kernel; a Unix socket never waits for a network.
  init(path: String, timeoutSeconds: Int) throws(AdminClientError) {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
      throw .pathTooLong(socket: path)
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw .failed(call: "socket", errno: errno) }
    let status = withUnsafePointer(to: address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard status == 0 else {
      let code = errno
      close(descriptor)
      throw Self.error(path, code)
    }
    self.descriptor = descriptor
    setTimeout(seconds: timeoutSeconds)
  }

  deinit { close(descriptor) }

  private static func error(_ path: String, _ code: Int32) -> AdminClientError {
    switch code {
    case ENOENT, ECONNREFUSED, ENOTDIR: .notRunning(socket: path)
    case EACCES, EPERM: .notPermitted(socket: path)
    default: .failed(call: "connect", errno: code)
    }
  }

  /// How long one read or write may wait; 0 waits for ever, as a followed log does.
  func setTimeout(seconds: Int) {
    var time = timeval(tv_sec: seconds, tv_usec: 0)
    let size = socklen_t(MemoryLayout<timeval>.size)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, size)
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, size)
  }

  func write(_ bytes: [UInt8]) throws(AdminClientError) {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes { buffer in
        send(
          descriptor, buffer.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      if count > 0 {
        sent += count
      } else if errno != EINTR {
        throw errno == EAGAIN ? .timeout(seconds: 0) : .failed(call: "send", errno: errno)
      }
    }
  }

  /// What there is to read, none at the end.
  func read() throws(AdminClientError) -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: 64 * 1024)
    while true {
      let count = recv(descriptor, &buffer, buffer.count, 0)
      if count >= 0 { return Array(buffer.prefix(count)) }
      if errno == EINTR { continue }
      throw errno == EAGAIN ? .timeout(seconds: 0) : .failed(call: "recv", errno: errno)
    }
  }
}
