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
    let encoder = encoder([.prettyPrinted])
    try write(try encoder.encode(value) + Data("\n".utf8), to: url)
  }

  /// Reads what `write(json:to:)` wrote; nil where there is no file.
  static func read<T: Decodable>(json type: T.Type, from url: URL) throws -> T? {
    guard let data = try? Data(contentsOf: url) else { return nil }
    do {
      return try decoder.decode(type, from: data)
    } catch {
      throw RunError.damaged(path: url.relativePath, detail: "not readable: \(error)".oneLine)
    }
  }

  /// Writes one value a line as JSON with sorted keys, compressed as the file's name says.
  static func write(lines values: [some Encodable], to url: URL) throws {
    let encoder = encoder()
    let writer = try LineWriter(to: url)
    for value in values {
      try writer.write(String(decoding: try encoder.encode(value), as: UTF8.self))
    }
    try writer.finish()
  }

  /// Reads what `write(lines:to:)` wrote, to the bit.
  static func read<T: Decodable>(lines type: T.Type, from url: URL) throws -> [T] {
    let decoder = decoder
    var reader = try LineReader(contentsOf: url)
    var values: [T] = []
    while let line = try reader.next() {
      do {
        values.append(try decoder.decode(type, from: Data(line.bytes)))
      } catch {
        throw RunError.damaged(
          path: url.relativePath, detail: "line \(line.number) is not readable: \(error)".oneLine)
      }
    }
    return values
  }

  private static func encoder(_ formatting: JSONEncoder.OutputFormatting = []) -> JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = formatting.union([.sortedKeys, .withoutEscapingSlashes])
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return encoder
  }

  private static var decoder: JSONDecoder {
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return decoder
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
