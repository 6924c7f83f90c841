// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import Manifest
import NIOCore
import NIOPosix
import Supervisor
import Testing

/// One app's runner with guests that are scripted, a clock that moves when told, and everything it says written down.
final class RunnerFixture: Sendable {
  struct Note: Sendable {
    var event: AppEvent
    var text: String
  }

  struct Journal: AppJournal {
    let notes = Observed<[Note]>([])
    func note(_ event: AppEvent, _ text: String) {
      notes.update { $0.append(Note(event: event, text: text)) }
    }
  }

  typealias Handle = @Sendable (ServiceRequest, @escaping @Sendable (ServiceReply) -> Void) -> Void

  /// Answers what the guest asks with a closure.
  struct Service: GuestService {
    let onRequest: Handle
    let left: Observed<Int>
    func handle(_ request: ServiceRequest, reply: @escaping @Sendable (ServiceReply) -> Void) {
      onRequest(request, reply)
    }
    func guestLeft() { left.update { $0 += 1 } }
  }

  let runner: AppRunner
  let starter: ScriptedStarter
  let journal = Journal()
  /// How often a guest's connection ended.
  let left = Observed(0)
  private let time = Observed(NIODeadline.uptimeNanoseconds(1_000_000_000_000))

  convenience init(
    concurrency: Int = 16, idle: TimeAmount? = nil, isEnabled: Bool = true,
    service: @escaping Handle = RunnerFixture.echo, _ script: @escaping ScriptedGuest.Script
  ) throws {
    try self.init(
      concurrency: concurrency, idle: idle, isEnabled: isEnabled, service: service,
      steps: [.script(script)])
  }

  init(
    concurrency: Int = 16, idle: TimeAmount? = nil, isEnabled: Bool = true,
    service: @escaping Handle = RunnerFixture.echo, steps: [ScriptedStarter.Step]
  ) throws {
    starter = ScriptedStarter(steps)
    let (time, left) = (time, left)
    runner = AppRunner(
      spec: try Self.spec(concurrency: concurrency, idle: idle), isEnabled: isEnabled,
      eventLoop: MultiThreadedEventLoopGroup.singleton.next(), starter: starter, journal: journal,
      now: { time.now }, jitter: { 0 },
      makeService: { _ in Service(onRequest: service, left: left) })
  }

  static func spec(concurrency: Int = 16, idle: TimeAmount? = nil) throws -> GuestSpec {
    let manifest = try AppManifest([
      "manifest": 1,
      "app": ["id": "org.example.journal", "name": "Journal", "version": "1.4.0", "build": 14],
      "run": [
        "runtime": "python", "command": ["python3", "-m", "journal"], "start_timeout": "10s",
      ],
      "sqlite": [["name": "main"]],
    ])
    let record = AppRecord(
      version: "14", build: 14, isEnabled: true, grants: [], installedAt: "2026-03-09T10:00:00Z")
    let app = InstalledApp(
      manifest: manifest, record: record,
      directory: AppDirectory(dataDirectory: "/nowhere", appID: "org.example.journal"))
    var spec = GuestSpec(app, uid: nil, isDevelopment: false)
    spec.maxConcurrency = concurrency
    spec.idleTimeout = idle
    return spec
  }

  /// Says which method was asked, and gives the body back.
  static let echo: Handle = { request, reply in
    reply(.result(["method": .string(request.method)], body: request.body))
  }

  // MARK: calls

  @discardableResult
  func call(
    _ target: String = "/", body: [UInt8] = [], isComplete: Bool = true,
    to receiver: RecordingReceiver = RecordingReceiver()
  ) -> (receiver: RecordingReceiver, exchange: any HTTPExchange) {
    let head = HTTPRequestHead(
      method: "GET", target: target, headers: [], remoteIP: "192.0.2.7")
    let exchange = runner.start(
      head, body: ByteBuffer(bytes: body), bodyIsComplete: isComplete, receiver: receiver)
    receiver.set(exchange)
    return (receiver, exchange)
  }

  /// The whole answer to one call.
  func get(_ target: String = "/") async -> RecordingReceiver.Seen {
    await call(target).receiver.seen.until { $0.isOver }
  }

  // MARK: time

  /// Waits until the runner has done all it was asked so far.
  func settle() async throws { try await runner.eventLoop.submit {}.get() }

  func advance(_ amount: TimeAmount) async throws {
    time.update { $0 = $0 + amount }
    try await tick()
  }

  func tick() async throws {
    let now = time.now
    try await runner.eventLoop.submit { self.runner.tick(now: now) }.get()
  }

  // MARK: what was said

  /// The text of the first note of that kind, once it is there and what led to it is done.
  func note(_ event: AppEvent) async -> String {
    let notes = await journal.notes.until { notes in notes.contains { $0.event == event } }
    try? await settle()
    return notes.first { $0.event == event }?.text ?? ""
  }

  func notes(_ event: AppEvent) -> [String] {
    journal.notes.now.filter { $0.event == event }.map(\.text)
  }

  /// Stops the guest, so that its thread ends with the test.
  func finish() async {
    await runner.stopNow(disable: true)
    await starter.counts.until { $0.running == 0 }
    #expect(starter.counts.now.mostRunning <= 1, "never two guests at once")
  }
}
