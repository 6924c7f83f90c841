// SPDX-License-Identifier: Apache-2.0

import GuestAPI

extension AppManifest {
  /// The manifest as canonical JSON: every key, keys sorted by their bytes, defaults filled in, sizes in bytes, times
  /// in seconds, no white space. Two manifests that mean the same are the same bytes.
  public var canonicalJSON: [UInt8] { json.encoded }

  /// The same as a value. Absent optional values are left out, since JSON null is not a value of the manifest.
  public var json: JSONValue {
    .table([
      ("manifest", .int(Int64(Self.format))),
      ("app", app.json),
      ("run", run.json),
      ("limits", limits.json),
      (
        "http",
        .table([
          ("assets", http.assets.map(JSONValue.string)), ("public", .texts(http.publicPaths)),
        ])
      ),
      (
        "sqlite",
        .array(
          databases.map {
            .table([
              ("name", .string($0.name)), ("migrations", $0.migrations.map(JSONValue.string)),
            ])
          })
      ),
      ("bucket", .array(buckets.map { .table([("name", .string($0.name))]) })),
      ("secret", .array(secrets.map(\.json))),
      (
        "signing_key",
        .array(
          signingKeys.map {
            .table([("name", .string($0.name)), ("algorithm", .string($0.algorithm.rawValue))])
          })
      ),
      ("outbound", .array(outbound.map(\.json))),
      ("schedule", .array(schedules.map(\.json))),
      ("setting", .array(settings.map(\.json))),
      ("permissions", .table([("identity", .texts(identity.map(\.rawValue)))])),
    ])
  }
}

extension JSONValue {
  /// An object with its keys sorted; members without a value are left out.
  fileprivate static func table(_ members: [(String, JSONValue?)]) -> JSONValue {
    .object(
      JSONObject(
        members.compactMap { member in member.1.map { (key: member.0, value: $0) } }
          .sorted { Array($0.key.utf8).lexicographicallyPrecedes(Array($1.key.utf8)) }))
  }

  fileprivate static func texts(_ texts: [String]) -> JSONValue {
    .array(texts.map { .string($0) })
  }

  /// Seconds; whole ones as an integer.
  fileprivate static func seconds(_ span: TimeSpan) -> JSONValue {
    span.milliseconds.isMultiple(of: 1_000)
      ? .int(span.milliseconds / 1_000) : .double(Double(span.milliseconds) / 1_000)
  }
}

extension AppManifest.Identity {
  fileprivate var json: JSONValue {
    .table([
      ("id", .string(id)), ("name", .string(name)), ("version", .string(version)),
      ("build", .int(build)), ("origin", .string(origin)),
      ("upgrade_from", upgradeFrom.map(JSONValue.int)), ("description", .string(description)),
      ("authors", .texts(authors)), ("license", .string(license)), ("homepage", .string(homepage)),
      ("icon", icon.map(JSONValue.string)),
    ])
  }
}

extension AppManifest.Run {
  fileprivate var json: JSONValue {
    .table([
      ("runtime", .string(runtime.rawValue)), ("command", .texts(command)),
      ("env", .table(environment.map { ($0.name, .string($0.value)) })),
      ("data_dir", .bool(hasDataDirectory)), ("start_timeout", .seconds(startTimeout)),
      ("idle_timeout", .seconds(idleTimeout ?? .seconds(0))),
      ("stop_timeout", .seconds(stopTimeout)), ("max_concurrency", .int(Int64(concurrencyMax))),
    ])
  }
}

extension AppManifest.Limits {
  fileprivate var json: JSONValue {
    .table([
      ("cpu", .double(Double(cpuMillicores) / 1_000)), ("memory", .int(memory.bytes)),
      ("processes", .int(Int64(processes))), ("storage", .int(storage.bytes)),
    ])
  }
}

extension AppManifest.Secret {
  fileprivate var json: JSONValue {
    .table([
      ("name", .string(name)), ("description", .string(description)),
      ("required", .bool(isRequired)),
    ])
  }
}

extension AppManifest.Outbound {
  fileprivate var json: JSONValue {
    .table([
      ("host", .string(host)), ("scheme", .string(scheme.rawValue)),
      ("ports", .array(ports.map { .int(Int64($0)) })), ("methods", .texts(methods)),
      ("private", .bool(allowsPrivateAddresses)), ("reason", .string(reason)),
    ])
  }
}

extension AppManifest.Schedule {
  fileprivate var json: JSONValue {
    .table([
      ("name", .string(name)), ("cron", .string(cron)), ("timezone", .string(timezone)),
      ("call", .string(call)),
    ])
  }
}

extension AppManifest.Setting {
  fileprivate var json: JSONValue {
    .table([
      ("name", .string(name)), ("type", .string(kind.rawValue)), ("default", defaultValue?.json),
      ("description", .string(description)),
    ])
  }
}
