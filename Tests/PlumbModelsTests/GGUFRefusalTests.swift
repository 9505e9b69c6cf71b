import Foundation
import PlumbCheckpoints
import PlumbModels
import PlumbTestSupport
import Testing

/// GGUF files whose container is sound, but whose model is not one of ours.
@Suite struct GGUFRefusalTests {
  /// A change to a good file, and what the message about it says.
  struct Refusal: Sendable, CustomTestStringConvertible {
    let id: String
    let words: [String]
    let apply: @Sendable (inout GGUFBuilder) -> Void
    var testDescription: String { id }

    init(
      _ id: String, _ words: [String], _ apply: @escaping @Sendable (inout GGUFBuilder) -> Void
    ) {
      (self.id, self.words, self.apply) = (id, words, apply)
    }
  }

  /// A key of the good file with another value.
  static func value(
    _ key: String, _ value: @autoclosure @escaping @Sendable () -> GGUFBuilder.Value?,
    _ words: [String]
  ) -> Refusal {
    Refusal("\(key): \(words)", words) { $0[key] = value() }
  }

  static let metadata: [Refusal] = [
    value("general.architecture", nil, ["general.architecture", "found none"]),
    value("general.architecture", .text("mamba2"), ["mamba2", "llama, qwen2, qwen3"]),
    value("general.architecture", .uint32(1), ["general.architecture", "a text", "an integer"]),
    value("general.type", .text("adapter"), ["general.type", "adapter"]),
    value("split.count", .uint32(3), ["split.count", "3"]),
    value("llama.block_count", nil, ["llama.block_count", "found none"]),
    value("llama.block_count", .uint32(0), ["llama.block_count", "found 0"]),
    value("llama.block_count", .uint32(5000), ["num_hidden_layers", "1024"]),
    value("llama.block_count", .uint32(2), ["blk.1.attn_norm.weight", "found none"]),
    value("llama.block_count", .uint32(1024), ["and 9199 more"]),
    value("llama.embedding_length", .uint32(16), ["token_embd.weight", "[6, 16]", "[6, 8]"]),
    value("llama.embedding_length", .uint32(9), ["attention.head_count", "a divisor"]),
    value("llama.embedding_length", .uint32(1 << 30), ["embedding_length", "16777216"]),
    value(
      "llama.feed_forward_length", .int32s([8]), ["feed_forward_length", "an integer", "array"]),
    value("llama.attention.head_count", .uint32(0), ["head_count", "found 0"]),
    value("llama.attention.head_count_kv", .uint32(3), ["num_key_value_heads"]),
    value("llama.attention.layer_norm_rms_epsilon", .float32(.nan), ["rms_epsilon", "positive"]),
    value("llama.rope.freq_base", .float32(-1), ["freq_base", "positive"]),
    value("llama.rope.freq_base", .text("1"), ["freq_base", "a number", "a text"]),
    value("llama.rope.dimension_count", .uint32(2), ["rope.dimension_count", "found 2"]),
    value(
      "llama.rope.scaling.type", .text("yarn"), ["rope.scaling.type", "rotary scaling", "yarn"]),
    value("llama.rope.scaling.factor", .float32(4), ["rope.scaling.factor", "4"]),
    value("llama.attention.value_length", .uint32(2), ["value_length", "width of a head"]),
    value("llama.attention.sliding_window", .uint32(4), ["sliding_window", "4"]),
    value("llama.attention.causal", .bool(false), ["attention.causal"]),
    value("llama.expert_count", .uint32(8), ["expert_count", "mixture"]),
    value("llama.logit_scale", .float32(2), ["llama.logit_scale", "not supported"]),
    value("llama.vocab_size", .uint32(7), ["vocab_size", "6", "7"]),
    value("tokenizer.ggml.eos_token_id", .uint32(6), ["eos_token_id", "0 to 5", "6"]),
  ]

