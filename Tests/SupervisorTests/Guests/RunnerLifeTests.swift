// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Glibc
import GuestAPI
import NIOCore
import Supervisor
import Testing

@Suite("A guest's life: start, stop, crash, restart", .timeLimit(.minutes(1)))
struct RunnerLifeTests {
  @Test("a guest asked to stop finishes what is in flight, and exits")
  func gracefulStop() async throws {
    let asked = Observed<JSONValue?>(nil)
    let fixture = try RunnerFixture { guest in
      try guest.shake()
      let request = try guest.nextRequest()
      let shutdown = try guest.nextRequest()
      asked.update { $0 = ["method": .string(shutdown.method), "params": shutdown.params] }
      try guest.result(shutdown.id, [:])
      try guest.answer(request.id, body: [7])
    }
    let call = fixture.call()
    _ = await fixture.note(.started)
    await fixture.runner.stopNow(disable: true)
    #expect(await call.receiver.seen.until { $0.isOver }.body == [7])
    #expect(asked.now == ["method": "shutdown", "params": ["reason": "stop", "graceMs": 5_000]])
    #expect(fixture.runner.published.current.state == .disabled)
    #expect(await fixture.note(.stopped).contains("exited with code 0"))
    #expect(await fixture.get().failure?.code == "overloaded.stopped")
    await fixture.finish()
  }

  @Test("a guest that does not go is killed after its grace, and its calls fail")
  func killedAfterGrace() async throws {
    let isAsked = Observed(false)
    let fixture = try RunnerFixture { guest in
      try guest.shake()
      while true {
        if try guest.nextRequest().method == "shutdown" { isAsked.update { $0 = true } }
      }
    }
    let call = fixture.call()
    _ = await fixture.note(.started)
    async let stopped: Void = fixture.runner.stopNow(disable: true)
    await isAsked.until { $0 }
    try await fixture.advance(.seconds(5))
    #expect(fixture.runner.published.current.state == .stopping)
    try await fixture.advance(.seconds(1))
    await stopped
    #expect(await call.receiver.seen.until { $0.isOver }.failure?.code == "upstream.stopped")
    #expect(await fixture.note(.stopped).contains("signal 9"))
    await fixture.finish()
  }

  @Test("a guest without work is stopped, and the next call starts it again")
  func idle() async throws {
    let fixture = try RunnerFixture(idle: .seconds(60)) { guest in
      try guest.shake()
      try guest.serve()
    }
    #expect(await fixture.get("/1").head?.status == 200)
    try await fixture.advance(.seconds(60))
    #expect(fixture.runner.published.current.state == .running)
    try await fixture.advance(.seconds(1))
    _ = await fixture.note(.idle)
    _ = await fixture.note(.stopped)
    #expect(fixture.notes(.crashed).isEmpty)
    #expect(await fixture.get("/2").head?.status == 200)
    #expect(fixture.starter.counts.now.started == 2)
    await fixture.finish()
  }

  @Test("a call that comes while an idle guest is on its way out is answered by the next one")
  func callDuringIdleStop() async throws {
    let goOn = DispatchSemaphore(value: 0)
    let fixture = try RunnerFixture(
      idle: .seconds(60),
      steps: [
        .script { guest in
          try guest.shake()
          _ = try guest.nextRequest()
          goOn.wait()
        },
        .script { guest in
          try guest.shake()
          try guest.serve()
        },
      ])
    await fixture.runner.startNow()
    try await fixture.advance(.seconds(61))
    _ = await fixture.note(.idle)
    let call = fixture.call("/second")
    try await fixture.settle()
    goOn.signal()
    #expect(await call.receiver.seen.until { $0.isOver }.head?.status == 200)
    await fixture.finish()
  }

