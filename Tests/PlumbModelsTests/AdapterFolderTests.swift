import Foundation
import PlumbCheckpoints
import PlumbModels
import PlumbTensors
import PlumbTestSupport
import Testing

/// Adapters on disk in peft's layout: round trips, and everything that is refused.
@Suite struct AdapterFolderTests {
  /// A base folder `base` and an adapter folder `adapter` beside it.
  func withFolders(_ body: (_ base: URL, _ adapter: URL, CausalLM) throws -> Void) throws {
    try withTemporaryDirectory { folder in
      let base = folder.appending(path: "base", directoryHint: .isDirectory)
      let directory = folder.appending(path: "adapter", directoryHint: .isDirectory)
      var model = try LoRATests.adapted(.qwen2)
      try model.withoutAdapter.write(to: base)
      var adapter = try #require(model.adapter)
      adapter.base = base
      model.adapter = adapter
      try model.write(to: directory)
      try body(base, directory, model)
    }
  }

  /// Changes `adapter_config.json` and returns the sentence that loading ends with.
  func refusal(_ changes: [String: JSONValue]) throws -> String {
    var text = ""
    try withFolders { _, directory, _ in
      let url = directory.appending(path: "adapter_config.json")
      var fields = try #require(JSONFile.read(url).object).filter { changes[$0.key] == nil }
      fields += changes.map { JSONField(key: $0.key, value: $0.value) }
      try AtomicFile.write(JSONValue.object(fields).serialized(), to: url)
      do {
        _ = try CausalLM(directory: directory)
        Issue.record("nothing was refused")
      } catch {
        text = "\(error)"
      }
    }
    return text
  }

  @Test func aRoundTripKeepsTheBitsAndWritesOnlyTheAdapter() throws {
    try withFolders { base, directory, model in
      let files = try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted()
      #expect(files == ["adapter_config.json", "adapter_model.safetensors"])
      let json = try JSONFile.read(directory.appending(path: "adapter_config.json"))
      #expect(json["base_model_name_or_path"]?.string == "../base")
      let found = try CausalLM(directory: directory)
      #expect(LoRATests.logits(found) == LoRATests.logits(model))
      #expect(found.adapter?.base?.path == base.standardizedFileURL.path)
      // Moved together, they still find each other; alone, the base must be given.
      let moved = directory.deletingLastPathComponent().appending(path: "deeper/adapter")
      try FileManager.default.createDirectory(
        at: moved.deletingLastPathComponent(), withIntermediateDirectories: true)
      try FileManager.default.moveItem(at: directory, to: moved)
      let error = #expect(throws: LoRAError.self) { try CausalLM(directory: moved) }
      #expect(error?.description.contains("found '../base' (looked in") == true)
      #expect(error?.description.contains("--base") == true)
      let given = try CausalLM(directory: moved, base: base)
      #expect(LoRATests.logits(given) == LoRATests.logits(model))
    }
  }

  @Test func aBaseElsewhereIsNamedByItsAbsolutePath() throws {
    try withFolders { base, directory, model in
      let deeper = directory.appending(path: "deeper")
      try model.write(to: deeper)
      let json = try JSONFile.read(deeper.appending(path: "adapter_config.json"))
      #expect(json["base_model_name_or_path"]?.string == base.standardizedFileURL.path)
    }
  }

  @Test func featuresOfPeftThatAreNotImplementedAreRefusedByName() throws {
    let cases: [(String, JSONValue)] = [
      ("use_dora", .bool(true)), ("bias", .string("all")),
      ("modules_to_save", .array([.string("lm_head")])),
      ("rank_pattern", .object([JSONField(key: "q_proj", value: .integer(4))])),
      ("alpha_pattern", .object([JSONField(key: "q_proj", value: .integer(4))])),
      ("layers_to_transform", .array([.integer(0)])), ("use_qalora", .bool(true)),
      ("layer_replication", .array([.array([.integer(0), .integer(2)])])),
      ("peft_type", .string("IA3")), ("task_type", .string("SEQ_CLS")),
      ("init_lora_weights", .string("pissa")), ("something_new", .bool(true)),
      ("target_modules", .string(".*_proj")), ("target_modules", .array([])),
      ("r", .string("8")), ("lora_alpha", .integer(-1)),
    ]
    for (key, value) in cases {
      let text = try refusal([key: value])
      #expect(text.contains("\"\(key)\""), "\(text)")
      #expect(text.contains("adapter_config.json") && text.contains("expected"), "\(text)")
    }
  }

  @Test func wrongRanksAndForeignBasesAreRefusedWithShapes() throws {
    let rank = try refusal(["r": .integer(5)])
    #expect(rank.contains("r = 5") && rank.contains("expected shape [5, 24], found [3, 24]"))
    let target = try refusal(["target_modules": .array([.string("q_proj")])])
    #expect(target.contains("expected no such tensor"))
    let unknown = try refusal(["target_modules": .array([.string("query")])])
    #expect(unknown.contains("'query'") && unknown.contains("q_proj, k_proj"))
    try withFolders { base, directory, _ in
      let other = directory.appending(path: "other")
      try CausalLM(Tiny.configuration(.gpt2), seed: 1).write(to: other)
      let foreign = #expect(throws: LoRAError.self) {
        try CausalLM(directory: directory, base: other)
      }
      #expect(foreign?.description.contains("gpt2") == true)
      #expect(throws: LoRAError.self) { try CausalLM(directory: directory, base: directory) }
    }
  }

  @Test func damagedFoldersAreRefused() throws {
    try withFolders { base, directory, _ in
      let weights = directory.appending(path: "adapter_model.safetensors")
      let bytes = try Data(contentsOf: weights)
      try bytes.prefix(bytes.count - 8).write(to: weights)
      #expect(throws: CheckpointError.self) { try CausalLM(directory: directory) }
      try FileManager.default.removeItem(at: weights)
      #expect(throws: CheckpointError.self) { try CausalLM(directory: directory) }
      try Data().write(to: directory.appending(path: "adapter_model.bin"))
      let pickled = #expect(throws: LoRAError.self) { try CausalLM(directory: directory) }
      #expect(pickled?.description.contains("found adapter_model.bin") == true)
      // Where a whole model is needed, an adapter is named as what it is.
      let whole = #expect(throws: LoRAError.self) { try ModelFolder(directory) }
      #expect(whole?.description.contains("found a LoRA adapter") == true)
      #expect(throws: LoRAError.self) { try AdapterFolder(base) }
    }
  }

  @Test func halfPrecisionAdaptersLoad() throws {
    try withFolders { _, directory, model in
      try model.write(to: directory, as: .bfloat16)
      let found = try CausalLM(directory: directory)
      expectClose(
        LoRATests.logits(found), LoRATests.logits(model), absolute: 0.2, relative: 0.05)
      #expect(LoRATests.logits(found) != LoRATests.logits(model))
    }
  }
}
