// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser

struct VersionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "version",
    abstract: "Show the version of the command and of the host, if one runs.")

  @OptionGroup var host: HostOptions
  @OptionGroup var output: OutputOptions

  private struct Versions: Encodable {
    var command: String
    var host: VersionReport?
  }

  func run() throws {
    var versions = Versions(command: Release.version)
    do {
      versions.host = try host.client.json(VersionReport.self, "GET", AdminPath.version)
    } catch AdminClientError.notRunning {
      // The command's own version is worth having without a host.
    }
    if output.json { return try Printer.json(versions) }
    Printer.text("command  \(versions.command)")
    if let host = versions.host {
      Printer.text(
        "host     \(host.version), pid \(host.pid), up \(Quantity.seconds(host.uptimeSeconds)), "
          + "\(host.listen), \(host.dataDirectory)")
    } else {
      Printer.text("host     not running on \(self.host.client.socket)")
    }
  }
}