  @Test("what a guest was answering when it crashed fails; what waited is answered by the next one")
  func crash() async throws {
    let goOn = DispatchSemaphore(value: 0)
    let fixture = try RunnerFixture(
      concurrency: 1,
      steps: [
        .script { guest in
          try guest.shake()
          _ = try guest.nextRequest()
          goOn.wait()
          try guest.exit(code: 3)
        },
        .script { guest in
          try guest.shake()
          try guest.serve()
        },
      ])
    let first = fixture.call("/first")
    _ = await fixture.note(.started)
    let second = fixture.call("/second")
    try await fixture.settle()
    goOn.signal()
    #expect(await first.receiver.seen.until { $0.isOver }.failure?.code == "upstream.crashed")
    #expect(await fixture.note(.crashed).contains("exited with code 3"))
    #expect(fixture.runner.published.current.lastFailure == "it exited with code 3")
    #expect(fixture.runner.published.current.restarts == 1)
    try await fixture.advance(.milliseconds(100))
    #expect(fixture.starter.counts.now.started == 1, "the backoff is kept")
    try await fixture.advance(.milliseconds(101))
    #expect(await second.receiver.seen.until { $0.isOver }.head?.status == 200)
    #expect(fixture.starter.counts.now.started == 2)
    await fixture.finish()
  }

  @Test("a call that comes within a short backoff is answered when it is over")
  func callDuringBackoff() async throws {
    let goOn = DispatchSemaphore(value: 0)
    let fixture = try RunnerFixture(steps: [
      .script { guest in
        try guest.shake()
        goOn.wait()
        try guest.exit(code: 1)
      },
      .script { guest in
        try guest.shake()
        try guest.serve()
      },
    ])
    await fixture.runner.startNow()
    goOn.signal()
    _ = await fixture.note(.crashed)
    let call = fixture.call()
    try await fixture.settle()
    #expect(!call.receiver.seen.now.isOver)
    try await fixture.advance(.milliseconds(201))
    #expect(await call.receiver.seen.until { $0.isOver }.head?.status == 200)
    await fixture.finish()
  }

  @Test(
    "in a long backoff calls are refused with the time it ends; the operator's start overrides it")
  func longBackoff() async throws {
    let works = Observed(false)
    let fixture = try RunnerFixture { guest in
      guard works.now else { try guest.exit(code: 9) }
      try guest.shake()
      try guest.serve()
    }
    for _ in 0..<4 {
      #expect(await fixture.get().failure?.code == "upstream.start_failed")
      try await fixture.settle()
      try await fixture.advance(.milliseconds(801))
    }
    #expect(fixture.runner.published.current.state == .backoff)
    try await fixture.advance(.seconds(1))
    _ = await fixture.get()
    try await fixture.settle()
    let refused = await fixture.get()
    #expect(refused.failure?.code == "overloaded.backoff")
    #expect(refused.failure?.data.first { $0.key == "retryAfter" }?.value == 4)
    #expect(fixture.starter.counts.now.started == 5)
    works.update { $0 = true }
    await fixture.runner.startNow()
    #expect(await fixture.get().head?.status == 200)
    await fixture.finish()
  }

  @Test("calls that wait when a backoff turns out long are refused at once")
  func queueMeetsLongBackoff() async throws {
    let fixture = try RunnerFixture(concurrency: 1) { guest in
      try guest.shake()
      _ = try guest.nextRequest()
      try guest.exit(code: 1)
    }
    for number in 0..<3 {
      #expect(await fixture.get().failure?.code == "upstream.crashed", "\(number)")
      try await fixture.settle()
      try await fixture.advance(.seconds(1))
    }
    let calls = (0..<3).map { fixture.call("/\($0)") }
    let codes = [
      await calls[0].receiver.seen.until { $0.isOver }.failure?.code,
      await calls[1].receiver.seen.until { $0.isOver }.failure?.code,
      await calls[2].receiver.seen.until { $0.isOver }.failure?.code,
    ]
    #expect(codes == ["upstream.crashed", "overloaded.backoff", "overloaded.backoff"])
    await fixture.finish()
  }

