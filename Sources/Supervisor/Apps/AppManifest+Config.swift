// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import Manifest

extension AppManifest {
  /// Secrets without which the app does not start.
  var requiredSecrets: [String] { secrets.filter(\.isRequired).map(\.name) }

  /// The settings' defaults, by name: what `config.get` answers.
  var defaultConfig: JSONValue {
    .object(
      JSONObject(
        settings.compactMap { setting in
          setting.defaultValue.map { (key: setting.name, value: $0.json) }
        }))
  }
}
