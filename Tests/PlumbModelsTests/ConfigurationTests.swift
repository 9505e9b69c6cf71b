import PlumbCheckpoints
import PlumbModels
import Testing

/// What `config.json` may say, and what is refused by name.
@Suite struct ConfigurationTests {
  /// A complete Qwen2 configuration with some keys changed; nil removes a key.
  private func qwen2(_ changes: [String: JSONValue?] = [:]) -> JSONObject {
    let base: [String: JSONValue] = [
      "architectures": .array([.string("Qwen2ForCausalLM")]), "model_type": .string("qwen2"),
      "vocab_size": .integer(100), "hidden_size": .integer(48), "intermediate_size": .integer(80),
      "num_hidden_layers": .integer(3), "num_attention_heads": .integer(6),
      "num_key_value_heads": .integer(2), "max_position_embeddings": .integer(128),
      "rms_norm_eps": .number(1e-6), "rope_theta": .integer(1_000_000),
      "hidden_act": .string("silu"), "tie_word_embeddings": .bool(true),
      "bos_token_id": .null, "eos_token_id": .integer(0),
    ]
    return changed(base, changes)
  }

  private func gpt2(_ changes: [String: JSONValue?] = [:]) -> JSONObject {
    changed(
      [
        "architectures": .array([.string("GPT2LMHeadModel")]), "model_type": .string("gpt2"),
        "vocab_size": .integer(100), "n_embd": .integer(48), "n_layer": .integer(2),
        "n_head": .integer(4), "n_positions": .integer(64), "n_inner": .null,
      ], changes)
  }

  private func changed(_ base: [String: JSONValue], _ changes: [String: JSONValue?]) -> JSONObject {
    var values = base
    for (key, value) in changes { values[key] = value }
    return JSONObject(values, path: "folder/config.json")
  }

  private func object(_ values: [String: JSONValue]) -> JSONValue {
    .object(values.map { JSONField(key: $0.key, value: $0.value) })
  }

