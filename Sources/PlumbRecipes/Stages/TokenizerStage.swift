import Foundation
import PlumbData
public import PlumbTokenizers

/// Settings of a tokenizer's training.
public struct TokenizerConfiguration: StageConfiguration {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "tokenizer"

  /// Files of text, conversations or forum threads to learn from.
  public var files: [String] = []
  /// Tokens in all, the 256 bytes and the special tokens included.
  public var vocabularySize = 4096
  /// How conversations are written: `chatml` or `plain`.
  public var template = ChatTemplate.chatML

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require("files", !files.isEmpty, "at least one file", "none")
    try require(
      "vocabulary_size", (300...1_000_000).contains(vocabularySize),
      "an integer from 300 to 1000000", vocabularySize)
  }
}

/// Trains a byte-level BPE tokenizer (Sennrich 2016) with Qwen2's pre-tokenisation.
struct TokenizerStage: Stage {
  let configuration: TokenizerConfiguration

  static let specialTokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]

  var inputs: [String] { configuration.files }

  static var product: StageProduct { .noModel }

  func plan(_ context: PlanContext) throws -> StagePlan {
    for file in configuration.files { _ = try context.artifact(file) }
    return StagePlan(
      "byte-level BPE of \(configuration.vocabularySize) tokens",
      sizes: ["vocabulary": configuration.vocabularySize], seconds: 30)
  }

  func run(_ context: StageContext) throws -> StageResult {
    var texts: [String] = []
    for file in configuration.files {
      texts += try DataFile.texts(context.artifact(file)).rows.map(\.text)
    }
    context.note("learning \(configuration.vocabularySize) tokens from \(texts.count) texts")
    let tokenizer = try Tokenizer.train(
      on: texts, vocabularySize: configuration.vocabularySize,
      specialTokens: Self.specialTokens, pattern: .qwen2
    ) { progress in
      if case .merging(let done, let total) = progress, done.isMultiple(of: 256) {
        context.progress(done, of: total)
      }
    }
    let encoder = try ConversationEncoder(tokenizer: tokenizer, template: configuration.template)
    try encoder.write(to: context.directory)
    let sample = texts.enumerated().filter { $0.offset % 20 == 0 }.map(\.element)
    let bytes = sample.reduce(0) { $0 + $1.utf8.count }
    let ids = sample.reduce(0) { $0 + tokenizer.encode($1, parsingSpecialTokens: false).count }
    return StageResult(figures: [
      Figure(
        "bytes_per_token", Double(bytes) / Double(max(1, ids)), unit: "bytes/token",
        sampleSize: sample.count)
    ])
  }
}
