import Foundation
import PlumbData
import PlumbPreferences
import PlumbTestSupport
import Testing

@testable import PlumbRecipes

/// An on-line optimiser, with what recipes call its settings.
enum OnlineOptimiser: String, CaseIterable, Sendable, CustomTestStringConvertible {
  case ppo
  case grpo
  case rloo
  case reinforce
  case gpo
  case sppo
  case onlineDPO = "online-dpo"
  case rejectionSampling = "rejection-sampling"

  var testDescription: String { rawValue }

  /// The kind of its stage, and the stage's name in `yaml`.
  var kind: String { self == .sppo ? "gpo" : rawValue }

  /// Whether it needs a score for every response.
  var needsScores: Bool { [.ppo, .grpo, .rloo, .reinforce].contains(self) }

  /// A recipe of one stage with tiny rounds, whose first step moves.
  ///
  /// - Parameters:
  ///   - judge: as a recipe writes it.
  ///   - file: of prompts; those of the world's test split where nil.
  ///   - sampling: its settings.
  ///   - more: further settings, each with a comma before it.
  func yaml(
    _ world: TinyWorld, judge: String, rounds: Int = 1, prompts: Int = 4, responses: Int = 4,
    file: String? = nil, sampling: String = "max_new_tokens: 8, temperature: 1.5",
    _ more: String = ""
  ) -> String {
    let counts =
      switch self {
      case .ppo, .grpo, .rloo, .reinforce:
        "reward: \(judge), updates: \(rounds), prompts_per_update: \(prompts), "
          + "responses_per_prompt: \(responses)"
      case .onlineDPO:
        "judge: \(judge), updates: \(rounds), prompts_per_update: \(prompts), "
          + "responses: \(responses)"
      case .gpo, .sppo, .rejectionSampling:
        "judge: \(judge), iterations: \(rounds), prompts_per_iteration: \(prompts), "
          + "responses: \(responses)"
      }
    return GameRecipe.yaml(
      world, kind,
      """
      \(self == .sppo ? "loss: sppo, " : "")\(counts)\(more),
          prompts: ['\(file ?? world("data/prompts.test.jsonl.zst"))'],
          sampling: {\(sampling)},
          optimizer: {learning_rate: 0.001, schedule: constant, warmup_fraction: 0}
      """)
  }
}

/// Any judge with any optimiser: one small round of each.
@Suite struct AnyJudgeTests {
  enum JudgeKind: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case rewardModel = "reward model"
    case generalPreference = "general preference model"
    case pairModel = "pair model"
    case rule
    case ensemble
    case worstCase = "worst case"
    case endpoint

