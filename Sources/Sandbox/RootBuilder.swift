// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Lays out the cell's root directory, parents before children.
struct RootBuilder {
  private(set) var steps: [CellPlan.Step] = []
  private var made: Set<String> = []
  private var mounted: Set<String> = []

  /// Devices without state of their own.
  static let devices = ["null", "zero", "full", "random", "urandom"]

  private static let readOnly: CellPlan.MountAttributes = [.readOnly, .noSetuid, .noDevices]

  mutating func addRuntime(_ view: RuntimeView) {
    for (path, target) in view.links.sorted(by: { $0.key < $1.key }) {
      makeParents(of: path)
      steps.append(.link(target: target, path: relative(path)))
      made.insert(path)
    }
    for path in view.directories.sorted() {
      makeDirectory(path)
      mounted.insert(path)
      steps.append(
        .bind(
          source: path, path: relative(path), Self.readOnly, kind: .directory, mapsOwner: false))
    }
    for path in view.files.sorted() {
      makeFile(path, content: "")
      steps.append(
        .bind(
          source: path, path: relative(path), Self.readOnly.union(.noExecute), kind: .file,
          mapsOwner: false))
    }
  }

  /// The files of `/etc` that libraries insist on; they say nothing about the host.
  mutating func addSystemFiles(uid: UInt32) {
    makeFile("/etc/passwd", content: "app:x:\(uid):\(uid):app:/tmp:/usr/sbin/nologin\n")
    makeFile("/etc/group", content: "app:x:\(uid):\n")
    makeFile("/etc/hosts", content: "127.0.0.1 localhost\n::1 localhost\n")
    makeFile("/etc/nsswitch.conf", content: "passwd: files\ngroup: files\nhosts: files\n")
  }

  mutating func addDevices(sharedMemoryBytes: UInt64) {
    makeDirectory("/dev")
    for name in Self.devices {
      makeFile("/dev/\(name)", content: "")
      steps.append(
        .bind(
          source: "/dev/\(name)", path: "dev/\(name)", [.noSetuid, .noExecute], kind: .device,
          mapsOwner: false))
    }
    for (name, target) in [("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")] {
      steps.append(.link(target: "/proc/self/fd\(target)", path: "dev/\(name)"))
    }
    makeDirectory("/dev/shm")
    steps.append(
      .tmpfs("dev/shm", bytes: sharedMemoryBytes, inodes: 1024, mode: 0o1777))
  }

  mutating func addTemporary(bytes: UInt64) {
    makeDirectory("/tmp")
    // One inode per 4 KiB, at least 1,024: a million empty files must not cost more than full ones.
    steps.append(.tmpfs("tmp", bytes: bytes, inodes: max(1024, bytes / 4096), mode: 0o1777))
    makeDirectory("/var")
    makeDirectory("/run")
    steps.append(.link(target: "/tmp", path: "var/tmp"))
  }

  mutating func addProc(mounted: Bool) {
    makeDirectory("/proc")
    if mounted { steps.append(.proc(options: "subset=pid,hidepid=invisible")) }
  }

  mutating func add(_ resolved: ResolvedBind) throws(SandboxError) {
    let bind = resolved.bind
    // A path below another bind would be looked up in files an app's author controls.
    for path in mounted where bind.path == path || bind.path.hasPrefix(path + "/") {
      throw SandboxError(.policy, errno: EINVAL, "'\(bind.path)' lies in '\(path)', also a bind")
    }
    var attributes: CellPlan.MountAttributes = [.noSetuid, .noDevices]
    if !bind.writable { attributes.insert(.readOnly) }
    if !bind.executable { attributes.insert(.noExecute) }
    if resolved.isDirectory {
      makeDirectory(bind.path)
    } else {
      makeFile(bind.path, content: "")
    }
    mounted.insert(bind.path)
    steps.append(
      .bind(
        source: resolved.source, path: relative(bind.path), attributes,
        kind: resolved.isDirectory ? .directory : .file, mapsOwner: bind.mapsOwner))
  }

  private func relative(_ path: String) -> String { String(path.dropFirst()) }

  private mutating func makeParents(of path: String) {
    let components = path.dropFirst().split(separator: "/").dropLast()
    var parent = ""
    for component in components {
      parent += "/" + component
      if made.insert(parent).inserted { steps.append(.directory(relative(parent))) }
    }
  }

  private mutating func makeDirectory(_ path: String) {
    makeParents(of: path)
    if made.insert(path).inserted { steps.append(.directory(relative(path))) }
  }

  private mutating func makeFile(_ path: String, content: String) {
    makeParents(of: path)
    if made.insert(path).inserted { steps.append(.file(relative(path), content: content)) }
  }
}
