import Foundation
import PlumbModels
import PlumbTokenizers
import Testing

@testable import PlumbRecipes

/// Bad input ends in a sentence that says what, where, what was expected and what was found.
@Suite struct StageRefusalTests {
  /// Runs one stage and returns what it was refused with.
  func refusal(_ stage: String, in folder: TemporaryFolder? = nil) throws -> String {
    let folder = try folder ?? TemporaryFolder()
    do {
      try runTiny(
        "name: bad\nthreads: 2\nstages:\n  \(stage)\n", in: folder.url.appending(path: "run"))
    } catch {
      return "\(error)"
    }
    Issue.record("nothing was refused")
    return ""
  }

  func expect(
    _ text: String, contains parts: [String], sourceLocation: SourceLocation = #_sourceLocation
  ) {
    for part in parts {
      #expect(text.contains(part), "'\(part)' in: \(text)", sourceLocation: sourceLocation)
    }
  }

  /// A random policy with a tokenizer of its own, of fewer tokens than the world's or another text.
  func otherModel(
    _ folder: TemporaryFolder, texts: [String] = ["other words entirely"], positions: Int = 128
  ) throws -> String {
    let tokenizer = try Tokenizer.train(on: texts, vocabularySize: 262)
    let encoder = try ConversationEncoder(tokenizer: tokenizer, template: .chatML)
    let model = CausalLM(
      DecoderConfiguration(
        family: .qwen2, vocabularySize: tokenizer.vocabularySize, hiddenSize: 32,
        intermediateSize: 64, layerCount: 2, headCount: 4, keyValueHeadCount: 2,
        maximumPositions: positions, eosTokenIDs: encoder.stopTokens.sorted()), seed: 1)
    let directory = folder.url.appending(path: "other")
    try model.write(to: directory, encoder: encoder)
    return directory.path
  }

