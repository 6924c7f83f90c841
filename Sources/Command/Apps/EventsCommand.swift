// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser

struct EventsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "events", abstract: "Show what happened on the host.")

  @Flag(name: [.customShort("f"), .long], help: "Go on with new events until Ctrl-C.")
  var follow = false
  @Option(name: [.customShort("n"), .long], help: "The last so many events.")
  var tail = 100
  @Option(name: .long, help: "From this time on: RFC 3339, a day, or a span such as 1h.")
  var since: Moment?
  @OptionGroup var host: HostOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if tail < 0 { throw ValidationError("-n takes a number of events, 0 or more") }
  }

  func run() throws {
    let target = AdminPath.query(
      AdminPath.events,
      [
        ("tail", String(tail)), ("since", since.map { Timestamp.text($0.date()) }),
        ("follow", follow ? "true" : nil),
      ])
    let style = Terminal.standardOutput.style
    try LineOutput.run(HostEvent.self, host.client, target, follow: follow, json: output.json) {
      event in
      "\(style.dim(Timestamp.text(event.time))) \(event.app ?? "host") "
        + "\(style.bold(event.kind)) \(Printer.harmless(event.detail))\n"
    }
  }
}
