import Foundation
import PlumbCheckpoints
import PlumbData
import PlumbEvaluation
import PlumbModels
import PlumbPreferences
import PlumbRollouts
import PlumbTokenizers

/// Settings of labelling by a judge.
public struct LabelPairsConfiguration: StageConfiguration {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "label-pairs"

  /// The policy that answers; of pairs that are labelled again, only its tokenizer is read.
  public var policy = ""
  /// Who labels: a model, a rule, several judges, or an endpoint.
  public var judge = JudgeChoice()
  /// Files of prompts to answer and label.
  public var prompts: [String] = []
  /// Files of preference pairs to label again, in place of prompts.
  public var pairs: [String] = []
  /// Prompts or pairs to label; 0 for all.
  public var maxRows = 0
  /// Responses to each prompt, K.
  public var responses = 4
  /// The pairs that are made of K responses.
  public var pairing = LabelPairing.bestWorst
  /// Pairs whose margin is lower are left out, in nats of log-odds.
  public var minMargin = 0.0
  /// How responses are sampled.
  public var sampling = SamplingConfiguration()
  /// Prompts or pairs in one step.
  public var rowsPerStep = 32
  /// Steps between checkpoints.
  public var checkpointEvery = 1

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require("policy", !policy.isEmpty, "a stage or a model folder", "nothing")
    try judge.validate("judge")
    try require(
      "prompts", prompts.isEmpty != pairs.isEmpty, "files of prompts, or else of pairs",
      prompts.isEmpty ? "neither" : "both")
    try require(
      "max_rows", (0...1_000_000).contains(maxRows), "an integer from 0 to 1000000", maxRows)
    try require("responses", (2...1000).contains(responses), "an integer from 2 to 1000", responses)
    try require(
      "min_margin", (0...1e6).contains(minMargin), "a number from 0 to 1000000", minMargin)
    try requireCount("rows_per_step", rowsPerStep)
  }
}

/// The pairs that are made of the K responses to a prompt.
public enum LabelPairing: String, Codable, Sendable, CaseIterable {
  /// One: those of the highest and of the lowest mean preference.
  case bestWorst = "best-worst"
  /// Every two responses that the judge tells apart.
  case all
}

/// Makes preference pairs by asking a judge: of sampled responses, or of pairs that people have labelled.
///
/// What is written can be read by every stage that trains on pairs.
struct LabelPairsStage: Stage {
  let configuration: LabelPairsConfiguration

  /// The file that is written.
  static let fileName = "pairs.jsonl.zst"

  var inputs: [String] {
    [configuration.policy] + configuration.judge.inputs + configuration.prompts
      + configuration.pairs
  }

  static var product: StageProduct { .noModel }

  var models: [ModelUse] {
    // Of pairs that are labelled again the policy lends its tokenizer only.
    (configuration.pairs.isEmpty ? [ModelUse(configuration.policy, as: .policy)] : [])
      + configuration.judge.models()
  }

  func plan(_ context: PlanContext) throws -> StagePlan {
    let rows = configuration.maxRows > 0 ? configuration.maxRows : 1000
    guard configuration.pairs.isEmpty else {
      return StagePlan(
        "\(configuration.judge.summary) labels pairs again", sizes: ["pairs": rows])
    }
    return policyPlan(
      "\(configuration.responses) responses to each prompt, labelled by \(configuration.judge.summary)",
      parameters: try parameterCount(context, model: configuration.policy),
      responses: rows * configuration.responses, newTokens: configuration.sampling.maxNewTokens,
      trainingPasses: 0)
  }

  func run(_ context: StageContext) throws -> StageResult {
    let labels =
      configuration.pairs.isEmpty ? try labelSamples(context) : try labelPairs(context)
    guard !labels.lines.isEmpty else {
      throw RunError.nothingToTrain(
        stage: context.stage, files: configuration.prompts + configuration.pairs,
        why: "of \(labels.count.groups) rows, the judge tells no two responses far enough apart")
    }
    try LineWriter.write(labels.lines, to: context.directory.appending(path: Self.fileName))
    return StageResult(
      figures: labels.figures(relabels: !configuration.pairs.isEmpty),
      tables: [labels.table(judge: configuration.judge.summary)],
      sections: [
        ReportSection(
          "\(context.stage): labels",
          [.table(labels.table(judge: configuration.judge.summary))])
      ])
  }

