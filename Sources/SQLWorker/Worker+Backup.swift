// SPDX-License-Identifier: Apache-2.0
import Glibc
import GuestAPI
import SQLEngine

extension Worker {
  /// `sql.backup`: a copy of the database as it is now, while others go on reading and writing. With `to` it becomes
  /// a database of that name; without, its bytes are the answer's body and stream.
  func backup(_ call: Call, on thread: ServingThread) throws(HostError) -> [UInt8] {
    let database = try database(call)
    guard thread.handOver() else {
      throw HostError(.overloaded, "sql_streams", "too many statements run at once; try again")
    }
    let reader = try opened(database).takeReader()
    defer { database.giveBack(reader) }
    let target = call.params["to"]?.string
    if let target { try databases.requireRoom(for: target) }
    let part = BackupFile(directory: plan.directory)
    defer { part.remove() }
    let bytes = try thread.run(call, on: reader) { () throws(HostError) in
      try part.write(from: reader, atMost: target == nil ? nil : quota.free) {
        thread.mayContinue()
      }
    }
    if let target {
      try part.keep(as: DatabaseFile(directory: plan.directory, name: target))
      quota.note(target, bytes: bytes)
      return reply(call, ["database": .string(target), "bytes": .int(bytes)])
    }
    return try send(part, bytes, call, on: thread)
  }

  private func send(
    _ part: BackupFile, _ bytes: Int64, _ call: Call, on thread: ServingThread
  ) throws(HostError) -> [UInt8] {
    guard
      let stream = call.channel.streams.open(
        on: call.channel, credit: FrameLimits().streamCredit, max: plan.streamsMax)
    else {
      throw HostError(
        .overloaded, "sql_streams", "\(plan.streamsMax) results are being streamed already")
    }
    defer { call.channel.streams.close(stream) }
    var frame = ReplyFrame(result: call.id)
    frame.writer.value(["bytes": .int(bytes)])
    call.answer(frame.finished(stream: stream.number), flush: true)
    do throws(OutgoingStream.Failure) {
      var reader = try part.reader()
      while let piece = reader.next(FrameLimits.pieceBytes) {
        var at = 0
        while at < piece.count {
          let granted = try stream.take(
            piece.count - at, waitingAtMost: plan.streamStallMs)
          stream.send(piece[at..<(at + granted)])
          at += granted
        }
      }
      stream.send([], end: true)
    } catch {
      stream.send([], end: true, failure: "the backup was not finished: \(error)")
    }
    return []
  }
}
