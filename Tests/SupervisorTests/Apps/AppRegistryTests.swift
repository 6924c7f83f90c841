// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import GuestAPI
import Manifest
import Meter
import Supervisor
import Testing

@Suite("The registry: what is installed, on disk and after a crash", .timeLimit(.minutes(1)))
struct AppRegistryTests {
  let tree: ScratchTree

  init() throws {
    tree = try ScratchTree()
    try tree.file("app/main.py", "print(1)")
    try tree.file("app/www/index.html", "hello")
  }

  private var data: String { tree.path("data") }
  private static let id = "org.example.journal"

  private func registry() -> AppRegistry {
    AppRegistry(
      dataDirectory: data,
      clock: MeterClock(
        wall: { WallTime(seconds: 1_772_000_000) }, monotonic: { Nanoseconds(0) }))
  }

  private func manifest(
    _ id: String = AppRegistryTests.id, build: Int64 = 14, origin: String? = nil,
    upgradeFrom: Int64? = nil, assets: String? = "www"
  ) throws -> AppManifest {
    var app: JSONValue = .object(
      JSONObject([
        ("id", .string(id)), ("name", "Journal"), ("version", "1.4.0"), ("build", .int(build)),
      ]))
    func set(_ key: String, _ value: JSONValue?) {
      guard let value, var object = app.object else { return }
      object[key] = value
      app = .object(object)
    }
    set("origin", origin.map { .string($0) })
    set("upgrade_from", upgradeFrom.map { .int($0) })
    var all = JSONObject([
      ("manifest", 1), ("app", app),
      ("run", ["runtime": "python", "command": ["python3", "main.py"]]),
    ])
    if let assets { all["http"] = ["assets": .string(assets)] }
    return try AppManifest(.object(all))
  }

  @discardableResult
  private func install(
    _ registry: AppRegistry, _ manifest: AppManifest, grants: [String] = []
  ) throws -> AppRegistry.Installed {
    try registry.install(from: tree.path("app"), manifest: manifest, grants: grants)
  }

  private func refusal(_ body: () throws -> Void) -> String? {
    do {
      try body()
      return nil
    } catch {
      return (error as? HostError)?.code ?? "\(error)"
    }
  }

  // MARK: installing

  @Test("what is installed is there, and is read again by the next host")
  func install() throws {
    let first = registry()
    #expect(try first.load().isEmpty)
    let installed = try install(first, try manifest(), grants: ["sqlite main"])
    #expect(installed.previousBuild == nil)
    #expect(installed.totals.files == 3)
    #expect(installed.totals.bytes == 13)
    #expect(tree.text("data/apps/\(Self.id)/versions/14/code/main.py") == "print(1)")
    _ = try first.update(Self.id) {
      $0.isEnabled = false
      $0.memoryBytesMax = 1_000_000
    }
    let second = registry()
    #expect(try second.load().isEmpty)
    let app = try #require(second[Self.id])
    #expect(app.manifest == installed.app.manifest)
    #expect(app.record.grants == ["sqlite main"])
    #expect(app.record.installedAt == WallTime(seconds: 1_772_000_000).rfc3339)
    #expect(app.record.memoryBytesMax == 1_000_000)
    #expect(!app.record.isEnabled)
    #expect(app.assetRoot == "\(data)/apps/\(Self.id)/versions/14/code/www")
    #expect(second.find("journal")?.id == Self.id)
    #expect(second.find(Self.id)?.id == Self.id)
    #expect(second.find("nobody") == nil)
  }

  @Test(
    "an upgrade keeps data, the operator's limits and a stop; the version before is kept for a while"
  )
  func upgrade() throws {
    let registry = registry()
    try install(registry, try manifest(build: 14))
    try tree.file("data/apps/\(Self.id)/data/notes", "mine")
    _ = try registry.update(Self.id) {
      $0.isEnabled = false
      $0.processesMax = 7
    }
    try tree.file("app/main.py", "print(2)")
    let second = try install(registry, try manifest(build: 15))
    #expect(second.previousBuild == 14)
    #expect(second.app.record.processesMax == 7)
    #expect(!second.app.record.isEnabled)
    #expect(tree.text("data/apps/\(Self.id)/versions/15/code/main.py") == "print(2)")
    #expect(tree.text("data/apps/\(Self.id)/versions/14/code/main.py") == "print(1)")
    #expect(tree.text("data/apps/\(Self.id)/data/notes") == "mine")
    try install(registry, try manifest(build: 16))
    registry.pruneVersions(of: Self.id, keeping: "15")
    #expect(!tree.exists("data/apps/\(Self.id)/versions/14"))
    #expect(tree.exists("data/apps/\(Self.id)/versions/15"))
    #expect(tree.exists("data/apps/\(Self.id)/versions/16"))
  }

