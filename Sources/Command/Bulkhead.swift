// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser
import Glibc

/// The command `bulkhead`.
public struct Bulkhead: AsyncParsableCommand {
  public static let configuration = CommandConfiguration(
    commandName: "bulkhead",
    abstract: "Runs apps as sealed processes, and measures what they use.",
    discussion: """
      The host is started with `bulkhead serve`; the other commands reach it over its admin socket, which --socket \
      or BULKHEAD_SOCKET names. Data goes to standard output, everything else to standard error. APP is an app's id \
      or the first part of its web address.

      Exit codes: 0 done; 1 failed; 64 wrong usage; 65 wrong manifest or data; 69 no host; 75 try again later; \
      77 not permitted; 78 wrong configuration.
      """,
    version: Release.version,
    groupedSubcommands: [
      CommandGroup(
        name: "Host:",
        subcommands: [
          ServeCommand.self, DoctorCommand.self, SyscallsCommand.self, VersionCommand.self,
        ]),
      CommandGroup(
        name: "Apps:",
        subcommands: [
          InstallCommand.self, UninstallCommand.self, StartCommand.self, StopCommand.self,
          RestartCommand.self,
        ]),
      CommandGroup(
        name: "Look:",
        subcommands: [
          PsCommand.self, StatusCommand.self, StatsCommand.self, TopCommand.self,
          LogsCommand.self, EventsCommand.self, InspectCommand.self,
        ]),
      CommandGroup(
        name: "Data and accounts:",
        subcommands: [
          SQLCommand.self, SecretCommand.self, KeyCommand.self, LimitCommand.self,
          ReportCommand.self, PricesCommand.self,
        ]),
      CommandGroup(name: "Develop:", subcommands: [NewCommand.self, CheckCommand.self]),
    ])

  public init() {}

  /// Runs the command line and ends the process with one of the exit codes of `CommandStatus`.
  public static func runCommandLine() async {
    do {
      var command = try parseAsRoot()
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        try command.run()
      }
    } catch let failure as CommandFailure {
      failure.show()
      Glibc.exit(failure.status.rawValue)
    } catch let error as AdminClientError {
      let failure = CommandFailure(error)
      failure.show()
      Glibc.exit(failure.status.rawValue)
    } catch {
      exit(withError: error)
    }
  }
}
