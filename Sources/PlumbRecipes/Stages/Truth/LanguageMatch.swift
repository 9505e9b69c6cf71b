import Foundation
import PlumbData
import PlumbModels
import PlumbObjectives
import PlumbOptimizers
import PlumbPreferences
import PlumbRollouts
import PlumbTensors
import PlumbTokenizers

/// Trains the players of a language game and classifies what they say.
struct LanguageMatch {
  let configuration: TruthLanguageConfiguration
  let context: StageContext
  let game: LanguageGame
  let start: CausalLM
  let encoder: ConversationEncoder
  let prompts: [PolicyPrompt]
  let testPrompts: [PolicyPrompt]

  init(_ context: StageContext, _ configuration: TruthLanguageConfiguration, game: LanguageGame)
    throws
  {
    self.context = context
    self.configuration = configuration
    self.game = game
    (start, encoder) = try loadPolicy(context, configuration.policy)
    var models = [start.configuration]
    if configuration.players.contains(.ppo) {
      models.append(try rewardModel(context, configuration.reward).decoder.configuration)
    }
    (prompts, testPrompts) = try (
      policyPrompts(
        context, configuration.prompts, encoder: encoder, models: models,
        newTokens: configuration.sampling.maxNewTokens),
      policyPrompts(
        context, configuration.testPrompts, encoder: encoder, models: models,
        newTokens: configuration.sampling.maxNewTokens)
    )
  }

  /// Classes of fresh responses to the test prompts, [prompts][responses], and the first texts.
  func measure(_ policy: CausalLM, seed: UInt64) throws -> (classes: [[Int]], texts: [String]) {
    let buffer = try RolloutBuffer.sample(
      policy: policy, prompts: testPrompts.map { ($0.id, $0.messages) }, encoder: encoder,
      count: configuration.testResponses,
      options: configuration.sampling.options(seed: seed &+ 104_729), step: 0)
    return (
      buffer.groups.map { $0.responses.map { game.number(of: $0.text) } },
      buffer.groups.prefix(6).map { $0.responses[0].text }
    )
  }

  /// One player's training, all rounds, and its measurement.
  func train(
    _ player: LanguagePlayer, place: CellContext
  ) throws -> TruthLanguageStage.Record {
    let play = configuration.play(player)
    var learner: any LanguageLearner =
      switch player {
      case .ppo: try RewardLearner(self, play)
      case .gpo, .sppo: GameLearner(self, play, update: player == .gpo ? .gpo : .sppo)
      }
    let judge = try judge(for: player)
    let plan = BatchPlan(
      costs: prompts.map(\.tokens.count), size: .examples(play.promptsPerUpdate),
      seed: context.seed, dropsRemainder: true)
    var reference = start
    reference.parameters.isFrozen = true
    var rounds: [[Int]] = []
    var kl: [Double] = []
    for update in 1..<(play.updates + 1) {
      let chosen = plan.examples(ofStep: update).map { prompts[$0] }
      var buffer = try RolloutBuffer.sample(
        policy: learner.policy, prompts: chosen.map { ($0.id, $0.messages) }, encoder: encoder,
        count: play.responsesPerPrompt,
        options: configuration.sampling.options(seed: context.seed), step: update)
      try buffer.judge(by: judge, encoder: encoder)
      var counts = game.classes.map { _ in 0 }
      for response in buffer.groups.flatMap(\.responses) {
        counts[game.number(of: response.text)] += 1
      }
      rounds.append(counts)
      kl.append(try learner.improve(on: &buffer, reference: reference, update: update))
      try place.step(update, of: play.updates + 1, loss: kl.last)
    }
    let trained = learner.trained
    try trained.write(to: place.folder, encoder: encoder)
    let measured = try measure(trained, seed: context.seed)
    return TruthLanguageStage.Record(
      rounds: rounds, test: measured.classes, samples: measured.texts, kl: kl)
  }

  /// The judge itself, or for PPO the reward model, normalised on samples of the start.
  private func judge(for player: LanguagePlayer) throws -> any Judge {
    guard player == .ppo else { return game.judge }
    var model = try rewardModel(context, configuration.reward)
    model.parameters.isFrozen = true
    let own = try ConversationEncoder.load(from: context.artifact(configuration.reward))
    let sample = prompts.prefix(128)
    let buffer = try RolloutBuffer.sample(
      policy: start, prompts: sample.map { ($0.id, $0.messages) }, encoder: encoder, count: 1,
      options: configuration.sampling.options(seed: context.seed), step: 0)
    try model.normalise(on: buffer.judgeGroups(encoder: encoder).map(\.tokens))
    return try RewardModelJudge(
      model: model, encoder: own, policy: encoder, name: configuration.reward)
  }
}

