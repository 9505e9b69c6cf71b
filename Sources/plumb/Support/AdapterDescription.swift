import Foundation
import PlumbCheckpoints
import PlumbModels
import PlumbRecipes
import PlumbTensors
import PlumbTokenizers

/// What an adapter folder holds and what it changes, without loading the base.
struct AdapterDescription {
  private let path: String
  private let folder: AdapterFolder
  private let base: ModelFolder
  private let weights: SafetensorsFile
  private let texts: TextEncoder

  init(path: String, options: AdapterOptions) throws {
    self.path = path
    folder = try options.open(path)
    base = try ModelFolder(folder.base)
    weights = try SafetensorsFile(contentsOf: folder.weights)
    texts = try TextEncoder(adapter: folder)
  }

  private var trainable: Int {
    weights.names.reduce(0) { $0 + (weights.shape(of: $1) ?? []).reduce(1, *) }
  }

  private var frozen: Int {
    var layout = ParameterLayout()
    _ = Decoder(base.configuration, declaringIn: &layout)
    return layout.count
  }

  private var targets: [String] {
    let named = folder.configuration.targetModules
    return named.isEmpty ? base.configuration.family.linearModules : named
  }

  private var storedTypes: String {
    Set(weights.names.compactMap { weights.type(of: $0)?.rawValue }).sorted()
      .joined(separator: ", ")
  }

  /// The description for a person.
  var table: TextTable {
    let configuration = folder.configuration
    let share = 100 * Double(trainable) / Double(trainable + frozen)
    return TextTable(
      title: path, columns: ["what", "value"],
      rows: [
        ["kind", "a LoRA adapter of a language model"],
        ["base", folder.base.relativePath],
        ["architecture", base.architecture],
        ["rank", "\(configuration.rank)"],
        [
          "alpha",
          "\(configuration.alpha), every change times \(configuration.scale)"
            + (configuration.isRankStabilized ? " (rsLoRA)" : ""),
        ],
        ["changes", targets.joined(separator: ", ")],
        ["stored as", storedTypes],
        [
          "parameters, trainable",
          "\(NumberText.grouped(trainable)) (\(NumberText.fixed(share, 2)) %)",
        ],
        ["parameters, base", NumberText.grouped(frozen)],
        ["parameters, total", NumberText.grouped(trainable + frozen)],
        [
          "tokenizer",
          texts.encoder.map { "\(NumberText.grouped($0.tokenizer.vocabularySize)) tokens" }
            ?? "none",
        ],
      ])
  }

  /// The description for a program.
  var json: JSONValue {
    let configuration = folder.configuration
    return .fields([
      "kind": .string("LoRA adapter"),
      "base": .string(folder.base.relativePath),
      "architecture": .string(base.architecture),
      "rank": .integer(configuration.rank),
      "alpha": .number(configuration.alpha),
      "scale": .number(Double(configuration.scale)),
      "target_modules": .array(targets.map(JSONValue.string)),
      "stored_as": .string(storedTypes),
      "parameters": .fields([
        "trainable": .integer(trainable), "base": .integer(frozen),
        "total": .integer(trainable + frozen),
      ]),
      "tokenizer": texts.encoder.map { .string($0.fingerprint) } ?? .null,
    ])
  }
}
