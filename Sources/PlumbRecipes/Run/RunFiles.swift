import Foundation
import PlumbCheckpoints

/// Names inside a run directory.
enum RunLayout {
  static let recipeName = "recipe.yaml"
  static let environmentName = "environment.json"
  static let metricsName = "metrics.jsonl"
  static let timingsName = "timings.jsonl"
  static let summaryName = "summary.json"
  static let reportName = "report.html"
  static let lockName = "run.lock"
  static let stagesName = "stages"
  static let referenceCacheName = "reference-logprobs"
  static let stageRecordName = "stage.json"
  static let checkpointsName = "checkpoints"
  static let checkpointRecordName = "checkpoint.json"
  /// Samples and rollouts of a stage; kept when it is continued, and no artifact that others read.
  static let watchName = "watch"
  static let tensorBoardName = "tensorboard"
}

/// File operations of a run, with errors that name path and reason.
enum RunFiles {
  /// Writes a file so that it is there in full or not at all.
  static func write(_ text: String, to url: URL) throws { try write(Data(text.utf8), to: url) }

  /// Writes a file so that it is there in full or not at all.
  static func write(_ data: Data, to url: URL) throws { try AtomicFile.write(data, to: url) }

  /// Writes a value as JSON with sorted keys; doubles in their shortest form.
  static func write(json value: some Encodable, to url: URL) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    try write(try encoder.encode(value) + Data("\n".utf8), to: url)
  }

  /// Reads what `write(json:to:)` wrote; nil where there is no file.
  static func read<T: Decodable>(json type: T.Type, from url: URL) throws -> T? {
    guard let data = try? Data(contentsOf: url) else { return nil }
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    do {
      return try decoder.decode(type, from: data)
    } catch {
      throw RunError.damaged(path: url.relativePath, detail: "not readable: \(error)".oneLine)
    }
  }

  static func createFolder(_ url: URL) throws {
    do {
      try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    } catch {
      throw RunError.file(url, "create the folder", error)
    }
  }

  /// Removes a file or a folder; what is not there is removed already.
  static func remove(_ url: URL) throws {
    guard FileManager.default.fileExists(atPath: url.path) else { return }
    do {
      try FileManager.default.removeItem(at: url)
    } catch {
      throw RunError.file(url, "remove", error)
    }
  }

  /// Names in a folder, sorted; none where there is no folder.
  static func names(in folder: URL) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).sorted()
  }

  /// Paths of all files below a folder, relative to it, sorted.
  static func filesBelow(_ folder: URL) throws -> [String] {
    var files: [String] = []
    for name in names(in: folder) {
      var isFolder: ObjCBool = false
      let url = folder.appending(path: name)
      guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
        continue
      }
      if isFolder.boolValue {
        files += try filesBelow(url).map { "\(name)/\($0)" }
      } else {
        files.append(name)
      }
    }
    return files
  }

  /// The size of a file; nil where there is none.
  static func size(of url: URL) -> Int? {
    let values = try? FileManager.default.attributesOfItem(atPath: url.path)
    return (values?[.size] as? NSNumber)?.intValue
  }
}
