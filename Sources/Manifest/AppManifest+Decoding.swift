// SPDX-License-Identifier: Apache-2.0

import GuestAPI

extension AppManifest {
  /// LIMIT: bytes of a manifest, as TOML or JSON.
  public static let bytesMax = 256 * 1024

  /// Reads a manifest from the JSON the tool made of `bulkhead.toml`, or from `canonicalJSON`.
  ///
  /// Throws every mistake at once, in the order of the tables; a manifest with any mistake is refused whole.
  public init(parsing bytes: [UInt8]) throws(ManifestError) {
    guard bytes.count <= Self.bytesMax else {
      throw ManifestError([
        ManifestIssue(path: "", reason: "has \(bytes.count) bytes, allowed are \(Self.bytesMax)")
      ])
    }
    let json: JSONValue
    do throws(JSONError) {
      json = try JSONParser.parse(bytes)
    } catch {
      throw ManifestError([ManifestIssue(path: "", reason: "is not JSON: \(error)")])
    }
    try self.init(json)
  }

  /// The same from a value.
  public init(_ json: JSONValue) throws(ManifestError) {
    guard let object = json.object else {
      throw ManifestError([
        ManifestIssue(path: "", reason: "is \(json.typeName), expected an object")
      ])
    }
    let issues = IssueList()
    var root = TableReader(object, path: "", issues: issues)
    _ = root.required("manifest", example: "1", placeholder: 1, .integer(1...1))
    let app = root.table("app", Self.identity)
    let run = root.table("run", Self.run)
    let limits = root.table("limits", Self.limits)
    let http = root.table("http", Self.http)
    let databases = Self.named(&root, "sqlite", max: 32, \.name, Self.database)
    let buckets = Self.named(&root, "bucket", max: 64, \.name) {
      Bucket(name: $0.resourceName("attachments"))
    }
    let secrets = Self.named(&root, "secret", max: 256, \.name, Self.secret)
    let keys = Self.named(&root, "signing_key", max: 64, \.name, Self.signingKey)
    let outbound = root.tables("outbound", max: 128, Self.outbound)
    let schedules = Self.named(&root, "schedule", max: 128, \.name, Self.schedule)
    let settings = Self.named(&root, "setting", max: 256, \.name, Self.setting)
    let identity = root.table("permissions") { table in
      table.list("identity", max: 8, .word) ?? [IdentityField]()
    }
    root.finish()
    guard issues.issues.isEmpty else { throw Self.error(issues) }
    self.init(
      app: app, run: run, limits: limits, http: http, databases: databases, buckets: buckets,
      secrets: secrets, signingKeys: keys, outbound: outbound, schedules: schedules,
      settings: settings, identity: identity.withoutRepeats)
  }

  private static func error(_ list: IssueList) -> ManifestError {
    var issues = list.issues
    if list.omitted > 0 {
      issues.append(ManifestIssue(path: "", reason: "has \(list.omitted) more mistakes"))
    }
    return ManifestError(issues)
  }

  /// An array of tables whose names must differ.
  private static func named<Value>(
    _ root: inout TableReader, _ key: String, max: Int, _ name: KeyPath<Value, String>,
    _ body: (inout TableReader) -> Value
  ) -> [Value] {
    var first: [String: Int] = [:]
    var index = 0
    let issues = root.issues
    return root.tables(key, max: max) { table in
      let value = body(&table)
      let text = value[keyPath: name]
      if let earlier = first[text], !text.isEmpty {
        issues.add(
          table.path("name"),
          Flaw("\"\(text.shortened)\" is taken by \(key)[\(earlier)]", "give it another name"))
      } else {
        first[text] = index
      }
      index += 1
      return value
    }
  }
}

extension AppManifest {
  private static func identity(_ table: inout TableReader) -> Identity {
    let id = table.required(
      "id", example: "\"org.example.journal\"", placeholder: "", .appID)
    let build = table.required("build", example: "1", placeholder: 1, .integer(1...Int64.max))
    let identity = Identity(
      id: id,
      name: table.required("name", example: "\"Journal\"", placeholder: "", .text(1...64)),
      version: table.required("version", example: "\"1.0.0\"", placeholder: "", .text(1...64)),
      build: build,
      origin: table.value("origin", default: AppIdentifier.originLabel(of: id), .originLabel),
      upgradeFrom: table.value(
        "upgrade_from", default: nil, ValueRule<Int64>.integer(1...Int64.max).optional),
      description: table.value("description", default: "", .text(0...1000)),
      authors: table.list("authors", max: 32, .text(1...256)) ?? [],
      license: table.value("license", default: "", .text(0...128)),
      homepage: table.value("homepage", default: "", .homepage),
      icon: table.value("icon", default: nil, ValueRule<String>.packagePath.optional))
    if let oldest = identity.upgradeFrom, oldest > build {
      table.add("upgrade_from", "is \(oldest), newer than this build, \(build)")
    }
    return identity
  }

