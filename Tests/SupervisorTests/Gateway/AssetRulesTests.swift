// SPDX-License-Identifier: Apache-2.0
import Supervisor
import Testing

private func path(_ target: String) -> String? {
  Array(target.utf8).withUnsafeBytes { AssetPath.read($0) }
}

@Suite struct AssetPathTests {
  @Test("a path is decoded once and names a file beneath the root")
  func plain() {
    #expect(path("/") == "index.html")
    #expect(path("/?x") == "index.html")
    #expect(path("/a/b.txt?v=1") == "a/b.txt")
    #expect(path("/docs/") == "docs/index.html")
    #expect(path("/a%20b.txt") == "a b.txt")
    #expect(path("/%C3%A9.txt") == "é.txt")
    #expect(path("/a%2525") == "a%25")
    #expect(path("/.well-known/security.txt") == ".well-known/security.txt")
  }

  @Test(
    "a path that could lead elsewhere, or to a hidden file, names none",
    arguments: [
      "/../etc/passwd", "/a/../b", "/a/..", "/.", "/./a", "/%2e%2e/etc/passwd", "/%2E./x",
      "/a%2fb", "/a%2Fb", "/a%2f..%2fb", "/a\\b", "/a%5cb", "/a%5C..", "/a%00.txt", "/a%0ab",
      "/%", "/%4", "/%zz", "/a%7f", "//a", "/a//b", "//", "/.env", "/.well-known",
      "/a/.well-known/x", "/.well-known/.x", "/.well-known/../a", "/%2ewell-known/x",
      "/.git/config", "/a/.htaccess",
      "/%2egit/config", "/%ff", "/a%c3", "", "a", "*", "/%ef%bf%bd",
    ])
  func hostile(target: String) { #expect(path(target) == nil) }

  @Test("a path has a longest length")
  func long() { #expect(path("/" + String(repeating: "a", count: 2000)) == nil) }
}

@Suite struct CachePolicyTests {
  @Test(
    "only a name that carries a hash is kept for ever",
    arguments: [
      ("app.3f9c2a1b.js", true), ("assets/index-BxK3f9Qa.css", true), ("a.3f9c2a1b.min.js", true),
      ("a.3f9c2a1b.js.map", true), ("logo-0123456789abcdef.png", true), ("app.js", false),
      ("app.min.js", false), ("jquery-3.7.1.min.js", false), ("report-20240101.pdf", false),
      ("photo-holidays.jpg", false), ("my-component.js", false), ("3f9c2a1b.js", false),
    ])
  func hashes(name: String, isKept: Bool) {
    let policy = CachePolicy.of(name, contentType: ContentType.of(name))
    #expect(policy.contains("immutable") == isKept)
  }

  @Test("pages and service workers are asked about each time")
  func pages() {
    for name in ["index.html", "a.3f9c2a1b.html", "sw.js", "x/service-worker.js"] {
      #expect(CachePolicy.of(name, contentType: ContentType.of(name)) == "no-cache")
    }
  }

  @Test("content types follow the last extension, in either case")
  func types() {
    #expect(ContentType.of("a/b.HTML") == "text/html; charset=utf-8")
    #expect(ContentType.of("a.b.js") == "text/javascript; charset=utf-8")
    #expect(ContentType.of("a.wasm") == "application/wasm")
    #expect(ContentType.of("a.js/noextension") == "application/octet-stream")
    #expect(ContentType.of("unknown.zzz") == "application/octet-stream")
  }
}

@Suite struct AssetDecisionTests {
  private let asset = Asset(
    path: "a.txt",
    identity: .init(
      size: 100, modifiedSeconds: 784_111_777, modifiedNanoseconds: 5, inode: 7), content: nil)

  private func decide(_ lines: String..., method: String = "GET") throws -> AssetDecision {
    let text =
      "\(method) / HTTP/1.1\r\nHost: a\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n"
    let bytes = Array(text.utf8)
    var parser = HeadParser(GatewayBounds())
    guard case .complete = bytes.withUnsafeBytes({ parser.parse($0) }) else {
      throw Refusal(400, "test", text)
    }
    return bytes.withUnsafeBytes { AssetDecision.decide(asset, parser.head, $0) }
  }

  @Test("a client that has it is told so")
  func notModified() throws {
    let (tag, date) = (asset.etag, "Sun, 06 Nov 1994 08:49:37 GMT")
    #expect(asset.lastModified == date)
    #expect(try decide("If-None-Match: \(tag)") == .notModified)
    #expect(try decide("If-None-Match: W/\(tag)") == .notModified)
    #expect(try decide("If-None-Match: \"x\", \(tag)") == .notModified)
    #expect(try decide("If-None-Match: *") == .notModified)
    #expect(try decide("If-None-Match: \"x\"") == .whole)
    #expect(try decide("If-None-Match: \"x\"", "If-Modified-Since: \(date)") == .whole)
    #expect(try decide("If-Modified-Since: \(date)") == .notModified)
    #expect(try decide("If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT") == .notModified)
    #expect(try decide("If-Modified-Since: Sun Nov  6 08:49:37 1994") == .notModified)
    #expect(try decide("If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT") == .whole)
    #expect(try decide("If-Modified-Since: yesterday") == .whole)
  }

  @Test("a client that wants only the one it knows is told when it is another")
  func preconditions() throws {
    #expect(try decide("If-Match: \(asset.etag)") == .whole)
    #expect(try decide("If-Match: *") == .whole)
    #expect(try decide("If-Match: W/\(asset.etag)") == .preconditionFailed)
    #expect(try decide("If-Match: \"x\"") == .preconditionFailed)
    #expect(
      try decide("If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT") == .preconditionFailed)
    #expect(try decide("If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT") == .whole)
  }

  @Test("one range is a part, several are the whole, none that fits is an error")
  func ranges() throws {
    #expect(try decide("Range: bytes=0-0") == .part(0..<1))
    #expect(try decide("Range: bytes=10-") == .part(10..<100))
    #expect(try decide("Range: bytes=90-1000") == .part(90..<100))
    #expect(try decide("Range: bytes=-10") == .part(90..<100))
    #expect(try decide("Range: bytes=-1000") == .part(0..<100))
    #expect(try decide("Range: bytes=100-") == .rangeNotSatisfiable)
    #expect(try decide("Range: bytes=-0") == .rangeNotSatisfiable)
    #expect(try decide("Range: bytes=200-300, 400-") == .rangeNotSatisfiable)
    #expect(try decide("Range: bytes=0-1, 5-6") == .whole)
    #expect(try decide("Range: bytes=0-1, 200-") == .whole)
    for header in ["bytes=", "bytes=a-b", "bytes=5-2", "bytes=--5", "lines=1-2", "bytes 0-1"] {
      #expect(try decide("Range: \(header)") == .whole, "\(header)")
    }
    #expect(try decide("Range: bytes=0-1", method: "HEAD") == .whole)
    #expect(try decide("Range: bytes=0-1", "Range: bytes=0-1") == .whole)
  }

  @Test("a range of another content is the whole of this one")
  func ifRange() throws {
    #expect(try decide("Range: bytes=0-1", "If-Range: \(asset.etag)") == .part(0..<2))
    #expect(try decide("Range: bytes=0-1", "If-Range: \(asset.lastModified)") == .part(0..<2))
    #expect(try decide("Range: bytes=0-1", "If-Range: \"x\"") == .whole)
    #expect(try decide("Range: bytes=0-1", "If-Range: W/\(asset.etag)") == .whole)
  }

  @Test("any change of a file changes its tag")
  func tags() {
    func tag(_ size: Int, _ seconds: Int, _ nanoseconds: Int, _ inode: UInt64) -> String {
      Asset(
        path: "a",
        identity: .init(
          size: size, modifiedSeconds: seconds, modifiedNanoseconds: nanoseconds, inode: inode),
        content: nil
      ).etag
    }
    let tags: Set = [
      tag(1, 1, 1, 1), tag(2, 1, 1, 1), tag(1, 2, 1, 1), tag(1, 1, 2, 1), tag(1, 1, 1, 2),
    ]
    #expect(tags.count == 5)
    #expect(tag(1, 1, 1, 1) == tag(1, 1, 1, 1))
  }

  @Test(
    "an encoding is taken if the client names it, and not at quality 0",
    arguments: [
      ("gzip, deflate, br", true, true), ("gzip", false, true), ("br;q=0, gzip;q=0.5", false, true),
      ("*", true, true), ("*;q=0, br", true, false), ("identity", false, false), ("", false, false),
      ("gzip;q=0.000", false, false), ("GZIP ; q=1.0 , BR", true, true), ("brotli", false, false),
    ])
  func encodings(header: String, brotli: Bool, gzip: Bool) {
    let accepted = Array(header.utf8).withUnsafeBytes { AcceptedEncodings($0) }
    #expect((accepted.brotli, accepted.gzip) == (brotli, gzip))
  }
}

@Suite struct GatewayValueTests {
  @Test("dates are written and read back over four centuries")
  func dates() {
    #expect(HTTPDate.text(0) == "Thu, 01 Jan 1970 00:00:00 GMT")
    #expect(HTTPDate.text(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
    #expect(HTTPDate.text(951_782_400) == "Tue, 29 Feb 2000 00:00:00 GMT")
    #expect(HTTPDate.text(4_102_444_799) == "Thu, 31 Dec 2099 23:59:59 GMT")
    var seconds = 1
    while seconds < 13_000_000_000 {
      #expect(HTTPDate.seconds(HTTPDate.text(seconds)) == seconds)
      seconds += 86_400 * 97 + 7919
    }
  }

