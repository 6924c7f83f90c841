// SPDX-License-Identifier: Apache-2.0
import GuestAPI

/// Replaces the master key under running apps, in steps that each leave everything readable:
///
/// 1. the file holds the new key and the old ones, the new one first;
/// 2. every app's values are sealed anew, some rows at a time;
/// 3. the file holds the new key alone.
///
/// Killed in between, `finish` at the next start goes on with step 2.
package struct MasterKeyRotation {
  private let file: MasterKeyFile
  private let ring: KeyRing

  package init(file: MasterKeyFile, ring: KeyRing) {
    self.file = file
    self.ring = ring
  }

  /// Step 1. From here on new values are sealed with the new key.
  package func begin(random: (Int) -> [UInt8]) throws(MasterKeyFile.Failure) {
    guard let key = MasterKey(random(MasterKey.byteCount)) else {
      throw .system("the source of randomness gives no random bytes")
    }
    let rotated = ring.now.rotated(to: key)
    guard rotated.older.count < MasterKeyFile.keysMax else {
      throw .invalid(
        "\(rotated.older.count) older keys are still in use; finish those rotations first")
    }
    // On disk before anything is sealed with it.
    try file.store(rotated)
    ring.replace(with: rotated)
  }

  package var isUnderWay: Bool { !ring.now.older.isEmpty }

  /// Steps 2 and 3. `rewrap` is called for each app again and again until it says that nothing is left; an error leaves
  /// the old keys in place. A credential is not written: whoever gives it drops the old keys.
  package func finish(
    apps: [String], rewrap: (String) throws(HostError) -> Int
  ) throws(HostError) {
    guard isUnderWay else { return }
    for app in apps {
      while try rewrap(app) > 0 {}
    }
    guard !file.isReadOnly else { return }
    let settled = ring.now.settled()
    do throws(MasterKeyFile.Failure) { try file.store(settled) } catch {
      throw HostError(
        .internal, "master_key", "the rotation could not be finished", log: "\(error)")
    }
    ring.replace(with: settled)
  }
}
