import Foundation
import PlumbCheckpoints
import PlumbTestSupport
import Testing

@Suite struct GGUFFileTests {
  @Test func readsWhatThePackageWrote() throws {
    let file = try GGUFFile(contentsOf: Fixtures.url("gguf/llama/model.gguf"))
    #expect(file.version == 3)
    #expect(try file.text("general.architecture") == "llama")
    #expect(try file.integer("llama.block_count") == 2)
    #expect(try file.number("llama.attention.layer_norm_rms_epsilon") == 1e-5)
    #expect(try file.number("llama.rope.freq_base") == 100_000)
    #expect(try file.bool("tokenizer.ggml.add_bos_token") == false)
    let tokens = try #require(try file.texts("tokenizer.ggml.tokens", limit: 1000))
    #expect(tokens.prefix(3) == ["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    let types = try #require(try file.integers("tokenizer.ggml.token_type", limit: 1000))
    #expect(types.count == tokens.count && types[0] == 3 && types.last == 5)
    #expect(file.kind(of: "tokenizer.ggml.merges")?.hasPrefix("an array of ") == true)
    #expect(file.kind(of: "no.such.key") == nil)
    #expect(try file.text("no.such.key") == nil)
    #expect(file.keys.contains("general.name") && file.keys == file.keys.sorted())
    let embedding = try #require(file.tensors.first { $0.name == "token_embd.weight" })
    #expect(embedding.shape == [tokens.count, 32] && embedding.type == .q8_0)
    #expect(embedding.byteCount == tokens.count * 34)
    let gate = try #require(file.tensors.first { $0.name == "blk.1.ffn_gate.weight" })
    #expect(gate.shape == [64, 32])
  }

  @Test func everyTypeOfMetadataIsRead() throws {
    var builder = GGUFBuilder()
    let integers: [(UInt32, [UInt8], Int)] = [
      (0, [200], 200), (1, [200], -56), (2, little(UInt16(65_535)), 65_535),
      (3, little(Int16(-2)), -2), (4, little(UInt32.max), 4_294_967_295),
      (5, little(Int32(-7)), -7),
      (10, little(UInt64(1) << 40), 1 << 40), (11, little(Int64.min), .min),
    ]
    for (type, bytes, _) in integers {
      builder["integer.\(type)"] = .init(type: type, bytes: bytes)
      builder["list.\(type)"] = .init(
        type: 9, bytes: little(type) + little(UInt64(2)) + bytes + bytes)
    }
    builder["double"] = .init(type: 12, bytes: little((0.1).bitPattern))
    builder["text"] = .text("wert ü")
    builder["none"] = .texts([])
    builder["long"] = .text(String(repeating: "a", count: 200_000))
    let file = try open(builder)
    for (type, _, value) in integers {
      #expect(try file.integer("integer.\(type)") == value)
      #expect(try file.number("integer.\(type)") == Double(value))
      #expect(try file.integers("list.\(type)", limit: 2) == [value, value])
    }
    #expect(try file.number("double") == 0.1)
    #expect(try file.text("text") == "wert ü")
    #expect(try file.texts("none", limit: 0) == [])
    #expect(try file.text("long")?.count == 200_000)
    for ask in [
      { _ = try file.text("long", limit: 1000) }, { _ = try file.integers("list.0", limit: 1) },
    ] as [() throws -> Void] {
      let error = checkpointError { try ask() }
      #expect(error?.kind == .unsupported)
    }
    for ask in [
      { _ = try file.integer("text") }, { _ = try file.text("double") },
      { _ = try file.bool("integer.0") }, { _ = try file.texts("list.0", limit: 9) },
      { _ = try file.integers("none", limit: 9) }, { _ = try file.number("none") },
    ] as [() throws -> Void] {
      let error = checkpointError { try ask() }
      #expect(error?.kind == .mismatch)
    }
  }

  @Test func alignmentAndVersionTwoAreRead() throws {
    var builder = GGUFBuilder()
    builder.version = 2
    builder.alignment = 8
    builder["general.alignment"] = .uint32(8)
    builder.tensors = [
      .init("a", [3], floats: [1, 2, 3]), .init("b", [1, 2, 3], floats: [4, 5, 6, 7, 8, 9]),
    ]
    let file = try open(builder)
    #expect(file.version == 2)
    let values = try file.tensors.map { try file.floats(of: $0) }
    #expect(values == [[1, 2, 3], [4, 5, 6, 7, 8, 9]])
    #expect(file.tensors[1].shape == [3, 2, 1])
  }

  /// The file, which can be read as long as it is open.
  private func open(_ builder: GGUFBuilder) throws -> GGUFFile {
    try withTemporaryDirectory { folder in
      let url = folder.appending(path: "t.gguf")
      try builder.data.write(to: url)
      return try GGUFFile(contentsOf: url)
    }
  }
}
