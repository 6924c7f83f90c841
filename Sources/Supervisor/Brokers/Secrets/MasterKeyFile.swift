// SPDX-License-Identifier: Apache-2.0
import Glibc

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// Where the master key is kept: a file of mode 0600 that belongs to the host, or a credential of systemd
/// (https://systemd.io/CREDENTIALS), which the host only reads.
///
/// The text is one line `bulkhead-master-key 1`, then one key a line in base64, the current one first.
package struct MasterKeyFile: Sendable {
  package let path: String
  /// A credential is written by whoever starts the host, never by the host.
  package let isReadOnly: Bool

  package init(path: String, isReadOnly: Bool = false) {
    self.path = path
    self.isReadOnly = isReadOnly
  }

  /// The name of the credential: `LoadCredential=bulkhead-master-key:/etc/…`.
  package static let credentialName = "bulkhead-master-key"
  static let heading = "bulkhead-master-key 1"
  private static let bytesMax = 4_096
  /// Keys of one file: one in use and those a rotation has not finished with.
  static let keysMax = 16

  package enum Failure: Error, Equatable, CustomStringConvertible {
    /// Others could read or change it.
    case exposed(String)
    case invalid(String)
    case system(String)

    package var description: String {
      switch self {
      case .exposed(let why), .invalid(let why), .system(let why): why
      }
    }
  }

  /// The credential if systemd gave one, the file at `path` otherwise.
  package static func locate(credentialsDirectory: String?, path: String) -> MasterKeyFile {
    if let directory = credentialsDirectory {
      let credential = "\(directory)/\(credentialName)"
      if access(credential, F_OK) == 0 { return MasterKeyFile(path: credential, isReadOnly: true) }
    }
    return MasterKeyFile(path: path)
  }

  /// The keys, or nil if there is no file. Refuses a file that is a link, not ours, or open to others.
  package func load() throws(Failure) -> MasterKeyRing? {
    var info = stat()
    guard lstat(path, &info) == 0 else {
      guard errno == ENOENT else { throw .system("the master key at \(path) cannot be looked at") }
      return nil
    }
    guard info.st_mode & S_IFMT == S_IFREG else {
      throw .exposed("the master key at \(path) is not a plain file")
    }
    guard info.st_uid == geteuid() || isReadOnly else {
      throw .exposed("the master key at \(path) belongs to user \(info.st_uid); it must be ours")
    }
    guard info.st_mode & 0o077 == 0 || isReadOnly && info.st_mode & 0o007 == 0 else {
      throw .exposed("the master key at \(path) is open to others: chmod 600 \(path)")
    }
    let bytes: [UInt8]
    do { bytes = try DurableFile.read(path, max: Self.bytesMax) } catch {
      throw .system("the master key at \(path) cannot be read")
    }
    guard let ring = Self.parse(bytes) else {
      throw .invalid(
        "the file at \(path) holds no master key: 32 bytes, raw, in hexadecimal or in base64")
    }
    return ring
  }

  /// Writes the keys whole or not at all.
  package func store(_ ring: MasterKeyRing) throws(Failure) {
    guard !isReadOnly else {
      throw .system("the master key is a credential: rotate it where the credential comes from")
    }
    let keys = ([ring.current] + ring.older).prefix(Self.keysMax)
    let lines = [Self.heading] + keys.map { Data($0.exposedBytes).base64EncodedString() }
    do throws(DurableFile.Failure) {
      try DurableFile.replace(path, with: Array((lines.joined(separator: "\n") + "\n").utf8))
    } catch {
      throw .system("the master key could not be written: \(error)")
    }
  }

  /// The keys that are there, or new ones. `wasMade` asks for a loud note: without the file nothing can be read again.
  package func loadOrGenerate(
    random: (Int) -> [UInt8]
  ) throws(Failure) -> (ring: MasterKeyRing, wasMade: Bool) {
    if let ring = try load() { return (ring, false) }
    guard let key = MasterKey(random(MasterKey.byteCount)) else {
      throw .system("the source of randomness gives no random bytes")
    }
    let ring = MasterKeyRing(current: key)
    try store(ring)
    return (ring, true)
  }

  /// Our own text, or a lone key raw, in hexadecimal or in base64.
  static func parse(_ bytes: [UInt8]) -> MasterKeyRing? {
    if bytes.count == MasterKey.byteCount {
      return MasterKey(bytes).map { MasterKeyRing(current: $0) }
    }
    let lines = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace)
      .map(String.init)
    let heading = Self.heading.split(separator: " ").map(String.init)
    let texts = Array(lines.starts(with: heading) ? lines.dropFirst(heading.count) : lines[...])
    guard (1...keysMax).contains(texts.count), lines.starts(with: heading) || texts.count == 1
    else {
      return nil
    }
    var keys: [MasterKey] = []
    for text in texts {
      guard
        let key = (hexadecimal(text) ?? Data(base64Encoded: text).map(Array.init)).flatMap({
          MasterKey($0)
        })
      else { return nil }
      keys.append(key)
    }
    return MasterKeyRing(current: keys[0], older: Array(keys.dropFirst()))
  }

  private static func hexadecimal(_ text: String) -> [UInt8]? {
    guard text.utf8.count == 2 * MasterKey.byteCount else { return nil }
    var bytes: [UInt8] = []
    var rest = text[...]
    while !rest.isEmpty {
      guard let byte = UInt8(rest.prefix(2), radix: 16), rest.first != "+", rest.first != "-" else {
        return nil
      }
      bytes.append(byte)
      rest = rest.dropFirst(2)
    }
    return bytes
  }
}
