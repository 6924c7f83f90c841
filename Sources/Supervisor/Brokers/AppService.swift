// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import NIOCore

/// Sends each request of one app's guest to its broker, by the area of the method's name.
///
/// The app is fixed here, when its connection is made: no broker ever reads it from a message.
final class AppService: GuestService {
  private let brokers: [String: any Broker]
  private let onLeave: @Sendable () -> Void
  let hostWork: HostWork?

  /// - Parameter brokers: by area, the part of a method's name before the dot.
  init(
    brokers: [String: any Broker], hostWork: HostWork?, onLeave: @escaping @Sendable () -> Void
  ) {
    self.brokers = brokers
    self.hostWork = hostWork
    self.onLeave = onLeave
  }

  func handle(_ request: ServiceRequest, reply: @escaping @Sendable (ServiceReply) -> Void) {
    let area = String(request.method.prefix { $0 != "." })
    guard let broker = brokers[area] else {
      return reply(
        .failure(HostError(.method, "", "this host has no method \(request.method)")))
    }
    broker.handle(request, reply: reply)
  }

  func guestLeft() { onLeave() }
}

/// The host side of one guest-facing service, for one app.
package protocol Broker: Sendable {
  /// `reply` is called exactly once, on any thread.
  func handle(_ request: ServiceRequest, reply: @escaping @Sendable (ServiceReply) -> Void)
}

extension SQLBroker: Broker {}

/// `config.get`: what the operator set for the app.
struct ConfigBroker: Broker {
  let config: @Sendable () -> JSONValue

  func handle(_ request: ServiceRequest, reply: @escaping @Sendable (ServiceReply) -> Void) {
    guard request.method == "config.get" else {
      return reply(.failure(HostError(.method, "", "this host has no method \(request.method)")))
    }
    reply(.result(["config": config()], body: ByteBuffer()))
  }
}

/// `log.write`: a line in the app's log, with a level and fields.
struct LogBroker: Broker {
  let log: AppLog

  static let levels: Set<String> = [
    "trace", "debug", "info", "notice", "warning", "error", "critical",
  ]

  func handle(_ request: ServiceRequest, reply: @escaping @Sendable (ServiceReply) -> Void) {
    guard request.method == "log.write" else {
      return reply(.failure(HostError(.method, "", "this host has no method \(request.method)")))
    }
    guard let message = request.params["message"]?.string else {
      return reply(.failure(HostError(.params, "", "\"message\" must be a string")))
    }
    let level = request.params["level"]?.string ?? "info"
    // Longer is none of them, and text of any length is slow to hash.
    guard level.utf8.count <= 16, Self.levels.contains(level) else {
      let known = Self.levels.sorted().joined(separator: ", ")
      return reply(.failure(HostError(.params, "", "\"level\" must be one of \(known)")))
    }
    let fields = request.params["fields"]?.object.map { " " + JSONValue.object($0).text } ?? ""
    log.append(.stderr, linesOf: message + fields, prefix: "[\(level)] ")
    reply(.result([:], body: ByteBuffer()))
  }
}
