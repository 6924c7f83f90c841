// SPDX-License-Identifier: Apache-2.0

/// One system call as a filter sees it.
package struct SyscallData: Sendable, Equatable {
  package var number: UInt32
  package var architecture: UInt32
  package var arguments: [UInt64]

  package init(number: UInt32, architecture: UInt32, arguments: [UInt64] = []) {
    self.number = number
    self.architecture = architecture
    self.arguments = arguments + Array(repeating: 0, count: max(0, 6 - arguments.count))
  }
}

/// Runs a classic BPF program as the kernel would. Tests use it to ask the compiled filter about
/// every number there is; in development mode it tells what production would have answered.
package enum FilterEvaluator {
  /// Nil when the program is not one the kernel would load: an unknown instruction, a jump out of
  /// it, or an end without an answer.
  package static func run(_ program: [FilterInstruction], on data: SyscallData) -> FilterVerdict? {
    var accumulator: UInt32 = 0
    var position = 0
    // Jumps go forward only, so this ends.
    while position < program.count {
      let instruction = program[position]
      position += 1
      switch instruction.code {
      case FilterInstruction.Code.load:
        guard let word = word(of: data, at: instruction.operand) else { return nil }
        accumulator = word
      case FilterInstruction.Code.and: accumulator &= instruction.operand
      case FilterInstruction.Code.jump: position += Int(instruction.operand)
      case FilterInstruction.Code.jumpIfEqual:
        position += Int(
          accumulator == instruction.operand ? instruction.ifTrue : instruction.ifFalse)
      case FilterInstruction.Code.jumpIfAtLeast:
        position += Int(
          accumulator >= instruction.operand ? instruction.ifTrue : instruction.ifFalse)
      // Not ours, but libseccomp's, with which tests compare.
      case FilterInstruction.Code.jumpIfAbove:
        position += Int(
          accumulator > instruction.operand ? instruction.ifTrue : instruction.ifFalse)
      case FilterInstruction.Code.jumpIfSet:
        position += Int(
          accumulator & instruction.operand != 0 ? instruction.ifTrue : instruction.ifFalse)
      case FilterInstruction.Code.answer: return FilterVerdict(rawValue: instruction.operand)
      default: return nil
      }
    }
    return nil
  }

  private static func word(of data: SyscallData, at offset: UInt32) -> UInt32? {
    switch offset {
    case 0: return data.number
    case 4: return data.architecture
    case 8, 12: return 0
    case 16..<64 where offset % 4 == 0:
      let argument = data.arguments[Int(offset - 16) / 8]
      return offset % 8 == 0 ? UInt32(truncatingIfNeeded: argument) : UInt32(argument >> 32)
    default: return nil
    }
  }
}
