import Foundation
import PlumbData
import PlumbEvaluation
import PlumbModels
import PlumbPreferences
import PlumbRollouts
import PlumbTensors
import PlumbTokenizers

/// Settings of the comparison of policies.
public struct CompareConfiguration: StageConfiguration {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "compare"

  /// The policy that all others are held against, usually the SFT model.
  public var baseline = ""
  /// The other policies.
  public var policies: [String] = []
  /// Policies that answer with the best of several samples.
  public var bestOf: [BestOfPolicy] = []
  /// The judge, which no optimiser may have seen.
  public var judge = JudgeChoice()
  /// Further held-out judges, such as a general preference model beside a reward model.
  public var otherJudges: [JudgeChoice] = []
  /// The judge of the optimisers, to show how far its verdict and the judge's part; may be empty.
  public var reward = JudgeChoice()
  /// Preference models whose figures are shown side by side.
  public var preferenceModels: [String] = []
  /// Files of prompts that no stage trained on.
  public var prompts: [String] = []
  /// Prompts to answer; 0 for all.
  public var maxPrompts = 0
  /// Answers to each prompt by each policy.
  public var responses = 1
  /// How answers are sampled.
  public var sampling = SamplingConfiguration()
  /// Prompts whose answers are printed side by side.
  public var samples = 8
  /// How many of the policies must beat the baseline beyond their interval.
  public var winnersExpected = 2
  /// Policies that are expected to win over others than the baseline.
  public var duels: [Duel] = []

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require("baseline", !baseline.isEmpty, "a stage or a model folder", "nothing")
    try judge.validate("judge")
    for other in otherJudges { try other.validate("other_judges") }
    for (name, judge) in [("judge", judge), ("reward", reward)]
      + otherJudges.map({ ("other_judges", $0) })
    {
      try require(
        name, judge.handling.onFailure == .stop,
        "on_failure: stop, since all policies are compared",
        "skip")
    }
    try require(
      "policies", !policies.isEmpty || !bestOf.isEmpty, "at least one policy", "none")
    let names = [baseline] + policies + bestOf.map(\.title)
    for (name, found) in [("policies", [baseline] + policies), ("best_of", names)] {
      try require(
        name, Self.figuresDiffer(found),
        "names that differ from each other, from the baseline's and from those of methods with seeds",
        found.joined(separator: ", "))
    }
    for duel in duels {
      try duel.validate()
      try duel.requireContestants(names)
    }
    try require("prompts", !prompts.isEmpty, "at least one file", "none")
    try require(
      "max_prompts", (0...1_000_000).contains(maxPrompts), "an integer from 0 to 1000000",
      maxPrompts)
    try require("responses", (1...1000).contains(responses), "an integer from 1 to 1000", responses)
    try require("samples", samples >= 0, "an integer of at least 0", samples)
  }

  /// Whether no name stands for two things in the figures, a method with several seeds (`ppo` of `ppo-seed1`)
  /// among them.
  private static func figuresDiffer(_ names: [String]) -> Bool {
    names.allSatisfy { name in
      names.count { $0 == name || StageSeeds.method(of: $0) == name } == 1
    }
  }
}

/// Answers the same held-out prompts with every policy and lets a held-out judge compare them.
struct CompareStage: Stage {
  static let revision = 5

  let configuration: CompareConfiguration

  var inputs: [String] {
    [configuration.baseline] + configuration.judge.inputs + configuration.reward.inputs
      + configuration.otherJudges.flatMap(\.inputs) + configuration.policies
      + configuration.bestOf.flatMap(\.inputs) + configuration.preferenceModels
      + configuration.prompts
  }

  static var product: StageProduct { .noModel }

  var models: [ModelUse] {
    let policies =
      [configuration.baseline] + configuration.policies + configuration.bestOf.map(\.policy)
    let judges =
      [configuration.judge, configuration.reward] + configuration.otherJudges
      + configuration.bestOf.map(\.judge)
    return policies.map { ModelUse($0, as: .policy) } + judges.flatMap { $0.models() }
  }

  func plan(_ context: PlanContext) throws -> StagePlan {
    let policies =
      1 + configuration.policies.count + configuration.bestOf.reduce(0) { $0 + $1.n }
    // Without a limit the number of prompts is not known before the data stage ran.
    let prompts = configuration.maxPrompts > 0 ? configuration.maxPrompts : 200
    return policyPlan(
      "\(1 + configuration.policies.count + configuration.bestOf.count) policies answer held-out "
        + "prompts, judged by '\(configuration.judge.summary)'",
      parameters: try parameterCount(context, model: configuration.baseline),
      responses: policies * configuration.responses * prompts,
      newTokens: configuration.sampling.maxNewTokens, trainingPasses: 0)
  }

