// SPDX-License-Identifier: Apache-2.0

/// One app as the gateway sees it: a name in the Host header, its assets and who answers the rest.
package struct AppOrigin: Sendable {
  /// The first label of `http://<name>.localhost:PORT/`.
  package var name: String
  package var appID: String
  /// The directory of static files, on the host; nil if the app has none.
  package var assetRoot: String?
  /// Path patterns reachable without sign-on, such as `/hooks/*`.
  package var publicPaths: [String]
  package var backend: any HTTPBackend
  package var traffic: any TrafficCounter

  package init(
    name: String, appID: String, assetRoot: String?, publicPaths: [String],
    backend: any HTTPBackend, traffic: any TrafficCounter
  ) {
    self.name = name
    self.appID = appID
    self.assetRoot = assetRoot
    self.publicPaths = publicPaths
    self.backend = backend
    self.traffic = traffic
  }
}

/// What the gateway counts where the bytes pass; the meter turns it into lines.
package protocol TrafficCounter: Sendable {
  func count(received bytes: Int)
  func count(sent bytes: Int)
  /// - Parameter microseconds: from the end of the request's head to the end of its answer.
  func countRequest(status: Int, microseconds: Int64)
  /// CPU time the gateway spent on the app's requests, in nanoseconds of its thread.
  func chargeHost(nanoseconds: Int64)
}

extension TrafficCounter {
  package func chargeHost(nanoseconds: Int64) {}
}

/// Which apps there are. Read on every request, on any event loop: must not block.
package protocol OriginTable: Sendable {
  func origin(named name: String) -> AppOrigin?
}
