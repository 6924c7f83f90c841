// SPDX-License-Identifier: Apache-2.0
import GuestAPI

/// Whom the gateway believes about where a request comes from and who is asking. Pure.
package struct ClientPolicy: Sendable {
  /// Where a request came from.
  package struct Client: Sendable, Equatable {
    package var ip: String
    package var scheme: String

    package init(ip: String, scheme: String) {
      self.ip = ip
      self.scheme = scheme
    }
  }

  /// The longest chain of proxies looked at.
  package static let forwardedHopsMax = 32

  package let trustedProxies: [AddressRange]
  package let identityHeaders: IdentityHeaders?
  private let identityNames: [[UInt8]]

  package init(_ options: GatewayOptions) {
    trustedProxies = options.trustedProxies
    identityHeaders = options.identity
    identityNames = [options.identity?.user, options.identity?.name, options.identity?.groups]
      .compactMap { $0 }.map { Self.folded($0.utf8) }
  }

  package func trusts(_ address: IPAddress) -> Bool {
    trustedProxies.contains { $0.contains(address) }
  }

  /// Whether a header is one of those that say who signed on, in whatever spelling.
  package func isIdentity(_ field: RequestHead.Field, _ bytes: UnsafeRawBufferPointer) -> Bool {
    if field.kind == .identity { return true }
    guard !identityNames.isEmpty, field.kind == .other else { return false }
    let name = field.name.bytes(in: bytes)
    return identityNames.contains { $0.count == name.count && $0 == Self.folded(name) }
  }

  /// The rightmost address of X-Forwarded-For that is not a trusted proxy: what stands further left, the client could
  /// have written itself.
  package func client(
    _ head: RequestHead, _ bytes: UnsafeRawBufferPointer, peer: IPAddress
  ) -> Client {
    var client = peer
    for hop in forwarded(head, bytes) {
      guard let address = Self.address(hop) else { break }
      client = address
      if !trusts(address) { break }
    }
    let scheme = lastElement(head, bytes, .forwardedProto)?.lowercased() == "https"
    return Client(ip: client.description, scheme: scheme ? "https" : "http")
  }

  /// Who signed on, as a trusted proxy says; nil if it says nobody.
  package func identity(
    _ head: RequestHead, _ bytes: UnsafeRawBufferPointer
  ) throws(Refusal) -> Identity? {
    guard let headers = identityHeaders,
      let id = try single(headers.user, head, bytes), !id.isEmpty
    else { return nil }
    let name = try headers.name.flatMap { name throws(Refusal) in try single(name, head, bytes) }
    let groups = try headers.groups.flatMap { name throws(Refusal) in
      try single(name, head, bytes)
    }
    return Identity(
      id: id, name: name.flatMap { $0.isEmpty ? nil : $0 } ?? id,
      groups: (groups ?? "").split(separator: ",").map { $0.trimmed() }.filter { !$0.isEmpty })
  }

  /// The value of a header that must not be there twice: a proxy that adds where it should replace would let a client
  /// choose.
  private func single(
    _ name: String, _ head: RequestHead, _ bytes: UnsafeRawBufferPointer
  ) throws(Refusal) -> String? {
    var value: String?
    for field in head.fields where Self.equals(field.name.bytes(in: bytes), name) {
      guard value == nil else {
        throw .malformed("A header that says who is asking is there twice.")
      }
      value = field.value.string(in: bytes)
    }
    return value
  }

  /// Elements of X-Forwarded-For, last first.
  private func forwarded(_ head: RequestHead, _ bytes: UnsafeRawBufferPointer) -> [String] {
    var hops: [String] = []
    for field in head.fields where field.kind == .forwardedFor {
      ASCII.forEachElement(field.value.bytes(in: bytes)) { hops.append(String(fieldBytes: $0)) }
    }
    return hops.suffix(Self.forwardedHopsMax).reversed()
  }

  private func lastElement(
    _ head: RequestHead, _ bytes: UnsafeRawBufferPointer, _ kind: FieldKind
  ) -> String? {
    var last: String?
    for field in head.fields where field.kind == kind {
      ASCII.forEachElement(field.value.bytes(in: bytes)) { last = String(fieldBytes: $0) }
    }
    return last
  }

  /// An address with or without a port: `192.0.2.1:4711`, `[2001:db8::1]:4711`.
  private static func address(_ text: String) -> IPAddress? {
    if let address = IPAddress(text) { return address }
    if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
      return IPAddress(text[text.index(after: text.startIndex)..<end])
    }
    guard let colon = text.firstIndex(of: ":") else { return nil }
    return IPAddress(text[..<colon])
  }

  private static func equals(_ bytes: UnsafeRawBufferPointer, _ name: String) -> Bool {
    bytes.count == name.utf8.count
      && zip(bytes, name.utf8).allSatisfy { ASCII.lowered($0) == ASCII.lowered($1) }
  }

  /// As `FieldKind` folds names.
  private static func folded(_ name: some Sequence<UInt8>) -> [UInt8] {
    name.map { byte in
      let byte = ASCII.lowered(byte)
      return ASCII.isDigit(byte) || byte &- 0x61 < 26 ? byte : UInt8(ascii: "-")
    }
  }
}

extension StringProtocol {
  /// Without spaces and tabs at both ends.
  fileprivate func trimmed() -> String {
    var rest = self[...]
    while let first = rest.first, first == " " || first == "\t" { rest = rest.dropFirst() }
    while let last = rest.last, last == " " || last == "\t" { rest = rest.dropLast() }
    return String(rest)
  }
}
