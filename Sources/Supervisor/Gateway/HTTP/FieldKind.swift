// SPDX-License-Identifier: Apache-2.0

/// What a header is to the gateway.
package enum FieldKind: UInt8, Sendable {
  /// Passed to the app as it is.
  case other
  // Looked at, then passed on.
  case host, contentLength, accept, acceptEncoding
  case range, ifRange, ifMatch, ifNoneMatch, ifModifiedSince, ifUnmodifiedSince
  // Looked at in an app's answers.
  case date, setCookie
  // Looked at, never passed on: they are about this connection (RFC 9110 §7.6.1).
  case connection, transferEncoding, upgrade, expect
  /// Never passed on: about a connection, or dangerous to software that takes headers for something else.
  case dropped
  /// Could pass for the host's word on who is asking. Never passed on.
  case identity
  // What a proxy says of the connection before it; passed on only from a trusted one.
  case forwardedFor, forwardedProto, forwardedOther

  /// Software behind WSGI, CGI or PHP folds every character that is neither letter nor digit into `_`, so `X_Remote.User`
  /// and `X-Remote-User` are one header to it. The gateway folds the same way before it decides, and treats a disguised
  /// spelling of any header it looks at as `dropped`.
  package init(name: UnsafeRawBufferPointer) {
    // No name looked at is longer; of a longer one only its beginning decides.
    self = withUnsafeTemporaryAllocation(byteCount: 32, alignment: 8) { folded in
      let count = min(name.count, 32)
      var isDisguised = false
      for index in 0..<count {
        let byte = ASCII.lowered(name[index])
        if ASCII.isDigit(byte) || byte &- 0x61 < 26 || byte == UInt8(ascii: "-") {
          folded[index] = byte
        } else {
          folded[index] = UInt8(ascii: "-")
          isDisguised = true
        }
      }
      let kind = Self.kind(
        UnsafeRawBufferPointer(rebasing: folded[..<count]), isWhole: name.count == count)
      return isDisguised && kind != .other && kind != .identity ? .dropped : kind
    }
  }

  private static func kind(_ name: UnsafeRawBufferPointer, isWhole: Bool) -> FieldKind {
    if name.count >= 7, name[0] == UInt8(ascii: "x") || name[0] == UInt8(ascii: "r") {
      if let kind = prefixed(name) { return kind }
    }
    return isWhole ? exact(name) : .other
  }

  private static func prefixed(_ name: UnsafeRawBufferPointer) -> FieldKind? {
    if ASCII.begins(name, "x-forwarded-") {
      let rest = UnsafeRawBufferPointer(rebasing: name[12...])
      if ASCII.equals(rest, "for") { return .forwardedFor }
      if ASCII.equals(rest, "proto") { return .forwardedProto }
      let isIdentity =
        ASCII.equals(rest, "user") || ASCII.equals(rest, "email") || ASCII.equals(rest, "groups")
        || ASCII.begins(rest, "preferred-usernam") || ASCII.begins(rest, "access-token")
        || ASCII.begins(rest, "id-token")
      return isIdentity ? .identity : .forwardedOther
    }
    let isIdentity =
      ASCII.begins(name, "x-bulkhead-") || ASCII.begins(name, "x-remote-")
      || ASCII.begins(name, "x-auth-request-")
      || ASCII.begins(name, "remote-user") || ASCII.begins(name, "remote-name")
      || ASCII.begins(name, "remote-group") || ASCII.begins(name, "remote-email")
    return isIdentity ? .identity : nil
  }

  /// By length first, so that most names are compared with one or two others.
  private static func exact(_ name: UnsafeRawBufferPointer) -> FieldKind {
    switch name.count {
    case 2:
      if ASCII.begins(name, "te") { return .dropped }
    case 4:
      if ASCII.begins(name, "host") { return .host }
      if ASCII.begins(name, "date") { return .date }
    // CGI turns `Proxy` into HTTP_PROXY, which HTTP clients obey.
    case 5:
      if ASCII.begins(name, "range") { return .range }
      if ASCII.begins(name, "proxy") { return .dropped }
    case 6:
      if ASCII.begins(name, "accept") { return .accept }
      if ASCII.begins(name, "expect") { return .expect }
    case 7:
      if ASCII.begins(name, "upgrade") { return .upgrade }
      if ASCII.begins(name, "trailer") { return .dropped }
    case 8:
      if ASCII.begins(name, "if-range") { return .ifRange }
      if ASCII.begins(name, "if-match") { return .ifMatch }
    case 9:
      if ASCII.begins(name, "forwarded") { return .forwardedOther }
      if ASCII.begins(name, "x-real-ip") { return .forwardedOther }
    case 10:
      if ASCII.begins(name, "connection") { return .connection }
      if ASCII.begins(name, "set-cookie") { return .setCookie }
      if ASCII.begins(name, "keep-alive") { return .dropped }
    case 11:
      if ASCII.begins(name, "x-client-ip") { return .forwardedOther }
    // Some frameworks route by X-Rewrite-URL and X-Original-URL, past whatever guarded the target.
    case 13:
      if ASCII.begins(name, "if-none-match") { return .ifNoneMatch }
      if ASCII.begins(name, "x-rewrite-url") { return .dropped }
    case 14:
      if ASCII.begins(name, "content-length") { return .contentLength }
      if ASCII.begins(name, "x-original-url") { return .dropped }
      if ASCII.begins(name, "http2-settings") { return .dropped }
      if ASCII.begins(name, "true-client-ip") { return .forwardedOther }
    case 15:
      if ASCII.begins(name, "accept-encoding") { return .acceptEncoding }
    case 16:
      if ASCII.begins(name, "proxy-connection") { return .dropped }
      if ASCII.begins(name, "cf-connecting-ip") { return .forwardedOther }
    case 17:
      if ASCII.begins(name, "if-modified-since") { return .ifModifiedSince }
      if ASCII.begins(name, "transfer-encoding") { return .transferEncoding }
    case 18:
      if ASCII.begins(name, "proxy-authenticate") { return .dropped }
    case 19:
      if ASCII.begins(name, "if-unmodified-since") { return .ifUnmodifiedSince }
      if ASCII.begins(name, "proxy-authorization") { return .dropped }
      if ASCII.begins(name, "x-cluster-client-ip") { return .forwardedOther }
    default: break
    }
    return .other
  }
}
