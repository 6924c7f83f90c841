// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import GuestAPI
import Hummingbird
import Manifest
import Meter

extension Problem {
  /// What an operator is told of an error; nil for one that is nobody's but ours.
  static func telling(_ error: any Error) -> Problem? {
    switch error {
    case let problem as Problem: problem
    case let error as HostError: Problem(error)
    case let error as ManifestError: Problem(error)
    case let error as MeterError: Problem(error)
    case let error as HTTPError: Problem(error)
    default: nil
    }
  }

  /// The answer to an error that has no words for an operator: the host's log has them.
  static let `internal` = Problem(
    status: 500, code: HostError.Area.internal.rawValue, title: "internal error",
    detail: "The host could not do this because of an error of its own.",
    hint: "look at the host's log")

  init(_ error: HostError) {
    // An app that does not start is the app's fault, and the next try is likely to end the same way.
    let isStart = error.area == .upstream && error.reason == "start_failed"
    self.init(
      status: error.area.httpStatus, code: error.code,
      title: isStart ? "the app did not start" : error.area.title, detail: error.message,
      retryable: error.area.isRetryable && !isStart)
  }

  init(_ error: ManifestError) {
    let count = error.issues.count
    self.init(
      status: 422, code: "manifest.invalid", title: "the manifest is refused",
      detail: count == 1 ? "It has a mistake." : "It has \(count) mistakes.",
      hint: "correct bulkhead.toml; bulkhead check DIR shows the same list",
      issues: error.issues.map {
        Issue(path: $0.path, reason: $0.reason, suggestion: $0.suggestion)
      })
  }

  init(_ error: MeterError) {
    switch error {
    case .prices(let problems):
      self.init(
        status: 422, code: "prices.invalid", title: "the price book is refused",
        detail: "Nothing was changed.", hint: "docs/METER.md describes a price book",
        issues: problems.problems.map { Issue(path: $0.path, reason: $0.message) })
    case .invalid, .unknownMeter, .meterConflict, .tooMany:
      self.init(
        status: 400, code: "params.meter", title: "bad parameters", detail: error.description)
    default:
      self.init(
        status: 500, code: "internal.meter", title: "the meter failed", detail: error.description,
        retryable: true)
    }
  }

  init(_ error: HTTPError) {
    let code: HostError.Area =
      switch error.status.code {
      case 404, 405: .method
      case 413: .params
      default: .request
      }
    self.init(
      status: error.status.code, code: code.rawValue, title: error.status.reasonPhrase,
      detail: error.body ?? "This host has no such path or method.",
      hint: error.status.code == 404 ? "the command and the host may be of different versions" : nil
    )
  }
}

extension HostError.Area {
  /// What failed, in words that are the same each time.
  fileprivate var title: String {
    switch self {
    case .parse: "not JSON"
    case .request: "not a request"
    case .method: "no such method"
    case .params: "bad parameters"
    case .internal: "internal error"
    case .permission: "not permitted"
    case .notFound: "not found"
    case .conflict: "in conflict with what is there"
    case .quota: "over a quota"
    case .overloaded: "overloaded"
    case .deadline: "took too long"
    case .upstream: "something the host needs has failed"
    case .unsupported: "not supported"
    case .sql: "the statement failed"
    case .cancelled: "cancelled"
    }
  }
}
