// SPDX-License-Identifier: Apache-2.0
import Supervisor
import Testing

/// Feeds text to a parser, whole or in pieces of some bytes.
private func parse(
  _ text: String, bounds: GatewayBounds = GatewayBounds(), step: Int = .max
) -> (outcome: HeadParser.Outcome, parser: HeadParser, bytes: [UInt8]) {
  let bytes = Array(text.utf8)
  var parser = HeadParser(bounds)
  var count = 0
  while true {
    count = step < bytes.count - count ? count + step : bytes.count
    let outcome = bytes[..<count].withUnsafeBytes { parser.parse($0) }
    if case .incomplete = outcome, count < bytes.count { continue }
    return (outcome, parser, bytes)
  }
}

private func refusal(_ text: String, _ bounds: GatewayBounds = GatewayBounds()) -> Refusal? {
  if case .refused(let refusal) = parse(text, bounds: bounds).outcome { refusal } else { nil }
}

private func head(_ text: String) -> RequestHead? {
  let (outcome, parser, _) = parse(text)
  if case .complete = outcome { return parser.head }
  return nil
}

@Suite struct HeadParserTests {
  @Test("an ordinary request is read, at whatever pace it arrives", arguments: [Int.max, 1, 2, 7])
  func ordinary(step: Int) throws {
    let text =
      "GET /a?b=c HTTP/1.1\r\nHost: x.localhost\r\nAccept:text/html \r\nX-Empty:\r\n\r\nrest"
    let (outcome, parser, bytes) = parse(text, step: step)
    guard case .complete = outcome else {
      Issue.record("\(outcome)")
      return
    }
    #expect(parser.head.method == .get)
    #expect(parser.head.byteCount == bytes.count - 4)
    bytes.withUnsafeBytes { bytes in
      #expect(parser.head.target.string(in: bytes) == "/a?b=c")
      #expect(parser.head.host.string(in: bytes) == "x.localhost")
      #expect(
        parser.head.fields.map { $0.name.string(in: bytes) } == ["Host", "Accept", "X-Empty"])
      #expect(
        parser.head.fields.map { $0.value.string(in: bytes) } == ["x.localhost", "text/html", ""])
    }
    #expect(parser.head.keepsAlive)
    #expect(!parser.head.hasBody)
  }

  @Test(
    "a request that two readers could take for different ones is refused",
    arguments: [
      (
        "two lengths",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n"
      ),
      ("lengths in a list", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n"),
      ("a length with a sign", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n"),
      ("a negative length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"),
      ("a length in hexadecimal", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\n"),
      ("an empty length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n"),
      (
        "a length beyond any integer",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n"
      ),
      (
        "a length and chunks",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
      ),
      (
        "chunks and a length",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"
      ),
      ("chunks twice", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n"),
      (
        "two transfer encodings",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n"
      ),
      (
        "an unknown transfer encoding",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n"
      ),
      ("gzip", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
      (
        "a vertical tab before chunked",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \u{0B}chunked\r\n\r\n"
      ),
      ("chunks in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
      ("a space before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
      ("a tab before the colon", "GET / HTTP/1.1\r\nHost: a\r\nX\t: b\r\n\r\n"),
      ("a folded header", "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n"),
      ("a folded first header", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
      ("a header without a colon", "GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n"),
      ("a header without a name", "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n"),
      ("a bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n"),
      ("a bare LF after a header", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"),
      ("a bare LF at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n"),
      ("a bare CR in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: b\rY: c\r\n\r\n"),
      ("a NUL in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: b\u{0}c\r\n\r\n"),
      ("a NUL in a name", "GET / HTTP/1.1\r\nHost: a\r\nX\u{0}: c\r\n\r\n"),
      ("no Host", "GET / HTTP/1.1\r\nX: b\r\n\r\n"),
      ("two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
      ("two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
      ("a tab for a space", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"),
      ("a space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
      ("a fragment in the target", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"),
      ("no target", "GET HTTP/1.1\r\nHost: a\r\n\r\n"),
      ("no version", "GET /\r\nHost: a\r\n\r\n"),
      ("a version in lower case", "GET / http/1.1\r\nHost: a\r\n\r\n"),
      ("a version with another dot", "GET / HTTP/1,1\r\nHost: a\r\n\r\n"),
      ("a version of three digits", "GET / HTTP/1.11\r\nHost: a\r\n\r\n"),
      ("a space after the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"),
      ("a target of another kind", "GET a/b HTTP/1.1\r\nHost: a\r\n\r\n"),
      ("a target of another scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
      ("an address without a path", "GET http://a HTTP/1.1\r\nHost: a\r\n\r\n"),
      ("an address without a server", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n"),
      ("a star for GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
      ("TLS", "\u{16}\u{03}\u{01}"),
      ("many empty lines", "\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ])
  func ambiguous(what: String, text: String) {
    #expect(refusal(text)?.status == 400, "\(what)")
    // However it arrives.
    let (outcome, _, _) = parse(text, step: 1)
    guard case .refused = outcome else {
      Issue.record("\(what), byte by byte: \(outcome)")
      return
    }
  }

  @Test("what HTTP allows is let through")
  func allowed() throws {
    #expect(head("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n") != nil)
    #expect(head("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n") != nil)
    #expect(head("PROPFIND /x HTTP/1.1\r\nHost: a\r\n\r\n")?.method == .other)
    #expect(head("GET / HTTP/1.7\r\nHost: a\r\n\r\n")?.isHTTP11 == true)
    let chunked = head("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n")
    #expect(chunked?.isChunked == true)
    let absolute = head("GET http://A:80/x?y HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(absolute?.authority?.count == 4)
    #expect(absolute?.target.count == 4)
    #expect(head("GET /é HTTP/1.1\r\nHost: a\r\n\r\n")?.targetIsRaw == true)
  }

  @Test("each bound of a head has its own answer, before the head has ended")
  func bounds() {
    var bounds = GatewayBounds()
    bounds.headBytesMax = 1000
    bounds.targetBytesMax = 100
    bounds.headerCountMax = 3
    let long = String(repeating: "x", count: 2000)
    #expect(refusal("GET /\(long)", bounds)?.status == 414)
    #expect(refusal("GET /\(long) HTTP/1.1\r\nHost: a\r\n\r\n", bounds)?.status == 414)
    #expect(
      refusal("GET /\(long.prefix(100)) HTTP/1.1\r\nHost: a\r\n\r\n", bounds)?.status == 414)
    #expect(refusal("GET / HTTP/1.1\r\nHost: a\r\nX: \(long)", bounds)?.status == 431)
    #expect(refusal("GET / HTTP/1.1\r\nHost: a\r\nX: \(long)\r\n\r\n", bounds)?.status == 431)
    let many = "GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\nC: 3\r\n"
    #expect(refusal(many, bounds)?.status == 431)
    #expect(refusal("\(long) / HTTP/1.1\r\nHost: a\r\n\r\n")?.status == 501)
  }

  @Test("methods and versions that are not offered are named so")
  func notOffered() {
    #expect(refusal("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n")?.status == 501)
    #expect(refusal("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n")?.status == 501)
    #expect(refusal("PRI * HTTP/2.0\r\n\r\n")?.status == 505)
    #expect(refusal("GET / HTTP/0.9\r\nHost: a\r\n\r\n")?.status == 505)
    #expect(refusal("GET / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n")?.status == 417)
  }

  @Test("whether a connection stays follows the version and Connection")
  func keepAlive() {
    func keeps(_ version: String, _ connection: String?) -> Bool? {
      let line = connection.map { "Connection: \($0)\r\n" } ?? ""
      return head("GET / HTTP/\(version)\r\nHost: a\r\n\(line)\r\n")?.keepsAlive
    }
    #expect(keeps("1.1", nil) == true)
    #expect(keeps("1.1", "close") == false)
    #expect(keeps("1.1", "x, Close") == false)
    #expect(keeps("1.0", nil) == false)
    #expect(keeps("1.0", "Keep-Alive") == true)
    #expect(keeps("1.0", "keep-alive, close") == false)
  }

  @Test("a parser that is reset reads the next request as if it were the first")
  func reset() {
    var parser = HeadParser(GatewayBounds())
    let first = Array("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n".utf8)
    let second = Array("GET /b HTTP/1.0\r\nHost: b\r\n\r\n".utf8)
    _ = first.withUnsafeBytes { parser.parse($0) }
    #expect(parser.head.contentLength == 3)
    parser.reset()
    guard case .complete = second.withUnsafeBytes({ parser.parse($0) }) else {
      Issue.record("the second request was not read")
      return
    }
    #expect(parser.head.contentLength == nil)
    #expect(parser.head.fields.count == 1)
    #expect(!parser.head.isHTTP11)
  }
}
