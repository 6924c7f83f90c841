// SPDX-License-Identifier: Apache-2.0

/// What a request and its response have in common: an integer from 0 to 2^53 − 1, or a string of at most 64 bytes.
public enum RequestID: Sendable, Hashable {
  case number(Int64)
  case string(String)

  init?(_ value: JSONValue) {
    switch value {
    case .int(let number) where (0...FrameLimits.numberMax).contains(number):
      self = .number(number)
    case .string(let text) where text.utf8.count <= FrameLimits.idBytesMax: self = .string(text)
    default: return nil
    }
  }

  public static func == (left: RequestID, right: RequestID) -> Bool {
    switch (left, right) {
    case (.number(let left), .number(let right)): left == right
    case (.string(let left), .string(let right)): left.hasSameBytes(as: right)
    default: false
    }
  }

  public func hash(into hasher: inout Hasher) {
    switch self {
    case .number(let number): hasher.combine(number)
    case .string(let text): ExactText(text: text).hash(into: &hasher)
    }
  }

  public func write(to writer: inout JSONWriter) {
    switch self {
    case .number(let number): writer.int(number)
    case .string(let text): writer.string(text)
    }
  }
}
