// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// One file of an app's `www` as it was when last looked at. Never changes; a changed file is another asset.
package final class Asset: Sendable {
  package enum Encoding: String, Sendable {
    case brotli = "br"
    case gzip
  }

  /// What tells one content of a file from another without reading it.
  package struct Identity: Sendable, Equatable {
    package var size: Int
    package var modifiedSeconds: Int
    package var modifiedNanoseconds: Int
    package var inode: UInt64

    package init(size: Int, modifiedSeconds: Int, modifiedNanoseconds: Int, inode: UInt64) {
      self.size = size
      self.modifiedSeconds = modifiedSeconds
      self.modifiedNanoseconds = modifiedNanoseconds
      self.inode = inode
    }
  }

  /// Relative to the app's `www`; of a variant, with its `.br` or `.gz`.
  package let path: String
  package let identity: Identity
  package let encoding: Encoding?
  /// A strong validator (RFC 9110 §8.8.3), with its quotes.
  package let etag: String
  package let lastModified: String
  package let contentType: String
  /// Precompressed forms of the same content, best first.
  package let variants: [Asset]
  /// The header lines of a whole answer, the empty line and, for a small file, the content.
  package let block: ByteBuffer
  /// Where in `block` the content begins.
  package let headCount: Int
  package let holdsContent: Bool
  /// The header lines that a 304 repeats, without an empty line.
  package let validators: ByteBuffer

  package var size: Int { identity.size }

  package init(
    path: String, identity: Identity, content: ByteBuffer?, encoding: Encoding? = nil,
    original: String? = nil, variants: [Asset] = [], varies: Bool = false
  ) {
    let named = original ?? path
    self.path = path
    self.identity = identity
    self.encoding = encoding
    self.variants = variants
    etag = Self.tag(identity)
    lastModified = HTTPDate.text(identity.modifiedSeconds)
    contentType = ContentType.of(named)
    var validators = ByteBuffer()
    validators.writeString("etag: \(etag)\r\nlast-modified: \(lastModified)\r\n")
    validators.writeString(
      "cache-control: \(CachePolicy.of(named, contentType: contentType))\r\n")
    if varies || !variants.isEmpty { validators.writeString("vary: accept-encoding\r\n") }
    var block = ByteBuffer()
    block.reserveCapacity(512 + (content?.readableBytes ?? 0))
    block.writeString("content-type: \(contentType)\r\ncontent-length: \(identity.size)\r\n")
    if let encoding { block.writeString("content-encoding: \(encoding.rawValue)\r\n") }
    block.writeImmutableBuffer(validators)
    block.writeString("accept-ranges: bytes\r\nx-content-type-options: nosniff\r\n\r\n")
    headCount = block.readableBytes
    if let content { block.writeImmutableBuffer(content) }
    self.block = block
    self.validators = validators
    holdsContent = content != nil
  }

  /// Bytes of memory it takes, about.
  package var cost: Int {
    512 + block.capacity + path.utf8.count + variants.reduce(0) { $0 + $1.cost }
  }

  /// Changes whenever size, time of change or inode do. Mixed, so that it does not tell an inode number.
  private static func tag(_ identity: Identity) -> String {
    var mixed: UInt64 = 0x9E37_79B9_7F4A_7C15
    for word in [
      UInt64(bitPattern: Int64(identity.modifiedSeconds)),
      UInt64(bitPattern: Int64(identity.modifiedNanoseconds)), identity.inode,
    ] {
      // The finaliser of SplitMix64: a bijection, so two times of one inode never collide.
      mixed = (mixed ^ word) &* 0xBF58_476D_1CE4_E5B9
      mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
      mixed ^= mixed >> 31
    }
    return "\"\(String(identity.size, radix: 16))-\(String(mixed, radix: 16))\""
  }
}
