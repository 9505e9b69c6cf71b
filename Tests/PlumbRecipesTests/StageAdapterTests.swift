import Foundation
import PlumbModels
import PlumbTensors
import PlumbTestSupport
import PlumbTokenizers
import Testing

@testable import PlumbRecipes

/// Stages that train an adapter in place of all weights.
@Suite struct StageAdapterTests {
  static let lora = "lora: {rank: 4, alpha: 8}"

  /// A run of every stage that takes an adapter, and of those that read what they wrote.
  static func yaml(_ world: TinyWorld) -> String {
    let pairs = "pairs: ['\(world("data/preferences.train.jsonl.zst"))'], max_length: 64"
    let prompts = "prompts: ['\(world("data/prompts.train.jsonl.zst"))']"
    let sampling = "sampling: {max_new_tokens: 12}"
    return """
      name: adapters
      seed: 3
      threads: 2
      stages:
        sft:
          {model: '\(world("pretrain"))', \(lora), max_length: 64, batch_rows: 16, epochs: 4,
          train: ['\(world("data/demonstrations.train.jsonl.zst"))'],
          validation: ['\(world("data/demonstrations.validation.jsonl.zst"))'],
          optimizer: {learning_rate: 0.02}}
        dpo:
          {policy: '\(world("sft"))', \(lora), \(pairs), batch_pairs: 16, epochs: 2,
          optimizer: {learning_rate: 0.01}}
        continued: {kind: dpo, policy: dpo, \(lora), \(pairs), batch_pairs: 16, epochs: 0.3}
        whole: {kind: dpo, policy: dpo, \(pairs), batch_pairs: 16, epochs: 0.3}
        gpo:
          {policy: '\(world("sft"))', judge: '\(world("preference"))', \(lora), \(prompts),
          iterations: 3, prompts_per_iteration: 8, \(sampling)}
        ppo:
          {policy: '\(world("sft"))', reward: '\(world("reward"))', \(lora), \(prompts),
          updates: 3, prompts_per_update: 8, \(sampling)}
        compare:
          {baseline: '\(world("sft"))', policies: [dpo, continued, gpo, ppo],
          judge: '\(world("judge"))', prompts: ['\(world("data/prompts.test.jsonl.zst"))'],
          max_prompts: 8, \(sampling)}

      """
  }

