import PlumbCheckpoints

extension DecoderConfiguration {
  /// Reads the trunk's configuration out of a Hugging Face `config.json`.
  ///
  /// The head named by `architectures` is not judged here: `Qwen2ForRewardModel` has a Qwen2 trunk.
  /// Both spellings of the rotary base are read (`rope_theta`, and `rope_parameters` of
  /// transformers 5). Dropout rates are ignored: Plumb trains without dropout.
  /// - Parameter json: the keys of `config.json`.
  /// - Throws: `ModelError` for missing keys, wrong types, sizes that do not fit, and, by name,
  ///   everything that Plumb does not implement.
  public init(_ json: JSONObject) throws(ModelError) {
    let family = try Self.family(json)
    try Self.refuseUnsupported(json, family)
    let keys = ConfigurationKeys(family)
    let hidden = try json.positiveInteger(keys.hidden)
    let heads = try json.positiveInteger(keys.heads)
    let headDimension: Int
    if family != .gpt2, json.value("head_dim") != nil {
      headDimension = try json.positiveInteger("head_dim")
    } else {
      guard hidden % heads == 0 else {
        throw json.invalid(
          keys.heads, expected: "a divisor of \(keys.hidden) \(hidden)", found: .integer(heads))
      }
      headDimension = hidden / heads
    }
    self.init(
      family: family,
      vocabularySize: try json.positiveInteger("vocab_size"),
      hiddenSize: hidden,
      intermediateSize: try json.positiveInteger(
        keys.intermediate, default: family == .gpt2 ? 4 * hidden : nil),
      layerCount: try json.positiveInteger(keys.layers),
      headCount: heads,
      keyValueHeadCount: family == .gpt2
        ? heads : try json.positiveInteger("num_key_value_heads", default: heads),
      headDimension: headDimension,
      maximumPositions: try json.positiveInteger(keys.positions),
      normEpsilon: try json.positiveNumber(keys.epsilon, default: family == .gpt2 ? 1e-5 : 1e-6),
      ropeBase: try Self.ropeBase(json, family),
      tiesEmbeddings: try json.boolean("tie_word_embeddings", default: family == .gpt2),
      bosTokenID: try json.tokenID("bos_token_id"),
      eosTokenIDs: try json.tokenIDs("eos_token_id"),
      padTokenID: try json.tokenID("pad_token_id"))
    try validate(path: json.path)
  }

  /// The architecture's name: the one entry of `architectures`.
  static func architecture(_ json: JSONObject) throws(ModelError) -> String {
    guard let value = json.value("architectures") else {
      throw .missingKey(path: json.path, key: "architectures")
    }
    guard case .array(let names) = value, names.count == 1, case .string(let name) = names[0] else {
      throw json.invalid("architectures", expected: "a list of one name", found: value)
    }
    return name
  }

  private static func family(_ json: JSONObject) throws(ModelError) -> ModelFamily {
    let name = try architecture(json)
    guard let family = ModelFamily(architecture: name) else {
      throw .unsupported(
        path: json.path, feature: "the architecture \(name)", found: name,
        supported: "a model of the families Qwen2, Qwen3, Llama or GPT2")
    }
    let type = try json.string("model_type", default: family.rawValue)
    guard type == family.rawValue else {
      throw json.invalid(
        "model_type", expected: "\"\(family.rawValue)\", as \(name) says", found: .string(type))
    }
    return family
  }

  private static func refuseUnsupported(_ json: JSONObject, _ family: ModelFamily)
    throws(ModelError)
  {
    func refuse(_ feature: String, _ found: JSONValue, _ supported: String) -> ModelError {
      .unsupported(
        path: json.path, feature: feature, found: found.named, supported: supported)
    }
    if let value = json.value("quantization_config") {
      throw refuse("quantization_config (quantised weights)", value, "F32, F16 or BF16 weights")
    }
    let activationKey = ConfigurationKeys(family).activation
    let activation = family == .gpt2 ? "gelu_new" : "silu"
    let found = try json.string(activationKey, default: activation)
    guard found == activation else {
      throw refuse(activationKey, .string(found), "\"\(activation)\"")
    }
    try refuseFlags(json, family)
    try refuseSlidingWindow(json)
  }

  /// Booleans that switch on something we do not compute.
  private static func refuseFlags(_ json: JSONObject, _ family: ModelFamily) throws(ModelError) {
    let flags: [(key: String, supported: Bool)] =
      family == .gpt2
      ? [
        ("scale_attn_weights", true), ("scale_attn_by_inverse_layer_idx", false),
        ("add_cross_attention", false),
      ]
      : [("attention_bias", false), ("mlp_bias", false)]
    for (key, supported) in flags {
      let found = try json.boolean(key, default: supported)
      guard found == supported else {
        throw .unsupported(
          path: json.path, feature: key, found: "\(found)", supported: "\(supported)")
      }
    }
  }

  private static func refuseSlidingWindow(_ json: JSONObject) throws(ModelError) {
    if try json.boolean("use_sliding_window", default: false) {
      throw .unsupported(
        path: json.path, feature: "use_sliding_window (sliding-window attention)", found: "true",
        supported: "false")
    }
    guard let value = json.value("layer_types") else { return }
    guard case .array(let types) = value else {
      throw json.invalid("layer_types", expected: "a list of names", found: value)
    }
    for type in types where type != .string("full_attention") {
      throw .unsupported(
        path: json.path, feature: "layer_types (other than full attention)",
        found: type.named, supported: "\"full_attention\" for every layer")
    }
  }

  /// The rotary base; scaled or partial rotary embeddings are refused by their names.
  private static func ropeBase(_ json: JSONObject, _ family: ModelFamily) throws(ModelError)
    -> Double
  {
    guard family != .gpt2 else { return 10_000 }
    var base = try json.positiveNumber("rope_theta", default: 10_000)
    for key in ["rope_scaling", "rope_parameters"] {
      guard let value = json.value(key) else { continue }
      guard case .object(let fields) = value else {
        throw json.invalid(key, expected: "an object or null", found: value)
      }
      let rope = JSONObject(fields, path: "\(json.path) \(key)")
      let type = try rope.string("rope_type", default: try rope.string("type", default: "default"))
      guard type == "default" else {
        throw .unsupported(
          path: json.path, feature: "\(key) (rotary scaling)", found: "the type \"\(type)\"",
          supported: "null or the type \"default\"")
      }
      base = try rope.positiveNumber("rope_theta", default: base)
      try refusePartialRotary(rope)
    }
    try refusePartialRotary(json)
    return base
  }

  private static func refusePartialRotary(_ json: JSONObject) throws(ModelError) {
    let factor = try json.positiveNumber("partial_rotary_factor", default: 1)
    guard factor == 1 else {
      throw .unsupported(
        path: json.path, feature: "partial_rotary_factor", found: "\(factor)", supported: "1")
    }
  }
}
