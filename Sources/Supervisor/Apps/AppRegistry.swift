// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import Manifest
import Glibc
import Meter
import Synchronization

/// Which apps are installed. Reading is instant and from memory; changing goes to disk first.
///
/// The changing methods block on the disk: the supervisor calls them on its store queue, one at a time.
package final class AppRegistry: Sendable {
  /// An app directory the host could not read at start: named, never passed over in silence.
  package struct Problem: Sendable {
    package var directory: String
    package var reason: String
  }

  private static let stagingPrefix = ".staging-"
  private static let removingPrefix = ".removing-"

  private let dataDirectory: String
  private let clock: MeterClock
  private let apps = Mutex<[String: InstalledApp]>([:])

  package init(dataDirectory: String, clock: MeterClock = .system) {
    self.dataDirectory = dataDirectory
    self.clock = clock
  }

  package var all: [InstalledApp] {
    apps.withLock { Array($0.values) }.sorted { $0.id < $1.id }
  }

  package subscript(id: String) -> InstalledApp? { apps.withLock { $0[id] } }

  /// The app of that id or origin name.
  package func find(_ text: String) -> InstalledApp? {
    apps.withLock { apps in
      apps[text] ?? apps.values.first { $0.manifest.app.origin == text }
    }
  }

  /// Reads every app's record.
  package func load() throws(HostError) -> [Problem] {
    var problems: [Problem] = []
    for id in try directories() {
      let directory = AppDirectory(dataDirectory: dataDirectory, appID: id)
      sweepStaging(directory)
      do throws(HostError) {
        guard let app = try read(directory) else { continue }
        try checkPlace(of: app, in: id)
        apps.withLock { $0[app.id] = app }
      } catch {
        problems.append(Problem(directory: directory.path, reason: error.description))
      }
    }
    return problems
  }

  /// Ids and `state.sqlite` of all that have one, installed or not.
  package func directoriesWithState() throws(HostError) -> [(id: String, state: String)] {
    try directories().compactMap { id in
      let state = AppDirectory(dataDirectory: dataDirectory, appID: id).state
      return access(state, F_OK) == 0 ? (id, state) : nil
    }
  }

  private func directories() throws(HostError) -> [String] {
    let path = "\(dataDirectory)/apps"
    do throws(DurableFile.Failure) { try DurableFile.makeDirectory(path) } catch {
      throw HostError(.internal, "data", "the data directory cannot be used: \(error)")
    }
    let names: [String]
    do throws(DurableFile.Failure) {
      names = try DirectoryListing.names(of: path).map(\.shown)
    } catch {
      throw HostError(.internal, "data", "the data directory cannot be read: \(error)")
    }
    // What an uninstall had begun to remove when the host was killed.
    for name in names where name.hasPrefix(Self.removingPrefix) {
      _ = TreeRemoval.remove("\(path)/\(name)")
    }
    return names.filter { !$0.hasPrefix(".") }.sorted()
  }

  /// Removes what an install had begun to copy when the host was killed.
  private func sweepStaging(_ directory: AppDirectory) {
    let names = (try? DirectoryListing.names(of: directory.versions).map(\.shown)) ?? []
    for name in names where name.hasPrefix(Self.stagingPrefix) {
      _ = TreeRemoval.remove(directory.version(name))
    }
  }

  /// An app lies in the directory of its id, and no two answer at one origin.
  private func checkPlace(of app: InstalledApp, in directory: String) throws(HostError) {
    guard app.id == directory else {
      throw HostError(
        .internal, "record", "the directory holds \(app.id); rename it to the app's id")
    }
    if let other = all.first(where: { $0.manifest.app.origin == app.manifest.app.origin }) {
      throw HostError(
        .internal, "record", "\(other.id) already answers at \(app.manifest.app.origin).localhost")
    }
  }

  /// Nil for a directory that only keeps the data of an app that was uninstalled.
  private func read(_ directory: AppDirectory) throws(HostError) -> InstalledApp? {
    guard access(directory.record, F_OK) == 0 else { return nil }
    let record: AppRecord
    let manifest: AppManifest
    do {
      let bytes = try DurableFile.read(directory.record, max: 1 << 20)
      guard let read = AppRecord(try JSONParser.parse(bytes)) else {
        throw HostError(.internal, "record", "app.json is of a version this host cannot read")
      }
      record = read
      let text = try DurableFile.read(
        directory.manifest(record.version), max: AppManifest.bytesMax)
      manifest = try AppManifest(parsing: text)
    } catch let error as HostError {
      throw error
    } catch {
      throw HostError(.internal, "record", "\(error)")
    }
    return InstalledApp(manifest: manifest, record: record, directory: directory)
  }
}

