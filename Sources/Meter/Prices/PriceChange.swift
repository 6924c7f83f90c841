// SPDX-License-Identifier: Apache-2.0

/// Whether a new book may take the place of the one in force. Pure.
///
/// A version that has begun is never changed or removed; only its end may be set, to a time still to
/// come. A new version starts in the future, except where nothing is priced yet.
enum PriceChange {
  static func problems(from old: PriceBook, to new: PriceBook, now: WallTime) -> [PriceProblem] {
    var problems: [PriceProblem] = []
    for version in old.versions where version.from <= now {
      let path = "version \(version.number)"
      guard var same = new.version(number: version.number) else {
        problems.append(
          PriceProblem(
            kind: .alteredPast, path: path,
            message: "began on \(version.from.date.text) and charges cite it; keep it in the book"))
        continue
      }
      let endsInPast = same.until != version.until && min(same.until, version.until) <= now
      same.until = version.until
      if same != version || endsInPast {
        problems.append(
          PriceProblem(
            kind: .alteredPast, path: path,
            message: "began on \(version.from.date.text) and cannot be changed; "
              + "add a version that starts later"))
      }
    }
    let begun = Set(old.versions.filter { $0.from <= now }.map(\.number))
    let isFirst = old.version(at: now) == nil
    for version in new.versions where !begun.contains(version.number) {
      guard version.from <= now, !isFirst else { continue }
      problems.append(
        PriceProblem(
          kind: .tooLate, path: "version \(version.number)",
          message: "starts on \(version.from.date.text), which has passed; "
            + "start it on \(now.ceiled(toSeconds: 86_400).date.text) or later"))
    }
    return problems
  }
}
