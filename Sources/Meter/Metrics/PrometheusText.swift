// SPDX-License-Identifier: Apache-2.0

/// One metric with all its samples, as Prometheus has it.
public struct MetricFamily: Sendable, Equatable {
  public enum Kind: String, Sendable { case counter, gauge, histogram }

  public struct Sample: Sendable, Equatable {
    /// Added to the family's name: `_bucket`, `_sum`, `_count`; else empty.
    public var suffix: String
    public var labels: [(name: String, value: String)]
    /// As text: whole numbers and decimals are written exactly.
    public var value: String

    public init(_ labels: [(name: String, value: String)], _ value: String, suffix: String = "") {
      self.labels = labels
      self.value = value
      self.suffix = suffix
    }

    public static func == (left: Sample, right: Sample) -> Bool {
      left.suffix == right.suffix && left.value == right.value
        && left.labels.map(\.name) == right.labels.map(\.name)
        && left.labels.map(\.value) == right.labels.map(\.value)
    }
  }

  public var name: String
  public var kind: Kind
  public var help: String
  public var samples: [Sample]

  public init(name: String, kind: Kind, help: String, samples: [Sample]) {
    self.name = name
    self.kind = kind
    self.help = help
    self.samples = samples
  }
}

/// The text exposition format, version 0.0.4
/// (https://prometheus.io/docs/instrumenting/exposition_formats/).
public enum PrometheusText {
  public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  /// Families without samples are left out.
  public static func text(_ families: [MetricFamily]) -> String {
    var out = ""
    for family in families where !family.samples.isEmpty {
      out += "# HELP \(family.name) \(help(family.help))\n"
      out += "# TYPE \(family.name) \(family.kind.rawValue)\n"
      for sample in family.samples {
        let labels = sample.labels.map { "\($0.name)=\"\(escaped($0.value))\"" }
        let list = labels.isEmpty ? "" : "{\(labels.joined(separator: ","))}"
        out += "\(family.name)\(sample.suffix)\(list) \(sample.value)\n"
      }
    }
    return out
  }

  private static func help(_ text: String) -> String {
    text.map { $0 == "\\" ? "\\\\" : $0 == "\n" ? "\\n" : String($0) }.joined()
  }

  private static func escaped(_ text: String) -> String {
    var out = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": out += "\\\\"
      case "\"": out += "\\\""
      case "\n": out += "\\n"
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out
  }
}
