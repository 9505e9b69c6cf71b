import PlumbCheckpoints
import PlumbModels
import PlumbRecipes
import PlumbTokenizers

/// What a model folder holds, without loading it.
struct ModelDescription {
  private let path: String
  private let folder: ModelFolder
  private let weights: ShardedSafetensors
  private let texts: TextEncoder

  init(path: String) throws {
    self.path = path
    folder = try openModel(path)
    weights = try ShardedSafetensors(directory: folder.url)
    texts = try TextEncoder(path: path)
  }

  /// The parts that parameters are counted by, with what their names contain.
  private static let parts: [(name: String, marks: [String])] = [
    ("head", ["lm_head.", "score.", "value_head.", "prompt_head.", "pair_head."]),
    ("embedding", ["embed_tokens.", "wte.", "wpe."]),
    ("norms", ["norm.", "ln_"]),
    ("attention", ["attn."]),
    ("feed_forward", ["mlp."]),
  ]

  /// Scalars stored for each part, in the order of the table, and of all together.
  private var parameters: [(part: String, count: Int)] {
    var counts: [String: Int] = [:]
    for name in weights.names {
      let part = Self.parts.first { $0.marks.contains { name.contains($0) } }?.name ?? "other"
      counts[part, default: 0] += (weights.shape(of: name) ?? []).reduce(1, *)
    }
    let order = ["embedding", "attention", "feed_forward", "norms", "head", "other"]
    let rows = order.compactMap { part in counts[part].map { (part, $0) } }
    return rows + [("total", counts.values.reduce(0, +))]
  }

  private var storedTypes: String {
    Set(weights.names.compactMap { weights.type(of: $0)?.rawValue }).sorted()
      .joined(separator: ", ")
  }

  private var kind: String {
    folder.preferenceKind ?? "a language model"
  }

  private var head: String {
    switch folder.preferenceKind {
    case nil: folder.configuration.tiesEmbeddings ? "the embedding, tied" : "lm_head"
    case "a general preference model":
      "preference embedding of dimension "
        + (folder.json.value("value_head_dim")?.serialized() ?? "?")
        + ", tau \(folder.json.value("tau")?.serialized() ?? "0.1")"
    case "a pair model": "linear, both responses in one sequence, read at its end"
    default:
      folder.architecture.hasSuffix("ForRewardModel")
        ? "WorldPM: Linear, ReLU, Linear, read at the first end of text"
        : "linear, read at the last token"
    }
  }

  /// The description for a person.
  var table: TextTable {
    let sizes = folder.configuration
    var rows = [
      ["architecture", "\(folder.architecture), \(kind)"],
      ["layers", "\(sizes.layerCount)"],
      ["hidden size", "\(sizes.hiddenSize), feed-forward \(sizes.intermediateSize)"],
      [
        "heads",
        "\(sizes.headCount) of width \(sizes.headDimension), \(sizes.keyValueHeadCount) for keys and values",
      ],
      ["vocabulary", NumberText.grouped(sizes.vocabularySize)],
      ["context", "\(NumberText.grouped(sizes.maximumPositions)) tokens"],
      ["end of sequence", sizes.eosTokenIDs.map(String.init).joined(separator: ", ")],
      ["head", head],
      [
        "stored as",
        "\(storedTypes), \(weights.files.count) file\(weights.files.count == 1 ? "" : "s")",
      ],
    ]
    rows += parameters.map { ["parameters, \($0.part)", NumberText.grouped($0.count)] }
    if let encoder = texts.encoder {
      rows += [
        ["tokenizer", "\(NumberText.grouped(encoder.tokenizer.vocabularySize)) tokens"],
        ["template", encoder.template.rawValue],
        ["fingerprint", String(encoder.fingerprint.prefix(12))],
      ]
    } else {
      rows.append(["tokenizer", "none"])
    }
    return TextTable(title: path, columns: ["what", "value"], rows: rows)
  }

  /// The description for a program.
  var json: JSONValue {
    let sizes = folder.configuration
    let tokenizer: JSONValue =
      texts.encoder.map { encoder in
        .fields([
          "vocabulary_size": .integer(encoder.tokenizer.vocabularySize),
          "template": .string(encoder.template.rawValue),
          "end_of_text": .integer(encoder.endOfText),
          "fingerprint": .string(encoder.fingerprint),
        ])
      } ?? .null
    return .fields([
      "architecture": .string(folder.architecture),
      "kind": .string(String(kind.drop { $0 != " " }.dropFirst())),
      "layers": .integer(sizes.layerCount), "hidden_size": .integer(sizes.hiddenSize),
      "intermediate_size": .integer(sizes.intermediateSize), "heads": .integer(sizes.headCount),
      "key_value_heads": .integer(sizes.keyValueHeadCount),
      "head_dimension": .integer(sizes.headDimension),
      "vocabulary_size": .integer(sizes.vocabularySize),
      "context": .integer(sizes.maximumPositions),
      "eos_token_ids": .ids(sizes.eosTokenIDs),
      "head": .string(head),
      "stored_as": .string(storedTypes),
      "parameters": .object(
        parameters.map { JSONField(key: $0.part, value: .integer($0.count)) }),
      "tokenizer": tokenizer,
    ])
  }
}
