// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Supervisor

/// Where `serve` keeps the meter's ledger.
struct LedgerOptions: ParsableArguments {
  enum Backend: String, CaseIterable, ExpressibleByArgument { case sqlite, tigerbeetle }

  @Option(
    name: .long,
    help: ArgumentHelp(
      "The ledger of the meter: sqlite, in the data directory, or tigerbeetle.",
      valueName: "backend"))
  var ledger: Backend = .sqlite

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Where the cluster's replicas listen: address:port, with commas between them.",
      valueName: "addresses"))
  var tigerbeetleAddress: String?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "libtb_client.so of the PyPI package tigerbeetle 0.17.8.", valueName: "path"))
  var tigerbeetleClient: String?

  @Option(name: .long, help: ArgumentHelp("The cluster's number.", valueName: "number"))
  var tigerbeetleCluster: UInt64 = 0

  @Option(
    name: .long, parsing: .singleValue,
    help: ArgumentHelp(
      "SHA-256 sum of another libtb_client that may be loaded.", valueName: "hex"))
  var tigerbeetleClientSum: [String] = []

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Most transfers in a batch: 253 for a server in development mode.", valueName: "count"))
  var tigerbeetleBatch = 8_189

  func validate() throws {
    let isNamed =
      tigerbeetleAddress != nil || tigerbeetleClient != nil || tigerbeetleCluster != 0
      || !tigerbeetleClientSum.isEmpty
    guard ledger == .tigerbeetle else {
      if isNamed {
        throw ValidationError("--tigerbeetle-… says nothing without --ledger tigerbeetle")
      }
      return
    }
    guard tigerbeetleAddress != nil, tigerbeetleClient != nil else {
      throw ValidationError(
        "--ledger tigerbeetle needs --tigerbeetle-address and --tigerbeetle-client")
    }
    guard (1...8_189).contains(tigerbeetleBatch) else {
      throw ValidationError("--tigerbeetle-batch is \(tigerbeetleBatch); allowed are 1 to 8189")
    }
  }

  var choice: LedgerChoice {
    guard ledger == .tigerbeetle, let addresses = tigerbeetleAddress,
      let library = tigerbeetleClient
    else { return .embedded }
    let sums = Set(tigerbeetleClientSum.map { $0.lowercased() })
    return .tigerBeetle(
      LedgerChoice.Cluster(
        library: FilePath.absolute(library), acceptedSums: sums, addresses: addresses,
        number: tigerbeetleCluster, batchMax: tigerbeetleBatch))
  }
}
