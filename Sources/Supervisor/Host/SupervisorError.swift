// SPDX-License-Identifier: Apache-2.0

/// Why the host did not start, with what to do about it. `bulkhead serve` prints it and exits 78.
public struct SupervisorError: Error, Sendable, CustomStringConvertible {
  public var description: String
  public init(_ description: String) { self.description = description }
}
