import Foundation
import PlumbData
import PlumbModels
import PlumbObjectives
import PlumbPreferences
import PlumbRollouts
import PlumbTensors
import PlumbTestSupport
import Testing

@testable import PlumbRecipes

/// The best and the worst of K responses.
@Suite struct OnlineDPOTests {
  let policy = TinyPairs.policy(seed: 1)

  private func configuration(
    _ change: (inout OnlineDPOConfiguration) -> Void = { _ in }
  ) -> OnlineDPOConfiguration {
    var configuration = OnlineDPOConfiguration()
    configuration.promptsPerUpdate = 8
    configuration.updates = 12
    configuration.batchPairs = 4
    configuration.optimizer.schedule = .constant
    configuration.optimizer.warmupFraction = 0
    configuration.optimizer.learningRate = 3e-3
    change(&configuration)
    return configuration
  }

  /// Sampled responses with scores by a rule on their tokens.
  private func rollouts(
    _ policy: CausalLM, update: Int = 1, count: Int = 4, temperature: Float = 1,
    score: (Int, [Int32]) -> Double
  ) throws -> RolloutBuffer {
    let options = SamplingOptions(temperature: temperature, maximumNewTokens: 6, seed: 5)
    let prompts: [[Int32]] = (0..<8).map { [3, Int32(4 + $0), 9] }
    let sampled = try SamplingEngine(model: policy, stopTokens: [], options: options)
      .sample(prompts: prompts, count: count, step: update)
    return RolloutBuffer(
      groups: prompts.indices.map { index in
        var responses = sampled[index].map {
          Rollout(
            tokens: $0.tokens, text: "", finishReason: $0.finishReason,
            behaviourLogprobs: $0.logprobs)
        }
        let scores = responses.map { score(index, $0.tokens) }
        for number in responses.indices { responses[number].score = Float(scores[number]) }
        return RolloutGroup(
          id: "\(index)", prompt: [], promptTokens: prompts[index], responses: responses,
          preferenceLogits: Judgement(scores: scores, source: "rule").preferenceLogits)
      },
      provenance: RolloutBuffer.Provenance(
        source: .sampled, origin: "test", step: update, sampling: options))
  }

  /// The share of even tokens: what the policy is to learn.
  private func evenness(_: Int, _ tokens: [Int32]) -> Double {
    Double(tokens.count { $0 % 2 == 0 }) / Double(tokens.count)
  }

