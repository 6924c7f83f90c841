// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import HTTPTypes
import Hummingbird
import NIOCore

/// What monitoring asks: is the host alive, can it serve, and its figures as Prometheus text.
///
/// None of these shows what an app does or lets anyone change anything, so they may stand on a TCP port too.
struct ObservationRoutes {
  let operations: any HostOperations

  func add(to router: Router<BasicRequestContext>) {
    let operations = self.operations
    router.get("/healthz") { _, _ in
      Response(bytes: Array("ok\n".utf8), mediaType: "text/plain; charset=utf-8")
    }
    router.get("/readyz") { _, _ in
      let missing = try await operations.doctor().filter { $0.state == .missing }
      return try Response(json: missing, status: missing.isEmpty ? .ok : .serviceUnavailable)
    }
    router.get("/metrics") { _, _ in
      let text = try await operations.metrics()
      return Response(
        bytes: Array(text.utf8), mediaType: "text/plain; version=0.0.4; charset=utf-8")
    }
  }
}
