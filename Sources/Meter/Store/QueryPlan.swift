// SPDX-License-Identifier: Apache-2.0

/// Which table answers which part of a time range. Pure.
///
/// Every part is read from the coarsest rollup that answers it exactly, so a year costs days, not
/// minutes. Where only a coarser rollup is kept, the bounds are moved outward to its buckets and the
/// plan says so: part of a bucket cannot be told.
package struct QueryPlan: Sendable, Equatable {
  package struct Segment: Sendable, Equatable {
    package var bucket: Bucket
    package var start: WallTime
    package var end: WallTime
  }
  package var since: WallTime
  package var until: WallTime
  package private(set) var segments: [Segment] = []

  /// - Parameter finest: rows of this size are wanted (`--by hour`); nil where any size will do.
  package init(since: WallTime, until: WallTime, rows finest: Bucket?, marks: RollupMarks) {
    self.since = Self.moved(since, marks, up: false)
    self.until = max(self.since, Self.moved(until, marks, up: true))
    var cursor = self.since
    while let segment = Self.next(from: cursor, until: self.until, rows: finest, marks) {
      if let last = segments.last, last.bucket == segment.bucket, last.end == segment.start {
        segments[segments.count - 1].end = segment.end
      } else {
        segments.append(segment)
      }
      cursor = segment.end
    }
  }

  /// A bound, moved to the buckets kept for its time.
  private static func moved(_ bound: WallTime, _ marks: RollupMarks, up: Bool) -> WallTime {
    let size: Bucket =
      bound < marks.from(.hour) ? .day : bound < marks.from(.minute) ? .hour : .minute
    return up ? bound.ceiled(toSeconds: size.seconds) : bound.floored(toSeconds: size.seconds)
  }

  private static func next(
    from cursor: WallTime, until: WallTime, rows finest: Bucket?, _ marks: RollupMarks
  ) -> Segment? {
    guard cursor < until else { return nil }
    for bucket in [Bucket.day, .hour, .minute] {
      guard cursor == cursor.floored(toSeconds: bucket.seconds), cursor >= marks.from(bucket)
      else { continue }
      // Days cannot answer a question about hours while the hours are kept.
      if bucket == .day, finest == .hour, cursor >= marks.from(.hour) { continue }
      var end = min(until, marks.until(bucket)).floored(toSeconds: bucket.seconds)
      guard end > cursor else { continue }
      if let coarser = bucket.coarser {
        let boundary = WallTime(seconds: cursor.seconds + 1).ceiled(toSeconds: coarser.seconds)
        end = min(end, boundary)
      } else if finest == .hour, marks.from(.hour) > cursor {
        end = min(end, marks.from(.hour))
      }
      return Segment(bucket: bucket, start: cursor, end: end)
    }
    return nil
  }
}
