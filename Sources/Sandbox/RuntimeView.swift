// SPDX-License-Identifier: Apache-2.0

/// The part of the host's file system an app may read and run: libraries and interpreters.
///
/// Everything in it is mounted read-only and nosuid, without device nodes. What is not listed does
/// not exist inside: no home, no `/var`, no `/run`, of `/etc` only what runtimes read.
public struct RuntimeView: Sendable, Codable, Equatable {
  /// Directories shown at the same path they have on the host.
  public var directories: [String]
  /// Files, likewise.
  public var files: [String]
  /// Links made in the root: path → target (`/bin` → `usr/bin`).
  public var links: [String: String]

  public init(directories: [String] = [], files: [String] = [], links: [String: String] = [:]) {
    self.directories = directories
    self.files = files
    self.links = links
  }

  /// What runtimes on a Debian-like system need, as far as this host has it.
  public static func standard(_ host: HostLayout) -> RuntimeView {
    var view = RuntimeView()
    for name in candidateDirectories {
      switch host.entries[name] {
      case .directory: view.directories.append(name)
      case .link(let target) where name.dropFirst().allSatisfy({ $0 != "/" }):
        view.links[name] = target
      default: break
      }
    }
    for name in candidateFiles where host.entries[name] == .file { view.files.append(name) }
    return view
  }

  /// This view with one more directory, unless one it has already holds it.
  public func adding(_ directory: String) -> RuntimeView {
    guard !directories.contains(where: { directory == $0 || directory.hasPrefix($0 + "/") }) else {
      return self
    }
    var copy = self
    copy.directories.removeAll { $0.hasPrefix(directory + "/") }
    copy.directories.append(directory)
    return copy
  }

  static let candidateDirectories = [
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
    "/etc/alternatives", "/etc/ssl/certs", "/etc/java-17-openjdk", "/etc/java-21-openjdk",
  ]
  static let candidateFiles = [
    "/etc/ld.so.cache", "/etc/ssl/openssl.cnf", "/etc/localtime", "/etc/mime.types",
    "/etc/magic", "/etc/os-release",
  ]
}

/// What the host has of the paths a ``RuntimeView`` may want. Read once; a value.
public struct HostLayout: Sendable, Codable, Equatable {
  public enum Entry: Sendable, Codable, Equatable {
    case directory, file, link(String)
  }
  public var entries: [String: Entry]

  public init(entries: [String: Entry]) { self.entries = entries }
}
