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
  private let sampling: RolloutSampling
  private var round = 0

  let units = 1.0

  init(_ model: CausalLM, _ sizes: Specification.Workload) throws {
    let responses = try sizes.require(\.responses, "responses")
    sampling = try RolloutSampling(model, sizes, responses: responses, purpose: "gpo")
    let count = sampling.prompts.count
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
  }

  mutating func run() throws {
    round += 1
    var (buffer, groups) = try sampling.sample(trainer.policy, step: round)
    for (index, embeddings) in try judge.embeddings(groups: groups).enumerated() {
      buffer.groups[index].preferenceLogits = embeddings.preferenceLogits(tau: judge.tau)
    }
    let metrics = try trainer.improve(on: &buffer, reference: reference, update: round)
    guard metrics["skipped_steps", default: 0] == 0, metrics["loss"]?.isFinite == true else {
      throw BenchError("gpo: expected finite losses, found \(metrics)")
    }
  }
}
