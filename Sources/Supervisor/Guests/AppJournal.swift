// SPDX-License-Identifier: Apache-2.0

/// Where the host writes what happened to an app: its log, `bulkhead ps`, the meter's events.
package protocol AppJournal: Sendable {
  func note(_ event: AppEvent, _ text: String)
}

/// Named events; the words are stable.
package enum AppEvent: String, Sendable, CaseIterable {
  case started, stopped, idle, crashed, oom, pids, storage, violation, swept
  case startFailed = "start_failed"
  case installed, upgraded
  case logDropped = "log_dropped"
  case weaker
  /// A database is damaged.
  case corrupt
  /// The operator did something that has to be seen.
  case audit
  /// A budget was used up and the app stopped.
  case budget
}
