// SPDX-License-Identifier: Apache-2.0

import AdminAPI

/// Data on its way to standard output, for people or for programs.
package enum Printer {
  static func json(_ value: some Encodable) throws {
    Terminal.standardOutput.write(try AdminCoding.encode(value) + [0x0a])
  }

  static func text(_ text: String) {
    Terminal.standardOutput.write(text.hasSuffix("\n") || text.isEmpty ? text : text + "\n")
  }

  static func table(_ table: Table) {
    Terminal.standardOutput.write(table.text(style: Terminal.standardOutput.style))
  }

  /// Progress, notes and questions.
  static func note(_ text: String) { Terminal.standardError.write(text + "\n") }

  /// What someone else wrote, fit for a terminal: no escape sequence gets through.
  package static func harmless(_ text: String) -> String {
    var safe = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      let isControl = scalar.properties.generalCategory == .control && scalar != "\t"
      safe.append(isControl ? "\u{fffd}" : scalar)
    }
    return String(safe)
  }
}
