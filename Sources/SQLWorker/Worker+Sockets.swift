// SPDX-License-Identifier: Apache-2.0
import Glibc
import GuestAPI
import SQLEngine

extension Worker {
  /// `sql.open`: one more socket for the guest, so that each of its threads may have its own and none waits for
  /// another's answer. The descriptor comes beside the answer.
  func openSocket(_ call: Call) throws(HostError) -> [UInt8] {
    var ends: [Int32] = [0, 0]
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    guard openedSockets.reserve(max: plan.socketsMax) else {
      throw HostError(
        .overloaded, "sql_sockets", "\(plan.socketsMax) further SQL sockets are open already")
    }
    guard socketpair(AF_UNIX, type, 0, &ends) == 0 else {
      openedSockets.release()
      throw HostError(
        .overloaded, "sql_sockets", "no further socket is to be had; use the one there is",
        log: "socketpair: errno \(errno)")
    }
    let (here, there) = (ends[0], ends[1])
    let channel = Channel(kind: .opened, descriptor: here, threadsMax: Self.threadsOfOpened)
    openedSockets.insert(channel)
    guard startThread({ [self] in channel.serve(self) }) else {
      openedSockets.remove(channel)
      close(there)
      throw HostError(.overloaded, "sql_sockets", "no thread is to be had for a further socket")
    }
    if call.claim() { call.channel.send(reply(call, [:]), passing: there) }
    close(there)
    return []
  }

  /// Threads that serve one socket of `sql.open`: mostly one is enough, as its one user waits for each answer.
  private static let threadsOfOpened = 4
}

/// The sockets made with `sql.open`.
final class OpenedSockets: @unchecked Sendable {
  // SAFETY: guarded by `monitor`.
  private let monitor = Monitor()
  private var channels: [Channel] = []
  private var reserved = 0

  func reserve(max: Int) -> Bool {
    monitor.locked {
      guard channels.count + reserved < max else { return false }
      reserved += 1
      return true
    }
  }

  func release() { monitor.locked { reserved -= 1 } }

  func insert(_ channel: Channel) {
    monitor.locked {
      reserved -= 1
      channels.append(channel)
    }
  }

  func remove(_ channel: Channel) { monitor.locked { channels.removeAll { $0 === channel } } }
  var all: [Channel] { monitor.locked { channels } }
}
