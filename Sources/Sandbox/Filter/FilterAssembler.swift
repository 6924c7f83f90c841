// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Turns answers per number into a program.
///
/// Shape: refuse other architectures; then a binary search over runs of numbers with equal
/// answers; at its leaves an answer, or the checks of one call's arguments.
enum FilterAssembler {
  private typealias Code = FilterInstruction.Code

  static func assemble(
    answers: [UInt32: SyscallRule.Answer], architecture: SyscallFilter.Architecture
  ) -> [FilterInstruction] {
    var program: [FilterInstruction] = [
      .load(SeccompData.architecture),
      .init(code: Code.jumpIfEqual, ifTrue: 1, operand: architecture.audit),
      .answer(.killProcess),
      .load(SeccompData.number),
    ]
    if architecture == .x86_64 {
      // x32 numbers reach the same calls by other rules. -1 is what a tracer leaves behind.
      program += [
        .init(code: Code.jumpIfAtLeast, ifFalse: 3, operand: 0x4000_0000),
        .init(code: Code.jumpIfEqual, ifTrue: 1, operand: 0xFFFF_FFFF),
        .answer(.killProcess),
        .answer(SyscallFilter.defaultVerdict),
      ]
    }
    return program + search(runs(of: answers)[...])
  }

  /// Numbers from `first` up to the next run's share one answer.
  private struct Run {
    var first: UInt32
    var answer: SyscallRule.Answer
  }

  private static func runs(of answers: [UInt32: SyscallRule.Answer]) -> [Run] {
    let unknown = SyscallRule.Answer.refuse(ENOSYS)
    var runs = [Run(first: 0, answer: answers[0] ?? unknown)]
    for number in 1...((answers.keys.max() ?? 0) + 1) {
      let answer = answers[number] ?? unknown
      if runs[runs.count - 1].answer != answer { runs.append(Run(first: number, answer: answer)) }
    }
    return runs
  }

  private static func search(_ runs: ArraySlice<Run>) -> [FilterInstruction] {
    if runs.count == 1 { return leaf(runs[runs.startIndex].answer) }
    let middle = runs.startIndex + runs.count / 2
    let below = search(runs[..<middle])
    let above = search(runs[middle...])
    let first = runs[middle].first
    if below.count <= 255 {
      return [.init(code: Code.jumpIfAtLeast, ifTrue: UInt8(below.count), operand: first)] + below
        + above
    }
    // A conditional jump reaches 255 instructions, an unconditional one any number.
    return [
      .init(code: Code.jumpIfAtLeast, ifFalse: 1, operand: first),
      .init(code: Code.jump, operand: UInt32(below.count)),
    ] + below + above
  }

  private static func leaf(_ answer: SyscallRule.Answer) -> [FilterInstruction] {
    switch answer {
    case .allow: return [.answer(.allow)]
    case .refuse(let errno): return [.answer(.errno(errno))]
    case .allowWhen(let alternatives, let errno):
      // Built from the end: what follows a failed alternative is the next one, at last the errno.
      var program: [FilterInstruction] = [.answer(.errno(errno))]
      for conditions in alternatives.reversed() {
        program = check(conditions) + program
      }
      return program
    }
  }

  /// Answers "allow" when all hold, else falls through to what follows.
  private static func check(_ conditions: [ArgumentCondition]) -> [FilterInstruction] {
    var program: [FilterInstruction] = [.answer(.allow)]
    for condition in conditions.reversed() {
      var test: [FilterInstruction] = [.load(SeccompData.argument(condition.argument))]
      if condition.mask != UInt32.max { test.append(.and(condition.mask)) }
      for (index, value) in condition.values.enumerated() {
        let left = condition.values.count - 1 - index
        test.append(
          .init(
            code: Code.jumpIfEqual, ifTrue: UInt8(left),
            // The last value that does not match leaves this alternative.
            ifFalse: left == 0 ? UInt8(program.count) : 0, operand: value))
      }
      program = test + program
    }
    return program
  }
}
