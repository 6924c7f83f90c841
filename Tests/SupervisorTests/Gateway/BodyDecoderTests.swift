// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Supervisor
import Testing

private func decoder(chunked: Bool, length: Int? = nil) -> BodyDecoder {
  var head = RequestHead()
  head.isChunked = chunked
  head.contentLength = length
  return BodyDecoder(head)
}

/// Decodes what arrives in pieces; the body, what was left over, and the status of a refusal.
private func decode(
  _ text: String, step: Int, _ decoder: BodyDecoder
) -> (body: String, rest: String, isDone: Bool, status: Int?) {
  var decoder = decoder
  var inbox = ByteBuffer()
  var body = ByteBuffer()
  do {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      inbox.writeBytes(bytes.prefix(step))
      bytes = bytes.dropFirst(step)
      while var piece = try decoder.read(from: &inbox, max: 5) { body.writeBuffer(&piece) }
    }
  } catch {
    return (String(buffer: body), "", false, error.status)
  }
  return (String(buffer: body), String(buffer: inbox), decoder.isDone, nil)
}

@Suite struct BodyDecoderTests {
  @Test("a body of a length ends there and leaves the next request alone", arguments: [1, 3, 1000])
  func length(step: Int) {
    let (body, rest, isDone, status) = decode(
      "hello worldGET /", step: step, decoder(chunked: false, length: 11))
    #expect((body, rest, isDone, status) == ("hello world", "GET /", true, nil))
  }

  @Test("chunks are put together, extensions and trailers dropped", arguments: [1, 2, 3, 1000])
  func chunks(step: Int) {
    let text = "5\r\nhello\r\n6;a=\"b\"\r\n world\r\n0\r\nX-Sum: 1\r\nY:\r\n\r\nGET /"
    let (body, rest, isDone, status) = decode(text, step: step, decoder(chunked: true))
    #expect((body, rest, isDone, status) == ("hello world", "GET /", true, nil))
  }

  @Test(
    "chunks that two readers could take for different bodies are refused",
    arguments: [
      "5\nhello\r\n0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "5\r\nhelloX\r\n0\r\n\r\n",
      "5 \r\nhello\r\n0\r\n\r\n", " 5\r\nhello\r\n0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n",
      "+5\r\nhello\r\n0\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n", "\r\nhello\r\n0\r\n\r\n",
      "5,5\r\nhello\r\n0\r\n\r\n", "5;a\u{0}\r\nhello\r\n0\r\n\r\n", "5;a\rb\r\nhello\r\n0\r\n\r\n",
      "10000000000000000\r\nhello\r\n0\r\n\r\n", "FFFFFFFFFFFFFFFF5\r\nhello\r\n0\r\n\r\n",
      "5;a\nb\r\nhello\r\n0\r\n\r\n", "0\r\nGET / HTTP/1.1\r\n\r\n", "0\r\n X: folded\r\n\r\n",
      "0\r\nX : 1\r\n\r\n", "0\n\n",
    ])
  func ambiguous(text: String) {
    for step in [1, 1000] {
      #expect(decode(text, step: step, decoder(chunked: true)).status == 400, "\(text)")
    }
  }

  @Test("extensions and trailers are bounded, also when they never end")
  func bounds() {
    let long = String(repeating: "x", count: 10_000)
    #expect(decode("5;\(long)", step: 100, decoder(chunked: true)).status == 400)
    #expect(decode("0\r\nX: \(long)", step: 100, decoder(chunked: true)).status == 400)
    let many = String(repeating: "X: 1\r\n", count: 3000)
    #expect(decode("0\r\n\(many)", step: 100, decoder(chunked: true)).status == 400)
  }

  @Test("bytes on the wire are counted with their framing")
  func wireBytes() throws {
    var decoder = decoder(chunked: true)
    var inbox = ByteBuffer(string: "3\r\nabc\r\n0\r\n\r\nrest")
    _ = try decoder.read(from: &inbox, max: 100)
    #expect(decoder.isDone)
    #expect(decoder.wireBytes == 13)
  }
}
