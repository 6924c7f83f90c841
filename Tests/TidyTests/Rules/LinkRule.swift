// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A relative link in a document leads somewhere.
enum LinkRule {
  static func check(_ file: Repository.File, exists: (String) -> Bool) -> [Complaint] {
    guard file.fileExtension == "md" else { return [] }
    let folder = file.path.split(separator: "/").dropLast().joined(separator: "/")
    return file.lines.enumerated().flatMap { index, line in
      targets(line).compactMap { target -> Complaint? in
        let path = String(target.prefix { $0 != "#" })
        guard !path.isEmpty, !path.contains("://"), !path.hasPrefix("mailto:") else { return nil }
        let full = folder.isEmpty ? path : "\(folder)/\(path)"
        return exists(full)
          ? nil : Complaint(path: file.path, line: index + 1, reason: "\(path) is not there")
      }
    }
  }

  private static func targets(_ line: Substring) -> [Substring] {
    line.components(separatedBy: "](").dropFirst().compactMap { rest in
      rest.firstIndex(of: ")").map { Substring(rest[..<$0]) }
    }
  }
}
