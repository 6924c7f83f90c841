// SPDX-License-Identifier: Apache-2.0
import AdminAPI
import Foundation
import GuestAPI
import Manifest
import Meter
import NIOCore
import Sandbox

extension Supervisor {
  /// One app's state, with figures read from the kernel at this moment.
  func status(of id: String) throws -> AppStatus {
    let (app, handle) = try find(id)
    let snapshot = handle.runner.published.current
    let readings = meter.processes.of(app: id).compactMap { $0.read() }
    let cpu = readings.reduce(Int64(0)) { $0 + $1.userMicroseconds + $1.systemMicroseconds }
    let last = handle.log.lastEvent
    var status = AppStatus(
      id: id, name: app.manifest.app.name, origin: app.manifest.app.origin, url: url(of: app),
      version: app.manifest.app.version, build: app.record.build,
      state: Self.state(snapshot.state), reason: snapshot.lastFailure, pid: snapshot.pid,
      restarts: snapshot.restarts, cpuSeconds: Double(cpu) / 1e6,
      memoryBytes: UInt64(readings.reduce(Int64(0)) { $0 + ($1.memoryBytes ?? 0) }),
      memoryLimitBytes: app.effectiveLimits.memoryBytes, lastEvent: last?.event,
      lastEventTime: last.map { Date($0.time) }, weakerLayers: weakerLayers)
    if snapshot.state == .running, let since = snapshot.since {
      status.uptimeSeconds = Double((NIODeadline.now() - since).nanoseconds) / 1e9
    }
    return status
  }

  private static func state(_ state: RunnerState) -> AppStatus.State {
    switch state {
    case .stopped: .stopped
    case .stopping: .stopping
    case .disabled: .disabled
    case .starting: .starting
    case .running: .running
    case .backoff: .backoff
    }
  }

  package func logs(
    _ text: String, _ query: LogQuery
  ) async throws -> AsyncThrowingStream<LogLine, any Error> {
    let log = try find(text).handle.log
    // Subscribe first: a line between the tail and the follow must not fall through.
    let following = query.follow ? log.follow() : nil
    let kept = await log.tail(query.tail ?? (query.since == nil ? 200 : 100_000))
    return Self.stream(
      kept.map(LogLine.init), following, since: query.since, map: LogLine.init)
  }

  package func events(
    _ query: LogQuery
  ) async throws -> AsyncThrowingStream<HostEvent, any Error> {
    var all: [HostEvent] = []
    for handle in apps.all {
      let entries = await handle.log.tail(query.tail ?? 500)
      all += entries.compactMap { HostEvent($0, app: handle.id) }
    }
    all.sort { $0.time < $1.time }
    let since = query.since
    let wanted = all.filter { since == nil || $0.time >= since ?? .distantPast }
    let recent = Array(wanted.suffix(query.tail ?? 500))
    guard query.follow else {
      return AsyncThrowingStream { continuation in
        for event in recent { continuation.yield(event) }
        continuation.finish()
      }
    }
    let followed = apps.all.map { ($0.id, $0.log.follow()) }
    return AsyncThrowingStream { continuation in
      for event in recent { continuation.yield(event) }
      // Its own tasks: one per app, ended with the reader.
      let tasks = followed.map { id, stream in
        Task {
          for await entry in stream {
            if let event = HostEvent(entry, app: id) { continuation.yield(event) }
          }
        }
      }
      continuation.onTermination = { _ in for task in tasks { task.cancel() } }
    }
  }

  private static func stream(
    _ kept: [LogLine], _ following: AsyncStream<LogEntry>?, since: Date?,
    map: @escaping @Sendable (LogEntry) -> LogLine
  ) -> AsyncThrowingStream<LogLine, any Error> {
    AsyncThrowingStream { continuation in
      for line in kept where since == nil || line.time >= since ?? .distantPast {
        continuation.yield(line)
      }
      guard let following else { return continuation.finish() }
      // Its own task: it lives as long as somebody reads.
      let task = Task { for await entry in following { continuation.yield(map(entry)) } }
      continuation.onTermination = { _ in task.cancel() }
    }
  }
}

extension Date {
  init(_ time: WallTime) { self.init(timeIntervalSince1970: Double(time.microseconds) / 1e6) }
  init?(rfc3339 text: String) {
    guard let time = WallTime(rfc3339: text) else { return nil }
    self.init(time)
  }
}

extension WallTime {
  init(_ date: Date) {
    self.init(microseconds: Int64((date.timeIntervalSince1970 * 1e6).rounded()))
  }
}

extension LogLine {
  init(_ entry: LogEntry) {
    self.init(
      time: Date(entry.time), stream: Stream(rawValue: entry.source.rawValue) ?? .host,
      text: entry.text, event: entry.event)
  }
}

extension HostEvent {
  init?(_ entry: LogEntry, app: String) {
    guard let kind = entry.event else { return nil }
    self.init(time: Date(entry.time), app: app, kind: kind, detail: entry.text)
  }
}

extension LimitSummary {
  init(_ limits: AppManifest.Limits) {
    self.init(
      cpuCores: Double(limits.cpuMillicores) / 1_000, memoryBytes: limits.memory.bytes,
      processes: limits.processes, storageBytes: limits.storage.bytes)
  }

  init(_ limits: GuestLimits) {
    self.init(
      cpuCores: limits.cpuCores, memoryBytes: Int64(limits.memoryBytes),
      processes: limits.processes, storageBytes: Int64(limits.storageBytes))
  }
}

extension AdminAPI.LayerReport {
  init(_ report: Sandbox.LayerReport, waived: Set<String>) {
    let isWaived = waived.contains(report.layer.rawValue)
    let state: State =
      switch report.state {
      case .active: isWaived ? .allowedWeaker : .active
      case .weaker: .degraded
      case .missing: isWaived ? .allowedWeaker : report.isRequired ? .missing : .degraded
      }
    self.init(
      layer: report.layer.rawValue, state: state, detail: report.reason, remedy: report.fix)
  }
}