  @Test func everyStageTrainsAndReadsAdapters() throws {
    let world = try TinyWorld.shared()
    let folder = try TemporaryFolder()
    try runTiny(Self.yaml(world), in: folder.url)
    func stage(_ name: String) -> URL { folder.url.appending(path: "stages/\(name)") }
    let policy = try CausalLM(directory: URL(filePath: world("sft")))
    for name in ["sft", "dpo", "continued", "gpo", "ppo"] {
      let files = try FileManager.default.contentsOfDirectory(atPath: stage(name).path)
      #expect(files.contains("adapter_model.safetensors"), "\(name)")
      #expect(files.contains("adapter_config.json") && files.contains("tokenizer.json"))
      #expect(!files.contains("model.safetensors") && !files.contains("config.json"), "\(name)")
      let model = try CausalLM(directory: stage(name))
      let adapter = try #require(model.adapter, "\(name)")
      #expect(adapter.configuration.rank == 4 && adapter.configuration.scale == 2)
      let base = name == "sft" ? world("pretrain") : world("sft")
      #expect(adapter.base?.path == base, "\(name)")
      let moved = adapter.parameters.layout.entries.filter { entry in
        entry.name.contains("lora_B")
          && adapter.parameters.layout.id(named: entry.name).map {
            adapter.parameters.values(of: $0).contains { $0 != 0 }
          } == true
      }
      #expect(moved.count == 14, "\(name): every B has moved")
      let figures = try #require(
        try RunFiles.read(
          json: StageRecord.self, from: stage(name).appending(path: RunLayout.stageRecordName))
      ).result.figures
      let trained = figures.first { $0.name == "trainable_parameters" }?.value
      #expect(trained == Double(adapter.parameters.layout.count), "\(name)")
      #expect(
        figures.first { $0.name == "parameters" }?.value
          == Double(adapter.parameters.layout.count + policy.parameters.layout.count), "\(name)")
    }
    // Without an adapter in the settings the one on disk is merged, and a whole model comes out.
    let whole = try CausalLM(directory: stage("whole"))
    #expect(whole.adapter == nil && whole.parameters.layout == policy.parameters.layout)
    let margins = try folder.series("rewards/margins", "dpo")
    #expect(try #require(margins.last) > 0.1, "DPO must learn through the adapter: \(margins)")
    let losses = try folder.series("eval_loss", "sft")
    #expect(try #require(losses.last) < losses[0] - 0.02, "SFT must learn: \(losses)")
  }

  func refusal(_ stage: String) throws -> String {
    do {
      try runTiny(
        "name: bad\nthreads: 2\nstages:\n  \(stage)\n",
        in: try TemporaryFolder().url.appending(path: "run"))
    } catch {
      return "\(error)"
    }
    Issue.record("nothing was refused")
    return ""
  }

  @Test func settingsThatCannotBeMeantAreRefused() throws {
    let world = try TinyWorld.shared()
    let files = "policy: '\(world("sft"))', pairs: ['\(world("data/preferences.train.jsonl.zst"))']"
    for (lora, words) in [
      ("rank: -1", ["lora.rank", "from 0 to 4096", "-1"]),
      ("rank: 4, alpha: 0", ["lora.alpha", "found 0"]),
      ("rank: 4, target_modules: [query]", ["target_modules", "q_proj, k_proj", "query"]),
      ("rank: 4, target_modules: [c_attn]", ["c_attn", "linear layers of qwen2"]),
      ("rnk: 4", ["unknown key 'rnk'", "rank"]),
    ] {
      let text = try refusal("dpo: {\(files), max_length: 64, lora: {\(lora)}}")
      for word in words { #expect(text.contains(word), "'\(word)' in: \(text)") }
    }
    let reward = try refusal(
      "reward-model: {model: '\(world("sft"))', train: [x], lora: {rank: 4}}")
    #expect(reward.contains("unknown key 'lora'"), "\(reward)")
  }

  @Test func anAdapterIsContinuedWithItsOwnSettingsOnly() throws {
    let world = try TinyWorld.shared()
    let folder = try TemporaryFolder()
    let adapter = folder.url.appending(path: "adapter")
    var policy = try CausalLM(directory: URL(filePath: world("sft")))
    policy.adapter = try LoRAAdapter(
      LoRAConfiguration(rank: 2, alpha: 4, targetModules: ["q_proj"]), for: policy,
      base: URL(filePath: world("sft")), seed: 1)
    try policy.write(to: adapter)
    let pairs = "pairs: ['\(world("data/preferences.train.jsonl.zst"))'], max_length: 64"
    let text = try refusal("dpo: {policy: '\(adapter.path)', \(pairs), lora: {rank: 4}}")
    for word in ["rank 4, alpha 16 on all linear layers", "rank 2, alpha 4 on q_proj", "merge"] {
      #expect(text.contains(word), "'\(word)' in: \(text)")
    }
    // A judge is a whole model.
    let judge = try refusal(
      "ppo: {policy: '\(world("sft"))', reward: '\(adapter.path)', prompts: ['\(world.data("prompts.jsonl"))']}"
    )
    #expect(
      judge.contains("found a LoRA adapter") && judge.contains("plumb model merge"), "\(judge)")
  }

  /// Preference models start from the merged weights, and read the base's tokenizer where the
  /// adapter's folder has none.
  @Test(arguments: ["reward-model", "general-preference"])
  func preferenceModelsStartFromAnAdapter(kind: String) throws {
    let world = try TinyWorld.shared()
    let folder = try TemporaryFolder()
    let adapter = folder.url.appending(path: "adapter")
    var policy = try CausalLM(directory: URL(filePath: world("sft")))
    policy.adapter = try LoRAAdapter(
      LoRAConfiguration(rank: 2, alpha: 4), for: policy, base: URL(filePath: world("sft")), seed: 1)
    try policy.write(to: adapter)
    func trained(from model: String) throws -> Data {
      let run = try TemporaryFolder()
      try runTiny(
        """
        name: judge
        threads: 2
        stages:
          judge: {kind: \(kind), model: '\(model)', max_length: 64, batch_pairs: 16, epochs: 0.2,
            train: ['\(world("data/preferences.train.jsonl.zst"))']}

        """, in: run.url)
      return try run.data("stages/judge/model.safetensors")
    }
    // A fresh adapter changes nothing, so that the two starts are one.
    #expect(try trained(from: adapter.path) == trained(from: world("sft")))
  }

  /// A stage that reads an adapter by its path runs again when the base has changed.
  @Test func theBaseOfAnAdapterDecidesItsFingerprint() throws {
    let world = try TinyWorld.shared()
    let folder = try TemporaryFolder()
    let (base, adapter) = (
      folder.url.appending(path: "base"), folder.url.appending(path: "adapter")
    )
    var policy = try CausalLM(directory: URL(filePath: world("sft")))
    try policy.write(to: base)
    policy.adapter = try LoRAAdapter(
      LoRAConfiguration(rank: 2, alpha: 4), for: policy, base: base, seed: 1)
    try policy.write(to: adapter)
    func fingerprint() throws -> String {
      var result = Fingerprint()
      try result.add(contentsOf: adapter)
      return result.text
    }
    let before = try fingerprint()
    #expect(try fingerprint() == before)
    try CausalLM(directory: URL(filePath: world("pretrain"))).write(to: base)
    #expect(try fingerprint() != before)
  }

  @Test func theValueHeadTrainsBesideTheAdapter() throws {
    let world = try TinyWorld.shared()
    var policy = try CausalLM(directory: URL(filePath: world("sft")))
    policy.adapter = try LoRAAdapter(
      LoRAConfiguration(rank: 2, alpha: 4), for: policy, seed: 1)
    let actor = ActorCritic(policy: policy)
    let addresses = [policy.parameters, actor.parameters].map {
      $0.withSpan { $0.withUnsafeBufferPointer { UInt(bitPattern: $0.baseAddress) } }
    }
    #expect(addresses[0] == addresses[1], "one copy of the weights")
    let trained = actor.parameters.trainable.layout
    #expect(trained.count == policy.parameters.trainable.layout.count + 33)
    let names = Set(actor.separatePolicy.parameters.trainable.layout.entries.map(\.name))
    #expect(!names.contains { $0.contains("v_head") } && names.count == 28)
  }
}
