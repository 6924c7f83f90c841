// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import Testing

@Suite("JSON: bounds")
struct JSONBoundsTests {
  private func refusal(
    _ text: String, limits: JSONParser.Limits = .init()
  ) -> JSONError.Reason? {
    do throws(JSONError) {
      _ = try JSONParser.parse(text, limits: limits)
      return nil
    } catch {
      return error.reason
    }
  }

  @Test("nesting to 32 is read, to 33 refused, mixed or not")
  func depth() {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    func mixed(_ depth: Int) -> String {
      (0..<depth).reduce("1") { inner, level in level % 2 == 0 ? "[\(inner)]" : "{\"a\":\(inner)}" }
    }
    #expect(refusal(nested(32)) == nil)
    #expect(refusal(nested(33)) == .tooDeep)
    #expect(refusal(mixed(32)) == nil)
    #expect(refusal(mixed(33)) == .tooDeep)
    #expect(refusal("[" + nested(31) + "," + nested(31) + "]") == nil, "depth is not a sum")
  }

  @Test("an opened bracket costs no stack: 100,000 are refused at the 33rd")
  func depthOfRubbish() {
    for bracket in ["[", "{\"a\":", "[{\"a\":"] {
      #expect(refusal(String(repeating: bracket, count: 100_000)) == .tooDeep)
    }
  }

  @Test("65,536 values are read, one more refused; containers count")
  func values() {
    func array(_ count: Int) -> String {
      "[" + Array(repeating: "0", count: count).joined(separator: ",") + "]"
    }
    #expect(refusal(array(65_535)) == nil)
    #expect(refusal(array(65_536)) == .tooManyValues)
    let pairs = Array(repeating: "[0]", count: 32_767).joined(separator: ",")
    #expect(refusal("[\(pairs)]") == nil)
    #expect(refusal("[\(pairs),0]") == nil)
    #expect(refusal("[\(pairs),[0]]") == .tooManyValues)
    #expect(refusal("[1,2]", limits: .init(depth: 4, values: 3)) == nil)
    #expect(refusal("[1,2,3]", limits: .init(depth: 4, values: 3)) == .tooManyValues)
    #expect(refusal("{\"a\":1,\"b\":2}", limits: .init(depth: 4, values: 3)) == nil)
  }

  @Test(
    "a duplicate is found at any place of an object of any size", arguments: [2, 8, 9, 10, 5_000])
  func duplicates(count: Int) {
    let keys = (0..<count).map { "k\($0)" }
    let members = keys.map { "\"\($0)\":0" }
    #expect(refusal("{" + members.joined(separator: ",") + "}") == nil)
    for again in [0, count / 2, count - 1] {
      let text = "{" + (members + ["\"\(keys[again])\":1"]).joined(separator: ",") + "}"
      #expect(refusal(text) == .duplicateKey)
    }
  }

  @Test("two spellings of one letter are two keys beyond the eighth as well")
  func equivalentKeys() throws {
    let filler = (0..<20).map { "\"k\($0)\":0," }.joined()
    let json = try JSONParser.parse("{\(filler)\"\u{e9}\":1,\"e\u{301}\":2}")
    #expect(json["\u{e9}"] == 1)
    #expect(json["e\u{301}"] == 2)
    #expect(json.object?.keys.count == 22)
  }

  @Test("text made to be slow to compare is compared byte by byte")
  func hostileText() throws {
    // 60,000 marks that canonical ordering would sort pairwise: compared as Swift strings, the look-ups below would
    // take the better part of an hour, and the suite would not end.
    let marks = (0..<60_000).map { $0 % 2 == 0 ? "\u{301}" : "\u{323}" }.joined()
    let some = String(marks.unicodeScalars.prefix(1_000))
    let keys = (0..<16).map { "\"\($0)\(some)\":0," }.joined()
    let json = try JSONParser.parse("{\(keys)\"\(marks)\":\"\(marks)\",\"id\":1}")
    for index in 0..<2_000 { #expect(json["absent\(index)"] == nil) }
    #expect(json["id"] == 1)
    #expect(json == json)
    let error = #expect(throws: JSONError.self) {
      try JSONParser.parse("{\"\(marks)\":1,\"\(marks)\":2}")
    }
    #expect(error?.reason == .duplicateKey)
    #expect((error?.description.utf8.count ?? .max) < 512, "a log line does not grow with a key")
  }

  @Test("an error names the byte")
  func offsets() {
    let texts = [("[1,x]", 3), ("{\"a\":tru}", 5), ("[1,2", 4), ("[] []", 3), ("[\"ab\u{1}\"]", 4)]
    for (text, offset) in texts {
      let error = #expect(throws: JSONError.self) { try JSONParser.parse(text) }
      #expect(error?.offset == offset, "\(text)")
    }
  }
}
