// SPDX-License-Identifier: Apache-2.0

/// The rules for an app's id and the web origin that follows from it.
public enum AppIdentifier {
  public static let bytesMax = 128

  /// Whether a text is an app's id: two or more DNS labels in lower case, at most 128 bytes, the first a letter.
  public static func isValid(_ text: String) -> Bool { flaw(in: text) == nil }

  /// A DNS label in lower case (RFC 1123 §2.1): 1 to 63 letters, digits and inner hyphens.
  public static func isLabel(_ text: String) -> Bool {
    (1...63).contains(text.utf8.count) && text.utf8.first != 0x2d && text.utf8.last != 0x2d
      && text.utf8.allSatisfy {
        (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2d
      }
  }

  /// The last label of the id, which is the app's origin where its manifest names none.
  public static func originLabel(of id: String) -> String {
    String(id.split(separator: ".").last ?? "")
  }

  static func flaw(in text: String) -> String? {
    guard text.utf8.count <= bytesMax else {
      return "has \(text.utf8.count) bytes, allowed are \(bytesMax)"
    }
    let labels = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard labels.count >= 2 else {
      return "\"\(text.shortened)\" is not a reverse DNS name of two or more parts"
    }
    guard labels.allSatisfy(isLabel) else {
      return
        "\"\(text.shortened)\" is not a reverse DNS name of lower-case letters, digits and inner hyphens"
    }
    guard let first = text.utf8.first, (0x61...0x7a).contains(first) else {
      return "\"\(text.shortened)\" does not start with a letter"
    }
    return nil
  }
}
