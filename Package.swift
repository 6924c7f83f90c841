// swift-tools-version:6.2
import Foundation
import PackageDescription

// Two ways to read this package:
//   swift build                                  everything
//   BULKHEAD_ONLY=Sandbox,Meter swift test       only these parts, what they need and their tests:
//                                                no third-party dependency, seconds
// The dependency rules (docs/ARCHITECTURE.md) make the second possible.
let only = ProcessInfo.processInfo.environment["BULKHEAD_ONLY"].map {
  Set($0.split(separator: ",").map(String.init))
}
let warningsAreErrors = ProcessInfo.processInfo.environment["BULKHEAD_WERROR"] != nil

/// Settings shared by every Swift target.
var strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
]
/// Without `MemberImportVisibility`: beside NIO, the C structures of Glibc (`stat`) count as members of NIO's own C
/// module, which a file that only uses Glibc must not import.
var house: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
]
if warningsAreErrors { house.append(.treatAllWarnings(as: .error)) }
if warningsAreErrors { strict.append(.treatAllWarnings(as: .error)) }

let leaves: [Target] = [
  .systemLibrary(
    name: "CSeccomp", pkgConfig: "libseccomp", providers: [.apt(["libseccomp-dev"])]),
  .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
  .target(name: "CHostShims"),

  // A mutex the sandbox lets wait.
  .target(name: "Locks", swiftSettings: strict),
  // The wire contract: bytes in, values out, no I/O, no Foundation.
  .target(name: "GuestAPI", swiftSettings: strict),
  // One thin wrapper over the SQLite C API, for the ledger, the host store and the SQL worker.
  .target(name: "SQLite", dependencies: ["CSQLite", "CHostShims"], swiftSettings: strict),
  // policy → plan → launch
  .target(name: "Sandbox", dependencies: ["CSeccomp", "CHostShims"], swiftSettings: strict),
  // samples → lines → ledger → prices → reports
  .target(name: "Meter", dependencies: ["SQLite", "CTigerBeetle"], swiftSettings: strict),
  // libtb_client, loaded at run time: nothing of it is linked.
  .target(name: "CTigerBeetle"),
  // bulkhead.toml as a validated value; canonical JSON
  .target(name: "Manifest", dependencies: ["GuestAPI"], swiftSettings: strict),
  // What a Swift guest links.
  .target(name: "GuestKit", dependencies: ["GuestAPI", "Locks"], swiftSettings: strict),

  // The process that confines itself and becomes the guest. C, static, no dependency.
  .executableTarget(
    name: "SandboxLaunch", linkerSettings: [.unsafeFlags(["-static-executable", "-nostartfiles"])]),
  // What a guest's SQL may be and how its values travel: policy, limits, binding, rows. No threads.
  .target(
    name: "SQLEngine", dependencies: ["GuestAPI", "SQLite", "CSQLite"], swiftSettings: strict),
  // Runs one app's SQL, sandboxed like its guest.
  .executableTarget(
    name: "SQLWorker", dependencies: ["SQLEngine", "Locks", "GuestAPI", "SQLite", "CSQLite"],
    swiftSettings: strict,
    linkerSettings: [.unsafeFlags(["-static-stdlib"])]),

  // A sample guest: nothing but Swift, nothing shared with the host but the socket.
  .executableTarget(
    name: "hello-swift", dependencies: ["GuestKit", "GuestAPI"],
    path: "samples/hello-swift/Sources",
    swiftSettings: strict, linkerSettings: [.unsafeFlags(["-static-executable"])]),

  // Launch of a sealed process against bwrap and bare C.
  .executableTarget(
    name: "LaunchBenchmark",
    dependencies: ["Sandbox", "SandboxLaunch", "LaunchBaseline", "Attacker"],
    path: "Benchmarks/Launch", swiftSettings: strict),
  .executableTarget(
    name: "NeighbourBenchmark", dependencies: ["Sandbox", "SandboxLaunch", "Attacker"],
    path: "Benchmarks/Neighbour", swiftSettings: strict),
  .executableTarget(
    name: "LaunchBaseline", path: "Benchmarks/LaunchBaseline",
    linkerSettings: [.unsafeFlags(["-static-executable", "-nostartfiles"])]),

  .testTarget(
    name: "GuestAPITests", dependencies: ["GuestAPI"], exclude: ["Golden"],
    swiftSettings: strict),
  // A Swift guest for the end-to-end tests.
  .executableTarget(
    name: "SwiftGuest", dependencies: ["GuestKit", "GuestAPI"], path: "Tests/SwiftGuest",
    swiftSettings: strict, linkerSettings: [.unsafeFlags(["-static-executable"])]),
  .testTarget(
    name: "GuestKitTests", dependencies: ["GuestKit", "GuestAPI"], swiftSettings: strict),
  .testTarget(name: "SQLiteTests", dependencies: ["SQLite"], swiftSettings: strict),
  // A hostile guest for the sandbox's tests.
  .executableTarget(
    name: "Attacker", path: "Tests/Attackers",
    linkerSettings: [.unsafeFlags(["-static-executable", "-nostartfiles"])]),
  // A host for the sandbox's tests to kill.
  .executableTarget(
    name: "SandboxTestHost", dependencies: ["Sandbox"], path: "Tests/TestHost",
    swiftSettings: strict),
  .testTarget(
    name: "SandboxTests",
    dependencies: [
      "Sandbox", "SandboxLaunch", "Attacker", "SandboxTestHost", "CSeccomp", "CHostShims",
    ],
    exclude: ["Golden", "hostile.py"], swiftSettings: strict),
  // Ledger and meter against a plain SQLite program; report over a year.
  .executableTarget(
    name: "MeterBenchmark", dependencies: ["Meter", "SQLite"], path: "Benchmarks/MeterBenchmark",
    swiftSettings: strict),
  .testTarget(
    name: "MeterTests", dependencies: ["Meter", "SQLite", "CTigerBeetle"],
    exclude: ["Vectors", "Golden"],
    swiftSettings: strict),
  .testTarget(
    name: "ManifestTests", dependencies: ["Manifest", "GuestAPI"], exclude: ["Golden"],
    swiftSettings: strict),
  .testTarget(
    name: "SQLWorkerTests",
    // Starts the SQLWorker that the same build leaves beside it. No dependency: its static linking would be inherited.
    dependencies: ["SQLEngine", "GuestAPI", "SQLite", "CSQLite", "CHostShims"],
    swiftSettings: strict),
  .testTarget(name: "TidyTests", swiftSettings: strict),
]

