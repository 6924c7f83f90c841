// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import GuestAPI
import Manifest

/// A directory with a `bulkhead.toml`: what an author writes and an operator installs.
package struct PackageDirectory {
  static let manifestName = "bulkhead.toml"

  /// Absolute.
  package let path: String
  package let manifest: AppManifest

  /// Reads and checks the manifest; throws `CommandFailure` with every mistake.
  package init(_ directory: String) throws {
    path = FilePath.absolute(directory)
    guard FilePath.isDirectory(path) else {
      throw CommandFailure(
        .data, "there is no package", why: "\(path) is not a directory",
        next: "name the directory that holds \(Self.manifestName)")
    }
    let file = "\(path)/\(Self.manifestName)"
    guard FilePath.isFile(file) else {
      throw CommandFailure(
        .data, "there is no package", why: "\(path) holds no \(Self.manifestName)",
        next: "bulkhead new NAME makes a package to start from")
    }
    manifest = try Self.manifest(file)
  }

  private static func manifest(_ file: String) throws -> AppManifest {
    do {
      let bytes = try FilePath.read(file, bytesMax: AppManifest.bytesMax)
      guard let text = String(validating: bytes, as: UTF8.self) else {
        throw CommandFailure(.data, "\(file) is refused", why: "it is not UTF-8")
      }
      return try AppManifest(try ManifestTOML.json(text))
    } catch let error as FileFailure {
      throw CommandFailure(.data, "cannot read \(error.path)", why: error.reason)
    } catch let error as ManifestTOML.SyntaxError {
      throw CommandFailure(
        .data, "\(file):\(error.line):\(error.column): not TOML", why: error.reason,
        next: "correct that line")
    } catch let error as ManifestTOML.ValueError {
      throw CommandFailure(
        .data, "\(file) is refused", details: ["\(error.path): \(error.reason)"])
    } catch let error as ManifestError {
      let count = error.issues.count
      throw CommandFailure(
        .data, "\(file) is refused", why: "\(count) mistake\(count == 1 ? "" : "s")",
        next: "correct \(count == 1 ? "it" : "them"); docs/MANIFEST.md lists every key",
        details: error.issues.map(\.description))
    }
  }

  var source: PackageSource { PackageSource(directory: path, manifest: manifest.json) }

  /// What the manifest names and the directory or this machine does not have.
  package var missing: [ManifestIssue] {
    var issues: [ManifestIssue] = []
    func expect(_ isThere: Bool, _ key: String, _ reason: String) {
      if !isThere { issues.append(ManifestIssue(path: key, reason: reason)) }
    }
    if let assets = manifest.http.assets {
      expect(
        FilePath.isDirectory("\(path)/\(assets)"), "http.assets", "there is no directory \(assets)")
    }
    if let icon = manifest.app.icon {
      expect(FilePath.isFile("\(path)/\(icon)"), "app.icon", "there is no file \(icon)")
    }
    for (index, database) in manifest.databases.enumerated() {
      guard let migrations = database.migrations else { continue }
      expect(
        FilePath.isDirectory("\(path)/\(migrations)"), "sqlite[\(index)].migrations",
        "there is no directory \(migrations)")
    }
    if let program = manifest.run.command.first, program.contains("/") {
      let inside = program.hasPrefix("/app/") ? String(program.dropFirst(5)) : program
      if !inside.hasPrefix("/") {
        expect(FilePath.isFile("\(path)/\(inside)"), "run.command[0]", "there is no file \(inside)")
      }
    }
    for (index, schedule) in manifest.schedules.enumerated() where schedule.timezone != "UTC" {
      expect(
        FilePath.isFile("/usr/share/zoneinfo/\(schedule.timezone)"), "schedule[\(index)].timezone",
        "this machine knows no zone \(schedule.timezone)")
    }
    return issues
  }
}
