// SPDX-License-Identifier: Apache-2.0
internal import CTigerBeetle

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// One client of a TigerBeetle cluster, through `libtb_client` loaded at run time. One a host: a
/// cluster takes few clients (32), and starves further ones without an error.
///
/// Blocking; one caller at a time. Every request has a deadline of ours: the library itself waits
/// for ever. After one passed, the connection is made anew, which ends what was waiting.
public final class TigerBeetleClient {
  /// How to reach a cluster, and through which library.
  public struct Configuration: Sendable {
    /// The file, such as `/usr/lib/bulkhead/libtb_client.so`. From the PyPI package `tigerbeetle`:
    /// `tigerbeetle/lib/x86_64-linux-gnu.2.27/libtb_client.so`.
    public var library: String
    /// SHA-256 sums, in hexadecimal, of libraries that may be loaded.
    public var acceptedSums: Set<String>
    /// `address:port`, more than one separated by commas.
    public var addresses: String
    public var cluster: UInt128
    /// After which a request is given up.
    public var deadlineMilliseconds: UInt32
    /// 8,189 in production, 253 for a server in development mode.
    public var batchMax: Int

    public init(
      library: String, acceptedSums: Set<String> = TigerBeetleClient.knownSums, addresses: String,
      cluster: UInt128 = 0, deadlineMilliseconds: UInt32 = 5_000, batchMax: Int = 8_189
    ) {
      self.library = library
      self.acceptedSums = acceptedSums
      self.addresses = addresses
      self.cluster = cluster
      self.deadlineMilliseconds = deadlineMilliseconds
      self.batchMax = batchMax
    }
  }

  /// Libraries that were tried: 0.17.8 from PyPI, x86_64 with glibc.
  public static let knownSums: Set<String> = [
    "9b7003995b90d1e5fcd1b657e61d01bb90958118ede0eff1f02272eb92177558"
  ]

  public let configuration: Configuration
  private let isEcho: Bool
  private let library: OpaquePointer
  private var client: OpaquePointer?

  /// Loads the library and proves, in echo mode, that it speaks 0.17, before it is let near a
  /// cluster. Does not wait for the cluster: the first request does.
  /// - Throws: `unavailable` with what to do.
  public convenience init(_ configuration: Configuration) throws(LedgerError) {
    try self.init(configuration, echo: false)
    try probe()
  }

  /// A client whose requests come back as they are. Needs no cluster.
  package static func echo(_ configuration: Configuration) throws(LedgerError) -> TigerBeetleClient
  {
    let client = try TigerBeetleClient(configuration, echo: true)
    try client.connect()
    return client
  }

  private init(_ configuration: Configuration, echo: Bool) throws(LedgerError) {
    try Self.checkSum(configuration)
    var words = [CChar](repeating: 0, count: 256)
    guard let library = bh_tb_load(configuration.library, &words, words.count) else {
      let why = String(
        decoding: words.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      throw .unavailable(why: "libtb_client cannot be loaded: \(why)")
    }
    self.configuration = configuration
    self.library = library
    isEcho = echo
  }

  deinit { if let client { bh_tb_disconnect(client) } }

  private static func checkSum(_ configuration: Configuration) throws(LedgerError) {
    guard let file = fopen(configuration.library, "rb") else {
      throw .unavailable(why: "there is no libtb_client where the configuration says")
    }
    defer { fclose(file) }
    // LIMIT: the library has about 600 KB.
    var bytes = [UInt8](repeating: 0, count: 16 << 20)
    let count = fread(&bytes, 1, bytes.count, file)
    let sum = SHA256Digest.hash(Array(bytes.prefix(count))).map { byte in
      String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
    }.joined()
    guard configuration.acceptedSums.contains(sum) else {
      throw .unavailable(
        why: "libtb_client has the SHA-256 sum \(sum), which is not accepted; "
          + "its ABI changes between versions. Use 0.17.8, or add the sum to the configuration")
    }
  }

  /// There is no version function; a library that echoes a 0.17 operation is one.
  private func probe() throws(LedgerError) {
    let echo = try TigerBeetleClient.echo(configuration)
    let sent = [UInt8](repeating: 0x5A, count: 128)
    let back: [UInt8]
    do {
      back = try echo.request(TigerBeetleOperation.createTransfers, sent)
    } catch {
      throw .unavailable(why: "libtb_client does not know the operations of 0.17 (\(error))")
    }
    guard back == sent else { throw .unavailable(why: "libtb_client failed its echo test") }
  }

  private func connect() throws(LedgerError) {
    guard client == nil else { return }
    var status: Int32 = 0
    var cluster = configuration.cluster.littleEndian
    client = withUnsafeBytes(of: &cluster) { bytes in
      bh_tb_connect(
        library, bytes.bindMemory(to: UInt8.self).baseAddress, configuration.addresses,
        isEcho ? 1 : 0, &status)
    }
    guard client != nil else {
      let why =
        status == 3 ? "the address \(configuration.addresses) is not valid" : "status \(status)"
      throw .unavailable(why: "no TigerBeetle client could be made: \(why)")
    }
  }

  private func disconnect() {
    if let client { bh_tb_disconnect(client) }
    client = nil
  }

  /// Sends bytes and waits for the answer's.
  /// - Throws: `timedOut` (it may have taken effect), or `unavailable`.
  package func request(_ operation: UInt8, _ bytes: [UInt8]) throws(LedgerError) -> [UInt8] {
    try connect()
    var result: UnsafeMutablePointer<UInt8>?
    var size: UInt32 = 0
    let status = bh_tb_request(
      client, operation, bytes, UInt32(bytes.count), configuration.deadlineMilliseconds, &result,
      &size)
    defer { free(result) }
    guard status == 0 else {
      // Whatever it was, begin anew: what waited must not pile up.
      disconnect()
      throw failure(status)
    }
    guard let result else { return [] }
    return Array(UnsafeBufferPointer(start: result, count: Int(size)))
  }

  private func failure(_ status: Int32) -> LedgerError {
    switch status {
    case Int32(BH_TB_TIMEOUT):
      .timedOut(seconds: Int((configuration.deadlineMilliseconds + 999) / 1_000))
    case 1, 7: .unavailable(why: "TigerBeetle found the batch too large; lower batchMax")
    case 2: .unavailable(why: "the cluster evicted this client: it has too many")
    case 3: .unavailable(why: "the cluster needs a newer libtb_client")
    case 4: .unavailable(why: "libtb_client is newer than the cluster; upgrade the servers first")
    case 6: .unavailable(why: "libtb_client does not know this operation")
    default: .unavailable(why: "TigerBeetle answered status \(status). \(lastLog)")
    }
  }

  private var lastLog: String {
    var words = [CChar](repeating: 0, count: 256)
    bh_tb_last_log(&words, words.count)
    return String(decoding: words.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}

/// Numbers of 0.17.
package enum TigerBeetleOperation {
  package static let lookupAccounts: UInt8 = 140
  package static let lookupTransfers: UInt8 = 141
  package static let accountTransfers: UInt8 = 142
  package static let accountBalances: UInt8 = 143
  package static let createAccounts: UInt8 = 146
  package static let createTransfers: UInt8 = 147
}
