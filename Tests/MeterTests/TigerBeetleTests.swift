// SPDX-License-Identifier: Apache-2.0
import CTigerBeetle
import Foundation
import Meter
import Testing

private let environment = ProcessInfo.processInfo.environment
private let library = environment["BULKHEAD_TB_CLIENT"]
private let cluster = environment["BULKHEAD_TB_ADDRESS"]

@Suite("TigerBeetle's structures")
struct TigerBeetleCodingTests {
  @Test("accounts and transfers survive the way there and back, every field")
  func roundTrip() throws {
    var account = LedgerAccount(
      id: .max - 1, ledger: 978, code: 101, flags: [.history, .debitsMustNotExceedCredits],
      userData128: 1 << 100, userData64: .max, userData32: 7)
    account.timestamp = 12
    #expect(try TigerBeetleCoding.decode(TigerBeetleCoding.encode(account)) == account)
    var transfer = LedgerTransfer(
      id: 1 << 127, debitAccountID: 3, creditAccountID: .max - 4, amount: LedgerTransfer.amountMax,
      ledger: 10, code: 22, flags: [.linked, .postPending], pendingID: 1 << 64, timeout: 9,
      userData128: 5, userData64: 6, userData32: 7)
    transfer.timestamp = 1 << 60
    #expect(try TigerBeetleCoding.decode(TigerBeetleCoding.encode(transfer)) == transfer)
  }

  @Test("amounts the embedded ledger refuses do not reach the cluster")
  func amounts() {
    let cases: [(amount: UInt128, flags: LedgerTransfer.Flags)] = [
      (1 << 63, []), (LedgerTransfer.amountMax, []), (1 << 63, .balancingDebit),
    ]
    for (amount, flags) in cases {
      let transfer = LedgerTransfer(
        id: 1, debitAccountID: 2, creditAccountID: 3, amount: amount, ledger: 1, code: 1,
        flags: flags)
      #expect(throws: LedgerError.amountTooLarge) { try TigerBeetleCoding.encode(transfer) }
    }
  }

  @Test("fields lie where the 0.17 ABI has them")
  func layout() {
    #expect(MemoryLayout<bh_tb_transfer>.offset(of: \.user_data_64) == 96)
    #expect(MemoryLayout<bh_tb_transfer>.offset(of: \.timeout) == 108)
    #expect(MemoryLayout<bh_tb_transfer>.offset(of: \.flags) == 118)
    #expect(MemoryLayout<bh_tb_account>.offset(of: \.ledger) == 112)
    #expect(MemoryLayout<bh_tb_filter>.offset(of: \.timestamp_min) == 104)
  }

  @Test("a library that is not there, or not accepted, is refused by name")
  func refused() throws {
    #expect(throws: LedgerError.self) {
      try TigerBeetleClient(.init(library: "/nowhere/libtb_client.so", addresses: "3000"))
    }
    let directory = try TemporaryDirectory()
    let path = directory.path + "/libtb_client.so"
    try Data("not a library".utf8).write(to: URL(filePath: path))
    do {
      _ = try TigerBeetleClient(.init(library: path, addresses: "3000"))
      Issue.record("loaded")
    } catch {
      #expect(error.description.contains("SHA-256"))
    }
    let sum = "a8f43b0a0b9ab1a0a3ab5e9e19c6ed5a"
    #expect(throws: LedgerError.self) {
      try TigerBeetleClient(.init(library: path, acceptedSums: [sum], addresses: "3000"))
    }
  }
}

@Suite(
  "TigerBeetle's client library",
  .enabled(
    if: library != nil,
    "no libtb_client: set BULKHEAD_TB_CLIENT to the one of the PyPI package tigerbeetle 0.17.8"))
struct TigerBeetleEchoTests {
  private func configuration(_ address: String = "127.0.0.1:1", milliseconds: UInt32 = 5_000) throws
    -> TigerBeetleClient.Configuration
  {
    .init(
      library: try #require(library), addresses: address, deadlineMilliseconds: milliseconds)
  }

  @Test("it proves itself in echo mode and gives back what it was sent, many times")
  func echo() throws {
    _ = try TigerBeetleClient(try configuration())
    let client = try TigerBeetleClient.echo(try configuration())
    for number in 1...200 {
      let events = (0..<(number % 30 + 1)).map { index in
        LedgerTransfer(
          id: UInt128(number) << 64 | UInt128(index + 1), debitAccountID: 1, creditAccountID: 2,
          amount: UInt128(number), ledger: 1, code: 1)
      }
      let sent = TigerBeetleCoding.bytes(try events.map(TigerBeetleCoding.encode))
      let back = try client.request(TigerBeetleOperation.createTransfers, sent)
      let values = try TigerBeetleCoding.values(back, of: bh_tb_transfer.self)
      #expect(values.map(TigerBeetleCoding.decode) == events)
    }
  }

  @Test("an operation it does not know is refused, and the client goes on")
  func unknownOperation() throws {
    let client = try TigerBeetleClient.echo(try configuration())
    #expect(throws: LedgerError.self) { try client.request(1, [UInt8](repeating: 0, count: 128)) }
    let sent = [UInt8](repeating: 1, count: 128)
    #expect(try client.request(TigerBeetleOperation.createTransfers, sent) == sent)
  }

  @Test("without a server a request ends at its deadline, again and again")
  func deadline() throws {
    let client = try TigerBeetleClient(try configuration(milliseconds: 200))
    let ledger = TigerBeetleLedger(client: client)
    for _ in 0..<3 {
      #expect(throws: LedgerError.timedOut(seconds: 1)) { try ledger.waitUntilReady() }
    }
  }

  @Test("an address that is none is refused by name")
  func address() throws {
    do {
      _ = try TigerBeetleClient(try configuration("nonsense"))
      Issue.record("connected")
    } catch {
      #expect("\(error)".contains("nonsense"))
    }
  }
}

@Suite(
  "A TigerBeetle cluster against recorded answers",
  .enabled(
    if: library != nil && cluster != nil,
    "no TigerBeetle server: set BULKHEAD_TB_CLIENT and BULKHEAD_TB_ADDRESS to an empty cluster"))
struct TigerBeetleConformanceTests {
  @Test("every batch is answered as recorded")
  func vectors() throws {
    // The seeds use the same ids, so an empty cluster takes one of them.
    let client = try TigerBeetleClient(
      .init(library: try #require(library), addresses: try #require(cluster), batchMax: 253))
    let ledger = TigerBeetleLedger(client: client)
    try ledger.waitUntilReady()
    let wrong = try mismatches(of: ledger, with: try LedgerVectors(seed: 1))
    #expect(wrong.isEmpty, "\(wrong.prefix(5).joined(separator: "\n"))")
  }
}
