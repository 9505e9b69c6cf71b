import Foundation
import PlumbCheckpoints
import PlumbData
import PlumbEvaluation
import PlumbModels
import PlumbPreferences
import PlumbRollouts
import PlumbTokenizers

/// Settings of rejection sampling with reward models.
public struct BestOfNConfiguration: StageConfiguration {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "best-of-n"

  /// The policy that answers.
  public var policy = ""
  /// Stages or folders with reward models; of a stage that lists many in `models.json`, all of them.
  public var rewardModels: [String] = []
  /// The judge of the chosen answers; no reward model may have seen its training pairs.
  public var judge = ""
  /// Files of prompts that no stage trained on.
  public var prompts: [String] = []
  /// Prompts to answer; 0 for all.
  public var maxPrompts = 0
  /// Answers to choose the best from.
  public var n = 4
  /// Other answers of the policy, against each of which the chosen one is held.
  public var baselineSamples = 4
  /// How answers are sampled.
  public var sampling = SamplingConfiguration()
  /// Prompts whose answers are printed in the report.
  public var samples = 6

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require("policy", !policy.isEmpty, "a stage or a model folder", "nothing")
    try require("judge", !judge.isEmpty, "a stage or a model folder", "nothing")
    try require("reward_models", !rewardModels.isEmpty, "at least one", "none")
    try require(
      "reward_models", Set(rewardModels).count == rewardModels.count, "different ones",
      rewardModels.joined(separator: ", "))
    try require("prompts", !prompts.isEmpty, "at least one file", "none")
    try require("n", (2...1000).contains(n), "an integer from 2 to 1000", n)
    try require(
      "baseline_samples", (1...1000).contains(baselineSamples), "an integer from 1 to 1000",
      baselineSamples)
    for (name, value) in [("max_prompts", maxPrompts), ("samples", samples)] {
      try require(name, (0...1_000_000).contains(value), "an integer from 0 to 1000000", value)
    }
  }
}

/// Chooses the best of n answers by every reward model, and asks a held-out judge what that gained.
struct BestOfNStage: Stage {
  let configuration: BestOfNConfiguration

  var inputs: [String] {
    [configuration.policy, configuration.judge] + configuration.rewardModels
      + configuration.prompts
  }

  static var product: StageProduct { .noModel }

  var models: [ModelUse] {
    [ModelUse(configuration.policy, as: .policy), ModelUse(configuration.judge, as: .judge)]
  }

  func plan(_ context: PlanContext) throws -> StagePlan {
    policyPlan(
      "best of \(configuration.n) answers by the reward models of "
        + "\(configuration.rewardModels.joined(separator: ", ")), judged by '\(configuration.judge)'",
      parameters: try parameterCount(context, model: configuration.policy),
      responses: (configuration.n + configuration.baselineSamples)
        * max(configuration.maxPrompts, 200),
      newTokens: configuration.sampling.maxNewTokens, trainingPasses: 0)
  }

  func run(_ context: StageContext) throws -> StageResult {
    let (policy, encoder) = try loadPolicy(context, configuration.policy)
    let (judge, judgeConfiguration) = try modelJudge(
      context, configuration.judge, policy: encoder)
    let models = try configuration.rewardModels.flatMap { try ListedModel.all(in: $0, context) }
    let prompts = try policyPrompts(
      context, configuration.prompts, encoder: encoder,
      models: [policy.configuration, judgeConfiguration]
        + models.flatMap(\.folders).map { try ModelFolder($0).configuration },
      newTokens: configuration.sampling.maxNewTokens, limit: configuration.maxPrompts)
    let count = configuration.n + configuration.baselineSamples
    context.note("sampling \(count) answers to \(prompts.count) prompts")
    let buffer = try RolloutBuffer.sample(
      policy: policy, prompts: prompts.map { ($0.id, $0.messages) }, encoder: encoder,
      count: count, options: configuration.sampling.options(seed: context.seed),
      origin: configuration.policy)
    let groups = buffer.judgeGroups(encoder: encoder)
    let verdicts = try judge.judge(groups: groups)

    // Only the candidates are shown to the reward models.
    let candidates = groups.map { group in
      JudgeGroup(
        prompt: group.prompt, responses: Array(group.responses.prefix(configuration.n)),
        tokens: PreferenceGroup(
          prompt: group.tokens.prompt,
          responses: Array(group.tokens.responses.prefix(configuration.n))))
    }
    let cells = models.enumerated().map { index, model in
      GridCell("model-\(index + 1)", units: max(1, model.folders.count))
    }
    let picks = try CellRunner<[Int]>(context).run(cells) { index, _ in
      let model = models[index]
      return try model.judge(stage: context.stage, policy: encoder).judge(groups: candidates)
        .map(BestOfN.best)
    }
    let result = BestOfN(
      verdicts: verdicts, n: configuration.n, entries: models.map(\.entry), picks: picks,
      seed: context.seed)
    try write(buffer, result, to: context.directory.appending(path: "answers.jsonl.zst"))
    return BestOfNReport(
      found: result, configuration: configuration, stage: context.stage, buffer: buffer
    ).result
  }

  /// One line per prompt: all answers, the judge's scores, and which answer each model chose.
  private func write(_ buffer: RolloutBuffer, _ found: BestOfN, to url: URL) throws {
    struct Line: Encodable {
      let id: String
      let prompt: [Message]
      let candidates: [String]
      let baseline: [String]
      let judgeScores: [Double]?
      let picks: [String: Int]
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let writer = try LineWriter(to: url)
    for (index, group) in buffer.groups.enumerated() {
      let texts = group.responses.map(\.text)
      let line = Line(
        id: group.id, prompt: group.prompt, candidates: Array(texts.prefix(found.n)),
        baseline: Array(texts.dropFirst(found.n)), judgeScores: found.verdicts[index].scores,
        picks: Dictionary(
          zip(found.entries.map(\.name), found.picks.map { $0[index] }), uniquingKeysWith: { $1 }))
      try writer.write(String(decoding: try encoder.encode(line), as: UTF8.self))
    }
    try writer.finish()
  }
}
