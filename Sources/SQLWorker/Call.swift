// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import Synchronization

/// One request on its way to exactly one answer.
final class Call: Sendable {
  let id: RequestID
  let method: String
  let params: JSONValue
  let body: [UInt8]
  let channel: Channel
  /// When the answer is due, monotonic nanoseconds.
  let deadline: UInt64
  private let isAnswered = Atomic<Bool>(false)
  private let isCancelledFlag = Atomic<Bool>(false)

  init(_ request: Message.Request, body: [UInt8], channel: Channel, deadline: UInt64) {
    id = request.id
    method = request.method
    params = request.params
    self.body = body
    self.channel = channel
    self.deadline = deadline
  }

  /// True for the first who asks: only they may answer.
  func claim() -> Bool { !isAnswered.exchange(true, ordering: .acquiringAndReleasing) }

  var isCancelled: Bool { isCancelledFlag.load(ordering: .relaxed) }
  func cancel() { isCancelledFlag.store(true, ordering: .relaxed) }

  func answer(_ frame: [UInt8], flush: Bool) {
    if claim() { channel.send(frame, flush: flush) }
  }
}
