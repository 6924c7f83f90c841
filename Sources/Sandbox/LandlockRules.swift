// SPDX-License-Identifier: Apache-2.0
import CHostShims

/// Landlock rules for a cell: a second, independent statement of what the mounts already say.
///
/// Rights a kernel does not know must not be named, neither as handled nor in a rule (EINVAL):
/// everything is masked by the ABI. Debian 12's own kernel has ABI 2.
package struct LandlockRules: Sendable, Equatable {
  package var handledFiles: UInt64
  package var handledNetwork: UInt64
  package var scoped: UInt64
  /// Path inside → rights.
  package var paths: [Path]

  package struct Path: Sendable, Equatable {
    package var path: String
    package var rights: UInt64
  }

  /// `readable`, `executable` and `writable` are paths inside that exist in the cell.
  package init?(
    abi: Int, executable: [String], readable: [String], writable: [String], devices: [String]
  ) {
    guard abi >= 1 else { return nil }
    let known = Self.knownFileRights(abi: abi)
    handledFiles = known
    handledNetwork = abi >= 4 ? Right.bindTCP | Right.connectTCP : 0
    scoped = abi >= 6 ? Right.abstractSockets | Right.signals : 0
    let read = Right.readFile | Right.readDirectory
    let write =
      read | Right.writeFile | Right.truncate | Right.removeDirectory | Right.removeFile
      | Right.makeDirectory | Right.makeRegular | Right.makeSocket | Right.makeFIFO
      | Right.makeLink | Right.refer
    let device = Right.readFile | Right.writeFile | Right.truncate | Right.deviceControl
    paths =
      executable.map { Path(path: $0, rights: (read | Right.execute) & known) }
      + readable.map { Path(path: $0, rights: read & known) }
      + writable.map { Path(path: $0, rights: write & known) }
      + devices.map { Path(path: $0, rights: device & known) }
  }

  static func knownFileRights(abi: Int) -> UInt64 {
    var bits = 13
    if abi >= 2 { bits = 14 }
    if abi >= 3 { bits = 15 }
    if abi >= 5 { bits = 16 }
    return (1 << UInt64(bits)) - 1
  }

  func write(to writer: inout PlanWriter) {
    writer.record(BH_REC_LANDLOCK) {
      $0.value(
        bh_landlock(handled_fs: handledFiles, handled_net: handledNetwork, scoped: scoped))
    }
    for path in paths {
      writer.record(BH_REC_LANDLOCK_PATH) {
        $0.value(path.rights)
        $0.text(path.path)
      }
    }
  }

  /// `include/uapi/linux/landlock.h`. Debian 12's headers stop at ABI 2, so the bits are here.
  enum Right {
    static let execute: UInt64 = 1 << 0
    static let writeFile: UInt64 = 1 << 1
    static let readFile: UInt64 = 1 << 2
    static let readDirectory: UInt64 = 1 << 3
    static let removeDirectory: UInt64 = 1 << 4
    static let removeFile: UInt64 = 1 << 5
    static let makeCharacterDevice: UInt64 = 1 << 6
    static let makeDirectory: UInt64 = 1 << 7
    static let makeRegular: UInt64 = 1 << 8
    static let makeSocket: UInt64 = 1 << 9
    static let makeFIFO: UInt64 = 1 << 10
    static let makeBlockDevice: UInt64 = 1 << 11
    static let makeLink: UInt64 = 1 << 12
    static let refer: UInt64 = 1 << 13
    static let truncate: UInt64 = 1 << 14
    static let deviceControl: UInt64 = 1 << 15
    static let bindTCP: UInt64 = 1 << 0
    static let connectTCP: UInt64 = 1 << 1
    static let abstractSockets: UInt64 = 1 << 0
    static let signals: UInt64 = 1 << 1
  }
}
