// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import GuestAPI

/// A request whose numbers the host would otherwise have to take on trust.
///
/// Who may open the socket may do everything, and still a slip of a script must not end the host.
protocol CheckedRequest: Decodable {
  /// Throws `params` with what is out of range.
  func check() throws(HostError)
}

extension SQLRequest: CheckedRequest {
  func check() throws(HostError) {
    guard rowsMax ?? 0 >= 0 else {
      throw HostError(.params, "rows", "rowsMax is below 0.")
    }
  }
}

extension LimitChange: CheckedRequest {
  func check() throws(HostError) {
    if let cpuCores, !(0.001...1_024).contains(cpuCores) {
      throw HostError(.params, "cpu", "cpuCores is \(cpuCores); allowed are 0.001 to 1024.")
    }
    let counts: [(String, Int64?, ClosedRange<Int64>)] = [
      ("memoryBytes", memoryBytes, 1 << 20...1 << 40),
      ("processes", processes.map(Int64.init), 1...4_096),
      ("storageBytes", storageBytes, 1 << 20...1 << 46), ("max", budget?.max, 0...Int64.max),
    ]
    for (name, value, range) in counts {
      guard let value, !range.contains(value) else { continue }
      throw HostError(
        .params, name,
        "\(name) is \(value); allowed are \(range.lowerBound) to \(range.upperBound).")
    }
  }
}
