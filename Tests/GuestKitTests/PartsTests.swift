// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import GuestKit
import Testing

@Suite("Credit, bodies and values of SQL", .timeLimit(.minutes(1)))
struct PartsTests {
  @Test("credit is given out once, waited for when it is used up, and over when stopped")
  func credit() async {
    let credit = StreamCredit(100)
    #expect(await credit.take(atMost: 60) == 60)
    #expect(await credit.take(atMost: 60) == 40)
    async let waiting = credit.take(atMost: 60)
    credit.add(7)
    #expect(await waiting == 7)
    async let stopped = credit.take(atMost: 60)
    credit.stop()
    #expect(await stopped == 0)
    credit.add(1_000)
    #expect(await credit.take(atMost: 1) == 0)
  }

  @Test("no byte of credit is lost or doubled between a taker and a granter")
  func creditRace() async {
    let credit = StreamCredit(0)
    let granter = Task.detached {
      for _ in 0..<5_000 { credit.add(3) }
    }
    var taken = 0
    while taken < 15_000 { taken += await credit.take(atMost: 64) }
    await granter.value
    #expect(taken == 15_000)
  }

  @Test("a body gives its pieces in order and grants each as it is read")
  func body() async throws {
    let (grants, continuation) = AsyncStream.makeStream(of: RequestBody.Demand.self)
    let body = RequestBody(first: [1], isComplete: false) { continuation.yield($0) }
    body.receive([2, 3], isComplete: false)
    var pieces = body.makeAsyncIterator()
    #expect(try await pieces.next() == [1])
    #expect(try await pieces.next() == [2, 3])
    let waiting = Task { try await body.collect() }
    body.receive([], isComplete: false)
    body.receive([4], isComplete: true)
    #expect(try await waiting.value == [4])
    #expect(try await pieces.next() == nil)
    continuation.finish()
    var granted: [RequestBody.Demand] = []
    for await demand in grants { granted.append(demand) }
    #expect(granted == [.more(1), .more(2), .more(1)])
  }

  @Test("a body nobody reads on is stopped once, and drops what still comes")
  func abandoned() async throws {
    let (demands, continuation) = AsyncStream.makeStream(of: RequestBody.Demand.self)
    let body = RequestBody(first: [1], isComplete: false) { continuation.yield($0) }
    body.abandon()
    body.abandon()
    body.receive([2], isComplete: true)
    #expect(try await body.collect() == [])
    let whole = RequestBody(first: [1], isComplete: true) { continuation.yield($0) }
    whole.abandon()
    continuation.finish()
    var asked: [RequestBody.Demand] = []
    for await demand in demands { asked.append(demand) }
    #expect(asked == [.stop])
  }

  @Test("a body larger than the reader wants is refused, one that broke off fails after its pieces")
  func bodyBounds() async throws {
    let large = RequestBody(first: Array(repeating: 0, count: 11), isComplete: true) { _ in }
    await #expect(throws: GuestError.self) { try await large.collect(max: 10) }
    let broken = RequestBody(first: [1], isComplete: false) { _ in }
    broken.receive([], isComplete: true, failure: .disconnected)
    var pieces = broken.makeAsyncIterator()
    #expect(try await pieces.next() == [1])
    await #expect(throws: GuestError.self) { _ = try await broken.collect() }
  }

  @Test(
    "values travel unchanged",
    arguments: [
      .null, .integer(0), .integer(.max), .integer(.min), .real(0.5), .real(1), .real(.infinity),
      .real(-.infinity), .real(-0.0), .text(""), .text("é\u{0}\""), .blob([]), .blob([0, 255]),
      .text(String(repeating: "é", count: 20_000)),
    ] as [SQLValue])
  func values(value: SQLValue) throws {
    var body: [UInt8] = [9, 9]
    let json = try JSONParser.parse(value.json(&body).encoded)
    let back = try SQLValue(json: json, body: body)
    #expect(back == value)
    if case .real(let number) = value, case .real(let other) = back {
      #expect(number.bitPattern == other.bitPattern)
    }
  }

  @Test(
    "what is no value is refused, offsets past the body among it",
    arguments: [
      #"{"blob":[0,4]}"#, #"{"blob":[4,0]}"#, #"{"blob":[-1,1]}"#, #"{"blob":[1,-1]}"#,
      #"{"blob":[9223372036854775807,1]}"#, #"{"blob":[1,9223372036854775807]}"#,
      #"{"blob":[0]}"#, #"{"blob":"x"}"#, #"{"text":[0,4]}"#, "{}", "[]", "true",
    ])
  func badValues(text: String) throws {
    let json = try JSONParser.parse(text)
    #expect(throws: GuestError.self) { try SQLValue(json: json, body: [1, 2, 3]) }
  }

  @Test("a number that is not one is null, as in SQLite")
  func notANumber() {
    var body: [UInt8] = []
    #expect(SQLValue.real(.nan).json(&body) == .null)
  }
}
