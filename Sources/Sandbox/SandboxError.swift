// SPDX-License-Identifier: Apache-2.0
import CHostShims
import Glibc

/// Why a process was not sealed or not started: the step, the errno, and what to do about it.
public struct SandboxError: Error, Sendable, Equatable, CustomStringConvertible {
  public var step: LaunchStep
  /// 0 when no system call failed.
  public var errno: Int32
  /// What the step was working on: a path, a limit, a layer. May hold host paths: not for guests.
  public var detail: String

  public init(_ step: LaunchStep, errno: Int32 = 0, _ detail: String = "") {
    self.step = step
    self.errno = errno
    self.detail = detail
  }

  public var description: String {
    var text = "sandbox: \(step.rawValue) failed"
    if errno != 0 { text += ": \(errnoName(errno))" }
    if !detail.isEmpty { text += " (\(detail))" }
    if let advice = step.advice(errno: errno) { text += "; \(advice)" }
    return text
  }
}

/// The steps of a launch, in the words an operator reads.
public enum LaunchStep: String, Sendable, Codable, CaseIterable {
  // Decided by the host.
  case policy = "the policy"
  case requiredLayer = "a required layer"
  case cgroup = "making the cgroup"
  case spawn = "starting the launcher"
  case lost = "the launcher"
  // Reported by the launcher, in its order.
  case readPlan = "reading the plan"
  case openCgroup = "opening the cgroup"
  case clone = "making the namespaces"
  case idMap = "mapping the user"
  case joinCgroup = "joining the cgroup"
  case mapOwner = "mapping the owner of a mount"
  case bindSource = "opening a bind source"
  case bindAttributes = "setting a mount's flags"
  case parentDeath = "tying the cell to the launcher"
  case credentials = "changing credentials"
  case cgroupNamespace = "making the cgroup namespace"
  case sessionKeyring = "making a session keyring"
  case hostname = "setting the host name"
  case privateMounts = "making mounts private"
  case root = "making the root"
  case tmpfs = "mounting a tmpfs"
  case directory = "making a directory of the root"
  case symlink = "making a link of the root"
  case file = "writing a file of the root"
  case bindTarget = "opening a bind target"
  case bind = "attaching a bind"
  case proc = "mounting /proc"
  case userNamespaces = "forbidding user namespaces"
  case pivotRoot = "changing the root"
  case readOnlyRoot = "making the root read-only"
  case fork = "forking the app"
  case lockInit = "locking the reaper"
  case rlimit = "setting a resource limit"
  case descriptors = "placing descriptors"
  case capabilities = "dropping capabilities"
  case noNewPrivileges = "forbidding new privileges"
  case landlock = "the Landlock rules"
  case workingDirectory = "entering the working directory"
  case filter = "loading the filter"
  case exec = "running the command"

  init(launcher step: UInt32) {
    self = Self.byNumber[step] ?? .lost
  }

