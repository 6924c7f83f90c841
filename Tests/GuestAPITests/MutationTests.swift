// SPDX-License-Identifier: Apache-2.0
import Glibc
import GuestAPI
import Testing

/// Valid traffic, damaged: whatever comes out is a value or a violation, and memory does not grow with it.
@Suite("Mutations: damaged traffic")
struct MutationTests {
  private static let rounds = 6_000

  @Test("damaged frames are read or refused, never worse", arguments: [11, 12, 13] as [UInt64])
  func frames(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let corpus = Example.all.map { Frame.encode(json: $0.message.encoded, body: $0.body) }
    var (read, refused) = (0, 0)
    let before = Self.residentBytes()
    for _ in 0..<Self.rounds {
      var bytes = (0..<3).flatMap { _ in corpus.randomElement(using: &random) ?? [] }
      for _ in 0..<Int.random(in: 1...4, using: &random) { Self.damage(&bytes, using: &random) }
      var decoder = FrameDecoder()
      decoder.append(bytes)
      do throws(ProtocolViolation) {
        while let frame = try decoder.next() {
          read += 1
          try Self.interpret(frame)
        }
      } catch { refused += 1 }
    }
    #expect(read > 1_000, "seed \(seed): the damage must leave something to read")
    #expect(refused > 1_000, "seed \(seed): the damage must be worth something")
    #expect(Self.residentBytes() - before < 64 << 20, "seed \(seed)")
  }

  @Test(
    "damaged JSON that is still read is written and read again as the same",
    arguments: [21, 22] as [UInt64])
  func json(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let corpus = Example.all.map(\.message.encoded)
    var accepted = 0
    for round in 0..<Self.rounds {
      var bytes = corpus.randomElement(using: &random) ?? []
      for _ in 0..<Int.random(in: 1...3, using: &random) { Self.damage(&bytes, using: &random) }
      guard let value = try? JSONParser.parse(bytes) else { continue }
      accepted += 1
      #expect(try JSONParser.parse(value.encoded) == value, "seed \(seed), round \(round)")
    }
    #expect(accepted > 100, "seed \(seed)")
  }

  @Test("every prefix of valid traffic waits for more")
  func prefixes() throws {
    for example in Example.all {
      let bytes = Frame.encode(json: example.message.encoded, body: example.body)
      for count in 0..<bytes.count {
        var decoder = FrameDecoder()
        decoder.append(Array(bytes[..<count]))
        #expect(try decoder.next() == nil, "\(example.name), \(count) of \(bytes.count) bytes")
      }
    }
  }

  /// All the readers a frame meets in the host and in a guest.
  private static func interpret(_ frame: Frame) throws(ProtocolViolation) {
    switch try Message(frame.json) {
    case .notification(let method, let params):
      _ = try StreamSignal(method: method, params: params)
    case .request(let request): _ = try? HTTPRequestHead(request.params)
    case .response(let response):
      if case .result(let result) = response.outcome { _ = try? HTTPResponseHead(result) }
    }
  }

  private static func damage(_ bytes: inout [UInt8], using random: inout SeededRandom) {
    guard !bytes.isEmpty else { return }
    let at = Int.random(in: 0..<bytes.count, using: &random)
    switch Int.random(in: 0..<7, using: &random) {
    case 0: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    case 1: bytes[at] = UInt8.random(in: 0...255, using: &random)
    case 2: bytes.insert(UInt8.random(in: 0...255, using: &random), at: at)
    case 3: bytes.remove(at: at)
    case 4: bytes.removeLast(bytes.count - at)
    case 5:
      let end = min(bytes.count, at + Int.random(in: 1...40, using: &random))
      bytes.insert(contentsOf: Array(bytes[at..<end]), at: at)
    default:
      let word = Array(#"{}[]",:\u0000e9-"#.utf8).randomElement(using: &random) ?? 0
      bytes[at] = word
    }
  }

  private static func residentBytes() -> Int {
    guard let file = fopen("/proc/self/statm", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 128)
    guard fgets(&line, 128, file) != nil else { return 0 }
    let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8($0) }, as: UTF8.self)
    let fields = text.split(separator: " ")
    return (Int(fields[1]) ?? 0) * Int(getpagesize())
  }
}
