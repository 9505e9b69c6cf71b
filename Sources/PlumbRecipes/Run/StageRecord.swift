import Foundation

/// What `stage.json` says, the last file that a stage writes.
///
/// Without it, the stage is not done.
struct StageRecord: Codable, Equatable, Sendable {
  struct Artifact: Codable, Equatable, Sendable {
    var path: String
    var bytes: Int
  }

  var stage: String
  var kind: String
  var status: String
  /// Of everything below.
  var fingerprint: String
  /// Of the resolved settings.
  var configuration: String
  /// Of each input, by reference.
  var inputs: [String: String]
  var seconds: Double
  var artifacts: [Artifact]
  var result: StageResult

  /// Whether every artifact is still there in its size.
  func isComplete(in folder: URL) -> Bool {
    artifacts.allSatisfy { RunFiles.size(of: folder.appending(path: $0.path)) == $0.bytes }
  }

  /// Files below a stage's folder that the stage itself wrote.
  static func artifacts(in folder: URL) throws -> [Artifact] {
    try RunFiles.filesBelow(folder).compactMap { path in
      guard path != RunLayout.stageRecordName, !path.hasPrefix(RunLayout.checkpointsName + "/"),
        !path.hasPrefix(RunLayout.watchName + "/")
      else { return nil }
      return RunFiles.size(of: folder.appending(path: path)).map { Artifact(path: path, bytes: $0) }
    }
  }
}

/// The fingerprints of one stage: what `stage.json` compares.
struct StageFingerprint: Equatable {
  var whole: String
  /// As `whole`, but for settings that say when a run stops and not what it computes: what a checkpoint
  /// belongs to, see ``ConfigurationNode/withoutHandling``.
  var work: String
  var configuration: String
  var inputs: [String: String]
}
