public import Foundation
import PlumbCheckpoints
import PlumbTokenizers

extension RolloutBuffer {
  /// Writes the buffer as `<name>.jsonl.zst` and `<name>.safetensors` in a folder.
  ///
  /// The lines hold one group each: id, prompt, responses with ids, texts and scores, table, judge. The
  /// arrays with one number per token are in the safetensors file, each field end to end over the
  /// responses that have it. Reading gives back the same bits.
  /// - Throws: `RolloutError` if the buffer is not valid, `CheckpointError` if a file cannot be written.
  public func write(to directory: URL, name: String = "rollouts") throws {
    try validate()
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let provenance = String(decoding: try encoder.encode(provenance), as: UTF8.self)
    let tensors = RolloutField.allCases.compactMap { field in
      let values = places.flatMap { self[$0][keyPath: field.path] }
      return values.isEmpty
        ? nil : (name: field.rawValue, shape: [values.count], values: values)
    }
    let lines = try groups.map {
      String(decoding: try encoder.encode(StoredGroup($0)), as: UTF8.self)
    }
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    let files = Self.files(in: directory, name: name)
    try Safetensors.write(tensors, metadata: ["provenance": provenance], to: files.arrays)
    try LineWriter.write(lines, to: files.lines)
  }

  /// Reads a buffer that `write(to:name:)` wrote.
  /// - Throws: `CheckpointError` or `RolloutError.corrupt` naming file and line.
  public init(directory: URL, name: String = "rollouts") throws {
    let files = Self.files(in: directory, name: name)
    let arrays = try SafetensorsFile(contentsOf: files.arrays)
    let decoder = JSONDecoder()
    var groups: [RolloutGroup] = []
    var fields: [[Set<String>]] = []
    var reader = try LineReader(contentsOf: files.lines)
    while let line = try reader.next() {
      let stored: StoredGroup
      do {
        stored = try decoder.decode(StoredGroup.self, from: Data(line.bytes))
      } catch {
        throw RolloutError.corrupt(
          path: files.lines.path, reason: "line \(line.number) is not a rollout group: \(error)")
      }
      groups.append(stored.group)
      fields.append(stored.responses.map { Set($0.fields) })
    }
    let provenance: Provenance
    do {
      provenance = try decoder.decode(
        Provenance.self, from: Data((arrays.metadata["provenance"] ?? "").utf8))
    } catch {
      throw RolloutError.corrupt(
        path: files.arrays.path, reason: "the metadata holds no rollout provenance: \(error)")
    }
    self.init(groups: groups, provenance: provenance)
    for field in RolloutField.allCases {
      try distribute(field, from: arrays) { fields[$0.group][$0.response].contains(field.rawValue) }
    }
    try validate()
  }

  /// Gives each response its part of a stored field.
  private mutating func distribute(
    _ field: RolloutField, from file: SafetensorsFile, where isStored: (ResponsePlace) -> Bool
  ) throws {
    let places = places.filter(isStored)
    let expected = places.reduce(0) { $0 + self[$1].tokens.count }
    let values = file.contains(field.rawValue) ? try file.floats(named: field.rawValue) : []
    guard values.count == expected else {
      throw RolloutError.corrupt(
        path: file.url.path,
        reason: """
          '\(field.rawValue)' has \(values.count) values; the lines beside it expect \(expected)
          """)
    }
    var next = 0
    for place in places {
      let count = self[place].tokens.count
      self[place][keyPath: field.path] = Array(values[next..<next + count])
      next += count
    }
  }

  private static func files(in directory: URL, name: String) -> (lines: URL, arrays: URL) {
    (
      directory.appending(path: "\(name).jsonl.zst"),
      directory.appending(path: "\(name).safetensors")
    )
  }
}

/// A group as one line of JSON.
private struct StoredGroup: Codable {
  var id: String
  var prompt: [Message]
  var promptTokens: [Int32]
  var responses: [Response]
  var preferenceLogits: [[Double]]?
  var judge: String?
  var answer: String?

  struct Response: Codable {
    var text: String
    var tokens: [Int32]
    var finishReason: FinishReason
    var score: Float?
    /// Names of the arrays that this response has.
    var fields: [String]

    enum CodingKeys: String, CodingKey {
      case text, tokens, score, fields
      case finishReason = "finish_reason"
    }
  }

  enum CodingKeys: String, CodingKey {
    case id, prompt, responses, judge, answer
    case promptTokens = "prompt_tokens"
    case preferenceLogits = "preference_logits"
  }

  init(_ group: RolloutGroup) {
    id = group.id
    prompt = group.prompt
    promptTokens = group.promptTokens
    preferenceLogits = group.preferenceLogits
    judge = group.judge
    answer = group.answer
    responses = group.responses.map { response in
      Response(
        text: response.text, tokens: response.tokens, finishReason: response.finishReason,
        score: response.score,
        fields: RolloutField.allCases.filter { !response[keyPath: $0.path].isEmpty }
          .map(\.rawValue))
    }
  }

  var group: RolloutGroup {
    RolloutGroup(
      id: id, prompt: prompt, promptTokens: promptTokens,
      responses: responses.map { stored in
        var response = Rollout(
          tokens: stored.tokens, text: stored.text, finishReason: stored.finishReason)
        response.score = stored.score
        return response
      },
      preferenceLogits: preferenceLogits, judge: judge, answer: answer)
  }
}
