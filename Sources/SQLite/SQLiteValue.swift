// SPDX-License-Identifier: Apache-2.0

/// One value as SQLite stores it: the five storage classes, nothing converted.
public enum SQLiteValue: Sendable, Equatable {
  case null
  case integer(Int64)
  case real(Double)
  case text(String)
  case blob([UInt8])
}

extension SQLiteValue: ExpressibleByIntegerLiteral, ExpressibleByStringLiteral,
  ExpressibleByNilLiteral, ExpressibleByFloatLiteral
{
  public init(integerLiteral value: Int64) { self = .integer(value) }
  public init(stringLiteral value: String) { self = .text(value) }
  public init(floatLiteral value: Double) { self = .real(value) }
  public init(nilLiteral: ()) { self = .null }
}

extension SQLiteValue {
  public var int: Int64? { if case .integer(let value) = self { value } else { nil } }
  public var string: String? { if case .text(let value) = self { value } else { nil } }
  public var bytes: [UInt8]? { if case .blob(let value) = self { value } else { nil } }
  public var double: Double? {
    switch self {
    case .real(let value): value
    case .integer(let value): Double(value)
    default: nil
    }
  }
}
