// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import GuestAPI
import HTTPTypes
import Hummingbird
import NIOCore

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// What requests carry, checked; and the one kind of answer that has no end.
extension AdminRoutes {
  static func app(_ context: some RequestContext) throws -> String {
    try parameter("app", context)
  }

  static func name(_ context: some RequestContext) throws -> String {
    try parameter("name", context)
  }

  private static func parameter(_ name: String, _ context: some RequestContext) throws -> String {
    guard let raw = context.parameters.get(name), let text = AdminPath.unescape(raw),
      (1...128).contains(text.utf8.count)
    else { throw HostError(.params, name, "The path holds no usable \(name).") }
    return text
  }

  static func body<Value: Decodable>(_ request: Request) async throws -> Value {
    let buffer: ByteBuffer
    do {
      buffer = try await request.body.collect(upTo: bodyBytesMax)
    } catch is NIOTooManyBytesError {
      throw HostError(.params, "size", "The request is over \(bodyBytesMax) bytes.")
    }
    let bytes = Array(buffer.readableBytesView)
    let value: Value
    do {
      // The strict parser first: it refuses duplicate keys, which Foundation lets through.
      _ = try JSONParser.parse(bytes)
      value = try AdminCoding.decode(Value.self, from: bytes)
    } catch let error as JSONError {
      throw HostError(.parse, "", "The request is not JSON: \(error).")
    } catch {
      throw HostError(.params, "", "The request does not have the shape this path takes: \(error).")
    }
    if let checked = value as? any CheckedRequest { try checked.check() }
    return value
  }

  static func logQuery(_ request: Request) throws -> LogQuery {
    let items = request.uri.queryParameters
    var query = LogQuery(follow: items["follow"] == "true")
    if let text = items["tail"] {
      guard let count = Int(text), count >= 0 else {
        throw HostError(.params, "tail", "tail is not a number of lines.")
      }
      query.tail = count
    }
    query.since = try time("since", items["since"])
    return query
  }

  static func reportQuery(_ request: Request, _ context: some RequestContext) throws -> ReportQuery
  {
    let items = request.uri.queryParameters
    guard let kind = ReportQuery.Kind(rawValue: try parameter("kind", context)) else {
      throw HostError(.notFound, "report", "There is no such report; there are usage and cost.")
    }
    return ReportQuery(
      kind: kind, app: items["app"].map(String.init),
      groupBy: try word("by", items["by"]) ?? .app, since: try time("since", items["since"]),
      until: try time("until", items["until"]),
      format: try word("format", items["format"]) ?? .table)
  }

  private static func time(_ name: String, _ text: Substring?) throws -> Date? {
    guard let text else { return nil }
    guard let date = Timestamp.date(String(text)) else {
      throw HostError(.params, name, "\(name) is not an RFC 3339 time.")
    }
    return date
  }

  private static func word<Value: RawRepresentable & CaseIterable>(
    _ name: String, _ text: Substring?
  ) throws -> Value? where Value.RawValue == String {
    guard let text else { return nil }
    guard let value = Value(rawValue: String(text)) else {
      let words = Value.allCases.map(\.rawValue).joined(separator: ", ")
      throw HostError(.params, name, "\(name) is none of \(words).")
    }
    return value
  }

  /// The answer to a statement, in pieces of many lines. An error after the first line is a line itself.
  static func lines(_ lines: AsyncThrowingStream<SQLLine, any Error>) -> Response {
    Response(
      status: .ok, headers: [.contentType: "application/x-ndjson"],
      body: ResponseBody { writer in
        var buffer = ByteBuffer()
        do {
          for try await line in lines {
            buffer.writeBytes(try line.encoded())
            buffer.writeInteger(UInt8(ascii: "\n"))
            guard buffer.readableBytes >= linesBytes else { continue }
            try await writer.write(buffer)
            buffer.clear()
          }
        } catch {
          buffer.writeBytes(try SQLLine.problem(.telling(error) ?? .internal).encoded() + [0x0a])
        }
        try await writer.write(buffer)
        try await writer.finish(nil)
      })
  }

  /// Lines of SQL are gathered up to about so many bytes: a piece each would cost more than its row.
  private static let linesBytes = 32_768

  /// One JSON object a line. A followed answer ends when the reader leaves, so that no task stays behind.
  static func lines<Value: Encodable & Sendable>(
    _ request: Request, _ values: AsyncThrowingStream<Value, any Error>, follow: Bool
  ) -> Response {
    Response(
      status: .ok, headers: [.contentType: "application/x-ndjson"],
      body: ResponseBody { writer in
        func write() async throws {
          for try await value in values {
            try await writer.write(ByteBuffer(bytes: try AdminCoding.encode(value) + [0x0a]))
          }
        }
        if follow {
          try await request.body.consumeWithCancellationOnInboundClose { _ in try await write() }
        } else {
          try await write()
        }
        try await writer.finish(nil)
      })
  }
}
