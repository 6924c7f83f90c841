// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Supervisor
import Testing

/// The same numbers from the same seed (xorshift64*).
private struct BrokenRequestNumbers: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state ^= state >> 12
    state ^= state << 25
    state ^= state >> 27
    return state &* 0x2545_F491_4F6C_DD1D
  }
}

/// Well-formed requests, broken in one to four places.
private struct BrokenRequests {
  static let parts = [
    "GET / HTTP/1.1\r\n", "POST /a?b HTTP/1.1\r\n", "GET http://a.localhost/ HTTP/1.0\r\n",
    "Host: a.localhost\r\n", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n",
    "Connection: close, x\r\n", "Expect: 100-continue\r\n", "X-A: b\r\n", "X_Remote_User: c\r\n",
    "Range: bytes=0-1\r\n", "\r\n", "5\r\nhello\r\n", "0\r\n\r\n", "hello",
  ]
  static let noise: [UInt8] = Array("\r\n\t :;,/\\%\0\u{7f}09afGH".utf8) + [0x80, 0xC3, 0xFF]
  var numbers: BrokenRequestNumbers

  mutating func next() -> [UInt8] {
    let count = Int.random(in: 0...6, using: &numbers)
    var text = Self.parts[Int.random(in: 0..<3, using: &numbers)]
    if Int.random(in: 0..<4, using: &numbers) > 0 { text += Self.parts[3] }
    for _ in 0..<count { text += Self.parts.randomElement(using: &numbers) ?? "" }
    text += "\r\n"
    var bytes = Array(text.utf8)
    for _ in 0..<Int.random(in: 0...2, using: &numbers) {
      let at = Int.random(in: 0..<bytes.count, using: &numbers)
      let noise = Self.noise.randomElement(using: &numbers) ?? 0
      switch Int.random(in: 0..<3, using: &numbers) {
      case 0: bytes[at] = noise
      case 1: bytes.insert(noise, at: at)
      default: if bytes.count > 1 { bytes.remove(at: at) }
      }
    }
    return bytes
  }
}

@Suite struct GatewayFuzzTests {
  /// What a head was read as, in words that can be compared.
  private static func read(_ bytes: [UInt8], step: Int) -> String {
    var parser = HeadParser(GatewayBounds())
    var count = min(step, bytes.count)
    while true {
      switch bytes[..<count].withUnsafeBytes({ parser.parse($0) }) {
      case .refused(let refusal): return "refused \(refusal.status)"
      case .complete: return bytes.withUnsafeBytes { describe(parser.head, $0) }
      case .incomplete:
        if count == bytes.count { return "incomplete" }
        count = min(count + step, bytes.count)
      }
    }
  }

  private static func describe(_ head: RequestHead, _ bytes: UnsafeRawBufferPointer) -> String {
    let fields = head.fields.map {
      "\($0.name.string(in: bytes))=\($0.value.string(in: bytes))=\($0.kind)"
    }
    return "\(head.methodName.string(in: bytes)) \(head.target.string(in: bytes)) \(fields) "
      + "\(head.contentLength ?? -1) \(head.isChunked) \(head.keepsAlive) \(head.byteCount)"
  }

  @Test("a broken head is read the same however it arrives, and never as two lengths")
  func heads() {
    var requests = BrokenRequests(numbers: BrokenRequestNumbers(state: 2026))
    var complete = 0
    for _ in 0..<20_000 {
      let bytes = requests.next()
      let whole = Self.read(bytes, step: .max)
      if !whole.hasPrefix("refused"), whole != "incomplete" { complete += 1 }
      for step in [1, 3] {
        let inPieces = Self.read(bytes, step: step)
        if inPieces != whole {
          Issue.record("\(whole) but in steps of \(step) \(inPieces): \(bytes)")
          return
        }
      }
    }
    // Else it would test refusals only.
    #expect(complete > 1000)
  }

  @Test("a broken chunked body is read the same however it arrives")
  func bodies() {
    var requests = BrokenRequests(numbers: BrokenRequestNumbers(state: 7))
    func read(_ bytes: [UInt8], step: Int) -> String {
      var head = RequestHead()
      head.isChunked = true
      var decoder = BodyDecoder(head)
      var (inbox, body) = (ByteBuffer(), ByteBuffer())
      var rest = bytes[...]
      do {
        while !rest.isEmpty, !decoder.isDone {
          inbox.writeBytes(rest.prefix(step))
          rest = rest.dropFirst(step)
          while var piece = try decoder.read(from: &inbox, max: 4) { body.writeBuffer(&piece) }
        }
      } catch {
        return "refused"
      }
      return
        "\(decoder.isDone) \(Array(body.readableBytesView)) \(inbox.readableBytes + rest.count)"
    }
    for _ in 0..<20_000 {
      // The part after the head's first lines is often a chunk.
      let bytes = Array("5\r\nhello\r\n".utf8) + requests.next().suffix(30)
      let whole = read(bytes, step: .max)
      for step in [1, 2, 5] where read(bytes, step: step) != whole {
        Issue.record("\(whole) but in steps of \(step): \(bytes)")
        return
      }
    }
  }

  @Test("a gateway under broken requests keeps answering sound ones")
  func gateway() async throws {
    try await GatewayFixture.run { fixture in
      var requests = BrokenRequests(numbers: BrokenRequestNumbers(state: 99))
      for _ in 0..<300 {
        let client = try fixture.client()
        try? client.send(requests.next())
        client.endWriting()
        let answers = try client.readToEnd()
        #expect(answers.isEmpty || answers.hasPrefix("HTTP/1.1 "))
      }
      #expect(try fixture.client().get("/sound").body == "GET /sound ")
      try await eventually("no connection is left") { fixture.gateway.connectionCount == 0 }
    }
  }
}
