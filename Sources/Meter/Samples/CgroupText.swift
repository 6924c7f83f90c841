// SPDX-License-Identifier: Apache-2.0

/// The kernel's cgroup files as text, to figures. Pure: whoever owns the group reads the files.
///
/// A missing file is `nil`; a file whose text is not what the kernel documents is an error, because
/// a figure guessed from it would be wrong in silence.
public struct CgroupText: Sendable {
  public struct Figures: Sendable, Equatable {
    public var cpuUserMicroseconds: Int64
    public var cpuSystemMicroseconds: Int64
    public var memoryCurrentBytes: Int64?
    public var memoryPeakBytes: Int64?
    public var oomKills: Int64 = 0
    public var processLimitHits: Int64 = 0
    public var processes: Int64?

    public init(
      cpuUserMicroseconds: Int64, cpuSystemMicroseconds: Int64, memoryCurrentBytes: Int64? = nil,
      memoryPeakBytes: Int64? = nil, oomKills: Int64 = 0, processLimitHits: Int64 = 0,
      processes: Int64? = nil
    ) {
      self.cpuUserMicroseconds = cpuUserMicroseconds
      self.cpuSystemMicroseconds = cpuSystemMicroseconds
      self.memoryCurrentBytes = memoryCurrentBytes
      self.memoryPeakBytes = memoryPeakBytes
      self.oomKills = oomKills
      self.processLimitHits = processLimitHits
      self.processes = processes
    }
  }

  /// Version 2 (kernel Documentation/admin-guide/cgroup-v2.rst). `cpu.stat` is in microseconds;
  /// `memory.peak` exists since Linux 5.19.
  public struct Version2: Sendable {
    public var cpuStat: String
    public var memoryCurrent: String?
    public var memoryPeak: String?
    public var memoryEvents: String?
    public var pidsCurrent: String?
    public var pidsEvents: String?

    public init(
      cpuStat: String, memoryCurrent: String? = nil, memoryPeak: String? = nil,
      memoryEvents: String? = nil, pidsCurrent: String? = nil, pidsEvents: String? = nil
    ) {
      self.cpuStat = cpuStat
      self.memoryCurrent = memoryCurrent
      self.memoryPeak = memoryPeak
      self.memoryEvents = memoryEvents
      self.pidsCurrent = pidsCurrent
      self.pidsEvents = pidsEvents
    }
  }

  /// Version 1 (Documentation/admin-guide/cgroup-v1). `cpuacct.usage*` are in nanoseconds;
  /// `cpuacct.stat` in clock ticks, used only to split the total where the split files are absent.
  public struct Version1: Sendable {
    public var cpuacctUsage: String
    public var cpuacctUsageUser: String?
    public var cpuacctUsageSystem: String?
    public var cpuacctStat: String?
    public var memoryUsage: String?
    public var memoryMaxUsage: String?
    public var memoryOOMControl: String?
    public var pidsCurrent: String?
    public var pidsEvents: String?

    public init(
      cpuacctUsage: String, cpuacctUsageUser: String? = nil, cpuacctUsageSystem: String? = nil,
      cpuacctStat: String? = nil, memoryUsage: String? = nil, memoryMaxUsage: String? = nil,
      memoryOOMControl: String? = nil, pidsCurrent: String? = nil, pidsEvents: String? = nil
    ) {
      self.cpuacctUsage = cpuacctUsage
      self.cpuacctUsageUser = cpuacctUsageUser
      self.cpuacctUsageSystem = cpuacctUsageSystem
      self.cpuacctStat = cpuacctStat
      self.memoryUsage = memoryUsage
      self.memoryMaxUsage = memoryMaxUsage
      self.memoryOOMControl = memoryOOMControl
      self.pidsCurrent = pidsCurrent
      self.pidsEvents = pidsEvents
    }
  }

  public static func parse(_ texts: Version2) throws(MeterError) -> Figures {
    let cpu = try keyed(texts.cpuStat, file: "cpu.stat")
    guard let user = cpu["user_usec"], let system = cpu["system_usec"] else {
      throw .unreadable(what: "cpu.stat", why: "user_usec or system_usec is missing")
    }
    var figures = Figures(cpuUserMicroseconds: user, cpuSystemMicroseconds: system)
    figures.memoryCurrentBytes = try single(texts.memoryCurrent, file: "memory.current")
    figures.memoryPeakBytes = try single(texts.memoryPeak, file: "memory.peak")
    if let events = texts.memoryEvents {
      figures.oomKills = try keyed(events, file: "memory.events")["oom_kill"] ?? 0
    }
    figures.processes = try single(texts.pidsCurrent, file: "pids.current")
    if let events = texts.pidsEvents {
      figures.processLimitHits = try keyed(events, file: "pids.events")["max"] ?? 0
    }
    return figures
  }

  public static func parse(_ texts: Version1) throws(MeterError) -> Figures {
    guard let total = try single(texts.cpuacctUsage, file: "cpuacct.usage") else {
      throw .unreadable(what: "cpuacct.usage", why: "empty")
    }
    let userShare = try splitVersion1(texts, total: total)
    var figures = Figures(
      cpuUserMicroseconds: userShare / 1_000, cpuSystemMicroseconds: (total - userShare) / 1_000)
    figures.memoryCurrentBytes = try single(texts.memoryUsage, file: "memory.usage_in_bytes")
    figures.memoryPeakBytes = try single(texts.memoryMaxUsage, file: "memory.max_usage_in_bytes")
    if let control = texts.memoryOOMControl {
      figures.oomKills = try keyed(control, file: "memory.oom_control")["oom_kill"] ?? 0
    }
    figures.processes = try single(texts.pidsCurrent, file: "pids.current")
    if let events = texts.pidsEvents {
      figures.processLimitHits = try keyed(events, file: "pids.events")["max"] ?? 0
    }
    return figures
  }

  /// Nanoseconds of `total` spent in user mode. The total is exact; the split is as fine as the
  /// kernel gives it. Never more than the total, so that user and system always sum to it.
  private static func splitVersion1(_ texts: Version1, total: Int64) throws(MeterError) -> Int64 {
    if let user = try single(texts.cpuacctUsageUser, file: "cpuacct.usage_user") {
      return min(user, total)
    }
    guard let stat = texts.cpuacctStat else { return total }
    let ticks = try keyed(stat, file: "cpuacct.stat")
    let user = ticks["user"] ?? 0
    let system = ticks["system"] ?? 0
    guard user + system > 0 else { return total }
    return Int64(
      (UInt128(total) * UInt128(user) / UInt128(user + system)))
  }

  /// A file with one number. `max` means no limit and does not occur in a usage file.
  static func single(_ text: String?, file: String) throws(MeterError) -> Int64? {
    guard let text else { return nil }
    let word = text.trimmed
    guard let value = Int64(word), value >= 0 else {
      throw .unreadable(what: file, why: "not a whole number: \(word.prefix(40))")
    }
    return value
  }

  /// A file of `key value` lines. Keys the meter does not know are ignored: kernels add some.
  static func keyed(_ text: String, file: String) throws(MeterError) -> [String: Int64] {
    var values: [String: Int64] = [:]
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ")
      guard words.count == 2, let value = Int64(words[1]), value >= 0 else {
        throw .unreadable(what: file, why: "a line is not a key and a number: \(line.prefix(60))")
      }
      values[String(words[0])] = value
    }
    return values
  }
}

extension String {
  var trimmed: String {
    var rest = Substring(self)
    while rest.first?.isWhitespace == true { rest.removeFirst() }
    while rest.last?.isWhitespace == true { rest.removeLast() }
    return String(rest)
  }
}
