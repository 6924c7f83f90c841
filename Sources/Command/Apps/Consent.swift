// SPDX-License-Identifier: Apache-2.0

import AdminAPI

/// Asks the person at the terminal before something is done that cannot be taken back lightly.
package enum Consent {
  static func ask(about review: InstallReview) throws {
    Printer.note(text(review, style: Terminal.standardError.style))
    try ask(
      review.installedBuild == nil ? "Install it?" : "Replace what is installed?",
      refused: "\(review.id) was not \(review.installedBuild == nil ? "installed" : "replaced")",
      next: "look at the list above, then run the same with --yes")
  }

  /// Returns if the answer is yes; throws `notPermitted` otherwise, also where nobody can be asked.
  static func ask(_ question: String, refused: String, next: String) throws {
    guard Terminal.standardInput.isTerminal, Terminal.standardError.isTerminal else {
      throw CommandFailure(
        .notPermitted, refused, why: "nobody agreed, and there is no terminal to ask on", next: next
      )
    }
    Terminal.standardError.write("\(question) [y/N] ")
    let answer = (Terminal.readAnswer() ?? "").lowercased()
    guard ["y", "yes"].contains(answer) else {
      throw CommandFailure(.notPermitted, refused, why: "the answer was no")
    }
  }

  /// What the app is, what it asks for and what it may use, in plain words.
  package static func text(_ review: InstallReview, style: Style) -> String {
    var lines = [
      "\(style.bold(Printer.harmless(review.name))) \(Printer.harmless(review.version)) "
        + "(build \(review.build))  \(review.id)"
    ]
    if let build = review.installedBuild {
      lines.append("  replaces \(Printer.harmless(review.installedVersion ?? "")) (build \(build))")
    }
    lines.append("")
    if review.grants.isEmpty {
      lines.append("It asks for nothing beyond answering requests.")
    } else {
      lines.append("It asks to:")
      lines += review.grants.map { grant in
        let mark = grant.sensitive ? style.yellow("!") : " "
        return "  \(mark) \(Printer.harmless(grant.sentence))"
          + (grant.new && review.installedBuild != nil ? style.bold("  (new)") : "")
      }
      if review.grants.contains(where: \.sensitive) {
        lines.append("  \(style.yellow("!")) lets data leave this host, or strangers in")
      }
    }
    lines += ["", "It may use at most:", "  " + text(review.limits)]
    lines += review.warnings.map { style.yellow("warning: ") + Printer.harmless($0) }
    return lines.joined(separator: "\n")
  }

  package static func text(_ limits: LimitSummary) -> String {
    "\(Quantity.cores(limits.cpuCores)) core\(limits.cpuCores == 1 ? "" : "s"), "
      + "\(Quantity.bytes(limits.memoryBytes)) memory, \(limits.processes) processes, "
      + "\(Quantity.bytes(limits.storageBytes)) storage"
  }
}
