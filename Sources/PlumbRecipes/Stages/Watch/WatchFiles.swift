import Foundation
import PlumbCheckpoints
import PlumbRollouts

/// The files of a watch: `watch/samples.jsonl` and `watch/rollouts/update-000010.…` in a stage's folder.
struct WatchFiles {
  static let stateName = "watch.json"
  static let samplesName = "samples.jsonl"
  static let rolloutsName = "rollouts"

  private let folder: URL
  private var samples: URL { folder.appending(path: Self.samplesName) }

  init(_ context: StageContext) {
    folder = context.directory.appending(
      path: RunLayout.watchName, directoryHint: .isDirectory)
  }

  /// Adds a table to the samples.
  ///
  /// - Parameter bytes: what the file holds before; more is from a round that was lost.
  /// - Returns: what it holds now.
  func append(_ table: SampleTable, after bytes: Int) throws -> Int {
    let data = try table.lines()
    try RunFiles.createFolder(folder)
    if !FileManager.default.fileExists(atPath: samples.path) { try RunFiles.write("", to: samples) }
    do {
      let file = try FileHandle(forWritingTo: samples)
      defer { try? file.close() }
      try file.seek(toOffset: UInt64(bytes))
      try file.write(contentsOf: data)
      try file.truncate(atOffset: UInt64(bytes + data.count))
    } catch {
      throw RunError.file(samples, "write", error)
    }
    return bytes + data.count
  }

  /// Brings the samples down to the disk, before a checkpoint counts on them.
  func synchronize() throws {
    guard FileManager.default.fileExists(atPath: samples.path) else { return }
    do {
      let file = try FileHandle(forWritingTo: samples)
      try file.synchronize()
      try file.close()
    } catch {
      throw RunError.file(samples, "write", error)
    }
  }

  /// Takes off what was written after a checkpoint.
  ///
  /// Samples that are gone are told and not missed: a training must not end for its log.
  /// - Returns: the bytes that are there now.
  func truncate(to bytes: Int, context: StageContext) throws -> Int {
    let found = RunFiles.size(of: samples) ?? 0
    if found < bytes {
      context.warn(
        "\(samples.relativePath): expected the \(bytes) bytes that were there at the checkpoint, "
          + "found \(found); earlier samples are lost")
    }
    guard found > bytes else { return found }
    do {
      let file = try FileHandle(forWritingTo: samples)
      try file.truncate(atOffset: UInt64(bytes))
      try file.close()
    } catch {
      throw RunError.file(samples, "write", error)
    }
    return bytes
  }

  /// Saves a round's buffer.
  func write(_ buffer: RolloutBuffer, update: Int) throws {
    let digits = "\(update)"
    let name = "update-" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
    try buffer.write(to: folder.appending(path: Self.rolloutsName), name: name)
  }
}
