import Foundation
import PlumbCheckpoints
import PlumbModels
import PlumbRecipes
import PlumbTensors
import PlumbTestSupport
import PlumbTokenizers
import Testing

/// Tokenizers and templates in the metadata of a GGUF file.
@Suite struct GGUFImportTests {
  /// A change to a good file, and what the message about it says.
  struct Refusal: Sendable, CustomTestStringConvertible {
    let key: String
    let value: GGUFBuilder.Value?
    let words: [String]
    var testDescription: String { "\(key): \(words)" }

    init(_ key: String, _ value: GGUFBuilder.Value?, _ words: [String]) {
      (self.key, self.value, self.words) = ("tokenizer.ggml.\(key)", value, words)
    }
  }

  static let refusals = [
    Refusal("model", nil, ["there is no metadata 'tokenizer.ggml.model'"]),
    Refusal("model", .text("llama"), ["tokenizer.ggml.model", "llama", "byte-level BPE"]),
    Refusal("pre", nil, ["there is no metadata 'tokenizer.ggml.pre'"]),
    Refusal("pre", .text("deepseek-llm"), ["deepseek-llm", "gpt-2, llama-bpe, qwen2, smollm"]),
    Refusal("pre", .uint32(1), ["tokenizer.ggml.pre", "a text", "an integer"]),
    Refusal("add_space_prefix", .bool(true), ["add_space_prefix", "false for smollm"]),
    Refusal("tokens", nil, ["there is no metadata 'tokenizer.ggml.tokens'"]),
    Refusal("tokens", .texts([]), ["at least one token"]),
    Refusal("tokens", .texts([String](repeating: "x", count: 400)), ["too many", "at most 297"]),
    Refusal("tokens", .int32s([1]), ["tokens", "an array of texts", "an integer each"]),
    Refusal("token_type", .int32s([1, 2]), ["token_type", "297 types", "found 2"]),
    Refusal(
      "token_type", .int32s([Int32](repeating: 9, count: 297)), ["token_type[0]", "1 to 6", "9"]),
    Refusal(
      "token_type", .int32s([Int32](repeating: 6, count: 297)), ["token_type[0]", "byte token"]),
    Refusal("merges", nil, ["there is no metadata 'tokenizer.ggml.merges'"]),
    Refusal("merges", .texts(["a b", "ab"]), ["merges[1]", "two tokens and a space", "ab"]),
    Refusal("merges", .texts(["a zzz"]), ["merges", "\"zzz\" is none"]),
    Refusal("bos_token_id", .uint32(297), ["bos_token_id", "0 to 296", "297"]),
  ]

  @Test(arguments: refusals) func isNamed(_ refusal: Refusal) throws {
    var builder = try Self.builder(of: "llama")
    builder[refusal.key] = refusal.value
    let message = try Self.failure(of: builder)
    for word in refusal.words { #expect(message?.contains(word) == true, "\(message ?? "none")") }
    #expect(message?.contains("t.gguf") == true)
  }

  @Test func theCopyOfTheFixtureIsRead() throws {
    #expect(try Self.failure(of: Self.builder(of: "llama")) == nil)
  }

  /// What llama.cpp's names mean, and the tokens that they put around a text.
  @Test func preTokenizersAreThoseOfTheirNames() throws {
    let text = "it's 1234  x\u{301}"
    let pieces: [(String, PreTokenizer, Normalization)] = [
      ("gpt-2", .gpt2, .none), ("smollm", .smolLM, .none), ("starcoder", .smolLM, .none),
      ("qwen2", .qwen2, .nfc), ("llama-bpe", .llama3, .none),
    ]
    for (name, preTokenizer, normalization) in pieces {
      var builder = try Self.builder(of: "llama")
      builder["tokenizer.ggml.pre"] = .text(name)
      builder["tokenizer.ggml.add_bos_token"] = nil
      try Self.withImport(builder) { source in
        let tokenizer = source.encoder.tokenizer
        #expect(tokenizer.preTokenizer == preTokenizer && tokenizer.normalization == normalization)
        #expect(tokenizer.prefixIDs == (name == "llama-bpe" ? [1] : []))
        #expect(
          tokenizer.decode(tokenizer.encode(text)).unicodeScalars.count == text.unicodeScalars.count
        )
      }
    }
  }

