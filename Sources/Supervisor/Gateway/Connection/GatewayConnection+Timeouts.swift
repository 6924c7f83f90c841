// SPDX-License-Identifier: Apache-2.0
import Logging
import NIOCore

extension GatewayConnection {
  /// Once a tick: ends what has taken too long.
  func tick() {
    guard let context else { return }
    if !context.channel.isWritable, isWriteTooSlow {
      core.logger.debug("a client does not read its answer", metadata: ["ip": "\(direct.ip)"])
      return closeNow()
    }
    switch phase {
    case .head: tickHead()
    case .gathering: if isReadTooSlow { refuse(.bodyTimeout) }
    case .exchange: tickExchange()
    case .draining: if isReadTooSlow { closeNow() }
    case .lingering:
      if hasPassed(core.bounds.lingeringSeconds, since: phaseSince) { tickLingering() }
    case .files, .sendingFile, .closed: break
    }
  }

  private func tickHead() {
    if headSince > 0 {
      if hasPassed(core.bounds.headSeconds, since: headSince) { refuse(.headTimeout) }
    } else if hasPassed(core.bounds.idleSeconds, since: phaseSince), !isBacklogged {
      closeGracefully(lingers: false)
    }
  }

  private func tickExchange() {
    guard !decoder.isDone, takesBody, !bodyIsUnwanted else {
      // The app is the slow one, or nobody is.
      readRate = RateWindow()
      return
    }
    guard isReadTooSlow else { return }
    receiver?.exchange?.abortBody()
    if answerFraming == nil { refuse(.bodyTimeout) } else { closeNow() }
  }

  /// The answer may still be on its way to a client that reads slowly; that is the write rate's business.
  private func tickLingering() {
    if context.channel.isWritable { closeNow() }
  }

  private func hasPassed(_ seconds: Int, since: Int64) -> Bool {
    loop.now - since >= Int64(seconds) * 1000
  }

  private var isReadTooSlow: Bool {
    readRate.isTooSlow(
      now: loop.now, rateMin: core.bounds.transferRateMin,
      windowSeconds: core.bounds.rateWindowSeconds)
  }

  private var isWriteTooSlow: Bool {
    let waiting = (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    let sent = writtenBytes - waiting
    writeRate.add(sent - sentAtLastTick)
    sentAtLastTick = sent
    return writeRate.isTooSlow(
      now: loop.now, rateMin: core.bounds.transferRateMin,
      windowSeconds: core.bounds.rateWindowSeconds)
  }
}
