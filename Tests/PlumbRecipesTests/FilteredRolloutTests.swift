import PlumbPreferences
import PlumbRollouts
import Testing

@testable import PlumbRecipes

/// Responses that were sampled with a filter, or greedily, are none of the policy's own distribution.
///
/// huggingface/trl#2358: behaviour log-probabilities must be those of what was sampled. No stage samples so, but a
/// program may hand over what it likes.
@Suite struct FilteredRolloutTests {
  /// Learners whose log-probabilities stand for the distribution that was sampled.
  enum Kind: CaseIterable {
    case ppo, grpo, rloo, reinforce, gpo, onlineDPO
  }

  /// A way to sample, with the option that is refused.
  struct Filter: CustomTestStringConvertible, Sendable {
    let option: String
    let found: String
    let options: SamplingOptions
    var testDescription: String { option }
  }

  static let filters = [
    Filter(option: "temperature", found: "0.0 (greedy)", options: SamplingOptions(temperature: 0)),
    Filter(option: "top_k", found: "5", options: SamplingOptions(topK: 5)),
    Filter(option: "top_p", found: "0.5", options: SamplingOptions(topP: 0.5)),
    Filter(option: "min_p", found: "0.25", options: SamplingOptions(minP: 0.25)),
    Filter(
      option: "repetition_penalty", found: "1.5", options: SamplingOptions(repetitionPenalty: 1.5)),
  ]

  private let world: TrainerWorld
  init() throws { world = try TrainerWorld() }

  private func learner(_ kind: Kind) throws -> any OnPolicyLearner {
    let policy = world.policy
    switch kind {
    case .ppo:
      return try PPOTrainer(world.ppo(), policy: policy, reward: world.reward, seed: 6)
    case .grpo:
      return PolicyGradientTrainer(world.gradient(GRPO.self), policy: policy, seed: 6)
    case .rloo:
      return PolicyGradientTrainer(world.gradient(RLOO.self), policy: policy, seed: 6)
    case .reinforce:
      return PolicyGradientTrainer(world.gradient(REINFORCE.self), policy: policy, seed: 6)
    case .gpo:
      var configuration = GPOConfiguration()
      configuration.optimizer = TrainerWorld.optimizer
      return GameTrainer(configuration, policy: policy, prompts: 8, seed: 6)
    case .onlineDPO: return OnlineDPOLearner(world.onlineDPO(), policy: policy, seed: 6)
    }
  }

  /// Responses of the policy, scored and judged, that say they were sampled with `options`.
  private func buffer(_ options: SamplingOptions?) throws -> RolloutBuffer {
    var buffer = try world.rollouts(world.policy, responses: 4) { group, place, _ in
      Float((group + 3 * place) % 8) / 4
    }
    for group in buffer.groups.indices {
      let scores = buffer.groups[group].responses.map { Double($0.score ?? .nan) }
      buffer.groups[group].preferenceLogits =
        Judgement(scores: scores, source: "rule").preferenceLogits
    }
    buffer.provenance.sampling = options
    return buffer
  }

  @Test(
    "Complaint 8, trl#2358: rollouts that were sampled with a filter are refused",
    arguments: Kind.allCases, filters)
  func everyLearnerRefusesThem(_ kind: Kind, _ filter: Filter) throws {
    var learner = try learner(kind)
    let before = try buffer(filter.options)
    var after = before
    let error = #expect(throws: RolloutError.self) {
      try learner.improve(on: &after, reference: world.policy, update: 1)
    }
    let text = "\(try #require(error))"
    #expect(text.contains("'\(filter.option)': expected"), "\(text)")
    #expect(text.hasSuffix("found \(filter.found)"), "\(text)")
    // Before anything is filled or moved.
    let isUntouched = after == before && weights(learner.trained) == weights(world.policy)
    #expect(isUntouched)
    #expect(!filter.options.isUnfiltered)
  }

  /// Any temperature above 0 will do, and so will a buffer that does not say.
  @Test(arguments: Kind.allCases) func everyLearnerTakesOthers(_ kind: Kind) throws {
    for options in [SamplingOptions(), SamplingOptions(temperature: 0.7), nil] {
      var learner = try learner(kind)
      var buffer = try buffer(options)
      let metrics = try learner.improve(on: &buffer, reference: world.policy, update: 1)
      #expect(metrics["objective/kl"] != nil)
      let isSame = weights(learner.trained) == weights(world.policy)
      #expect(!isSame)
    }
  }

  /// Cross-entropy on what is chosen takes no ratio, so answers may come from anywhere.
  @Test func rejectionSamplingTakesThem() throws {
    var configuration = RejectionSamplingConfiguration()
    configuration.promptsPerIteration = 8
    configuration.optimizer = TrainerWorld.optimizer
    var learner = RejectionSampler(configuration, policy: world.policy, prompts: 8, seed: 6) { _ in
    }
    for filter in Self.filters {
      var buffer = try buffer(filter.options)
      let metrics = try learner.improve(on: &buffer, reference: world.policy, update: 1)
      #expect(metrics["loss"] != nil)
    }
  }
}