// MARK: Changing

extension AppRegistry {
  /// What an install did.
  package struct Installed: Sendable {
    package var app: InstalledApp
    /// The build it replaced, if any.
    package var previousBuild: Int64?
    package var totals: (files: Int, bytes: Int64)
  }

  /// Copies a package into place and takes it into use. Nothing of a failed install is left behind.
  package func install(
    from source: String, manifest: AppManifest, grants: [String]
  ) throws(HostError) -> Installed {
    let previous = self[manifest.app.id]
    try check(manifest, against: previous)
    let directory = AppDirectory(dataDirectory: dataDirectory, appID: manifest.app.id)
    let name = try freeVersionName(directory, build: manifest.app.build)
    let staging = directory.version(Self.stagingPrefix + name)
    _ = TreeRemoval.remove(staging)
    var isPlaced = false
    do {
      try prepare(directory)
      guard mkdir(staging, 0o755) == 0 else {
        throw DurableFile.Failure(call: "mkdir", path: staging, errno: errno)
      }
      var tree = PackageTree()
      try tree.copy(from: source, to: "\(staging)/code")
      try checkFiles(of: manifest, in: "\(staging)/code")
      try DurableFile.replace(
        "\(staging)/manifest.json", with: manifest.canonicalJSON, mode: 0o644)
      guard rename(staging, directory.version(name)) == 0 else {
        throw DurableFile.Failure(call: "rename", path: staging, errno: errno)
      }
      isPlaced = true
      try DurableFile.syncDirectory(of: directory.version(name))
      var record = AppRecord(
        version: name, build: manifest.app.build, isEnabled: true, grants: grants,
        installedAt: clock.wall().rfc3339)
      if let old = previous?.record { record.keepLimits(of: old) }
      try DurableFile.replace(directory.record, with: record.json.encoded)
      let app = InstalledApp(manifest: manifest, record: record, directory: directory)
      apps.withLock { $0[app.id] = app }
      return Installed(
        app: app, previousBuild: previous?.record.build,
        totals: (tree.totals.entries, tree.totals.bytes))
    } catch {
      _ = TreeRemoval.remove(staging)
      // Unless the record already names it: then only the last sync failed, and the code must stay.
      if isPlaced, (try? read(directory))?.record.version != name {
        _ = TreeRemoval.remove(directory.version(name))
      }
      if previous == nil { discardEmpty(directory) }
      throw Self.installError(error)
    }
  }

  private static func installError(_ error: any Error) -> HostError {
    if let error = error as? HostError { return error }
    if let failure = error as? DurableFile.Failure, [ENOSPC, EDQUOT].contains(failure.errno) {
      return HostError(
        .internal, "disk_full", "the disk is full; free some space and install again",
        log: failure.description)
    }
    return HostError(.internal, "install", "the app could not be installed: \(error)")
  }

  private func check(
    _ manifest: AppManifest, against previous: InstalledApp?
  ) throws(HostError) {
    let build = manifest.app.build
    if let previous, previous.record.build > build {
      throw HostError(
        .conflict, "downgrade",
        "build \(previous.record.build) of \(manifest.app.id) is installed and \(build) is older; "
          + "raise app.build or uninstall the app first")
    }
    if let previous, let oldest = manifest.app.upgradeFrom, previous.record.build < oldest {
      throw HostError(
        .conflict, "upgrade_from",
        "this build upgrades data from build \(oldest) on, and \(previous.record.build) is "
          + "installed; install a build in between first")
    }
    let taken = all.first {
      $0.manifest.app.origin == manifest.app.origin && $0.id != manifest.app.id
    }
    if let taken {
      throw HostError(
        .conflict, "origin",
        "\(taken.id) already answers at \(manifest.app.origin).localhost; "
          + "give this app another name with app.origin in its manifest")
    }
  }