/// What improves a policy of a language game round by round.
private protocol LanguageLearner {
  var policy: CausalLM { get }
  var trained: CausalLM { get }
  /// - Returns: the KL from the reference, nats per response.
  mutating func improve(
    on buffer: inout RolloutBuffer, reference: CausalLM, update: Int
  ) throws -> Double
}

/// PPO by the trainer of the ppo stage.
private struct RewardLearner: LanguageLearner {
  private var trainer: PPOTrainer

  init(_ match: LanguageMatch, _ play: LanguagePlayConfiguration) throws {
    var settings = PPOConfiguration()
    settings.updates = play.updates
    settings.promptsPerUpdate = play.promptsPerUpdate
    settings.responsesPerPrompt = play.responsesPerPrompt
    settings.epochs = play.epochs
    settings.minibatches = play.minibatches
    settings.klCoefficient = play.beta
    settings.optimizer = play.optimizer
    trainer = try PPOTrainer(
      settings, policy: match.start,
      reward: rewardModel(match.context, match.configuration.reward), seed: match.context.seed)
  }

  var policy: CausalLM { trainer.policy }
  var trained: CausalLM { trainer.separatePolicy }

  mutating func improve(
    on buffer: inout RolloutBuffer, reference: CausalLM, update: Int
  ) throws -> Double {
    try trainer.improve(on: &buffer, reference: reference, update: update)["objective/kl"] ?? 0
  }
}

/// GPO and SPPO: the policy of the round before is the one to move away from.
private struct GameLearner: LanguageLearner {
  private(set) var policy: CausalLM
  private let play: LanguagePlayConfiguration
  private let loss: GameUpdate
  private let seed: UInt64
  private var optimizer: AdamW
  private var gradients: GradientBlock
  private let rates: LearningRates

  init(_ match: LanguageMatch, _ play: LanguagePlayConfiguration, update: GameUpdate) {
    policy = match.start
    self.play = play
    loss = update
    seed = match.context.seed
    optimizer = AdamW(play.optimizer.adamW, for: policy.parameters)
    gradients = GradientBlock(for: policy.parameters)
    rates = play.optimizer.learningRates(steps: play.updates * play.epochs * play.minibatches)
  }

  var trained: CausalLM { policy }

  mutating func improve(
    on buffer: inout RolloutBuffer, reference: CausalLM, update: Int
  ) throws -> Double {
    buffer.recomputeLogprobs(policy: policy)
    buffer.fillReferenceLogprobs(model: reference)
    let scores =
      switch loss {
      case .gpo: try buffer.opponentMeans(includingSelf: false)
      case .sppo:
        buffer.groups.flatMap { meanWinProbabilities($0.preferenceLogits ?? []).map { Float($0) } }
      }
    let targets = Dictionary(uniqueKeysWithValues: zip(buffer.places, scores))
    for pass in 0..<play.epochs {
      var stream = RandomStream(seed: seed, purpose: "truth/groups", step: update, row: pass)
      let order = stream.permutation(buffer.groups.count)
      for part in 0..<play.minibatches {
        let range =
          part * order.count / play.minibatches..<(part + 1) * order.count / play.minibatches
        let places = order[range].flatMap { group in
          buffer.groups[group].responses.indices.map { ResponsePlace(group: group, response: $0) }
        }
        if !places.isEmpty { try step(buffer, places, targets) }
      }
    }
    return buffer.statistics()["objective/kl"] ?? 0
  }

  private mutating func step(
    _ buffer: RolloutBuffer, _ places: [ResponsePlace], _ targets: [ResponsePlace: Float]
  ) throws {
    gradients.reset()
    do {
      let batch = buffer.batch(places)
      let logprobs = batch.logprobs(model: policy, temperature: buffer.logprobTemperature).logprobs
      let old = try buffer.values(of: .behaviourLogprobs, in: batch)
      let ratios = batch.sequenceLogprobs(logprobs - Tensor(old))
      let scores = batch.places.map { targets[$0, default: 0] }
      let objective =
        switch loss {
        case .gpo: gpo(logRatio: ratios, preferenceScores: scores, beta: Float(play.beta))
        case .sppo: sppo(logRatio: ratios, winProbabilities: scores, beta: Float(play.beta))
        }
      gradients.accumulate(objective.loss)
    }
    let rate = rates.learningRate(at: optimizer.step)
    optimizer.update(&policy.parameters, gradients: gradients, learningRate: rate)
  }
}
