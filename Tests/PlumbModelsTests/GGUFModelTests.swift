import Foundation
import PlumbCheckpoints
import PlumbTensors
import PlumbTestSupport
import Testing

@testable import PlumbModels

/// Models in GGUF files against transformers (`Tests/Fixtures/gguf/make_gguf.py`).
@Suite struct GGUFModelTests {
  static let names = ["llama", "qwen2", "qwen3"]

  /// The logits of the folder that the file becomes; where rows of `llama` stayed in pairs, they
  /// would be others.
  @Test(arguments: names) func logitsAreThoseOfTransformers(name: String) throws {
    try withTemporaryDirectory { folder in
      try Self.model(name).write(to: folder)
      let model = try CausalLM(directory: folder)
      let expected = try SafetensorsFile(
        contentsOf: Fixtures.url("gguf/\(name)/expected.safetensors"))
      let tokens = try expected.integers(named: "input_ids").map(Int32.init)
      expectClose(
        model.logits(tokens: tokens, layout: PackedLayout(lengths: [tokens.count])).scalars,
        try expected.floats(named: "logits"), absolute: 2e-5, relative: 1e-5)
    }
  }

  @Test func configurationsAreRead() throws {
    let llama = try Self.model("llama").configuration
    #expect(llama.family == .llama && llama.vocabularySize == 297)
    #expect(llama.hiddenSize == 32 && llama.intermediateSize == 64 && llama.layerCount == 2)
    #expect(llama.headCount == 4 && llama.keyValueHeadCount == 2 && llama.headDimension == 8)
    #expect(llama.maximumPositions == 64)
    #expect(llama.ropeBase == 100_000 && llama.normEpsilon == 1e-5 && !llama.tiesEmbeddings)
    #expect(llama.bosTokenID == 1 && llama.eosTokenIDs == [2] && llama.padTokenID == 0)
    let qwen3 = try Self.model("qwen3").configuration
    #expect(qwen3.family == .qwen3 && qwen3.headDimension == 16 && qwen3.tiesEmbeddings)
    #expect(qwen3.eosTokenIDs == [0])
  }

  /// The numbers of the folder are those of the file, rounded as asked for.
  @Test(arguments: [ElementType.float32, .float16, .bfloat16])
  func numbersAreKept(type: ElementType) throws {
    try withTemporaryDirectory { folder in
      let model = try Self.model("qwen2")
      try model.write(to: folder, as: type)
      let written = try SafetensorsFile(contentsOf: folder.appending(path: "model.safetensors"))
      #expect(written.names.count == model.sources.count)
      for source in model.sources {
        let exact = try model.file.floats(of: source.tensor)
        let expected: [Float] =
          switch type {
          case .float16: exact.map { HalfPrecision.float(float16: HalfPrecision.float16($0)) }
          case .bfloat16: exact.map { HalfPrecision.float(bfloat16: HalfPrecision.bfloat16($0)) }
          default: exact
          }
        #expect(written.type(of: source.name) == type)
        #expect(try written.floats(named: source.name, shape: source.shape) == expected)
      }
    }
  }

  /// Rows in pairs against the converter's own words: reshape to [heads, 2, hd/2], swap, flatten.
  @Test func unpairingUndoesTheConverter() {
    withEvery("heads", in: [1, 2, 5]) { heads in
      withEvery("half", in: [1, 2, 4]) { half in
        let columns = 3
        let rows = heads * 2 * half
        let original = (0..<rows * columns).map(Float.init)
        var stored: [Float] = []
        for head in 0..<heads {
          for index in 0..<half {
            for part in 0..<2 {
              let row = (head * 2 + part) * half + index
              stored += original[row * columns..<(row + 1) * columns]
            }
          }
        }
        let found = GGUFModel.unpaired(stored, headRows: 2 * half, columnCount: columns)
        #expect(found == original)
      }
    }
  }

  @Test func progressIsTold() throws {
    struct Stop: Error {}
    let model = try Self.model("llama")
    try withTemporaryDirectory { folder in
      var told: [Int] = []
      try model.write(to: folder) { told.append($0) }
      #expect(told.last == model.parameterCount && told == told.sorted())
    }
    try withTemporaryDirectory { folder in
      #expect(throws: Stop.self) { try model.write(to: folder) { _ in throw Stop() } }
      let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      #expect(names.isEmpty)
    }
  }

  static func model(_ name: String) throws -> GGUFModel {
    try GGUFModel(GGUFFile(contentsOf: Fixtures.url("gguf/\(name)/model.gguf")))
  }
}