  @Test func readsEverySize() throws {
    let found = try DecoderConfiguration(qwen2())
    let expected = DecoderConfiguration(
      family: .qwen2, vocabularySize: 100, hiddenSize: 48, intermediateSize: 80, layerCount: 3,
      headCount: 6, keyValueHeadCount: 2, headDimension: 8, maximumPositions: 128,
      normEpsilon: 1e-6, ropeBase: 1e6, tiesEmbeddings: true, eosTokenIDs: [0])
    #expect(found == expected)
    let gpt2 = try DecoderConfiguration(gpt2())
    #expect(
      gpt2
        == DecoderConfiguration(
          family: .gpt2, vocabularySize: 100, hiddenSize: 48, intermediateSize: 192, layerCount: 2,
          headCount: 4, maximumPositions: 64, normEpsilon: 1e-5))
  }

  @Test func readsBothSpellingsOfTheRotaryBase() throws {
    let scaled = object(["rope_type": .string("default"), "rope_theta": .number(5e5)])
    let newer = try DecoderConfiguration(
      qwen2(["rope_theta": nil, "rope_parameters": scaled]))
    #expect(newer.ropeBase == 5e5)
    let older = try DecoderConfiguration(
      qwen2(["rope_scaling": object(["type": .string("default")])]))
    #expect(older.ropeBase == 1e6)
  }

  @Test func readsSeveralEndTokens() throws {
    let found = try DecoderConfiguration(
      qwen2(["eos_token_id": .array([.integer(3), .integer(7)]), "pad_token_id": .integer(-1)]))
    #expect(found.eosTokenIDs == [3, 7])
    #expect(found.padTokenID == nil)
  }

  @Test(arguments: [
    ("Qwen2ForCausalLM", ModelFamily.qwen2), ("Qwen2ForRewardModel", .qwen2),
    ("Qwen3ForSequenceClassification", .qwen3), ("LlamaForSequenceClassification", .llama),
    ("GPT2LMHeadModel", .gpt2), ("GPT2ForSequenceClassification", .gpt2),
  ])
  func knowsTheFamilyOfAnArchitecture(name: String, family: ModelFamily) {
    #expect(ModelFamily(architecture: name) == family)
  }

  @Test(arguments: [
    "Qwen2MoeForCausalLM", "MistralForCausalLM", "Qwen3NextForCausalLM", "GPT2DoubleHeadsModel",
    "Qwen2Model", "",
  ])
  func refusesOtherArchitectures(name: String) {
    let json = qwen2(["architectures": .array([.string(name)])])
    expect(json, "architecture \(name)")
  }

  /// Each refusal: what is changed, and the words that the message must hold.
  struct Refusal: CustomTestStringConvertible, Sendable {
    let key: String
    let value: JSONValue?
    let words: [String]
    var testDescription: String { "\(key) \(words)" }
  }

  private static func fields(_ values: [(String, JSONValue)]) -> JSONValue {
    .object(values.map { JSONField(key: $0.0, value: $0.1) })
  }

  @Test(arguments: [
    Refusal(
      key: "rope_scaling", value: fields([("rope_type", .string("yarn"))]),
      words: ["rope_scaling", "\"yarn\""]),
    Refusal(
      key: "rope_scaling", value: fields([("type", .string("linear")), ("factor", .integer(2))]),
      words: ["rope_scaling", "\"linear\""]),
    Refusal(
      key: "rope_parameters", value: fields([("rope_type", .string("llama3"))]),
      words: ["rope_parameters", "\"llama3\""]),
    Refusal(
      key: "rope_scaling", value: .string("x"), words: ["rope_scaling", "an object or null"]),
    Refusal(key: "partial_rotary_factor", value: .number(0.5), words: ["partial_rotary_factor"]),
    Refusal(key: "use_sliding_window", value: .bool(true), words: ["use_sliding_window"]),
    Refusal(
      key: "layer_types",
      value: .array([.string("full_attention"), .string("sliding_attention")]),
      words: ["layer_types", "sliding_attention"]),
    Refusal(
      key: "quantization_config", value: fields([("quant_method", .string("awq"))]),
      words: ["quantization_config"]),
    Refusal(key: "attention_bias", value: .bool(true), words: ["attention_bias"]),
    Refusal(key: "mlp_bias", value: .bool(true), words: ["mlp_bias"]),
    Refusal(key: "hidden_act", value: .string("gelu"), words: ["hidden_act", "silu", "gelu"]),
    Refusal(key: "num_key_value_heads", value: .integer(4), words: ["num_key_value_heads", "6"]),
    Refusal(key: "num_attention_heads", value: .integer(7), words: ["num_attention_heads", "48"]),
    Refusal(key: "num_attention_heads", value: .integer(0), words: ["num_attention_heads"]),
    Refusal(key: "head_dim", value: .integer(7), words: ["head_dim", "even"]),
    Refusal(key: "hidden_size", value: nil, words: ["\"hidden_size\"", "found none"]),
    Refusal(key: "vocab_size", value: nil, words: ["\"vocab_size\"", "found none"]),
    Refusal(key: "num_hidden_layers", value: .null, words: ["\"num_hidden_layers\""]),
    Refusal(key: "architectures", value: nil, words: ["\"architectures\""]),
    Refusal(key: "architectures", value: .array([]), words: ["architectures", "one name"]),
    Refusal(key: "model_type", value: .string("llama"), words: ["model_type", "qwen2"]),
    Refusal(key: "hidden_size", value: .string("48"), words: ["hidden_size", "the string \"48\""]),
    Refusal(key: "hidden_size", value: .number(48.5), words: ["hidden_size", "48.5"]),
    Refusal(key: "vocab_size", value: .integer(1 << 40), words: ["vocab_size", "16777216"]),
    Refusal(key: "num_hidden_layers", value: .integer(5000), words: ["num_hidden_layers", "1024"]),
    Refusal(key: "hidden_size", value: .integer(-48), words: ["hidden_size", "-48"]),
    Refusal(key: "rms_norm_eps", value: .bool(true), words: ["rms_norm_eps", "number"]),
    Refusal(key: "rms_norm_eps", value: .integer(0), words: ["rms_norm_eps", "positive"]),
    Refusal(key: "tie_word_embeddings", value: .integer(1), words: ["tie_word_embeddings"]),
    Refusal(key: "eos_token_id", value: .string("</s>"), words: ["eos_token_id", "a token id"]),
    Refusal(key: "eos_token_id", value: .integer(100), words: ["eos_token_id", "vocab_size 100"]),
  ])
  func refuses(_ refusal: Refusal) {
    expect(qwen2([refusal.key: refusal.value]), refusal.words)
  }

  @Test(arguments: [
    Refusal(
      key: "activation_function", value: .string("relu"), words: ["activation_function", "relu"]),
    Refusal(key: "scale_attn_weights", value: .bool(false), words: ["scale_attn_weights"]),
    Refusal(
      key: "scale_attn_by_inverse_layer_idx", value: .bool(true),
      words: ["scale_attn_by_inverse_layer_idx"]),
    Refusal(key: "add_cross_attention", value: .bool(true), words: ["add_cross_attention"]),
    Refusal(key: "n_head", value: .integer(5), words: ["n_head", "48"]),
    Refusal(key: "n_positions", value: nil, words: ["n_positions"]),
  ])
  func refusesOfGPT2(_ refusal: Refusal) {
    expect(gpt2([refusal.key: refusal.value]), refusal.words)
  }

  /// Reading throws, names the file, and says every one of `words`.
  private func expect(
    _ json: JSONObject, _ words: String..., sourceLocation: SourceLocation = #_sourceLocation
  ) {
    expect(json, words, sourceLocation: sourceLocation)
  }

  private func expect(
    _ json: JSONObject, _ words: [String], sourceLocation: SourceLocation = #_sourceLocation
  ) {
    do {
      _ = try DecoderConfiguration(json)
      Issue.record("expected a refusal", sourceLocation: sourceLocation)
    } catch {
      for word in words + ["folder/config.json", "expected", "found"] {
        #expect(
          error.description.contains(word), "\(error)", sourceLocation: sourceLocation)
      }
    }
  }

  @Test(arguments: ModelFamily.allCases, [true, false])
  func whatIsWrittenReadsTheSame(family: ModelFamily, tied: Bool) throws {
    let configuration = Tiny.configuration(family, tied: tied)
    let json = configuration.json(storedAs: "bfloat16", extra: ["num_labels": .integer(1)])
    #expect(json["torch_dtype"] == .string("bfloat16"))
    #expect(json["num_labels"] == .integer(1))
    #expect(try DecoderConfiguration(JSONObject(json, path: "memory")) == configuration)
  }

  @Test func checksSequences() throws {
    let model = Tiny.model(.llama)
    try model.validate(Tiny.tokens(32))
    #expect(throws: ModelError.contextExceeded(tokens: 33, maximum: 32)) {
      try model.validate(Tiny.tokens(30), room: 3)
    }
    #expect(throws: ModelError.tokenOutOfRange(token: -1, position: 2, vocabularySize: 41)) {
      try model.logprobs(of: [1, 40, -1])
    }
    #expect(throws: ModelError.emptySequence) { try model.logprobs(of: []) }
    #expect(try model.logprobs(of: [3]).isEmpty)
  }

  @Test func badSizesTrap() async {
    await #expect(processExitsWith: .failure) {
      var configuration = Tiny.configuration(.qwen2)
      configuration.keyValueHeadCount = 3
      _ = CausalLM(configuration, seed: 1)
    }
  }
}
