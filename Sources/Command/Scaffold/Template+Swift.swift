// SPDX-License-Identifier: Apache-2.0

/// A Swift package carries the sources of the kit it links: it builds anywhere, without a network.
extension Template {
  func swift() throws -> [File] {
    let kit = try KitSources.find()
    return [
      File(path: "Package.swift", text: package),
      File(path: "Makefile", text: Self.makefile),
      File(path: "Sources/App/App.swift", text: Self.app),
    ] + (try KitSources.targets.flatMap(kit.files))
  }

  private var package: String {
    """
    // swift-tools-version:6.2
    import PackageDescription

    let package = Package(
      name: "\(label)",
      targets: [
        .target(name: "Locks", path: "Kit/Locks"),
        .target(name: "GuestAPI", path: "Kit/GuestAPI"),
        .target(name: "GuestKit", dependencies: ["GuestAPI", "Locks"], path: "Kit/GuestKit"),
        .executableTarget(
          name: "App", dependencies: ["GuestKit", "GuestAPI"],
          linkerSettings: [.unsafeFlags(["-static-executable"])]),
      ],
      swiftLanguageModes: [.v6]
    )

    """
  }

  /// `-static-executable`: the guest sees no Swift runtime but its own.
  private static let makefile = """
    app: Package.swift $(shell find Sources Kit -name '*.swift')
    \tswift build -c release --product App
    \tcp .build/release/App app

    """

  private static let app = """
    import GuestAPI
    import GuestKit

    @main
    struct App {
      static func main() async throws {
        try await Guest.serve { request, host in
          guard request.path == "/visits" else {
            return .text("There is nothing here.\\n", status: 404)
          }
          let database = host.sql("main")
          try await database.execute("CREATE TABLE IF NOT EXISTS visit (at TEXT NOT NULL)")
          if request.method == "POST" {
            try await database.execute("INSERT INTO visit VALUES (datetime('now'))")
          }
          guard
            case .integer(let visits)? =
              try await database.query("SELECT count(*) FROM visit").first?[0]
          else { return .text("The database cannot count.\\n", status: 500) }
          return .json(["visits": .int(visits)])
        }
      }
    }

    """
}

/// Where this installation keeps the sources of the kit for Swift guests.
struct KitSources {
  /// What a Swift guest links, in this project's `Package.swift`.
  static let targets = ["Locks", "GuestAPI", "GuestKit"]

  private let directory: String

  /// Beside the program as installed, in the source tree it was built in, or where `BULKHEAD_KIT` says.
  static func find() throws -> KitSources {
    let program = FilePath.absolute("/proc/self/exe")
    var candidates = [Terminal.environment("BULKHEAD_KIT")].compactMap { $0 }
    var above = program
    for _ in 0..<6 {
      guard let slash = above.lastIndex(of: "/") else { break }
      above = String(above[..<slash])
      candidates += ["\(above)/share/bulkhead/swift", "\(above)/Sources"]
    }
    for candidate in candidates where FilePath.isFile("\(candidate)/GuestKit/Guest.swift") {
      return KitSources(directory: candidate)
    }
    throw CommandFailure(
      .configuration, "the kit for Swift guests was not found",
      why: "it is not beside \(program)",
      next: "name the directory that holds \(targets.joined(separator: ", ")) in BULKHEAD_KIT")
  }

  func files(_ target: String) throws -> [Template.File] {
    try files(in: "\(directory)/\(target)", as: "Kit/\(target)")
  }

  private func files(in source: String, as path: String) throws -> [Template.File] {
    try FilePath.names(in: source).flatMap { name -> [Template.File] in
      let from = "\(source)/\(name)"
      if FilePath.isDirectory(from) { return try files(in: from, as: "\(path)/\(name)") }
      guard name.hasSuffix(".swift") else { return [] }
      let bytes = try FilePath.read(from, bytesMax: 1024 * 1024)
      return [Template.File(path: "\(path)/\(name)", text: String(decoding: bytes, as: UTF8.self))]
    }
  }
}