  /// Assets and migrations that the manifest names must be there.
  private func checkFiles(of manifest: AppManifest, in code: String) throws(HostError) {
    let named =
      [manifest.http.assets.map { ("http.assets", $0) }].compactMap { $0 }
      + manifest.databases.compactMap { database in
        database.migrations.map { ("sqlite.\(database.name).migrations", $0) }
      }
    for (key, path) in named {
      var facts = stat()
      guard lstat("\(code)/\(path)", &facts) == 0, facts.st_mode & S_IFMT == S_IFDIR else {
        throw HostError(.params, "package", "\(key): there is no directory \(path) in the app")
      }
    }
  }

  private func prepare(_ directory: AppDirectory) throws(DurableFile.Failure) {
    for path in [directory.versions, directory.sql, directory.data, directory.log] {
      try DurableFile.makeDirectory(path)
    }
  }

  /// Removes what `prepare` made, as long as it is empty: data of an earlier install stays.
  private func discardEmpty(_ directory: AppDirectory) {
    for path in [
      directory.versions, directory.sql, directory.data, directory.log, directory.path,
    ] { rmdir(path) }
  }

  private func freeVersionName(
    _ directory: AppDirectory, build: Int64
  ) throws(HostError) -> String {
    for attempt in 1...10_000 {
      let name = attempt == 1 ? "\(build)" : "\(build)-\(attempt)"
      if access(directory.version(name), F_OK) != 0 { return name }
    }
    throw HostError(
      .conflict, "versions", "build \(build) was installed too often; raise app.build")
  }

  /// Removes versions nobody uses any more, all but the current and the one before.
  package func pruneVersions(of id: String, keeping previous: String?) {
    guard let app = self[id],
      let names = try? DirectoryListing.names(of: app.directory.versions).map(\.shown)
    else { return }
    for name in names where ![app.record.version, previous].contains(name) {
      _ = TreeRemoval.remove(app.directory.version(name))
    }
  }

  /// Writes a changed record.
  package func update(
    _ id: String, _ change: (inout AppRecord) -> Void
  ) throws(HostError) -> InstalledApp {
    guard var app = self[id] else {
      throw HostError(.notFound, "app", "no app \(id) is installed; see bulkhead ps")
    }
    change(&app.record)
    do throws(DurableFile.Failure) {
      try DurableFile.replace(app.directory.record, with: app.record.json.encoded)
    } catch {
      throw HostError(.internal, "record", "the app's record could not be written", log: "\(error)")
    }
    apps.withLock { $0[id] = app }
    return app
  }

  /// Forgets an app and removes its directory; with `keepData`, only its code and its record.
  ///
  /// - Returns: paths that could not be removed.
  package func uninstall(_ id: String, keepData: Bool) throws(HostError) -> [String] {
    guard let app = self[id] else {
      throw HostError(.notFound, "app", "no app \(id) is installed; see bulkhead ps")
    }
    // Without its record an app does not exist: from here on a crash leaves only leftovers.
    guard unlink(app.directory.record) == 0 || errno == ENOENT else {
      let reason = String(cString: strerror(errno))
      throw HostError(.internal, "record", "the app's record could not be removed: \(reason)")
    }
    apps.withLock { $0[id] = nil }
    // Best effort: if the record came back after a power cut, `load` would name the app as broken.
    try? DurableFile.syncDirectory(of: app.directory.record)
    guard !keepData else { return TreeRemoval.remove(app.directory.versions) }
    // Out of the way first, so that a host killed half way finishes the removal at its next start.
    let removing = "\(dataDirectory)/apps/\(Self.removingPrefix)\(id)"
    _ = TreeRemoval.remove(removing)
    guard rename(app.directory.path, removing) == 0 else {
      return TreeRemoval.remove(app.directory.path)
    }
    return TreeRemoval.remove(removing)
  }
}

extension AppRecord {
  /// Limits the operator set survive an upgrade.
  fileprivate mutating func keepLimits(of old: AppRecord) {
    memoryBytesMax = old.memoryBytesMax
    cpuMillicoresMax = old.cpuMillicoresMax
    processesMax = old.processesMax
    storageBytesMax = old.storageBytesMax
    isEnabled = old.isEnabled
  }
}
