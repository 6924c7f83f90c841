// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The words of the C library for an error's number.
enum Errno {
  static func text(_ code: Int32) -> String { String(cString: strerror(code)) }
  static var last: String { text(errno) }
}
