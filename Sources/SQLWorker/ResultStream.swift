// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import SQLEngine

/// Sends a result as `columns/1`: in one frame if it is short, otherwise the rest as a stream under credit. Memory
/// stays within a few chunks however long the result is.
struct ResultStream {
  let call: Call
  let worker: Worker
  let thread: ServingThread
  private let limits = FrameLimits()

  init(call: Call, worker: Worker, thread: ServingThread) {
    self.call = call
    self.worker = worker
    self.thread = thread
  }

  /// The frame of a short result; nothing if it was streamed.
  func run(
    _ statement: PreparedStatement, on connection: GuardedConnection
  ) throws(HostError) -> [UInt8] {
    var pending: [UInt8] = []
    var changes = ChangeCount(changes: 0, lastInsertRowID: 0)
    var rows = 0
    var stream: OutgoingStream?
    var ending: HostError?
    do throws(HostError) {
      changes = try ChangeCount.counting(connection) { () throws(HostError) in
        var hasRow = try connection.step(statement)
        var chunk = RowChunkWriter(columns: statement.columnCount)
        while hasRow {
          chunk.append(statement)
          rows += 1
          if chunk.size >= SQLLimits.chunkBytes {
            chunk.finish(into: &pending)
            try passOn(&pending, &stream, statement)
          }
          hasRow = try connection.step(statement)
        }
        if chunk.rows > 0 { chunk.finish(into: &pending) }
        try passOn(&pending, &stream, statement)
        if let stream { try send(&pending, on: stream) }
      }
    } catch {
      guard stream != nil else { throw error }
      ending = error
    }
    worker.statistics.add(read: rows)
    guard let stream else { return head(statement, changes).finished(body: pending) }
    call.channel.streams.close(stream)
    stream.send([], end: true, failure: ending.map { "\($0.code): \($0.message)" })
    return []
  }

  private func head(_ statement: PreparedStatement, _ changes: ChangeCount?) -> ReplyFrame {
    var frame = ReplyFrame(result: call.id)
    frame.writer.raw("{\"columns\":")
    frame.writer.raw(statement.columns())
    frame.writer.raw(",\"encoding\":\"columns/1\"")
    if let changes, !statement.isReadOnly {
      frame.writer.raw(",")
      changes.write(to: &frame.writer, safeIntegers: false)
    }
    frame.writer.raw("}")
    return frame
  }

  /// Opens the stream once the first frame is full; after that sends what credit allows without waiting for the rest.
  private func passOn(
    _ pending: inout [UInt8], _ stream: inout OutgoingStream?, _ statement: PreparedStatement
  ) throws(HostError) {
    if let stream { return try send(&pending, on: stream) }
    guard pending.count > limits.streamCredit else { return }
    // A writing statement has done its work by its first row: it must not wait for a reader with the database held.
    guard statement.isReadOnly else {
      throw SQLFailure.tooLarge("what RETURNING gives is over \(limits.streamCredit) bytes")
    }
    guard
      let opened = call.channel.streams.open(
        on: call.channel, credit: 0, max: worker.plan.streamsMax)
    else {
      throw HostError(
        .overloaded, "sql_streams", "\(worker.plan.streamsMax) results are being streamed already")
    }
    // Credit is read by another thread while this one waits for it.
    guard thread.handOver() else {
      call.channel.streams.close(opened)
      throw HostError(.overloaded, "sql_streams", "too many statements run at once; try again")
    }
    let first = pending.prefix(limits.streamCredit)
    let frame = head(statement, nil).finished(body: Array(first), stream: opened.number)
    pending.removeFirst(first.count)
    call.answer(frame, flush: true)
    stream = opened
  }

  private func send(_ pending: inout [UInt8], on stream: OutgoingStream) throws(HostError) {
    var at = 0
    while at < pending.count {
      let granted = try take(min(FrameLimits.pieceBytes, pending.count - at), of: stream)
      stream.send(pending[at..<(at + granted)])
      at += granted
    }
    pending.removeAll(keepingCapacity: true)
  }

  private func take(_ wanted: Int, of stream: OutgoingStream) throws(HostError) -> Int {
    var granted: Result<Int, OutgoingStream.Failure> = .failure(.stopped)
    let take = { () -> Bool in
      do throws(OutgoingStream.Failure) {
        granted = .success(
          try stream.take(wanted, waitingAtMost: worker.plan.streamStallMs))
        return true
      } catch {
        granted = .failure(error)
        return false
      }
    }
    _ = stream.hasCredit ? take() : thread.pause(take)
    switch granted {
    case .success(let bytes): return bytes
    case .failure(.stopped): throw SQLFailure.cancelled
    case .failure(.stalled):
      throw HostError(
        .deadline, "stream",
        "no credit came for \(worker.plan.streamStallMs) ms; the rest of the result was dropped")
    }
  }
}

extension ReplyFrame {
  consuming func finished(body: [UInt8], stream: Int64? = nil) -> [UInt8] {
    self.body = body
    return finished(stream: stream)
  }
}
