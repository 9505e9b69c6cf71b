import Foundation
import PlumbCheckpoints
import PlumbModels

/// Numbers that frozen models gave, on disk: log-probabilities of answers, and answers of their own.
///
/// An entry is one safetensors file named by its key: the SHA-256 of everything that decides its
/// content. It is written atomically. A file is believed only if it holds the key it is named by, as many
/// numbers as asked for, and their checksum; any other is told of, computed again and replaced. So several
/// runs may share a folder.
struct ReferenceCache {
  let folder: URL
  private let context: StageContext

  /// What decides the content of an entry.
  struct Key: Equatable {
    /// What is stored, with the version of the arithmetic.
    var content: String
    /// Of the model, see `weightsFingerprint`.
    var weights: String
    /// Of tokenizer, template and end of text, see `ConversationEncoder.fingerprint`.
    var template: String
    /// Of the token ids, in their order.
    var data: String
    /// Rounding depends on how work is split.
    var threads: Int

    /// 64 hexadecimal digits.
    var text: String {
      var result = Fingerprint()
      for part in [content, weights, template, data, "\(threads)"] { result.add(part) }
      return result.text
    }
  }

  /// - Parameters:
  ///   - path: the folder; empty for one of the run itself.
  ///   - context: the stage that asks.
  /// - Throws: `RunError.file` if there cannot be such a folder.
  init(_ path: String, context: StageContext) throws {
    let run = context.directory.deletingLastPathComponent().deletingLastPathComponent()
    folder =
      path.isEmpty
      ? run.appending(path: RunLayout.referenceCacheName, directoryHint: .isDirectory)
      : URL(filePath: path, directoryHint: .isDirectory)
    self.context = context
    try RunFiles.createFolder(folder)
  }

  func file(_ key: Key) -> URL { folder.appending(path: "\(key.text).safetensors") }

  /// The numbers of an entry, computed and stored where the folder has none that can be believed.
  ///
  /// - Parameters:
  ///   - key: names the entry.
  ///   - count: the numbers that it must have; any if nil.
  ///   - compute: gives the numbers; finite.
  func numbers(
    _ key: Key, count: Int? = nil, compute: () throws -> [Float]
  ) throws -> [Float] {
    if let found = load(key, count: count) { return found }
    let numbers = try compute()
    store(numbers, key)
    return numbers
  }

  /// The numbers of an entry; nil where there is none that can be believed.
  func load(_ key: Key, count: Int?) -> [Float]? {
    let url = file(key)
    guard FileManager.default.fileExists(atPath: url.path) else { return nil }
    do {
      return try Self.read(url, key, count: count)
    } catch {
      context.note("\(url.lastPathComponent) is not used and computed again: \(error)")
      return nil
    }
  }

  /// Writes an entry; a folder that refuses is told of, and costs only the time to compute it again.
  private func store(_ numbers: [Float], _ key: Key) {
    var metadata = Self.metadata(key)
    metadata["checksum"] = Self.checksum(numbers)
    do {
      try Safetensors.write(
        [StoredTensor(Self.tensorName, shape: [numbers.count], floats: numbers)],
        metadata: metadata, to: file(key))
    } catch {
      context.warn("not kept for later: \(error)")
    }
  }

  private static let tensorName = "numbers"

  private static func read(_ url: URL, _ key: Key, count: Int?) throws -> [Float] {
    let file = try SafetensorsFile(contentsOf: url)
    for (name, expected) in metadata(key) {
      guard file.metadata[name] == expected else {
        throw RunError.damaged(
          path: url.relativePath,
          detail: "expected '\(name)' \(expected), found \(file.metadata[name] ?? "none")")
      }
    }
    let numbers = try file.floats(named: tensorName)
    guard numbers.count == count ?? numbers.count else {
      throw RunError.damaged(
        path: url.relativePath, detail: "expected \(count ?? 0) numbers, found \(numbers.count)")
    }
    guard file.metadata["checksum"] == checksum(numbers), numbers.allSatisfy(\.isFinite) else {
      throw RunError.damaged(
        path: url.relativePath,
        detail: "the numbers do not have the checksum that stands beside them")
    }
    return numbers
  }

  private static func metadata(_ key: Key) -> [String: String] {
    [
      "content": key.content, "weights": key.weights, "template": key.template, "data": key.data,
      "threads": "\(key.threads)",
    ]
  }

  private static func checksum(_ numbers: [Float]) -> String {
    var result = Fingerprint()
    result.add(numbers.map { Int32(bitPattern: $0.bitPattern) })
    return result.text
  }
}

/// SHA-256 of what decides a model's log-probabilities: its configuration and weights, and those of an
/// adapter's base.
///
/// Other files of the folder, such as a stage's record with its times, do not count.
func weightsFingerprint(of folder: URL) throws -> String {
  var result = Fingerprint()
  let small = ["config.json", "adapter_config.json", "model.safetensors.index.json"]
  for name in RunFiles.names(in: folder)
  where small.contains(name) || name.hasSuffix(".safetensors") {
    result.add(name)
    try result.add(contentsOf: folder.appending(path: name))
  }
  if AdapterFolder.isAdapter(folder) {
    result.add(try weightsFingerprint(of: AdapterFolder(folder).base))
  }
  return result.text
}
