import Foundation
import PlumbModels
import PlumbObjectives
import PlumbPreferences
import PlumbRollouts
import PlumbTensors
import PlumbTestSupport
import Testing

@testable import PlumbRecipes

/// Several references (MRPO) and the reference's own answers (BAPO) on sampled pairs.
@Suite struct OnlineReferenceTests {
  private var world: TrainerWorld
  private let policy = TinyPairs.policy(seed: 1)
  private let other = TinyPairs.policy(seed: 2)
  private let third = TinyPairs.policy(seed: 4)
  private static let seed: UInt64 = 6

  init() throws { world = try TrainerWorld() }

  /// One optimizer step a round, on all pairs.
  private func configuration(
    _ change: (inout OnlineDPOConfiguration) -> Void = { _ in }
  ) -> OnlineDPOConfiguration {
    world.onlineDPO {
      $0.batchPairs = 100
      $0.beta = 0.5
      $0.sampling.temperature = Double(world.temperature)
      change(&$0)
    }
  }

  private func learner(
    _ configuration: OnlineDPOConfiguration, _ models: [(name: String, model: CausalLM)] = []
  ) -> OnlineDPOLearner {
    OnlineDPOLearner(
      configuration, policy: policy, seed: Self.seed,
      references: OnlineReferences(models: models, weights: configuration.mergeWeights))
  }

  /// Responses of the policy that all learners start from, each with a score of its own.
  private func judged(_ update: Int) throws -> RolloutBuffer {
    var buffer = try world.rollouts(policy, update: update, responses: 4) { group, place, _ in
      Float((group + 3 * place) % 8) / 4
    }
    for group in buffer.groups.indices {
      let scores = buffer.groups[group].responses.map { Double($0.score ?? .nan) }
      buffer.groups[group].preferenceLogits =
        Judgement(scores: scores, source: "rule").preferenceLogits
    }
    return buffer
  }

  /// Some rounds; the metrics of each.
  private func run(
    _ learner: inout OnlineDPOLearner, updates: ClosedRange<Int>
  ) throws -> [[String: Double]] {
    try updates.map { update in
      var buffer = try judged(update)
      return try learner.improve(on: &buffer, reference: policy, update: update)
    }
  }

  /// The tokens of the pairs of a round.
  private func pairs(
    _ buffer: RolloutBuffer
  ) throws -> [(prompt: [Int32], chosen: [Int32], rejected: [Int32])] {
    try buffer.bestAndWorst().map {
      (
        buffer.groups[$0.best.group].promptTokens, buffer[$0.best].tokens, buffer[$0.worst].tokens
      )
    }
  }

  // MARK: Several references

  @Test func weightsAreOfAnySum() {
    let weighted = configuration {
      $0.references = ["a", "b"]
      $0.referenceWeights = [3, 1]
    }
    #expect(weighted.mergeWeights == [0.75, 0.25])
    let equal = configuration { $0.references = ["a", "b"] }
    #expect(equal.mergeWeights == [0.5, 0.5])
    #expect(configuration().mergeWeights == [1])
  }

