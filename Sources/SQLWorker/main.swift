// SPDX-License-Identifier: Apache-2.0
// Runs one app's SQL. Started by the host inside the app's sandbox and cgroup, with a socket to the host at descriptor
// 3, the guest's own SQL socket at 4 if it has one, and its plan in BULKHEAD_SQL_PLAN (docs/SQL.md).
import CSQLite
import Glibc
import SQLEngine

/// `sysexits.h`: the plan is wrong.
let exitConfiguration: Int32 = 78

func stop(_ why: String) -> Never {
  let text = Array("sql worker: \(why)\n".utf8)
  _ = text.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
  exit(exitConfiguration)
}

func isSocket(_ descriptor: Int32) -> Bool {
  var info = stat()
  return fstat(descriptor, &info) == 0 && info.st_mode & S_IFMT == S_IFSOCK
}

guard isSocket(3) else { stop("descriptor 3 is not a socket; the host starts this program") }
guard let text = getenv("BULKHEAD_SQL_PLAN") else { stop("BULKHEAD_SQL_PLAN is not set") }
let plan: SQLPlan
do { plan = try SQLPlan(json: String(cString: text)) } catch { stop("\(error)") }

signal(SIGPIPE, SIG_IGN)
// A file that may not grow is an error of the statement that wants it to (EFBIG), not the end of the worker.
signal(SIGXFSZ, SIG_IGN)
// Few arenas: the threads mostly wait, and each arena keeps memory for itself.
mallopt(M_ARENA_MAX, 2)
if let temporary = plan.temporary { setenv("SQLITE_TMPDIR", temporary, 1) }
if plan.heapBytes > 0 { sqlite3_hard_heap_limit64(plan.heapBytes) }

Worker(plan: plan, control: 3, direct: isSocket(4) ? 4 : nil).run()
