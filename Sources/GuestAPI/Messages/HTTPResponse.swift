// SPDX-License-Identifier: Apache-2.0

/// The result of `http.request`.
public struct HTTPResponseHead: Sendable, Equatable {
  /// 200 to 599.
  public var status: Int
  public var headers: [(name: String, value: String)]

  public init(status: Int, headers: [(name: String, value: String)] = []) {
    self.status = status
    self.headers = headers
  }

  /// Reads and checks a guest's result: the status in range, every name a token, no control character in a value
  /// (RFC 9110 §5.1 and §5.5), so that nothing a guest says can forge a header or a second response.
  public init(_ result: JSONValue) throws(HostError) {
    guard let status = result["status"]?.int, (200...599).contains(status) else {
      throw HostError(.params, "", "\"status\" must be an integer from 200 to 599")
    }
    let headers = try headerPairs(result["headers"])
    for (name, value) in headers {
      guard HTTPField.isToken(name) else {
        throw HostError(.params, "", "a header name is empty or holds a character it must not")
      }
      guard HTTPField.isValue(value) else {
        throw HostError(.params, "", "the value of header \(name) holds a control character")
      }
    }
    self.init(status: Int(status), headers: headers)
  }

  public func write(to writer: inout JSONWriter) {
    writer.raw("{\"status\":")
    writer.int(Int64(status))
    writer.raw(",\"headers\":[")
    for (index, header) in headers.enumerated() {
      if index > 0 { writer.raw(",") }
      writer.raw("[")
      writer.string(header.name)
      writer.raw(",")
      writer.string(header.value)
      writer.raw("]")
    }
    writer.raw("]}")
  }

  public static func == (left: Self, right: Self) -> Bool {
    left.status == right.status && left.headers.elementsEqual(right.headers, by: ==)
  }
}

/// What RFC 9110 lets a header consist of.
public enum HTTPField {
  /// A token (RFC 9110 §5.6.2), not empty.
  public static func isToken(_ text: String) -> Bool {
    !text.isEmpty
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"):
          true
        case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"),
          UInt8(ascii: "&"), UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"),
          UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "^"), UInt8(ascii: "_"),
          UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
          true
        default: false
        }
      }
  }

  /// No control character but the tab.
  public static func isValue(_ text: String) -> Bool {
    text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 }
  }
}
