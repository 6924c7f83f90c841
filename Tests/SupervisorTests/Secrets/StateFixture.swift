// SPDX-License-Identifier: Apache-2.0
import Foundation
import GuestAPI
import SQLite
import Supervisor

/// An app's `state.sqlite` in a directory of its own, with keys and randomness that a seed decides.
final class StateFixture {
  let directory: String
  var path: String { "\(directory)/state.sqlite" }
  let ring: KeyRing
  /// Seconds since 1970, as the stores are told.
  var now: Int64 = 1_700_000_000

  init(ring: KeyRing? = nil) throws {
    let url = FileManager.default.temporaryDirectory.appending(path: "state-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    directory = url.path
    self.ring = try ring ?? KeyRing(MasterKeyRing(current: Self.master(1)))
  }

  deinit { try? FileManager.default.removeItem(atPath: directory) }

  struct NoKey: Error {}

  static func master(_ seed: UInt64) throws -> MasterKey {
    guard let key = MasterKey(SeededBytes(seed).take(32)) else { throw NoKey() }
    return key
  }

  func connect() throws -> SQLiteConnection {
    let connection = try SQLiteConnection(path: path)
    try connection.useWriteAheadLog()
    return connection
  }

  func secrets(app: String = "org.example.a", seed: UInt64 = 7) throws -> SecretStore {
    let bytes = SeededBytes(seed)
    return try SecretStore(
      app: app, connection: try connect(), ring: ring, now: { [unowned self] in now },
      random: { bytes.take($0) })
  }

  func keys(app: String = "org.example.a", random: ((Int) -> [UInt8])? = nil) throws -> KeyStore {
    let bytes = SeededBytes(9)
    return try KeyStore(
      app: app, connection: try connect(), ring: ring, now: { [unowned self] in now },
      random: random ?? { bytes.take($0) })
  }

  /// Everything that stands on disk.
  func bytesOnDisk() -> Data {
    ["", "-wal"].reduce(into: Data()) { all, suffix in
      all += (try? Data(contentsOf: URL(fileURLWithPath: path + suffix))) ?? Data()
    }
  }
}

/// Bytes that a seed decides (SplitMix64).
final class SeededBytes {
  private var state: UInt64
  init(_ seed: UInt64) { state = seed }

  func take(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in
      state &+= 0x9e37_79b9_7f4a_7c15
      var z = state
      z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
      z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
      return UInt8(truncatingIfNeeded: z ^ (z >> 31))
    }
  }
}

func bytes(hex: String) -> [UInt8] {
  stride(from: 0, to: hex.count, by: 2).compactMap { at in
    let start = hex.index(hex.startIndex, offsetBy: at)
    return UInt8(hex[start..<hex.index(start, offsetBy: 2)], radix: 16)
  }
}
