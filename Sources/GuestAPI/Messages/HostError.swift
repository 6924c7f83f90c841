// SPDX-License-Identifier: Apache-2.0

/// An error on its way to a guest or a client: what they may know, and what only the host's log may.
public struct HostError: Error, Sendable, CustomStringConvertible {
  /// The area an error belongs to. Its JSON-RPC and HTTP codes follow from it.
  public enum Area: String, Sendable, CaseIterable {
    case parse, request, method, params, `internal`, permission
    case notFound = "not_found"
    case conflict, quota, overloaded, deadline, upstream, unsupported, sql, cancelled
  }

  public var area: Area
  /// The part after the area in `data.code`; empty for the area alone.
  public var reason: String
  /// What failed, why and what to do next; holds no path, address or SQL of the host.
  public var message: String
  /// For the host's log only.
  public var logDetail: String
  /// More members for `data`, such as `extended` of SQLite.
  public var data: [(key: String, value: JSONValue)]

  public init(
    _ area: Area, _ reason: String = "", _ message: String, log: String = "",
    data: [(key: String, value: JSONValue)] = []
  ) {
    self.area = area
    self.reason = reason
    self.message = message
    self.logDetail = log
    self.data = data
  }

  /// The stable word in `data.code`.
  public var code: String { reason.isEmpty ? area.rawValue : "\(area.rawValue).\(reason)" }

  public var description: String {
    "\(code): \(message)" + (logDetail.isEmpty ? "" : " [\(logDetail)]")
  }
}

extension HostError.Area {
  /// JSON-RPC 2.0 §5.1 for the first five, our own range below.
  public var rpcCode: Int64 {
    switch self {
    case .parse: -32700
    case .request: -32600
    case .method: -32601
    case .params: -32602
    case .internal: -32603
    case .permission: -32001
    case .notFound: -32002
    case .conflict: -32003
    case .quota: -32004
    case .overloaded: -32005
    case .deadline: -32006
    case .upstream: -32007
    case .unsupported: -32008
    case .sql: -32010
    case .cancelled: -32800
    }
  }

  public var httpStatus: Int {
    switch self {
    case .parse, .request, .params, .sql: 400
    case .permission: 403
    case .notFound, .method: 404
    case .conflict: 409
    case .quota: 429
    case .cancelled: 499
    case .internal: 500
    case .unsupported: 501
    case .upstream: 502
    case .overloaded: 503
    case .deadline: 504
    }
  }

  /// Whether the same request may succeed later.
  public var isRetryable: Bool {
    switch self {
    case .overloaded, .deadline, .upstream: true
    default: false
    }
  }

  init?(rpcCode: Int64) {
    guard let area = Self.allCases.first(where: { $0.rpcCode == rpcCode }) else { return nil }
    self = area
  }
}
