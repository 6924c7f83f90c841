// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import NIOCore

/// How the end of an answer's body is told (RFC 9112 §6).
package enum AnswerFraming: Equatable {
  /// There is no body: HEAD, 204, 304.
  case none
  case length(Int)
  case chunked
  /// The connection ends with it: HTTP/1.0 and no length.
  case untilClose
}

/// Writes an app's answer head for the client: the app's headers without those about a connection, a date, and one
/// statement of where the body ends.
package struct AnswerHead {
  package let head: HTTPResponseHead
  /// The first bytes of the body, and whether they are all of it.
  package let bodyCount: Int
  package let isComplete: Bool
  package let isHEAD: Bool
  package let isHTTP11: Bool
  /// The app's own Content-Length; nil if there is none or it is not a number.
  package private(set) var ownLength: Int?
  package private(set) var hasDate = false
  private var connectionNames: [String] = []

  package init(
    _ head: HTTPResponseHead, bodyCount: Int, isComplete: Bool, isHEAD: Bool, isHTTP11: Bool
  ) {
    self.head = head
    self.bodyCount = bodyCount
    self.isComplete = isComplete
    self.isHEAD = isHEAD
    self.isHTTP11 = isHTTP11
  }

  /// - Returns: nil if the app's headers cannot be sent: a name that is no token, a control character in a value, two
  ///   lengths, a length with a stream that is not a number.
  package mutating func framing() -> AnswerFraming? {
    var lengths = 0
    for (name, value) in head.headers {
      guard HTTPField.isToken(name), HTTPField.isValue(value) else { return nil }
      switch Self.kind(name) {
      case .contentLength:
        lengths += 1
        var value = value
        ownLength = value.withUTF8 { ASCII.decimal(UnsafeRawBufferPointer($0)) }
      case .connection:
        connectionNames += value.split(separator: ",").map {
          $0.filter { $0 != " " && $0 != "\t" }.lowercased()
        }
      case .date: hasDate = true
      default: break
      }
    }
    if head.status == 204 || head.status == 304 { return AnswerFraming.none }
    if isHEAD { return lengths > 1 ? nil : AnswerFraming.none }
    if isComplete { return .length(bodyCount) }
    guard lengths <= 1, lengths == 0 || ownLength != nil else { return nil }
    if let ownLength { return ownLength < bodyCount ? nil : .length(ownLength) }
    return isHTTP11 ? .chunked : .untilClose
  }

  package func write(
    _ framing: AnswerFraming, connection: ConnectionWord, date: [UInt8], to out: inout ByteBuffer
  ) {
    out.writeBytes(StatusLine.bytes(head.status))
    if !hasDate { out.writeBytes(date) }
    for (name, value) in head.headers {
      switch Self.kind(name) {
      case .contentLength, .connection, .transferEncoding, .upgrade, .dropped: continue
      case .setCookie: writeField(name, CookieScope.withoutDomain(value), to: &out)
      default:
        if !connectionNames.isEmpty, connectionNames.contains(name.lowercased()) { continue }
        writeField(name, value, to: &out)
      }
    }
    switch framing {
    case .none: writeLengthOfAbsentBody(to: &out)
    case .length(let count): Self.writeLength(count, to: &out)
    case .chunked: out.writeStaticString("transfer-encoding: chunked\r\n")
    case .untilClose: break
    }
    connection.write(to: &out)
    out.writeStaticString("\r\n")
  }

  /// A HEAD or 304 may say how long the body would be, if the app did.
  private func writeLengthOfAbsentBody(to out: inout ByteBuffer) {
    guard head.status != 204 else { return }
    if let ownLength {
      Self.writeLength(ownLength, to: &out)
    } else if isHEAD, isComplete, bodyCount > 0 {
      Self.writeLength(bodyCount, to: &out)
    }
  }

  private func writeField(_ name: String, _ value: String, to out: inout ByteBuffer) {
    out.writeString(name)
    out.writeStaticString(": ")
    out.writeString(value)
    out.writeStaticString("\r\n")
  }

  package static func writeLength(_ count: Int, to out: inout ByteBuffer) {
    out.writeStaticString("content-length: ")
    out.writeDecimal(count)
    out.writeStaticString("\r\n")
  }

  private static func kind(_ name: String) -> FieldKind {
    var name = name
    return name.withUTF8 { FieldKind(name: UnsafeRawBufferPointer($0)) }
  }
}

/// What an answer says of the connection after it.
package enum ConnectionWord {
  /// Nothing: HTTP/1.1 keeps it.
  case implied
  case keepAlive
  case close

  package func write(to out: inout ByteBuffer) {
    switch self {
    case .implied: break
    case .keepAlive: out.writeStaticString("connection: keep-alive\r\n")
    case .close: out.writeStaticString("connection: close\r\n")
    }
  }
}

/// An app's cookies stay its own: with a Domain they would go to every app beside it, and theirs come from every one.
package enum CookieScope {
  package static func withoutDomain(_ cookie: String) -> String {
    guard cookie.utf8.contains(UInt8(ascii: ";")) else { return cookie }
    let parts = cookie.split(separator: ";", omittingEmptySubsequences: false)
    let kept = parts.enumerated().filter { index, part in
      guard index > 0 else { return true }
      let name = part.prefix { $0 != "=" }.filter { $0 != " " && $0 != "\t" }
      return name.lowercased() != "domain"
    }
    return kept.count == parts.count
      ? cookie : kept.map { String($0.element) }.joined(separator: ";")
  }
}

extension ByteBuffer {
  /// A number that is not negative, in decimal.
  package mutating func writeDecimal(_ number: Int) {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
      var rest = number
      var at = 20
      repeat {
        at -= 1
        digits[at] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10)
        rest /= 10
      } while rest > 0
      writeBytes(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(digits)[at..<20]))
    }
  }

  /// The line that begins a chunk.
  package mutating func writeChunkLine(_ count: Int) {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 18) { digits in
      var rest = count
      var at = 16
      repeat {
        at -= 1
        let digit = UInt8(truncatingIfNeeded: rest & 15)
        digits[at] = digit < 10 ? 0x30 &+ digit : 0x57 &+ digit
        rest >>= 4
      } while rest > 0
      (digits[16], digits[17]) = (ASCII.carriageReturn, ASCII.lineFeed)
      writeBytes(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(digits)[at..<18]))
    }
  }
}
