// SPDX-License-Identifier: Apache-2.0
import GuestAPI

/// The head of a request as an app gets to see it.
package enum GuestHead {
  /// - Parameters:
  ///   - isFromTrustedProxy: whether what a proxy says of the connection before it is passed on.
  ///   - bodyCount: the body's length, where the head does not say it but it is known.
  package static func make(
    _ head: RequestHead, _ bytes: UnsafeRawBufferPointer, client: ClientPolicy.Client,
    identity: Identity?, policy: ClientPolicy, isFromTrustedProxy: Bool, bodyCount: Int?
  ) -> HTTPRequestHead {
    var headers: [(name: String, value: String)] = []
    headers.reserveCapacity(head.fields.count)
    for field in head.fields {
      switch field.kind {
      case .connection, .transferEncoding, .upgrade, .expect, .dropped, .identity: continue
      case .forwardedFor, .forwardedProto, .forwardedOther:
        guard isFromTrustedProxy else { continue }
      case .other where policy.isIdentity(field, bytes): continue
      case .host, .contentLength: break
      default:
        if head.namesConnectionFields, isNamedByConnection(field, head, bytes) { continue }
      }
      headers.append((field.name.string(in: bytes), field.value.string(in: bytes)))
    }
    if let bodyCount, head.contentLength == nil {
      headers.append(("content-length", String(bodyCount)))
    }
    return HTTPRequestHead(
      method: method(head, bytes), target: target(head, bytes), headers: headers,
      remoteIP: client.ip, scheme: client.scheme, identity: identity)
  }

  private static func method(_ head: RequestHead, _ bytes: UnsafeRawBufferPointer) -> String {
    head.method == .get ? "GET" : head.methodName.string(in: bytes)
  }

  /// Path and query; bytes above 0x7f, which a URI cannot hold, percent-encoded.
  private static func target(_ head: RequestHead, _ bytes: UnsafeRawBufferPointer) -> String {
    let target = head.target.bytes(in: bytes)
    guard head.targetIsRaw else { return String(decoding: target, as: UTF8.self) }
    let digits = Array("0123456789ABCDEF".utf8)
    var encoded: [UInt8] = []
    for byte in target {
      if byte < 0x80 {
        encoded.append(byte)
      } else {
        encoded += [ASCII.percent, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    return String(decoding: encoded, as: UTF8.self)
  }

  private static func isNamedByConnection(
    _ field: RequestHead.Field, _ head: RequestHead, _ bytes: UnsafeRawBufferPointer
  ) -> Bool {
    let name = field.name.bytes(in: bytes)
    var isNamed = false
    for other in head.fields where other.kind == .connection {
      ASCII.forEachElement(other.value.bytes(in: bytes)) { word in
        guard word.count == name.count else { return }
        if zip(word, name).allSatisfy({ ASCII.lowered($0) == ASCII.lowered($1) }) {
          isNamed = true
        }
      }
    }
    return isNamed
  }
}
