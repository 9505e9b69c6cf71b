import Foundation
import PlumbCheckpoints
import PlumbModels
import PlumbTestSupport
import PlumbTokenizers
import Testing

/// `plumb model import`, from the file to the folder that the other commands read.
@Suite struct ModelImportTests {
  static let files =
    ["config.json", "generation_config.json", "model.safetensors"]
    + ["tokenizer.json", "tokenizer_config.json"]

  static func fixture(_ name: String) -> String {
    Fixtures.url("gguf/\(name)/model.gguf").path
  }

  @Test(arguments: ["llama", "qwen2", "qwen3"]) func givesAFolderThatEverythingReads(
    name: String
  ) throws {
    try withTemporaryDirectory { folder in
      let output = folder.appending(path: "made/on/the/way").path
      let result = try Program.run(
        ["model", "import", Self.fixture(name), "--output", output])
      #expect(result.status == 0, "\(result.errors)")
      let template = name == "qwen3" ? "plain" : "chatml"
      for word in ["parameters", "stored as float32", "template   \(template)", output] {
        #expect(result.output.contains(word), "\(result.output)")
      }
      #expect(result.output.contains("no chat template") == (name == "qwen3"))
      #expect(try names(URL(filePath: output)) == Self.files)
      #expect(try names(URL(filePath: output).deletingLastPathComponent()) == ["way"])

      // The ids of tokenizers, and log-probs that follow from transformers' logits.
      let expected = try JSONFile.read(Fixtures.url("gguf/\(name)/expected.json"))
      let cases = try #require(expected["cases"]?.array)
      let ids = try Program.run(
        ["tokenize", "--tokenizer", output],
        input: lines(cases.map { $0.serialized(keeping: "text") })
      ).rows().map { try #require($0["ids"]).integers }
      #expect(ids == cases.compactMap { $0["ids"]?.integers })
      let numbers = try SafetensorsFile(
        contentsOf: Fixtures.url("gguf/\(name)/expected.safetensors"))
      let tokens = try numbers.integers(named: "input_ids")
      let found = try Program.run(
        ["logprobs", "--model", output], input: row("tokens", tokens) + "\n"
      ).rows()
      let logits = try numbers.floats(named: "logits").map(Double.init)
      expectClose(
        try #require(found.first?["logprobs"]).numbers, logprobs(logits, tokens), absolute: 5e-5,
        relative: 1e-5)

      let encoder = try ConversationEncoder.load(from: URL(filePath: output))
      #expect(encoder.template.rawValue == template)
      #expect(encoder.tokenizer.token(of: encoder.endOfText) == "<|endoftext|>")
      #expect(encoder.tokenizer.isSpecial(1))
      let tool = try #require(encoder.tokenizer.id(of: "<tool>"))
      #expect(!encoder.tokenizer.isSpecial(tool))
      #expect(encoder.tokenizer.encode("a<tool>").last == tool)
      // Rows of the embedding that no token has stay without one.
      #expect(encoder.tokenizer.vocabularySize == tool + 1)
      let model = try ModelFolder(URL(filePath: output))
      #expect(model.configuration.vocabularySize == tool + 7)
    }
  }

  @Test func numbersAreStoredAsAskedFor() throws {
    try withTemporaryDirectory { folder in
      for type in ["float32", "bfloat16", "float16"] {
        let output = folder.appending(path: type)
        let result = try Program.run(
          ["model", "import", Self.fixture("llama"), "--output", output.path, "--type", type])
        #expect(result.output.contains("stored as \(type)"), "\(result.errors)")
        let json = try JSONFile.read(output.appending(path: "config.json"))
        #expect(json["torch_dtype"]?.string == type)
        _ = try CausalLM(directory: output)
      }
    }
  }

  @Test func aTakenFolderIsRefused() throws {
    try withTemporaryDirectory { folder in
      let output = folder.appending(path: "model", directoryHint: .isDirectory)
      let arguments = ["model", "import", Self.fixture("llama"), "--output", output.path]
      try FileManager.default.createDirectory(at: output, withIntermediateDirectories: true)
      #expect(try Program.run(arguments).status == 0, "an empty folder is free")
      let before = try names(output)

      let refused = try Program.run(arguments)
      #expect(refused.status == 1 && refused.output.isEmpty)
      #expect(refused.errors.contains("--overwrite"), "\(refused.errors)")

      try Data().write(to: output.appending(path: "config.json"))
      #expect(try Program.run(arguments + ["--overwrite"]).status == 0)
      #expect(try names(output) == before)
      _ = try CausalLM(directory: output)

      try Data().write(to: output.appending(path: "thesis.txt"))
      let kept = try Program.run(arguments + ["--overwrite"])
      #expect(kept.status == 1 && kept.errors.contains("thesis.txt"), "\(kept.errors)")
      #expect(try names(output) == (before + ["thesis.txt"]).sorted())
      #expect(try names(folder) == ["model"])
    }
  }

  /// A failure while the numbers are written: the folders on the way go too.
  @Test func aFailureLeavesNothingBehind() throws {
    try withTemporaryDirectory { folder in
      var bytes = try Data(contentsOf: URL(filePath: Self.fixture("llama")))
      // The last tensor begins with a scale, which becomes infinite; the file ends with padding.
      let file = try GGUFFile(contentsOf: URL(filePath: Self.fixture("llama")))
      let last = try #require(file.tensors.last)
      let start = bytes.count - (last.byteCount + 31) / 32 * 32
      bytes.replaceSubrange(start..<start + 2, with: [0, 0x7C])
      let damaged = folder.appending(path: "t.gguf")
      try bytes.write(to: damaged)
      let result = try Program.run(
        ["model", "import", damaged.path, "--output", folder.appending(path: "a/b").path])
      #expect(result.status == 1 && result.output.isEmpty)
      #expect(result.errors.contains("\(last.name)"), "\(result.errors)")
      #expect(result.errors.contains("finite numbers"), "\(result.errors)")
      #expect(try names(folder) == ["t.gguf"])
    }
  }

  @Test func mistakesAreNamed() throws {
    try withTemporaryDirectory { folder in
      let output = folder.appending(path: "out").path
      let cut = folder.appending(path: "cut.gguf")
      try Data(contentsOf: URL(filePath: Self.fixture("llama"))).dropLast(1000).write(to: cut)
      let cases: [(arguments: [String], status: Int32, words: [String])] = [
        (["no-such.gguf", "--output", output], 1, ["no-such.gguf", "No such file"]),
        (["Package.swift", "--output", output], 1, ["Package.swift", "no GGUF file", "\"// s\""]),
        (["Tests", "--output", output], 1, ["Tests", "a directory"]),
        ([cut.path, "--output", output], 1, ["cut.gguf", "ends behind the file"]),
        ([Self.fixture("llama"), "--output", cut.path], 1, ["cut.gguf", "the folder is taken"]),
        ([Self.fixture("llama")], 64, ["--output"]),
        ([Self.fixture("llama"), "--output", ""], 64, ["--output", "a folder"]),
        ([Self.fixture("llama"), "--output", output, "--type", "int8"], 64, ["int8", "bfloat16"]),
      ]
      for (arguments, status, words) in cases {
        let result = try Program.run(["model", "import"] + arguments)
        #expect(result.status == status && result.output.isEmpty, "\(arguments): \(result.errors)")
        for word in words { #expect(result.errors.contains(word), "\(result.errors)") }
        #expect(!FileManager.default.fileExists(atPath: output))
      }
    }
  }

  private func names(_ folder: URL) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
  }

  /// Log-probabilities of tokens 2…n from all logits.
  private func logprobs(_ logits: [Double], _ tokens: [Int]) -> [Double] {
    let width = logits.count / tokens.count
    return (1..<tokens.count).map { place in
      let row = logits[(place - 1) * width..<place * width]
      let largest = row.max() ?? 0
      let sum = row.reduce(0) { $0 + exp($1 - largest) }
      return logits[(place - 1) * width + tokens[place]] - largest - log(sum)
    }
  }
}

extension JSONValue {
  /// One key of an object, as an object of its own.
  func serialized(keeping key: String) -> String {
    JSONValue.object([JSONField(key: key, value: self[key] ?? .null)]).serialized()
  }
}
