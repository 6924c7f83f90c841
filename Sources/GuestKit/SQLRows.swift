// SPDX-License-Identifier: Apache-2.0
import GuestAPI

/// The rows of a streamed result, once through. The worker sends on as they are read; what is read no further ends.
public struct SQLRows: AsyncSequence, Sendable {
  public typealias Element = SQLRow

  public let columns: [String]
  private let source: Source

  /// The last who holds it no longer wants the rest.
  fileprivate final class Source: Sendable {
    let body: RequestBody
    init(_ body: RequestBody) { self.body = body }
    deinit { body.abandon() }
  }

  init(_ reply: Reply) throws(GuestError) {
    guard let columns = reply.result["columns"]?.array?.compactMap(\.string),
      reply.result["encoding"] == "columns/1"
    else { throw .unexpectedAnswer("a streamed result without columns, or not as columns/1") }
    self.columns = columns
    source = Source(
      reply.stream ?? RequestBody(first: reply.body, isComplete: true) { _ in })
  }

  /// All rows that are left.
  func collect() async throws(GuestError) -> [SQLRow] {
    var rows: [SQLRow] = []
    do {
      for try await row in self { rows.append(row) }
    } catch {
      throw error as? GuestError ?? .unexpectedAnswer("\(error)")
    }
    return rows
  }

  public func makeAsyncIterator() -> Iterator { Iterator(columns: columns, source: source) }

  public struct Iterator: AsyncIteratorProtocol {
    private let columns: [String]
    private let source: Source
    private var pieces: RequestBody.Iterator
    private var chunks = RowChunks()
    private var ready: ArraySlice<[RowValue]> = []

    fileprivate init(columns: [String], source: Source) {
      self.columns = columns
      self.source = source
      pieces = source.body.makeAsyncIterator()
    }

    /// - Throws: `GuestError`.
    public mutating func next() async throws -> SQLRow? {
      while true {
        if let values = ready.popFirst() {
          guard values.count == columns.count else {
            throw GuestError.unexpectedAnswer(
              "a row of \(values.count) values, \(columns.count) columns")
          }
          return SQLRow(columns: columns, values: values.map(SQLValue.init))
        }
        guard let piece = try await piece() else { return nil }
        do throws(RowChunks.Flaw) { ready = try chunks.receive(piece)[...] } catch {
          throw GuestError.unexpectedAnswer(error.reason)
        }
      }
    }

    private mutating func piece() async throws -> [UInt8]? {
      do {
        if let piece = try await pieces.next() { return piece }
      } catch GuestError.brokenOff(let text) {
        throw GuestError(streamFailure: text)
      }
      guard !chunks.isMidChunk else {
        throw GuestError.unexpectedAnswer("the result was cut off")
      }
      return nil
    }
  }
}

extension GuestError {
  /// `<data.code>: <message>`, as the last `$/data` of a result has it.
  init(streamFailure text: String) {
    let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
    let word = parts[0].split(separator: ".", maxSplits: 1).map(String.init)
    guard parts.count == 2, let area = HostError.Area(rawValue: word[0]) else {
      self = .unexpectedAnswer("the result stopped: \(text)")
      return
    }
    self = .refused(
      RPCError(
        HostError(
          area, word.count == 2 ? word[1] : "", String(parts[1].drop { $0 == " " }))))
  }
}

extension SQLValue {
  init(_ value: RowValue) {
    switch value {
    case .null: self = .null
    case .integer(let value): self = .integer(value)
    case .real(let value): self = .real(value)
    case .text(let bytes): self = .text(String(decoding: bytes, as: UTF8.self))
    case .blob(let bytes): self = .blob(bytes)
    }
  }

  var rowValue: RowValue {
    switch self {
    case .null: .null
    case .integer(let value): .integer(value)
    // SQLite has no NaN.
    case .real(let value): value.isNaN ? .null : .real(value)
    case .text(let text): .text(Array(text.utf8))
    case .blob(let bytes): .blob(bytes)
    }
  }
}
