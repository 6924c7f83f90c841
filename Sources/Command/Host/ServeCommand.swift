// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser
import Foundation
import Glibc
import GuestAPI
import Logging
import Supervisor

struct ServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Run the host.",
    discussion: """
      Keeps everything under --data, the admin socket DIR/admin.sock included. SIGINT or SIGTERM stops it \
      cleanly.
      """)

  @Option(
    name: .long,
    help: ArgumentHelp("Where everything is kept.", valueName: "dir"))
  var data: String = Terminal.environment("STATE_DIRECTORY") ?? HostOptions.defaultDirectory

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Where browsers reach the apps; port 0 takes a free one.", valueName: "host:port"))
  var listen: ListenAddress = ListenAddress(host: "127.0.0.1", port: 8080)

  @Option(
    name: .long, parsing: .upToNextOption,
    help: ArgumentHelp(
      "Layers of the sandbox to go without where the kernel lacks them; logged, and shown by ps and doctor.",
      valueName: "layer"))
  var allowWeaker: [String] = []

  @Option(
    name: .long, parsing: .upToNextOption,
    help: ArgumentHelp(
      "Addresses whose X-Forwarded-* and identity headers are believed.", valueName: "cidr"))
  var trustedProxy: [String] = []

  @Option(
    name: .long,
    help: ArgumentHelp(
      "The header in which a trusted proxy names the signed-on person.", valueName: "name"))
  var identityHeader: String?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Where /metrics, /healthz and /readyz are served over TCP, such as 127.0.0.1:9180; without it only on the admin socket.",
      valueName: "host:port"))
  var metrics: ListenAddress?

  @OptionGroup(title: "Ledger") var ledger: LedgerOptions

  @Option(name: .long, help: "Event loops; otherwise half the cores.")
  var threads: Int?

  @Option(name: .long, help: "trace, debug, info, notice, warning, error or critical.")
  var logLevel = "info"

  @Flag(name: .long, help: "Tell blocked system calls in each app's log.")
  var development = false

  func validate() throws {
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("--threads is \(threads); allowed are 1 to 1024")
    }
    let levels = ["trace", "debug", "info", "notice", "warning", "error", "critical"]
    guard levels.contains(logLevel) else {
      throw ValidationError("--log-level is none of \(levels.joined(separator: ", "))")
    }
    if identityHeader != nil, trustedProxy.isEmpty {
      throw ValidationError("--identity-header needs --trusted-proxy: anyone could send the header")
    }
  }

  func run() async throws {
    let configuration = SupervisorConfiguration(
      dataDirectory: FilePath.absolute(data), listenHost: listen.host, listenPort: listen.port,
      trustedProxies: trustedProxy, identityHeader: identityHeader, allowWeaker: allowWeaker,
      threads: threads, logLevel: logLevel, development: development,
      observation: metrics.map { ($0.host, $0.port) }, ledger: ledger.choice)
    let level = Logger.Level(rawValue: logLevel) ?? .info
    let logger = Logger(label: "bulkhead") { _ in HostLogHandler(logLevel: level) }
    // A peer that hangs up is an error of one write, not the end of the host. A handler rather than SIG_IGN: what is
    // ignored stays ignored in the programs the host starts.
    signal(SIGPIPE) { _ in }
    do {
      let supervisor = try await Supervisor(
        configuration: configuration, logger: logger,
        environment: ProcessInfo.processInfo.environment)
      try await supervisor.run { url in
        Printer.note("serving \(url)  (admin socket \(configuration.adminSocket))")
      }
    } catch let error as SupervisorError {
      throw CommandFailure(.configuration, "the host did not start", why: error.description)
    } catch let error as HostError {
      throw CommandFailure(.configuration, "the host did not start", why: error.message)
    } catch {
      throw CommandFailure(.configuration, "the host did not start", why: "\(error)")
    }
  }
}

/// `127.0.0.1:8080`, `[::1]:8080`, `:8080`.
package struct ListenAddress: ExpressibleByArgument, CustomStringConvertible {
  package var host: String
  package var port: Int

  package init(host: String, port: Int) {
    self.host = host
    self.port = port
  }

  package init?(argument: String) {
    guard let colon = argument.lastIndex(of: ":"),
      let port = UInt16(argument[argument.index(after: colon)...])
    else { return nil }
    var host = String(argument[..<colon])
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = String(host.dropFirst().dropLast())
    } else if host.contains(":") {
      return nil
    }
    self.init(host: host.isEmpty ? "0.0.0.0" : host, port: Int(port))
  }

  package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