  func run(_ context: StageContext) throws -> StageResult {
    let (baseline, encoder) = try loadPolicy(context, configuration.baseline)
    let judge = try recipeJudge(configuration.judge, context: context, policy: encoder)
    let others = try configuration.otherJudges.map {
      try recipeJudge($0, context: context, policy: encoder)
    }
    let reward =
      configuration.reward.isEmpty
      ? nil : try recipeJudge(configuration.reward, context: context, policy: encoder)
    let selections = try configuration.bestOf.map {
      try recipeJudge($0.judge, context: context, policy: encoder)
    }
    let prompts = try policyPrompts(
      context, configuration.prompts, encoder: encoder,
      models: [baseline.configuration] + judge.readers + others.flatMap(\.readers)
        + (reward?.readers ?? []) + selections.flatMap(\.readers),
      newTokens: configuration.sampling.maxNewTokens, limit: configuration.maxPrompts)
    var reference = baseline
    reference.parameters.isFrozen = true

    let parts = ComparisonParts(
      context: context,
      contestants: contestants(context, prompts, reference, selections, encoder: encoder),
      judges: ([judge] + others + (reward.map { [$0] } ?? [])).map(\.judge), encoder: encoder)
    let (answers, verdicts) = try parts.run()
    let comparison = PolicyComparison(
      answers, judged: verdicts[0], rewarded: reward == nil ? nil : verdicts[1 + others.count],
      judge: judge.judge.name, seed: context.seed)
    try comparison.write(to: context.directory.appending(path: "answers.jsonl.zst"))
    let heads =
      [comparison.head]
      + zip(others, verdicts.dropFirst()).map { other, judged in
        HeadToHead(answers, judged: judged, judge: other.judge.name, seed: context.seed)
      }
    return try report(context, comparison, heads)
  }

  /// The baseline, the other policies, and those that choose among samples by `selections`.
  private func contestants(
    _ context: StageContext, _ prompts: [PolicyPrompt], _ reference: CausalLM,
    _ selections: [RecipeJudge], encoder: ConversationEncoder
  ) -> [ComparisonParts.Contestant] {
    let options = configuration.sampling.options(seed: context.seed)
    func load(_ name: String) throws -> CausalLM {
      let (policy, ownEncoder) = try loadPolicy(context, name)
      try ownEncoder.requireSame(as: encoder)
      return policy
    }
    let sampling = ([configuration.baseline] + configuration.policies).map { name in
      ComparisonParts.Contestant(name: name) {
        let policy = try load(name)
        var buffer = try RolloutBuffer.sample(
          policy: policy, prompts: prompts, encoder: encoder, count: configuration.responses,
          options: options, origin: name)
        buffer.recomputeLogprobs(policy: policy)
        buffer.fillReferenceLogprobs(model: reference)
        return PolicyAnswers(name: name, buffer: buffer)
      }
    }
    let choosing = zip(configuration.bestOf, selections).map { contestant, judge in
      ComparisonParts.Contestant(name: contestant.title, samples: contestant.n) {
        try contestant.answers(
          policy: try load(contestant.policy), to: prompts, reference: reference,
          judge: judge.judge, encoder: encoder, count: configuration.responses, options: options)
      }
    }
    return sampling + choosing
  }

