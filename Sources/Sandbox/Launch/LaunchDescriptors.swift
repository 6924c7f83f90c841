// SPDX-License-Identifier: Apache-2.0

/// Descriptors of the host that the sealed process gets, duplicated: the caller keeps its own and
/// closes them when it likes. stdin is always `/dev/null`; nothing else is passed.
public struct LaunchDescriptors: Sendable {
  public struct Passed: Sendable, Equatable {
    public var host: Int32
    /// 3–127.
    public var inside: Int32
    public init(host: Int32, inside: Int32) {
      self.host = host
      self.inside = inside
    }
  }

  /// `/dev/null` when nil.
  public var stdout: Int32?
  public var stderr: Int32?
  /// At most 24.
  public var extra: [Passed]

  public init(stdout: Int32? = nil, stderr: Int32? = nil, extra: [Passed] = []) {
    self.stdout = stdout
    self.stderr = stderr
    self.extra = extra
  }

  var all: [Passed] {
    var all = extra
    if let stdout { all.append(Passed(host: stdout, inside: 1)) }
    if let stderr { all.append(Passed(host: stderr, inside: 2)) }
    return all
  }

  func validate() throws(SandboxError) {
    let numbers = all.map(\.inside)
    guard Set(numbers).count == numbers.count, extra.allSatisfy({ (3...127).contains($0.inside) }),
      extra.count <= 24
    else {
      throw SandboxError(
        .policy, errno: 22, "descriptors inside are 3–127, each once, at most 24: \(numbers)")
    }
  }
}
