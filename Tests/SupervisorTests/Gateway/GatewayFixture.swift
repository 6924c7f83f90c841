// SPDX-License-Identifier: Apache-2.0
import Dispatch
import GuestAPI
import Logging
import NIOCore
import NIOPosix
import Supervisor
import Synchronization

/// A gateway on a free port of 127.0.0.1 with one app, `a.localhost`, that a test plays.
final class GatewayFixture: Sendable {
  let gateway: Gateway
  let app: FakeApp
  let port: Int

  private init(_ gateway: Gateway, _ app: FakeApp, _ port: Int) {
    self.gateway = gateway
    self.app = app
    self.port = port
  }

  /// Runs a test against a gateway that is shut down after it.
  static func run(
    assets: String? = nil, publicPaths: [String] = [],
    options configure: (inout GatewayOptions) -> Void = { _ in },
    app handler: @escaping FakeApp.Handler = FakeApp.echo,
    _ test: (GatewayFixture) async throws -> Void
  ) async throws {
    var options = GatewayOptions()
    configure(&options)
    let app = FakeApp(handler)
    let origin = AppOrigin(
      name: "a", appID: "org.example.a", assetRoot: assets, publicPaths: publicPaths, backend: app,
      traffic: app)
    let gateway = Gateway(
      origins: OneOrigin(origin: origin), group: MultiThreadedEventLoopGroup.singleton,
      options: options, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    try await gateway.start(host: "127.0.0.1", port: 0)
    let fixture = GatewayFixture(gateway, app, gateway.localAddress?.port ?? 0)
    do {
      try await withTaskExecutorPreference(BlockingQueue()) { try await test(fixture) }
    } catch {
      await gateway.shutdown(grace: .zero)
      throw error
    }
    await gateway.shutdown(grace: .seconds(5))
  }

  func client() throws -> RawClient { try RawClient(port: port) }
}

/// Where a test may block on a socket without holding up the tests beside it.
private final class BlockingQueue: TaskExecutor {
  private let queue = DispatchQueue(label: "gateway test", attributes: .concurrent)

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}

private struct OneOrigin: OriginTable {
  let origin: AppOrigin
  func origin(named name: String) -> AppOrigin? { name == origin.name ? origin : nil }
}

/// An app that a test plays: its handler is called on the connection's event loop with each request.
final class FakeApp: HTTPBackend, TrafficCounter {
  typealias Handler = @Sendable (FakeExchange) -> Void

  struct Counts: Sendable, Equatable {
    var received = 0
    var sent = 0
    var statuses: [Int] = []
    var microseconds: [Int64] = []
  }

  private let handler: Handler
  private let exchanges = Mutex<[FakeExchange]>([])
  private let traffic = Mutex(Counts())

  init(_ handler: @escaping Handler) { self.handler = handler }

  var requests: [FakeExchange] { exchanges.withLock { $0 } }
  var counts: Counts { traffic.withLock { $0 } }

  func start(
    _ head: HTTPRequestHead, body: ByteBuffer, bodyIsComplete: Bool,
    receiver: any HTTPAnswerReceiver
  ) -> any HTTPExchange {
    let exchange = FakeExchange(head, body, bodyIsComplete, receiver)
    exchanges.withLock { $0.append(exchange) }
    handler(exchange)
    return exchange
  }

  func count(received bytes: Int) { traffic.withLock { $0.received += bytes } }
  func count(sent bytes: Int) { traffic.withLock { $0.sent += bytes } }
  func countRequest(status: Int, microseconds: Int64) {
    traffic.withLock {
      $0.statuses.append(status)
      $0.microseconds.append(microseconds)
    }
  }

  /// Answers with method, target and body, once the body is whole.
  static let echo: Handler = { exchange in
    exchange.whenBody { body in
      exchange.answer(
        200, "\(exchange.head.method) \(exchange.head.target) \(String(buffer: body))")
    }
  }

  static func always(
    _ status: Int, _ headers: [(name: String, value: String)] = [], _ body: String
  ) -> Handler {
    {
      $0.receiver.receive(
        head: HTTPResponseHead(status: status, headers: headers), body: ByteBuffer(string: body),
        isComplete: true)
    }
  }
}

/// One request as the app has it. Everything happens on the connection's event loop.
final class FakeExchange: HTTPExchange {
  struct State: Sendable {
    var body: ByteBuffer
    var bodyCount: Int
    var isComplete: Bool
    var isCancelled = false
    var isAborted = false
    var granted = 0
    var keepsBody = true
    var grants = true
    var whenBody: (@Sendable (ByteBuffer) -> Void)?
    var whenPiece: (@Sendable (ByteBuffer) -> Void)?
    var whenGranted: (@Sendable (Int) -> Void)?
  }

  let head: HTTPRequestHead
  let receiver: any HTTPAnswerReceiver
  /// Whether the first frame held the whole body.
  let cameWhole: Bool
  private let locked: Mutex<State>

  init(
    _ head: HTTPRequestHead, _ body: ByteBuffer, _ isComplete: Bool,
    _ receiver: any HTTPAnswerReceiver
  ) {
    self.head = head
    self.receiver = receiver
    cameWhole = isComplete
    locked = Mutex(State(body: body, bodyCount: body.readableBytes, isComplete: isComplete))
  }

  var state: State { locked.withLock { $0 } }

  func header(_ name: String) -> String? {
    head.headers.first { $0.name.lowercased() == name }?.value
  }

  func change(_ body: @Sendable (inout State) -> Void) { locked.withLock { body(&$0) } }

  /// Calls once all of the body is there; grants what it takes.
  func whenBody(_ body: @escaping @Sendable (ByteBuffer) -> Void) {
    let (isComplete, whole) = locked.withLock { state in
      if !state.isComplete { state.whenBody = body }
      return (state.isComplete, state.body)
    }
    if isComplete { body(whole) } else { receiver.grantRequestBody(bytes: whole.readableBytes) }
  }

  func answer(_ status: Int, _ body: String, _ headers: [(name: String, value: String)] = []) {
    receiver.receive(
      head: HTTPResponseHead(status: status, headers: headers), body: ByteBuffer(string: body),
      isComplete: true)
  }

  func begin(_ status: Int, _ body: String = "", _ headers: [(name: String, value: String)] = []) {
    receiver.receive(
      head: HTTPResponseHead(status: status, headers: headers), body: ByteBuffer(string: body),
      isComplete: false)
  }

  func more(_ body: String, isComplete: Bool = false) {
    receiver.receive(body: ByteBuffer(string: body), isComplete: isComplete)
  }

  func send(body: ByteBuffer, isComplete: Bool) {
    let (whenBody, whenPiece, whole, grants) = locked.withLock { state in
      state.bodyCount += body.readableBytes
      if state.keepsBody { state.body.writeImmutableBuffer(body) }
      state.isComplete = isComplete
      return (isComplete ? state.whenBody : nil, state.whenPiece, state.body, state.grants)
    }
    whenPiece?(body)
    if grants, !isComplete { receiver.grantRequestBody(bytes: body.readableBytes) }
    whenBody?(whole)
  }

  func abortBody() { locked.withLock { $0.isAborted = true } }

  func grantAnswerBody(bytes: Int) {
    let body = locked.withLock { state in
      state.granted += bytes
      return state.whenGranted
    }
    body?(bytes)
  }

  func cancel() { locked.withLock { $0.isCancelled = true } }
}
