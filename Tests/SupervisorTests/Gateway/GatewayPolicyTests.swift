// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import Supervisor
import Testing

/// A head with these lines, after `GET /` and a Host, and the bytes it points into.
private func parsed(_ lines: [String], target: String = "/") throws -> (RequestHead, [UInt8]) {
  let text =
    "GET \(target) HTTP/1.1\r\nHost: a.localhost\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n"
  let bytes = Array(text.utf8)
  var parser = HeadParser(GatewayBounds())
  guard case .complete = bytes.withUnsafeBytes({ parser.parse($0) }) else {
    throw Refusal(400, "test", "the head of the test is not one: \(text)")
  }
  return (parser.head, bytes)
}

private func kind(_ name: String) -> FieldKind {
  Array(name.utf8).withUnsafeBytes { FieldKind(name: $0) }
}

@Suite struct FieldKindTests {
  @Test(
    "a header that could pass for an identity is known in every spelling",
    arguments: [
      "Remote-User", "remote_user", "REMOTE.USER", "Remote-Name", "Remote_Groups", "Remote-Group",
      "Remote-Email", "X-Remote-User", "X_Remote_User", "x-remote-anything", "X-Forwarded-User",
      "X_Forwarded_User", "X-Forwarded-Email", "X-Forwarded-Groups",
      "X-Forwarded-Preferred-Username", "X-Forwarded_Preferred-Username", "X-Auth-Request-User",
      "X_Auth_Request_Email", "X-Bulkhead-Identity", "x_bulkhead_anything",
      "X-Remote-A-Name-That-Is-Longer-Than-What-Is-Folded",
    ])
  func identity(name: String) { #expect(kind(name) == .identity) }

  @Test(
    "a disguised spelling of a header the gateway acts on is dropped",
    arguments: [
      "Content_Length", "content.length", "Transfer_Encoding", "X_Forwarded_For",
      "X.Forwarded.Proto",
      "If_None_Match", "X_Real_IP", "Proxy", "proxy-connection", "Keep-Alive", "TE",
      "Trailer", "X-Original-URL", "X_Rewrite_URL",
    ])
  func disguised(name: String) { #expect(kind(name) == .dropped) }

  @Test(
    "any other header passes",
    arguments: [
      "User-Agent", "Cookie", "Authorization", "X-Request-Id", "Remote", "X-Forward", "Referer",
      "my_header", "Hosts", "X-Remot-User", "Contents-Length", "A", "Sec-Fetch-Mode", "Remote-Host",
    ])
  func other(name: String) { #expect(kind(name) == .other) }

  @Test("case does not matter")
  func cases() {
    #expect(kind("hOsT") == .host)
    #expect(kind("CONTENT-LENGTH") == .contentLength)
    #expect(kind("Transfer-Encoding") == .transferEncoding)
    #expect(kind("x-forwarded-for") == .forwardedFor)
    #expect(kind("X-FORWARDED-PROTO") == .forwardedProto)
    #expect(kind("X-Forwarded-Host") == .forwardedOther)
    #expect(kind("Forwarded") == .forwardedOther)
  }
}

@Suite struct AddressTests {
  @Test("an address in two forms is one address")
  func mapped() {
    #expect(IPAddress("::ffff:10.0.0.1") == IPAddress("10.0.0.1"))
    #expect(IPAddress("10.0.0.1")?.description == "10.0.0.1")
    #expect(IPAddress("2001:DB8:0::1")?.description == "2001:db8::1")
    for text in [
      "", "10.0.0", "10.0.0.256", "10.0.0.1:80", "::1%lo", "[::1]", "unknown", "010.0.0.1",
    ] {
      #expect(IPAddress(text) == nil, "\(text)")
    }
  }

  @Test("ranges hold what their prefix covers and nothing else")
  func ranges() throws {
    func holds(_ range: String, _ address: String) throws -> Bool {
      try #require(AddressRange(range)).contains(try #require(IPAddress(address)))
    }
    #expect(try holds("10.0.0.0/8", "10.255.1.2"))
    #expect(try !holds("10.0.0.0/8", "11.0.0.1"))
    #expect(try holds("10.0.0.1", "10.0.0.1"))
    #expect(try !holds("10.0.0.1", "10.0.0.2"))
    #expect(try holds("0.0.0.0/0", "8.8.8.8"))
    #expect(try !holds("0.0.0.0/0", "2001:db8::1"))
    #expect(try holds("::/0", "8.8.8.8"))
    #expect(try holds("2001:db8::/33", "2001:db8:7fff::1"))
    #expect(try !holds("2001:db8::/33", "2001:db8:8000::1"))
    #expect(try holds("::1/128", "::1"))
    for text in ["10.0.0.0/33", "10.0.0.0/-1", "::/129", "10.0.0.0/", "10.0.0.0/8/8", "x/8", ""] {
      #expect(AddressRange(text) == nil, "\(text)")
    }
  }
}

@Suite struct HostNameTests {
  private func route(_ host: String, suffix: String = "localhost") -> HostRoute {
    Array(host.utf8).withUnsafeBytes { HostName(suffix: suffix).route($0) }
  }

  @Test("one label before the suffix names an app")
  func apps() {
    #expect(route("journal.localhost") == .app("journal"))
    #expect(route("Journal.LocalHost:8080") == .app("journal"))
    #expect(route("journal.localhost.") == .app("journal"))
    #expect(route("a.apps.example.org", suffix: "apps.example.org") == .app("a"))
    #expect(route("localhost:8080") == .host)
    #expect(route("a.b.localhost") == .unknown)
    #expect(route("xlocalhost") == .unknown)
    #expect(route(".localhost") == .unknown)
    #expect(route("127.0.0.1:8080") == .unknown)
    #expect(route("[::1]:8080") == .unknown)
    #expect(route("\(String(repeating: "a", count: 64)).localhost") == .unknown)
  }

  @Test(
    "a Host that is no name is refused",
    arguments: [
      "", "a b", "a/b", "user@a.localhost", "a.localhost:", "a.localhost:x", "a.localhost:123456",
      "a:80:80", ":80", "[::1", "[]", "[zz]:80", "[::1]x", "a,b", "a\\b",
    ])
  func malformed(host: String) {
    // An empty port is allowed by RFC 3986 §3.2.3.
    #expect(route(host) == (host == "a.localhost:" ? .app("a") : .malformed))
  }
}

@Suite struct ClientPolicyTests {
  private func policy(_ identity: IdentityHeaders? = nil) throws -> ClientPolicy {
    var options = GatewayOptions()
    options.trustedProxies = [
      try #require(AddressRange("10.0.0.0/8")), try #require(AddressRange("127.0.0.1")),
    ]
    options.identity = identity
    return ClientPolicy(options)
  }

  private func client(_ lines: [String], peer: String = "10.0.0.1") throws -> ClientPolicy.Client {
    let (head, bytes) = try parsed(lines)
    let peer = try #require(IPAddress(peer))
    return try bytes.withUnsafeBytes { try policy().client(head, $0, peer: peer) }
  }

  @Test("the client is the rightmost forwarded address that is no trusted proxy")
  func forwardedFor() throws {
    #expect(try client([]).ip == "10.0.0.1")
    #expect(try client(["X-Forwarded-For: 192.0.2.7"]).ip == "192.0.2.7")
    #expect(try client(["X-Forwarded-For: 1.1.1.1, 192.0.2.7, 10.9.9.9"]).ip == "192.0.2.7")
    #expect(
      try client(["X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: 192.0.2.7"]).ip == "192.0.2.7")
    #expect(try client(["X-Forwarded-For: 10.1.1.1, 10.2.2.2"]).ip == "10.1.1.1")
    #expect(try client(["X-Forwarded-For: 1.1.1.1, unknown"]).ip == "10.0.0.1")
    #expect(try client(["X-Forwarded-For: 192.0.2.7:4711"]).ip == "192.0.2.7")
    #expect(try client(["X-Forwarded-For: [2001:db8::7]:4711"]).ip == "2001:db8::7")
    #expect(try client(["X_Forwarded_For: 192.0.2.7"]).ip == "10.0.0.1")
  }

  @Test("the scheme is the last proxy's word")
  func scheme() throws {
    #expect(try client([]).scheme == "http")
    #expect(try client(["X-Forwarded-Proto: https"]).scheme == "https")
    #expect(try client(["X-Forwarded-Proto: https, http"]).scheme == "http")
    #expect(try client(["X-Forwarded-Proto: gopher"]).scheme == "http")
  }

  @Test("an identity is read from the headers that were configured, and from one of each only")
  func identity() throws {
    let headers = IdentityHeaders(user: "Remote-User", name: "Remote-Name", groups: "X-My-Groups")
    let policy = try policy(headers)
    func identity(_ lines: [String]) throws -> Identity? {
      let (head, bytes) = try parsed(lines)
      return try bytes.withUnsafeBytes { bytes in
        try Result { () throws(Refusal) in try policy.identity(head, bytes) }.get()
      }
    }
    #expect(
      try identity(["remote-user: ana", "Remote-Name: Ana B", "X-My-Groups: a, b ,,c"])
        == Identity(id: "ana", name: "Ana B", groups: ["a", "b", "c"]))
    #expect(try identity(["Remote-User: ana"]) == Identity(id: "ana", name: "ana"))
    #expect(try identity(["Remote-User:"]) == nil)
    #expect(try identity(["Remote_User: ana"]) == nil)
    #expect(throws: Refusal.self) { try identity(["Remote-User: ana", "Remote-User: root"]) }
  }

  @Test("what an app sees of a request holds nothing about the connection or who is asking")
  func guestHead() throws {
    let policy = try policy(IdentityHeaders(user: "X-SSO-User"))
    let (head, bytes) = try parsed(
      [
        "Connection: keep-alive, X-Secret, Content-Length", "X-Secret: 1", "Keep-Alive: 5",
        "X-SSO-User: root", "X_SSO.User: root", "Remote-User: root", "X-Forwarded-For: 1.2.3.4",
        "Upgrade: h2c", "TE: trailers", "Expect: 100-continue", "Content-Length: 3",
        "Cookie: a=b", "Accept: */*", "If-None-Match: \"x\"", "X-Twice: 1", "X-Twice: 2",
      ], target: "/a%20b/é?q")
    func seen(trusted: Bool) -> HTTPRequestHead {
      bytes.withUnsafeBytes {
        GuestHead.make(
          head, $0, client: .init(ip: "192.0.2.1", scheme: "https"), identity: nil, policy: policy,
          isFromTrustedProxy: trusted, bodyCount: nil)
      }
    }
    let direct = seen(trusted: false)
    #expect(
      direct.headers.map { "\($0.name): \($0.value)" } == [
        "Host: a.localhost", "Content-Length: 3", "Cookie: a=b", "Accept: */*",
        "If-None-Match: \"x\"", "X-Twice: 1", "X-Twice: 2",
      ])
    #expect(direct.target == "/a%20b/%C3%A9?q")
    #expect(direct.remoteIP == "192.0.2.1")
    #expect(direct.scheme == "https")
    let proxied = seen(trusted: true).headers.map(\.name)
    #expect(proxied.contains("X-Forwarded-For"))
    #expect(!proxied.contains("Remote-User") && !proxied.contains("X-SSO-User"))
  }
}

@Suite struct PublicPathsTests {
  private func isPublic(_ target: String, _ patterns: [String] = ["/hooks/*", "/health"]) -> Bool {
    Array(target.utf8).withUnsafeBytes { PublicPaths.contain($0, patterns) }
  }

  @Test("a pattern covers its path, or all beneath it")
  func patterns() {
    #expect(isPublic("/hooks/github"))
    #expect(isPublic("/hooks/"))
    #expect(isPublic("/hooks/a/b?c=../d"))
    #expect(isPublic("/health"))
    #expect(isPublic("/health?x"))
    #expect(!isPublic("/hooks"))
    #expect(!isPublic("/healthy"))
    #expect(!isPublic("/"))
    #expect(!isPublic("/anything", []))
    #expect(isPublic("/anything", ["/*"]))
  }

  @Test(
    "a path that an app could read as another one is not public",
    arguments: [
      "/hooks/../admin", "/hooks/..", "/hooks/./x", "/hooks/%2e%2e/admin", "/hooks//x",
      "/hooks/..;/admin", "/hooks/x;y", "/hooks/..\\admin", "/hooks/%00", "/hooks/\u{e9}", "*",
    ])
  func disguised(target: String) { #expect(!isPublic(target)) }
}