  private static let byNumber: [UInt32: LaunchStep] = [
    BH_STEP_READ_PLAN.rawValue: .readPlan, BH_STEP_OPEN_CGROUP.rawValue: .openCgroup,
    BH_STEP_CLONE.rawValue: .clone, BH_STEP_ID_MAP.rawValue: .idMap,
    BH_STEP_JOIN_CGROUP.rawValue: .joinCgroup, BH_STEP_MAP_OWNER.rawValue: .mapOwner,
    BH_STEP_BIND_SOURCE.rawValue: .bindSource, BH_STEP_BIND_ATTRIBUTES.rawValue: .bindAttributes,
    BH_STEP_PARENT_DEATH.rawValue: .parentDeath, BH_STEP_CREDENTIALS.rawValue: .credentials,
    BH_STEP_CGROUP_NAMESPACE.rawValue: .cgroupNamespace,
    BH_STEP_SESSION_KEYRING.rawValue: .sessionKeyring, BH_STEP_HOSTNAME.rawValue: .hostname,
    BH_STEP_PRIVATE_MOUNTS.rawValue: .privateMounts, BH_STEP_ROOT.rawValue: .root,
    BH_STEP_TMPFS.rawValue: .tmpfs, BH_STEP_DIRECTORY.rawValue: .directory,
    BH_STEP_SYMLINK.rawValue: .symlink, BH_STEP_FILE.rawValue: .file,
    BH_STEP_BIND_TARGET.rawValue: .bindTarget, BH_STEP_BIND.rawValue: .bind,
    BH_STEP_PROC.rawValue: .proc, BH_STEP_USER_NAMESPACES.rawValue: .userNamespaces,
    BH_STEP_PIVOT_ROOT.rawValue: .pivotRoot, BH_STEP_READ_ONLY_ROOT.rawValue: .readOnlyRoot,
    BH_STEP_FORK.rawValue: .fork, BH_STEP_LOCK_INIT.rawValue: .lockInit,
    BH_STEP_RLIMIT.rawValue: .rlimit, BH_STEP_DESCRIPTORS.rawValue: .descriptors,
    BH_STEP_CAPABILITIES.rawValue: .capabilities,
    BH_STEP_NO_NEW_PRIVILEGES.rawValue: .noNewPrivileges,
    BH_STEP_LANDLOCK.rawValue: .landlock, BH_STEP_WORKING_DIRECTORY.rawValue: .workingDirectory,
    BH_STEP_FILTER.rawValue: .filter, BH_STEP_EXEC.rawValue: .exec,
  ]

  /// What usually helps, where something usually does.
  func advice(errno: Int32) -> String? {
    switch (self, errno) {
    case (.clone, EPERM), (.clone, EACCES):
      "user namespaces are not allowed here: run 'bulkhead doctor' for the setting to change"
    case (.clone, ENOSPC):
      "user.max_user_namespaces is reached: raise it with sysctl"
    case (.bindSource, EACCES):
      "the host's user cannot read it: check its owner and mode"
    case (.bindSource, ENOENT): "it does not exist on the host"
    case (.bindSource, ELOOP): "a symbolic link appeared in it: try again"
    case (.mapOwner, _):
      "its file system has no idmapped mounts: move it, or allow others to read it"
    case (.exec, ENOENT):
      "the command, or the interpreter its first line names, is not in the sandbox"
    case (.exec, EACCES): "the command is not executable for the app's user"
    case (.exec, ENOEXEC):
      "the command is neither a program for this machine nor a script with '#!'"
    case (.proc, EPERM):
      "a fresh /proc is refused here (inside a container?): run 'bulkhead doctor'"
    default: nil
    }
  }
}

/// "ENOENT: No such file or directory", or the number when it has no name here.
package func errnoName(_ number: Int32) -> String {
  guard let name = errnoSymbols[number] else { return "errno \(number)" }
  return "\(name): \(String(cString: strerror(number)))"
}

package let errnoSymbols: [Int32: String] = [
  EPERM: "EPERM", ENOENT: "ENOENT", ESRCH: "ESRCH", EINTR: "EINTR", EIO: "EIO", E2BIG: "E2BIG",
  ENOEXEC: "ENOEXEC", EBADF: "EBADF", ECHILD: "ECHILD", EAGAIN: "EAGAIN", ENOMEM: "ENOMEM",
  EACCES: "EACCES", EFAULT: "EFAULT", EBUSY: "EBUSY", EEXIST: "EEXIST", EXDEV: "EXDEV",
  ENODEV: "ENODEV", ENOTDIR: "ENOTDIR", EISDIR: "EISDIR", EINVAL: "EINVAL", ENFILE: "ENFILE",
  EMFILE: "EMFILE", ENOTTY: "ENOTTY", ETXTBSY: "ETXTBSY", EFBIG: "EFBIG", ENOSPC: "ENOSPC",
  EROFS: "EROFS", EPIPE: "EPIPE", ENOSYS: "ENOSYS", ENAMETOOLONG: "ENAMETOOLONG", ELOOP: "ELOOP",
  EOPNOTSUPP: "EOPNOTSUPP", EAFNOSUPPORT: "EAFNOSUPPORT", ENOPROTOOPT: "ENOPROTOOPT",
  EMSGSIZE: "EMSGSIZE", ECONNRESET: "ECONNRESET", EUSERS: "EUSERS", EDQUOT: "EDQUOT",
]
