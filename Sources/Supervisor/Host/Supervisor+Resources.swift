// SPDX-License-Identifier: Apache-2.0
import AdminAPI
import Foundation
import Glibc
import GuestAPI
import NIOCore

extension Supervisor: ResourceOperations {
  /// What the manifest asks for and what is set, without values.
  package func secrets(_ text: String) async throws -> [SecretInfo] {
    let (app, handle) = try find(text)
    let records = try await handle.vault.secrets { store throws(HostError) in try store.list() }
    let declared = app.manifest.secrets
    var all = declared.map { secret in
      let record = records.first { $0.name == secret.name }
      return SecretInfo(
        name: secret.name, version: record.map { Int($0.version) },
        updatedAt: record.map { Date(timeIntervalSince1970: Double($0.setAt)) },
        description: secret.description, required: secret.isRequired)
    }
    for record in records where !declared.contains(where: { $0.name == record.name }) {
      all.append(SecretInfo(record))
    }
    return all.sorted { $0.name < $1.name }
  }

  package func setSecret(
    _ text: String, name: String, _ value: SecretValue
  ) async throws -> SecretInfo {
    let handle = try find(text).handle
    guard let bytes = Data(base64Encoded: value.base64).map(Array.init) else {
      throw HostError(.params, "value", "The value is not base64.")
    }
    let secret = SecretBytes(bytes)
    let record = try await handle.vault.secrets { store throws(HostError) in
      try store.set(name, secret, origin: .operator)
    }
    audit(handle, "secret \(name) was set to version \(record.version) by the operator")
    return SecretInfo(record)
  }

  package func revealSecret(_ text: String, name: String) async throws -> SecretValue {
    let handle = try find(text).handle
    // Written before the value is given: who reads it cannot do so unseen.
    audit(handle, "secret \(name) was revealed to the operator")
    let secret = try await handle.vault.secrets { store throws(HostError) in
      try store.get(name).value
    }
    return SecretValue(base64: Data(secret.bytes).base64EncodedString())
  }

  package func removeSecret(_ text: String, name: String) async throws {
    let handle = try find(text).handle
    let wasThere = try await handle.vault.secrets { store throws(HostError) in
      try store.delete(name)
    }
    guard wasThere else {
      throw HostError(.notFound, "secret", "There is no secret \(name).")
    }
    audit(handle, "secret \(name) was removed by the operator")
  }

  private func audit(_ handle: AppHandle, _ text: String) {
    handle.log.note(.audit, text)
    logger.notice("audit: \(text)", metadata: ["app": "\(handle.id)"])
  }

  package func keys(_ text: String) async throws -> [KeyInfo] {
    try await find(text).handle.vault.publicKeys().map { record in
      KeyInfo(
        name: record.name, algorithm: "Ed25519", publicKeyBase64: record.publicKey.base64,
        publicKeyPEM: record.publicKey.pem, version: Int(record.version),
        createdAt: Date(timeIntervalSince1970: Double(record.createdAt)))
    }
  }

  // MARK: The master key

  package func rotateMasterKey() async throws {
    guard apps.begin(Self.masterKeyWork) else {
      throw HostError(.overloaded, "busy", "The master key is being rotated already.")
    }
    defer { apps.finish(Self.masterKeyWork) }
    let rotation = MasterKeyRotation(file: masterKeyFile, ring: keyRing)
    do throws(MasterKeyFile.Failure) {
      try rotation.begin(random: Self.randomBytes)
    } catch {
      throw HostError(.unsupported, "master_key", "The master key was not rotated: \(error).")
    }
    logger.notice("audit: the master key is being rotated")
    try await finishRotation(rotation)
  }

  /// Goes on with a rotation that an earlier run began.
  func resumeMasterKeyRotation() {
    let rotation = MasterKeyRotation(file: masterKeyFile, ring: keyRing)
    guard rotation.isUnderWay, apps.begin(Self.masterKeyWork) else { return }
    // Its own task: apps are served meanwhile, with the old key and the new.
    Task {
      defer { apps.finish(Self.masterKeyWork) }
      do { try await finishRotation(rotation) } catch {
        logger.error("the master key's rotation did not end", metadata: ["error": "\(error)"])
      }
    }
  }

  private static let masterKeyWork = "(master key)"

  private func finishRotation(_ rotation: MasterKeyRotation) async throws {
    for handle in apps.all {
      while try await handle.vault.rewrap() > 0 {}
    }
    // What an app left that was uninstalled with its data kept, or that could not be loaded, must open later too; and
    // one that was installed over such data in the meantime. Done twice does no harm.
    let all = try await onQueue(storeQueue) { [registry] () throws(HostError) in
      try registry.directoriesWithState()
    }
    for directory in all {
      let vault = apps[directory.id]?.vault ?? vault(of: directory.id, state: directory.state)
      while try await vault.rewrap() > 0 {}
    }
    // Every app is done: this only writes the file with the new key alone.
    try rotation.finish(apps: []) { _ in 0 }
    logger.notice("audit: the master key was rotated", metadata: ["apps": "\(apps.all.count)"])
  }
}

extension SecretInfo {
  init(_ record: SecretRecord) {
    self.init(
      name: record.name, version: Int(record.version),
      updatedAt: Date(timeIntervalSince1970: Double(record.setAt)))
  }
}
