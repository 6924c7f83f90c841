// SPDX-License-Identifier: Apache-2.0

/// What one client may cost before it is refused. Every number is listed in docs/SPECIFICATION.md.
package struct GatewayBounds: Sendable {
  // MARK: heads

  /// Request line and header lines together, in bytes. More is answered 431.
  package var headBytesMax = 65_536
  /// Header lines. More is answered 431.
  package var headerCountMax = 100
  /// The request target, in bytes. A longer one is answered 414.
  package var targetBytesMax = 8192
  /// From the first byte of a head to its last, in seconds. Then 408.
  package var headSeconds = 10

  // MARK: bodies

  /// A body of a known length up to this, in bytes, is gathered before the app is asked, so that one frame carries it.
  package var gatheredBodyMax = 65_536
  /// The slowest client that is waited for, in bytes a second over `rateWindowSeconds`, while the gateway reads its
  /// body or writes it an answer. Time in which the app is the slow one does not count.
  package var transferRateMin = 256
  /// How long a window the rate is taken over, in seconds; so also the longest silence within a body.
  package var rateWindowSeconds = 30
  /// What is read and dropped of a body nobody wants before the connection is closed instead, in bytes.
  package var drainedBodyMax = 65_536
  /// What a closing connection still reads and drops, so that the client gets to see the answer, in bytes…
  package var lingeringBytesMax = 1_048_576
  /// …and for how long, in seconds.
  package var lingeringSeconds = 2

  // MARK: connections

  /// Silence between two requests, and before the first, in seconds. Then the connection is closed.
  package var idleSeconds = 60
  /// Connections in all. One more is answered 503 and closed.
  package var connectionsMax = 8192
  /// Connections from one address, an IPv6 address counting as its /64. Trusted proxies are exempt.
  package var connectionsPerAddressMax = 1024
  /// Bytes of further requests that are read while one is being answered. Beyond it the socket is left alone.
  package var pipelinedBytesMax = 65_536
  /// Bytes of answers that wait for a client to read before no further request of its is begun.
  package var unsentBytesMax = 262_144
  /// Bytes the kernel takes for one connection beyond what it has sent.
  package var kernelUnsentBytesMax = 262_144

  // MARK: assets

  /// Files up to this are kept in memory, in bytes; larger ones go from the page cache to the socket.
  package var cachedFileMax = 65_536
  /// Memory for files kept, over all apps, in bytes.
  package var cachedBytesMax = 16_777_216
  /// Files known by name, over all apps.
  package var cachedFilesMax = 16_384
  /// Names remembered of one directory; a larger directory is looked at each time.
  package var listedNamesMax = 4096
  /// Directories remembered, over all apps.
  package var listingsMax = 2048
  /// How long a file or directory is taken to be unchanged, in seconds.
  package var assetFreshSeconds = 1
  /// One piece of a file given to the kernel to send, in bytes.
  package var filePieceBytes = 524_288

  /// How often connections are looked over for what has run out, in milliseconds.
  package var tickMilliseconds = 1000

  package init() {}
}