  static let tensors: [Refusal] = [
    Refusal("no embedding", ["there is no tensor 'token_embd.weight'"]) {
      $0.tensors.removeFirst()
    },
    Refusal("a bias that llama lacks", ["blk.0.attn_q.bias", "no such tensor"]) {
      $0.tensors.append(.init("blk.0.attn_q.bias", [8], floats: .init(repeating: 0, count: 8)))
    },
    Refusal("rotary factors", ["rope_freqs.weight", "rotary scaling"]) {
      $0.tensors.append(.init("rope_freqs.weight", [2], floats: [1, 8]))
    },
    Refusal("a transposed matrix", ["blk.0.ffn_down.weight", "[8, 12]", "[12, 8]"]) {
      let place = $0.tensors.firstIndex { $0.name == "blk.0.ffn_down.weight" } ?? 0
      $0.tensors[place].extents.reverse()
    },
    Refusal("NaN", ["blk.0.attn_q.weight", "finite", "nan"]) {
      let place = $0.tensors.firstIndex { $0.name == "blk.0.attn_q.weight" } ?? 0
      $0.tensors[place].data.replaceSubrange(40..<44, with: little(Float.nan.bitPattern))
    },
    Refusal("too large for half precision", ["output_norm.weight", "float16", "70000"]) {
      let place = $0.tensors.firstIndex { $0.name == "output_norm.weight" } ?? 0
      $0.tensors[place].data.replaceSubrange(0..<4, with: little(Float(70_000).bitPattern))
    },
  ]

  /// A llama of one layer.
  static var good: GGUFBuilder {
    var builder = GGUFBuilder()
    builder["general.architecture"] = .text("llama")
    let sizes: [(String, UInt32)] = [
      ("block_count", 1), ("context_length", 16), ("embedding_length", 8),
      ("feed_forward_length", 12), ("attention.head_count", 2), ("attention.head_count_kv", 1),
    ]
    for (key, size) in sizes { builder["llama.\(key)"] = .uint32(size) }
    builder["llama.attention.layer_norm_rms_epsilon"] = .float32(1e-5)
    func add(_ name: String, _ extents: UInt64...) {
      let count = Int(extents.reduce(1, *))
      builder.tensors.append(
        .init("\(name).weight", extents, floats: (0..<count).map { Float($0 % 7) / 8 }))
    }
    add("token_embd", 8, 6)
    for norm in ["output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"] { add(norm, 8) }
    for name in ["blk.0.attn_q", "blk.0.attn_output"] { add(name, 8, 8) }
    for name in ["blk.0.attn_k", "blk.0.attn_v"] { add(name, 8, 4) }
    for name in ["blk.0.ffn_gate", "blk.0.ffn_up"] { add(name, 8, 12) }
    add("blk.0.ffn_down", 12, 8)
    return builder
  }

  @Test(arguments: metadata + tensors) func isNamed(_ refusal: Refusal) throws {
    var builder = Self.good
    refusal.apply(&builder)
    let message = try Self.failure(of: builder)
    for word in refusal.words { #expect(message?.contains(word) == true, "\(message ?? "none")") }
    #expect(message?.contains("t.gguf") == true, "\(message ?? "none")")
  }

  /// Keys that say that nothing is to be done, and factors of 1, change nothing.
  @Test func neutralValuesPass() throws {
    var builder = Self.good
    builder["general.type"] = .text("model")
    builder["llama.rope.scaling.type"] = .text("none")
    builder["llama.rope.scaling.factor"] = .float32(1)
    builder["llama.rope.dimension_count"] = .uint32(4)
    builder["llama.attention.key_length"] = .uint32(4)
    builder["llama.attention.sliding_window"] = .uint32(16)
    builder["llama.attention.causal"] = .bool(true)
    builder["llama.expert_count"] = .uint32(0)
    builder["llama.use_parallel_residual"] = .bool(false)
    builder["llama.tensor_data_layout"] = .text("Meta AI original pth")
    builder.tensors.append(.init("rope_freqs.weight", [2], floats: [1, 1]))
    #expect(try Self.failure(of: builder) == nil)
  }

  /// The message about a file, nil if it becomes a folder that loads.
  private static func failure(of builder: GGUFBuilder) throws -> String? {
    try withTemporaryDirectory { folder in
      let url = folder.appending(path: "t.gguf")
      try builder.data.write(to: url)
      do {
        try GGUFModel(GGUFFile(contentsOf: url)).write(to: folder, as: .float16)
        _ = try CausalLM(directory: folder)
        return nil
      } catch {
        #expect(error is ModelError || error is CheckpointError)
        return "\(error)"
      }
    }
  }
}
