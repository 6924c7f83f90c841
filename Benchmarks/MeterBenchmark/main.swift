// SPDX-License-Identifier: Apache-2.0
// Build with -c release. Prints medians of interleaved rounds; both sides run in this process, on
// this disk.
// Arguments: `ledger` or `meter` for one half.
let halves = CommandLine.arguments.dropFirst()
if halves.isEmpty || halves.contains("ledger") { try LedgerBenchmark().run() }
if halves.isEmpty || halves.contains("meter") { try BookBenchmark().run() }
