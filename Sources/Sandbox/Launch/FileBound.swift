// SPDX-License-Identifier: Apache-2.0
import CHostShims
import Glibc

extension SandboxedProcess {
  /// What came of ``boundFiles(bytes:)``.
  public struct FileBoundOutcome: Sendable, Equatable {
    /// Processes that had another bound.
    public var changed = 0
    /// 0, or the first errno: EINVAL where the hard limit is below what was asked.
    public var errno: Int32 = 0
  }

  /// Sets how large a file every process of the tree may make from now on (the soft RLIMIT_FSIZE, setrlimit(2)). With 0
  /// no file takes another byte: writes fail with EFBIG (and SIGXFSZ, which runtimes ignore), a growing `ftruncate` too.
  /// Reads and deletes go on; sockets and pipes are no files. `fallocate`, which does not heed the limit with
  /// FALLOC_FL_KEEP_SIZE, is refused by the filter.
  ///
  /// The hard limit stays, as raising it again takes a capability that even root may lack. So a process can raise its
  /// own bound; whoever calls this again sees that in `changed`.
  public func boundFiles(bytes: UInt64) -> FileBoundOutcome {
    var outcome = FileBoundOutcome()
    // A process forked while its parent was looked at has the old bound: look again until nobody has.
    // LIMIT: 16 passes; whoever forks faster meets its limit of processes.
    for _ in 0..<16 {
      var changed = 0
      for pid in ProcessTree.members(of: initPID) {
        var wasOther: Int32 = 0
        let error = bh_bound_files(pid, bytes, &wasOther)
        if error != 0, error != ESRCH, outcome.errno == 0 { outcome.errno = error }
        if wasOther != 0, error == 0 { changed += 1 }
      }
      outcome.changed += changed
      if changed == 0 { break }
    }
    return outcome
  }
}
