// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser
import Manifest

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// A point in time on the command line: RFC 3339, a day, or a span back from now such as `1h` or `7d`.
struct Moment: ExpressibleByArgument {
  private enum Form {
    case at(Date)
    case ago(TimeSpan)
  }
  private var form: Form

  init?(argument: String) {
    if let span = TimeSpan(argument) {
      form = .ago(span)
    } else if let date = Timestamp.date(argument) ?? Timestamp.date("\(argument)T00:00:00Z") {
      form = .at(date)
    } else {
      return nil
    }
  }

  func date(now: Date = Date()) -> Date {
    switch form {
    case .at(let date): date
    case .ago(let span): now.addingTimeInterval(-Double(span.milliseconds) / 1_000)
    }
  }
}

extension ByteSize: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}
