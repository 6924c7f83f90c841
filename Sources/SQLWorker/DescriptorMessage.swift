// SPDX-License-Identifier: Apache-2.0
import Glibc

/// One message with one descriptor beside it.
enum DescriptorMessage {
  /// `struct cmsghdr` and its payload as the kernel lays them out on 64-bit Linux (cmsg(3)).
  private struct Control {
    var length = 20
    var level = SOL_SOCKET
    var type = Int32(SCM_RIGHTS)
    var descriptor: Int32
    var padding: Int32 = 0
  }

  /// Bytes taken, or -1. The descriptor goes with the first byte.
  static func send(_ bytes: [UInt8], passing descriptor: Int32, over socket: Int32) -> Int {
    var control = Control(descriptor: descriptor)
    return bytes.withUnsafeBytes { payload in
      withUnsafeMutableBytes(of: &control) { control in
        var vector = iovec(
          iov_base: UnsafeMutableRawPointer(mutating: payload.baseAddress), iov_len: payload.count)
        return withUnsafeMutablePointer(to: &vector) { vector in
          var message = msghdr()
          message.msg_iov = vector
          message.msg_iovlen = 1
          message.msg_control = control.baseAddress
          message.msg_controllen = control.count
          return sendmsg(socket, &message, Int32(MSG_NOSIGNAL))
        }
      }
    }
  }
}
