// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import Command
import Foundation
import GuestAPI
import Logging
import Testing

@Suite("What the command prints")
struct OutputTests {
  let plain = Style(isColoured: false)

  @Test("columns are aligned by what is seen, whatever the colours and the width of the letters")
  func table() {
    var table = Table([("NAME", .left), ("SIZE", .right), ("NOTE", .left)])
    table.add(["a", "1 B", .init("x", Style(isColoured: true).red)])
    table.add(["日本", "10 KiB", ""])
    #expect(
      table.text(style: plain) == """
        NAME    SIZE  NOTE
        a        1 B  \u{1b}[31mx\u{1b}[0m
        日本  10 KiB

        """)
  }

  @Test("no colour is written where none is wanted")
  func colours() {
    #expect(plain.red(plain.bold("x")) == "x")
    #expect(Style(isColoured: true).red("x") == "\u{1b}[31mx\u{1b}[0m")
  }

  @Test("sizes have three digits and binary units")
  func bytes() {
    #expect(Quantity.bytes(0) == "0 B")
    #expect(Quantity.bytes(1_023) == "1023 B")
    #expect(Quantity.bytes(1_536) == "1.50 KiB")
    #expect(Quantity.bytes(50_331_648) == "48.0 MiB")
    #expect(Quantity.bytes(268_435_456) == "256 MiB")
    #expect(Quantity.bytes(UInt64.max) == "16384 PiB")
  }

  @Test("times show their two largest units")
  func seconds() {
    #expect(Quantity.seconds(0.0049) == "0.00s")
    #expect(Quantity.seconds(7.256) == "7.26s")
    #expect(Quantity.seconds(59.94) == "59.9s")
    #expect(Quantity.seconds(61) == "1m 1s")
    #expect(Quantity.seconds(3_600) == "1h 0m")
    #expect(Quantity.seconds(273_600) == "3d 4h")
    #expect(Quantity.seconds(-1) == "-")
    #expect(Quantity.seconds(.infinity) == "-")
  }

  @Test("numbers are rounded half away from zero, and minus nothing is nothing")
  func fixed() {
    #expect(Quantity.fixed(0.125, 2) == "0.13")
    #expect(Quantity.fixed(-0.001, 2) == "0.00")
    #expect(Quantity.fixed(1.05, 0) == "1")
    #expect(Quantity.fixed(2.999, 2) == "3.00")
    #expect(Quantity.cores(0.5) == "0.5")
    #expect(Quantity.cores(2) == "2")
    #expect(Quantity.percent(0.1234) == "12.3%")
  }

  @Test("escape sequences of an app do not reach the terminal")
  func harmless() {
    #expect(
      Printer.harmless("a\u{1b}]0;title\u{7}\tb\u{9b}31m")
        == "a\u{fffd}]0;title\u{fffd}\tb\u{fffd}31m")
  }

  @Test("CSV quotes what RFC 4180 wants quoted, and tells NULL from an empty text")
  func csv() {
    let rows: [[JSONValue]] = [
      [1, "a,b"], [.null, ""], [.double(.greatestFiniteMagnitude), "say \"hi\"\n"],
    ]
    #expect(
      SQLText.csv(columns: ["id", "text"]) + rows.map { SQLText.csv(row: $0) }.joined()
        == "id,text\r\n1,\"a,b\"\r\n,\"\"\r\n1.7976931348623157e+308,\"say \"\"hi\"\"\n\"\r\n")
  }

  @Test("rows as JSON keep every 64-bit integer")
  func rows() throws {
    let line = SQLLine.row([9_223_372_036_854_775_807, -9_223_372_036_854_775_808])
    guard case .row(let row) = try SQLLine(line: try line.encoded()) else {
      Issue.record("a row is read as something else")
      return
    }
    #expect(
      SQLText.object(["n", "m"], row).text
        == #"{"n":9223372036854775807,"m":-9223372036854775808}"#)
  }

  @Test("an error says what failed, why, each mistake and what to do next")
  func failure() {
    let failure = CommandFailure(
      .data, "bulkhead.toml is refused", why: "1 mistake", next: "correct it",
      details: ["app.id: is missing"])
    #expect(
      failure.text(style: plain) == """
        error: bulkhead.toml is refused: 1 mistake
          app.id: is missing
        next: correct it

        """)
  }

  @Test("a log line is one line, whatever is logged")
  func logLine() {
    let line = HostLogHandler.line(
      at: Date(timeIntervalSince1970: 0), level: .info, message: "a\nb",
      metadata: ["why": "two \"words\"", "app": "x"])
    #expect(line == "1970-01-01T00:00:00.000Z info a\u{fffd}b app=x why=\"two \\\"words\\\"\"\n")
  }
}
