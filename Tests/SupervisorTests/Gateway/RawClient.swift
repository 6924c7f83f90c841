// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A blocking socket to 127.0.0.1 that writes exactly what it is told and reads what comes.
final class RawClient {
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// One answer, read as an ordinary client would.
  struct Answer {
    var status: Int
    var headers: [String: String]
    var body: String

    subscript(name: String) -> String? { headers[name] }
  }

  /// MSG_NOSIGNAL, which is imported as one type or another depending on what else is.
  private static let noSignal: Int32 = 0x4000
  private var descriptor: Int32
  private var buffered: [UInt8] = []
  private(set) var isAtEnd = false

  init(port: Int, receiveBuffer: Int32? = nil) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    if var size = receiveBuffer {
      setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }
    // A test that waits for what never comes fails here rather than hanging.
    var timeout = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(
      descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(
      descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    // struct sockaddr_in: family, port and address, the latter two in network order.
    var address = [UInt8](repeating: 0, count: 16)
    address[0] = UInt8(AF_INET)
    (address[2], address[3]) = (UInt8(port >> 8), UInt8(port & 255))
    (address[4], address[7]) = (127, 1)
    let connected = address.withUnsafeBytes {
      connect(descriptor, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), 16)
    }
    guard connected == 0 else { throw Failure(description: "cannot connect: \(errno)") }
  }

  deinit { close() }

  func close() {
    if descriptor >= 0 { Glibc.close(descriptor) }
    descriptor = -1
  }

  /// Closes with a reset instead of an end.
  func reset() {
    var linger = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
    close()
  }

  func endWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

  func send(_ text: String) throws { try send(Array(text.utf8)) }

  func send(_ bytes: [UInt8]) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Self.noSignal)
      }
      guard count > 0 else { throw Failure(description: "cannot send: \(errno)") }
      rest = rest.dropFirst(count)
    }
  }

  /// Sends as much as the other side takes within a second without a pause.
  func sendWhatFits(_ piece: [UInt8], atMost: Int) -> Int {
    var timeout = timeval(tv_sec: 1, tv_usec: 0)
    setsockopt(
      descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    var total = 0
    while total < atMost {
      let count = piece.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Self.noSignal)
      }
      guard count > 0 else { break }
      total += count
    }
    return total
  }

  /// Reads some bytes; none at the end.
  func readSome(_ max: Int = 65_536) throws -> [UInt8] {
    if !buffered.isEmpty {
      defer { buffered = [] }
      return buffered
    }
    var bytes = [UInt8](repeating: 0, count: max)
    let count = recv(descriptor, &bytes, max, 0)
    if count < 0, errno == ECONNRESET || errno == EPIPE {
      isAtEnd = true
      return []
    }
    guard count >= 0 else { throw Failure(description: "nothing came: \(errno)") }
    if count == 0 { isAtEnd = true }
    return Array(bytes[..<count])
  }

  /// All until the end.
  func readToEnd() throws -> String {
    var bytes: [UInt8] = []
    while true {
      let some = try readSome()
      if some.isEmpty { return String(decoding: bytes, as: UTF8.self) }
      bytes += some
    }
  }

  private func fill() throws {
    let held = buffered
    buffered = []
    let some = try readSome()
    buffered = held + some
    if some.isEmpty {
      throw Failure(
        description: "the connection ended within an answer: "
          + String(decoding: held.prefix(2000), as: UTF8.self))
    }
  }

  private func take(_ count: Int) throws -> [UInt8] {
    while buffered.count < count { try fill() }
    defer { buffered.removeFirst(count) }
    return Array(buffered[..<count])
  }

  func readLine() throws -> String {
    while true {
      if let end = buffered.firstIndex(of: 10) {
        let line = try take(end + 1)
        guard line.count >= 2, line[end - 1] == 13 else {
          throw Failure(description: "a line does not end in CR LF")
        }
        return String(decoding: line[..<(end - 1)], as: UTF8.self)
      }
      try fill()
    }
  }

  func readHead() throws -> Answer {
    let status = try readLine().split(separator: " ")
    guard status.count >= 2, status[0] == "HTTP/1.1", let code = Int(status[1]) else {
      throw Failure(description: "not a status line: \(status)")
    }
    var headers: [String: String] = [:]
    while true {
      let line = try readLine()
      guard !line.isEmpty else { break }
      let parts = line.split(separator: ":", maxSplits: 1)
      guard parts.count >= 1 else { throw Failure(description: "not a header: \(line)") }
      let value = parts.count == 2 ? String(parts[1].drop { $0 == " " }) : ""
      let name = parts[0].lowercased()
      headers[name] = headers[name].map { "\($0)|\(value)" } ?? value
    }
    return Answer(status: code, headers: headers, body: "")
  }

  func readChunk() throws -> String {
    guard let size = Int(try readLine(), radix: 16) else {
      throw Failure(description: "not a chunk")
    }
    let chunk = try take(size)
    guard try readLine().isEmpty else {
      throw Failure(description: "a chunk is longer than it says")
    }
    return String(decoding: chunk, as: UTF8.self)
  }

  /// - Parameter hasBody: false for the answer to a HEAD.
  func readAnswer(hasBody: Bool = true) throws -> Answer {
    var answer = try readHead()
    guard hasBody, answer.status != 204, answer.status != 304 else { return answer }
    if answer["transfer-encoding"] == "chunked" {
      while true {
        let chunk = try readChunk()
        if chunk.isEmpty { return answer }
        answer.body += chunk
      }
    }
    if let length = answer["content-length"].flatMap({ Int($0) }) {
      answer.body = String(decoding: try take(length), as: UTF8.self)
    } else {
      answer.body = try readToEnd()
    }
    return answer
  }

  func get(_ target: String, _ lines: String..., method: String = "GET") throws -> Answer {
    try send(
      "\(method) \(target) HTTP/1.1\r\nHost: a.localhost\r\n"
        + lines.map { $0 + "\r\n" }.joined() + "\r\n")
    return try readAnswer(hasBody: method != "HEAD")
  }
}

/// Waits for what another thread is about to do, for at most 20 seconds.
func eventually(_ what: String, _ condition: () -> Bool) async throws {
  for _ in 0..<2000 {
    if condition() { return }
    try await Task.sleep(for: .milliseconds(10))
  }
  throw RawClient.Failure(description: "it did not happen: \(what)")
}
