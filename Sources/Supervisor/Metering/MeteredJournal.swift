// SPDX-License-Identifier: Apache-2.0
import Meter
import Synchronization

/// An app's journal that also counts its failures in the meter, by reason.
///
/// The counts are those of `restarts` in `bulkhead ps`: one for each time the app failed and had to be started again,
/// whoever called for it, if anybody did. What an operator or an idle timeout stops is no failure.
package final class MeteredJournal: AppJournal {
  private let journal: any AppJournal
  private let counters: [String: MeterCounter]
  /// What was said to be wrong before the end was noted.
  private let cause = Mutex<String?>(nil)

  static let reasons = ["crashed", "start_failed", "oom", "violation"]

  package init(_ journal: any AppJournal, app: String, registry: MeterRegistry) throws(MeterError) {
    self.journal = journal
    var counters: [String: MeterCounter] = [:]
    for reason in Self.reasons {
      counters[reason] = try registry.counter(Meters.restarts, app: app, label: reason)
    }
    self.counters = counters
  }

  package func note(_ event: AppEvent, _ text: String) {
    switch event {
    case .oom, .violation: cause.withLock { $0 = $0 ?? event.rawValue }
    case .started, .stopped: cause.withLock { $0 = nil }
    case .crashed, .startFailed:
      let known = cause.withLock { cause in
        defer { cause = nil }
        return cause
      }
      counters[known ?? event.rawValue]?.add(1)
    default: break
    }
    journal.note(event, text)
  }
}
