// SPDX-License-Identifier: Apache-2.0
import Dispatch
import GuestAPI
import NIOCore
import SQLite

/// One app's secrets and signing keys: answers `secrets.*` and `keys.*` of its guest, and what the operator asks.
///
/// Everything happens on one serial queue, so that of concurrent callers one is first. The app's `state.sqlite` is opened
/// at the first use.
///
/// SAFETY: `services` is confined to `queue`.
package final class AppVault: Broker, @unchecked Sendable {
  private struct Services {
    var secretStore: SecretStore
    var keyStore: KeyStore
    var secrets: SecretService
    var keys: KeyService
  }

  /// What comes from outside: the clocks and the randomness.
  package struct Environment: Sendable {
    /// Seconds since 1970.
    var now: @Sendable () -> Int64
    /// A monotonic clock.
    var nowNanoseconds: @Sendable () -> Int64
    /// Bytes nobody can foretell.
    var random: @Sendable (Int) -> [UInt8]

    package init(
      now: @escaping @Sendable () -> Int64, nowNanoseconds: @escaping @Sendable () -> Int64,
      random: @escaping @Sendable (Int) -> [UInt8]
    ) {
      self.now = now
      self.nowNanoseconds = nowNanoseconds
      self.random = random
    }
  }

  private let app: String
  private let path: String
  private let ring: KeyRing
  private let rate: SigningRate
  private let storage: StorageAccount?
  private let environment: Environment
  private let queue: DispatchQueue
  private var services: Services?

  /// - Parameters:
  ///   - app: the app's id, from the registry.
  ///   - path: the app's `state.sqlite`.
  ///   - storage: what the app may keep; nil is without bound.
  package init(
    app: String, path: String, ring: KeyRing, rate: SigningRate = SigningRate(),
    storage: StorageAccount? = nil, environment: Environment
  ) {
    self.app = app
    self.path = path
    self.ring = ring
    self.rate = rate
    self.storage = storage
    self.environment = environment
    queue = DispatchQueue(label: "vault.\(app)")
  }

  package func handle(_ request: ServiceRequest, reply: @escaping @Sendable (ServiceReply) -> Void)
  {
    queue.async { [self] in
      do throws(HostError) {
        let services = try opened()
        let body = Array(request.body.readableBytesView)
        let answer =
          request.method.hasPrefix("keys.")
          ? try services.keys.answer(request.method, request.params, body: body)
          : try services.secrets.answer(request.method, request.params, body: body)
        reply(.result(answer.result, body: ByteBuffer(bytes: answer.body)))
      } catch {
        reply(.failure(error))
      }
    }
  }

  /// For the operator: the app's secrets.
  package func secrets<Result: Sendable>(
    _ body: @escaping @Sendable (SecretStore) throws(HostError) -> Result
  ) async throws -> Result {
    try await perform { services throws(HostError) in try body(services.secretStore) }
  }

  /// For the operator: the public halves of the app's keys.
  package func publicKeys() async throws -> [SigningKeyRecord] {
    try await perform { services throws(HostError) in try services.keyStore.list() }
  }

  /// Seals anew what an older master key sealed; gives how many values are left.
  package func rewrap() async throws -> Int {
    try await perform { services throws(HostError) in
      try services.secretStore.rewrap() + services.keyStore.rewrap()
    }
  }

  private func perform<Result: Sendable>(
    _ body: @escaping @Sendable (Services) throws(HostError) -> Result
  ) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
      queue.async { [self] in
        do throws(HostError) {
          continuation.resume(returning: try body(try opened()))
        } catch {
          continuation.resume(throwing: error)
        }
      }
    }
  }

  private func opened() throws(HostError) -> Services {
    if let services { return services }
    let connection = try connect()
    let secrets = try SecretStore(
      app: app, connection: connection, ring: ring, now: environment.now,
      random: environment.random)
    let keys = try KeyStore(
      app: app, connection: connection, ring: ring, now: environment.now,
      random: environment.random)
    let roomCheck = { [storage, path] () throws(HostError) in
      try Self.requireRoom(in: storage, path: path)
    }
    secrets.requireRoom = roomCheck
    keys.requireRoom = roomCheck
    let made = Services(
      secretStore: secrets, keyStore: keys, secrets: SecretService(store: secrets),
      keys: KeyService(store: keys, rate: rate, nowNanoseconds: environment.nowNanoseconds))
    services = made
    return made
  }

  /// Beyond the app's storage it keeps nothing new; what is there can be read and deleted.
  private static func requireRoom(in storage: StorageAccount?, path: String) throws(HostError) {
    guard let storage else { return }
    let bytes = DatabaseFiles.bytes(path)
    storage.note(.state, bytes: bytes)
    guard bytes < storage.share(of: .state) else {
      throw HostError(.quota, "storage", "the app's storage is used up; delete something first")
    }
  }

  private func connect() throws(HostError) -> SQLiteConnection {
    do throws(SQLiteError) {
      let connection = try SQLiteConnection(path: path)
      try connection.useWriteAheadLog()
      return connection
    } catch {
      throw StateTransaction.failure(error)
    }
  }
}
