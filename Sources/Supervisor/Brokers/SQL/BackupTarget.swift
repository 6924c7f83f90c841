// SPDX-License-Identifier: Apache-2.0
import Glibc
import GuestAPI
import NIOCore
import Synchronization

/// The file a backup goes to: written beside its place, and put there only when it is whole and on disk.
final class BackupTarget: Sendable {
  private struct State {
    var descriptor: Int32
    var bytes: Int64 = 0
    var failure: DurableFile.Failure?
  }

  private let path: String
  private let temporary: String
  private let state: Mutex<State>

  init(path: String) throws(HostError) {
    guard path.hasPrefix("/") else {
      throw HostError(.params, "file", "The backup's path must be absolute.")
    }
    self.path = path
    temporary = path + ".partial"
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW
    let descriptor = open(temporary, flags, 0o600)
    guard descriptor >= 0 else {
      throw HostError(
        .params, "file",
        "\(temporary) cannot be made: \(String(cString: strerror(errno))). "
          + "Name a directory the host may write to; remove an old .partial file.")
    }
    state = Mutex(State(descriptor: descriptor))
  }

  var bytes: Int64 { state.withLock { $0.bytes } }

  /// Appends a piece; the first failure is kept for `finish`.
  func write(_ piece: ByteBuffer) {
    state.withLock { state in
      guard state.failure == nil else { return }
      do throws(DurableFile.Failure) {
        try DurableFile.write(Array(piece.readableBytesView), to: state.descriptor, path: temporary)
        state.bytes += Int64(piece.readableBytes)
      } catch { state.failure = error }
    }
  }

  /// Syncs the file and gives it its name. Blocks on the disk.
  func finish() throws(HostError) {
    let failure = state.withLock { state -> DurableFile.Failure? in
      if let failure = state.failure { return failure }
      guard fsync(state.descriptor) == 0, rename(temporary, path) == 0 else {
        return DurableFile.Failure(call: "fsync", path: temporary, errno: errno)
      }
      close(state.descriptor)
      state.descriptor = -1
      return nil
    }
    if let failure {
      throw HostError(.internal, "backup", "The backup could not be written: \(failure)")
    }
  }

  func discard() {
    state.withLock { state in
      if state.descriptor >= 0 { close(state.descriptor) }
      state.descriptor = -1
    }
    unlink(temporary)
  }
}
