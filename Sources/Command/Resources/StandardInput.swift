// SPDX-License-Identifier: Apache-2.0

import Glibc

/// What is piped or typed into the command.
enum StandardInput {
  static func read(bytesMax: Int) throws -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 * 1024)
    while true {
      let count = Glibc.read(STDIN_FILENO, &buffer, buffer.count)
      guard count >= 0 else {
        throw CommandFailure(.failure, "cannot read standard input", why: Errno.last)
      }
      if count == 0 { return bytes }
      bytes += buffer.prefix(count)
      guard bytes.count <= bytesMax else {
        throw CommandFailure(.data, "the input is refused", why: "it is over \(bytesMax) bytes")
      }
    }
  }

  /// A line typed at the terminal without being shown.
  static func readHidden(_ prompt: String) -> String? {
    Terminal.standardError.write(prompt)
    var shown = termios()
    guard tcgetattr(STDIN_FILENO, &shown) == 0 else { return readLine() }
    var hidden = shown
    hidden.c_lflag &= ~tcflag_t(ECHO)
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden)
    defer {
      tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown)
      Terminal.standardError.write("\n")
    }
    return readLine()
  }
}
