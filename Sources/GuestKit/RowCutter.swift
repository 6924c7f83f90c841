// SPDX-License-Identifier: Apache-2.0
import GuestAPI

/// Cuts rows into chunks that fit a frame beside their statement.
struct RowCutter {
  /// Bytes of a chunk at most.
  private let room: Int

  init(_ sql: String) { room = FrameLimits().frameBytes - 2 * sql.utf8.count - 1_024 }

  func cut(_ rows: ArraySlice<[SQLValue]>) throws(GuestError) -> [[UInt8]] {
    guard let first = rows.first else { return [] }
    guard rows.allSatisfy({ $0.count == first.count }) else {
      throw refusal("rows of different lengths")
    }
    let chunk = RowChunks.encode(rows.map { $0.map(\.rowValue) })
    let isSmall = rows.count * first.count <= RowChunks.chunkValuesMax
    if chunk.count <= room, isSmall { return [chunk] }
    guard rows.count > 1 else {
      throw refusal("a row of \(chunk.count) bytes; \(room) are allowed")
    }
    // Not in halves: in parts of the size that fits if rows are alike.
    let step = max(1, min(rows.count / 2, rows.count * room / chunk.count * 9 / 10))
    var chunks: [[UInt8]] = []
    for start in stride(from: rows.startIndex, to: rows.endIndex, by: step) {
      chunks += try cut(rows[start..<min(start + step, rows.endIndex)])
    }
    return chunks
  }

  private func refusal(_ why: String) -> GuestError {
    .refused(RPCError(HostError(.params, "size", why)))
  }
}

extension SQLScope {
  /// One batch for each chunk of rows.
  func insert(_ sql: String, _ chunks: [[UInt8]]) async throws(GuestError) -> SQLOutcome {
    var total = SQLOutcome([:])
    for chunk in chunks {
      let rows: JSONValue = ["body": [0, .int(Int64(chunk.count))]]
      let statement: JSONValue = ["sql": .string(sql), "rows": rows]
      let reply = try await host.sql(
        "sql.batch", params([("statements", [statement])]), body: chunk)
      let outcome = SQLOutcome(reply.result["results"]?.array?.first ?? .null)
      total.changes += outcome.changes
      total.lastInsertRowID = outcome.lastInsertRowID
    }
    return total
  }
}

extension Duration {
  /// At least one: zero would be a wait for nothing.
  var milliseconds: Int64 {
    let (seconds, attoseconds) = components
    return max(1, seconds * 1_000 + attoseconds / 1_000_000_000_000_000)
  }
}
