// SPDX-License-Identifier: Apache-2.0
import CHostShims
import Glibc
import GuestAPI
import SQLEngine
import Testing

/// A real SQL worker with both its sockets, driven as the host and a guest would.
final class WorkerProcess {
  let directory: TemporaryDirectory
  let control: WorkerSocket
  let direct: WorkerSocket
  private let process: ChildProcess

  /// Starts a worker on `directory` (or one of its own) whose plan has these members beside the directory.
  init(
    in directory: TemporaryDirectory? = nil, databases: [String] = ["main"],
    plan members: [String: JSONValue] = [:]
  ) throws {
    self.directory = try directory ?? TemporaryDirectory()
    var plan = JSONObject([
      ("directory", .string(self.directory.path)),
      ("databases", .array(databases.map { ["name": .string($0)] })),
    ])
    for (key, value) in members { plan[key] = value }
    let (controlHere, controlThere) = try Self.pair()
    let (directHere, directThere) = try Self.pair()
    process = ChildProcess(
      try Self.spawn(JSONValue.object(plan).text, [(controlThere, 3), (directThere, 4)]),
      sockets: [controlHere, directHere])
    close(controlThere)
    close(directThere)
    control = WorkerSocket(controlHere, of: process)
    direct = WorkerSocket(directHere, of: process)
  }

  /// Ends the worker at once, as a crash or the host would.
  var pid: pid_t { process.pid }
  func kill9() { process.kill9() }
  /// Waits for the end; gives the exit status, or minus the signal.
  @discardableResult
  func wait() -> Int32 { process.wait() }

  struct SystemError: Error { var call: String, code: Int32 }

  private static func pair() throws -> (Int32, Int32) {
    var ends: [Int32] = [0, 0]
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, type, 0, &ends) == 0 else {
      throw SystemError(call: "socketpair", code: errno)
    }
    // Out of the way of the numbers the child gets.
    let high = ends.map { fcntl($0, F_DUPFD_CLOEXEC, 64) }
    ends.forEach { close($0) }
    return (high[0], high[1])
  }

  /// The executable is built beside the tests.
  static var executable: String {
    var path = [CChar](repeating: 0, count: 4_096)
    let count = readlink("/proc/self/exe", &path, path.count - 1)
    let own = String(decoding: path[0..<max(0, count)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return own.split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" } + "/SQLWorker"
  }

  private static func spawn(_ plan: String, _ descriptors: [(from: Int32, to: Int32)]) throws
    -> pid_t
  {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (from, to) in descriptors { posix_spawn_file_actions_adddup2(&actions, from, to) }
    // Other tests' sockets are open too: one inherited here would look open to its other end for as long as this lives.
    bh_close_from(&actions, 1 + (descriptors.map(\.to).max() ?? 2))
    var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("SQLWorker"), nil]
    var environment: [UnsafeMutablePointer<CChar>?] = [strdup("BULKHEAD_SQL_PLAN=\(plan)"), nil]
    defer { (arguments + environment).forEach { free($0) } }
    var pid: pid_t = 0
    let code = posix_spawn(&pid, executable, &actions, nil, &arguments, &environment)
    guard code == 0 else { throw SystemError(call: "posix_spawn \(executable)", code: code) }
    return pid
  }
}

/// The process and this side of its sockets, ended with the last who holds one of them: a worker whose control socket
/// is closed ends, so a test that keeps only the direct one keeps both.
final class ChildProcess {
  let pid: pid_t
  private var isReaped = false

  private let sockets: [Int32]

  init(_ pid: pid_t, sockets: [Int32]) {
    self.pid = pid
    self.sockets = sockets
  }

  deinit {
    kill9()
    sockets.forEach { close($0) }
  }

  func kill9() {
    guard !isReaped else { return }
    kill(pid, SIGKILL)
    wait()
  }

  @discardableResult
  func wait() -> Int32 {
    guard !isReaped else { return 0 }
    isReaped = true
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0, errno == EINTR {}
    return status & 0x7f == 0 ? (status >> 8) & 0xff : -(status & 0x7f)
  }
}

/// One socket to a worker, read and written by one test at a time.
final class WorkerSocket {
  private let descriptor: Int32
  private var decoder = FrameDecoder()
  private var nextID: Int64 = 1
  /// Frames that came while another was waited for.
  private(set) var others: [Frame] = []

  let process: ChildProcess

