// SPDX-License-Identifier: Apache-2.0

/// Figures of a process tree from /proc, for hosts where no cgroup is delegated. Coarser than a
/// cgroup: clock ticks, and a child that nobody waits for takes its time with it.
public struct ProcessTree: Sendable {
  /// What `/proc/PID/stat` says (proc_pid_stat(5)), in clock ticks and pages.
  public struct Stat: Sendable, Equatable {
    public var process: Int64
    public var parent: Int64
    public var userTicks: Int64
    public var systemTicks: Int64
    /// Of children that ended and were waited for, and of theirs.
    public var childUserTicks: Int64
    public var childSystemTicks: Int64
    public var startTicks: Int64
    public var residentPages: Int64
  }

  /// Reads one stat line. The command name is in parentheses and may itself hold spaces and
  /// parentheses, so fields are counted from the last `)`.
  public static func parse(stat text: String) throws(MeterError) -> Stat {
    guard let open = text.firstIndex(of: "("), let close = text.lastIndex(of: ")"), open < close,
      let process = Int64(text[..<open].trimmedText)
    else { throw .unreadable(what: "/proc/PID/stat", why: "no command name in parentheses") }
    let words = text[text.index(after: close)...].split(whereSeparator: \.isWhitespace)
    // Field 3 (state) is words[0], so field n is words[n - 3]. 24 (rss) is the last one needed.
    func field(_ number: Int) -> Int64? {
      number - 3 < words.count ? Int64(words[number - 3]) : nil
    }
    guard let parent = field(4), let user = field(14), let system = field(15),
      let childUser = field(16), let childSystem = field(17), let start = field(22),
      let resident = field(24)
    else { throw .unreadable(what: "/proc/PID/stat", why: "fewer than 24 fields, or not numbers") }
    return Stat(
      process: process, parent: parent, userTicks: user, systemTicks: system,
      childUserTicks: childUser, childSystemTicks: childSystem, startTicks: start,
      residentPages: resident)
  }

  /// The root and everything below it. Processes whose parent is not in the list are left out, so
  /// pass every process of the guest's PID namespace or of the host.
  public static func descendants(of root: Int64, in all: [Stat]) -> [Stat] {
    let children = Dictionary(grouping: all, by: \.parent)
    var found = all.filter { $0.process == root }
    var seen: Set<Int64> = [root]
    var next = 0
    while next < found.count {
      // A process cannot be its own ancestor; a list read while processes come and go might say so.
      found += (children[found[next].process] ?? []).filter { seen.insert($0.process).inserted }
      next += 1
    }
    return found
  }

  /// The figures of a tree. Resident memory counts shared pages once per process, so it is an upper
  /// bound; there is no peak.
  public static func figures(
    _ tree: [Stat], ticksPerSecond: Int64, pageBytes: Int64
  ) -> CgroupText.Figures {
    let user = tree.reduce(0) { $0 + $1.userTicks + $1.childUserTicks }
    let system = tree.reduce(0) { $0 + $1.systemTicks + $1.childSystemTicks }
    let resident = tree.reduce(0) { $0 + $1.residentPages }
    return CgroupText.Figures(
      cpuUserMicroseconds: user * 1_000_000 / ticksPerSecond,
      cpuSystemMicroseconds: system * 1_000_000 / ticksPerSecond,
      memoryCurrentBytes: resident * pageBytes, processes: Int64(tree.count))
  }
}

extension Substring {
  fileprivate var trimmedText: String { String(self).trimmed }
}
