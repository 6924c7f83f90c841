// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

struct SecretCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "secret", abstract: "Set, list, remove and, audited, read an app's secrets.",
    subcommands: [List.self, Set.self, Get.self, Remove.self, RotateMasterKey.self])

  /// LIMIT: bytes of a secret.
  static let bytesMax = 64 * 1024

  struct RotateMasterKey: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "rotate-master-key",
      abstract: "Seal every app's secrets and keys with a new master key, while apps go on.")
    @OptionGroup var host: HostOptions

    func run() throws {
      _ = try host.client.send("POST", AdminPath.masterKeyRotation)
      Printer.note("rotated; keep a copy of the new master key")
    }
  }

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "List an app's secrets, without their values.")
    @Argument(help: ArgumentHelp("Id or origin name.", valueName: "app")) var app: String
    @OptionGroup var host: HostOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
      let secrets = try host.client.json([SecretInfo].self, "GET", AdminPath.app(app, "secrets"))
      if output.json { return try Printer.json(secrets) }
      let style = Terminal.standardOutput.style
      var table = Table([
        ("SECRET", .left), ("VERSION", .right), ("SET AT", .left), ("DESCRIPTION", .left),
      ])
      for secret in secrets {
        table.add([
          .init(secret.name),
          secret.version.map { .init("\($0)") }
            ?? .init(secret.required ? "needed" : "not set", style.yellow),
          .init(secret.updatedAt.map(Timestamp.text) ?? "-"),
          .init(Printer.harmless(secret.description)),
        ])
      }
      Printer.table(table)
    }
  }

  struct Set: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "set", abstract: "Set a secret.",
      discussion:
        "The value is read from the terminal without echo, from standard input or --from-file.")
    @Argument(help: ArgumentHelp("Id or origin name.", valueName: "app")) var app: String
    @Argument(help: ArgumentHelp("The secret's name.", valueName: "name")) var name: String
    @Option(
      name: .long,
      help: ArgumentHelp("Take the value from a file, byte for byte.", valueName: "file"))
    var fromFile: String?
    @OptionGroup var host: HostOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
      let value = SecretValue(base64: Data(try bytes()).base64EncodedString())
      let secret = try host.client.json(
        SecretInfo.self, "PUT", AdminPath.app(app, "secrets", name), body: value)
      if output.json { return try Printer.json(secret) }
      Printer.text("set \(secret.name)" + (secret.version.map { ", version \($0)" } ?? ""))
    }

    private func bytes() throws -> [UInt8] {
      if let fromFile {
        do {
          return try FilePath.read(fromFile, bytesMax: SecretCommand.bytesMax)
        } catch let error as FileFailure {
          throw CommandFailure(.data, "cannot read \(error.path)", why: error.reason)
        }
      }
      if Terminal.standardInput.isTerminal {
        return Array((StandardInput.readHidden("value of \(name): ") ?? "").utf8)
      }
      // `echo secret | bulkhead secret set` means the word, not the line end echo adds.
      var bytes = try StandardInput.read(bytesMax: SecretCommand.bytesMax)
      if bytes.last == 0x0a { bytes.removeLast() }
      return bytes
    }
  }

  struct Get: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "get", abstract: "Print a secret's value; this is audited.")
    @Argument(help: ArgumentHelp("Id or origin name.", valueName: "app")) var app: String
    @Argument(help: ArgumentHelp("The secret's name.", valueName: "name")) var name: String
    @Flag(name: .long, help: "Yes, in the clear.") var reveal = false
    @OptionGroup var host: HostOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
      guard reveal else {
        throw CommandFailure(
          .notPermitted, "the value of \(name) is not shown",
          why: "a secret is shown on request only",
          next: "run the same with --reveal; the host keeps a record of it")
      }
      let value = try host.client.json(
        SecretValue.self, "POST", AdminPath.app(app, "secrets", name, "reveal"))
      if output.json { return try Printer.json(value) }
      guard let bytes = Data(base64Encoded: value.base64) else {
        throw CommandFailure(.failure, "the host's answer makes no sense", why: "not base64")
      }
      Terminal.standardOutput.write(
        Array(bytes) + (Terminal.standardOutput.isTerminal ? [0x0a] : []))
    }
  }

  struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "rm", abstract: "Remove a secret.")
    @Argument(help: ArgumentHelp("Id or origin name.", valueName: "app")) var app: String
    @Argument(help: ArgumentHelp("The secret's name.", valueName: "name")) var name: String
    @Flag(name: [.short, .long], help: "Do not ask.") var yes = false
    @OptionGroup var host: HostOptions

    func run() throws {
      if !yes {
        try Consent.ask(
          "Remove the secret \(name) of \(app)?", refused: "\(name) was not removed",
          next: "run the same with --yes")
      }
      _ = try host.client.send("DELETE", AdminPath.app(app, "secrets", name))
      Printer.text("removed \(name)")
    }
  }
}
