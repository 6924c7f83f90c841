// SPDX-License-Identifier: Apache-2.0

/// A transfer and what became of it.
struct StoredTransfer: Sendable, Equatable {
  var transfer: LedgerTransfer
  var state: PendingState

  /// What it moved. A stored amount is always under 2^63.
  var amount: Int64 { Int64(truncatingIfNeeded: transfer.amount) }

  /// Nanoseconds since 1970; nil for never.
  var expires: UInt64? {
    transfer.timeout == 0
      ? nil : transfer.timestamp + UInt64(transfer.timeout) * 1_000_000_000
  }
}

/// The rules of the ledger over one batch, as a pure value: it is given every account and transfer
/// the batch names, decides each event, and remembers what changed. Storing is somebody else's.
///
/// The order of the checks is the contract (engines.md §4, held to by the recorded vectors).
struct LedgerMachine: Sendable {
  var accounts: [UInt128: LedgerAccount]
  var transfers: [UInt128: StoredTransfer]
  var burnt: Set<UInt128>

  /// What is to be stored, in order.
  private(set) var newAccounts: [UInt128] = []
  private(set) var newTransfers: [UInt128] = []
  private(set) var newlyBurnt: [UInt128] = []
  private(set) var touchedAccounts: Set<UInt128> = []
  private(set) var settledTransfers: Set<UInt128> = []
  private(set) var history: [(account: UInt128, balance: LedgerBalance)] = []

  init(
    accounts: [UInt128: LedgerAccount] = [:], transfers: [UInt128: StoredTransfer] = [:],
    burnt: Set<UInt128> = []
  ) {
    self.accounts = accounts
    self.transfers = transfers
    self.burnt = burnt
  }

  // MARK: - Chains

  private enum Undo: Sendable {
    case account(UInt128, LedgerAccount?)
    case transfer(UInt128, StoredTransfer?)
  }
  private struct Scope: Sendable {
    var undo: [Undo] = []
    var newAccounts: Int
    var newTransfers: Int
    var history: Int
  }
  private var scope: Scope?

  private mutating func openScope() {
    scope = Scope(
      newAccounts: newAccounts.count, newTransfers: newTransfers.count, history: history.count)
  }

  /// Takes back everything since `openScope`, newest first.
  private mutating func discardScope() {
    guard let scope else { return }
    self.scope = nil
    for undo in scope.undo.reversed() {
      switch undo {
      case .account(let id, let old): accounts[id] = old
      case .transfer(let id, let old): transfers[id] = old
      }
    }
    newAccounts.removeSubrange(scope.newAccounts...)
    newTransfers.removeSubrange(scope.newTransfers...)
    history.removeSubrange(scope.history...)
  }

  private mutating func set(_ account: LedgerAccount) {
    scope?.undo.append(.account(account.id, accounts[account.id]))
    accounts[account.id] = account
    touchedAccounts.insert(account.id)
  }

  private mutating func set(_ stored: StoredTransfer) {
    scope?.undo.append(.transfer(stored.transfer.id, transfers[stored.transfer.id]))
    transfers[stored.transfer.id] = stored
  }

  // MARK: - Batches

  /// Decides a batch. Event `i` has the timestamp `first + i`.
  mutating func create(accounts events: [LedgerAccount], first: UInt64) -> [AccountStatus] {
    run(
      events, linked: { $0.flags.contains(.linked) }, chainOpen: .linkedEventChainOpen,
      chainFailed: .linkedEventFailed, created: .created
    ) { machine, event, index in machine.create(event, at: first + UInt64(index)) }
  }

  mutating func create(transfers events: [LedgerTransfer], first: UInt64) -> [TransferStatus] {
    run(
      events, linked: { $0.flags.contains(.linked) }, chainOpen: .linkedEventChainOpen,
      chainFailed: .linkedEventFailed, created: .created
    ) { machine, event, index in
      let status = machine.create(event, at: first + UInt64(index))
      // What is burnt stays so when the chain around it is taken back.
      if status.burnsID { machine.burn(event.id) }
      return status
    }
  }

  private mutating func run<Event, Status: Equatable>(
    _ events: [Event], linked: (Event) -> Bool, chainOpen: Status, chainFailed: Status,
    created: Status, decide: (inout LedgerMachine, Event, Int) -> Status
  ) -> [Status] {
    var statuses: [Status] = []
    statuses.reserveCapacity(events.count)
    var chainStart: Int?
    var broken = false
    for (index, event) in events.enumerated() {
      let isLinked = linked(event)
      if isLinked, chainStart == nil {
        chainStart = index
        openScope()
      }
      let endsOpen = isLinked && index == events.count - 1
      let status =
        endsOpen ? chainOpen : broken ? chainFailed : decide(&self, event, index)
      statuses.append(status)
      if status != created, let start = chainStart, !broken {
        broken = true
        discardScope()
        for earlier in start..<index { statuses[earlier] = chainFailed }
      }
      if chainStart != nil, !isLinked || endsOpen {
        scope = nil
        chainStart = nil
        broken = false
      }
    }
    return statuses
  }

  private mutating func burn(_ id: UInt128) {
    if burnt.insert(id).inserted { newlyBurnt.append(id) }
  }

  // MARK: - What the rules change

  mutating func insert(_ account: LedgerAccount) {
    set(account)
    newAccounts.append(account.id)
  }

  /// Stores a transfer and the accounts it moved, and the balances of those that keep history.
  mutating func insert(
    _ transfer: LedgerTransfer, state: PendingState, debit: LedgerAccount, credit: LedgerAccount
  ) {
    set(StoredTransfer(transfer: transfer, state: state))
    newTransfers.append(transfer.id)
    for account in [debit, credit] {
      set(account)
      if account.flags.contains(.history) {
        history.append((account.id, LedgerBalance(account, at: transfer.timestamp)))
      }
    }
  }

  mutating func settle(_ stored: StoredTransfer, as state: PendingState) {
    var settled = stored
    settled.state = state
    set(settled)
    settledTransfers.insert(stored.transfer.id)
  }

  /// Releases pending transfers whose time has passed. Writes no transfer and no history.
  mutating func expire(_ ids: [UInt128]) {
    for id in ids {
      guard let stored = transfers[id], stored.state == .pending,
        var debit = accounts[stored.transfer.debitAccountID],
        var credit = accounts[stored.transfer.creditAccountID]
      else { continue }
      debit.debitsPending -= stored.amount
      credit.creditsPending -= stored.amount
      if stored.transfer.flags.contains(.closingDebit) { debit.flags.remove(.closed) }
      if stored.transfer.flags.contains(.closingCredit) { credit.flags.remove(.closed) }
      settle(stored, as: .expired)
      set(debit)
      set(credit)
    }
  }
}