  /// Named or not, the policy as it was is the same reference, at the temperature of sampling.
  @Test(arguments: [Float(1), 0.7]) func theStartNamedAsAReferenceChangesNothing(
    _ temperature: Float
  ) throws {
    var tests = self
    tests.world.temperature = temperature
    func learnt(_ configuration: OnlineDPOConfiguration, _ isNamed: Bool) throws -> (
      model: CausalLM, metrics: [[String: Double]]
    ) {
      var learner = tests.learner(configuration, isNamed ? [("start", policy)] : [])
      let metrics = try tests.run(&learner, updates: 1...3)
      return (learner.trained, metrics)
    }
    let plain = tests.configuration()
    let named = tests.configuration { $0.references = ["start"] }
    let (a, b) = (try learnt(plain, false), try learnt(named, true))
    for metrics in [a.metrics, b.metrics] {
      // Policy and reference are one before the first step.
      expectClose(try #require(metrics[0]["loss"]), log(2), absolute: 1e-4)
    }
    let moved = differences(weights(a.model), weights(policy))
    let found = differences(weights(a.model), weights(b.model))
    #expect(moved.mean > 1e-4)
    #expect(found.most < moved.most / 20 && found.mean < moved.mean / 1000, "\(found), \(moved)")

    // With an anchor both take one way, and give the same bits.
    let anchored: (inout OnlineDPOConfiguration) -> Void = {
      $0.anchorWeight = 0.3
      $0.anchorTokens = 4
    }
    let c = try learnt(tests.configuration(anchored), false)
    let d = try learnt(
      tests.configuration {
        anchored(&$0)
        $0.references = ["start"]
      }, true)
    let isSame = weights(c.model) == weights(d.model) && c.metrics == d.metrics
    #expect(isSame)
  }

  /// The loss before the first step, from forward passes over one sequence each.
  @Test func severalReferencesAreMergedWithTheirWeights() throws {
    let buffer = try judged(1)
    let pairs = try pairs(buffer)
    #expect(pairs.count > 4)
    /// `log π - log π̃` of a response.
    func ratio(
      _ prompt: [Int32], _ response: [Int32], _ shares: (Double, Double)
    ) throws -> Double {
      let own = try Double(TinyPairs.sum(prompt, response, policy))
      let a = try Double(TinyPairs.sum(prompt, response, other))
      let b = try Double(TinyPairs.sum(prompt, response, third))
      return own + log(shares.0 * exp(-a) + shares.1 * exp(-b))
    }
    func expected(_ shares: (Double, Double)) throws -> Double {
      let losses: [Double] = try pairs.map { pair in
        let chosen = try ratio(pair.prompt, pair.chosen, shares)
        let rejected = try ratio(pair.prompt, pair.rejected, shares)
        return log(1 + exp(-0.5 * (chosen - rejected)))
      }
      return losses.reduce(0, +) / Double(losses.count)
    }
    var found: [Double] = []
    let cases: [(given: [Double], shares: (Double, Double))] = [
      ([], (0.5, 0.5)), ([1, 3], (0.25, 0.75)),
    ]
    for (given, shares) in cases {
      var learner = learner(
        configuration {
          $0.references = ["other", "third"]
          $0.referenceWeights = given
        }, [("other", other), ("third", third)])
      let metrics = try run(&learner, updates: 1...1)[0]
      let loss = try #require(metrics["loss"])
      expectClose(loss, try expected(shares), absolute: 1e-4)
      found.append(loss)
      // The divergence is still that from the start, which is the policy.
      expectClose(try #require(metrics["objective/kl"]), 0, absolute: 1e-3)
    }
    let (between, fromStart) = (abs(found[0] - found[1]), abs(found[0] - log(2)))
    #expect(between > 5e-4 && fromStart > 1e-3, "\(found)")
  }

  @Test func aReferenceOfNaNIsRefused() throws {
    var broken = other
    let entry = try #require(broken.parameters.layout.entries.first)
    let id = try #require(broken.parameters.layout.id(named: entry.name))
    broken.parameters.assign(broken.parameters.values(of: id).map { _ in .nan }, to: id)
    var learner = learner(
      configuration { $0.references = ["start", "broken"] },
      [("start", policy), ("broken", broken)])
    let error = #expect(throws: RolloutError.self) { try run(&learner, updates: 1...1) }
    let text = "\(try #require(error))"
    #expect(text.contains("under the reference 'broken'"), "\(text)")
    let isSame = weights(learner.trained) == weights(policy)
    #expect(isSame)
  }

  // MARK: The anchor

  /// The first reference answers each prompt, anew in every round, and the weight counts the distance.
  @Test func theAnchorIsTheDistanceAtTheReferencesOwnAnswers() throws {
    var distances: [Double] = []
    for update in [1, 2] {
      let pairs = try pairs(try judged(update))
      let options = SamplingOptions(maximumNewTokens: 4, seed: Self.seed)
      // Behind the rows of 8 prompts with 4 responses each.
      let answers = try SamplingEngine(model: other, stopTokens: [], options: options)
        .sample(prompts: pairs.map(\.prompt), step: update, firstRow: 32)
      let ratios = try zip(pairs, answers).map { pair, answer in
        try Double(TinyPairs.sum(pair.prompt, answer[0].tokens, policy))
          - Double(TinyPairs.sum(pair.prompt, answer[0].tokens, other))
      }
      let distance = ratios.reduce(0) { $0 + abs($1) } / Double(ratios.count)

      func first(_ anchor: Double) throws -> (metrics: [String: Double], weights: [Float]) {
        var learner = learner(
          configuration {
            $0.references = ["other"]
            $0.anchorWeight = anchor
            if anchor > 0 { $0.anchorTokens = 4 }
          }, [("other", other)])
        let metrics = try run(&learner, updates: update...update)[0]
        return (metrics, weights(learner.trained))
      }
      let (plain, anchored) = (try first(0), try first(2))
      #expect(plain.metrics["anchor/distance"] == nil)
      expectClose(
        try #require(anchored.metrics["anchor/distance"]), distance, absolute: 1e-4,
        relative: 1e-4)
      let whole = try #require(plain.metrics["loss"]) + 2 * distance
      expectClose(
        try #require(anchored.metrics["loss"]), whole, absolute: 1e-3, relative: 1e-4)
      let moves = differences(anchored.weights, plain.weights)
      #expect(moves.mean > 1e-5, "the anchor has no gradient")
      // Tokens that were learnt from: those of the answers too.
      let more =
        (anchored.metrics["train/tokens"] ?? .nan) - (plain.metrics["train/tokens"] ?? .nan)
      let answered = Double(4 * pairs.count)
      #expect(more == answered)
      distances.append(distance)
    }
    let change = abs(distances[0] - distances[1])
    #expect(change > 1e-4)
  }

  /// The same round again and again: the policy comes closer to the reference at its answers.
  @Test func theAnchorPullsThePolicyToTheReference() throws {
    var learner = learner(
      configuration {
        $0.references = ["other"]
        $0.anchorWeight = 5
        $0.anchorTokens = 4
      }, [("other", other)])
    var distances: [Double] = []
    for _ in 1...10 {
      let metrics = try run(&learner, updates: 1...1)[0]
      distances.append(try #require(metrics["anchor/distance"]))
    }
    let bound = 0.9 * distances[0]
    #expect(distances[9] < bound, "\(distances)")
  }

  /// What a reference says in the first round is not what the policy said with the same draws.
  @Test func answersDoNotShareTheirDrawsWithResponses() throws {
    let buffer = try judged(1)
    var pairs = try buffer.bestAndWorst().map { PolicyPair($0, of: buffer) }
    let options = SamplingOptions(maximumNewTokens: 6, seed: 5)
    let start = OnlineReferences().orStart("start", policy)
    let responses = Set(buffer.groups.flatMap(\.responses).map(\.tokens))
    try start.answer(&pairs, options: options, update: 1, firstRow: buffer.responseCount)
    let shared = pairs.count { responses.contains($0.base) }
    #expect(shared == 0)
    // From the first row on they would be: the first answer is the first response.
    try start.answer(&pairs, options: options, update: 1, firstRow: 0)
    let first = pairs[0].base == buffer.groups[0].responses[0].tokens
    #expect(first)
  }

  /// Nothing but weights and moments goes from round to round.
  @Test func aLoadedLearnerGoesOnWithTheSameBits() throws {
    let settings = configuration {
      $0.references = ["other", "third"]
      $0.anchorWeight = 0.3
      $0.anchorTokens = 4
    }
    let models = [(name: "other", model: other), (name: "third", model: third)]
    let folder = try TemporaryFolder()
    var straight = learner(settings, models)
    _ = try run(&straight, updates: 1...2)
    try straight.save(to: folder.url)
    var loaded = learner(settings, models)
    try loaded.load(from: folder.url)
    let (a, b) = (try run(&straight, updates: 3...4), try run(&loaded, updates: 3...4))
    let isSame = a == b && weights(straight.trained) == weights(loaded.trained)
    #expect(isSame)
  }

  // MARK: The stage

  /// What a recipe names is loaded, weighed and compared with.
  @Test func theStageComparesWithTheReferencesOfTheRecipe() throws {
    let tiny = try TinyWorld.shared()
    func first(_ more: String) throws -> TinyStage {
      try TinyStage(
        "online-dpo",
        "policy: '\(tiny("sft"))', judge: '\(tiny("reward"))', "
          + "prompts: ['\(tiny.data("prompts.jsonl"))'], updates: 1, prompts_per_update: 8, "
          + "responses: 4, batch_pairs: 8, beta: 0.5, sampling: {max_new_tokens: 10}\(more)")
    }
    let own = try #require(
      try first(", references: ['\(tiny("sft"))']").series("loss").first)
    expectClose(own, log(2), absolute: 1e-4)
    let base = try #require(
      try first(", references: ['\(tiny("pretrain"))']").series("loss").first)
    let gap = abs(base - log(2))
    #expect(gap > 1e-3, "\(base)")
    // The policy is its own reference, and the answers are the first one's.
    let anchored = try first(", anchor_weight: 0.5, anchor_tokens: 8")
    expectClose(
      try #require(try anchored.series("anchor/distance").first), 0, absolute: 1e-3)
  }
}