  @Test("the same build again gets a place of its own")
  func sameBuild() throws {
    let registry = registry()
    try install(registry, try manifest())
    let again = try install(registry, try manifest())
    #expect(again.app.record.version == "14-2")
    #expect(again.previousBuild == 14)
    #expect(try self.registry().load().isEmpty)
  }

  @Test("an older build, one that skips a step, and a taken origin are refused and change nothing")
  func refusals() throws {
    let registry = registry()
    try install(registry, try manifest(build: 14))
    let before = tree.listing("data")
    #expect(refusal { try install(registry, try manifest(build: 13)) } == "conflict.downgrade")
    #expect(
      refusal { try install(registry, try manifest(build: 20, upgradeFrom: 15)) }
        == "conflict.upgrade_from")
    #expect(
      refusal { try install(registry, try manifest("org.other.journal")) } == "conflict.origin")
    #expect(tree.listing("data") == before)
    try install(registry, try manifest("org.other.journal", origin: "other"))
    try install(registry, try manifest(build: 20, upgradeFrom: 14))
    #expect(registry.all.map(\.id) == [Self.id, "org.other.journal"])
  }

  @Test(
    "a failed install leaves nothing behind, whatever failed",
    arguments: ["link", "assets", "source", "record"])
  func failedInstall(what: String) throws {
    let registry = registry()
    #expect(try registry.load().isEmpty)
    let before = tree.listing("data")
    var manifest = try manifest()
    switch what {
    case "link": try tree.link("app/out", to: "/etc/passwd")
    case "assets": manifest = try self.manifest(assets: "nowhere")
    case "source": _ = TreeRemoval.remove(tree.path("app"))
    default: try tree.directory("data/apps/\(Self.id)/app.json.new")
    }
    let start = what == "record" ? tree.listing("data") : before
    #expect(refusal { try install(registry, manifest) } != nil)
    #expect(tree.listing("data") == start)
    #expect(registry[Self.id] == nil)
  }

  @Test(
    "a failed upgrade leaves the old version in use, and nothing of the new",
    arguments: ["link", "record"])
  func failedUpgrade(what: String) throws {
    let registry = registry()
    try install(registry, try manifest(build: 14))
    if what == "link" { try tree.link("app/out", to: "/etc/passwd") }
    if what == "record" { try tree.directory("data/apps/\(Self.id)/app.json.new") }
    let before = tree.listing("data")
    #expect(refusal { try install(registry, try manifest(build: 15)) } != nil)
    #expect(tree.listing("data") == before)
    #expect(registry[Self.id]?.record.build == 14)
    let next = self.registry()
    #expect(try next.load().isEmpty)
    #expect(next[Self.id]?.record.build == 14)
  }

  // MARK: after a crash

  @Test("killed while copying: the next host removes what was copied and installs again")
  func crashWhileCopying() throws {
    try tree.file("data/apps/\(Self.id)/versions/.staging-14/code/main.py", "half")
    let registry = registry()
    #expect(try registry.load().isEmpty)
    #expect(registry.all.isEmpty)
    #expect(!tree.exists("data/apps/\(Self.id)/versions/.staging-14"))
    try install(registry, try manifest())
    #expect(tree.text("data/apps/\(Self.id)/versions/14/code/main.py") == "print(1)")
  }

  @Test("killed between the copy and the record: not installed, or still the old build")
  func crashBeforeRecord() throws {
    try tree.file("data/apps/\(Self.id)/versions/14/code/main.py", "orphan")
    let fresh = registry()
    #expect(try fresh.load().isEmpty)
    #expect(fresh.all.isEmpty)
    let installed = try install(fresh, try manifest(build: 14))
    #expect(installed.app.record.version == "14-2")

    try tree.file("data/apps/\(Self.id)/versions/15/code/main.py", "orphan")
    try tree.file("data/apps/\(Self.id)/app.json.new", "{\"half\":")
    let next = registry()
    #expect(try next.load().isEmpty)
    #expect(next[Self.id]?.record.version == "14-2")
    let upgraded = try install(next, try manifest(build: 15))
    #expect(upgraded.app.record.version == "15-2")
    next.pruneVersions(of: Self.id, keeping: "14-2")
    #expect(!tree.exists("data/apps/\(Self.id)/versions/15"))
    #expect(!tree.exists("data/apps/\(Self.id)/versions/14"))
  }

  @Test("killed while removing: the next host finishes it")
  func crashWhileRemoving() throws {
    try tree.file("data/apps/.removing-\(Self.id)/data/notes", "mine")
    let registry = registry()
    #expect(try registry.load().isEmpty)
    #expect(tree.listing("data") == ["apps"])
    try install(registry, try manifest())
    #expect(try registry.uninstall(Self.id, keepData: false) == [])
    #expect(tree.listing("data") == ["apps"])
  }

  // MARK: what cannot be read

  @Test(
    "a record or manifest that cannot be read is a problem by name, and no other app's",
    arguments: [
      ("app.json", ""), ("app.json", "{"), ("app.json", "[]"), ("app.json", "{\"format\":2}"),
      (
        "app.json",
        #"{"format":1,"version":"../../x","build":1,"enabled":true,"grants":[],"installedAt":""}"#
      ),
      (
        "app.json",
        #"{"format":1,"version":"99","build":1,"enabled":true,"grants":[],"installedAt":""}"#
      ),
      ("versions/14/manifest.json", "{}"), ("versions/14/manifest.json", "\u{0}\u{1}"),
    ])
  func corrupt(file: String, text: String) throws {
    let first = registry()
    try install(first, try manifest())
    try install(first, try manifest("org.other.app"))
    try tree.file("data/apps/\(Self.id)/\(file)", text)
    let second = registry()
    let problems = try second.load()
    #expect(problems.map(\.directory) == ["\(data)/apps/\(Self.id)"])
    #expect(problems.first?.reason.isEmpty == false)
    #expect(second.all.map(\.id) == ["org.other.app"])
  }

  @Test("a directory under another name, and a second app at one origin, are problems by name")
  func misplaced() throws {
    let first = registry()
    try install(first, try manifest())
    rename(tree.path("data/apps/\(Self.id)"), tree.path("data/apps/org.wrong.place"))
    let second = registry()
    #expect(try second.load().first?.reason.contains(Self.id) == true)
    #expect(second.all.isEmpty)
    rename(tree.path("data/apps/org.wrong.place"), tree.path("data/apps/\(Self.id)"))

    try install(registry(), try manifest("org.zzz.journal"))
    let third = registry()
    let problems = try third.load()
    #expect(problems.map(\.directory) == ["\(data)/apps/org.zzz.journal"])
    #expect(third.all.map(\.id) == [Self.id])
  }

  @Test("a data directory that cannot be made is one clear error")
  func noDataDirectory() throws {
    try tree.file("data", "a file")
    #expect(refusal { _ = try registry().load() } == "internal.data")
  }

  // MARK: uninstalling

  @Test("an uninstall removes all an app owns; with keepData all but its code")
  func uninstall() throws {
    let registry = registry()
    try install(registry, try manifest())
    try tree.file("data/apps/\(Self.id)/sql/main.sqlite", "rows")
    try tree.link("data/apps/\(Self.id)/data/out", to: tree.path("app"))
    #expect(try registry.uninstall(Self.id, keepData: true) == [])
    #expect(registry[Self.id] == nil)
    #expect(tree.text("data/apps/\(Self.id)/sql/main.sqlite") == "rows")
    #expect(!tree.exists("data/apps/\(Self.id)/versions"))
    #expect(try self.registry().load().isEmpty)
    #expect(refusal { _ = try registry.uninstall(Self.id, keepData: true) } == "not_found.app")

    try install(registry, try manifest(build: 3))
    #expect(tree.text("data/apps/\(Self.id)/sql/main.sqlite") == "rows")
    #expect(try registry.uninstall(Self.id, keepData: false) == [])
    #expect(!tree.exists("data/apps/\(Self.id)"))
    #expect(tree.text("app/main.py") == "print(1)", "a planted link is not followed")
    #expect(refusal { _ = try registry.update(Self.id) { _ in } } == "not_found.app")
  }
}
