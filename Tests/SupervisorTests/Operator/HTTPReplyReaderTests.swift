// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import Testing

@Suite("Reading an HTTP answer")
struct HTTPReplyReaderTests {
  /// The body of an answer that arrives in pieces of `size` bytes.
  private func read(_ text: String, pieces size: Int, ends: Bool = false) throws -> (
    HTTPReplyReader, String
  ) {
    var reader = HTTPReplyReader()
    var body: [UInt8] = []
    let bytes = Array(text.utf8)
    for start in stride(from: 0, to: bytes.count, by: size) {
      body += try reader.receive(bytes[start..<min(start + size, bytes.count)])
    }
    if ends { try reader.receiveEnd() }
    return (reader, String(decoding: body, as: UTF8.self))
  }

  @Test("wherever an answer is cut, it reads the same", arguments: 1...40)
  func anySplit(size: Int) throws {
    let chunked =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: a/b\r\n"
      + "Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: t\r\n\r\n"
    let (reader, body) = try read(chunked, pieces: size)
    #expect(body == "hello world")
    #expect(reader.isDone)
    #expect(reader.head?.contentType == "a/b")
    let (fixed, text) = try read(
      "HTTP/1.1 404 Not Found\r\ncontent-length: 3\r\n\r\nabc", pieces: size)
    #expect(text == "abc" && fixed.isDone && fixed.head?.status == 404)
  }

  @Test("an answer without a length ends with its connection")
  func untilClose() throws {
    let (reader, body) = try read("HTTP/1.1 200 OK\r\n\r\nabc", pieces: 7, ends: true)
    #expect(body == "abc" && reader.isDone)
  }

  @Test("an answer without a body is done at once")
  func noBody() throws {
    #expect(try read("HTTP/1.1 204 No Content\r\n\r\n", pieces: 100).0.isDone)
    #expect(try read("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", pieces: 100).0.isDone)
  }

  @Test("an answer that is cut off is an error, not a short answer")
  func cutOff() {
    #expect(throws: HTTPReplyReader.Flaw.self) {
      try read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", pieces: 100, ends: true)
    }
  }

  @Test(
    "what is no HTTP is refused",
    arguments: [
      "SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    ])
  func refused(text: String) {
    #expect(throws: HTTPReplyReader.Flaw.self) { try read(text, pieces: 1_000) }
  }

  @Test("a head without an end is bounded")
  func longHead() {
    var reader = HTTPReplyReader()
    #expect(throws: HTTPReplyReader.Flaw.headTooLong) {
      _ = try reader.receive(
        [UInt8](repeating: 0x41, count: HTTPReplyReader.headBytesMax + 1))
    }
  }
}
