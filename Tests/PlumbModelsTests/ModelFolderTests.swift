import Foundation
import PlumbCheckpoints
import PlumbModels
import PlumbTensors
import PlumbTestSupport
import Testing

/// Hugging Face folders: what is written reads back, and what does not fit is named.
@Suite struct ModelFolderTests {
  @Test(arguments: ModelFamily.allCases, [true, false])
  func float32KeepsEveryBit(family: ModelFamily, tied: Bool) throws {
    let model = Tiny.model(family, tied: tied)
    try withTemporaryDirectory { directory in
      let folder = directory.appending(path: "model")
      try model.write(to: folder)
      let read = try CausalLM(directory: folder)
      #expect(read.configuration == model.configuration)
      #expect(read.parameters.layout == model.parameters.layout)
      #expect(bits(read.parameters) == bits(model.parameters))
      let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
      #expect(names == ["config.json", "generation_config.json", "model.safetensors"])
    }
  }

  @Test func bfloat16RoundsToNearestEven() throws {
    let model = Tiny.model(.qwen2)
    try withTemporaryDirectory { directory in
      try model.write(to: directory, as: .bfloat16)
      let read = try CausalLM(directory: directory)
      let expected = bits(model.parameters).map { bits -> UInt32 in
        let lower = bits & 0xFFFF
        let roundsUp = lower > 0x8000 || (lower == 0x8000 && bits & 0x10000 != 0)
        return (bits & 0xFFFF_0000) &+ (roundsUp ? 0x10000 : 0)
      }
      #expect(bits(read.parameters) == expected)
      let size = try Data(contentsOf: directory.appending(path: "model.safetensors")).count
      #expect(size < 2 * model.parameters.layout.count + 8192)
    }
  }

  @Test func float16ReadsBack() throws {
    let model = Tiny.model(.gpt2)
    try withTemporaryDirectory { directory in
      try model.write(to: directory, as: .float16)
      let read = try CausalLM(directory: directory)
      expectClose(
        scalars(read.parameters), scalars(model.parameters), absolute: 1e-7, relative: 0x1p-11)
    }
  }

  @Test func shardsReadAsOne() throws {
    let model = Tiny.model(.llama, tied: false)
    try withTemporaryDirectory { directory in
      try model.write(to: directory)
      try FileManager.default.removeItem(at: directory.appending(path: "model.safetensors"))
      try ShardedSafetensors.write(
        stored(model).map { StoredTensor($0.name, shape: $0.shape, floats: $0.values) },
        to: directory, maximumShardByteCount: 8000)
      let read = try CausalLM(directory: directory)
      #expect(bits(read.parameters) == bits(model.parameters))
    }
  }

  @Test func writingAgainKeepsOtherFiles() throws {
    try withTemporaryDirectory { directory in
      try Data("{}".utf8).write(to: directory.appending(path: "tokenizer.json"))
      try Tiny.model(.qwen2).write(to: directory)
      try Tiny.model(.qwen3).write(to: directory)
      #expect(try CausalLM(directory: directory).configuration.family == .qwen3)
      let tokenizer = directory.appending(path: "tokenizer.json")
      #expect(FileManager.default.fileExists(atPath: tokenizer.path))
    }
  }

