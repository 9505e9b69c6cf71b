public import Foundation
import PlumbCheckpoints

/// The checkpoints of one stage: folders `step-000200`, each there in full or not at all.
public struct CheckpointFolder {
  /// One complete checkpoint.
  public struct Checkpoint: Equatable, Sendable {
    /// The step after which it was saved.
    public let step: Int
    /// The folder with what the stage saved.
    public let directory: URL
    let record: Record
  }

  struct Record: Codable, Equatable, Sendable {
    var step: Int
    /// Of the stage's settings and inputs.
    var fingerprint: String
    /// Bytes of the stage's metrics when the checkpoint was saved.
    var metricsBytes: Int

    private enum CodingKeys: String, CodingKey {
      case step, fingerprint
      case metricsBytes = "metrics_bytes"
    }
  }

  /// Where the checkpoints are.
  public let directory: URL
  let fingerprint: String
  /// How many are kept.
  let keeping: Int

  /// Saves a checkpoint and removes those that are too old.
  func save(step: Int, metricsBytes: Int, _ write: (URL) throws -> Void) throws {
    try RunFiles.createFolder(directory)
    let record = Record(step: step, fingerprint: fingerprint, metricsBytes: metricsBytes)
    try AtomicDirectory.write(to: directory.appending(path: Self.name(of: step))) { folder in
      try write(folder)
      try RunFiles.write(json: record, to: folder.appending(path: RunLayout.checkpointRecordName))
    }
    for old in all().dropLast(keeping) { try RunFiles.remove(old.directory) }
  }

  /// Complete checkpoints, oldest first.
  public func all() -> [Checkpoint] {
    RunFiles.names(in: directory).compactMap { name in
      let folder = directory.appending(path: name)
      guard name.hasPrefix("step-"),
        let record = try? RunFiles.read(
          json: Record.self, from: folder.appending(path: RunLayout.checkpointRecordName))
      else { return nil }
      return Checkpoint(step: record.step, directory: folder, record: record)
    }.sorted { $0.step < $1.step }
  }

  /// The newest complete checkpoint; nil where there is none.
  public func newest() -> Checkpoint? { all().last }

  private static func name(of step: Int) -> String {
    let digits = "\(step)"
    return "step-" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
  }
}
