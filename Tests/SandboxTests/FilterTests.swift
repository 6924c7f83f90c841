// SPDX-License-Identifier: Apache-2.0
import CSeccomp
import Glibc
import Sandbox
import Testing

/// The compiled program is asked, as the kernel would ask it, about every number there is.
@Suite("the filter")
struct FilterTests {
  typealias Architecture = SyscallFilter.Architecture

  static let numbers: [UInt32] =
    Array(0..<1024) + Array(0x4000_0000..<0x4000_0400)
    + [0x3FFF_FFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFE, 0xFFFF_FFFF]

  @Test("answers every number as the golden table says", arguments: Architecture.allCases)
  func golden(_ architecture: Architecture) throws {
    for profile in SandboxPolicy.Profile.allCases {
      let table = Self.table(SyscallFilter(profile: profile, architecture: architecture))
      let path = "\(testDirectory)/Golden/filter-\(architecture)-\(profile.rawValue).txt"
      if getenv("UPDATE_GOLDEN") != nil { writeBytes(Array(table.utf8), to: path) }
      #expect(table == readText(path), "run with UPDATE_GOLDEN=1 and review the difference")
    }
  }

  @Test("kills every other architecture, whatever the number", arguments: Architecture.allCases)
  func otherArchitectures(_ architecture: Architecture) {
    let program = SyscallFilter(profile: .standard, architecture: architecture).compiled()
    // i386, x86-64, ARM, AArch64, MIPS, PowerPC, s390x, RISC-V, nonsense.
    let all: [UInt32] = [
      0x4000_0003, 0xC000_003E, 0x4000_0028, 0xC000_00B7, 0x4000_0008, 0xC000_0015, 0x8000_0016,
      0xC000_00F3, 0, 0xFFFF_FFFF,
    ]
    for audit in all where audit != architecture.audit {
      for number in Self.numbers {
        let verdict = FilterEvaluator.run(
          program, on: SyscallData(number: number, architecture: audit))
        #expect(verdict == .killProcess)
      }
    }
  }

  @Test("kills x32 numbers, but not -1")
  func x32() {
    let program = SyscallFilter(profile: .native, architecture: .x86_64).compiled()
    func ask(_ number: UInt32) -> FilterVerdict? {
      FilterEvaluator.run(
        program, on: SyscallData(number: number, architecture: Architecture.x86_64.audit))
    }
    for number in UInt32(0)..<1024 { #expect(ask(0x4000_0000 | number) == .killProcess) }
    #expect(ask(0x7FFF_FFFF) == .killProcess)
    #expect(ask(0xFFFF_FFFF) == .errno(ENOSYS))
  }

  @Test("classifies every call this machine's libraries can name", arguments: Architecture.allCases)
  func classified(_ architecture: Architecture) {
    #expect(Self.unclassified(SyscallFilter(profile: .standard), architecture) == [])
  }

  @Test("names each call once, with a reason, and knows the name")
  func reasons() {
    for profile in SandboxPolicy.Profile.allCases {
      let rules = SyscallFilter(profile: profile).rules
      #expect(Set(rules.map(\.name)).count == rules.count)
      for rule in rules {
        #expect(rule.why.count >= 7, "\(rule.name)")
        let isKnown = Architecture.allCases.contains {
          SyscallFilter.number(of: rule.name, on: $0) != nil
        }
        // Names libseccomp has for other machines only are pseudo numbers: negative, no rule.
        #expect(isKnown || rule.answer == .refuse(ENOSYS), "\(rule.name)")
      }
    }
  }

  @Test("allows at most 205 calls, and native one more")
  func count() {
    let standard = SyscallListing.all(.standard).filter { $0.kind != .refused }
    let native = SyscallListing.all(.native).filter { $0.kind != .refused }
    #expect(standard.count <= 205)
    #expect(Set(native.map(\.name)).subtracting(standard.map(\.name)) == ["sendfile"])
    #expect(native.count == standard.count + 1)
  }

  @Test("changes when any one rule is removed")
  func everyRuleCounts() {
    let filter = SyscallFilter(profile: .standard, architecture: .x86_64)
    let whole = Self.verdicts(filter.compiled(), .x86_64)
    for (index, rule) in filter.rules.enumerated() {
      var rules = filter.rules
      rules.remove(at: index)
      let rest = SyscallFilter(rules: rules, architecture: .x86_64)
      // Either a number is answered differently, or it is no longer classified.
      let isMissed =
        Self.verdicts(rest.compiled(), .x86_64) != whole
        || Self.unclassified(rest, .x86_64) != []
        || SyscallFilter.number(of: rule.name, on: .x86_64) == nil
      #expect(isMissed, "\(rule.name)")
    }
  }

  @Test("checks arguments exactly as the table says", arguments: [UInt64(1), 2, 3])
  func arguments(seed: UInt64) {
    var random = SplitMix(state: seed)
    let filter = SyscallFilter(profile: .standard)
    let program = filter.compiled()
    for rule in filter.rules {
      guard case .allowWhen(let alternatives, let errno) = rule.answer,
        let number = SyscallFilter.number(of: rule.name, on: .native)
      else { continue }
      for _ in 0..<400 {
        let arguments = (0..<6).map { _ in random.interesting(alternatives) }
        let isAllowed = alternatives.contains { conditions in
          conditions.allSatisfy {
            $0.values.contains(UInt32(truncatingIfNeeded: arguments[$0.argument]) & $0.mask)
          }
        }
        let verdict = FilterEvaluator.run(
          program,
          on: SyscallData(
            number: number, architecture: Architecture.native.audit, arguments: arguments))
        #expect(
          verdict == (isAllowed ? .allow : .errno(errno)), "\(rule.name) \(arguments) seed \(seed)")
      }
    }
  }

