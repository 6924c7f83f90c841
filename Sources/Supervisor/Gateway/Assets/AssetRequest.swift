// SPDX-License-Identifier: Apache-2.0

/// What a request's conditions and ranges make of an asset (RFC 9110 §13.2.2, §14.2). Pure.
package enum AssetDecision: Equatable {
  case whole
  case part(Range<Int>)
  case notModified
  case preconditionFailed
  case rangeNotSatisfiable

  package static func decide(
    _ asset: Asset, _ head: RequestHead, _ bytes: UnsafeRawBufferPointer
  ) -> AssetDecision {
    if let precondition = precondition(asset, head, bytes) { return precondition }
    guard head.method == .get, let range = head.value(.range), head.count(.range) == 1 else {
      return .whole
    }
    if let condition = head.value(.ifRange), !holds(condition.bytes(in: bytes), asset) {
      return .whole
    }
    return ByteRanges.decide(range.bytes(in: bytes), size: asset.size)
  }

  private static func precondition(
    _ asset: Asset, _ head: RequestHead, _ bytes: UnsafeRawBufferPointer
  ) -> AssetDecision? {
    if let tags = head.value(.ifMatch) {
      if !EntityTags.contain(asset.etag, tags.bytes(in: bytes), weakly: false) {
        return .preconditionFailed
      }
    } else if let date = head.value(.ifUnmodifiedSince).flatMap({ seconds($0, bytes) }) {
      if asset.identity.modifiedSeconds > date { return .preconditionFailed }
    }
    if head.value(.ifNoneMatch) != nil {
      let matches = head.fields.contains {
        $0.kind == .ifNoneMatch
          && EntityTags.contain(asset.etag, $0.value.bytes(in: bytes), weakly: true)
      }
      return matches ? .notModified : nil
    }
    if let date = head.value(.ifModifiedSince).flatMap({ seconds($0, bytes) }) {
      return asset.identity.modifiedSeconds <= date ? .notModified : nil
    }
    return nil
  }

  private static func seconds(_ span: ByteSpan, _ bytes: UnsafeRawBufferPointer) -> Int? {
    HTTPDate.seconds(span.string(in: bytes))
  }

  /// If-Range: the same tag, compared strongly, or the very same date.
  private static func holds(_ condition: UnsafeRawBufferPointer, _ asset: Asset) -> Bool {
    let text = String(fieldBytes: condition)
    return text == asset.etag || text == asset.lastModified
  }
}

package enum EntityTags {
  /// Whether a list such as `"a", W/"b"` or `*` has the tag.
  package static func contain(_ tag: String, _ list: UnsafeRawBufferPointer, weakly: Bool) -> Bool {
    var rest = ASCII.trimmed(list)
    if ASCII.equals(rest, "*") { return true }
    while !rest.isEmpty {
      let isWeak = ASCII.begins(rest, "W/")
      let quoted = isWeak ? UnsafeRawBufferPointer(rebasing: rest[2...]) : rest
      guard quoted.first == UInt8(ascii: "\""),
        let end = quoted.dropFirst().firstIndex(of: UInt8(ascii: "\""))
      else { return false }
      let one = UnsafeRawBufferPointer(rebasing: quoted[...end])
      if weakly || !isWeak, one.elementsEqual(tag.utf8) { return true }
      rest = ASCII.trimmed(UnsafeRawBufferPointer(rebasing: quoted[(end + 1)...]))
      guard rest.isEmpty || rest[0] == ASCII.comma else { return false }
      rest =
        rest.isEmpty
        ? rest : ASCII.trimmed(UnsafeRawBufferPointer(rebasing: rest[1...]))
    }
    return false
  }
}

package enum ByteRanges {
  /// One satisfiable range is sent as a part. Several are not put together: the whole is sent, as RFC 9110 §14.2 allows.
  /// None that can be satisfied is an error; a header that is not a range is ignored.
  package static func decide(_ value: UnsafeRawBufferPointer, size: Int) -> AssetDecision {
    guard value.count > 6,
      ASCII.equalsIgnoringCase(UnsafeRawBufferPointer(rebasing: value[..<6]), "bytes=")
    else { return .whole }
    var ranges: [Range<Int>?] = []
    var isValid = true
    ASCII.forEachElement(UnsafeRawBufferPointer(rebasing: value[6...])) { element in
      guard let range = range(element, size: size) else {
        isValid = false
        return
      }
      ranges.append(range)
    }
    guard isValid, !ranges.isEmpty else { return .whole }
    let satisfiable = ranges.compactMap { $0 }
    if satisfiable.isEmpty { return .rangeNotSatisfiable }
    return ranges.count == 1 ? .part(satisfiable[0]) : .whole
  }

  /// `a-b`, `a-` or `-n`. The outer nil: not a range. The inner: one that this file does not have.
  private static func range(_ text: UnsafeRawBufferPointer, size: Int) -> Range<Int>?? {
    guard let dash = text.firstIndex(of: UInt8(ascii: "-")) else { return .none }
    let first = UnsafeRawBufferPointer(rebasing: text[..<dash])
    let last = UnsafeRawBufferPointer(rebasing: text[(dash + 1)...])
    if first.isEmpty {
      guard let count = ASCII.decimal(last) else { return .none }
      return count == 0 || size == 0 ? .some(nil) : .some(max(0, size - count)..<size)
    }
    guard let start = ASCII.decimal(first) else { return .none }
    if last.isEmpty { return start < size ? .some(start..<size) : .some(nil) }
    guard let end = ASCII.decimal(last), end >= start else { return .none }
    return start < size ? .some(start..<min(end + 1, size)) : .some(nil)
  }
}

/// Which encodings a client takes (RFC 9110 §12.5.3).
package struct AcceptedEncodings: Equatable {
  package var brotli = false
  package var gzip = false

  package init(_ value: UnsafeRawBufferPointer) {
    var (brotli, gzip, any): (Bool?, Bool?, Bool?) = (nil, nil, nil)
    ASCII.forEachElement(value) { element in
      let end = element.firstIndex(of: UInt8(ascii: ";")) ?? element.count
      let name = ASCII.trimmed(UnsafeRawBufferPointer(rebasing: element[..<end]))
      let isWanted = !Self.isZero(UnsafeRawBufferPointer(rebasing: element[end...]))
      if ASCII.equalsIgnoringCase(name, "br") {
        brotli = isWanted
      } else if ASCII.equalsIgnoringCase(name, "gzip") || ASCII.equalsIgnoringCase(name, "x-gzip") {
        gzip = isWanted
      } else if ASCII.equals(name, "*") {
        any = isWanted
      }
    }
    self.brotli = brotli ?? any ?? false
    self.gzip = gzip ?? any ?? false
  }

  package func takes(_ encoding: Asset.Encoding) -> Bool {
    switch encoding {
    case .brotli: brotli
    case .gzip: gzip
    }
  }

  /// Whether parameters are `;q=0`, with any number of zeros after a point.
  private static func isZero(_ parameters: UnsafeRawBufferPointer) -> Bool {
    guard let equals = parameters.firstIndex(of: UInt8(ascii: "=")) else { return false }
    let number = ASCII.trimmed(UnsafeRawBufferPointer(rebasing: parameters[(equals + 1)...]))
    return !number.isEmpty && number.allSatisfy { $0 == UInt8(ascii: "0") || $0 == ASCII.dot }
  }
}
