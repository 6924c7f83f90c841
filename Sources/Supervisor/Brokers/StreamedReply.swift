// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import NIOCore

/// The rest of an answer's body, sent on as its receiver grants. May be used from any thread.
package protocol StreamedReply: AnyObject, Sendable {
  /// Called once, before anything is granted. `deliver` gets the pieces in order, the end last.
  func begin(_ deliver: @escaping @Sendable (StreamedPiece) -> Void)
  func grant(_ bytes: Int)
  /// The rest is not wanted. The end is delivered all the same.
  func stop()
}

package enum StreamedPiece: Sendable, Equatable {
  case data(ByteBuffer)
  /// `failure` says why the sender gave up, as `<data.code>: <message>`.
  case end(failure: String?)
}

/// A streamed answer for code of the host that reads it with `await`: what is read is granted again.
struct StreamedBody: AsyncSequence, Sendable {
  typealias Element = ByteBuffer

  private let first: ByteBuffer
  private let rest: (any StreamedReply)?

  /// - Parameter rest: what follows `first`; nil if that was all.
  init(first: ByteBuffer, rest: (any StreamedReply)?) {
    self.first = first
    self.rest = rest
  }

  func makeAsyncIterator() -> Iterator {
    // Credit bounds what can gather here.
    let (pieces, continuation) = AsyncThrowingStream.makeStream(of: ByteBuffer.self)
    if let rest {
      continuation.onTermination = { if case .cancelled = $0 { rest.stop() } }
      rest.begin { piece in
        switch piece {
        case .data(let data): continuation.yield(data)
        case .end(nil): continuation.finish()
        case .end(let failure?): continuation.finish(throwing: HostError(streamFailure: failure))
        }
      }
    } else {
      continuation.finish()
    }
    return Iterator(first: first, rest: rest, pieces: pieces.makeAsyncIterator())
  }

  struct Iterator: AsyncIteratorProtocol {
    fileprivate var first: ByteBuffer
    fileprivate let rest: (any StreamedReply)?
    fileprivate var pieces: AsyncThrowingStream<ByteBuffer, any Error>.Iterator

    mutating func next() async throws -> ByteBuffer? {
      if first.readableBytes > 0 {
        defer { first = ByteBuffer() }
        rest?.grant(first.readableBytes)
        return first
      }
      let piece = try await pieces.next()
      if let piece { rest?.grant(piece.readableBytes) }
      return piece
    }
  }
}

extension HostError {
  /// From `<data.code>: <message>`.
  init(streamFailure text: String) {
    let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
    let word = (parts.first ?? "").split(separator: ".", maxSplits: 1).map(String.init)
    if parts.count == 2, let area = word.first.flatMap(Area.init(rawValue:)) {
      self.init(area, word.count == 2 ? word[1] : "", String(parts[1].drop { $0 == " " }))
    } else {
      self.init(.sql, "stream", text)
    }
  }
}
