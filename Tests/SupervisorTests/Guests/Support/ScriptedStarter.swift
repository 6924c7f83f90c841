// SPDX-License-Identifier: Apache-2.0
import Glibc
import GuestAPI
import Supervisor
import Synchronization

/// Starts one scripted guest after the other; the last script is used for all further ones.
final class ScriptedStarter: GuestStarter {
  struct Counts: Sendable {
    var started = 0
    var running = 0
    var mostRunning = 0
  }

  enum Step: Sendable {
    case script(ScriptedGuest.Script)
    case fail(HostError)
  }

  let counts = Observed(Counts())
  private let steps: [Step]
  /// Holds every start back until it is opened.
  let gate = Observed(true)

  init(_ steps: [Step]) { self.steps = steps }

  func start(_ guest: GuestSpec) async throws(HostError) -> StartedGuest {
    _ = await gate.until { $0 }
    let number = counts.update { counts in
      counts.started += 1
      return counts.started
    }
    switch steps[min(number, steps.count) - 1] {
    case .fail(let error): throw error
    case .script(let script):
      var pair: [Int32] = [-1, -1]
      guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &pair) == 0
      else { throw HostError(.internal, "socketpair", "errno \(errno)") }
      counts.update { counts in
        counts.running += 1
        counts.mostRunning = max(counts.mostRunning, counts.running)
      }
      let process = ScriptedGuest(pid: Int32(1_000_000 + number), socket: pair[1]) { [counts] in
        counts.update { $0.running -= 1 }
      }
      process.run(script)
      return StartedGuest(process: process, socket: pair[0])
    }
  }
}
