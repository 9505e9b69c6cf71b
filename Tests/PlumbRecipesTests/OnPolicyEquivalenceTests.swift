import Foundation
import PlumbModels
import PlumbPreferences
import PlumbRollouts
import PlumbTensors
import PlumbTestSupport
import Testing

@testable import PlumbRecipes

/// How the work is laid out must not change what is learnt: the same trajectory over several updates,
/// to the rounding of Float32.
///
/// Complaints: huggingface/trl#583 (the loss changed with accumulation), allenai/reward-bench#137 (scores
/// changed with the batch).
@Suite struct OnPolicyEquivalenceTests {
  private let world: TrainerWorld
  private static let updates = 4

  init() throws {
    var world = try TrainerWorld()
    world.stopTokens = [5, 11, 17, 23, 29, 35]
    self.world = world
  }

  /// Tokens at once: a group alone with its prompt shared (15 and more), and each response alone.
  static let budgets = [40, 15, 1]

  /// - Parameter kind: the class in `Documentation/Equivalence.md`.
  private func expectSame(
    _ a: CausalLM, _ b: CausalLM, _ what: String, kind: String = "micro-batches, policy gradients",
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let moved = differences(weights(a), weights(world.policy))
    let found = differences(weights(a), weights(b))
    EquivalenceLog.note(
      kind, (found.most, found.mean), "\(what); moved by \(moved.most), \(moved.mean)")
    #expect(moved.mean > 1e-3, "nothing was learnt", sourceLocation: sourceLocation)
    #expect(found.most < 2e-5, "\(what)", sourceLocation: sourceLocation)
    #expect(found.mean < 2e-7, "\(what)", sourceLocation: sourceLocation)
  }

  private func ppo(
    _ valueModel: ValueModelChoice, budget: Int,
    _ change: (inout PPOConfiguration) -> Void = { _ in }
  ) throws -> CausalLM {
    try world.trained(
      world.ppo(valueModel) {
        $0.microBatchTokens = budget
        // Where a gradient is rounding alone, Adam would follow its sign.
        $0.optimizer.epsilon = 1e-5
        change(&$0)
      }, updates: Self.updates, responses: 4
    ).trainer.trained
  }

  @Test(
    "Complaint 11, trl#583: accumulation does not change PPO", arguments: ValueModelChoice.allCases,
    budgets)
  func microBatchesAndPackingDoNotChangePPO(_ valueModel: ValueModelChoice, budget: Int) throws {
    expectSame(
      try ppo(valueModel, budget: 0), try ppo(valueModel, budget: budget),
      "PPO \(valueModel), \(budget) tokens at once")
  }

  @Test(arguments: budgets) func microBatchesDoNotChangeTermsOfTheLoss(budget: Int) throws {
    let change = { (configuration: inout PPOConfiguration) in
      configuration.klIn = .loss
      configuration.klEstimator = .k3
      configuration.klCoefficient = 0.3
      configuration.entropyCoefficient = 0.05
    }
    expectSame(
      try ppo(.shared, budget: 0, change), try ppo(.shared, budget: budget, change),
      "PPO with divergence and entropy in the loss, \(budget) tokens at once")
  }

  private func gradient<Method: PolicyGradientMethod>(
    _ method: Method.Type, budget: Int, level: RatioLevel? = nil, reduction: LossReduction? = nil
  ) throws -> CausalLM {
    try world.trained(
      world.gradient(method) {
        $0.microBatchTokens = budget
        $0.minibatches = 2
        $0.optimizer.epsilon = 1e-5
        if $0.clip > 0 { $0.epochs = 2 }
        if let level { $0.ratioLevel = level }
        if let reduction { $0.lossReduction = reduction }
      }, updates: Self.updates
    ).trainer.trained
  }

