// SPDX-License-Identifier: Apache-2.0
import Glibc
import Sandbox
import Testing

@Suite("a launch")
struct LaunchTests {
  @Test("a command's exit code and its last signal come back")
  func outcomes() async throws {
    #expect(try await Fixture.run("/bin/true").exit.outcome == .exited(code: 0))
    #expect(try await Fixture.shell("exit 7").exit.outcome == .exited(code: 7))
    #expect(try await Fixture.shell("kill -15 $$").exit.outcome == .signaled(signal: SIGTERM))
  }

  @Test("the command is looked for along the PATH it is given")
  func searchPath() async throws {
    #expect(try await Fixture.run("true").isSuccess)
    var policy = Fixture.policy("true")
    policy.environment["PATH"] = "/nowhere:/app"
    await expectFailure(policy, .exec, ENOENT)
  }

  @Test("the environment and the working directory are those given and no others")
  func environment() async throws {
    setenv("BULKHEAD_TEST_SECRET", "leak", 1)
    var policy = Fixture.policy("/usr/bin/env")
    policy.environment = ["ONE": "1", "TWO": "second value"]
    #expect(try await Fixture.run(policy).text == "ONE=1\nTWO=second value\n")
    policy = Fixture.policy("/bin/pwd")
    policy.workingDirectory = "/usr/share"
    #expect(try await Fixture.run(policy).text == "/usr/share\n")
  }

  @Test("descriptors are 0, 1, 2 and what was passed, at the numbers asked for")
  func descriptors() async throws {
    // Open without close-on-exec, as a careless library in the host might.
    let careless = open("/etc/hostname", O_RDONLY)
    defer { close(careless) }
    let bare = try await Fixture.run(Attacker.policy("show", "descriptors"))
    #expect(bare.text == "0 1 2 \n")
    let pipe = try TextPipe()
    let passed = try await Fixture.run(
      Attacker.policy("show", "descriptors"),
      extra: [.init(host: pipe.writeEnd, inside: 7), .init(host: careless, inside: 3)])
    #expect(passed.text == "0 1 2 3 7 \n")
  }

  @Test("what is passed at a number is what arrives there, even where numbers cross")
  func crossedDescriptors() async throws {
    let one = try TextPipe()
    let two = try TextPipe()
    // Numbers inside that are numbers of the other outside.
    let policy = Fixture.policy("/bin/sh", "-c", "echo first >&5; echo second >&4")
    let output = try await Fixture.run(
      policy,
      extra: [.init(host: one.writeEnd, inside: 5), .init(host: two.writeEnd, inside: 4)])
    #expect(output.isSuccess, "\(output.errors)")
    one.closeWriteEnd()
    two.closeWriteEnd()
    #expect(await one.readAll() == "first\n")
    #expect(await two.readAll() == "second\n")
  }

  @Test("standard input is empty")
  func standardInput() async throws {
    #expect(try await Fixture.shell("cat | wc -c").text == "0\n")
  }

  @Test("each failing step is named with its errno, and leaves nothing behind")
  func failures() async throws {
    await expectFailure(Fixture.policy("/no/such/program", app: "failures"), .exec, ENOENT)
    await expectFailure(Fixture.policy("/etc/passwd", app: "failures"), .exec, EACCES)
    var policy = Fixture.policy("/bin/true", app: "failures")
    policy.workingDirectory = "/no/such/directory"
    await expectFailure(policy, .workingDirectory, ENOENT)
    policy = Fixture.policy("/bin/true", app: "failures")
    policy.binds = [.code("/no/such/source")]
    await expectFailure(policy, .bindSource, ENOENT)
    policy.binds = [.code("/dev/tty0")]
    if access("/dev/tty0", F_OK) == 0 { await expectFailure(policy, .bindSource, EINVAL) }
    let cells = try await Fixture.launcher().cgroups.usage(app: "failures")
    #expect((cells?.processes ?? 0) == 0)
  }

