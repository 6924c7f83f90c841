// SPDX-License-Identifier: Apache-2.0
import Glibc
import Meter

/// Where the meter's ledger is kept, as the operator chose. There is no way from one to the other by itself: what
/// cannot be had ends the start.
public enum LedgerChoice: Sendable {
  /// `DATA/meter/ledger.sqlite`.
  case embedded
  case tigerBeetle(Cluster)

  /// How a TigerBeetle cluster is reached.
  public struct Cluster: Sendable {
    /// The path of `libtb_client.so`.
    public var library: String
    /// SHA-256 sums, in hexadecimal, of libraries that may be loaded besides the one that was tried.
    public var acceptedSums: Set<String>
    /// `address:port`, more than one separated by commas.
    public var addresses: String
    public var number: UInt64
    /// 8,189 in production, 253 for a server in development mode.
    public var batchMax: Int

    public init(
      library: String, acceptedSums: Set<String> = [], addresses: String, number: UInt64 = 0,
      batchMax: Int = 8_189
    ) {
      self.library = library
      self.acceptedSums = acceptedSums
      self.addresses = addresses
      self.number = number
      self.batchMax = batchMax
    }
  }
}

extension TigerBeetleClient.Configuration {
  init(_ cluster: LedgerChoice.Cluster) {
    self.init(
      library: cluster.library,
      acceptedSums: TigerBeetleClient.knownSums.union(cluster.acceptedSums),
      addresses: cluster.addresses, cluster: UInt128(cluster.number), batchMax: cluster.batchMax)
  }
}

/// Opens the chosen ledger for the book in one directory, and sees to it that a book keeps the ledger it began with: one
/// of two halves would be missing from each.
package struct LedgerOpener {
  let directory: String
  let random: (Int) -> [UInt8]

  package init(directory: String, random: @escaping (Int) -> [UInt8]) {
    self.directory = directory
    self.random = random
  }

  /// Which cluster the book's ledger is in, and this host's name there: `CLUSTER NAME`. Absent with the embedded one.
  private var placeFile: String { "\(directory)/ledger-place" }
  private var embeddedFile: String { "\(directory)/ledger.sqlite" }

  package struct Opened {
    /// Nil for the embedded one, which the book opens itself.
    package var ledger: (any Ledger)?
    /// Two hosts that share a cluster must not share ids.
    package var host: String
  }

  package func open(_ choice: LedgerChoice) throws(SupervisorError) -> Opened {
    let place = try readPlace()
    switch choice {
    case .embedded:
      guard let place else { return Opened(ledger: nil, host: "local") }
      throw SupervisorError(
        "the ledger of this book is in TigerBeetle cluster \(place.cluster) and --ledger says sqlite; "
          + "start with --ledger tigerbeetle, or move \(directory) away to begin a new book")
    case .tigerBeetle(let cluster):
      return try openCluster(.init(cluster), place)
    }
  }

  private func openCluster(
    _ configuration: TigerBeetleClient.Configuration, _ place: (cluster: String, host: String)?
  ) throws(SupervisorError) -> Opened {
    if let place, place.cluster != "\(configuration.cluster)" {
      throw SupervisorError(
        "the ledger of this book is in TigerBeetle cluster \(place.cluster), not \(configuration.cluster); "
          + "check --tigerbeetle-cluster")
    }
    if place == nil, access(embeddedFile, F_OK) == 0 {
      throw SupervisorError(
        "the ledger of this book is \(embeddedFile) and --ledger says tigerbeetle; "
          + "start with --ledger sqlite, or move \(directory) away to begin a new book")
    }
    let ledger: TigerBeetleLedger
    do throws(LedgerError) {
      ledger = TigerBeetleLedger(client: try TigerBeetleClient(configuration))
    } catch {
      throw SupervisorError(
        "\(error) (--tigerbeetle-client \(configuration.library), from the PyPI package tigerbeetle)"
      )
    }
    do throws(LedgerError) { try ledger.waitUntilReady() } catch {
      throw SupervisorError(
        "no TigerBeetle cluster \(configuration.cluster) answers at \(configuration.addresses): \(error)"
      )
    }
    if let place { return Opened(ledger: ledger, host: place.host) }
    let name = random(16).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    do throws(DurableFile.Failure) {
      try DurableFile.replace(placeFile, with: Array("\(configuration.cluster) \(name)\n".utf8))
    } catch { throw SupervisorError("\(error)") }
    return Opened(ledger: ledger, host: name)
  }

  private func readPlace() throws(SupervisorError) -> (cluster: String, host: String)? {
    guard access(placeFile, F_OK) == 0 else { return nil }
    let text: String
    do throws(DurableFile.Failure) {
      text = String(decoding: try DurableFile.read(placeFile, max: 256), as: UTF8.self)
    } catch { throw SupervisorError("\(error)") }
    let words = text.split(whereSeparator: \.isWhitespace).map(String.init)
    guard words.count == 2 else {
      throw SupervisorError(
        "\(placeFile) does not hold a cluster and a name; restore it from a backup")
    }
    return (words[0], words[1])
  }
}
