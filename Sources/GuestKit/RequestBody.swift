// SPDX-License-Identifier: Apache-2.0
import Locks

/// A body that comes piece by piece, of a request or of an answer: reading it lets the sender go on.
public final class RequestBody: AsyncSequence, Sendable {
  public typealias Element = [UInt8]

  private struct State {
    var pieces: [[UInt8]] = []
    var isComplete: Bool
    var failure: GuestError?
    /// Nobody will read on: what still comes is dropped.
    var isAbandoned = false
    var waiter: CheckedContinuation<Void, Never>?
  }

  /// What the reader tells the sender.
  package enum Demand: Sendable, Equatable {
    /// So many bytes were consumed.
    case more(Int)
    case stop
  }

  private let state: Lock<State>
  /// Does nothing for a body that came whole.
  private let demand: @Sendable (Demand) -> Void

  package init(first: [UInt8], isComplete: Bool, demand: @escaping @Sendable (Demand) -> Void) {
    state = Lock(State(pieces: first.isEmpty ? [] : [first], isComplete: isComplete))
    self.demand = demand
  }

  /// Drops what came and what is to come, and tells the sender to stop if there is more.
  package func abandon() {
    let isOpen = state.withLock { state in
      defer {
        state.isAbandoned = true
        state.pieces = []
      }
      return !state.isComplete && state.failure == nil && !state.isAbandoned
    }
    if isOpen { demand(.stop) }
  }

  package func receive(_ piece: [UInt8], isComplete: Bool, failure: GuestError? = nil) {
    let waiter = state.withLock { state in
      if !piece.isEmpty, !state.isAbandoned { state.pieces.append(piece) }
      if isComplete { state.isComplete = true }
      if let failure { state.failure = failure }
      defer { state.waiter = nil }
      return state.waiter
    }
    waiter?.resume()
  }

  /// The whole body.
  ///
  /// - Parameter max: more than this many bytes is refused with `unexpectedAnswer`.
  public func collect(max: Int = 1 << 20) async throws -> [UInt8] {
    var all: [UInt8] = []
    for try await piece in self {
      guard all.count + piece.count <= max else {
        throw GuestError.unexpectedAnswer("the body is larger than \(max) bytes")
      }
      all += piece
    }
    return all
  }

  public func makeAsyncIterator() -> Iterator { Iterator(body: self) }

  public struct Iterator: AsyncIteratorProtocol {
    let body: RequestBody
    public mutating func next() async throws -> [UInt8]? { try await body.next() }
  }

  private enum Step {
    case piece([UInt8])
    case end
    case failed(GuestError)
    case wait
  }

  private func next() async throws -> [UInt8]? {
    while true {
      let step = state.withLock { state -> Step in
        if !state.pieces.isEmpty { return .piece(state.pieces.removeFirst()) }
        if let failure = state.failure { return .failed(failure) }
        return state.isComplete ? .end : .wait
      }
      switch step {
      case .piece(let piece):
        if piece.count > 0 { demand(.more(piece.count)) }
        return piece
      case .end: return nil
      case .failed(let error): throw error
      case .wait:
        await withCheckedContinuation { continuation in
          let isReady = state.withLock { state in
            if state.pieces.isEmpty, !state.isComplete, state.failure == nil {
              state.waiter = continuation
              return false
            }
            return true
          }
          if isReady { continuation.resume() }
        }
      }
    }
  }
}