  @Test("agrees with libseccomp wherever arguments do not matter")
  func libseccomp() throws {
    let filter = SyscallFilter(profile: .standard, architecture: .x86_64)
    let ours = Self.verdicts(filter.compiled(), .x86_64)
    let theirs = Self.verdicts(try Self.byLibseccomp(filter), .x86_64)
    let checked = Set(
      filter.rules.compactMap { rule -> UInt32? in
        guard case .allowWhen = rule.answer else { return nil }
        return SyscallFilter.number(of: rule.name, on: .x86_64)
      })
    for number in UInt32(0)..<1024 where !checked.contains(number) {
      #expect(ours[number] == theirs[number], "\(number)")
    }
  }

  @Test("in development asks the host where production refuses, and nowhere else")
  func reporting() {
    let program = SyscallFilter(profile: .standard).compiled()
    let reporting = SyscallFilter.reporting(program)
    #expect(reporting.count == program.count)
    for number in Self.numbers {
      let data = SyscallData(number: number, architecture: Architecture.native.audit)
      let verdict = FilterEvaluator.run(program, on: data)
      let asked = FilterEvaluator.run(reporting, on: data)
      #expect(asked == (verdict?.errno == nil ? verdict : .notify))
    }
  }

  @Test("answers within a bounded number of steps")
  func size() {
    for architecture in Architecture.allCases {
      let program = SyscallFilter(profile: .native, architecture: architecture).compiled()
      #expect(program.count < 1000, "\(architecture)")
    }
  }

  // MARK: -

  static func verdicts(_ program: [FilterInstruction], _ architecture: Architecture) -> [UInt32:
    FilterVerdict?]
  {
    var verdicts: [UInt32: FilterVerdict?] = [:]
    for number in numbers {
      verdicts[number] = FilterEvaluator.run(
        program,
        on: SyscallData(
          number: number, architecture: architecture.audit,
          // All bits set: no argument rule is met by accident.
          arguments: Array(repeating: UInt64.max, count: 6)))
    }
    return verdicts
  }

  static func unclassified(_ filter: SyscallFilter, _ architecture: Architecture) -> [String] {
    let named = Set(filter.rules.map(\.name))
    return (UInt32(0)..<1024).compactMap { SyscallFilter.name(of: $0, on: architecture) }
      .filter { !named.contains($0) }
  }

  /// `number name verdict`, for every number that is not answered by default (ENOSYS).
  static func table(_ filter: SyscallFilter) -> String {
    let verdicts = verdicts(filter.compiled(), filter.architecture)
    let checked = Set(
      filter.rules.compactMap { rule -> String? in
        if case .allowWhen = rule.answer { return rule.name }
        return nil
      })
    var lines: [String] = []
    for number in numbers {
      let name = SyscallFilter.name(of: number, on: filter.architecture)
      let verdict = verdicts[number] ?? nil
      // The default is not listed: which numbers have names depends on the library's age.
      if verdict == SyscallFilter.defaultVerdict && number != 0xFFFF_FFFF { continue }
      if number >= 0x4000_0001 && number < 0x4000_0400 { continue }
      lines.append(
        "\(number) \(name ?? "-") \(spell(verdict))\(checked.contains(name ?? "") ? " by arguments" : "")"
      )
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func spell(_ verdict: FilterVerdict?) -> String {
    switch verdict {
    case .some(.allow): "allow"
    case .some(.killProcess): "kill"
    case .some(let verdict): verdict.errno.map { errnoSymbols[$0] ?? "\($0)" } ?? "?"
    case .none: "no answer"
    }
  }

  private static func byLibseccomp(_ filter: SyscallFilter) throws -> [FilterInstruction] {
    func refuse(_ errno: Int32) -> UInt32 { 0x0005_0000 | UInt32(errno) }
    let context = try #require(seccomp_init(refuse(ENOSYS)))
    defer { seccomp_release(context) }
    for rule in filter.rules {
      guard let number = SyscallFilter.number(of: rule.name, on: .x86_64) else { continue }
      switch rule.answer {
      case .allow: seccomp_rule_add_array(context, 0x7FFF_0000, Int32(number), 0, nil)
      case .refuse(let errno) where errno != ENOSYS:
        seccomp_rule_add_array(context, refuse(errno), Int32(number), 0, nil)
      default: break
      }
    }
    let path = "/tmp/bulkhead-filter-\(getpid())"
    let file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    defer {
      close(file)
      unlink(path)
    }
    #expect(seccomp_export_bpf(context, file) == 0)
    let bytes = try #require(readBytes(path))
    // FilterInstruction has the layout of struct sock_filter.
    return bytes.withUnsafeBytes { Array($0.bindMemory(to: FilterInstruction.self)) }
  }
}

/// A small seeded generator: the failure prints the seed.
struct SplitMix {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }

  /// A value near the ones a rule speaks of: one of them, one of them with a bit flipped, or any.
  mutating func interesting(_ alternatives: [[ArgumentCondition]]) -> UInt64 {
    let values = alternatives.joined().flatMap(\.values)
    let value = UInt64(values[Int(next() % UInt64(values.count))])
    switch next() % 4 {
    case 0: return value
    case 1: return value ^ (1 << (next() % 64))
    case 2: return value | (1 << (next() % 32))
    default: return next()
    }
  }
}
