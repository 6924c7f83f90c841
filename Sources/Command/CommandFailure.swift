// SPDX-License-Identifier: Apache-2.0

import AdminAPI

/// An error on its way to the person at the terminal: what failed, why, and what to do next.
package struct CommandFailure: Error, Equatable {
  package var status: CommandStatus
  package var what: String
  package var why: String
  package var next: String?
  /// One line each, below.
  package var details: [String]

  package init(
    _ status: CommandStatus, _ what: String, why: String = "", next: String? = nil,
    details: [String] = []
  ) {
    self.status = status
    self.what = what
    self.why = why
    self.next = next
    self.details = details
  }

  package func text(style: Style) -> String {
    var lines = [style.red("error:") + " " + what + (why.isEmpty ? "" : ": \(why)")]
    lines += details.map { "  \($0)" }
    if let next { lines.append(style.dim("next:") + " " + next) }
    return lines.joined(separator: "\n") + "\n"
  }

  func show() { Terminal.standardError.write(text(style: Terminal.standardError.style)) }
}

extension CommandFailure {
  package init(_ error: AdminClientError) {
    switch error {
    case .notRunning(let socket):
      self.init(
        .unavailable, "no host answers", why: "nobody listens on \(socket)",
        next: "start one with bulkhead serve --data DIR, or name its socket: "
          + "--socket DIR/admin.sock or BULKHEAD_SOCKET")
    case .notPermitted(let socket):
      self.init(
        .notPermitted, "the host is not yours to command", why: "\(socket) belongs to another user",
        next: "run this as the user who runs the host, or with sudo")
    case .pathTooLong(let socket):
      self.init(
        .usage, "the socket's path is too long", why: "\(socket) has \(socket.utf8.count) bytes",
        next: "use a path under 108 bytes")
    case .timeout(let seconds):
      self.init(
        .retry, "the host did not answer in time", why: "\(seconds) seconds passed",
        next: "look at its log; --timeout waits longer")
    case .failed(let call, let errno):
      self.init(
        .unavailable, "the connection to the host failed", why: "\(call): \(Errno.text(errno))",
        next: "is it still running? bulkhead version asks it")
    case .malformed(let reason):
      self.init(
        .failure, "the host's answer makes no sense", why: reason,
        next: "bulkhead version shows whether command and host are of one version")
    case .problem(let problem): self.init(problem)
    }
  }

  package init(_ problem: Problem) {
    self.init(
      problem.exitStatus, problem.title, why: problem.detail, next: problem.hint,
      details: (problem.issues ?? []).map(\.line))
  }
}

extension Problem.Issue {
  package var line: String {
    "\(path.isEmpty ? "manifest" : path): \(reason)" + (suggestion.map { "; \($0)" } ?? "")
  }
}
