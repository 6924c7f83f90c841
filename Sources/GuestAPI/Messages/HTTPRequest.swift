// SPDX-License-Identifier: Apache-2.0

/// The params of `http.request`, written straight to bytes: this is the hot path.
public struct HTTPRequestHead: Sendable, Equatable {
  public var method: String
  public var target: String
  public var headers: [(name: String, value: String)]
  public var remoteIP: String
  public var scheme: String
  public var identity: Identity?

  public init(
    method: String, target: String, headers: [(name: String, value: String)], remoteIP: String,
    scheme: String = "http", identity: Identity? = nil
  ) {
    self.method = method
    self.target = target
    self.headers = headers
    self.remoteIP = remoteIP
    self.scheme = scheme
    self.identity = identity
  }

  public func write(to writer: inout JSONWriter) {
    writer.raw("{\"method\":")
    writer.string(method)
    writer.raw(",\"target\":")
    writer.string(target)
    writer.raw(",\"headers\":[")
    for (index, header) in headers.enumerated() {
      if index > 0 { writer.raw(",") }
      writer.raw("[")
      writer.string(header.name)
      writer.raw(",")
      writer.string(header.value)
      writer.raw("]")
    }
    writer.raw("],\"remote\":{\"ip\":")
    writer.string(remoteIP)
    writer.raw(",\"scheme\":")
    writer.string(scheme)
    writer.raw("},\"identity\":")
    identity.map { $0.write(to: &writer) } ?? writer.raw("null")
    writer.raw("}")
  }

  public static func == (left: Self, right: Self) -> Bool {
    left.method == right.method && left.target == right.target && left.remoteIP == right.remoteIP
      && left.scheme == right.scheme && left.identity == right.identity
      && left.headers.elementsEqual(right.headers, by: ==)
  }
}

/// Who the host says is asking.
public struct Identity: Sendable, Equatable {
  public var id: String
  public var name: String
  public var groups: [String]

  public init(id: String, name: String, groups: [String] = []) {
    self.id = id
    self.name = name
    self.groups = groups
  }

  func write(to writer: inout JSONWriter) {
    writer.value([
      "id": .string(id), "name": .string(name), "groups": .array(groups.map { .string($0) }),
    ])
  }
}

extension HTTPRequestHead {
  /// Reads the params; what a guest does with them.
  public init(_ params: JSONValue) throws(HostError) {
    guard let method = params["method"]?.string, let target = params["target"]?.string,
      let ip = params["remote"]?["ip"]?.string
    else { throw HostError(.params, "", "http.request needs method, target and remote.ip") }
    self.init(
      method: method, target: target, headers: try headerPairs(params["headers"]), remoteIP: ip,
      scheme: params["remote"]?["scheme"]?.string ?? "http",
      identity: params["identity"].flatMap(Identity.init))
  }
}

extension Identity {
  init?(_ value: JSONValue) {
    guard let id = value["id"]?.string else { return nil }
    self.init(
      id: id, name: value["name"]?.string ?? id,
      groups: (value["groups"]?.array ?? []).compactMap(\.string))
  }
}

/// `[[name, value]…]`, or an error that names the entry.
func headerPairs(_ value: JSONValue?) throws(HostError) -> [(name: String, value: String)] {
  guard let value else { return [] }
  guard let entries = value.array else {
    throw HostError(.params, "", "\"headers\" must be an array of [name, value] pairs")
  }
  var pairs: [(name: String, value: String)] = []
  pairs.reserveCapacity(entries.count)
  for (index, entry) in entries.enumerated() {
    guard let pair = entry.array, pair.count == 2, let name = pair[0].string,
      let text = pair[1].string
    else { throw HostError(.params, "", "headers[\(index)] must be [name, value], both strings") }
    pairs.append((name, text))
  }
  return pairs
}
