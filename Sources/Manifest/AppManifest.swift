// SPDX-License-Identifier: Apache-2.0

/// What an app is, how it runs and what it asks for: `bulkhead.toml` as a checked value.
///
/// A value of this type obeys every rule of `docs/MANIFEST.md`; it is made by `init(_:)` from JSON and written back
/// by `json`. Defaults are filled in, so that a reader never has to know them.
public struct AppManifest: Sendable, Equatable {
  /// The version of the manifest's format.
  public static let format = 1

  public var app: Identity
  public var run: Run
  public var limits: Limits
  public var http: HTTP
  public var databases: [Database]
  public var buckets: [Bucket]
  public var secrets: [Secret]
  public var signingKeys: [SigningKey]
  public var outbound: [Outbound]
  public var schedules: [Schedule]
  public var settings: [Setting]
  /// What of a signed-on person's identity the app is told.
  public var identity: [IdentityField]
}

extension AppManifest {
  /// `[app]`
  public struct Identity: Sendable, Equatable {
    /// Reverse DNS, lower case, at most 128 bytes. Never changes.
    public var id: String
    /// For people.
    public var name: String
    /// For people; not compared.
    public var version: String
    /// From 1 up; decides newer and older.
    public var build: Int64
    /// A DNS label: the app is served at `http://<origin>.localhost:PORT/`.
    public var origin: String
    /// The oldest build whose data this one can read; nil where any will do.
    public var upgradeFrom: Int64?
    public var description: String
    public var authors: [String]
    public var license: String
    public var homepage: String
    /// A file of the package.
    public var icon: String?
  }

  public enum Runtime: String, Sendable, CaseIterable {
    case python, node, deno, native
  }

  /// `[run]`
  public struct Run: Sendable, Equatable {
    public var runtime: Runtime
    /// The program and its arguments; never empty.
    public var command: [String]
    /// Environment variables, sorted by name.
    public var environment: [EnvironmentVariable]
    /// Whether the app has a private directory with a quota.
    public var hasDataDirectory: Bool
    /// From the start of the process to its answer to `initialize`.
    public var startTimeout: TimeSpan
    /// How long without work until the guest is stopped; nil for never.
    public var idleTimeout: TimeSpan?
    /// From `shutdown` to the kill.
    public var stopTimeout: TimeSpan
    /// Calls in flight.
    public var concurrencyMax: Int
  }

  public struct EnvironmentVariable: Sendable, Equatable {
    public var name: String
    public var value: String
  }

  /// `[limits]`: the operator may lower them.
  public struct Limits: Sendable, Equatable {
    /// Thousandths of a core.
    public var cpuMillicores: Int
    public var memory: ByteSize
    public var processes: Int
    /// Databases, objects, data directory and logs together.
    public var storage: ByteSize
  }

  /// `[http]`
  public struct HTTP: Sendable, Equatable {
    /// A directory of the package, served by the host without waking the guest.
    public var assets: String?
    /// Paths reachable without sign-on; a `*` at the end stands for the rest.
    public var publicPaths: [String]
  }

  /// `[[sqlite]]`
  public struct Database: Sendable, Equatable {
    public var name: String
    /// A directory of the package whose `*.sql` are applied once each, in the order of their names.
    public var migrations: String?
  }

  /// `[[bucket]]`
  public struct Bucket: Sendable, Equatable {
    public var name: String
  }

  /// `[[secret]]`
  public struct Secret: Sendable, Equatable {
    public var name: String
    public var description: String
    /// Whether the app does not start before the operator has set it.
    public var isRequired: Bool
  }

  /// `[[signing_key]]`
  public struct SigningKey: Sendable, Equatable {
    public enum Algorithm: String, Sendable, CaseIterable { case ed25519 }
    public var name: String
    public var algorithm: Algorithm
  }

  /// `[[outbound]]`
  public struct Outbound: Sendable, Equatable {
    public enum Scheme: String, Sendable, CaseIterable { case https, http }
    /// A DNS name in lower case, or `*.` and one.
    public var host: String
    public var scheme: Scheme
    public var ports: [Int]
    public var methods: [String]
    /// Whether the name may resolve to a private address; the operator has to agree as well.
    public var allowsPrivateAddresses: Bool
    /// Shown to the operator.
    public var reason: String
  }

  /// `[[schedule]]`
  public struct Schedule: Sendable, Equatable {
    public var name: String
    /// As written; `CronExpression` reads it.
    public var cron: String
    /// An IANA zone.
    public var timezone: String
    /// The call the guest gets.
    public var call: String
  }

  /// `[[setting]]`
  public struct Setting: Sendable, Equatable {
    public enum Value: Sendable, Equatable {
      case string(String)
      case integer(Int64)
      case number(Double)
      case boolean(Bool)
    }
    public enum Kind: String, Sendable, CaseIterable { case string, integer, number, boolean }
    public var name: String
    public var kind: Kind
    /// Of the setting's kind; nil where the operator has to set one.
    public var defaultValue: Value?
    public var description: String
  }

  public enum IdentityField: String, Sendable, CaseIterable {
    case id, name, email, groups
  }
}