  @Test func templatesAreChosenByTheirMarkers() throws {
    let other = "{% for m in messages %}[INST] {{ m['content'] }} [/INST]{% endfor %}"
    let system = "<|im_start|>system\nYou are kind.<|im_end|>"
    let cases: [(String?, ChatTemplate, String?)] = [
      ("<|im_start|> <|im_end|>", .chatML, nil), (system, .chatML, "system message"),
      (other, .plain, "not ChatML"), (nil, .plain, "no chat template"),
    ]
    for (jinja, template, note) in cases {
      var builder = try Self.builder(of: "llama")
      builder["tokenizer.chat_template"] = jinja.map { .text($0) }
      try Self.withImport(builder) { source in
        #expect(source.encoder.template == template)
        #expect(source.notes.count == (note == nil ? 0 : 1))
        if let note { #expect(source.notes.first?.contains(note) == true) }
        // ChatML needs two ends, of the turn and of the text; plain ends as the model does.
        let end = template == .chatML ? "<|endoftext|>" : "<|im_end|>"
        #expect(source.encoder.tokenizer.token(of: source.encoder.endOfText) == end)
      }
    }
  }

  /// A chat model that pads with the end of a turn, as SmolLM2 does, becomes a folder that policies may start from.
  @Test func paddingIsNotTheEndOfATurn() throws {
    for (padding, template, expected) in [
      (2, "<|im_start|> <|im_end|>", "<|endoftext|>"), (0, "<|im_start|> <|im_end|>", nil),
    ] as [(UInt32, String, String?)] {
      var builder = try Self.builder(of: "llama")
      builder["tokenizer.chat_template"] = .text(template)
      builder["tokenizer.ggml.padding_token_id"] = .uint32(padding)
      try Self.withImport(builder) { source in
        let tokenizer = source.encoder.tokenizer
        #expect(tokenizer.token(of: 2) == "<|im_end|>")
        let found = source.model.configuration.padTokenID
        #expect(found == expected.flatMap { tokenizer.id(of: $0) } ?? Int(padding))
        #expect(source.notes.contains { $0.contains("pads with <|endoftext|>") } == (padding == 2))
      }
    }
  }

  /// Bytes of the head replaced at random: imported or refused with a reason, never fatal.
  @Test func randomDamageIsNeverFatal() throws {
    let good = try Data(contentsOf: Fixtures.url("gguf/llama/model.gguf"))
    let file = try GGUFFile(contentsOf: Fixtures.url("gguf/llama/model.gguf"))
    let head = good.count - file.tensors.reduce(0) { $0 + $1.byteCount }
    var stream = RandomStream(seed: 5, purpose: "import fuzz")
    var refused = 0
    let rounds = 1500
    try withTemporaryDirectory { folder in
      let url = folder.appending(path: "t.gguf")
      for _ in 0..<rounds {
        var data = good
        for _ in 0...stream.uniform(below: 3) {
          let place = stream.uniform(below: head)
          let values: [UInt8] = [0, 1, 0x20, 0x7F, 0xFF, UInt8(stream.uniform(below: 256))]
          data[place] = values[stream.uniform(below: values.count)]
        }
        try data.write(to: url)
        do {
          try GGUFImport(contentsOf: url).write(
            to: folder.appending(path: "out"), overwriting: true)
        } catch {
          #expect(
            error is CheckpointError || error is ModelError || error is TokenizerError, "\(error)")
          refused += 1
        }
      }
      let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
      #expect(names == ["out", "t.gguf"])
    }
    #expect(refused > rounds / 20 && refused < rounds)
  }

  /// A fixture taken apart, so that a test can change one part of it.
  static func builder(of name: String) throws -> GGUFBuilder {
    let file = try GGUFFile(contentsOf: Fixtures.url("gguf/\(name)/model.gguf"))
    var builder = GGUFBuilder()
    for key in file.keys {
      switch file.kind(of: key) ?? "" {
      case "a text": builder[key] = try file.text(key).map { .text($0) }
      case "an integer": builder[key] = try file.integer(key).map { .uint32(UInt32($0)) }
      case "a number": builder[key] = try file.number(key).map { .float32(Float($0)) }
      case "a truth value": builder[key] = try file.bool(key).map { .bool($0) }
      case let kind where kind.contains("a text"):
        builder[key] = try file.texts(key, limit: 1 << 20).map { .texts($0) }
      default:
        builder[key] = try file.integers(key, limit: 1 << 20).map { .int32s($0.map(Int32.init)) }
      }
    }
    for tensor in file.tensors {
      builder.tensors.append(
        .init(
          tensor.name, tensor.shape.reversed().map(UInt64.init),
          floats: try file.floats(of: tensor)))
    }
    return builder
  }

  static func withImport(_ builder: GGUFBuilder, _ body: (GGUFImport) throws -> Void) throws {
    try withTemporaryDirectory { folder in
      let url = folder.appending(path: "t.gguf")
      try builder.data.write(to: url)
      try body(try GGUFImport(contentsOf: url))
    }
  }

  /// The message about a file, nil if it is imported.
  private static func failure(of builder: GGUFBuilder) throws -> String? {
    do {
      try withImport(builder) { _ in }
      return nil
    } catch {
      return "\(error)"
    }
  }
}
