// SPDX-License-Identifier: Apache-2.0
import Dispatch
import GuestAPI
import Meter
import NIOCore

/// `usage.get`: what the app used since it was installed; `usage.cost`: what this month's use costs so far. The same
/// figures the operator sees.
struct UsageBroker: Broker {
  let app: String
  let book: MeterBook
  /// The book blocks on its files: this queue may.
  let queue: DispatchQueue

  func handle(_ request: ServiceRequest, reply: @escaping @Sendable (ServiceReply) -> Void) {
    let (app, book) = (app, book)
    let read: @Sendable () throws(MeterError) -> JSONValue
    switch request.method {
    case "usage.get": read = { () throws(MeterError) in try book.usage(app: app).json }
    case "usage.cost": read = { () throws(MeterError) in try book.cost(app: app).json }
    default:
      return reply(.failure(HostError(.method, "", "this host has no method \(request.method)")))
    }
    queue.async {
      do throws(MeterError) {
        reply(.result(try read(), body: ByteBuffer()))
      } catch {
        reply(.failure(HostError(.internal, "meter", "usage cannot be read now", log: "\(error)")))
      }
    }
  }
}

extension AppUsage {
  /// `{since, until, meters: [{meter, label, unit, quantity, source}…], held: [{meter, label, bytes}…]}`
  var json: JSONValue {
    [
      "since": .string(since.rfc3339), "until": .string(until.rfc3339),
      "cpuSeconds": .double(Double(cpuMicroseconds) / 1e6),
      "meters": .array(
        quantities.map { line in
          [
            "meter": .string(line.meter), "label": .string(line.label),
            "unit": .string(line.unit.rawValue), "quantity": .int(line.quantity),
            "source": .string(line.source.rawValue),
          ]
        }),
      "held": .array(
        held.map { level in
          [
            "meter": .string(level.meter), "label": .string(level.label),
            "bytes": .int(level.bytes),
          ]
        }),
    ]
  }
}

extension AppCost {
  /// `{since, until, lines: [{sku, title, priceVersion, currency, micros, quantity, unit, pricingUnit, per, meters:
  /// [{meter, quantity}…]}…], totals: [{currency, micros}…]}`
  var json: JSONValue {
    [
      "since": .string(since.rfc3339), "until": .string(until.rfc3339),
      "lines": .array(lines.map(\.json)),
      "totals": .array(
        totals.sorted { $0.key < $1.key }.map {
          ["currency": .string($0.key), "micros": .int($0.value)]
        }),
    ]
  }
}

extension AppCost.Line {
  fileprivate var json: JSONValue {
    [
      "sku": .string(sku), "title": .string(title), "priceVersion": .int(Int64(priceVersion)),
      "currency": .string(currency), "micros": .int(micros), "quantity": .int(quantity),
      "unit": .string(unit.rawValue), "pricingUnit": .string(pricingUnit.rawValue),
      "per": .int(per),
      "meters": .array(
        meters.map { ["meter": .string($0.meter), "quantity": .int($0.quantity)] }),
    ]
  }
}