  @Test("policies no host could carry out are refused before anything is started")
  func impossiblePolicies() async throws {
    func expectRefused(_ change: (inout SandboxPolicy) -> Void) async {
      var policy = Fixture.policy("/bin/true")
      change(&policy)
      await expectFailure(policy, .policy, EINVAL)
    }
    await expectRefused { $0.appID = "../other" }
    await expectRefused { $0.instance = "" }
    await expectRefused { $0.arguments = [] }
    await expectRefused { $0.arguments = ["/bin/true", "a\0b"] }
    await expectRefused { $0.environment = ["A=B": "C"] }
    await expectRefused { $0.workingDirectory = "tmp" }
    await expectRefused { $0.binds = [.code("/usr/../etc")] }
    await expectRefused { $0.binds = [.code("/tmp", at: "/")] }
    await expectRefused { $0.binds = [.code("/tmp", at: "/usr/lib/x")] }
    await expectRefused { $0.binds = [.code("/tmp"), .data("/tmp", at: "/app/data")] }
    await expectRefused {
      $0.binds = [Bind(source: "/tmp", path: "/data", writable: true, executable: true)]
    }
    await expectRefused { $0.limits.memoryBytes = 1 }
    await expectRefused { $0.limits.cpuCores = 0 }
    await expectRefused { $0.uid = 0 }
  }

  @Test("a required layer that is missing refuses the launch unless it is waived by name")
  func requiredLayers() async throws {
    var facts = await Fixture.hostFacts()
    facts.layers = facts.layers.map {
      $0.layer == .nestedNamespaces ? LayerReport(.nestedNamespaces, .missing, "test") : $0
    }
    let launcher = try Launcher(
      launcherPath: Fixture.launcherPath, cgroups: NoCgroups(), facts: facts)
    var policy = Fixture.policy("/bin/true")
    let refused = await #expect(throws: SandboxError.self) { try await launcher.launch(policy) }
    #expect(refused?.step == .requiredLayer)
    #expect(refused?.detail.contains("nestedNamespaces") == true)
    policy.allowWeaker = [.nestedNamespaces]
    let process = try await launcher.launch(policy)
    #expect(await process.waitForExit().outcome == .exited(code: 0))
    // Namespaces and mounts are the cell: nobody can do without.
    policy.allowWeaker = Set(Layer.allCases)
    var bare = facts
    bare.layers = [LayerReport(.namespaces, .missing, "test")]
    let none = try Launcher(launcherPath: Fixture.launcherPath, cgroups: NoCgroups(), facts: bare)
    await #expect(throws: SandboxError.self) { try await none.launch(policy) }
  }

  @Test("many at once")
  func concurrent() async throws {
    try await withThrowingTaskGroup(of: Fixture.Output.self) { group in
      for number in 0..<12 {
        group.addTask { try await Fixture.shell("echo \(number)") }
      }
      var seen: Set<String> = []
      for try await output in group { seen.insert(output.text) }
      #expect(seen.count == 12)
    }
  }

  @Test("a cell built ahead is used once, by its own app, and not when a bind was replaced")
  func preparedCells() async throws {
    let launcher = try await Fixture.launcher()
    let directory = "/tmp/bulkhead-prepared-\(getpid())"
    mkdir(directory, 0o755)
    writeBytes(Array("old".utf8), to: directory + "/which")
    var policy = Fixture.policy("/bin/cat", "/app/which", app: "prepared")
    policy.binds = [.code(directory)]
    try await launcher.prepare(policy)
    #expect(try await Fixture.run(policy).text == "old")
    try await launcher.prepare(policy)
    rename(directory, directory + "-old")
    mkdir(directory, 0o755)
    writeBytes(Array("new".utf8), to: directory + "/which")
    policy.instance += "b"
    #expect(try await Fixture.run(policy).text == "new")
    await launcher.discardPrepared(app: "prepared")
    for name in [directory, directory + "-old"] {
      unlink(name + "/which")
      rmdir(name)
    }
  }
}

/// Expects a launch to fail at a step with an errno.
func expectFailure(
  _ policy: SandboxPolicy, _ step: LaunchStep, _ number: Int32,
  sourceLocation: SourceLocation = #_sourceLocation
) async {
  let error = await #expect(throws: SandboxError.self, sourceLocation: sourceLocation) {
    _ = try await Fixture.run(policy)
  }
  #expect(error?.step == step, sourceLocation: sourceLocation)
  #expect(error?.errno == number, sourceLocation: sourceLocation)
}

/// Waits until the condition holds; records an issue when it does not within ten seconds.
func settle(
  sourceLocation: SourceLocation = #_sourceLocation, _ condition: () async throws -> Bool
) async throws {
  for _ in 0..<1000 * Fixture.patience {
    if try await condition() { return }
    try await Task.sleep(for: .milliseconds(10))
  }
  Issue.record("never settled", sourceLocation: sourceLocation)
}