  private func report(
    _ context: StageContext, _ comparison: PolicyComparison, _ heads: [HeadToHead]
  ) throws -> StageResult {
    let preferences = try preferenceTable(context)
    let policies = comparison.table(
      judge: configuration.judge.summary, reward: configuration.reward.summary)
    var blocks: [ReportBlock] = [
      .paragraph(
        "\(comparison.promptCount) held-out prompts, \(configuration.responses) answer(s) each. "
          + "The judge is '\(configuration.judge.summary)'. "
          + "Win rates count a tie as half; intervals are 95 % bootstrap intervals over prompts."),
      .table(policies),
      .charts([comparison.winBars]),
    ]
    let frontier = KLFrontier(kl: comparison.answers.indices.map(comparison.kl))
    let paths = KLFrontier.paths(
      try configuration.policies.map { ($0, try context.metrics(of: $0)) })
    blocks.append(
      .charts(heads.map(frontier.winRates) + comparison.frontiers + [paths].compactMap { $0 }))
    let costs =
      try configuration.policies.compactMap { try PolicyCosts(context, $0) }
      + configuration.bestOf.map {
        PolicyCosts($0, answers: comparison.promptCount * configuration.responses)
      }
    if let table = PolicyCosts.table(costs) { blocks.append(.table(table)) }
    var pairs: [ReportBlock] = [
      .paragraph(
        "Win rates at equal length are those that a logistic regression on the difference of lengths "
          + "predicts where there is none (Length-Controlled AlpacaEval, arXiv 2404.04475). Where one side is "
          + "longer almost throughout there is nothing to tell them from: no rate is given and no claim "
          + "goes by one.")
    ]
    for head in heads {
      pairs += [.table(head.table), .charts(head.matrices), .paragraph(head.cycles)]
    }
    var sections = [
      ReportSection("Policies under the held-out judge", blocks),
      ReportSection("Head to head", pairs),
    ]
    let methods = heads.compactMap(\.methods)
    if !methods.isEmpty {
      sections.insert(
        ReportSection(
          "Methods over seeds",
          [
            .paragraph(
              "Every run of a method counts. The intervals are bootstraps over prompts, widened by "
                + "Student's t over the runs of a method that has several.")
          ] + methods.flatMap { [.table($0.table), .charts([$0.matrix])] }), at: 0)
    }
    if let preferences {
      sections.insert(ReportSection("Preference models", [.table(preferences)]), at: 0)
    }
    sections.append(
      ReportSection(
        "Samples side by side", [.samples(comparison.samples(configuration.samples))]))
    let beaten =
      heads[0].methods?.wins ?? comparison.wins.map { ($0.name, $0.rate.interval) }
    let source = heads[0].methods == nil ? "" : " over seeds and prompts"
    let claims =
      beaten.map {
        Claim(
          "\($0.name) beats \(configuration.baseline) under the held-out judge (lower end of the 95 % interval\(source))",
          measured: $0.interval.lower, .above, 0.5, interval: $0.interval.range)
      } + [
        Claim(
          "policies that beat \(configuration.baseline) beyond the 95 % interval",
          measured: Double(beaten.count { $0.interval.lower > 0.5 }), .atLeast,
          Double(configuration.winnersExpected))
      ] + configuration.duels.flatMap { $0.claims(heads) } + (try gainClaims(context))
    return StageResult(
      figures: comparison.figures
        + heads.enumerated().flatMap { $0.element.figures(isFurther: $0.offset > 0) }
        + heads.enumerated().flatMap {
          $0.element.methods?.figures(isFurther: $0.offset > 0) ?? []
        }
        + costs.flatMap(\.figures),
      claims: claims,
      tables: [preferences, policies].compactMap { $0 } + methods.map(\.table) + heads.map(\.table),
      sections: sections)
  }

  /// What each preference stage measured on its held-out pairs.
  private func preferenceTable(_ context: StageContext) throws -> TextTable? {
    var rows: [[String]] = []
    for stage in configuration.preferenceModels {
      guard let figures = try context.figures(of: stage) else { continue }
      func cell(_ name: String, _ text: (Figure) -> String) -> String {
        figures.first { $0.name == name }.map(text) ?? "–"
      }
      rows.append([
        stage, testFiles(context, stage),
        cell("test_accuracy") { "\($0.sampleSize)" },
        cell("test_accuracy") { NumberText.interval($0.value, $0.interval) },
        cell("test_nll") { NumberText.interval($0.value, $0.interval) },
        cell("test_brier") { NumberText.fixed($0.value, 3) },
        cell("test_ece") { NumberText.fixed($0.value, 3) },
      ])
    }
    guard !rows.isEmpty else { return nil }
    return TextTable(
      title: "Preference models on held-out pairs",
      columns: ["model", "test data", "pairs", "accuracy", "NLL (nats)", "Brier", "ECE"], rows: rows
    )
  }

  /// The test files of a preference stage, as its recipe names them.
  private func testFiles(_ context: StageContext, _ stage: String) -> String {
    let configuration = context.recipe.stages.first { $0.name == stage }?.configuration
    let files =
      (configuration as? RewardModelConfiguration)?.training.test
      ?? (configuration as? GeneralPreferenceConfiguration)?.training.test ?? []
    return files.map { $0.replacing(".jsonl.zst", with: "") }.joined(separator: ", ")
  }

  /// Whether the base preference model helped its fine-tuned successor: WorldPM's claim in small.
  private func gainClaims(_ context: StageContext) throws -> [Claim] {
    let suffix = "-plain"
    return try configuration.preferenceModels.compactMap { plain -> Claim? in
      guard plain.hasSuffix(suffix) else { return nil }
      let tuned = String(plain.dropLast(suffix.count))
      guard configuration.preferenceModels.contains(tuned),
        let with = try context.figures(of: tuned)?.first(where: { $0.name == "test_nll" }),
        let without = try context.figures(of: plain)?.first(where: { $0.name == "test_nll" })
      else { return nil }
      return Claim(
        "preference pretraining lowers the held-out NLL of \(tuned) (nats gained over \(plain))",
        measured: without.value - with.value, .above, 0,
        paper: "in accuracy, over all benchmarks, 7B, style-controlled: "
          + "\(WorldPMGains.overall(set: 0)) with HelpSteer2 (7K) (arXiv 2505.10527, Table 2)")
    }
  }
}
