// SPDX-License-Identifier: Apache-2.0

/// Talks to a host over its admin socket: one connection a request, blocking, with a time limit.
public struct AdminClient: Sendable {
  public struct Reply: Sendable, Equatable {
    public var status: Int
    public var contentType: String
    public var body: [UInt8]
  }

  /// LIMIT: bytes of an answer that is read whole.
  public static let bodyBytesMax = 64 * 1024 * 1024
  /// LIMIT: bytes of one line of a followed answer.
  public static let lineBytesMax = 1024 * 1024

  public var socket: String
  /// How long to wait for the next bytes of an answer.
  public var timeoutSeconds: Int

  public init(socket: String, timeoutSeconds: Int = 30) {
    self.socket = socket
    self.timeoutSeconds = timeoutSeconds
  }

  /// Sends a request and reads the whole answer; a status of 400 or more is thrown as its problem.
  public func send(_ method: String, _ target: String, body: [UInt8]? = nil)
    throws(AdminClientError) -> Reply
  {
    let connection = try open(method, target, body)
    var reader = HTTPReplyReader()
    var body: [UInt8] = []
    while !reader.isDone {
      body += try next(connection, &reader)
      guard body.count <= Self.bodyBytesMax else {
        throw .malformed("an answer over \(Self.bodyBytesMax) bytes")
      }
    }
    guard let head = reader.head else { throw .malformed("no answer") }
    guard head.status < 400 else { throw Self.problem(head, body) }
    return Reply(status: head.status, contentType: head.contentType, body: body)
  }

  /// Sends a request whose answer is JSON.
  public func json<Value: Decodable>(
    _ type: Value.Type, _ method: String, _ target: String, body: (some Encodable)?
  ) throws(AdminClientError) -> Value {
    let bytes: [UInt8]?
    do {
      bytes = try body.map { try AdminCoding.encode($0) }
    } catch {
      throw .malformed("cannot write the request: \(error)")
    }
    let reply = try send(method, target, body: bytes)
    do {
      return try AdminCoding.decode(type, from: reply.body)
    } catch {
      throw .malformed("\(method) \(target) answered what this version cannot read: \(error)")
    }
  }

  public func json<Value: Decodable>(_ type: Value.Type, _ method: String, _ target: String)
    throws(AdminClientError) -> Value
  {
    try json(type, method, target, body: String?.none)
  }

  /// Reads an answer line by line, for as long as the host sends and `onLine` returns true.
  ///
  /// - Parameters:
  ///   - body: JSON, if the request has one.
  ///   - follow: the answer may pause for ever.
  ///   - lineBytesMax: a longer line is refused.
  public func lines(
    _ target: String, method: String = "GET", body: [UInt8]? = nil, follow: Bool,
    lineBytesMax: Int = AdminClient.lineBytesMax, onLine: ([UInt8]) -> Bool
  ) throws(AdminClientError) {
    let connection = try open(method, target, body)
    var reader = HTTPReplyReader()
    var pending: [UInt8] = []
    // What was searched for a line's end already.
    var searched = 0
    while !reader.isDone {
      pending += try next(connection, &reader)
      guard let head = reader.head else { continue }
      if head.status >= 400 {
        while !reader.isDone, pending.count <= Self.lineBytesMax {
          pending += try next(connection, &reader)
        }
        throw Self.problem(head, pending)
      }
      if follow { connection.setTimeout(seconds: 0) }
      var start = 0
      while let end = pending[max(start, searched)...].firstIndex(of: 0x0a) {
        guard onLine(Array(pending[start..<end])) else { return }
        start = end + 1
      }
      pending.removeFirst(start)
      searched = pending.count
      guard pending.count <= lineBytesMax else { throw .malformed("a line without an end") }
    }
  }

  private func open(_ method: String, _ target: String, _ body: [UInt8]?)
    throws(AdminClientError) -> UnixConnection
  {
    let connection = try UnixConnection(path: socket, timeoutSeconds: timeoutSeconds)
    var head = "\(method) \(target) HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n"
    if let body {
      head += "Content-Type: application/json\r\nContent-Length: \(body.count)\r\n"
    } else if method != "GET" {
      head += "Content-Length: 0\r\n"
    }
    try connection.write(Array((head + "\r\n").utf8) + (body ?? []))
    return connection
  }

  private func next(_ connection: borrowing UnixConnection, _ reader: inout HTTPReplyReader)
    throws(AdminClientError) -> [UInt8]
  {
    let bytes: [UInt8]
    do throws(AdminClientError) {
      bytes = try connection.read()
    } catch {
      guard case .timeout = error else { throw error }
      throw .timeout(seconds: timeoutSeconds)
    }
    do throws(HTTPReplyReader.Flaw) {
      if bytes.isEmpty {
        try reader.receiveEnd()
        return []
      }
      return try reader.receive(bytes)
    } catch {
      switch error {
      case .malformed(let reason): throw .malformed(reason)
      case .headTooLong: throw .malformed("headers without an end")
      }
    }
  }

  private static func problem(_ head: HTTPReplyReader.Head, _ body: [UInt8]) -> AdminClientError {
    if let problem = try? AdminCoding.decode(Problem.self, from: body) { return .problem(problem) }
    return .malformed("status \(head.status) without a problem that says why")
  }
}
