import Foundation
import PlumbData
import PlumbModels
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
    var learner = try learner(player, play)
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
      let metrics = try learner.improve(on: &buffer, reference: reference, update: update)
      kl.append(metrics["objective/kl"] ?? 0)
      try place.step(update, of: play.updates + 1, loss: nil)
    }
    let trained = learner.trained
    try trained.write(to: place.folder, encoder: encoder)
    let measured = try measure(trained, seed: context.seed)
    return TruthLanguageStage.Record(
      rounds: rounds, test: measured.classes, samples: measured.texts, kl: kl)
  }

  /// PPO, or GPO and SPPO away from the policy of the round before.
  private func learner(
    _ player: LanguagePlayer, _ play: LanguagePlayConfiguration
  ) throws -> any OnPolicyLearner {
    switch player {
    case .ppo:
      var settings = PPOConfiguration()
      settings.updates = play.updates
      settings.promptsPerUpdate = play.promptsPerUpdate
      settings.responsesPerPrompt = play.responsesPerPrompt
      settings.epochs = play.epochs
      settings.minibatches = play.minibatches
      settings.klCoefficient = play.beta
      settings.optimizer = play.optimizer
      return try PPOTrainer(
        settings, policy: start, reward: rewardModel(context, configuration.reward),
        seed: context.seed)
    case .gpo, .sppo:
      var settings = GPOConfiguration()
      settings.loss = player == .gpo ? .gpo : .sppo
      settings.includeSelf = false
      settings.iterations = play.updates
      settings.promptsPerIteration = play.promptsPerUpdate
      settings.responses = play.responsesPerPrompt
      settings.epochs = play.epochs
      settings.batchPrompts = (play.promptsPerUpdate + play.minibatches - 1) / play.minibatches
      settings.beta = play.beta
      settings.optimizer = play.optimizer
      return GameTrainer(
        settings, policy: start, prompts: prompts.count, seed: context.seed)
    }
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