  @Test("a guest that never answers initialize is ended with handshake.timeout, told once")
  func startTimeout() async throws {
    let fixture = try RunnerFixture { guest in try guest.waitForKill() }
    let call = fixture.call()
    await fixture.starter.counts.until { $0.started == 1 }
    try await fixture.settle()
    try await fixture.advance(.seconds(10))
    #expect(fixture.runner.published.current.state == .starting)
    // The socket is adopted on the loop, whenever that comes to it.
    while fixture.notes(.violation).isEmpty { try await fixture.advance(.seconds(1)) }
    let seen = await call.receiver.seen.until { $0.isOver }
    #expect(seen.failure?.code == "upstream.start_failed")
    #expect(seen.failure?.message.contains("handshake.timeout") == true)
    _ = await fixture.note(.startFailed)
    try await fixture.tick()
    #expect(fixture.notes(.violation).count == 1)
    #expect(fixture.runner.published.current.lastFailure?.hasPrefix("handshake.timeout") == true)
    await fixture.finish()
  }

  @Test("a process that cannot be started is told to all who wait")
  func cannotStart() async throws {
    let error = HostError(.internal, "sandbox", "no user namespaces", log: "unshare: EPERM")
    let fixture = try RunnerFixture(steps: [.fail(error)])
    fixture.starter.gate.update { $0 = false }
    let calls = (0..<3).map { fixture.call("/\($0)") }
    try await fixture.settle()
    fixture.starter.gate.update { $0 = true }
    for call in calls {
      #expect(await call.receiver.seen.until { $0.isOver }.failure?.code == "upstream.start_failed")
    }
    #expect(await fixture.note(.startFailed).contains("unshare: EPERM"))
    #expect(fixture.runner.published.current.state == .backoff)
    await fixture.runner.startNow()
    #expect(fixture.starter.counts.now.started == 2, "the operator's start does not wait")
    await fixture.runner.stopNow(disable: true)
    #expect(fixture.runner.published.current.state == .disabled)
  }

  @Test("a stop during the start kills the guest and keeps nobody waiting")
  func stopDuringStart() async throws {
    let fixture = try RunnerFixture { guest in try guest.waitForKill() }
    async let started: Void = fixture.runner.startNow()
    await fixture.starter.counts.until { $0.started == 1 }
    await fixture.runner.stopNow(disable: true)
    await started
    #expect(fixture.runner.published.current.state == .disabled)
    #expect(fixture.notes(.crashed).isEmpty)
    await fixture.finish()
  }

  @Test("a stop before there is a process ends the process once there is one")
  func stopBeforeProcess() async throws {
    let fixture = try RunnerFixture { guest in
      try guest.shake()
      try guest.serve()
    }
    fixture.starter.gate.update { $0 = false }
    let call = fixture.call()
    try await fixture.settle()
    async let stopped: Void = fixture.runner.stopNow(disable: true)
    #expect(await call.receiver.seen.until { $0.isOver }.failure?.code == "overloaded.stopped")
    fixture.starter.gate.update { $0 = true }
    await stopped
    await fixture.starter.counts.until { $0.running == 0 }
    #expect(fixture.notes(.started).isEmpty)
    #expect(fixture.runner.published.current.state == .disabled)
  }

  @Test("a stop that is not for good is over when the guest is gone, even if calls keep coming")
  func stopUnderLoad() async throws {
    let isAsked = DispatchSemaphore(value: 0)
    let goOn = DispatchSemaphore(value: 0)
    let fixture = try RunnerFixture(steps: [
      .script { guest in
        try guest.shake()
        _ = try guest.nextRequest()
        isAsked.signal()
        goOn.wait()
      },
      .script { guest in
        try guest.shake()
        try guest.serve()
      },
    ])
    await fixture.runner.startNow()
    async let stopped: Void = fixture.runner.stopNow(disable: false)
    await withCheckedContinuation { done in
      DispatchQueue.global().async {
        isAsked.wait()
        done.resume()
      }
    }
    let call = fixture.call()
    try await fixture.settle()
    goOn.signal()
    await stopped
    #expect(await call.receiver.seen.until { $0.isOver }.head?.status == 200)
    await fixture.finish()
  }

  @Test("restart gives a new process and loses no waiting call")
  func restart() async throws {
    let fixture = try RunnerFixture { guest in
      try guest.shake()
      try guest.serve()
    }
    #expect(await fixture.get().head?.status == 200)
    await fixture.runner.restartNow()
    #expect(fixture.runner.published.current.pid == 1_000_002)
    #expect(fixture.runner.published.current.restarts == 0, "a wanted restart is no failure")
    #expect(await fixture.get().head?.status == 200)
    await fixture.finish()
  }

