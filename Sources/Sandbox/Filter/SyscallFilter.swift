// SPDX-License-Identifier: Apache-2.0
import CSeccomp
import Glibc

/// The system-call policy: every rule, and the program compiled from them.
///
/// libseccomp gives names their numbers; the program itself is ours (docs/decisions): each call can
/// then have its own errno for refused arguments, which libseccomp can only express by listing
/// complements, and the program searches by halves instead of comparing one number after another.
package struct SyscallFilter: Sendable {
  package let rules: [SyscallRule]
  package let architecture: Architecture

  package init(profile: SandboxPolicy.Profile, architecture: Architecture = .native) {
    var rules = AllowedSyscalls.rules + CheckedSyscalls.rules + RefusedSyscalls.rules
    if profile == .native {
      let added = Set(RefusedSyscalls.native.map(\.name))
      rules.removeAll { added.contains($0.name) }
      rules += RefusedSyscalls.native
    }
    self.init(rules: rules, architecture: architecture)
  }

  package init(rules: [SyscallRule], architecture: Architecture = .native) {
    self.rules = rules
    self.architecture = architecture
  }

  package enum Architecture: Sendable, CaseIterable {
    case x86_64, aarch64

    package static var native: Architecture {
      #if arch(x86_64)
        .x86_64
      #else
        .aarch64
      #endif
    }

    /// `AUDIT_ARCH_*`
    package var audit: UInt32 { self == .x86_64 ? 0xC000_003E : 0xC000_00B7 }
    var token: UInt32 { audit }
  }

  /// What a number the table does not know gets.
  package static let defaultVerdict = FilterVerdict.errno(ENOSYS)

  /// The number of a call on this architecture; nil where it does not exist there.
  package static func number(of name: String, on architecture: Architecture) -> UInt32? {
    let number = seccomp_syscall_resolve_name_arch(architecture.token, name)
    return number >= 0 ? UInt32(number) : nil
  }

  /// The name of a number, as far as libseccomp knows it.
  package static func name(of number: UInt32, on architecture: Architecture) -> String? {
    guard let text = seccomp_syscall_resolve_num_arch(architecture.token, Int32(bitPattern: number))
    else { return nil }
    defer { free(text) }
    return String(cString: text)
  }

  /// The program to load. Deterministic: equal rules give equal bytes.
  package func compiled() -> [FilterInstruction] {
    var answers: [UInt32: SyscallRule.Answer] = [:]
    for rule in rules {
      if let number = Self.number(of: rule.name, on: architecture) { answers[number] = rule.answer }
    }
    return FilterAssembler.assemble(answers: answers, architecture: architecture)
  }

  /// The same program with every refusal turned into a question to the host, which gives the same
  /// answers and reports them.
  package static func reporting(_ program: [FilterInstruction]) -> [FilterInstruction] {
    program.map { instruction in
      guard instruction.code == FilterInstruction.Code.answer,
        FilterVerdict(rawValue: instruction.operand).errno != nil
      else { return instruction }
      return .answer(.notify)
    }
  }
}
