// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser
import Supervisor

struct SyscallsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "syscalls",
    abstract: "List the system calls an app may make, and what the others are answered.",
    discussion: """
      Needs no host: it is the filter of this program. A call that is not listed is answered with ENOSYS; one of \
      another architecture's table ends the process.
      """)

  @Flag(help: "The filter of apps whose runtime is native.")
  var native = false

  @OptionGroup var output: OutputOptions

  func run() throws {
    let rules = SystemCallPolicy.all(native: native)
    guard !output.json else { return try Printer.json(rules) }
    var table = Table([("CALL", .left), ("RULE", .left), ("WHY", .left)])
    let style = Terminal.standardOutput.style
    for rule in rules {
      let answer = rule.errno.map { ", else \($0)" } ?? ""
      switch rule.rule {
      case "allowed": table.add([.init(rule.name), .init("allowed", style.green), .init(rule.why)])
      case "checked":
        table.add([.init(rule.name), .init("checked\(answer)", style.yellow), .init(rule.why)])
      default:
        table.add([.init(rule.name), .init(rule.errno ?? "refused", style.red), .init(rule.why)])
      }
    }
    Printer.table(table)
    let reachable = rules.count { $0.rule != "refused" }
    Printer.text("\(reachable) calls of \(rules.count) listed can be made; all others: ENOSYS")
  }
}