  @Test func endTokensOfTheGenerationConfigurationWin() throws {
    try withTemporaryDirectory { directory in
      try Tiny.model(.qwen2).write(to: directory)
      try Data(#"{"eos_token_id": [7, 9], "pad_token_id": 3}"#.utf8)
        .write(to: directory.appending(path: "generation_config.json"))
      let read = try ModelFolder(directory).configuration
      #expect(read.eosTokenIDs == [7, 9])
      #expect(read.padTokenID == 3)
    }
  }

  @Test func harmlessExtrasAreLeftAside() throws {
    let gpt2 = Tiny.model(.gpt2)
    try withFolder(gpt2) { tensors in
      tensors.append(
        ("transformer.h.0.attn.bias", [1, 1, 32, 32], .init(repeating: 1, count: 1024)))
      tensors.append(("transformer.h.1.attn.masked_bias", [], [-1e4]))
      tensors.append(("lm_head.weight", [41, 24], .init(repeating: 0, count: 41 * 24)))
    } check: { folder in
      let read = try CausalLM(directory: folder)
      #expect(bits(read.parameters) == bits(gpt2.parameters))
    }
    let llama = Tiny.model(.llama)
    try withFolder(llama) { tensors in
      tensors.append(("model.layers.1.self_attn.rotary_emb.inv_freq", [3], [1, 0.1, 0.01]))
    } check: { folder in
      let read = try CausalLM(directory: folder)
      #expect(bits(read.parameters) == bits(llama.parameters))
    }
  }

  @Test func gpt2WithoutPrefix() throws {
    let model = Tiny.model(.gpt2)
    try withFolder(model) { tensors in
      tensors = tensors.map {
        ($0.name.replacing("transformer.", with: ""), $0.shape, $0.values)
      }
      tensors.append(("h.0.attn.bias", [2, 2], [1, 0, 1, 1]))
    } check: { folder in
      let read = try CausalLM(directory: folder)
      #expect(bits(read.parameters) == bits(model.parameters))
    }
  }

  @Test func tensorsThatDoNotFitAreNamed() throws {
    try withFolder(Tiny.model(.qwen2)) { tensors in
      tensors.removeAll { $0.name == "model.norm.weight" }
      tensors.append(("model.layers.2.mlp.up_proj.weight", [2, 3], .init(repeating: 0, count: 6)))
      if let at = tensors.firstIndex(where: { $0.name == "model.layers.0.self_attn.k_proj.bias" }) {
        tensors[at] = (tensors[at].name, [3, 4], tensors[at].values)
      }
    } check: { folder in
      let expected = ModelError.tensorMismatch(
        path: folder.path,
        problems: [
          .shape(name: "model.layers.0.self_attn.k_proj.bias", expected: [12], found: [3, 4]),
          .missing(name: "model.norm.weight", expected: [24]),
          .unexpected(name: "model.layers.2.mlp.up_proj.weight", found: [2, 3]),
        ])
      #expect(throws: expected) { try CausalLM(directory: folder) }
      let text = expected.description
      #expect(text.contains("model.norm.weight: expected a tensor of shape [24], found none"))
      #expect(text.contains("expected shape [12], found [3, 4]"))
      #expect(text.contains("expected no such tensor, found one of shape [2, 3]"))
    }
  }

  @Test func anUntiedHeadMustBeThere() throws {
    try withFolder(Tiny.model(.llama, tied: false)) { tensors in
      tensors.removeAll { $0.name == "lm_head.weight" }
    } check: { folder in
      let expected = ModelError.tensorMismatch(
        path: folder.path, problems: [.missing(name: "lm_head.weight", expected: [41, 24])])
      #expect(throws: expected) { try CausalLM(directory: folder) }
    }
  }

  @Test func missingFilesAreNamed() throws {
    try withTemporaryDirectory { directory in
      let absent = #expect(throws: CheckpointError.self) { try CausalLM(directory: directory) }
      #expect(absent?.description.contains("config.json") == true)
      try Tiny.model(.qwen2).write(to: directory)
      try FileManager.default.removeItem(at: directory.appending(path: "model.safetensors"))
      let noWeights = #expect(throws: CheckpointError.self) { try CausalLM(directory: directory) }
      #expect(noWeights?.description.contains("model.safetensors") == true)
      try Data("[1]".utf8).write(to: directory.appending(path: "config.json"))
      #expect(throws: ModelError.self) { try CausalLM(directory: directory) }
      try Data("{\n\"a\": }".utf8).write(to: directory.appending(path: "config.json"))
      let broken = #expect(throws: CheckpointError.self) { try CausalLM(directory: directory) }
      #expect(broken?.description.contains("line 2") == true)
    }
  }

  @Test func aFolderThatCannotBeWrittenLeavesNothing() throws {
    try withTemporaryDirectory { directory in
      let file = directory.appending(path: "file")
      try Data("x".utf8).write(to: file)
      let error = #expect(throws: CheckpointError.self) {
        try Tiny.model(.qwen2).write(to: file.appending(path: "model"))
      }
      #expect(error?.description.contains(file.path) == true)
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["file"])
    }
  }

  @Test func freshHeadsStartFromTheSeed() throws {
    try withTemporaryDirectory { directory in
      let model = Tiny.model(.qwen2)
      try model.write(to: directory)
      var layout = ParameterLayout()
      let folder = try ModelFolder(directory)
      _ = Decoder(folder.configuration, declaringIn: &layout, outputHead: false)
      let head = layout.add("score.weight", [1, 24], .normal(standardDeviation: 1))
      let one = try folder.load(layout, initializing: ["score.weight"], seed: 1)
      let same = try folder.load(layout, initializing: ["score.weight"], seed: 1)
      let other = try folder.load(layout, initializing: ["score.weight"], seed: 2)
      #expect(one.values(of: head) == same.values(of: head))
      #expect(one.values(of: head) != other.values(of: head))
      let embedding = try #require(layout.id(named: "model.embed_tokens.weight"))
      #expect(one.values(of: embedding) == other.values(of: embedding))
    }
  }

  @Test(arguments: ModelFamily.allCases)
  func initialization(family: ModelFamily) throws {
    let model = CausalLM(Tiny.configuration(family), seed: 5)
    #expect(
      bits(model.parameters) == bits(CausalLM(Tiny.configuration(family), seed: 5).parameters))
    for entry in model.parameters.layout.entries {
      let id = try #require(model.parameters.layout.id(named: entry.name))
      let values = model.parameters.values(of: id)
      let spread = (values.reduce(0) { $0 + $1 * $1 } / Float(values.count)).squareRoot()
      let writesResidual = ["o_proj.weight", "down_proj.weight", "c_proj.weight"]
        .contains { entry.name.hasSuffix($0) }
      switch entry.initialization {
      case .ones: #expect(values.allSatisfy { $0 == 1 }, "\(entry.name)")
      case .zeros: #expect(values.allSatisfy { $0 == 0 }, "\(entry.name)")
      case .uniform: Issue.record("no weight of a decoder is uniform: \(entry.name)")
      case .normal:
        expectClose(
          spread, writesResidual ? 0.01 : 0.02, absolute: 0, relative: 0.15, entry.name)
      }
    }
  }

  // MARK: - Helpers

  private typealias Stored = [(name: String, shape: [Int], values: [Float])]

  private func stored(_ model: CausalLM) -> Stored {
    let layout = model.parameters.layout
    return layout.entries.compactMap { entry in
      layout.id(named: entry.name).map {
        (entry.name, entry.shape.extents, model.parameters.values(of: $0))
      }
    }
  }

  /// Writes a model with its tensors changed by `edit` and hands over the folder.
  private func withFolder(
    _ model: CausalLM, edit: (inout Stored) -> Void, check: (URL) throws -> Void
  ) throws {
    try withTemporaryDirectory { directory in
      try model.write(to: directory)
      var tensors = stored(model)
      edit(&tensors)
      try Safetensors.write(tensors, to: directory.appending(path: "model.safetensors"))
      try check(directory)
    }
  }

  private func scalars(_ parameters: ParameterBlock) -> [Float] {
    parameters.withSpan { span in span.indices.map { span[$0] } }
  }

  private func bits(_ parameters: ParameterBlock) -> [UInt32] {
    scalars(parameters).map(\.bitPattern)
  }
}
