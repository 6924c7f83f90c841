// SPDX-License-Identifier: Apache-2.0

/// A value of a row as `columns/1` has it (docs/SQL.md). Text is bytes: SQLite does not promise that they are UTF-8.
public enum RowValue: Sendable, Equatable {
  case null
  case integer(Int64)
  case real(Double)
  case text([UInt8])
  case blob([UInt8])
}

/// Cuts what comes of a streamed result into chunks of `columns/1`, wherever the pieces end, and gives their rows.
public struct RowChunks: Sendable {
  /// What is no chunk, and why.
  public struct Flaw: Error, Sendable, Equatable {
    public let reason: String
  }

  /// LIMIT: bytes of one chunk. The worker's are of 64 KiB, or of one row that is longer.
  public static let chunkBytesMax = 16 << 20
  /// LIMIT: values of one chunk. Each takes a byte of the worker's 64 KiB at least, and a row has 1,000 at most.
  public static let chunkValuesMax = 131_072

  private var pending: [UInt8] = []

  public init() {}

  /// Whether a chunk has begun and not ended.
  public var isMidChunk: Bool { !pending.isEmpty }

  /// Takes the next bytes and gives the rows of every chunk that is whole now.
  public mutating func receive(_ piece: some Collection<UInt8>) throws(Flaw) -> [[RowValue]] {
    pending += piece
    var rows: [[RowValue]] = []
    var start = 0
    while pending.count - start >= 4 {
      let length = (0..<4).reduce(0) { $0 | Int(pending[start + $1]) << (8 * $1) }
      guard length <= Self.chunkBytesMax else {
        throw Flaw(reason: "a chunk of \(length) bytes; \(Self.chunkBytesMax) are allowed")
      }
      guard pending.count - start - 4 >= length else { break }
      let chunk = start + 4..<start + 4 + length
      let found = pending.withUnsafeBytes { bytes -> Result<[[RowValue]], Flaw> in
        var reader = ChunkReader(bytes: UnsafeRawBufferPointer(rebasing: bytes[chunk]))
        do throws(Flaw) { return .success(try reader.rows()) } catch { return .failure(error) }
      }
      rows += try found.get()
      start = chunk.upperBound
    }
    pending.removeFirst(start)
    return rows
  }
}

extension RowChunks {
  /// The rows as one chunk, each column as values of any kind; all rows are as long as the first.
  public static func encode(_ rows: some Collection<[RowValue]>) -> [UInt8] {
    var out: [UInt8] = [0, 0, 0, 0]
    func append(_ value: some FixedWidthInteger) {
      withUnsafeBytes(of: value.littleEndian) { out += $0 }
    }
    let columns = rows.first?.count ?? 0
    append(UInt32(rows.count))
    append(UInt32(columns))
    for index in 0..<columns {
      out.append(5)
      for row in rows { out.append(row[index].kind) }
      for row in rows { if case .integer(let value) = row[index] { append(value) } }
      for row in rows { if case .real(let value) = row[index] { append(value.bitPattern) } }
      for row in rows { if let bytes = row[index].bytes { append(UInt32(bytes.count)) } }
      for row in rows { if let bytes = row[index].bytes { out += bytes } }
    }
    let length = UInt32(out.count - 4)
    for byte in 0..<4 { out[byte] = UInt8(truncatingIfNeeded: length >> (8 * byte)) }
    return out
  }
}

extension RowValue {
  fileprivate var kind: UInt8 {
    switch self {
    case .null: 0
    case .integer: 1
    case .real: 2
    case .text: 3
    case .blob: 4
    }
  }

  fileprivate var bytes: [UInt8]? {
    switch self {
    case .text(let bytes), .blob(let bytes): bytes
    default: nil
    }
  }
}

/// One chunk without its length. Every count is checked against the bytes that are there before it is believed.
private struct ChunkReader {
  let bytes: UnsafeRawBufferPointer
  private var at = 0

  init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  mutating func rows() throws(RowChunks.Flaw) -> [[RowValue]] {
    let header = try take(8)
    let (count, columns) = (number(header, 0), number(header, 1))
    guard columns > 0 || count == 0, columns <= bytes.count,
      count.multipliedReportingOverflow(by: columns).partialValue <= RowChunks.chunkValuesMax,
      count <= RowChunks.chunkValuesMax
    else {
      throw RowChunks.Flaw(reason: "a chunk of \(count) rows and \(columns) columns")
    }
    var rows = (0..<count).map { _ in
      var row: [RowValue] = []
      row.reserveCapacity(columns)
      return row
    }
    for _ in 0..<columns {
      let values = try column(rows: count)
      for index in rows.indices { rows[index].append(values[index]) }
    }
    guard at == bytes.count else {
      throw RowChunks.Flaw(reason: "\(bytes.count - at) bytes are left over")
    }
    return rows
  }

  private mutating func column(rows: Int) throws(RowChunks.Flaw) -> [RowValue] {
    let kind = try take(1)[0]
    let kinds: [UInt8]
    if kind == 5 {
      kinds = Array(try take(rows))
    } else {
      // A column of NULL alone takes no bytes: the header's check bounds its rows.
      kinds = Array(repeating: kind, count: rows)
    }
    guard kinds.allSatisfy({ $0 < 5 }) else {
      throw RowChunks.Flaw(reason: "a value of no known kind")
    }
    let texts = kinds.count { $0 >= 3 }
    let ints = try take(8 * kinds.count { $0 == 1 })
    let reals = try take(8 * kinds.count { $0 == 2 })
    let lengths = try take(4 * texts)
    var (int, real, text) = (0, 0, 0)
    var values: [RowValue] = []
    values.reserveCapacity(rows)
    for kind in kinds {
      switch kind {
      case 1:
        values.append(.integer(Int64(bitPattern: word(ints, int))))
        int += 1
      case 2:
        values.append(.real(Double(bitPattern: word(reals, real))))
        real += 1
      case 3, 4:
        let slice = Array(try take(number(lengths, text)))
        values.append(kind == 3 ? .text(slice) : .blob(slice))
        text += 1
      default: values.append(.null)
      }
    }
    return values
  }

  private mutating func take(_ count: Int) throws(RowChunks.Flaw) -> UnsafeRawBufferPointer {
    guard count <= bytes.count - at else { throw RowChunks.Flaw(reason: "a column is cut off") }
    defer { at += count }
    return UnsafeRawBufferPointer(rebasing: bytes[at..<at + count])
  }

  private func number(_ words: UnsafeRawBufferPointer, _ index: Int) -> Int {
    Int(UInt32(littleEndian: words.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self)))
  }

  private func word(_ words: UnsafeRawBufferPointer, _ index: Int) -> UInt64 {
    UInt64(littleEndian: words.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self))
  }
}
