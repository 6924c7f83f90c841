// SPDX-License-Identifier: Apache-2.0
import CHostShims

/// What becomes of a built cell: the command, its bounds and the filter it runs under.
package struct StartPlan: Sendable, Equatable {
  package var arguments: [String]
  package var environment: [String]
  var workingDirectory: String
  var search: [String]
  package var limits: [ResourceLimit]
  /// Numbers inside, in the order in which the descriptors are handed over.
  var descriptors: [UInt32]
  package var landlock: LandlockRules?
  /// The compiled filter; nil only when the layer was waived.
  package var filter: [FilterInstruction]?
  var reportsBlockedCalls = false

  package func encoded() -> [UInt8] {
    var writer = PlanWriter()
    writer.record(BH_REC_OPTIONS) {
      $0.value(
        bh_options(
          notify: reportsBlockedCalls && filter != nil ? 1 : 0, skip_filter: filter == nil ? 1 : 0,
          skip_landlock: landlock == nil ? 1 : 0, pad: 0))
    }
    for argument in arguments { writer.record(BH_REC_ARGUMENT, argument) }
    for variable in environment { writer.record(BH_REC_ENVIRONMENT, variable) }
    writer.record(BH_REC_DIRECTORY_CHANGE, workingDirectory)
    for directory in search { writer.record(BH_REC_SEARCH, directory) }
    for limit in limits {
      writer.record(BH_REC_RLIMIT) {
        $0.value(
          bh_rlimit(resource: limit.resource, pad: 0, soft: limit.bound, hard: limit.bound))
      }
    }
    writer.record(BH_REC_DESCRIPTORS) { for number in descriptors { $0.value(number) } }
    landlock?.write(to: &writer)
    if let filter {
      writer.record(BH_REC_FILTER) { for instruction in filter { $0.value(instruction) } }
    }
    return writer.bytes
  }
}

/// One `setrlimit`, soft and hard alike.
package struct ResourceLimit: Sendable, Equatable {
  package var resource: UInt32
  package var bound: UInt64
}
