// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import Command
import Testing

@Suite("What an operator is asked")
struct ConsentTests {
  static let limits = LimitSummary(
    cpuCores: 1, memoryBytes: 268_435_456, processes: 32, storageBytes: 1_073_741_824)

  @Test("an upgrade shows what it replaces, marks what is new, and warns of what is sensitive")
  func upgrade() {
    let review = InstallReview(
      id: "org.example.journal", name: "Journal\u{1b}[2J", version: "1.5.0", build: 15,
      origin: "journal", installedBuild: 14, installedVersion: "1.4.0",
      grants: [
        GrantSummary(key: "o", sentence: "send requests", sensitive: true, new: true),
        GrantSummary(key: "d", sentence: "keep data", sensitive: false, new: false),
      ], limits: Self.limits, warnings: ["the secret \"x\" is not set"])
    #expect(
      Consent.text(review, style: Style(isColoured: false)) == """
        Journal\u{fffd}[2J 1.5.0 (build 15)  org.example.journal
          replaces 1.4.0 (build 14)

        It asks to:
          ! send requests  (new)
            keep data
          ! lets data leave this host, or strangers in

        It may use at most:
          1 core, 256 MiB memory, 32 processes, 1.00 GiB storage
        warning: the secret "x" is not set
        """)
  }

  @Test("an app that asks for nothing is said to ask for nothing")
  func nothing() {
    let review = InstallReview(
      id: "org.example.a", name: "A", version: "1", build: 1, origin: "a", grants: [],
      limits: Self.limits)
    #expect(
      Consent.text(review, style: Style(isColoured: false))
        .contains("It asks for nothing beyond answering requests."))
  }
}
