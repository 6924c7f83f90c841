// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser

/// How a command finds the host.
struct HostOptions: ParsableArguments {
  static let defaultDirectory = "/var/lib/bulkhead"

  @Option(
    name: .long,
    help: ArgumentHelp(
      "The admin socket. Otherwise BULKHEAD_SOCKET, otherwise \(defaultDirectory)/admin.sock.",
      valueName: "path"))
  var socket: String?

  @Option(name: .long, help: "How many seconds to wait for the host's answer.")
  var timeout = 60

  func validate() throws {
    guard (1...86_400).contains(timeout) else {
      throw ValidationError("--timeout is \(timeout); allowed are 1 to 86400 seconds")
    }
  }

  var client: AdminClient {
    let named = socket ?? Terminal.environment("BULKHEAD_SOCKET").flatMap { $0.isEmpty ? nil : $0 }
    return AdminClient(
      socket: named ?? "\(Self.defaultDirectory)/admin.sock", timeoutSeconds: timeout)
  }
}

struct OutputOptions: ParsableArguments {
  @Flag(
    name: .long,
    help: "Print JSON: bytes, seconds, RFC 3339 times in UTC. Lists are arrays.")
  var json = false
}
