// SPDX-License-Identifier: Apache-2.0
import Glibc

extension SandboxedProcess {
  /// Bytes on disk of files that no directory shows any more and the tree still keeps open or mapped: whoever counts a
  /// directory does not see them. Nil if there is more to look at than ``UnlinkedFiles/looksMax``.
  ///
  /// - Parameter device: `st_dev` of the file system that is asked about.
  public func unlinkedBytes(device: UInt64) -> UInt64? {
    var files = UnlinkedFiles(device: device)
    for pid in ProcessTree.members(of: initPID) where !files.isCut { files.add(pid: pid) }
    return files.isCut ? nil : files.bytes
  }
}

/// Collects them process by process, each file once.
private struct UnlinkedFiles {
  let device: UInt64
  private(set) var bytes: UInt64 = 0
  private(set) var isCut = false
  private var seen: Set<UInt64> = []
  private var looks = 0

  /// LIMIT: descriptors and mappings looked at; a guest decides how many there are, and each costs the host a call.
  static let looksMax = 65_536

  init(device: UInt64) { self.device = device }

  /// Each thread may have a table of its own, and the first may be gone while others live.
  mutating func add(pid: pid_t) {
    var hasMaps = false
    for thread in KernelFile.names(in: "/proc/\(pid)/task") {
      let place = "/proc/\(pid)/task/\(thread)"
      for name in KernelFile.names(in: place + "/fd") {
        guard look() else { return }
        _ = add(path: "\(place)/fd/\(name)")
      }
      if !hasMaps, let maps = KernelFile.readWhole(place + "/maps"), !maps.isEmpty {
        hasMaps = true
        add(maps: maps, of: pid)
      }
    }
  }

  /// A mapping holds its file without a descriptor.
  private mutating func add(maps: String, of pid: pid_t) {
    for line in maps.utf8.split(separator: UInt8(ascii: "\n")) {
      guard look() else { return }
      guard line.suffix(Self.deleted.count).elementsEqual(Self.deleted) else { continue }
      let fields = Substring(line).split(separator: " ", maxSplits: 5)
      guard fields.count > 5, let inode = UInt64(fields[4]), Self.device(fields[3]) == device else {
        continue
      }
      if add(path: "/proc/\(pid)/map_files/\(fields[0])") || seen.contains(inode) { continue }
      // Only root may ask what is behind a mapping; its length is what can be said otherwise.
      seen.insert(inode)
      bytes += Self.length(fields[0])
    }
  }

  private static let deleted = Array(" (deleted)".utf8)

  private mutating func look() -> Bool {
    looks += 1
    if looks > Self.looksMax { isCut = true }
    return !isCut
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
