// SPDX-License-Identifier: Apache-2.0
import CHostShims
import Glibc
import Synchronization

/// One sealed process tree: the guest, its reaper and its monitor.
public final class SandboxedProcess: Sendable {
  public let policy: SandboxPolicy
  private let cell: Cell

  init(policy: SandboxPolicy, cell: Cell) {
    self.policy = policy
    self.cell = cell
  }

  /// The guest's pid as the host sees it. Only for display: signal through ``kill()``.
  public var pid: Int32 { cell.guestPID }

  /// pid 1 of the cell as the host sees it.
  var initPID: Int32 { cell.initPID }

  /// Ends the whole tree for good. Returns at once; ``waitForExit()`` tells when it is over.
  public func kill() { cell.kill() }

  /// The end of the tree and its final figures; returns at once when it is over already.
  public func waitForExit() async -> ExitReport { await cell.waitForExit() }

  /// As ``waitForExit()``, and then until no process, mount or cgroup of it is left: at most two
  /// seconds later. For whoever removes what it used.
  public func waitUntilGone() async { await cell.waitUntilGone() }

  /// Figures so far, or the final ones.
  ///
  /// - Throws: ``SandboxError`` when the kernel's files cannot be read.
  public func usage() throws(SandboxError) -> ResourceUsage { try cell.usage() }

  /// The processes inside, by pid: the guest, its children, and the launcher that waits for them. Empty after the end.
  public func processes() -> [ProcessFigures] { cell.processes() }

  /// How often each system call was refused since this was asked last, by name. Only development mode tells: in
  /// production the kernel answers by itself and counts nothing.
  public func takeBlockedCounts() -> [String: Int] { cell.blockedCounts.take() }

  /// Refused system calls, once per call and argument; ends with the process. Empty outside
  /// development mode.
  public func blockedCalls() -> AsyncStream<BlockedCall> { cell.blockedCalls }
}
