// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOPosix
import Synchronization

/// All apps' static files, as far as they have been asked for. A file or directory is looked at again once it is older
/// than `assetFreshSeconds`; in between, requests need no system call, neither for a file that is there nor to learn
/// that there is none and the app is to answer.
final class AssetStore: Sendable {
  /// What a lookup says at once.
  enum Answer: Sendable {
    case file(Asset)
    /// A directory with an `index.html`, asked for without its slash.
    case redirect
    case absent
    /// Files have to be looked at: ask `load`.
    case unknown
  }

  private struct Key: Hashable, Sendable {
    var root: String
    var path: String
  }

  private struct Known<Value: Sendable>: Sendable {
    var value: Value
    var freshUntil: Int
  }

  private struct State: Sendable {
    var files: GenerationCache<Key, Known<AssetFiles.Found>>
    var listings: GenerationCache<Key, Known<AssetFiles.Listing>>
  }

  private let state: Mutex<State>
  private let files: AssetFiles
  private let pool: NIOThreadPool
  private let freshSeconds: Int

  init(bounds: GatewayBounds, pool: NIOThreadPool, wallClock: @escaping @Sendable () -> Int) {
    files = AssetFiles(
      cachedFileMax: bounds.cachedFileMax, listedNamesMax: bounds.listedNamesMax,
      wallClock: wallClock)
    freshSeconds = bounds.assetFreshSeconds
    self.pool = pool
    state = Mutex(
      State(
        files: GenerationCache(costMax: bounds.cachedBytesMax, countMax: bounds.cachedFilesMax),
        listings: GenerationCache(
          costMax: bounds.listingsMax * 64 * 64, countMax: bounds.listingsMax)))
  }

  /// - Parameter now: seconds of a clock that never goes back.
  func lookUp(_ path: String, in root: String, now: Int) -> Answer {
    state.withLock { state in
      let key = Key(root: root, path: path)
      if let known = state.files[key], known.freshUntil > now {
        switch known.value {
        case .file(let asset): return .file(asset)
        case .directory(let hasIndex): return hasIndex ? .redirect : .absent
        case .nothing: return .absent
        }
      }
      return Self.isListed(path, in: root, &state, now: now) == false ? .absent : .unknown
    }
  }

  /// Whether every segment of a path is in the listing of the directory before it; nil if a listing is missing or old.
  private static func isListed(
    _ path: String, in root: String, _ state: inout State, now: Int
  ) -> Bool? {
    var directory = ""
    for segment in path.split(separator: "/") {
      guard let known = state.listings[Key(root: root, path: directory)], known.freshUntil > now,
        let names = known.value.names
      else { return nil }
      guard names.contains(String(segment)) else { return false }
      directory = directory.isEmpty ? String(segment) : "\(directory)/\(segment)"
    }
    return true
  }

  /// Looks at the files, off the event loop, and remembers what it saw.
  ///
  /// - Parameter body: called on `loop`; never gets `unknown`.
  func load(
    _ path: String, in root: String, now: Int, on loop: any EventLoop,
    _ body: @escaping @Sendable (Answer) -> Void
  ) {
    pool.submit { workState in
      let answer = workState == .active ? self.load(path, in: root, now: now) : .absent
      loop.execute { body(answer) }
    }
  }

  private func load(_ path: String, in root: String, now: Int) -> Answer {
    let key = Key(root: root, path: path)
    let known = state.withLock { $0.files[key]?.value }
    var asset: Asset?
    if case .file(let file)? = known { asset = file }
    let found = files.find(path, in: root, known: asset)
    if case .nothing = found { refreshListings(of: path, in: root, now: now) }
    let isListed = state.withLock { Self.isListed(path, in: root, &$0, now: now) }
    return state.withLock { state in
      // A name that no listing has is not remembered by itself: a client could invent any number of them.
      switch found {
      case .nothing where isListed != true: break
      case .file(let asset): remember(found, key, asset.cost, &state, now)
      case .directory, .nothing: remember(found, key, 128, &state, now)
      }
      switch found {
      case .file(let asset): return .file(asset)
      case .directory(let hasIndex): return hasIndex ? .redirect : .absent
      case .nothing: return .absent
      }
    }
  }

  private func remember(
    _ found: AssetFiles.Found, _ key: Key, _ cost: Int, _ state: inout State, _ now: Int
  ) {
    let known = Known(value: found, freshUntil: now + freshSeconds)
    state.files.insert(known, for: key, cost: cost + key.path.utf8.count)
  }

  /// Lists the directories on the way to a path, down to the one that lacks its next segment.
  private func refreshListings(of path: String, in root: String, now: Int) {
    var directory = ""
    for segment in path.split(separator: "/") {
      let key = Key(root: root, path: directory)
      let known = state.withLock { $0.listings[key] }
      let listing = files.list(directory, in: root, known: known?.value)
      let cost = 256 + (listing.names?.reduce(0) { $0 + 48 + $1.utf8.count } ?? 0)
      state.withLock {
        $0.listings.insert(
          Known(value: listing, freshUntil: now + freshSeconds), for: key, cost: cost)
      }
      guard listing.names?.contains(String(segment)) == true else { return }
      directory = directory.isEmpty ? String(segment) : "\(directory)/\(segment)"
    }
  }

  /// Opens a file to be sent if it takes no waiting; see `open`.
  func openAtOnce(
    _ asset: Asset, in root: String
  ) -> (descriptor: Int32, identity: Asset.Identity)? {
    files.openAtOnce(asset.path, in: root)
  }

  /// Opens a file to be sent, off the event loop. `body` is called on `loop`, with nil if the file is gone; the
  /// descriptor is its to close.
  func open(
    _ asset: Asset, in root: String, on loop: any EventLoop,
    _ body: @escaping @Sendable ((descriptor: Int32, identity: Asset.Identity)?) -> Void
  ) {
    pool.submit { workState in
      let opened = workState == .active ? self.files.open(asset.path, in: root) : nil
      loop.execute { body(opened) }
    }
  }
}
