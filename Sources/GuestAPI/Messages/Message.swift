// SPDX-License-Identifier: Apache-2.0

/// One JSON-RPC 2.0 message, with the two members this protocol adds to it (`meta` and `stream`).
public enum Message: Sendable, Equatable {
  case request(Request)
  case response(Response)
  case notification(method: String, params: JSONValue)

  public struct Request: Sendable, Equatable {
    public var id: RequestID
    public var method: String
    public var params: JSONValue
    public var meta: Meta
    /// The stream the rest of the body follows under.
    public var stream: Int64?

    public init(
      id: RequestID, method: String, params: JSONValue, meta: Meta = Meta(), stream: Int64? = nil
    ) {
      self.id = id
      self.method = method
      self.params = params
      self.meta = meta
      self.stream = stream
    }
  }

  public struct Meta: Sendable, Equatable {
    /// How long the sender will wait, in milliseconds.
    public var deadlineMs: Int64?
    /// W3C Trace Context.
    public var traceparent: String?
    public init(deadlineMs: Int64? = nil, traceparent: String? = nil) {
      self.deadlineMs = deadlineMs
      self.traceparent = traceparent
    }
    var isEmpty: Bool { deadlineMs == nil && traceparent == nil }
  }

  public struct Response: Sendable, Equatable {
    public var id: RequestID
    public var outcome: Outcome
    public var stream: Int64?
    public init(id: RequestID, outcome: Outcome, stream: Int64? = nil) {
      self.id = id
      self.outcome = outcome
      self.stream = stream
    }
  }

  public enum Outcome: Sendable, Equatable {
    case result(JSONValue)
    case error(RPCError)
  }
}

/// The `error` member of a response.
public struct RPCError: Error, Sendable, Equatable {
  public var code: Int64
  public var message: String
  public var data: JSONValue

  public init(code: Int64, message: String, data: JSONValue = .null) {
    self.code = code
    self.message = message
    self.data = data
  }

  /// The public half of a host error.
  public init(_ error: HostError) {
    var data = JSONObject([
      ("code", .string(error.code)), ("retryable", .bool(error.area.isRetryable)),
    ])
    data.members += error.data
    self.init(code: error.area.rpcCode, message: error.message, data: .object(data))
  }

  /// The stable word in `data.code`, or the JSON-RPC code as text.
  public var word: String { data["code"]?.string ?? String(code) }
  public var isRetryable: Bool { data["retryable"]?.bool ?? false }
}
