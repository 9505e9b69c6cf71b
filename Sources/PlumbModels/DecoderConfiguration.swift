/// The decoder families that Plumb implements.
///
/// The raw value is the `model_type` of a Hugging Face `config.json`.
public enum ModelFamily: String, Hashable, Sendable, CaseIterable, Codable {
  case qwen2, qwen3, llama, gpt2

  /// The stem of the family's architecture names, as in `Qwen2ForCausalLM`.
  public var architectureStem: String {
    switch self {
    case .qwen2: "Qwen2"
    case .qwen3: "Qwen3"
    case .llama: "Llama"
    case .gpt2: "GPT2"
    }
  }

  /// The architecture name of the family's language model.
  public var causalArchitecture: String {
    self == .gpt2 ? "GPT2LMHeadModel" : "\(architectureStem)ForCausalLM"
  }

  /// The family of an architecture name, for any head: `Qwen2ForRewardModel` is Qwen2.
  ///
  /// Nil for relatives that are other models (`Qwen2MoeForCausalLM`, `GPT2DoubleHeadsModel`).
  public init?(architecture: String) {
    let family = Self.allCases.first {
      architecture == $0.causalArchitecture || architecture.hasPrefix($0.architectureStem + "For")
    }
    guard let family else { return nil }
    self = family
  }
}

/// The sizes and constants that define a decoder: what `config.json` says about the trunk.
public struct DecoderConfiguration: Hashable, Sendable {
  /// The family, which decides the layers and the tensor names.
  public var family: ModelFamily
  /// V, rows of the embedding.
  public var vocabularySize: Int
  /// D, width of the residual stream.
  public var hiddenSize: Int
  /// F, width of the feed-forward layer.
  public var intermediateSize: Int
  /// L, number of blocks.
  public var layerCount: Int
  /// H, number of query heads.
  public var headCount: Int
  /// Number of key and value heads; divides `headCount` (grouped-query attention).
  public var keyValueHeadCount: Int
  /// Width of one head.
  public var headDimension: Int
  /// Longest sequence in tokens, prompt and response together.
  public var maximumPositions: Int
  /// Added to the variance (or mean square) in every norm.
  public var normEpsilon: Double
  /// Base of the rotary frequencies; without meaning for GPT-2, which learns its positions.
  public var ropeBase: Double
  /// Whether the output matrix is the embedding.
  public var tiesEmbeddings: Bool
  /// Begin-of-sequence token, if the model has one.
  public var bosTokenID: Int?
  /// Tokens that end a generation.
  public var eosTokenIDs: [Int]
  /// Padding token, kept for other programs; Plumb never pads.
  public var padTokenID: Int?

  /// A configuration from its sizes.
  ///
  /// `keyValueHeadCount` defaults to `headCount`, `headDimension` to `hiddenSize / headCount`.
  /// Call `validate()` where the numbers come from a user.
  public init(
    family: ModelFamily, vocabularySize: Int, hiddenSize: Int, intermediateSize: Int,
    layerCount: Int, headCount: Int, keyValueHeadCount: Int? = nil, headDimension: Int? = nil,
    maximumPositions: Int, normEpsilon: Double = 1e-6, ropeBase: Double = 10_000,
    tiesEmbeddings: Bool = true, bosTokenID: Int? = nil, eosTokenIDs: [Int] = [],
    padTokenID: Int? = nil
  ) {
    self.family = family
    self.vocabularySize = vocabularySize
    self.hiddenSize = hiddenSize
    self.intermediateSize = intermediateSize
    self.layerCount = layerCount
    self.headCount = headCount
    self.keyValueHeadCount = keyValueHeadCount ?? headCount
    self.headDimension = headDimension ?? hiddenSize / max(headCount, 1)
    self.maximumPositions = maximumPositions
    self.normEpsilon = normEpsilon
    self.ropeBase = ropeBase
    self.tiesEmbeddings = tiesEmbeddings
    self.bosTokenID = bosTokenID
    self.eosTokenIDs = eosTokenIDs
    self.padTokenID = padTokenID
  }

  /// Width of all query heads together, H * hd.
  public var queryWidth: Int { headCount * headDimension }

  /// Width of all key (or value) heads together, KV * hd.
  public var keyValueWidth: Int { keyValueHeadCount * headDimension }

  /// Checks that the sizes are positive and fit each other.
  /// - Parameter path: the file or recipe that messages name.
  /// - Throws: `ModelError.invalidValue`, with the key as `config.json` spells it.
  public func validate(path: String = "model configuration") throws(ModelError) {
    let names = ConfigurationKeys(family)
    let sizes = [
      ("vocab_size", vocabularySize), (names.hidden, hiddenSize),
      (names.intermediate, intermediateSize), (names.layers, layerCount), (names.heads, headCount),
      ("num_key_value_heads", keyValueHeadCount), ("head_dim", headDimension),
      (names.positions, maximumPositions),
    ]
    func require(_ holds: Bool, _ key: String, _ expected: String, _ found: Int) throws(ModelError)
    {
      guard !holds else { return }
      throw .invalidValue(path: path, key: key, expected: expected, found: "\(found)")
    }
    // Far above any model, and far below where the number of parameters would overflow.
    let (longest, deepest) = (1 << 24, 1024)
    for (key, size) in sizes {
      let limit = key == names.layers ? deepest : longest
      try require(1...limit ~= size, key, "an integer from 1 to \(limit)", size)
    }
    try require(
      headCount % keyValueHeadCount == 0, "num_key_value_heads",
      "a divisor of the \(headCount) heads", keyValueHeadCount)
    if family == .gpt2 {
      try require(
        hiddenSize % headCount == 0, names.heads, "a divisor of \(names.hidden) \(hiddenSize)",
        headCount)
      try require(
        keyValueHeadCount == headCount, "num_key_value_heads", "\(headCount), as many as heads",
        keyValueHeadCount)
      try require(
        queryWidth == hiddenSize, "head_dim", "\(hiddenSize / headCount)", headDimension)
    } else {
      try require(
        headDimension.isMultiple(of: 2), "head_dim", "an even number (rotary pairs)", headDimension)
    }
    for id in eosTokenIDs {
      try require(
        id < vocabularySize, "eos_token_id", "an id below vocab_size \(vocabularySize)", id)
    }
  }
}

/// How a family spells the keys of its sizes.
struct ConfigurationKeys {
  let hidden, intermediate, layers, heads, positions, epsilon, activation: String

  init(_ family: ModelFamily) {
    if family == .gpt2 {
      (hidden, intermediate, layers, heads) = ("n_embd", "n_inner", "n_layer", "n_head")
      (positions, epsilon) = ("n_positions", "layer_norm_epsilon")
      activation = "activation_function"
    } else {
      (hidden, intermediate) = ("hidden_size", "intermediate_size")
      (layers, heads) = ("num_hidden_layers", "num_attention_heads")
      (positions, epsilon) = ("max_position_embeddings", "rms_norm_eps")
      activation = "hidden_act"
    }
  }
}
