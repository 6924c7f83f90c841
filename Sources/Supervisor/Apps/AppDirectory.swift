// SPDX-License-Identifier: Apache-2.0

/// Where things lie in the one directory that holds all an app owns (design §3.6): `DATA/apps/<id>/`.
package struct AppDirectory: Sendable, Equatable {
  package let path: String

  package init(path: String) { self.path = path }
  package init(dataDirectory: String, appID: String) { path = "\(dataDirectory)/apps/\(appID)" }

  /// What is installed: current version, grants, limits, whether it may run.
  package var record: String { "\(path)/app.json" }
  /// `versions/<name>/`: manifest.json and code/, never changed once in place.
  package var versions: String { "\(path)/versions" }
  package func version(_ name: String) -> String { "\(versions)/\(name)" }
  package func code(_ version: String) -> String { "\(versions)/\(version)/code" }
  package func manifest(_ version: String) -> String { "\(versions)/\(version)/manifest.json" }
  /// `<name>.sqlite`, written by the app's SQL worker only.
  package var sql: String { "\(path)/sql" }
  package var data: String { "\(path)/data" }
  package var objects: String { "\(path)/objects" }
  package var log: String { "\(path)/log" }
  package var state: String { "\(path)/state.sqlite" }
}
