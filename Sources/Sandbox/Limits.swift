// SPDX-License-Identifier: Apache-2.0

/// The bounds of one app. There is no "unlimited": a field left alone has its default.
///
/// Memory, swap, processor and process bounds hold for the whole app (its guest and its workers
/// together, in one cgroup); the rest holds for each process.
public struct Limits: Sendable, Codable, Equatable {
  /// Bytes of memory, page cache and scratch files included.
  public var memoryBytes: UInt64
  /// Bytes of swap on top of it.
  public var swapBytes: UInt64
  /// Processor time, in cores: 0.5 is half of one core.
  public var cpuCores: Double
  /// Share under contention, 1–10,000; 100 is an equal share.
  public var cpuWeight: UInt32
  /// Processes and threads.
  public var processes: UInt32
  /// Size of `/tmp`.
  public var scratchBytes: UInt64
  /// Size of `/dev/shm`.
  public var sharedMemoryBytes: UInt64
  /// Open descriptors of one process.
  public var openFiles: UInt64
  /// Largest file a process may write.
  public var fileBytes: UInt64
  /// Begin with no leave to write to any file (``SandboxedProcess/boundFiles(bytes:)`` gives it).
  public var refusesWrites = false

  public init(
    memoryBytes: UInt64 = 256 << 20, swapBytes: UInt64 = 0, cpuCores: Double = 1,
    cpuWeight: UInt32 = 100, processes: UInt32 = 64, scratchBytes: UInt64 = 64 << 20,
    sharedMemoryBytes: UInt64 = 16 << 20, openFiles: UInt64 = 1024, fileBytes: UInt64 = 1 << 30
  ) {
    self.memoryBytes = memoryBytes
    self.swapBytes = swapBytes
    self.cpuCores = cpuCores
    self.cpuWeight = cpuWeight
    self.processes = processes
    self.scratchBytes = scratchBytes
    self.sharedMemoryBytes = sharedMemoryBytes
    self.openFiles = openFiles
    self.fileBytes = fileBytes
  }

  /// What comes on top of `processes` for one cell: its pid 1, and the launcher while it becomes the command.
  package static let ownProcessesOfCell: UInt32 = 2
  /// For an app as a whole: the guest's cell, the SQL worker's, and two that wait (``Launcher/prepare(_:)``).
  package static let ownProcesses: UInt32 = 6

  /// Memory an app's processes may lock: enough for a language runtime's guard pages.
  static let lockedBytes: UInt64 = 1 << 20
}
