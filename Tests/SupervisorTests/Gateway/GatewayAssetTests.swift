// SPDX-License-Identifier: Apache-2.0
import Foundation
import GuestAPI
import NIOCore
import Supervisor
import Testing

/// A directory that is removed after the test.
private final class Folder {
  let path: String

  init() throws {
    var template = Array("/tmp/bulkhead-www-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw RawClient.Failure(description: "mkdtemp") }
    path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func directory(_ name: String) { mkdir("\(path)/\(name)", 0o755) }

  func write(_ name: String, _ content: String) throws {
    let file = fopen("\(path)/\(name)", "w")
    guard let file else { throw RawClient.Failure(description: "cannot write \(name)") }
    fwrite(content, 1, content.utf8.count, file)
    fclose(file)
  }

  func link(_ name: String, to target: String) { symlink(target, "\(path)/\(name)") }
}

@Suite struct GatewayAssetTests {
  private let folder: Folder
  private let large = String(repeating: "0123456789abcdef", count: 65_536)

  init() throws {
    folder = try Folder()
    folder.directory("docs")
    folder.directory("empty")
    folder.directory(".well-known")
    try folder.write(".well-known/security.txt", "Contact:")
    try folder.write("index.html", "<h1>index</h1>")
    try folder.write("docs/index.html", "docs")
    try folder.write("a.txt", "plain text")
    try folder.write("a b é.txt", "spaces")
    try folder.write("empty.txt", "")
    try folder.write(".secret", "hidden")
    try folder.write("app.js", "plain js")
    try folder.write("app.js.br", "brotli js")
    try folder.write("app.js.gz", "gzip js")
    try folder.write("app.3f9c2a1b.css", "hashed")
    try folder.write("large.bin", large)
    folder.link("link.txt", to: "a.txt")
    folder.link("passwd", to: "/etc/passwd")
    folder.link("out", to: "/etc")
  }

  private func run(_ test: (GatewayFixture) async throws -> Void) async throws {
    try await GatewayFixture.run(assets: folder.path, test)
  }

  @Test("a file is served without its app, with type, tag and dates")
  func files() async throws {
    try await run { fixture in
      let client = try fixture.client()
      for _ in 0..<2 {
        let answer = try client.get("/a.txt?v=1")
        #expect(answer.status == 200)
        #expect(answer.body == "plain text")
        #expect(answer["content-type"] == "text/plain; charset=utf-8")
        #expect(answer["etag"]?.hasPrefix("\"") == true)
        #expect(answer["last-modified"]?.hasSuffix(" GMT") == true)
        #expect(answer["cache-control"] == "public, max-age=300, must-revalidate")
        #expect(answer["accept-ranges"] == "bytes")
        #expect(answer["x-content-type-options"] == "nosniff")
        #expect(answer["vary"] == nil)
      }
      #expect(try client.get("/").body == "<h1>index</h1>")
      #expect(try client.get("/")["cache-control"] == "no-cache")
      #expect(try client.get("/docs/").body == "docs")
      #expect(try client.get("/a%20b%20%C3%A9.txt").body == "spaces")
      #expect(try client.get("/empty.txt")["content-length"] == "0")
      #expect(try client.get("/.well-known/security.txt").body == "Contact:")
      #expect(try client.get("/app.3f9c2a1b.css")["cache-control"]?.contains("immutable") == true)
      let head = try client.get("/a.txt", method: "HEAD")
      #expect(head["content-length"] == "10")
      #expect(fixture.app.requests.isEmpty)
      #expect(fixture.app.counts.statuses.allSatisfy { $0 == 200 })
    }
  }

  @Test("what is not a file goes to the app, and so does every other method")
  func precedence() async throws {
    try await run { fixture in
      let client = try fixture.client()
      for target in ["/api", "/api/x", "/empty", "/empty/", "/docs/none", "/a.txt/x", "/a.txt/"] {
        for _ in 0..<2 { #expect(try client.get(target).body == "GET \(target) ") }
      }
      #expect(try client.get("/a.txt", method: "DELETE").body == "DELETE /a.txt ")
      // A body that nobody wants, before the next request.
      try client.send("GET /a.txt HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 2\r\n\r\nhi")
      #expect(try client.readAnswer().body == "plain text")
      try client.send("POST /a.txt HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 2\r\n\r\nhi")
      #expect(try client.readAnswer().body == "POST /a.txt hi")
    }
  }

  @Test("a directory is redirected to its slash, and keeps its query")
  func directories() async throws {
    try await run { fixture in
      let answer = try fixture.client().get("/docs?a=b")
      #expect(answer.status == 308)
      #expect(answer["location"] == "/docs/?a=b")
    }
  }

  @Test(
    "nothing outside the directory, hidden or linked is served",
    arguments: [
      "/../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/docs/../../etc/passwd", "/..%2fetc/passwd",
      "/.secret", "/%2esecret", "/link.txt", "/passwd", "/out/passwd", "/out/", "//etc/passwd",
      "/docs%2findex.html", "/docs\\index.html", "/a.txt%00", "/a.txt%00.html",
    ])
  func escapes(target: String) async throws {
    try await run { fixture in
      let client = try fixture.client()
      for _ in 0..<2 {
        // The app gets it as it was sent, and makes of it what it will.
        #expect(try client.get(target).body == "GET \(target) ")
      }
    }
  }

  @Test("a client that has the file is told so, and one that has another gets this one")
  func conditions() async throws {
    try await run { fixture in
      let client = try fixture.client()
      let first = try client.get("/a.txt")
      let tag = try #require(first["etag"])
      let same = try client.get("/a.txt", "If-None-Match: \(tag)")
      #expect(same.status == 304)
      #expect(same["etag"] == tag)
      #expect(same["content-length"] == nil)
      let date = try #require(first["last-modified"])
      #expect(try client.get("/a.txt", "If-Modified-Since: \(date)").status == 304)
      #expect(try client.get("/a.txt", "If-None-Match: \"x\"").body == "plain text")
      #expect(try client.get("/a.txt", "If-Match: \"x\"").status == 412)
      #expect(try client.get("/a.txt").body == "plain text")
    }
  }

  @Test("ranges of small and large files")
  func ranges() async throws {
    try await run { fixture in
      let client = try fixture.client()
      let part = try client.get("/a.txt", "Range: bytes=6-")
      #expect(part.status == 206)
      #expect(part.body == "text")
      #expect(part["content-range"] == "bytes 6-9/10")
      let suffix = try client.get("/large.bin", "Range: bytes=-20")
      #expect(suffix.status == 206)
      #expect(suffix.body == large.suffix(20))
      #expect(suffix["content-range"] == "bytes 1048556-1048575/1048576")
      let none = try client.get("/a.txt", "Range: bytes=10-")
      #expect(none.status == 416)
      #expect(none["content-range"] == "bytes */10")
      #expect(try client.get("/a.txt", "Range: bytes=0-1,3-4").body == "plain text")
    }
  }

  @Test("a large file is sent whole, again and again, and pipelined with others")
  func largeFiles() async throws {
    try await run { fixture in
      let client = try fixture.client()
      let get = { (target: String) in "GET \(target) HTTP/1.1\r\nHost: a.localhost\r\n\r\n" }
      try client.send(get("/large.bin") + get("/a.txt") + get("/large.bin") + get("/api"))
      #expect(try client.readAnswer().body == large)
      #expect(try client.readAnswer().body == "plain text")
      #expect(try client.readAnswer().body == large)
      #expect(try client.readAnswer().body == "GET /api ")
      #expect(fixture.app.counts.statuses == [200, 200, 200, 200])
    }
  }

  @Test("a client that leaves within a large file leaves no descriptor behind")
  func leavesEarly() async throws {
    try folder.write("huge.bin", String(repeating: "x", count: 32 << 20))
    let huge = "\(folder.path)/huge.bin"
    try await run { fixture in
      for _ in 0..<5 {
        let client = try fixture.client()
        try client.send("GET /huge.bin HTTP/1.1\r\nHost: a.localhost\r\n\r\n")
        _ = try client.readHead()
        client.reset()
      }
      try await eventually("the connections are gone") { fixture.gateway.connectionCount == 0 }
      try await eventually("the files are closed") { !descriptors().contains(huge) }
    }
  }

  @Test("a precompressed form is sent to who takes it, and caches are told")
  func variants() async throws {
    try await run { fixture in
      let client = try fixture.client()
      let brotli = try client.get("/app.js", "Accept-Encoding: gzip, br")
      #expect(brotli.body == "brotli js")
      #expect(brotli["content-encoding"] == "br")
      #expect(brotli["vary"] == "accept-encoding")
      #expect(brotli["content-type"] == "text/javascript; charset=utf-8")
      let gzip = try client.get("/app.js", "Accept-Encoding: gzip, br;q=0")
      #expect(gzip.body == "gzip js")
      let plain = try client.get("/app.js")
      #expect(plain.body == "plain js")
      #expect(plain["content-encoding"] == nil)
      #expect(plain["vary"] == "accept-encoding")
      #expect(Set([brotli["etag"], gzip["etag"], plain["etag"]]).count == 3)
      let tag = try #require(brotli["etag"])
      #expect(
        try client.get("/app.js", "Accept-Encoding: br", "If-None-Match: \(tag)").status == 304)
      #expect(
        try client.get("/app.js", "Accept-Encoding: br", "Range: bytes=0-4").body == "plain")
    }
  }

  @Test("a change, a new file and a removed one are seen")
  func changes() async throws {
    try await GatewayFixture.run(assets: folder.path, options: { $0.bounds.assetFreshSeconds = 0 })
    {
      fixture in
      let client = try fixture.client()
      #expect(try client.get("/a.txt").body == "plain text")
      #expect(try client.get("/new.txt").body == "GET /new.txt ")
      try folder.write("a.txt", "another text")
      try folder.write("new.txt", "new")
      #expect(try client.get("/a.txt").body == "another text")
      #expect(try client.get("/new.txt").body == "new")
      unlink("\(folder.path)/new.txt")
      #expect(try client.get("/new.txt").body == "GET /new.txt ")
      try folder.write("large.bin", "small now")
      #expect(try client.get("/large.bin").body == "small now")
    }
  }

  @Test("an app without assets, or whose directory is gone, answers all by itself")
  func noAssets() async throws {
    for assets in [nil, "/nonexistent/www"] {
      try await GatewayFixture.run(assets: assets) { fixture in
        let client = try fixture.client()
        for _ in 0..<2 { #expect(try client.get("/index.html").body == "GET /index.html ") }
      }
    }
  }
}

/// What this process has open.
private func descriptors() -> [String] {
  (0..<1024).compactMap { number in
    var target = [CChar](repeating: 0, count: 4096)
    let count = readlink("/proc/self/fd/\(number)", &target, target.count - 1)
    return count > 0
      ? String(decoding: target[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
  }
}
