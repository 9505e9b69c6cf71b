import PlumbModels
import PlumbPreferences
import PlumbRollouts
import PlumbTokenizers

/// A policy that answers with the best of n samples by a judge, as a contestant beside trained ones.
public struct BestOfPolicy: ConfigurationSection {
  /// Its name in the report; empty for one made of policy and n.
  public var name = ""
  /// The policy that samples.
  public var policy = ""
  /// Who chooses; not the judge that compares, or the comparison says nothing.
  public var judge = JudgeChoice()
  /// Samples to choose from for each answer.
  public var n = 4

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require("policy", !policy.isEmpty, "a stage or a model folder", "nothing")
    try judge.validate("judge")
    try require(
      "judge", judge.handling.onFailure == .stop,
      "on_failure: stop, since all policies are compared",
      "skip")
    try require("n", (2...1000).contains(n), "an integer from 2 to 1000", n)
  }

  var title: String { name.isEmpty ? "best of \(n) of \(policy)" : name }
  var inputs: [String] { [policy] + judge.inputs }
}

/// How far choosing the best of n takes a policy from itself.
struct SelectionDivergence: Codable {
  /// Estimated on the samples of each answer, nats, prompt by prompt; see ``bestOfNDivergence(_:)``.
  let estimates: [[Double]]
  /// The most that it can be, nats; see ``bestOfNDivergenceBound(_:)``.
  let bound: Double
}

extension BestOfPolicy {
  /// Answers all prompts, each answer the best of n samples of its own.
  ///
  /// - Parameters:
  ///   - policy: the policy that samples.
  ///   - prompts: what to answer.
  ///   - reference: the baseline, for log-ratios.
  ///   - judge: who chooses.
  ///   - encoder: tokenizer and template of all.
  ///   - count: answers to each prompt.
  ///   - options: how samples are drawn.
  func answers(
    policy: CausalLM, to prompts: [PolicyPrompt], reference: CausalLM, judge: any Judge,
    encoder: ConversationEncoder, count: Int, options: SamplingOptions
  ) throws -> PolicyAnswers {
    let sampled = try RolloutBuffer.sample(
      policy: policy, prompts: prompts, encoder: encoder, count: count * n, options: options,
      origin: title)
    // Each answer is chosen among samples of its own, so that the answers to a prompt are independent.
    var blocks = RolloutBuffer(
      groups: sampled.groups.flatMap { group in
        (0..<count).map { number in
          var block = group
          block.responses = Array(group.responses[number * n..<(number + 1) * n])
          return block
        }
      }, provenance: sampled.provenance)
    try blocks.judge(by: judge, encoder: encoder)
    let best = try BestResponses(
      blocks, keep: 1, minScore: -.infinity, skipsTies: false)
    let divergences = best.values.map(bestOfNDivergence)
    var chosen = sampled
    for index in chosen.groups.indices {
      chosen.groups[index].responses = (0..<count).flatMap { number in
        best.byGroup[index * count + number].map { blocks[$0] }
      }
    }
    chosen.recomputeLogprobs(policy: policy)
    chosen.fillReferenceLogprobs(model: reference)
    return PolicyAnswers(
      name: title, buffer: chosen,
      selection: SelectionDivergence(
        estimates: chosen.groups.indices.map { index in
          (0..<count).map { divergences[index * count + $0] }
        }, bound: bestOfNDivergenceBound(n)))
  }
}
