// SPDX-License-Identifier: Apache-2.0
import Glibc

extension SandboxedProcess {
  /// Bytes on disk of files that no directory shows any more and the tree still keeps open or mapped: whoever counts a
  /// directory does not see them.
  ///
  /// - Parameter device: `st_dev` of the file system that is asked about.
  public func unlinkedBytes(device: UInt64) -> UInt64 {
    var files = UnlinkedFiles(device: device)
    for pid in ProcessTree.members(of: initPID) { files.add(pid: pid) }
    return files.bytes
  }
}

/// Collects them process by process, each file once.
private struct UnlinkedFiles {
  let device: UInt64
  private(set) var bytes: UInt64 = 0
  private var seen: Set<UInt64> = []

  init(device: UInt64) { self.device = device }

  mutating func add(pid: pid_t) {
    for name in KernelFile.names(in: "/proc/\(pid)/fd") { _ = add(path: "/proc/\(pid)/fd/\(name)") }
    // A mapping holds its file without a descriptor.
    guard let maps = KernelFile.readWhole("/proc/\(pid)/maps") else { return }
    for line in maps.split(separator: "\n") where line.hasSuffix(" (deleted)") {
      let fields = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: true)
      guard fields.count > 5, let inode = UInt64(fields[4]), Self.device(fields[3]) == device else {
        continue
      }
      if add(path: "/proc/\(pid)/map_files/\(fields[0])") || seen.contains(inode) { continue }
      // Only root may ask what is behind a mapping; its length is what can be said otherwise.
      seen.insert(inode)
      bytes += Self.length(fields[0])
    }
  }

  /// False if it could not be looked at.
  private mutating func add(path: String) -> Bool {
    var facts = stat()
    guard stat(path, &facts) == 0 else { return false }
    if facts.st_nlink == 0, facts.st_mode & S_IFMT == S_IFREG, UInt64(facts.st_dev) == device,
      seen.insert(UInt64(facts.st_ino)).inserted
    {
      bytes += UInt64(max(0, facts.st_blocks)) * 512
    }
    return true
  }

  /// `major:minor` in hexadecimal, proc_pid_maps(5), as `st_dev` has it (makedev(3)).
  private static func device(_ text: Substring) -> UInt64? {
    let parts = text.split(separator: ":").compactMap { UInt64($0, radix: 16) }
    guard parts.count == 2 else { return nil }
    let (major, minor) = (parts[0], parts[1])
    return (major & 0xFFF) << 8 | (major & ~0xFFF) << 32 | minor & 0xFF | (minor & ~0xFF) << 12
  }

  private static func length(_ range: Substring) -> UInt64 {
    let ends = range.split(separator: "-").compactMap { UInt64($0, radix: 16) }
    return ends.count == 2 && ends[1] > ends[0] ? ends[1] - ends[0] : 0
  }
}