  @Test("a cache of two generations stays within its bounds and keeps what is used")
  func cache() {
    var cache = GenerationCache<Int, Int>(costMax: 100, countMax: 1000)
    cache.insert(-1, for: -1, cost: 1)
    for number in 0..<1000 {
      cache.insert(number, for: number, cost: 10)
      #expect(cache.cost <= 100)
      #expect(cache[-1] == -1)
    }
    #expect(cache[0] == nil)
    cache.insert(7, for: 7, cost: 51)
    #expect(cache[7] == nil)
    var many = GenerationCache<Int, Int>(costMax: .max, countMax: 10)
    for number in 0..<100 {
      many.insert(number, for: number, cost: 1)
      many.insert(number, for: number, cost: 2)
      #expect(many.count <= 10)
    }
  }

  @Test("connections are counted in all and by address, and let go")
  func connections() throws {
    var count = ConnectionCount()
    let (first, second) = (try #require(IPAddress("::1")), try #require(IPAddress("10.0.0.1")))
    func admit(_ address: IPAddress?) -> Bool { count.admit(address, total: 3, perAddress: 1) }
    let outcomes = [
      admit(first), admit(first), admit(nil), admit(second), admit(nil),
    ]
    #expect(outcomes == [true, false, true, true, false])
    count.leave(first)
    let again = admit(first)
    #expect(again)
  }

  @Test("a client is too slow only when a whole window says so")
  func rates() {
    var window = RateWindow()
    func look(_ seconds: Int64) -> Bool {
      window.isTooSlow(now: seconds * 1000, rateMin: 10, windowSeconds: 30)
    }
    #expect(!look(5))
    #expect(!look(34))
    window.add(300)
    #expect(!look(35))
    window.add(299)
    #expect(!look(64))
    #expect(look(65))
  }

  @Test("a cookie loses its Domain and nothing else")
  func cookies() {
    #expect(CookieScope.withoutDomain("a=b") == "a=b")
    #expect(CookieScope.withoutDomain("a=b; Path=/; HttpOnly") == "a=b; Path=/; HttpOnly")
    #expect(CookieScope.withoutDomain("a=b; Domain=localhost; Path=/") == "a=b; Path=/")
    #expect(CookieScope.withoutDomain("a=b;DOMAIN = .x.org;domain=y") == "a=b")
    #expect(CookieScope.withoutDomain("domain=b; Secure") == "domain=b; Secure")
  }
}