  /// Samples and labels, some prompts a step.
  private func labelSamples(_ context: StageContext) throws -> Labels {
    let (policy, encoder) = try loadPolicy(context, configuration.policy)
    let judge = try recipeJudge(configuration.judge, context: context, policy: encoder)
    let prompts = try policyPrompts(
      context, configuration.prompts, encoder: encoder,
      models: [policy.configuration] + judge.readers,
      newTokens: configuration.sampling.maxNewTokens, limit: configuration.maxRows)
    let settings = OnPolicySettings(
      prompts: prompts, updates: steps(prompts.count), promptsPerUpdate: configuration.rowsPerStep,
      responsesPerPrompt: configuration.responses, sampling: configuration.sampling,
      checkpointEvery: configuration.checkpointEvery)
    var labels = Labels(configuration, source: context.stage)
    var kept: RolloutBuffer?
    let first = try context.resume { folder in
      try labels.load(from: folder)
      kept = try RolloutCollection.load(from: folder)
    }
    for step in first..<max(first, settings.updates + 1) {
      let collection = RolloutCollection(
        prompts: Array(rows(of: prompts, in: step)), settings: settings, judge: judge.judge,
        encoder: encoder, context: context, update: step)
      var (buffer, metrics) = try collection.collect(kept: kept, policy: policy, save: labels.save)
      kept = nil
      metrics.merge(labels.add(buffer)) { $1 }
      try finish(context, step, of: settings.updates, metrics, labels, tokens: buffer.tokenCount)
    }
    return labels
  }

  /// Labels pairs of files again, some a step.
  private func labelPairs(_ context: StageContext) throws -> Labels {
    let encoder = try ConversationEncoder.load(
      from: AdapterFolder.tokenizerFolder(of: context.artifact(configuration.policy)))
    let judge = try recipeJudge(configuration.judge, context: context, policy: encoder)
    let pairs = try readPairs(
      context, encoder: encoder, room: judge.readers.map(\.maximumPositions).min())
    var labels = Labels(configuration, source: context.stage)
    let first = try context.resume { try labels.load(from: $0) }
    let steps = steps(pairs.count)
    for step in first..<max(first, steps + 1) {
      let rows = Array(rows(of: pairs, in: step))
      let groups = rows.map { pair in
        var group = JudgeGroup(
          prompt: pair.prompt, responses: [pair.chosen, pair.rejected], encoder: encoder)
        group.id = pair.id
        return group
      }
      let judgements: [Judgement]
      do {
        judgements = try judge.judge.judge(groups: groups)
      } catch {
        if step > 1 { try context.checkpoint(step - 1, save: labels.save) }
        throw error
      }
      var metrics: [String: Double] = [:]
      for (pair, judgement) in zip(rows, judgements) where judgement.skipReason != nil {
        context.warn("pair '\(pair.id)' skipped: \(judgement.skipReason ?? "")")
      }
      metrics.merge(labels.add(rows, judgements)) { $1 }
      try finish(
        context, step, of: steps, metrics, labels,
        tokens: groups.reduce(0) { $0 + $1.tokens.tokenCount })
    }
    return labels
  }

  private func finish(
    _ context: StageContext, _ step: Int, of steps: Int, _ metrics: [String: Double],
    _ labels: Labels, tokens: Int
  ) throws {
    try context.finishStep(
      step, of: steps, metrics: metrics, tokens: tokens,
      checkpointEvery: configuration.checkpointEvery, save: labels.save)
  }

  private func steps(_ rows: Int) -> Int {
    (rows + configuration.rowsPerStep - 1) / configuration.rowsPerStep
  }

  private func rows<Row>(of rows: [Row], in step: Int) -> ArraySlice<Row> {
    let start = (step - 1) * configuration.rowsPerStep
    return rows[start..<min(rows.count, start + configuration.rowsPerStep)]
  }

  private func readPairs(
    _ context: StageContext, encoder: ConversationEncoder, room: Int?
  ) throws -> [PreferencePair] {
    var pairs: [PreferencePair] = []
    for file in configuration.pairs {
      pairs += context.usable(try DataFile.preferencePairs(context.artifact(file)))
    }
    let fitting = pairs.filter { pair in
      guard let room else { return true }
      return [pair.chosen, pair.rejected].allSatisfy { response in
        let scored = encoder.scored(prompt: pair.prompt, response: response)
        return scored.prompt.count + scored.response.count <= room
      }
    }
    if fitting.count < pairs.count {
      context.warn(
        "\(pairs.count - fitting.count) of \(pairs.count) pairs left out: they exceed the judge's "
          + "context of \(room ?? 0)")
    }
    return configuration.maxRows > 0 ? Array(fitting.prefix(configuration.maxRows)) : fitting
  }
}
