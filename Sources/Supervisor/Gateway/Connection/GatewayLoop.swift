// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// What the connections of one event loop share: a clock that is read once a tick, the Date line made from it, and the
/// look over all of them for what has run out. One timer instead of one or two a request.
///
// SAFETY: used on its event loop only; `eventLoop` itself never changes.
final class GatewayLoop: @unchecked Sendable {
  let eventLoop: any EventLoop
  /// Milliseconds of the loop's clock at the last tick.
  private(set) var now: Int64
  /// `date: …` and CR LF.
  private(set) var dateLine: [UInt8] = []
  private(set) var isShuttingDown = false
  private let wallClock: @Sendable () -> Int
  private let tick: TimeAmount
  private var connections: [GatewayConnection] = []
  private var isTicking = false
  private var whenEmpty: EventLoopPromise<Void>?

  init(eventLoop: any EventLoop, options: GatewayOptions) {
    self.eventLoop = eventLoop
    wallClock = options.wallClock
    tick = .milliseconds(Int64(options.bounds.tickMilliseconds))
    now = 0
  }

  var nowSeconds: Int { Int(now / 1000) }

  func add(_ connection: GatewayConnection) {
    eventLoop.assertInEventLoop()
    if connections.isEmpty { readClocks() }
    connection.index = connections.count
    connections.append(connection)
    startTicking()
  }

  func remove(_ connection: GatewayConnection) {
    eventLoop.assertInEventLoop()
    guard connection.index >= 0 else { return }
    let last = connections.removeLast()
    if last !== connection {
      connections[connection.index] = last
      last.index = connection.index
    }
    connection.index = -1
    if connections.isEmpty { whenEmpty?.succeed() }
  }

  private func readClocks() {
    now = Int64(eventLoop.now.uptimeNanoseconds / 1_000_000)
    dateLine = Array("date: \(HTTPDate.text(wallClock()))\r\n".utf8)
  }

  private func startTicking() {
    guard !isTicking, !connections.isEmpty else { return }
    isTicking = true
    eventLoop.assumeIsolated().scheduleTask(in: tick) {
      self.isTicking = false
      self.readClocks()
      // Backwards: a connection that closes is replaced by one already seen.
      for index in self.connections.indices.reversed() where index < self.connections.count {
        self.connections[index].tick()
      }
      HostWork.skipOnLoop()
      self.startTicking()
    }
  }

  /// Closes connections that wait for a request, and lets the others finish the one they have.
  func shutDown() -> EventLoopFuture<Void> {
    eventLoop.assertInEventLoop()
    isShuttingDown = true
    let promise = whenEmpty ?? eventLoop.makePromise(of: Void.self)
    whenEmpty = promise
    if connections.isEmpty { promise.succeed() }
    for connection in connections { connection.finishAndClose() }
    return promise.futureResult
  }

  func closeAll() {
    for connection in connections { connection.closeNow() }
  }
}
