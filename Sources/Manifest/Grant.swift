// SPDX-License-Identifier: Apache-2.0

/// One permission an app asks for and the operator approves.
public struct Grant: Sendable, Equatable, Hashable {
  public enum Kind: String, Sendable, CaseIterable {
    case database, bucket, dataDirectory, secret, signingKey, outbound, schedule, identity
    case publicPath
  }
  public var kind: Kind
  /// What exactly is granted, in a form to store and compare: a grant with another subject is another grant.
  public var subject: String
  /// The same for people, without a full stop.
  public var sentence: String
  /// Whether it lets data leave the host or strangers in: shown first when an operator is asked.
  public var isSensitive: Bool

  public init(kind: Kind, subject: String, sentence: String, isSensitive: Bool = false) {
    self.kind = kind
    self.subject = subject
    self.sentence = sentence
    self.isSensitive = isSensitive
  }

  /// `kind:subject`, the key under which an approval is kept.
  public var key: String { "\(kind.rawValue):\(subject)" }
}

extension AppManifest {
  /// Everything the manifest asks for, the sensitive first; what is not in this list the app does not have.
  public var grants: [Grant] {
    let all =
      outbound.map(\.grant) + http.publicPaths.map(Self.grant(publicPath:)) + identityGrant
      + databases.map { database in
        Grant(
          kind: .database, subject: database.name,
          sentence: "keep data in its own database \"\(database.name)\"")
      }
      + buckets.map { bucket in
        Grant(
          kind: .bucket, subject: bucket.name,
          sentence: "keep files in its own bucket \"\(bucket.name)\"")
      }
      + (run.hasDataDirectory
        ? [Grant(kind: .dataDirectory, subject: "data", sentence: "write to a private directory")]
        : [])
      + secrets.map { secret in
        Grant(
          kind: .secret, subject: secret.name,
          sentence: "read its own secret \"\(secret.name)\""
            + (secret.description.isEmpty ? "" : ": \(secret.description)"))
      }
      + signingKeys.map { key in
        Grant(
          kind: .signingKey, subject: "\(key.name) \(key.algorithm.rawValue)",
          sentence: "sign with its own key \"\(key.name)\"")
      }
      + schedules.map { schedule in
        Grant(
          kind: .schedule, subject: "\(schedule.name) \(schedule.cron) \(schedule.timezone)",
          sentence: "be woken by the clock: \(schedule.cron) (\(schedule.timezone))")
      }
    // Two entries for one destination with different reasons are one grant.
    var seen: Set<String> = []
    let distinct = all.filter { seen.insert($0.key).inserted }
    return distinct.filter(\.isSensitive) + distinct.filter { !$0.isSensitive }
  }

  private static func grant(publicPath: String) -> Grant {
    Grant(
      kind: .publicPath, subject: publicPath,
      sentence: "be reached without sign-on at \(publicPath)", isSensitive: true)
  }

  private var identityGrant: [Grant] {
    guard !identity.isEmpty else { return [] }
    let fields = identity.map(\.rawValue).joined(separator: ", ")
    return [
      Grant(
        kind: .identity, subject: fields, sentence: "be told of each person who uses it: \(fields)",
        isSensitive: true)
    ]
  }
}

extension AppManifest.Outbound {
  fileprivate var grant: Grant {
    let ports = ports.map(String.init).joined(separator: ",")
    let methods = methods.joined(separator: ",")
    let isUsualPort = self.ports == [scheme == .https ? 443 : 80]
    return Grant(
      kind: .outbound,
      subject: "\(scheme.rawValue)://\(host):\(ports) \(methods)"
        + (allowsPrivateAddresses ? " private" : ""),
      sentence: "send requests (\(methods)) to \(scheme.rawValue)://\(host)"
        + (isUsualPort ? "" : " on port \(ports)")
        + (allowsPrivateAddresses ? ", inside your own network too" : "") + ": \(reason)",
      isSensitive: true)
  }
}
