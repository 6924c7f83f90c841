// SPDX-License-Identifier: Apache-2.0
import CHostShims

/// What becomes of a built cell: the command.
package struct StartPlan: Sendable, Equatable {
  package var arguments: [String]
  package var environment: [String]
  var workingDirectory: String
  var search: [String]
  /// Numbers inside, in the order in which the descriptors are handed over.
  var descriptors: [UInt32]

  package func encoded() -> [UInt8] {
    var writer = PlanWriter()
    for argument in arguments { writer.record(BH_REC_ARGUMENT, argument) }
    for variable in environment { writer.record(BH_REC_ENVIRONMENT, variable) }
    writer.record(BH_REC_DIRECTORY_CHANGE, workingDirectory)
    for directory in search { writer.record(BH_REC_SEARCH, directory) }
    writer.record(BH_REC_DESCRIPTORS) { for number in descriptors { $0.value(number) } }
    return writer.bytes
  }
}

/// One `setrlimit`.
package struct ResourceLimit: Sendable, Equatable {
  package var resource: UInt32
  /// The hard limit, and the soft one unless that has its own.
  package var bound: UInt64
  package var soft: UInt64?
}
