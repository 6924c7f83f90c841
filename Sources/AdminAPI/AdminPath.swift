// SPDX-License-Identifier: Apache-2.0

/// The paths of the admin socket. `{app}` is an app's id or its origin name.
public enum AdminPath {
  public static let version = "/v1/version"
  public static let doctor = "/v1/doctor"
  public static let events = "/v1/events"
  public static let stats = "/v1/stats"
  public static let reviews = "/v1/reviews"
  public static let apps = "/v1/apps"
  public static let reports = "/v1/reports"
  public static let masterKeyRotation = "/v1/master-key/rotation"
  public static let prices = "/v1/prices"
  public static let metrics = "/metrics"
  public static let alive = "/healthz"
  public static let ready = "/readyz"

  public static func app(_ app: String) -> String { "\(apps)/\(escape(app))" }
  public static func app(_ app: String, _ rest: String...) -> String {
    ([self.app(app)] + rest.map(escape)).joined(separator: "/")
  }

  /// RFC 3986 §2.3: everything but the unreserved characters is percent-encoded.
  public static func escape(_ text: String) -> String {
    var escaped = ""
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
        UInt8(ascii: "_"), UInt8(ascii: "~"):
        escaped.unicodeScalars.append(Unicode.Scalar(byte))
      default:
        let hex = String(byte, radix: 16, uppercase: true)
        escaped += "%" + (hex.utf8.count == 1 ? "0" : "") + hex
      }
    }
    return escaped
  }

  /// The text that was escaped; nil if an escape is broken or the bytes are not UTF-8.
  public static func unescape(_ text: some StringProtocol) -> String? {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit)
      else { return nil }
      bytes.append(high << 4 | low)
    }
    return String(validating: bytes, as: UTF8.self)
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    Character(Unicode.Scalar(byte)).hexDigitValue.map(UInt8.init)
  }

  /// `path?name=value&…`, with the values that are there.
  public static func query(_ path: String, _ items: [(String, String?)]) -> String {
    let pairs = items.compactMap { item in item.1.map { "\(item.0)=\(escape($0))" } }
    return pairs.isEmpty ? path : path + "?" + pairs.joined(separator: "&")
  }
}