  @Test("Complaint 9, trl#1702: a reward model with another tokenizer is refused")
  func aRewardModelWithAnotherTokenizerIsRefused() throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let other = try otherModel(folder)
    let prompts = "prompts: ['\(world.data("prompts.jsonl"))'], sampling: {max_new_tokens: 8}"
    for (stage, judge) in [
      ("ppo", "reward"), ("gpo", "judge"), ("grpo", "reward"), ("rloo", "reward"),
      ("reinforce", "reward"),
    ] {
      let text = try refusal(
        "\(stage): {policy: '\(other)', \(judge): '\(world("reward"))', \(prompts)}", in: folder)
      expect(text, contains: ["do not share one tokenizer and template", "fingerprints"])
    }
  }

  @Test func anEmptyFileIsRefusedByEveryStage() throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let empty = folder.url.appending(path: "empty.jsonl")
    try Data().write(to: empty)
    let (model, policy, file) = (world("pretrain"), world("sft"), "['\(empty.path)']")
    for stage in [
      "data: {preferences: \(file)}", "tokenizer: {files: \(file)}",
      "pretrain: {tokenizer: '\(world("tokenizer"))', files: \(file)}",
      "reward-model: {model: '\(model)', train: \(file), max_length: 64}",
      "general-preference: {model: '\(model)', train: \(file), max_length: 64}",
      "pair-preference: {model: '\(model)', train: \(file), max_length: 64}",
      "sft: {model: '\(model)', train: \(file), max_length: 64}",
      "dpo: {policy: '\(policy)', pairs: \(file), max_length: 64}",
      "ppo: {policy: '\(policy)', reward: '\(world("reward"))', prompts: \(file)}",
      "gpo: {policy: '\(policy)', judge: '\(world("reward"))', prompts: \(file)}",
      "grpo: {policy: '\(policy)', reward: '\(world("reward"))', prompts: \(file)}",
      """
      compare: {baseline: '\(policy)', policies: ['\(world("dpo"))'], judge: '\(world("reward"))',
          prompts: \(file)}
      """,
    ] {
      expect(
        try refusal(stage, in: folder),
        contains: ["empty.jsonl: there is no usable row", "expected", "found no rows"])
    }
  }

  @Test func rowsThatAreEqualWithinMaxLengthAreRefused() throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let long = String(repeating: "very ", count: 60)
    let row = """
      {"prompt": "how?", "chosen": "\(long)good", "rejected": "\(long)bad"}

      """
    try Data(row.utf8).write(to: folder.url.appending(path: "long.jsonl"))
    let file = "['\(folder.url.appending(path: "long.jsonl").path)'], max_length: 16"
    for kind in ["reward-model", "general-preference"] {
      expect(
        try refusal("\(kind): {model: '\(world("pretrain"))', train: \(file)}"),
        contains: [
          "stages.\(kind)", "rows to train on", "long.jsonl", "no pair differs within max_length",
        ])
    }
    expect(
      try refusal("dpo: {policy: '\(world("sft"))', pairs: \(file)}"),
      contains: ["long.jsonl", "at most 16 tokens", "1 longer pairs"])
  }

  @Test func promptsBeyondTheContextAreRefused() throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let prompt = String(repeating: "clean the red lamp and ", count: 60)
    let url = folder.url.appending(path: "long.jsonl")
    try Data("{\"prompt\": \"\(prompt)\"}\n".utf8).write(to: url)
    let sampling = "prompts: ['\(url.path)'], sampling: {max_new_tokens: 8}"
    for stage in [
      "ppo: {policy: '\(world("sft"))', reward: '\(world("reward"))', \(sampling)}",
      "gpo: {policy: '\(world("sft"))', judge: '\(world("reward"))', \(sampling)}",
      "rloo: {policy: '\(world("sft"))', reward: '\(world("reward"))', \(sampling)}",
    ] {
      expect(
        try refusal(stage),
        contains: ["long.jsonl", "expected prompts that leave room", "1 are too long"])
    }
  }

  /// A judge reads end marks that the policy did not sample; they must fit into the context too.
  @Test func promptsThatJustFitArePlayed() throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let encoder = try ConversationEncoder.load(from: URL(filePath: world("sft")))
    var rows = ""
    var lengths: Set<Int> = []
    for count in 1...120 {
      let text = String(repeating: "lamp ", count: count) + "?"
      let length = encoder.prompt([Message(role: "user", content: text)]).count
      guard (110...128).contains(length) else { continue }
      lengths.insert(length)
      rows += "{\"prompt\": \"\(text)\"}\n"
    }
    #expect(lengths.isSuperset(of: 115...120))
    let url = folder.url.appending(path: "edge.jsonl")
    try Data(rows.utf8).write(to: url)
    let warnings = Warnings()
    let yaml = """
      name: edge
      threads: 2
      stages:
        ppo: {policy: '\(world("sft"))', reward: '\(world("reward"))', prompts: ['\(url.path)'],
          updates: 2, prompts_per_update: 16, minibatches: 1, sampling: {max_new_tokens: 8}}
      """
    try runTiny(yaml, in: folder.url.appending(path: "run"), observers: [warnings])
    // 128 positions less 8 new tokens less two end marks.
    let tooLong = lengths.count { $0 > 118 }
    let leftOut = warnings.texts.filter { $0.contains("prompts left out") }
    #expect(leftOut.count == 1)
    #expect(leftOut.first?.hasPrefix("\(tooLong) prompts left out") == true)
  }

  /// A held-out judge reads the responses as well: prompts must fit its context too.
  @Test func promptsMustFitTheHeldOutJudge() throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let judge = folder.url.appending(path: "judge")
    try FileManager.default.copyItem(at: URL(filePath: world("judge")), to: judge)
    let url = judge.appending(path: "config.json")
    var config = try #require(
      try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
    #expect(config["max_position_embeddings"] as? Int == 128)
    config["max_position_embeddings"] = 16
    try JSONSerialization.data(withJSONObject: config).write(to: url)
    expect(
      try refusal(
        """
        ppo: {policy: '\(world("sft"))', reward: '\(world("reward"))', updates: 1,
            prompts: ['\(world("data/prompts.train.jsonl.zst"))'], watch: {held_out: '\(judge.path)'},
            sampling: {max_new_tokens: 12}}
        """),
      contains: ["expected prompts that leave room", "too long"])
  }

  /// A judge of preferences says nothing of one response: told at the start, before anything is sampled.
  @Test func aHeldOutJudgeOfPreferencesNeedsTwoResponses() throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    func stage(_ more: String, held: String) -> String {
      """
      ppo: {policy: '\(world("sft"))', reward: '\(world("reward"))', updates: 1, prompts_per_update: 4,
          prompts: ['\(world("data/prompts.train.jsonl.zst"))'], watch: {held_out: \(held)},
          normalize_rewards: false, sampling: {max_new_tokens: 4}\(more)}
      """
    }
    let bare = "'\(world("preference"))'"
    expect(
      try refusal(stage("", held: bare), in: folder),
      contains: [
        "stages.ppo: '\(world("preference"))'", "expected as watch.held_out a judge with scores",
        "found a general preference model",
      ])
    let wrote = folder.exists("run/stages/ppo/watch") || folder.exists("run/stages/ppo/checkpoints")
    #expect(!wrote)
    let scoring = "{model: \(bare), preference_reward: opponents}"
    expect(
      try refusal(stage("", held: scoring)),
      contains: [
        "watch.held_out: expected no preference_reward where the stage samples one response",
        world("preference"),
      ])
    for held in [bare, scoring] {
      let two = try TemporaryFolder()
      try runTiny(
        "name: two\nseed: 1\nthreads: 2\nstages:\n  "
          + stage(", responses_per_prompt: 2", held: held), in: two.url)
      #expect(try two.series("held_out/responses", "ppo") == [8])
    }
  }

  /// One member of preferences leaves an ensemble without scores: refused before anything is sampled, as are
  /// single judges in `AnyJudgeTests`.
  @Test func anEnsembleWithoutScoresIsRefusedAtTheStart() throws {
    let world = try TinyWorld.shared()
    let bare = "'\(world("preference"))'"
    expect(
      try refusal(
        """
        ppo: {policy: '\(world("sft"))', updates: 1, responses_per_prompt: 2,
            reward: {ensemble: [\(bare), {rule: regex, pattern: '^please'}]},
            prompts: ['\(world("data/prompts.train.jsonl.zst"))']}
        """),
      contains: [
        "stages.ppo: '\(world("preference"))'", "expected a judge that scores each response",
        "found a general preference model",
      ])
    // Whoever learns from preferences may have such a judge, but not the lowest score of it.
    expect(
      try refusal(
        """
        gpo: {policy: '\(world("sft"))', iterations: 1,
            judge: {ensemble: [{rule: regex, pattern: '^please'}, \(bare)], combine: minimum},
            prompts: ['\(world("data/prompts.train.jsonl.zst"))']}
        """),
      contains: [
        "stages.gpo: '\(world("preference"))': expected scores, of which the lowest counts",
        "found a general preference model",
      ])
  }

  private final class Warnings: RunObserver {
    var texts: [String] = []
    func receive(_ event: RunEvent) {
      if case .warning(_, let message) = event { texts.append(message) }
    }
  }

  @Test func aMaxLengthBeyondTheContextIsRefused() throws {
    let world = try TinyWorld.shared()
    let pairs = "['\(world.data("pairs.jsonl"))'], max_length: 129"
    for (stage, field) in [
      ("reward-model", "model"), ("general-preference", "model"), ("sft", "model"),
    ] {
      expect(
        try refusal("\(stage): {\(field): '\(world("pretrain"))', train: \(pairs)}"),
        contains: [
          "stages.\(stage): the longest sequence does not fit the model", "pretrain",
          "expected at most 128, found 129",
        ])
    }
    expect(
      try refusal("dpo: {policy: '\(world("sft"))', pairs: \(pairs)}"),
      contains: ["stages.dpo", "expected at most 128, found 129"])
    expect(
      try refusal(
        """
        pretrain: {tokenizer: '\(world("tokenizer"))', model: '\(world("pretrain"))',
            files: ['\(world.data("texts.jsonl"))'], context_length: 256, sequence_length: 200}
        """), contains: ["stages.pretrain", "expected at most 128, found 200"])
  }

  @Test func aMissingModelIsRefused() throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let pairs = "['\(world.data("pairs.jsonl"))']"
    expect(
      try refusal("sft: {model: 'no/such/model', train: \(pairs)}"),
      contains: ["stages.sft", "expected an earlier stage or a path, found 'no/such/model'"])
    let bare = folder.url.appending(path: "bare")
    try FileManager.default.createDirectory(at: bare, withIntermediateDirectories: true)
    for stage in [
      "sft: {model: '\(bare.path)', train: \(pairs)}",
      "reward-model: {model: '\(bare.path)', train: \(pairs)}",
      "ppo: {policy: '\(world("sft"))', reward: '\(bare.path)', prompts: \(pairs)}",
    ] {
      expect(try refusal(stage, in: folder), contains: ["bare", ".json"])
    }
    expect(
      try refusal(
        "ppo: {policy: '\(world("reward"))', reward: '\(world("reward"))', prompts: \(pairs)}"),
      contains: ["expected a language model", "found a reward model (Qwen2ForRewardModel)"])
  }

  @Test(arguments: [
    ("context_length: 8, sequence_length: 8", "sequence_length: expected"),
    ("heads: 0", "heads: expected an integer from 1"),
    ("heads: 4, key_value_heads: 3", "expected a divisor of the 4 heads, found 3"),
    ("micro_batch_tokens: 0", "micro_batch_tokens: expected an integer from 1 to 1000000, found 0"),
  ])
  func sizesThatCannotBeAreRefused(_ settings: String, _ expected: String) throws {
    let world = try TinyWorld.shared()
    let text = try refusal(
      """
      pretrain: {tokenizer: '\(world("tokenizer"))', files: ['\(world.data("texts.jsonl"))'],
          \(settings)}
      """)
    expect(text, contains: [expected])
  }
}
