// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Meter
import Synchronization

/// Every app's log, opened when first asked for. All files are written on one queue.
final class LogShelf: Sendable {
  private let dataDirectory: String
  private let clock: MeterClock
  private let queue = DispatchQueue(label: "bulkhead.logs")
  private let logs = Mutex<[String: AppLog]>([:])

  init(dataDirectory: String, clock: MeterClock) {
    self.dataDirectory = dataDirectory
    self.clock = clock
  }

  func log(of app: String) -> AppLog {
    logs.withLock { logs in
      if let log = logs[app] { return log }
      let directory = AppDirectory(dataDirectory: dataDirectory, appID: app)
      let log = AppLog(directory: directory.log, queue: queue, clock: clock)
      logs[app] = log
      return log
    }
  }

  func forget(_ app: String) {
    let log = logs.withLock { $0.removeValue(forKey: app) }
    log?.close()
  }

  func closeAll() {
    for log in logs.withLock({ Array($0.values) }) { log.close() }
  }
}