  @Test(arguments: [PairLoss.sigmoid, .ipo, .apoZero, .simPO])
  func thePolicyLearnsWhatTheJudgeLikes(_ loss: PairLoss) throws {
    var learner = OnlineDPOLearner(
      configuration {
        $0.loss = loss
        $0.epochs = 2
        if loss == .simPO { ($0.beta, $0.margin) = (2, 1) }
      }, policy: policy, seed: 6)
    var scores: [Double] = []
    for update in 1...12 {
      var buffer = try rollouts(learner.policy, update: update, score: evenness)
      let metrics = try learner.improve(on: &buffer, reference: policy, update: update)
      scores.append(try #require(metrics["objective/scores"]))
      let broken = metrics.filter { !$0.value.isFinite }
      #expect(broken.isEmpty, "\(broken)")
    }
    let ends = try StageLearningTests.ends(scores)
    #expect(ends.last > ends.first + 0.05, "\(scores)")
  }

  /// The first step against the offline step on the same pairs.
  @Test func thePairsAreTheBestAndTheWorst() throws {
    for temperature in [Float(1), 0.7] {
      var learner = OnlineDPOLearner(
        configuration {
          $0.batchPairs = 100
          $0.sampling.temperature = Double(temperature)
        }, policy: policy, seed: 6)
      var buffer = try rollouts(policy, temperature: temperature, score: evenness)
      let metrics = try learner.improve(on: &buffer, reference: policy, update: 1)
      // Policy and reference are one, at the temperature of sampling.
      expectClose(try #require(metrics["loss"]), log(2), absolute: 1e-4)
      var margin = 0.0
      var pairs = 0.0
      for group in buffer.groups {
        let scores = group.responses.map { Double($0.score ?? .nan) }
        let (best, worst) = (scores.max() ?? 0, scores.min() ?? 0)
        if best > worst {
          margin += best - worst
          pairs += 1
        }
      }
      #expect(metrics["pairs/count"] == pairs && pairs > 4)
      expectClose(try #require(metrics["pairs/skipped"]), 1 - pairs / 8)
      expectClose(try #require(metrics["objective/scores_margin"]), margin / pairs, absolute: 1e-5)
    }
  }

  /// Ties and equal answers give no pair; they are counted, and change nothing.
  @Test func tiesAreSkippedAndCounted() throws {
    // The judge tells the answers of two prompts apart and likes all others alike.
    var learner = OnlineDPOLearner(configuration(), policy: policy, seed: 6)
    var buffer = try rollouts(policy) { index, tokens in
      index < 2 ? Double(tokens[0]) + Double(tokens[1]) / 100 : 0.5
    }
    let metrics = try learner.improve(on: &buffer, reference: policy, update: 1)
    #expect(metrics["pairs/count"] == 2 && metrics["pairs/skipped"] == 0.75)
    #expect(metrics["loss"] != nil)

    // All the same: no step is taken, nothing is lost, the round says so.
    var still = OnlineDPOLearner(configuration(), policy: policy, seed: 6)
    var same = try rollouts(policy) { _, _ in 1 }
    let none = try still.improve(on: &same, reference: policy, update: 1)
    #expect(none["pairs/count"] == 0 && none["pairs/skipped"] == 1 && none["loss"] == nil)
    #expect(weights(still.policy) == weights(policy))

    // One answer given four times is no pair whatever the judge says of it.
    var equal = try rollouts(policy, score: evenness)
    for index in equal.groups.indices {
      let first = equal.groups[index].responses[0]
      equal.groups[index].responses = (0..<4).map { number in
        var response = first
        response.score = Float(number)
        return response
      }
      equal.groups[index].preferenceLogits =
        Judgement(scores: [0, 1, 2, 3], source: "rule").preferenceLogits
    }
    let identical = try still.improve(on: &equal, reference: policy, update: 2)
    #expect(identical["pairs/count"] == 0 && weights(still.policy) == weights(policy))
  }

  private func weights(_ model: CausalLM) -> [Float] {
    model.parameters.withSpan { span in span.indices.map { span[$0] } }
  }

  /// Rates follow the place in the run, not the steps that ties left over.
  @Test func skippedPairsDoNotStretchTheSchedule() throws {
    func rate(_ score: @escaping (Int, [Int32]) -> Double) throws -> Double {
      var learner = OnlineDPOLearner(
        configuration {
          $0.optimizer.schedule = .linear
          $0.updates = 2
        }, policy: policy, seed: 6)
      var first = try rollouts(policy, score: score)
      _ = try learner.improve(on: &first, reference: policy, update: 1)
      var second = try rollouts(policy, update: 2) { index, tokens in
        index == 0 ? Double(tokens[0]) : 0
      }
      let metrics = try learner.improve(on: &second, reference: policy, update: 2)
      return try #require(metrics["learning_rate"])
    }
    let constant = try rate { _, _ in 0 }
    let varied = try rate(evenness)
    #expect(varied == constant)
  }

  @Test func microBatchesDoNotChangeARound() throws {
    func round(_ budget: Int) throws -> (metrics: [String: Double], weights: [Float]) {
      var learner = OnlineDPOLearner(
        configuration { $0.microBatchTokens = budget }, policy: policy, seed: 6)
      var metrics: [String: Double] = [:]
      for update in 1...2 {
        var buffer = try rollouts(policy, update: update, score: evenness)
        metrics = try learner.improve(on: &buffer, reference: policy, update: update)
      }
      return (metrics, weights(learner.policy))
    }
    let (whole, cut) = (try round(100_000), try round(1))
    for (name, value) in whole.metrics {
      expectClose(cut.metrics[name] ?? .nan, value, absolute: 1e-3, relative: 1e-3, name)
    }
    let found = relativeDifferences(cut.weights, whole.weights)
    #expect(found.largest < 2e-3 && found.mean < 1e-4, "\(found)")
  }

  @Test func theStageRunsWithAnyJudge() throws {
    let world = try TinyWorld.shared()
    for judge in ["reward", "preference"] {
      let stage = try TinyStage(
        "online-dpo",
        "policy: '\(world("sft"))', judge: '\(world(judge))', prompts: ['\(world.data("prompts.jsonl"))'], "
          + "updates: 6, prompts_per_update: 16, responses: 4, batch_pairs: 8, epochs: 2, "
          + "sampling: {max_new_tokens: 12}, optimizer: {learning_rate: 0.001, schedule: constant}")
      #expect(try stage.series("loss").count == 6)
      #expect(try stage.series("rewards/margins").count == 6)
      let before = try Data(contentsOf: URL(filePath: world("sft/model.safetensors")))
      #expect(try stage.weights.count == before.count && stage.weights != before)
      // Scores where the judge has some; a general preference model has only preferences.
      #expect(try stage.series("objective/scores").isEmpty == (judge == "preference"))
      #expect(try stage.series("pairs/skipped").allSatisfy { (0...1).contains($0) })
    }
  }

  @Test func whatCannotBeMeantIsRefused() throws {
    let world = try TinyWorld.shared()
    let folder = try TemporaryFolder()
    let other = try StageRefusalTests().otherModel(folder)
    let base = "policy: '\(world("sft"))', prompts: ['\(world.data("prompts.jsonl"))']"
    for (settings, words) in [
      ("\(base)", ["judge", "a stage or a model folder", "nothing"]),
      (
        "\(base), judge: '\(world("reward"))', responses: 1", ["responses", "2 to 1000", "found 1"]
      ),
      ("\(base), judge: '\(world("reward"))', loss: robust", ["label_smoothing", "'robust'"]),
      ("\(base), judge: '\(world("reward"))', tau: 0.1", ["tau", "'discopop' only"]),
      ("\(base), judge: '\(world("sft"))'", ["Qwen2ForCausalLM"]),
      (
        "\(base), judge: '\(world("reward"))', references: [nowhere]",
        ["stages.online-dpo", "an earlier stage or a path", "'nowhere'"]
      ),
      (
        "\(base), judge: '\(world("reward"))', references: ['\(world("sft"))'], reference_weights: [1, 2]",
        ["reference_weights", "the 1 references", "found 2"]
      ),
      (
        "\(base), judge: '\(world("reward"))', references: ['\(world("sft"))'], reference_weights: [0]",
        ["reference_weights", "numbers above 0"]
      ),
      (
        "\(base), judge: '\(world("reward"))', loss: simpo, margin: 1, references: ['\(world("sft"))']",
        ["references", "'simpo', which reads no reference"]
      ),
      (
        "\(base), judge: '\(world("reward"))', loss: orpo, lambda: 0.1, anchor_weight: 1",
        ["anchor_weight", "'orpo', which reads no reference"]
      ),
      (
        "\(base), judge: '\(world("reward"))', anchor_tokens: 8",
        ["anchor_tokens", "64 where anchor_weight is 0"]
      ),
      (
        "\(base), judge: '\(world("reward"))', references: ['\(world("sft"))', '\(other)']",
        ["do not share one tokenizer and template"]
      ),
    ] {
      do {
        _ = try TinyStage("online-dpo", settings)
        Issue.record("nothing was refused: \(settings)")
      } catch {
        for word in words { #expect("\(error)".contains(word), "'\(word)' in: \(error)") }
      }
    }
  }
}
