// SPDX-License-Identifier: Apache-2.0

/// The meters every host has. The book registers them itself.
public enum Meters {
  public static let cpuUser = MeterDefinition(
    name: "cpu.user", unit: .microseconds, kind: .counter, title: "CPU, user mode",
    ledger: LedgerNumber.cpu)
  public static let cpuSystem = MeterDefinition(
    name: "cpu.system", unit: .microseconds, kind: .counter, title: "CPU, kernel mode",
    ledger: LedgerNumber.cpu)
  /// Work the host does on behalf of the app, by thread CPU clock (design §3.10).
  public static let cpuHost = MeterDefinition(
    name: "cpu.host", unit: .microseconds, kind: .counter, title: "CPU, host work for the app",
    ledger: LedgerNumber.cpu)
  public static let memoryTime = MeterDefinition(
    name: "memory.time", unit: .kibibyteSeconds, kind: .counter, title: "Memory over time",
    ledger: LedgerNumber.memory)
  public static let memoryPeak = MeterDefinition(
    name: "memory.peak", unit: .bytes, kind: .peak, title: "Memory, highest")

  public static let storage = MeterDefinition(
    name: "storage", unit: .bytes, kind: .level, title: "Storage held", label: "kind",
    integral: "storage.time")
  public static let storageTime = MeterDefinition(
    name: "storage.time", unit: .mebibyteSeconds, kind: .counter, title: "Storage over time",
    label: "kind", ledger: LedgerNumber.storageOverTime)

  /// Request bytes from clients, head and body, as they pass the gateway.
  public static let ingressReceived = MeterDefinition(
    name: "ingress.received", unit: .bytes, kind: .counter, title: "Received from clients",
    ledger: LedgerNumber.networkIn)
  public static let ingressSent = MeterDefinition(
    name: "ingress.sent", unit: .bytes, kind: .counter, title: "Sent to clients",
    ledger: LedgerNumber.networkOut)
  public static let websocketReceived = MeterDefinition(
    name: "websocket.received", unit: .bytes, kind: .counter, title: "Received over WebSockets",
    ledger: LedgerNumber.networkIn)
  public static let websocketSent = MeterDefinition(
    name: "websocket.sent", unit: .bytes, kind: .counter, title: "Sent over WebSockets",
    ledger: LedgerNumber.networkOut)
  public static let egressReceived = MeterDefinition(
    name: "egress.received", unit: .bytes, kind: .counter, title: "Received from other hosts",
    label: "destination", ledger: LedgerNumber.networkIn)
  public static let egressSent = MeterDefinition(
    name: "egress.sent", unit: .bytes, kind: .counter, title: "Sent to other hosts",
    label: "destination", ledger: LedgerNumber.networkOut)

  /// The label is the status class: `2xx`, `3xx`, `4xx`, `5xx`.
  public static let requests = MeterDefinition(
    name: "requests", unit: .count, kind: .counter, title: "HTTP requests", label: "code",
    ledger: LedgerNumber.requests)
  /// Calls of the app to the host; the label is the method.
  public static let calls = MeterDefinition(
    name: "calls", unit: .count, kind: .counter, title: "Calls to the host", label: "method",
    ledger: LedgerNumber.requests)
  /// The label is the outcome of the run (`ok`, `app_error`, `timeout`, …).
  public static let jobRuns = MeterDefinition(
    name: "jobs.runs", unit: .count, kind: .counter, title: "Job runs", label: "outcome",
    ledger: LedgerNumber.requests)

  public static let oomKills = MeterDefinition(
    name: "events.oom", unit: .count, kind: .counter, title: "Out-of-memory kills")
  public static let processLimitHits = MeterDefinition(
    name: "events.process_limit", unit: .count, kind: .counter, title: "Forks refused by the limit")
  public static let restarts = MeterDefinition(
    name: "events.restarts", unit: .count, kind: .counter, title: "Restarts", label: "reason")
  public static let blockedSyscalls = MeterDefinition(
    name: "events.blocked_syscalls", unit: .count, kind: .counter, title: "Blocked system calls",
    label: "syscall")

  public static let all: [MeterDefinition] = [
    cpuUser, cpuSystem, cpuHost, memoryTime, memoryPeak, storage, storageTime, ingressReceived,
    ingressSent, websocketReceived, websocketSent, egressReceived, egressSent, requests, calls,
    jobRuns, oomKills, processLimitHits, restarts, blockedSyscalls,
  ]
}
