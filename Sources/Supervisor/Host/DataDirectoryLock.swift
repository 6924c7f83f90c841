// SPDX-License-Identifier: Apache-2.0
import Glibc

/// One host per data directory: an flock(2) that the kernel releases however the host ends.
final class DataDirectoryLock: Sendable {
  private let descriptor: Int32

  init(_ directory: String) throws(SupervisorError) {
    let path = "\(directory)/lock"
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else {
      throw SupervisorError(
        "\(path) cannot be opened: \(String(cString: strerror(errno))); "
          + "give a directory this user may write to with --data")
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      close(descriptor)
      throw SupervisorError(
        "another host is running with \(directory); stop it first, or use another --data")
    }
  }

  deinit { close(descriptor) }
}
