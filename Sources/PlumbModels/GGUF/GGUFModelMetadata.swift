import PlumbCheckpoints

/// The metadata of a GGUF file that describe a decoder: `llama.block_count` and the like.
struct GGUFModelMetadata {
  let file: GGUFFile
  let family: ModelFamily

  private static let families: [ModelFamily] = [.llama, .qwen2, .qwen3]

  init(_ file: GGUFFile) throws {
    self.file = file
    let key = "general.architecture"
    guard let name = try file.text(key, limit: 256) else {
      throw ModelError.missingKey(path: file.path, key: key)
    }
    guard let family = Self.families.first(where: { $0.rawValue == name }) else {
      throw ModelError.unsupported(
        path: file.path, feature: "the architecture \(name)", found: name,
        supported: Self.families.map(\.rawValue).joined(separator: ", "))
    }
    self.family = family
  }

  private var path: String { file.path }

  /// A key of the architecture as it stands in the file.
  private func full(_ key: String) -> String { "\(family.rawValue).\(key)" }

  private func invalid(_ key: String, _ expected: String, _ found: String) -> ModelError {
    .invalidValue(path: path, key: key, expected: expected, found: found)
  }

  /// A size from 1 to 2^24, above which no model is.
  func size(_ key: String, default value: Int? = nil) throws -> Int {
    guard let size = try file.integer(full(key)) ?? value else {
      throw ModelError.missingKey(path: path, key: full(key))
    }
    guard (1...1 << 24).contains(size) else {
      throw invalid(full(key), "an integer from 1 to \(1 << 24)", "\(size)")
    }
    return size
  }

  /// A finite number above 0.
  func positive(_ key: String, default value: Double? = nil) throws -> Double {
    guard let number = try file.number(full(key)) ?? value else {
      throw ModelError.missingKey(path: path, key: full(key))
    }
    guard number > 0, number.isFinite else {
      throw invalid(full(key), "a positive number", "\(number)")
    }
    return number
  }

  /// Rows of the embedding, which a key may repeat.
  func vocabularySize() throws -> Int {
    let name = "token_embd.weight"
    guard let embedding = file.tensors.first(where: { $0.name == name }) else {
      throw CheckpointError(.missing, path: path, "there is no tensor '\(name)'")
    }
    let rows = embedding.rowCount
    let size = try size("vocab_size", default: rows)
    guard size == rows else {
      throw invalid(full("vocab_size"), "\(rows), the rows of \(name)", "\(size)")
    }
    return rows
  }

  /// Width of a head; keys and values have the same, and all of it is rotated.
  func headDimension(hidden: Int, heads: Int) throws -> Int {
    let key = "attention.key_length"
    let width: Int
    if try file.integer(full(key)) != nil {
      width = try size(key)
    } else {
      guard hidden % heads == 0 else {
        throw invalid(
          full("attention.head_count"), "a divisor of \(full("embedding_length")) \(hidden)",
          "\(heads)")
      }
      width = hidden / heads
    }
    for key in ["attention.value_length", "rope.dimension_count"] {
      let found = try size(key, default: width)
      guard found == width else {
        throw ModelError.unsupported(
          path: path, feature: full(key), found: "\(found)",
          supported: "\(width), the width of a head")
      }
    }
    return width
  }

  /// A token that the tokenizer's metadata name, nil if they do not.
  func tokenID(_ name: String, below limit: Int) throws -> Int? {
    let key = "tokenizer.ggml.\(name)_token_id"
    guard let id = try file.integer(key) else { return nil }
    guard (0..<limit).contains(id) else {
      throw invalid(key, "an id from 0 to \(limit - 1)", "\(id)")
    }
    return id
  }
}

extension GGUFModelMetadata {
  /// Keys read above, and keys that change nothing in what is computed.
  private static let known: Set<String> = [
    "attention.head_count", "attention.head_count_kv", "attention.key_length",
    "attention.layer_norm_rms_epsilon", "attention.value_length", "block_count", "context_length",
    "embedding_length", "feed_forward_length", "rope.dimension_count", "rope.freq_base",
    "tensor_data_layout", "vocab_size",
  ]

  /// Throws for the first thing that Plumb does not compute.
  func refuseUnsupported() throws {
    let type = try file.text("general.type", limit: 256) ?? "model"
    guard type == "model" else { throw refusal("general.type", type, "\"model\"") }
    if let parts = try file.integer("split.count"), parts > 1 {
      throw refusal("split.count (a model in several files)", "\(parts)", "one file")
    }
    let prefix = full("")
    let scaling = try file.text(full("rope.scaling.type"), limit: 256) ?? "none"
    guard scaling == "none" else {
      throw refusal("\(full("rope.scaling.type")) (rotary scaling)", "\"\(scaling)\"", "\"none\"")
    }
    for key in file.keys where key.hasPrefix(prefix) {
      let name = String(key.dropFirst(prefix.count))
      if !Self.known.contains(name) { try checkNeutral(name) }
    }
    try refuseRotaryFactors()
  }

  /// Lets a key pass whose value says that nothing is to be done.
  private func checkNeutral(_ name: String) throws {
    let key = full(name)
    switch name {
    case "rope.scaling.type", "rope.scaling.finetuned", "rope.scaling.original_context_length":
      return
    case "rope.scaling.factor", "rope.scale_linear", "rope.scaling.attn_factor":
      let factor = try file.number(key) ?? 1
      guard factor == 1 || factor == 0 else {
        throw refusal("\(key) (rotary scaling)", "\(factor)", "1")
      }
    case "expert_count", "expert_used_count":
      let experts = try file.integer(key) ?? 0
      guard experts == 0 else { throw refusal("\(key) (mixture of experts)", "\(experts)", "0") }
    case "attention.sliding_window":
      let window = try file.integer(key) ?? 0
      let context = try size("context_length")
      guard window == 0 || window >= context else {
        throw refusal("\(key) (sliding-window attention)", "\(window)", "0, or the context")
      }
    case "attention.causal":
      guard try file.bool(key) != false else { throw refusal(key, "false", "true") }
    case "use_parallel_residual":
      guard try file.bool(key) != true else { throw refusal(key, "true", "false") }
    default:
      throw refusal("the metadata key \(key)", file.kind(of: key) ?? "it", "no such key")
    }
  }

  /// Llama 3.1 and its successors scale their rotary frequencies by a tensor.
  private func refuseRotaryFactors() throws {
    guard let factors = file.tensors.first(where: { $0.name == GGUFModel.rotaryFactors }) else {
      return
    }
    guard factors.count <= 1 << 16, try file.floats(of: factors).allSatisfy({ $0 == 1 }) else {
      throw refusal(
        "the tensor \(factors.name) (rotary scaling)", "factors other than 1", "no such tensor")
    }
  }

  private func refusal(_ feature: String, _ found: String, _ supported: String) -> ModelError {
    .unsupported(path: path, feature: feature, found: found, supported: supported)
  }
}
