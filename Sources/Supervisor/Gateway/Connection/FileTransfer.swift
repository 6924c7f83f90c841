// SPDX-License-Identifier: Apache-2.0
import Glibc
import NIOCore

/// A file on its way to a client, in pieces the kernel sends from its page cache.
struct FileTransfer {
  private let handle: NIOFileHandle
  private let descriptor: Int32
  private(set) var rest: Range<Int>

  /// Takes over the descriptor.
  init(descriptor: Int32, range: Range<Int>) {
    self.descriptor = descriptor
    handle = NIOFileHandle(_deprecatedTakingOwnershipOfDescriptor: descriptor)
    rest = range
  }

  /// The next piece; nil if the file has become shorter than it was. Asking the kernel to send what is not there would
  /// send nothing, again and again.
  mutating func next(max: Int) -> FileRegion? {
    let end = min(rest.upperBound, rest.lowerBound + max)
    var status = stat()
    guard fstat(descriptor, &status) == 0, Int(status.st_size) >= end else { return nil }
    let region = FileRegion(fileHandle: handle, readerIndex: rest.lowerBound, endIndex: end)
    rest = end..<rest.upperBound
    return region
  }

  func close() { try? handle.close() }
}
