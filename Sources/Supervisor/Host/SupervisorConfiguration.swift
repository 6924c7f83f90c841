// SPDX-License-Identifier: Apache-2.0

/// What `bulkhead serve` was told.
public struct SupervisorConfiguration: Sendable {
  /// Keeps everything, the admin socket included.
  public var dataDirectory: String
  public var listenHost: String
  /// 0 picks a free one; what was picked is logged.
  public var listenPort: Int
  /// Addresses or CIDR blocks whose `X-Forwarded-*` and identity headers are believed.
  public var trustedProxies: [String]
  /// The header a trusted proxy names the signed-on person in; nil: nobody signs on.
  public var identityHeader: String?
  /// Layers of the sandbox the operator explicitly does without, by name.
  public var allowWeaker: [String]
  /// Event loops; nil: half the cores, at least one.
  public var threads: Int?
  /// trace, debug, info, notice, warning, error or critical.
  public var logLevel: String
  /// Where `/metrics`, `/healthz` and `/readyz` are served besides the admin socket; nil: nowhere.
  public var observation: (host: String, port: Int)?
  /// Blocked system calls are told in each app's log.
  public var development: Bool
  public var ledger: LedgerChoice

  public init(
    dataDirectory: String, listenHost: String = "127.0.0.1", listenPort: Int = 8080,
    trustedProxies: [String] = [], identityHeader: String? = nil, allowWeaker: [String] = [],
    threads: Int? = nil, logLevel: String = "info", development: Bool = false,
    observation: (host: String, port: Int)? = nil, ledger: LedgerChoice = .embedded
  ) {
    self.dataDirectory = dataDirectory
    self.listenHost = listenHost
    self.listenPort = listenPort
    self.trustedProxies = trustedProxies
    self.identityHeader = identityHeader
    self.allowWeaker = allowWeaker
    self.threads = threads
    self.logLevel = logLevel
    self.development = development
    self.observation = observation
    self.ledger = ledger
  }

  public var adminSocket: String { "\(dataDirectory)/admin.sock" }
}
