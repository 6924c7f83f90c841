// SPDX-License-Identifier: Apache-2.0

import GuestAPI

extension ValueRule where Value == String {
  /// A text of so many bytes of UTF-8, without control characters.
  static func text(_ bytes: ClosedRange<Int>) -> Self {
    Self { (json) throws(Flaw) in
      guard let text = json.string else { throw Flaw("is \(json.typeName), expected a text") }
      guard !text.isEmpty || bytes.lowerBound == 0 else { throw Flaw("is empty") }
      guard bytes.contains(text.utf8.count) else {
        throw Flaw(
          "has \(text.utf8.count) bytes, allowed are \(bytes.lowerBound) to \(bytes.upperBound)")
      }
      guard !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
      else { throw Flaw("holds a control character") }
      return text
    }
  }

  /// An app's id: reverse DNS, at least two labels, at most 128 bytes.
  static var appID: Self {
    text(1...AppIdentifier.bytesMax).then { (text) throws(Flaw) in
      if let reason = AppIdentifier.flaw(in: text) {
        let lower = text.lowercased()
        throw Flaw(
          reason,
          lower != text && AppIdentifier.isValid(lower)
            ? "write \"\(lower)\"" : "write it like org.example.journal")
      }
      return text
    }
  }

  /// A DNS label (RFC 1123): the first part of an app's web address.
  static var originLabel: Self {
    text(1...63).then { (text) throws(Flaw) in
      guard AppIdentifier.isLabel(text) else {
        throw Flaw(
          "\"\(text.shortened)\" is not a DNS label",
          "use lower-case letters, digits and inner hyphens")
      }
      return text
    }
  }

  /// A name that becomes part of a path and of a method's parameters: `main`, `issue-cache`.
  static var resourceName: Self {
    text(1...64).then { (text) throws(Flaw) in
      let first = text.utf8.first ?? 0
      guard (0x61...0x7a).contains(first),
        text.utf8.allSatisfy({ isLowerOrDigit($0) || $0 == 0x5f || $0 == 0x2d })
      else {
        throw Flaw(
          "\"\(text.shortened)\" is not a name",
          "start with a lower-case letter; then letters, digits, - and _")
      }
      return text
    }
  }

  /// A name an operator types and a guest asks for: `smtp_password`, `API_TOKEN`, `api.token`.
  static var secretName: Self {
    text(1...128).then { (text) throws(Flaw) in
      guard
        text.utf8.allSatisfy({
          isLetterOrDigit($0) || $0 == 0x5f || $0 == 0x2d || $0 == 0x2e
        }), text.utf8.first != 0x2e
      else {
        throw Flaw("\"\(text.shortened)\" is not a name", "use letters, digits, - _ and .")
      }
      return text
    }
  }

  /// A path inside the package: relative, `/` between its parts, none of them empty, `.` or `..`.
  static var packagePath: Self {
    text(1...1024).then { (text) throws(Flaw) in
      guard !text.hasPrefix("/") else {
        throw Flaw("\"\(text.shortened)\" is an absolute path", "name a path inside the package")
      }
      var path = text
      while path.hasSuffix("/") { path.removeLast() }
      let parts = path.split(separator: "/", omittingEmptySubsequences: false)
      guard !parts.contains("..") else {
        throw Flaw("\"\(text.shortened)\" leads out of the package", "remove the \"..\"")
      }
      guard parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0.utf8.count <= 255 }) else {
        throw Flaw("\"\(text.shortened)\" is not a plain path", "write it like assets/www")
      }
      return path
    }
  }

  /// A path of the app's site, with at most one `*`, at its end.
  static var pathPattern: Self {
    text(1...1024).then { (text) throws(Flaw) in
      guard text.hasPrefix("/") else {
        throw Flaw("\"\(text.shortened)\" does not start with /", "write \"/\(text.shortened)\"")
      }
      guard !text.dropLast().contains("*") else {
        throw Flaw("\"\(text.shortened)\" has a * that is not at its end", "use /prefix/*")
      }
      guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != 0x3f && $0 != 0x23 }) else {
        throw Flaw("\"\(text.shortened)\" holds characters that do not stand in a path")
      }
      let parts = text.split(separator: "/", omittingEmptySubsequences: false)
      guard !parts.contains(where: { $0 == "." || $0 == ".." }), !text.contains("//") else {
        throw Flaw("\"\(text.shortened)\" is not a plain path", "remove //, . and ..")
      }
      return text
    }
  }

  static var httpMethod: Self {
    text(1...16).then { (text) throws(Flaw) in
      let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
      guard methods.contains(text) else {
        throw Flaw(
          "\"\(text.shortened)\" is none of \(methods.joined(separator: ", "))",
          methods.contains(text.uppercased()) ? "write \"\(text.uppercased())\"" : nil)
      }
      return text
    }
  }

  /// `*` is not a host: whoever asks for everything asks for nothing that can be granted.
  static var outboundHost: Self {
    text(1...253).then { (text) throws(Flaw) in
      guard !text.contains("://"), !text.contains("/") else {
        throw Flaw("\"\(text.shortened)\" is an address, expected a host", "write only the name")
      }
      guard !text.contains(":") else {
        throw Flaw("\"\(text.shortened)\" has a port", "list it under ports")
      }
      let name = text.hasPrefix("*.") ? text.dropFirst(2) : Substring(text)
      let labels = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
      guard !labels.isEmpty, labels.allSatisfy(AppIdentifier.isLabel) else {
        throw Flaw(
          "\"\(text.shortened)\" is not a host name",
          text != text.lowercased()
            ? "write it in lower case" : "write a name like api.example.org or *.example.org")
      }
      // A wildcard over a whole top level, such as *.org, is not a destination an operator can judge.
      guard !text.hasPrefix("*.") || labels.count >= 2 else {
        throw Flaw("\"\(text.shortened)\" covers a whole top-level domain", "name the domain")
      }
      return text
    }
  }

  static var cron: Self {
    text(1...256).then { (text) throws(Flaw) in
      do throws(CronError) {
        _ = try CronExpression(text)
      } catch {
        throw Flaw(
          "\"\(text.shortened)\" \(error.reason)",
          "write minute, hour, day of month, month, day of week: \"0 7 * * 1-5\"")
      }
      return text
    }
  }

  /// The form of an IANA zone's name; whether there is such a zone only the host's database knows.
  static var timezone: Self {
    text(1...64).then { (text) throws(Flaw) in
      let parts = text.split(separator: "/", omittingEmptySubsequences: false)
      let isZone =
        (1...3).contains(parts.count)
        && parts.allSatisfy { part in
          guard let first = part.utf8.first, isLetterOrDigit(first), first > 0x39 else {
            return false
          }
          return part.utf8.allSatisfy {
            isLetterOrDigit($0) || $0 == 0x2b || $0 == 0x2d || $0 == 0x5f
          }
        }
      guard isZone else {
        throw Flaw("\"\(text.shortened)\" is not an IANA zone", "write it like Europe/Madrid")
      }
      return text
    }
  }

  static var homepage: Self {
    text(0...2048).then { (text) throws(Flaw) in
      guard text.isEmpty || text.hasPrefix("https://") || text.hasPrefix("http://"),
        !text.contains(" ")
      else { throw Flaw("\"\(text.shortened)\" is not a web address", "start with https://") }
      return text
    }
  }

  private static func isLowerOrDigit(_ byte: UInt8) -> Bool {
    (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte)
  }
  private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
    isLowerOrDigit(byte) || (0x41...0x5a).contains(byte)
  }
}