    var testDescription: String { rawValue }
    /// Whether it gives preferences and no scores.
    var comparesOnly: Bool { self == .generalPreference || self == .pairModel }
  }

  private static let folder = FileManager.default.temporaryDirectory
    .appending(path: "plumb-any-judge-\(UUID().uuidString)", directoryHint: .isDirectory)

  /// A pair model of a few steps, made once.
  private static let pairModel = Result {
    atexit { try? FileManager.default.removeItem(at: AnyJudgeTests.folder) }
    let world = try TinyWorld.shared()
    try runTiny(
      """
      name: pairs
      seed: 5
      threads: 2
      stages:
        pairs:
          {kind: pair-preference, model: '\(world("pretrain"))', max_length: 96, batch_pairs: 16,
          train: ['\(world("data/preferences.test.jsonl.zst"))'], epochs: 1,
          optimizer: {learning_rate: 0.003}}
      """, in: folder)
    return folder.appending(path: "stages/pairs").path
  }

  /// The lower of the reward model and of a rule whose scores are of its size.
  static func worstCase(_ world: TinyWorld) -> String {
    let rule = "{rule: length-target, target: 20, weight: 0.01}"
    return "{ensemble: ['\(world("reward"))', \(rule)], combine: minimum}"
  }

  /// The judge as a recipe writes it for this optimiser.
  private func text(
    _ judge: JudgeKind, for optimiser: OnlineOptimiser, _ world: TinyWorld,
    _ server: LoopbackServer?
  ) throws -> String {
    switch judge {
    case .rewardModel: return "'\(world("reward"))'"
    case .generalPreference, .pairModel:
      let model = try judge == .pairModel ? Self.pairModel.get() : world("preference")
      return optimiser.needsScores
        ? "{model: '\(model)', preference_reward: opponents}" : "'\(model)'"
    case .rule: return "{rule: length-target, target: 20}"
    case .ensemble:
      return
        "{ensemble: ['\(world("reward"))', {rule: length-target, target: 20}], weights: [1, 0.1]}"
    case .worstCase: return Self.worstCase(world)
    case .endpoint: return "{endpoint: '\(server?.url() ?? "")', retries: 0}"
    }
  }

  @Test(arguments: OnlineOptimiser.allCases, JudgeKind.allCases)
  func anyOptimiserLearnsFromAnyJudge(_ optimiser: OnlineOptimiser, _ judge: JudgeKind) throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let server =
      judge == .endpoint ? try LoopbackServer { body, _ in EndpointStageTests.scores(body) } : nil
    // PPO normalises by default.
    let more =
      optimiser.needsScores && optimiser != .ppo ? ", normalize_rewards: true" : ""
    try runTiny(
      optimiser.yaml(world, judge: text(judge, for: optimiser, world, server), more),
      in: folder.url)
    let lines = try folder.text("stages/\(optimiser.kind)/metrics.jsonl")
    #expect(!lines.contains("null"), "\(lines)")
    let loss = optimiser == .ppo ? "loss/policy_avg" : "loss"
    #expect(try folder.series(loss, optimiser.kind).count == 1)
    // 4 prompts with 4 responses each; before them one sample for each prompt, or 4 to be compared.
    let prompts = try DataFile.prompts(
      URL(filePath: world("data/prompts.test.jsonl.zst"))
    ).rows.count
    let samples = judge.comparesOnly ? 4 * min(prompts, 32) : min(prompts, 128)
    let expected = Double(16 + (optimiser.needsScores ? samples : 0))
    #expect(try folder.series("judge/responses", optimiser.kind) == [expected])
    let start = try Data(
      contentsOf: URL(filePath: world("sft")).appending(path: "model.safetensors"))
    let end = try folder.data("stages/\(optimiser.kind)/model.safetensors")
    #expect(end != start, "the policy did not move")
    if let server {
      let asked = server.requests.count
      #expect(asked > 0)
    }
  }

  /// Without `preference_reward` a judge that compares has no scores, which the error says before anything is
  /// sampled.
  @Test(arguments: OnlineOptimiser.allCases.filter(\.needsScores), [true, false])
  func preferencesAloneAreRefusedWhereScoresAreNeeded(
    _ optimiser: OnlineOptimiser, _ isNormalised: Bool
  ) throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let yaml = optimiser.yaml(
      world, judge: "'\(world("preference"))'", ", normalize_rewards: \(isNormalised)")
    let error = #expect(throws: RunError.self) { try runTiny(yaml, in: folder.url) }
    let text = "\(try #require(error))"
    #expect(text.contains("expected a judge that scores each response"), "\(text)")
    #expect(text.contains("preference_reward: opponents"), "\(text)")
    #expect(!folder.exists("stages/\(optimiser.kind)/checkpoints"))
  }

  /// One response has no opponents: the recipe is refused before anything is sampled.
  @Test(arguments: OnlineOptimiser.allCases.filter(\.needsScores))
  func oneResponseHasNoOpponents(_ optimiser: OnlineOptimiser) throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let comparing = "{model: '\(world("preference"))', preference_reward: win-rate}"
    let judges = [comparing, "{ensemble: [\(comparing), {rule: length-target, target: 20}]}"]
    for judge in judges {
      var text = ""
      do {
        try runTiny(optimiser.yaml(world, judge: judge, responses: 1), in: folder.url)
      } catch { text = "\(error)" }
      #expect(text.contains("stages.\(optimiser.kind).responses_per_prompt"), "\(text)")
      #expect(text.contains("at least 2 where preference_reward"), "\(text)")
    }
  }

  /// KL per sequence and per token are one sum, over responses and over tokens.
  @Test(arguments: [
    OnlineOptimiser.ppo, .rloo, .gpo, .sppo, .onlineDPO, .rejectionSampling,
  ])
  func divergenceIsToldPerResponseAndPerToken(_ optimiser: OnlineOptimiser) throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    try runTiny(
      optimiser.yaml(world, judge: "{rule: length-target, target: 20}", rounds: 2),
      in: folder.url)
    let perToken = try folder.series("kl", optimiser.kind)
    let perResponse = try folder.series("objective/kl", optimiser.kind)
    let lengths = try folder.series("completions/mean_length", optimiser.kind)
    try #require(perToken.count == 2 && perResponse.count == 2 && lengths.count == 2)
    for round in 0..<2 {
      expectClose(perToken[round] * lengths[round], perResponse[round], absolute: 1e-9)
    }
    let moved = abs(perResponse[1])
    #expect(moved > 1e-7, "\(perResponse)")
  }

  /// Preferences of a general preference model become the labels that DPO learns from.
  @Test func labelsOfAGeneralPreferenceModelTrainDPO() throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let summary = try runTiny(
      """
      name: labels
      seed: 5
      threads: 2
      stages:
        labels: {kind: label-pairs, policy: '\(world("sft"))', judge: '\(world("preference"))',
          max_rows: 24, responses: 4, \(GameRecipe.prompts(world, 12))}
        again: {kind: label-pairs, policy: '\(world("sft"))', judge: '\(world("preference"))',
          max_rows: 40, pairs: ['\(world.data("swapped.jsonl"))']}
        dpo: {policy: '\(world("sft"))', pairs: [labels/pairs.jsonl.zst], max_length: 64,
          batch_pairs: 8, optimizer: {learning_rate: 0.001, schedule: constant, warmup_fraction: 0}}
      """, in: folder.url)
    let rows = try DataFile.preferencePairs(
      folder.url.appending(path: "stages/labels/pairs.jsonl.zst")
    ).rows
    #expect(rows.count > 8, "\(rows.count) pairs")
    // A label is the better response by the model: its log-odds are the margin.
    let margins = rows.compactMap(\.margin)
    let positive = margins.count { $0 > 0 }
    #expect(positive == rows.count)
    // It has learnt to prefer politeness, so that pairs with the rude answer chosen are turned round.
    let agreement = try #require(summary.figures["again/agreement"])
    #expect(agreement.value < 0.2, "\(agreement)")
    let losses = try folder.series("loss", "dpo")
    #expect(losses.count > 1)
    // The first loss of DPO is log 2 whatever the labels.
    expectClose(losses.first ?? .nan, log(2), absolute: 1e-3)
    let start = try Data(
      contentsOf: URL(filePath: world("sft")).appending(path: "model.safetensors"))
    let end = try folder.data("stages/dpo/model.safetensors")
    #expect(end != start)
  }
}