let houseTargets: [Target] = [
  // The wire shapes of the admin socket, shared by the host and the command.
  .target(name: "AdminAPI", dependencies: ["GuestAPI"], swiftSettings: house),
  .target(
    name: "Supervisor",
    dependencies: [
      "GuestAPI", "Sandbox", "Meter", "SQLite", "Manifest", "AdminAPI", "CHostShims",
      .product(name: "NIOCore", package: "swift-nio"),
      .product(name: "NIOPosix", package: "swift-nio"),
      .product(name: "NIOHTTP1", package: "swift-nio"),
      .product(name: "Hummingbird", package: "hummingbird"),
      .product(name: "Logging", package: "swift-log"),
      .product(name: "Crypto", package: "swift-crypto"),
    ],
    swiftSettings: house),
  // The command: arguments in, the admin socket or the supervisor behind.
  .target(
    name: "Command",
    dependencies: [
      "Supervisor", "AdminAPI", "Manifest", "GuestAPI",
      .product(name: "ArgumentParser", package: "swift-argument-parser"),
      .product(name: "Logging", package: "swift-log"),
      .product(name: "TOMLKit", package: "TOMLKit"),
    ],
    swiftSettings: house),
  // Its entry point alone: what a test links must not carry the flags of a static executable.
  // The five libraries are what static Foundation needs and -static-stdlib does not name.
  .executableTarget(
    name: "bulkhead", dependencies: ["Command"], swiftSettings: house,
    linkerSettings: [
      .unsafeFlags([
        "-static-stdlib", "-l_FoundationCShims", "-l_FoundationCollections", "-lCoreFoundation",
        "-lFoundationInternationalization", "-l_FoundationICU",
      ])
    ]),
  .testTarget(
    name: "CommandTests", dependencies: ["Command", "AdminAPI", "Manifest", "GuestAPI"],
    swiftSettings: house),
  .testTarget(
    name: "SupervisorTests",
    dependencies: [
      "Supervisor", "GuestAPI", "Manifest", "AdminAPI", "Meter",
      .product(name: "NIOCore", package: "swift-nio"),
      .product(name: "NIOPosix", package: "swift-nio"),
      .product(name: "NIOHTTP1", package: "swift-nio"),
      .product(name: "NIOEmbedded", package: "swift-nio"),
      .product(name: "Logging", package: "swift-log"),
    ],
    swiftSettings: house),
]

/// The named leaves, all they depend on, and their tests.
func closure(of names: Set<String>, in targets: [Target]) -> [Target] {
  var kept = names.union(names.map { "\($0)Tests" })
  var grew = true
  while grew {
    grew = false
    for target in targets where kept.contains(target.name) {
      for case .byNameItem(let name, _) in target.dependencies where !kept.contains(name) {
        kept.insert(name)
        grew = true
      }
    }
  }
  return targets.filter { kept.contains($0.name) }
}

let package = Package(
  name: "bulkhead",
  products: only == nil ? [.library(name: "GuestKit", targets: ["GuestKit"])] : [],
  dependencies: only != nil
    ? []
    : [
      .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.0"),
      .package(
        url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.0", traits: []),
      .package(url: "https://github.com/apple/swift-log.git", from: "1.16.0"),
      .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.0"),
      .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.0"),
      .package(url: "https://github.com/LebJe/TOMLKit.git", from: "0.6.0"),
    ],
  targets: only.map { closure(of: $0, in: leaves) } ?? (leaves + houseTargets)
)
