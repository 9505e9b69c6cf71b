import Foundation
import PlumbModels
import PlumbPreferences
import PlumbRollouts
import PlumbTensors
import PlumbTestSupport
import PlumbTokenizers
import Testing

@testable import PlumbRecipes

/// What implementations of PPO get wrong, one test each.
///
/// After "The N Implementation Details of RLHF with PPO" (Huang and others, 2023) and the complaints named. Losses, advantages and controllers on their own are in
/// `PPOTests`, `AdvantagesTests` and `KLTests`.
@Suite struct PPOChecklistTests {
  private let world: TrainerWorld

  init() throws { world = try TrainerWorld() }

  private func tokenMean(
    _ buffer: RolloutBuffer, _ field: (Rollout) -> [Float]
  ) -> (mean: Double, deviation: Double) {
    let values = buffer.places.flatMap { field(buffer[$0]) }
    let mean = values.reduce(0.0) { $0 + Double($1) } / Double(values.count)
    let squares = values.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
    return (mean, (squares / Double(values.count - 1)).squareRoot())
  }

  // MARK: Tokens and masks

  /// huggingface/trl#937: with PAD = EOS the policy never learns to stop.
  ///
  /// Plumb pads nothing, and a policy
  /// whose padding id ends its turns is refused before the first response.
  @Test("Complaint 17, trl#937: padding is not the end, and nothing is padded")
  func padIsNotEndAndNothingIsPadded() throws {
    let tokenizer = try Tokenizer.train(on: ["how do i do it"], vocabularySize: 262)
    let encoder = try ConversationEncoder(tokenizer: tokenizer, template: .chatML)
    var configuration = world.policy.configuration
    configuration.vocabularySize = tokenizer.vocabularySize
    configuration.maximumPositions = 96
    let prompts = [(id: "one", messages: [Message(role: "user", content: "how")])]
    configuration.padTokenID = encoder.response("").last
    let bad = CausalLM(configuration, seed: 1)
    #expect(throws: RolloutError.self) {
      try RolloutBuffer.sample(
        policy: bad, prompts: prompts, encoder: encoder, count: 1,
        options: SamplingOptions(maximumNewTokens: 4))
    }
    configuration.padTokenID = nil
    let buffer = try RolloutBuffer.sample(
      policy: CausalLM(configuration, seed: 1), prompts: prompts, encoder: encoder, count: 3,
      options: SamplingOptions(maximumNewTokens: 9))
    let batch = buffer.batch()
    // Nothing but the prompt, once, and the sampled tokens.
    #expect(
      batch.tokens == buffer.groups[0].promptTokens
        + buffer.groups[0].responses.flatMap(\.tokens))
    #expect(batch.targets == buffer.groups[0].responses.flatMap(\.tokens))
  }

  /// The reward model sees the response up to the first stop token, and the policy is paid at that token.
  @Test func theJudgeSeesTheResponseCutAtTheFirstStopToken() throws {
    let tokenizer = try Tokenizer.train(on: ["how do i do it"], vocabularySize: 262)
    let encoder = try ConversationEncoder(tokenizer: tokenizer, template: .chatML)
    let text = encoder.tokenizer.encode("do it").map(Int32.init)
    let stop = Int32(try #require(encoder.response("").last))
    let ending = encoder.scoredEnd.map(Int32.init)
    let group = JudgeGroup(
      prompt: [], promptTokens: [1, 2],
      sampled: [text + [stop], text, text + [stop, 7, 8], [stop]],
      encoder: encoder)
    // The same text, whether it was ended or ran into the limit; nothing behind a stop counts.
    #expect(Array(group.tokens.responses[..<3]) == [text + ending, text + ending, text + ending])
    #expect(group.tokens.responses[3] == ending)
    #expect(group.responses[0] == "do it" && group.responses[3] == "")
  }

  /// lm-human-preferences: a fixed loss for a response without an end; none for one that ends with its
  /// last token, which is as long.
  @Test func missingEndCostsThePenaltyAndAFullLengthEndDoesNot() throws {
    var shaping = ScoreShaping()
    shaping.missingEosPenalty = 1.5
    let cut = Rollout(tokens: [4, 5, 6], text: "", finishReason: .length)
    let ended = Rollout(tokens: [4, 5, 0], text: "", finishReason: .stop)
    #expect(shaping(2, of: cut) == 0.5 && shaping(2, of: ended) == 2)
    // A stop token as the last one that fits ends the response.
    var world = world
    world.stopTokens = Set(0..<40)
    let buffer = try world.rollouts(world.policy, newTokens: 1)
    let reasons = Set(buffer.places.map { buffer[$0].finishReason })
    #expect(reasons == [.stop])
    let trained = try self.world.trained(
      self.world.ppo { $0.missingEosPenalty = 100 })
    let rewards = trained.buffers[0].places.map { trained.buffers[0][$0].tokenRewards }
    for row in rewards {
      let before = row[..<5].map { abs($0) }.max() ?? 0
      #expect(row[5] < -90 && before < 1)
    }
  }

  @Test func lengthCostsByTheToken() {
    var shaping = ScoreShaping()
    shaping.lengthPenalty = 0.25
    let response = Rollout(tokens: [4, 5, 6, 7, 0], text: "", finishReason: .stop)
    #expect(shaping(2, of: response) == 0.75)
    shaping.lengthPenaltyFrom = 3
    #expect(shaping(2, of: response) == 1.5)
    shaping.lengthPenaltyFrom = 5
    #expect(shaping(2, of: response) == 2)
    // DAPO's soft overlong punishment, limit 8, cache 4: 0 up to 4 tokens, -1 at the limit.
    shaping.lengthPenaltyFrom = 4
    let longest = Rollout(
      tokens: [Int32](repeating: 3, count: 8), text: "", finishReason: .length)
    #expect(shaping(0, of: longest) == -1)
  }

  @Test func scoresAreClippedBeforePenalties() {
    var shaping = ScoreShaping()
    shaping.clip = 5
    shaping.missingEosPenalty = 1
    let cut = Rollout(tokens: [4], text: "", finishReason: .length)
    #expect(shaping(9, of: cut) == 4 && shaping(-9, of: cut) == -6 && shaping(2, of: cut) == 1)
  }

  // MARK: Sampling

  /// CarperAI/trlx#107, #508, huggingface/trl#454, #469, NeMo-Aligner#68: the first ratio is not 1.
  ///
  /// With a learning rate of 0 every ratio of the first pass is 1 to the bit, whatever the temperature; a later
  /// pass packs the responses in another order, so that its ratios are 1 to rounding. Once a minibatch has
  /// moved the policy, the next one's are not.
  @Test(
    "Complaint 8, trl#454: the ratio is exactly 1 until something moves",
    arguments: ValueModelChoice.allCases, [0.7, 1.0])
  func theRatioIsExactlyOneUntilSomethingMoves(_ valueModel: ValueModelChoice, temperature: Double)
    throws
  {
    var world = world
    world.temperature = Float(temperature)
    func metrics(epochs: Int, learningRate: Double = 0) throws -> [String: Double] {
      let found = try world.trained(
        world.ppo(valueModel) {
          $0.optimizer.learningRate = learningRate
          $0.minibatches = 2
          $0.epochs = epochs
        }
      ).metrics[0]
      let steps = 2 * Double(epochs)
      #expect(found["optimizer_steps"] == steps)
      return found
    }
    let first = try metrics(epochs: 1)
    #expect(first["val/ratio"] == 1 && first["policy/clipfrac_avg"] == 0)
    #expect(first["policy/approxkl_avg"] == 0 && first["policy/approxkl_k3_avg"] == 0)
    let both = try metrics(epochs: 2)
    expectClose(try #require(both["val/ratio"]), 1, absolute: 1e-5, relative: 0)
    #expect(both["policy/clipfrac_avg"] == 0)
    expectClose(try #require(both["policy/approxkl_avg"]), 0, absolute: 1e-9)
    let moved = try metrics(epochs: 1, learningRate: 3e-3)
    let divergence = try #require(moved["policy/approxkl_avg"])
    #expect(divergence > 1e-7, "\(divergence)")
  }

  /// huggingface/trl#2358: what is sampled under one distribution and trained under another shows.
  @Test("Complaint 8, trl#454: rollouts of another temperature are found")
  func rolloutsOfAnotherTemperatureAreFound() throws {
    var world = world
    world.temperature = 0.5
    var buffer = try world.rollouts(world.policy)
    let sampled = buffer.places.flatMap { buffer[$0].behaviourLogprobs }
    buffer.recomputeLogprobs(policy: world.policy)
    // Sampling with its cache and the training pass agree under the sampling temperature.
    expectClose(
      buffer.places.flatMap { buffer[$0].behaviourLogprobs }, sampled, absolute: 1e-4,
      relative: 1e-4)
    buffer.provenance.sampling?.temperature = 1
    let batch = buffer.batch()
    let logprobs = batch.logprobs(model: world.policy, temperature: 1).logprobs.scalars
    let frozen = buffer
    #expect(throws: RolloutError.self) { try frozen.requireUnitRatio(logprobs, in: batch) }
  }

  // MARK: Rewards

  /// `-c·k(log π - log π_ref)` at every token, the score on the last one only.
  @Test(arguments: KLEstimator.allCases)
  func theDivergenceIsOnEveryTokenAndTheScoreOnTheLast(_ estimator: KLEstimator) throws {
    let other = try TrainerWorld(seed: 21).policy
    var trainer = try PPOTrainer(
      world.ppo {
        $0.klEstimator = estimator
        $0.klCoefficient = 0.5
      }, policy: world.policy, reward: world.reward, seed: 1)
    var buffer = try world.rollouts(world.policy)
    let metrics = try trainer.improve(on: &buffer, reference: other, update: 1)
    for place in buffer.places {
      let response = buffer[place]
      for token in response.tokens.indices {
        let d = response.behaviourLogprobs[token] - response.referenceLogprobs[token]
        let estimate =
          switch estimator {
          case .k1: d
          case .k2: d * d / 2
          case .k3: exp(-d) - 1 + d
          }
        let score = token == response.tokens.count - 1 ? try #require(response.score) : 0
        expectClose(response.tokenRewards[token], score - 0.5 * estimate, absolute: 1e-5)
      }
    }
    #expect(try #require(metrics["objective/kl"]) > 0)
    #expect(metrics["loss/kl_avg"] == nil)
  }

  /// huggingface/trl#925, LLaMA-Factory#664: a sampled k1 may be negative, k2 and k3 never are.
  @Test("Complaint 7, trl#925: only the estimate k1 of KL may be negative")
  func negativeEstimatesAreThoseOfK1Alone() {
    for d: Float in [-2, -0.5, -1e-4, 0, 1e-4, 0.5, 2] {
      #expect((KLEstimator.k1(d) < 0) == (d < 0))
      #expect(KLEstimator.k2(d) >= 0 && KLEstimator.k3(d) >= 0)
    }
  }

  @Test func theDivergenceMayBeATermOfTheLoss() throws {
    let other = try TrainerWorld(seed: 21).policy
    func policy(_ change: (inout PPOConfiguration) -> Void) throws -> (
      RolloutBuffer, [String: Double], [Float]
    ) {
      var trainer = try PPOTrainer(
        world.ppo(.shared, change), policy: world.policy, reward: world.reward, seed: 1)
      var buffer = try world.rollouts(world.policy)
      let metrics = try trainer.improve(on: &buffer, reference: other, update: 1)
      return (buffer, metrics, weights(trainer.trained))
    }
    let inLoss = try policy {
      $0.klIn = .loss
      $0.klEstimator = .k3
      $0.klCoefficient = 0.5
    }
    for place in inLoss.0.places {
      let rewards = inLoss.0[place].tokenRewards
      #expect(Array(rewards.dropLast()) == [Float](repeating: 0, count: rewards.count - 1))
      #expect(rewards.last == inLoss.0[place].score)
    }
    #expect(try #require(inLoss.1["loss/kl_avg"]) > 0)
    let without = try policy { $0.klCoefficient = 0 }
    #expect(inLoss.2 != without.2)
    // Steps against the divergence alone bring the policy closer to one that has opinions.
    let far = try TrainerWorld.far()
    var trainer = try PPOTrainer(
      world.ppo {
        $0.klIn = .loss
        $0.klEstimator = .k3
        $0.klCoefficient = 1
        $0.whitenAdvantages = false
        $0.valueCoefficient = 0
        $0.rewardClip = 1e-6
        $0.optimizer.learningRate = 1e-2
      }, policy: world.policy, reward: world.reward, seed: 1)
    let distances = try (1...8).map { update in
      var buffer = try world.rollouts(trainer.policy, update: update, prompts: 16)
      return try #require(
        try trainer.improve(on: &buffer, reference: far, update: update)["loss/kl_avg"])
    }
    #expect(distances[6] + distances[7] < 0.97 * (distances[0] + distances[1]), "\(distances)")
  }

  /// torchtune has the two directions the wrong way round.
  @Test func rewardWhiteningKeepsTheMeanAndAdvantageWhiteningTakesItOut() throws {
    func buffer(_ change: (inout PPOConfiguration) -> Void) throws -> RolloutBuffer {
      try world.trained(world.ppo(.shared, change)) {
        for place in $0.places { $0[place].score = 10 + Float(place.group) }
      }.buffers[0]
    }
    let plain = try buffer { $0.whitenAdvantages = false }
    let whitened = try buffer { $0.whitenRewards = true }
    let before = tokenMean(plain, \.tokenRewards)
    let after = tokenMean(whitened, \.tokenRewards)
    expectClose(after.mean, before.mean, absolute: 1e-5)
    expectClose(after.deviation, 1, absolute: 1e-4)
    #expect(before.deviation > 2)
    let advantages = tokenMean(whitened, \.advantages)
    expectClose(advantages.mean, 0, absolute: 1e-6)
    expectClose(advantages.deviation, 1, absolute: 1e-5)
    #expect(tokenMean(plain, \.advantages).mean > 1)
    // Returns are taken before the advantages are whitened: with values of 0 they are the raw ones.
    for place in plain.places {
      #expect(plain[place].returns == plain[place].advantages)
      #expect(whitened[place].returns != whitened[place].advantages)
    }
  }

  // MARK: Values

  @Test(arguments: ValueModelChoice.allCases)
  func inWarmUpRoundsOnlyTheValueMoves(_ choice: ValueModelChoice) throws {
    let configuration = world.ppo(choice) {
      $0.valueWarmupUpdates = 2
      $0.valueCoefficient = 1
      $0.klTarget = 3
      $0.optimizer.weightDecay = 0.1
    }
    let warm = try world.trained(configuration, updates: 2)
    #expect(weights(warm.trainer.trained) == weights(world.policy))
    #expect(warm.trainer.controller.coefficient == configuration.klCoefficient)
    let values = warm.buffers[1].places.flatMap { warm.buffers[1][$0].values }
    #expect(values.contains { $0 != 0 })
    for metrics in warm.metrics {
      #expect(metrics["loss/policy_avg"] == nil && metrics["loss/value_avg"] != nil)
      #expect(metrics["optimizer_steps"] == 4)
    }
    let on = try world.trained(configuration, updates: 3)
    #expect(weights(on.trainer.trained) != weights(world.policy))
    #expect(on.metrics[2]["loss/policy_avg"] != nil)
    // The head goes on from what it learnt: its values in round 3 are those after round 2.
    #expect(on.buffers[2].places.flatMap { on.buffers[2][$0].values }.contains { $0 != 0 })
  }

  @Test func aSeparateValueModelStartsFromTheRewardModelsTrunk() throws {
    let trainer = try PPOTrainer(
      world.ppo(.separate), policy: world.policy, reward: world.reward, seed: 1)
    let critic = try #require(trainer.actor.critic)
    let names = critic.parameters.layout.entries.map(\.name).filter { !$0.hasPrefix("score") }
    #expect(names.count > 10)
    for name in names {
      let own = try #require(critic.parameters.layout.id(named: name))
      let start = try #require(world.reward.parameters.layout.id(named: name))
      #expect(critic.parameters.values(of: own) == world.reward.parameters.values(of: start))
    }
  }

  // MARK: The update

  /// Every pass of every round takes all responses once, in an order of its own that the seed decides.
  @Test func everyPassOfEveryRoundHasAnOrderOfItsOwn() throws {
    func orders(seed: UInt64) throws -> [[ResponsePlace]] {
      let configuration = world.ppo { ($0.epochs, $0.minibatches) = (3, 4) }
      let trainer = try PPOTrainer(
        configuration, policy: world.policy, reward: world.reward, seed: seed)
      let buffer = try world.rollouts(world.policy, responses: 4)
      return try (1...3).flatMap { update in
        let passes = trainer.passes(over: buffer, update: update)
        #expect(passes.map(\.count) == [4, 4, 4])
        let sizes = passes.joined().map(\.responses)
        #expect(sizes == [Int](repeating: 8, count: 12))
        for pass in passes {
          let sorted = pass.flatMap { $0.parts.joined() }
            .sorted { ($0.group, $0.response) < ($1.group, $1.response) }
          try #require(sorted == buffer.places)
        }
        return passes.map { $0.flatMap { $0.parts.joined() } }
      }
    }
    let (first, again, other) = (try orders(seed: 6), try orders(seed: 6), try orders(seed: 7))
    #expect(Set(first).count == 9, "3 rounds of 3 passes")
    #expect(first == again)
    #expect(Set(first).isDisjoint(with: other))
  }

  @Test func aRoundEndsOnceThePolicyHasMovedTooFar() throws {
    let free = try world.trained(world.ppo { $0.epochs = 4 }).metrics[0]
    #expect(free["optimizer_steps"] == 8)
    let held = try world.trained(
      world.ppo {
        $0.epochs = 4
        $0.maxPolicyKL = 1e-6
      }
    ).metrics[0]
    // The first minibatch has not moved; the second one has, and is the last.
    #expect(held["optimizer_steps"] == 2)
  }

  @Test func minibatchesWhoseRatioLeftItsRangeAreSkippedOrStopTheStage() throws {
    func run(_ action: RatioGuardAction) throws -> (PPOTrainer, [String: Double]) {
      let found = try world.trained(
        world.ppo {
          $0.epochs = 4
          $0.optimizer.learningRate = 0.5
          $0.ratioThreshold = 1.01
          $0.onRatio = action
        })
      return (found.trainer, found.metrics[0])
    }
    let (skipping, skipped) = try run(.skip)
    let share = try #require(skipped["policy/guarded_steps"])
    #expect(share > 0 && share < 1 && skipping.stopReason == nil)
    #expect(try #require(skipped["optimizer_steps"]) < 8)
    let (stopping, stopped) = try run(.stop)
    let reason = try #require(stopping.stopReason)
    #expect(reason.contains("ratio_threshold"))
    #expect(stopped["optimizer_steps"] == 1)
  }

  /// A metric that few toolkits have: how much of the returns the values explain.
  @Test func explainedVarianceIsThatOfTheValuesBeforeTheUpdate() throws {
    let found = try world.trained(
      world.ppo {
        $0.valueCoefficient = 1
        $0.epochs = 4
      }, updates: 12)
    #expect(found.metrics[0]["val/explained_variance"] == 0)
    let buffer = found.buffers[11]
    let expected = explainedVariance(
      values: buffer.places.map { buffer[$0].values },
      returns: buffer.places.map { buffer[$0].returns })
    #expect(found.metrics[11]["val/explained_variance"] == expected && expected != 0)
  }

  /// TRL dilutes the entropy with padding; here it is the mean over response tokens.
  @Test func entropyIsOverRealTokensOnly() throws {
    var world = world
    world.stopTokens = [5, 11, 17, 23, 29, 35]
    let found = try world.trained(world.ppo())
    let buffer = found.buffers[0]
    let alone = buffer.places.flatMap { place in
      buffer.batch([place]).logprobs(model: world.policy, withEntropy: true).entropies
    }
    #expect(Set(buffer.places.map { buffer[$0].tokens.count }).count > 1)
    #expect(alone.count == buffer.places.reduce(0) { $0 + buffer[$1].tokens.count })
    expectClose(
      try #require(found.metrics[0]["policy/entropy_avg"]),
      alone.reduce(0.0) { $0 + Double($1) } / Double(alone.count), absolute: 1e-5)
  }

  @Test func anEntropyBonusKeepsTheEntropyUp() throws {
    func last(_ coefficient: Double) throws -> Double {
      let metrics = try world.trained(
        world.ppo {
          $0.entropyCoefficient = coefficient
          $0.optimizer.learningRate = 1e-2
        }, updates: 8
      ).metrics
      #expect((metrics[0]["loss/entropy_avg"] != nil) == (coefficient > 0))
      return try #require(metrics[7]["policy/entropy_avg"])
    }
    let (without, with) = (try last(0), try last(0.3))
    #expect(with > without + 0.01, "\(without) to \(with)")
  }
}
