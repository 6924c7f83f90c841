// SPDX-License-Identifier: Apache-2.0
import CHostShims

/// What a launcher's messages mean, decided without touching anything.
package struct CellLifecycle: Sendable, Equatable {
  package enum Phase: Sendable, Equatable { case building, ready, running, failed, over }

  package enum Event: Sendable {
    /// From pid 1.
    case cell(Report)
    /// From the guest, until it is the app.
    case guest(Report)
    /// From the monitor.
    case control(Report)
    case cellClosed
    /// By execve, or by the guest's end.
    case guestClosed
    case controlClosed
    /// The command was handed over.
    case ordered
    /// pid 1 is reaped, and so is all below it.
    case initGone
    /// It took too long to build or start.
    case deadline
  }

  package struct Report: Sendable, Equatable {
    package var kind: UInt32
    package var step: UInt32 = 0
    package var errno: Int32 = 0
    package var record: Int = 0
    package var status: Int32 = 0
    package var hasStatus = false
    package var userMicroseconds: UInt64 = 0
    package var systemMicroseconds: UInt64 = 0
    package var peakBytes: UInt64 = 0
    /// The sender's pid as the host sees it.
    package var pid: Int32 = 0

    package init(kind: UInt32) { self.kind = kind }
  }

  package enum Action: Sendable, Equatable {
    case ready
    case started
    case failed(LaunchStep, errno: Int32, record: Int)
    /// The command and all it started are over and reaped; pid 1 is on its way out.
    case exited
    /// The monitor went without a last word: find out by other means when pid 1 is gone.
    case watchInit(Int32)
    /// The last one: nothing of the cell is left.
    case over
    case kill
  }

  package private(set) var phase = Phase.building
  package private(set) var initPID: Int32 = 0
  package private(set) var guestPID: Int32 = 0
  /// As wait4 gives it; the guest's own, or that of a killed pid 1.
  package private(set) var status: Int32?
  /// With the CPU time of the tree: from pid 1 when it could say, else from the monitor.
  package private(set) var finalReport: Report?
  private var monitorIsDone = false
  private var isOrdered = false
  private var cellIsClosed = false
  private var initIsGone = false
  private var guestStatusIsKnown = false

  package init() {}

  package mutating func handle(_ event: Event) -> [Action] {
    guard phase != .over else { return [] }
    switch event {
    case .cell(let report): return handle(cell: report)
    case .guest(let report): return handle(guest: report)
    case .ordered:
      isOrdered = true
      return []
    case .guestClosed:
      guard phase == .building || phase == .ready else { return [] }
      // Closed without a word after the order: it became the command.
      if phase == .ready && isOrdered {
        phase = .running
        return [.started]
      }
      phase = .failed
      return [.failed(.lost, errno: 0, record: 0), .kill]
    case .control(let report):
      if report.kind == BH_REPORT_FAILED.rawValue { return fail(report) }
      guard report.kind == BH_REPORT_EXIT.rawValue else { return [] }
      monitorIsDone = true
      // A pid 1 that was killed could not say how its guest ended: it was killed too.
      if !guestStatusIsKnown {
        status = report.status
        finalReport = report
      }
      return overIfGone()
    case .cellClosed:
      cellIsClosed = true
      return overIfGone()
    case .controlClosed:
      if monitorIsDone || initIsGone { return [] }
      if initPID > 0 { return [.watchInit(initPID)] }
      initIsGone = true
      return overIfGone()
    case .initGone:
      initIsGone = true
      return overIfGone()
    case .deadline:
      guard phase == .building || phase == .ready else { return [] }
      phase = .failed
      return [.failed(.lost, errno: 110 /* ETIMEDOUT */, record: 0), .kill]
    }
  }

  private mutating func handle(guest report: Report) -> [Action] {
    switch report.kind {
    case BH_REPORT_READY.rawValue:
      guestPID = report.pid
      guard phase == .building else { return [] }
      phase = .ready
      return [.ready]
    case BH_REPORT_FAILED.rawValue: return fail(report)
    default: return []
    }
  }

  private mutating func handle(cell report: Report) -> [Action] {
    switch report.kind {
    case BH_REPORT_INIT.rawValue:
      initPID = report.pid
      return []
    case BH_REPORT_FAILED.rawValue: return fail(report)
    case BH_REPORT_EXIT.rawValue:
      guard !guestStatusIsKnown else { return [] }
      status = report.status
      finalReport = report
      guestStatusIsKnown = true
      return phase == .running ? [.exited] : []
    default: return []
    }
  }

  private mutating func fail(_ report: Report) -> [Action] {
    guard phase == .building || phase == .ready else { return [] }
    phase = .failed
    return [.failed(LaunchStep(launcher: report.step), errno: report.errno, record: report.record)]
  }

  /// Gone: pid 1's end of the cell socket is closed, and its end was seen. The closed socket alone
  /// proves nothing: a process closes its files before it takes its namespace with it.
  private mutating func overIfGone() -> [Action] {
    guard cellIsClosed, monitorIsDone || initIsGone else { return [] }
    var actions: [Action] = []
    if phase == .building || phase == .ready {
      actions.append(.failed(.lost, errno: 0, record: 0))
    }
    phase = .over
    return actions + [.over]
  }
}
