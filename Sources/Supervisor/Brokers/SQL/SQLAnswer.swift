// SPDX-License-Identifier: Apache-2.0
import AdminAPI
import Foundation
import GuestAPI
import NIOCore

/// A worker's answer on its way to the operator, row by row, each taken when the one before was read.
struct SQLAnswer {
  var result: JSONValue
  var rest: StreamedBody
  var rowsMax: Int?

  var lines: AsyncThrowingStream<SQLLine, any Error> {
    let reader = Reader(self)
    return AsyncThrowingStream { try await reader.next() }
  }

  /// What the operator gave, as the worker takes it: bytes are in the body.
  static func wire(_ params: [JSONValue]) throws(HostError) -> (JSONValue, ByteBuffer) {
    var body = ByteBuffer()
    var values: [JSONValue] = []
    for value in params {
      guard let text = value["base64"]?.string else {
        values.append(value)
        continue
      }
      guard let bytes = Data(base64Encoded: text) else {
        throw HostError(.params, "value", "A parameter is not base64.")
      }
      values.append(["blob": [.int(Int64(body.readableBytes)), .int(Int64(bytes.count))]])
      body.writeBytes(bytes)
    }
    return (.array(values), body)
  }

  /// SAFETY: `AsyncThrowingStream` asks for one element at a time.
  private final class Reader: @unchecked Sendable {
    private let answer: SQLAnswer
    private var pieces: StreamedBody.Iterator
    private var chunks = RowChunks()
    private var ready: ArraySlice<[RowValue]> = []
    private var rows = 0
    private var isBegun = false
    private var isEnded = false

    init(_ answer: SQLAnswer) {
      self.answer = answer
      pieces = answer.rest.makeAsyncIterator()
    }

    func next() async throws -> SQLLine? {
      guard isBegun else {
        isBegun = true
        return .columns(answer.result["columns"]?.array?.compactMap(\.string) ?? [])
      }
      guard !isEnded else { return nil }
      while ready.isEmpty, let piece = try await pieces.next() {
        do throws(RowChunks.Flaw) { ready = try chunks.receive(piece.readableBytesView)[...] } catch
        {
          throw HostError(
            .internal, "sql_rows", "The worker's rows make no sense.", log: error.reason)
        }
      }
      if let row = ready.first, answer.rowsMax.map({ rows < $0 }) ?? true {
        ready.removeFirst()
        rows += 1
        return .row(row.map(\.json))
      }
      isEnded = true
      return .end(
        SQLOutcome(
          changes: answer.result["changes"]?.int ?? 0,
          lastInsertRowID: answer.result["lastInsertRowId"]?.int ?? 0, truncated: !ready.isEmpty))
    }
  }
}

extension RowValue {
  /// As `SQLRequest` describes values.
  fileprivate var json: JSONValue {
    switch self {
    case .null: .null
    case .integer(let value): .int(value)
    case .real(let value) where value.isFinite: .double(value)
    case .real(let value): ["real": .string(value < 0 ? "-inf" : "inf")]
    case .text(let bytes):
      String(validating: bytes, as: UTF8.self).map { .string($0) } ?? Self.base64(bytes)
    case .blob(let bytes): Self.base64(bytes)
    }
  }

  private static func base64(_ bytes: [UInt8]) -> JSONValue {
    ["base64": .string(Data(bytes).base64EncodedString())]
  }
}
