// SPDX-License-Identifier: Apache-2.0
import Dispatch
import GuestAPI
import Meter
import NIOCore

/// `usage.get`: what the app used since it was installed, the same figures the operator sees.
struct UsageBroker: Broker {
  let app: String
  let book: MeterBook
  /// The book blocks on its files: this queue may.
  let queue: DispatchQueue

  func handle(_ request: ServiceRequest, reply: @escaping @Sendable (ServiceReply) -> Void) {
    guard request.method == "usage.get" else {
      return reply(.failure(HostError(.method, "", "this host has no method \(request.method)")))
    }
    let (app, book) = (app, book)
    queue.async {
      do throws(MeterError) {
        let usage = try book.usage(app: app)
        reply(.result(usage.json, body: ByteBuffer()))
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
