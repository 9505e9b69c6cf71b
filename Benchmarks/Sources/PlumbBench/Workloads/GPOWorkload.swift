import PlumbModels
import PlumbPreferences
import PlumbRecipes
import PlumbRollouts

/// One round of GPO: K responses to each prompt, their preference table, log-probabilities of policy and
/// reference, and the optimizer steps of all passes over the minibatches.
struct GPOWorkload: Workload {
  private var trainer: GameTrainer
  private let reference: CausalLM
  private let judge: GeneralPreferenceModel
  private let prompts: [[Int32]]
  private let responses: Int
  private let options: SamplingOptions
  private var round = 0

  let units = 1.0

  init(_ model: CausalLM, _ sizes: Specification.Workload) throws {
    let count = try sizes.require(\.prompts, "prompts")
    let length = try sizes.require(\.prompt, "prompt")
    responses = try sizes.require(\.responses, "responses")
    var configuration = GPOConfiguration()
    configuration.iterations = 1_000_000
    configuration.promptsPerIteration = count
    configuration.responses = responses
    configuration.epochs = try sizes.require(\.epochs, "epochs")
    configuration.batchPrompts = count / (try sizes.require(\.minibatches, "minibatches"))
    configuration.optimizer.learningRate = 1e-5
    configuration.optimizer.schedule = .constant
    // The responses do not end, so there is no end of the text to read at.
    judge = try GeneralPreferenceModel(from: model, options: .init(readsLastToken: true), seed: 0)
    trainer = GameTrainer(configuration, policy: model, prompts: count, seed: 0)
    reference = model
    options = SamplingOptions(maximumNewTokens: try sizes.require(\.newTokens, "new_tokens"))
    var tokens = RandomTokens(model, purpose: "gpo")
    prompts = (0..<count).map { _ in tokens.sequence(length) }
  }

  mutating func run() throws {
    round += 1
    let engine = try SamplingEngine(
      model: trainer.policy, stopTokens: [], options: options,
      maximumRows: prompts.count * responses)
    let sampled = try engine.sample(prompts: prompts, count: responses, step: round)
    let embeddings = try judge.embeddings(
      groups: zip(prompts, sampled).map { prompt, responses in
        PreferenceGroup(prompt: prompt, responses: responses.map(\.tokens))
      })
    var buffer = RolloutBuffer(
      groups: prompts.indices.map { index in
        RolloutGroup(
          id: "\(index)", prompt: [], promptTokens: prompts[index],
          responses: sampled[index].map { response in
            Rollout(
              tokens: response.tokens, text: "", finishReason: response.finishReason,
              behaviourLogprobs: response.logprobs)
          }, preferenceLogits: embeddings[index].preferenceLogits(tau: judge.tau))
      },
      provenance: RolloutBuffer.Provenance(
        source: .sampled, origin: "benchmark", step: round, sampling: options))
    let metrics = try trainer.improve(on: &buffer, reference: reference, update: round)
    guard metrics["skipped_steps", default: 0] == 0, metrics["loss"]?.isFinite == true else {
      throw BenchError("gpo: expected finite losses, found \(metrics)")
    }
  }
}
