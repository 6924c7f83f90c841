// SPDX-License-Identifier: Apache-2.0

/// What this build of the command is.
enum Release {
  static let version = "0.1.0"
}