  @Test("Complaint 11, trl#583: accumulation does not change policy gradients", arguments: budgets)
  func microBatchesAndPackingDoNotChangePolicyGradients(budget: Int) throws {
    expectSame(
      try gradient(GRPO.self, budget: 0), try gradient(GRPO.self, budget: budget),
      "GRPO, \(budget) tokens at once")
    expectSame(
      try gradient(GRPO.self, budget: 0, reduction: .token),
      try gradient(GRPO.self, budget: budget, reduction: .token),
      "GRPO with a token mean, \(budget) tokens at once")
    expectSame(
      try gradient(RLOO.self, budget: 0), try gradient(RLOO.self, budget: budget),
      "RLOO, \(budget) tokens at once")
    expectSame(
      try gradient(REINFORCE.self, budget: 0), try gradient(REINFORCE.self, budget: budget),
      "REINFORCE, \(budget) tokens at once")
  }

  /// The parts of a minibatch are what they should be: whole groups where they fit, no response cut.
  @Test func minibatchesAreCutIntoParts() throws {
    let buffer = try world.rollouts(world.policy, responses: 4)
    let whole = Minibatch(buffer.places, of: buffer, tokenBudget: 0)
    #expect(whole.parts == [buffer.places])
    let lengths = buffer.places.map { buffer[$0].tokens.count }
    #expect(Set(lengths).count > 1, "lengths must differ: \(lengths)")
    #expect(whole.tokens == lengths.reduce(0, +) && whole.responses == 32)
    for budget in Self.budgets + [9] {
      let cut = Minibatch(buffer.places, of: buffer, tokenBudget: budget)
      #expect(cut.tokens == whole.tokens && cut.responses == 32)
      #expect(
        cut.parts.joined().sorted { ($0.group, $0.response) < ($1.group, $1.response) }
          == buffer.places)
      for part in cut.parts where part.count > 1 {
        #expect(buffer.batch(part).tokens.count <= budget)
      }
    }
    #expect(Minibatch(buffer.places, of: buffer, tokenBudget: 1).parts.count == 32)
    let groups = Minibatch(buffer.places, of: buffer, tokenBudget: 40).parts
    #expect(groups.contains { Set($0.map(\.group)).count > 1 })
  }

  /// A value head that does not reach the trunk leaves the policy to the policy's loss: the same policy
  /// whatever the weight of the value loss, and the same as beside a model of its own.
  @Test func aSharedButFrozenTrunkTrainsThePolicyAsASeparateValueModelDoes() throws {
    let change = { (weight: Double) in
      { (configuration: inout PPOConfiguration) in
        configuration.valueCoefficient = weight
        configuration.optimizer.epsilon = 1e-5
        configuration.gaeLambda = 1
      }
    }
    // No value moves: every value is 0 in all three.
    let silent = try ValueModelChoice.allCases.map {
      try world.trained(world.ppo($0, change(0)), updates: Self.updates).trainer.trained
    }
    expectSame(
      silent[0], silent[1], "trunk shared against head alone, values silent",
      kind: "frozen value head")
    expectSame(
      silent[2], silent[1], "separate model against head alone, values silent",
      kind: "frozen value head")
    // In the first round all values are 0, so the policies must be equal to the bit.
    func first(_ choice: ValueModelChoice, _ weight: Double) throws -> PPOTrainer {
      try world.trained(world.ppo(choice, change(weight))).trainer
    }
    let (light, heavy) = (try first(.head, 0.1), try first(.head, 5))
    #expect(weights(light.trained) == weights(heavy.trained))
    let heads = try [light, heavy].map { weights(try #require($0.actor.ownHead).parameters) }
    let still = [Float](repeating: 0, count: heads[0].count)
    #expect(heads[0] != heads[1] && !heads.contains(still))
    let trunks = try [0.1, 5].map { weights(try first(.shared, $0).trained) }
    #expect(trunks[0] != trunks[1])
  }

  /// Scores and preferences by the reward model, so many tokens at once.
  private func judge(_ buffer: inout RolloutBuffer, budget: Int) throws {
    let scores = try world.reward.scores(
      groups: buffer.groups.map {
        PreferenceGroup(prompt: $0.promptTokens, responses: $0.responses.map { $0.tokens + [0] })
      }, tokenBudget: budget)
    for place in buffer.places { buffer[place].score = 30 * scores[place.group][place.response] }
    for group in buffer.groups.indices {
      buffer.groups[group].preferenceLogits =
        Judgement(scores: scores[group].map { 30 * Double($0) }, source: "reward")
        .preferenceLogits
    }
  }

  /// What the page of the classes has comes from these lines: the largest of all cases, each number by itself.
  @Test func aClassIsLoggedWhereItDiffersByMoreThanBefore() {
    let kind = "class \(UUID())"
    let lines = [(2.0, 1.0), (2.0, 0.5), (1.0, 3.0)].map {
      EquivalenceLog.line(kind, (largest: $0.0, mean: $0.1), "case")
    }
    #expect(lines[0] == "equivalence: \(kind): largest 2.0, mean 1.0 (case)" && lines[1] == nil)
    #expect(lines[2] == "equivalence: \(kind): largest 2.0, mean 3.0 (case)")
  }

  /// Judged one group at a time or all at once: the same scores, and the same policy.
  @Test func judgeCallsInBatchesGiveTheSameScoresAndThePolicyTheSameWay() throws {
    var (whole, single) = (
      try world.rollouts(world.policy, responses: 4), try world.rollouts(world.policy, responses: 4)
    )
    try judge(&whole, budget: 4096)
    try judge(&single, budget: 1)
    let scores = [whole, single].map { buffer in buffer.places.compactMap { buffer[$0].score } }
    let found = differences(scores[0], scores[1])
    EquivalenceLog.note("judge calls, scores", (found.most, found.mean), "reward model")
    #expect(found.most < 1e-4 && rewardDeviation(scores[0]) > 0.1)
    func policy(budget: Int) throws -> CausalLM {
      try world.trained(
        world.gradient(GRPO.self) { $0.optimizer.epsilon = 1e-5 }, updates: Self.updates
      ) { try? judge(&$0, budget: budget) }.trainer.trained
    }
    expectSame(
      try policy(budget: 4096), try policy(budget: 1), "GRPO", kind: "judge calls, weights")
  }

  @Test(arguments: ValueModelChoice.allCases) func judgeCallsInBatchesDoNotChangePPO(
    _ valueModel: ValueModelChoice
  ) throws {
    func policy(budget: Int) throws -> CausalLM {
      try world.trained(
        world.ppo(valueModel) { $0.optimizer.epsilon = 1e-5 }, updates: Self.updates,
        responses: 4
      ) { try? judge(&$0, budget: budget) }.trainer.trained
    }
    expectSame(
      try policy(budget: 4096), try policy(budget: 1), "PPO \(valueModel)",
      kind: "judge calls, weights")
  }

  /// The judge only chooses pairs: the same ones, and so the same policy to the bit.
  @Test func judgeCallsInBatchesDoNotChangeOnlineDPO() throws {
    func policy(budget: Int) throws -> CausalLM {
      var learner = OnlineDPOLearner(
        world.onlineDPO { $0.updates = Self.updates }, policy: world.policy, seed: 6)
      for update in 1...Self.updates {
        var buffer = try world.rollouts(world.policy, update: update, responses: 4)
        try judge(&buffer, budget: budget)
        let metrics = try learner.improve(on: &buffer, reference: world.policy, update: update)
        let pairs = metrics["pairs/count"] ?? 0
        #expect(pairs > 4)
      }
      return learner.policy
    }
    let (whole, single) = (try policy(budget: 4096), try policy(budget: 1))
    expectSame(whole, single, "online DPO", kind: "judge calls, online DPO")
    let isSame = weights(whole) == weights(single)
    #expect(isSame)
  }
}