  private static func run(_ table: inout TableReader) -> Run {
    let runtime = table.required(
      "runtime", example: "\"python\"", placeholder: Runtime.native, .word)
    let command = table.list("command", max: 64, .text(0...4096))
    if command == nil || command?.first?.isEmpty ?? true {
      table.add("command", "names no program", "write command = [\"python3\", \"-m\", \"journal\"]")
    }
    let environment = table.members("env", max: 64, name: environmentName, .text(0...8192))
    let idle = table.value(
      "idle_timeout", default: .minutes(15), .span(.seconds(0)...(.days(365))))
    return Run(
      runtime: runtime, command: command ?? [],
      environment: environment.map { EnvironmentVariable(name: $0.name, value: $0.value) }
        .sorted { $0.name < $1.name },
      hasDataDirectory: table.value("data_dir", default: false, .bool),
      startTimeout: table.value(
        "start_timeout", default: .seconds(10), .span(TimeSpan(milliseconds: 100)...(.minutes(10)))),
      idleTimeout: idle.milliseconds == 0 ? nil : idle,
      stopTimeout: table.value(
        "stop_timeout", default: .seconds(5), .span(TimeSpan(milliseconds: 100)...(.minutes(5)))),
      concurrencyMax: table.value("max_concurrency", default: 16, .count(1...1024)))
  }

  private static func environmentName(_ name: String) throws(Flaw) {
    let isName =
      (1...128).contains(name.utf8.count)
      && name.utf8.allSatisfy {
        (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0) || (0x30...0x39).contains($0)
          || $0 == 0x5f
      } && !(0x30...0x39).contains(name.utf8.first ?? 0x30)
    guard isName else {
      throw Flaw("is not the name of a variable", "use letters, digits and _")
    }
    guard !name.hasPrefix("BULKHEAD_") else { throw Flaw("is set by the host", "remove it") }
  }

  private static func limits(_ table: inout TableReader) -> Limits {
    Limits(
      cpuMillicores: table.value("cpu", default: 1_000, .cores(10...1_024_000)),
      memory: table.value(
        "memory", default: .mebibytes(256), .size(.mebibytes(16)...(.gibibytes(1024)))),
      processes: table.value("processes", default: 32, .count(1...4096)),
      storage: table.value(
        "storage", default: .gibibytes(1), .size(.mebibytes(1)...(.gibibytes(65_536)))))
  }

  private static func http(_ table: inout TableReader) -> HTTP {
    HTTP(
      assets: table.value("assets", default: nil, ValueRule<String>.packagePath.optional),
      publicPaths: (table.list("public", max: 64, .pathPattern) ?? []).withoutRepeats)
  }

  private static func database(_ table: inout TableReader) -> Database {
    Database(
      name: table.resourceName("main"),
      migrations: table.value(
        "migrations", default: nil, ValueRule<String>.packagePath.optional))
  }

  private static func secret(_ table: inout TableReader) -> Secret {
    Secret(
      name: table.required(
        "name", example: "\"smtp_password\"", placeholder: "", .secretName),
      description: table.value("description", default: "", .text(0...1000)),
      isRequired: table.value("required", default: false, .bool))
  }

  private static func signingKey(_ table: inout TableReader) -> SigningKey {
    SigningKey(
      name: table.resourceName("webhooks"),
      algorithm: table.value("algorithm", default: .ed25519, .word))
  }

  private static func outbound(_ table: inout TableReader) -> Outbound {
    let scheme = table.value("scheme", default: Outbound.Scheme.https, .word)
    let ports = table.list("ports", max: 32, .count(1...65_535))
    let methods = table.list("methods", max: 8, .httpMethod)
    if methods?.isEmpty ?? false {
      table.add("methods", "is empty", "leave it out for GET and HEAD")
    }
    return Outbound(
      host: table.required(
        "host", example: "\"api.example.org\"", placeholder: "", .outboundHost),
      scheme: scheme,
      ports: (ports.flatMap { $0.isEmpty ? nil : $0 } ?? [scheme == .https ? 443 : 80])
        .withoutRepeats,
      methods: (methods ?? ["GET", "HEAD"]).withoutRepeats,
      allowsPrivateAddresses: table.value("private", default: false, .bool),
      reason: table.required(
        "reason", example: "\"what the app does there\"", placeholder: "", .text(1...300)))
  }

  private static func schedule(_ table: inout TableReader) -> Schedule {
    let name = table.resourceName("digest")
    return Schedule(
      name: name,
      cron: table.required("cron", example: "\"0 7 * * 1-5\"", placeholder: "", .cron),
      timezone: table.value("timezone", default: "UTC", .timezone),
      call: table.value("call", default: name, .text(1...128)))
  }
}

extension TableReader {
  fileprivate mutating func resourceName(_ example: String) -> String {
    required("name", example: "\"\(example)\"", placeholder: "", .resourceName)
  }
}

extension Array where Element: Equatable {
  fileprivate var withoutRepeats: [Element] {
    reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
  }
}
