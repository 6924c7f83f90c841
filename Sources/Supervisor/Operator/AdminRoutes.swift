// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import GuestAPI
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// The paths of the admin socket, each one call of `HostOperations`.
struct AdminRoutes {
  /// LIMIT: bytes of a request's body. A manifest is 256 KiB at most, a secret 64 KiB.
  static let bodyBytesMax = 1024 * 1024

  let operations: any HostOperations

  func router(logger: Logger) -> Router<BasicRequestContext> {
    let router = Router(context: BasicRequestContext.self)
    router.add(middleware: ProblemMiddleware(logger: logger))
    addHost(router)
    addApps(router)
    addResources(router)
    addAccounts(router)
    return router
  }

  private func addHost(_ router: Router<BasicRequestContext>) {
    let operations = self.operations
    router.get("/v1/version") { _, _ in try Response(json: try await operations.version()) }
    router.get("/v1/doctor") { _, _ in try Response(json: try await operations.doctor()) }
    router.get("/v1/events") { request, _ in
      let query = try Self.logQuery(request)
      return Self.lines(request, try await operations.events(query), follow: query.follow)
    }
    ObservationRoutes(operations: operations).add(to: router)
  }

  private func addApps(_ router: Router<BasicRequestContext>) {
    let operations = self.operations
    router.post("/v1/reviews") { request, _ in
      try Response(json: try await operations.review(try await Self.body(request)))
    }
    router.get("/v1/apps") { _, _ in try Response(json: try await operations.list()) }
    router.post("/v1/apps") { request, _ in
      try Response(
        json: try await operations.install(try await Self.body(request)), status: .created)
    }
    router.get("/v1/apps/:app") { _, context in
      try Response(json: try await operations.status(try Self.app(context)))
    }
    router.delete("/v1/apps/:app") { request, context in
      let keepData = request.uri.queryParameters["keepData"] == "true"
      return try Response(
        json: try await operations.uninstall(try Self.app(context), keepData: keepData))
    }
    router.get("/v1/apps/:app/inspection") { _, context in
      try Response(json: try await operations.inspect(try Self.app(context)))
    }
    router.post("/v1/apps/:app/start") { _, context in
      try Response(json: try await operations.start(try Self.app(context)))
    }
    router.post("/v1/apps/:app/stop") { _, context in
      try Response(json: try await operations.stop(try Self.app(context)))
    }
    router.post("/v1/apps/:app/restart") { _, context in
      try Response(json: try await operations.restart(try Self.app(context)))
    }
    router.get("/v1/apps/:app/logs") { request, context in
      let query = try Self.logQuery(request)
      let lines = try await operations.logs(try Self.app(context), query)
      return Self.lines(request, lines, follow: query.follow)
    }
  }

  private func addResources(_ router: Router<BasicRequestContext>) {
    let operations = self.operations
    router.get("/v1/apps/:app/sql") { _, context in
      try Response(json: try await operations.databases(try Self.app(context)))
    }
    router.post("/v1/apps/:app/sql/:name") { request, context in
      Self.lines(
        try await operations.sql(
          try Self.app(context), database: try Self.name(context), try await Self.body(request)))
    }
    router.post("/v1/apps/:app/sql/:name/backup") { request, context in
      try Response(
        json: try await operations.backUp(
          try Self.app(context), database: try Self.name(context), try await Self.body(request)))
    }
    router.get("/v1/apps/:app/secrets") { _, context in
      try Response(json: try await operations.secrets(try Self.app(context)))
    }
    router.put("/v1/apps/:app/secrets/:name") { request, context in
      try Response(
        json: try await operations.setSecret(
          try Self.app(context), name: try Self.name(context), try await Self.body(request)))
    }
    router.post("/v1/apps/:app/secrets/:name/reveal") { _, context in
      try Response(
        json: try await operations.revealSecret(
          try Self.app(context), name: try Self.name(context)))
    }
    router.delete("/v1/apps/:app/secrets/:name") { _, context in
      try await operations.removeSecret(try Self.app(context), name: try Self.name(context))
      return Response(status: .noContent)
    }
    router.post("/v1/master-key/rotation") { _, _ in
      try await operations.rotateMasterKey()
      return Response(status: .noContent)
    }
    router.get("/v1/apps/:app/keys") { _, context in
      try Response(json: try await operations.keys(try Self.app(context)))
    }
  }

  private func addAccounts(_ router: Router<BasicRequestContext>) {
    let operations = self.operations
    router.get("/v1/stats") { request, _ in
      let app = request.uri.queryParameters["app"].map(String.init)
      return try Response(json: try await operations.stats(app))
    }
    router.get("/v1/apps/:app/top") { _, context in
      try Response(json: try await operations.top(try Self.app(context)))
    }
    router.get("/v1/reports/:kind") { request, context in
      let report = try await operations.report(try Self.reportQuery(request, context))
      return Response(bytes: Array(report.text.utf8), mediaType: report.mediaType)
    }
    router.get("/v1/prices") { _, _ in try Response(json: try await operations.prices()) }
    router.put("/v1/prices") { request, _ in
      try Response(json: try await operations.setPrices(try await Self.body(request)))
    }
    router.get("/v1/apps/:app/limits") { _, context in
      try Response(json: try await operations.limits(try Self.app(context)))
    }
    router.patch("/v1/apps/:app/limits") { request, context in
      try Response(
        json: try await operations.changeLimits(
          try Self.app(context), try await Self.body(request)))
    }
  }
}
