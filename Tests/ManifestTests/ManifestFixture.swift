// SPDX-License-Identifier: Apache-2.0

import GuestAPI
import Manifest
import Testing

/// The smallest manifest there is, and ways to change one thing in it.
enum ManifestFixture {
  static let smallest: JSONValue = [
    "manifest": 1,
    "app": ["id": "org.example.journal", "name": "Journal", "version": "1.4.0", "build": 14],
    "run": ["runtime": "python", "command": ["python3", "-m", "journal"]],
  ]

  /// The smallest manifest with one more, or one other, value at a path of keys.
  static func with(_ path: String..., value: JSONValue?) -> JSONValue {
    replacing(path[...], in: smallest, with: value)
  }

  private static func replacing(
    _ path: ArraySlice<String>, in json: JSONValue, with value: JSONValue?
  ) -> JSONValue {
    guard let key = path.first, var object = json.object else { return json }
    if path.count == 1 {
      object[key] = value
    } else {
      object[key] = replacing(path.dropFirst(), in: object[key] ?? [:], with: value)
    }
    return .object(object)
  }

  /// The issues of a manifest, none if it is accepted.
  static func issues(_ json: JSONValue) -> [ManifestIssue] {
    do throws(ManifestError) {
      _ = try AppManifest(json)
      return []
    } catch {
      return error.issues
    }
  }
}
