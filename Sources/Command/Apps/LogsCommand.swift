// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser

struct LogsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "logs", abstract: "Show what an app wrote, and what the host wrote about it.")

  @Argument(help: ArgumentHelp("Id or origin name.", valueName: "app"))
  var app: String
  @Flag(name: [.customShort("f"), .long], help: "Go on with new lines until Ctrl-C.")
  var follow = false
  @Option(
    name: [.customShort("n"), .long],
    help: "The last so many lines; otherwise 100, or with --since all.")
  var tail: Int?
  @Option(name: .long, help: "From this time on: RFC 3339, a day, or a span such as 1h.")
  var since: Moment?
  @OptionGroup var host: HostOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if let tail, tail < 0 { throw ValidationError("-n takes a number of lines, 0 or more") }
  }

  func run() throws {
    let lines = tail ?? (since == nil ? 100 : nil)
    let target = AdminPath.query(
      AdminPath.app(app, "logs"),
      [
        ("tail", lines.map(String.init)), ("since", since.map { Timestamp.text($0.date()) }),
        ("follow", follow ? "true" : nil),
      ])
    let style = Terminal.standardOutput.style
    try LineOutput.run(LogLine.self, host.client, target, follow: follow, json: output.json) {
      Self.text($0, style: style)
    }
  }

  static func text(_ line: LogLine, style: Style) -> String {
    let text = Printer.harmless(line.text)
    let shown =
      switch line.stream {
      case .stdout: text
      case .stderr: style.yellow(text)
      case .host: style.bold("[host] ") + text
      }
    return "\(style.dim(Timestamp.text(line.time))) \(shown)\n"
  }
}

/// Prints an answer that comes line by line: text, one JSON object a line when followed, or a JSON array.
enum LineOutput {
  static func run<Value: Decodable>(
    _ type: Value.Type, _ client: AdminClient, _ target: String, follow: Bool, json: Bool,
    text: (Value) -> String
  ) throws {
    let output = Terminal.standardOutput
    var isFirst = true
    var failure: (any Error)?
    if json, !follow { output.write("[") }
    try client.lines(target, follow: follow) { bytes in
      if json {
        output.write(follow ? bytes + [0x0a] : (isFirst ? [] : [0x2c]) + bytes)
      } else {
        do {
          output.write(text(try AdminCoding.decode(type, from: bytes)))
        } catch {
          failure = error
          return false
        }
      }
      isFirst = false
      return true
    }
    if let failure {
      throw CommandFailure(.failure, "a line makes no sense", why: "\(failure)")
    }
    if json, !follow { output.write("]\n") }
  }
}