  init(_ descriptor: Int32, of process: ChildProcess) {
    self.descriptor = descriptor
    self.process = process
    // A worker that says nothing must fail the test, not hang it.
    var patience = timeval(tv_sec: 60, tv_usec: 0)
    setsockopt(
      descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
  }

  func close() { shutdown(descriptor, Int32(SHUT_RDWR)) }

  struct Ended: Error {}

  func write(_ bytes: [UInt8]) throws {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(
          descriptor, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { throw Ended() }
      sent += count
    }
  }

  /// Sends a request and does not wait.
  @discardableResult
  func send(
    _ method: String, _ params: JSONValue, body: [UInt8] = [], deadlineMs: Int64? = nil
  ) throws -> Int64 {
    let id = nextID
    nextID += 1
    let request = Message.Request(
      id: .number(id), method: method, params: params, meta: .init(deadlineMs: deadlineMs))
    try write(Frame.encode(json: Message.request(request).encoded, body: body))
    return id
  }

  func notify(_ signal: StreamSignal) throws { try write(Frame.encode(json: signal.encoded)) }

  func notify(_ method: String, _ params: JSONValue) throws {
    try write(Frame.encode(json: Message.notification(method: method, params: params).encoded))
  }

  /// The next frame, whatever it is.
  func frame() throws -> Frame {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      if let frame = try decoder.next() { return frame }
      let count = recv(descriptor, &buffer, buffer.count, 0)
      guard count > 0 else { throw Ended() }
      buffer.withUnsafeBytes { decoder.append(UnsafeRawBufferPointer(rebasing: $0[0..<count])) }
    }
  }

  /// Reads once, taking a descriptor that comes beside the bytes (SCM_RIGHTS).
  func receiveDescriptor() throws -> Int32? {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    // A `cmsghdr` of 16 bytes and one descriptor, padded.
    var control = [Int32](repeating: 0, count: 6)
    let count = buffer.withUnsafeMutableBytes { bytes in
      control.withUnsafeMutableBytes { control in
        var vector = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
        return withUnsafeMutablePointer(to: &vector) { vector in
          var message = msghdr()
          message.msg_iov = vector
          message.msg_iovlen = 1
          message.msg_control = control.baseAddress
          message.msg_controllen = control.count
          return recvmsg(descriptor, &message, 0)
        }
      }
    }
    guard count > 0 else { throw Ended() }
    buffer.withUnsafeBytes { decoder.append(UnsafeRawBufferPointer(rebasing: $0[0..<count])) }
    return control[0] == 20 && control[3] == Int32(SCM_RIGHTS) ? control[4] : nil
  }

  struct Answer {
    var outcome: Message.Outcome
    var body: [UInt8]
    var stream: Int64?

    var result: JSONValue {
      get throws {
        switch outcome {
        case .result(let value): return value
        case .error(let error): throw error
        }
      }
    }
    /// The stable word of an error; nil for a result.
    var word: String? { if case .error(let error) = outcome { error.word } else { nil } }
    var error: RPCError? { if case .error(let error) = outcome { error } else { nil } }
  }

  /// The answer to a request; other frames are kept in `others`.
  func answer(to id: Int64) throws -> Answer {
    while true {
      let frame = try frame()
      if case .response(let response) = try Message(frame.json), response.id == .number(id) {
        return Answer(outcome: response.outcome, body: frame.body, stream: response.stream)
      }
      others.append(frame)
    }
  }

  func call(
    _ method: String, _ params: JSONValue, body: [UInt8] = [], deadlineMs: Int64? = nil
  ) throws -> Answer {
    try answer(to: send(method, params, body: body, deadlineMs: deadlineMs))
  }

  /// The params of the next notification of this name.
  func notification(_ method: String) throws -> JSONValue {
    while true {
      let frame = try frame()
      if frame.json["method"]?.string == method { return frame.json["params"] ?? .null }
      others.append(frame)
    }
  }
}

extension WorkerSocket {
  /// `sql.query` on `main`.
  func query(
    _ sql: String, _ params: JSONValue = [], in transaction: Int64? = nil, stream: Bool = false,
    safeIntegers: Bool = false, body: [UInt8] = [], deadlineMs: Int64? = nil
  ) throws -> Answer {
    try call(
      "sql.query", Self.params(sql, params, transaction, stream, safeIntegers), body: body,
      deadlineMs: deadlineMs)
  }

  static func params(
    _ sql: String, _ params: JSONValue = [], _ transaction: Int64? = nil, _ stream: Bool = false,
    _ safeIntegers: Bool = false
  ) -> JSONValue {
    var object = JSONObject([
      ("database", "main"), ("sql", .string(sql)), ("params", params),
    ])
    if let transaction { object["transaction"] = .int(transaction) }
    if stream { object["stream"] = true }
    if safeIntegers { object["safeIntegers"] = true }
    return .object(object)
  }

  /// `sql.execute` on `main`, which must succeed; gives the changes.
  @discardableResult
  func execute(
    _ sql: String, _ params: JSONValue = [], in transaction: Int64? = nil, body: [UInt8] = []
  ) throws -> Int64 {
    let answer = try call("sql.execute", Self.params(sql, params, transaction), body: body)
    return try answer.result["changes"]?.int ?? -1
  }

  /// The rows of a query on `main`, which must succeed.
  func rows(_ sql: String, _ params: JSONValue = [], in transaction: Int64? = nil) throws
    -> JSONValue
  {
    try query(sql, params, in: transaction).result["rows"] ?? .null
  }

  func begin(_ mode: String = "write", deadlineMs: Int64? = nil) throws -> Int64 {
    var params = JSONObject([("database", "main"), ("mode", .string(mode))])
    if let deadlineMs { params["deadlineMs"] = .int(deadlineMs) }
    return try #require(try call("sql.begin", .object(params)).result["transaction"]?.int)
  }
}
