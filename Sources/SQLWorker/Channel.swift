// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import Glibc
import Synchronization

/// One socket and the threads that serve it.
///
/// At any time one thread leads: it reads a request and carries it out itself, so that a point read crosses no thread.
/// When what it carries out turns out to be slow (past a millisecond, a commit, a wait) it hands the lead to another
/// thread and finishes as a follower. The next request is then read while the slow one runs.
final class Channel: @unchecked Sendable {
  enum Kind: String, Sendable {
    /// To the host.
    case control
    /// From the guest, as the host handed it over.
    case direct
    /// One more from the guest, made with `sql.open`.
    case opened
  }

  let kind: Kind
  private let descriptor: Int32
  private let threadsMax: Int
  private let limits = FrameLimits()

  // SAFETY: `decoder` and `input` belong to the leader; leadership passes under `leadership`'s lock.
  private var decoder: FrameDecoder
  private let input = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 16)

  // SAFETY: guarded by `leadership`.
  private let leadership = Monitor()
  private var threads = 0
  private var idle = 0
  private var isVacant = false
  private var isClosed = false

  // SAFETY: guarded by `output`.
  private let output = Monitor()
  private var outgoing: [UInt8] = []
  private var isBroken = false

  /// Outgoing streams by number.
  let streams = OutgoingStreams()
  let bytesRead = Atomic<Int>(0)
  let bytesWritten = Atomic<Int>(0)

  /// Answers gathered past this are sent even while more requests wait to be read.
  private static let gatherBytes = 1 << 16
  /// Threads that keep waiting for the lead; more end.
  private static let idleMax = 3

  init(kind: Kind, descriptor: Int32, threadsMax: Int) {
    self.kind = kind
    self.descriptor = descriptor
    self.threadsMax = threadsMax
    decoder = FrameDecoder(limits: limits)
    var patience = timeval(tv_sec: 30, tv_usec: 0)
    setsockopt(
      descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit {
    input.deallocate()
    // The others keep their numbers to the end of the process.
    if kind == .opened { Glibc.close(descriptor) }
  }

  /// Serves until the socket ends. The calling thread is the first leader.
  func serve(_ worker: Worker) {
    leadership.locked { threads += 1 }
    let thread = ServingThread(channel: self, worker: worker)
    thread.becomeLeader()
    lead(thread, worker)
  }

  private func lead(_ thread: ServingThread, _ worker: Worker) {
    worker.threads.insert(thread)
    defer { worker.threads.remove(thread) }
    repeat {
      repeat {
        guard let frame = read(worker) else { return close(worker) }
        thread.beginHandling()
        worker.handle(frame, on: thread)
      } while thread.endHandling()
    } while awaitLead(thread)
  }

  /// Blocks until this thread leads again; false if it is not needed any more.
  private func awaitLead(_ thread: ServingThread) -> Bool {
    leadership.lock()
    defer { leadership.unlock() }
    idle += 1
    defer { idle -= 1 }
    while !isVacant {
      if isClosed || idle > Self.idleMax {
        threads -= 1
        return false
      }
      leadership.wait()
    }
    guard !isClosed else {
      threads -= 1
      return false
    }
    isVacant = false
    thread.becomeLeader()
    return true
  }

  /// Gives the lead away if the thread has it. False if there is nobody to take it: the thread still leads.
  @discardableResult
  func handOver(_ thread: ServingThread, worker: Worker) -> Bool {
    guard thread.resignLead() else { return true }
    leadership.lock()
    isVacant = true
    if idle > 0 {
      leadership.signal()
    } else if !startFollower(worker) {
      isVacant = false
      thread.regainLead()
      leadership.unlock()
      return false
    }
    leadership.unlock()
    flush()
    return true
  }

  private func startFollower(_ worker: Worker) -> Bool {
    guard threads < threadsMax else { return false }
    threads += 1
    let started = startThread { [self] in
      let thread = ServingThread(channel: self, worker: worker)
      if awaitLead(thread) { lead(thread, worker) }
    }
    if !started { threads -= 1 }
    return started
  }
}

extension Channel {
  /// The next frame; nil when the socket has ended or broke the protocol.
  private func read(_ worker: Worker) -> Frame? {
    while true {
      do {
        if let frame = try decoder.next() { return frame }
      } catch {
        worker.report(violation: error, on: self)
        return nil
      }
      // All that was read is answered: now the answers go out, in one call.
      flush()
      let count = recv(descriptor, input.baseAddress, input.count, 0)
      if count > 0 {
        bytesRead.add(count, ordering: .relaxed)
        decoder.append(UnsafeRawBufferPointer(rebasing: input[0..<count]))
      } else if count == 0 || errno != EINTR {
        return nil
      }
    }
  }

  private func close(_ worker: Worker) {
    leadership.locked {
      isClosed = true
      threads -= 1
      leadership.broadcast()
    }
    output.locked { isBroken = true }
    shutdown(descriptor, Int32(SHUT_RDWR))
    streams.stopAll()
    worker.ended(self)
  }

  /// Ends the socket after a violation; the reader finds it ended.
  func abort() { shutdown(descriptor, Int32(SHUT_RDWR)) }

  /// Sends a frame; without `flush` it waits for the reader to run dry or for company.
  func send(_ frame: [UInt8], flush: Bool) {
    output.locked {
      outgoing += frame
      if flush || outgoing.count >= Self.gatherBytes { drain() }
    }
  }

  func flush() {
    output.locked { if !outgoing.isEmpty { drain() } }
  }

  /// Sends a frame with a descriptor beside it (SCM_RIGHTS, unix(7)). The caller closes its own.
  func send(_ frame: [UInt8], passing passed: Int32) {
    output.locked {
      if !outgoing.isEmpty { drain() }
      let count = DescriptorMessage.send(frame, passing: passed, over: descriptor)
      outgoing += frame.dropFirst(max(0, count))
      if !outgoing.isEmpty { drain() }
    }
  }

  /// The last words of a worker that is about to end: does not wait for a stuck thread or a reader that does not read.
  func sendLast(_ frames: [[UInt8]]) {
    guard output.lock(within: 50) else { return }
    for frame in frames { outgoing += frame }
    drain(flags: Int32(MSG_DONTWAIT))
    output.unlock()
  }

  /// With `output` held.
  private func drain(flags: Int32 = 0) {
    var sent = 0
    while sent < outgoing.count, !isBroken {
      let count = outgoing.withUnsafeBytes {
        Glibc.send(
          descriptor, $0.baseAddress! + sent, $0.count - sent,
          flags | Int32(MSG_NOSIGNAL))
      }
      if count > 0 {
        sent += count
      } else if count == 0 || errno != EINTR {
        // A reader that takes nothing for 30 s, or is gone: nothing more is said on this socket.
        isBroken = true
        shutdown(descriptor, Int32(SHUT_RDWR))
      }
    }
    bytesWritten.add(sent, ordering: .relaxed)
    if outgoing.capacity > 1 << 18 {
      outgoing = []
    } else {
      outgoing.removeAll(keepingCapacity: true)
    }
  }
}
