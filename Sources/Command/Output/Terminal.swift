// SPDX-License-Identifier: Apache-2.0

import Glibc

/// One of the process's standard streams.
struct Terminal: Sendable {
  static let standardOutput = Terminal(descriptor: STDOUT_FILENO)
  static let standardError = Terminal(descriptor: STDERR_FILENO)
  static let standardInput = Terminal(descriptor: STDIN_FILENO)

  let descriptor: Int32

  var isTerminal: Bool { isatty(descriptor) == 1 }

  /// Coloured on a terminal, unless `NO_COLOR` (no-color.org) or a dumb terminal says no.
  var style: Style {
    Style(
      isColoured: isTerminal && (Self.environment("NO_COLOR") ?? "").isEmpty
        && Self.environment("TERM") != "dumb")
  }

  /// Columns; nil where nobody looks.
  var width: Int? {
    var size = winsize()
    guard isTerminal, ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
      return nil
    }
    return Int(size.ws_col)
  }

  /// Writes everything, or stops where nobody reads any more.
  func write(_ text: String) { write(Array(text.utf8)) }

  func write(_ bytes: [UInt8]) {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.write(descriptor, $0.baseAddress! + sent, $0.count - sent)
      }
      if count < 0, errno != EINTR { return }
      sent += max(0, count)
    }
  }

  /// One line without its end; nil at the end of the input.
  static func readAnswer() -> String? { readLine(strippingNewline: true) }

  static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
