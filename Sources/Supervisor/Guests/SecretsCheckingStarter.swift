// SPDX-License-Identifier: Apache-2.0
import GuestAPI

/// Starts a guest only if the operator has set every secret its manifest says it cannot do without.
struct SecretsCheckingStarter: GuestStarter {
  let inner: any GuestStarter
  let vault: AppVault
  let required: @Sendable () -> [String]

  func start(_ guest: GuestSpec) async throws(HostError) -> StartedGuest {
    let required = required()
    if !required.isEmpty {
      let set: [String]
      do {
        set = try await vault.secrets { store throws(HostError) in try store.list() }.map(\.name)
      } catch {
        throw HostError(.internal, "secrets", "the app's secrets cannot be read", log: "\(error)")
      }
      let missing = required.filter { !set.contains($0) }
      guard missing.isEmpty else {
        throw HostError(
          .upstream, "start_failed",
          "the app needs the secret \(missing.joined(separator: ", ")): "
            + "bulkhead secret set \(guest.appID) \(missing[0])")
      }
    }
    return try await inner.start(guest)
  }
}
