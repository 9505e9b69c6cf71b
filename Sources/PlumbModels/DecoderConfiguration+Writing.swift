public import PlumbCheckpoints

extension DecoderConfiguration {
  /// The keys of a `config.json` that transformers 4 and 5 load.
  /// - Parameters:
  ///   - architecture: the class name to store; the family's language model if nil.
  ///   - storedAs: the weights' type as torch names it, for example `bfloat16`.
  ///   - extra: keys of the head, laid over the trunk's.
  public func json(
    architecture: String? = nil, storedAs: String = "float32", extra: [String: JSONValue] = [:]
  ) -> [String: JSONValue] {
    let names = ConfigurationKeys(family)
    var values: [String: JSONValue] = [
      "architectures": .array([.string(architecture ?? family.causalArchitecture)]),
      "model_type": .string(family.rawValue),
      "torch_dtype": .string(storedAs),
      "vocab_size": .integer(vocabularySize),
      names.hidden: .integer(hiddenSize),
      names.intermediate: .integer(intermediateSize),
      names.layers: .integer(layerCount),
      names.heads: .integer(headCount),
      names.positions: .integer(maximumPositions),
      names.epsilon: .number(normEpsilon),
      names.activation: .string(family == .gpt2 ? "gelu_new" : "silu"),
      "initializer_range": .number(0.02),
      "tie_word_embeddings": .bool(tiesEmbeddings),
      "use_cache": .bool(true),
    ].merging(tokenIDs) { _, token in token }
    if family == .gpt2 {
      for key in ["attn_pdrop", "embd_pdrop", "resid_pdrop"] { values[key] = .number(0) }
    } else {
      values["num_key_value_heads"] = .integer(keyValueHeadCount)
      values["head_dim"] = .integer(headDimension)
      values["rope_theta"] = .number(ropeBase)
      values["rope_scaling"] = .null
      values["attention_dropout"] = .number(0)
    }
    switch family {
    case .qwen2: values["use_sliding_window"] = .bool(false)
    case .qwen3:
      values["use_sliding_window"] = .bool(false)
      values["attention_bias"] = .bool(false)
    case .llama:
      values["attention_bias"] = .bool(false)
      values["mlp_bias"] = .bool(false)
    case .gpt2: break
    }
    return values.merging(extra) { _, head in head }
  }

  /// The keys of `generation_config.json`: the tokens at which a generation starts and ends.
  public var generationJSON: [String: JSONValue] {
    tokenIDs.filter { $0.value != .null }
  }

  private var tokenIDs: [String: JSONValue] {
    let end: JSONValue =
      switch eosTokenIDs.count {
      case 0: .null
      case 1: .integer(eosTokenIDs[0])
      default: .array(eosTokenIDs.map(JSONValue.integer))
      }
    return [
      "bos_token_id": bosTokenID.map(JSONValue.integer) ?? .null,
      "eos_token_id": end,
      "pad_token_id": padTokenID.map(JSONValue.integer) ?? .null,
    ]
  }
}
