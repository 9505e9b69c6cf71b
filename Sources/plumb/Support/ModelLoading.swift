import Foundation
import PlumbModels
import PlumbPreferences
import PlumbTensors
import PlumbTokenizers

/// A language model with the tokenizer beside it.
struct LanguageModel {
  /// The model; its weights are only read.
  let model: CausalLM
  let texts: TextEncoder

  /// Loads a folder; a preference model is refused with the command that fits it.
  ///
  /// An adapter is merged into its base.
  init(path: String, options: AdapterOptions) throws {
    if AdapterFolder.isAdapter(folder(path)) {
      let folder = try options.open(path)
      var model = try folder.model()
      try requireNumbers(model, path: path)
      model.merge()
      model.parameters.isFrozen = true
      self.model = model
      texts = try TextEncoder(adapter: folder)
      return
    }
    _ = try options.url(for: path)
    let folder = try openModel(path)
    if let kind = folder.preferenceKind {
      throw CommandFailure(
        "\(path): expected a language model, found \(kind) (\(folder.architecture)); "
          + "'plumb score' and 'plumb evaluate' read it")
    }
    var model = try CausalLM(folder)
    try requireNumbers(model.parameters, path: path)
    model.parameters.isFrozen = true
    self.model = model
    texts = try TextEncoder(path: path)
  }
}

/// The tokenizer and template of a model folder, which may have none.
struct TextEncoder {
  let path: String
  /// Nil for a folder of weights alone, which takes rows of token ids only.
  let encoder: ConversationEncoder?

  /// The tokenizer of an adapter's folder, or that of its base.
  init(adapter: AdapterFolder) throws {
    try self.init(
      path: AdapterFolder.tokenizerFolder(of: adapter.url, base: adapter.base).relativePath)
  }

  init(path: String) throws {
    self.path = path
    let url = URL(filePath: path, directoryHint: .isDirectory)
    let hasTokenizer = ["tokenizer.json", "vocab.json"].contains {
      FileManager.default.fileExists(atPath: url.appending(path: $0).path)
    }
    encoder = hasTokenizer ? try ConversationEncoder.load(from: url) : nil
  }

  /// The encoder that a row with text needs.
  func encoder(for row: Row) throws -> ConversationEncoder {
    guard let encoder else {
      throw row.fault(
        "the row has text, but \(path) has no tokenizer",
        expected: "tokenizer.json in the model folder, or rows of token ids",
        found: "neither")
    }
    return encoder
  }
}

extension ModelFolder {
  /// What kind of preference model the architecture is, in words; nil for every other one.
  var preferenceKind: String? {
    guard architecture.hasPrefix(configuration.family.architectureStem) else { return nil }
    if architecture.hasSuffix("ForGeneralPreference") { return "a general preference model" }
    if architecture.hasSuffix("ForPairPreference") { return "a pair model" }
    let isReward = ["ForRewardModel", "ForSequenceClassification"].contains {
      architecture.hasSuffix($0)
    }
    return isReward ? "a reward model" : nil
  }
}

/// Opens a model folder.
func openModel(_ path: String) throws -> ModelFolder {
  try requireFolder(path, "a model folder")
  return try ModelFolder(folder(path))
}

/// Refuses weights that hold a NaN or an infinity: every answer would be one too.
func requireNumbers(_ parameters: ParameterBlock, path: String) throws {
  guard !parameters.allFinite() else { return }
  let layout = parameters.layout
  let culprit = layout.entries.first { entry in
    layout.id(named: entry.name).map { !parameters.values(of: $0).allSatisfy(\.isFinite) } ?? false
  }
  throw CommandFailure(
    "\(path): tensor '\(culprit?.name ?? "?")': expected finite weights, found NaN or infinity")
}

/// The same for a model with an adapter: both must hold numbers only.
func requireNumbers(_ model: CausalLM, path: String) throws {
  try requireNumbers(model.parameters, path: path)
  try requireNumbers(model.parameters.trainable, path: path)
}
