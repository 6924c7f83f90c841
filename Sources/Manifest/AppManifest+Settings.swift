// SPDX-License-Identifier: Apache-2.0

import GuestAPI

extension AppManifest {
  static func setting(_ table: inout TableReader) -> Setting {
    let kind = table.required(
      "type", example: "\"string\"", placeholder: Setting.Kind.string, .word)
    return Setting(
      name: table.required("name", example: "\"greeting\"", placeholder: "", .secretName),
      kind: kind,
      defaultValue: table.value("default", default: nil, .setting(kind)),
      description: table.value("description", default: "", .text(0...1000)))
  }
}

extension ValueRule where Value == AppManifest.Setting.Value? {
  /// A default of the setting's own kind.
  static func setting(_ kind: AppManifest.Setting.Kind) -> Self {
    Self { (json) throws(Flaw) in
      switch (kind, json) {
      case (.string, .string(let text)): return .string(text)
      case (.integer, .int(let value)): return .integer(value)
      case (.number, .int(let value)): return .number(Double(value))
      case (.number, .double(let value)): return .number(value)
      case (.boolean, .bool(let value)): return .boolean(value)
      default:
        throw Flaw("is \(json.typeName) where the setting's type is \"\(kind.rawValue)\"")
      }
    }
  }
}

extension AppManifest.Setting.Value {
  public var json: JSONValue {
    switch self {
    case .string(let text): .string(text)
    case .integer(let value): .int(value)
    case .number(let value): .double(value)
    case .boolean(let value): .bool(value)
    }
  }
}
