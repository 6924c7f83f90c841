// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Headers in which a trusted proxy says who signed on, as Authelia, oauth2-proxy and others send them.
package struct IdentityHeaders: Sendable {
  /// Such as `Remote-User`; what it holds becomes the identity's `id`.
  package var user: String
  /// Such as `Remote-Name`; the `id` where it is absent.
  package var name: String?
  /// Such as `Remote-Groups`: a list with commas.
  package var groups: String?

  package init(user: String, name: String? = nil, groups: String? = nil) {
    self.user = user
    self.name = name
    self.groups = groups
  }
}

/// How the gateway is to behave.
package struct GatewayOptions: Sendable {
  /// An app's origin is `<name>.<hostSuffix>`.
  package var hostSuffix = "localhost"
  /// Who may say where a request came from and who signed on.
  package var trustedProxies: [AddressRange] = []
  /// If set, a path that is not public needs an identity from a trusted proxy; without one it is answered 401.
  package var identity: IdentityHeaders?
  package var bounds = GatewayBounds()
  /// The page at `/` of the host's own name, as HTML. It is public: it must hold nothing that is not. Called on an event
  /// loop, so it must not block.
  package var hostPage: @Sendable () -> String = {
    """
    <!doctype html><html lang="en"><meta charset="utf-8"><title>Bulkhead</title>\
    <body><h1>Bulkhead</h1><p>Each app here has a name of its own.</p></body></html>
    """
  }
  /// Seconds since 1970.
  package var wallClock: @Sendable () -> Int = { time(nil) }

  package init() {}
}