  @Test("a new version replaces a guest that runs, and one on its way up")
  func replace() async throws {
    let versions = Observed<[String]>([])
    let fixture = try RunnerFixture { guest in
      let params = try guest.shake()
      versions.update { $0.append(params["app"]?["version"]?.string ?? "") }
      try guest.serve()
    }
    await fixture.runner.startNow()
    var spec = try RunnerFixture.spec()
    spec.version = "2"
    await fixture.runner.replace(spec: spec)
    #expect(versions.now == ["1.4.0", "2"])
    await fixture.runner.stopNow(disable: false)

    fixture.starter.gate.update { $0 = false }
    async let started: Void = fixture.runner.startNow()
    while fixture.runner.published.current.state != .starting { try await fixture.settle() }
    spec.version = "3"
    let newest = spec
    async let replaced: Void = fixture.runner.replace(spec: newest)
    while fixture.runner.published.current.state != .stopping { try await fixture.settle() }
    fixture.starter.gate.update { $0 = true }
    await replaced
    await started
    #expect(versions.now.last == "3")
    await fixture.finish()
  }

  @Test("a guest that closes its socket and lives on is ended with socket.closed")
  func closedSocket() async throws {
    let release = DispatchSemaphore(value: 0)
    let fixture = try RunnerFixture(steps: [
      .script { guest in
        try guest.shake()
        _ = try guest.nextRequest()
        guest.hangUp()
        release.wait()
      },
      .script { guest in
        try guest.shake()
        try guest.serve()
      },
    ])
    let call = fixture.call()
    #expect(await call.receiver.seen.until { $0.isOver }.failure?.code == "upstream.crashed")
    #expect(fixture.notes(.violation).isEmpty)
    try await fixture.advance(.milliseconds(1_001))
    #expect(await fixture.note(.violation).hasPrefix("socket.closed"))
    _ = await fixture.note(.crashed)
    #expect(fixture.runner.published.current.lastFailure?.hasPrefix("socket.closed") == true)
    release.signal()
    try await fixture.advance(.seconds(1))
    #expect(await fixture.get().head?.status == 200)
    await fixture.finish()
  }

  @Test("a guest that exits by itself is no violation, however its socket ends")
  func exitIsNoViolation() async throws {
    let fixture = try RunnerFixture { guest in
      try guest.shake()
      _ = try guest.nextRequest()
      guest.hangUp()
      try guest.exit(code: 4)
    }
    #expect(await fixture.get().failure?.code == "upstream.crashed")
    #expect(await fixture.note(.crashed).contains("exited with code 4"))
    try await fixture.advance(.seconds(5))
    #expect(fixture.notes(.violation).isEmpty)
    await fixture.finish()
  }

  @Test("memory and process limits that were hit are named")
  func limitsHit() async throws {
    let goOn = DispatchSemaphore(value: 0)
    let fixture = try RunnerFixture { guest in
      try guest.shake()
      goOn.wait()
      try guest.exit(
        GuestExit(cause: .signaled(SIGKILL), oomKilled: true, processLimitHit: true))
    }
    await fixture.runner.startNow()
    goOn.signal()
    _ = await fixture.note(.crashed)
    #expect(fixture.notes(.oom).count == 1)
    #expect(fixture.notes(.pids).count == 1)
    #expect(fixture.runner.published.current.lastFailure?.contains("oom") == true)
    await fixture.finish()
  }

  @Test("the service is told when its guest is gone, once")
  func serviceIsTold() async throws {
    let fixture = try RunnerFixture { guest in
      try guest.shake()
      try guest.serve()
    }
    await fixture.runner.startNow()
    #expect(fixture.left.now == 0)
    await fixture.runner.stopNow(disable: true)
    await fixture.left.until { $0 == 1 }
    try await fixture.advance(.seconds(5))
    #expect(fixture.left.now == 1)
    await fixture.finish()
  }
}
