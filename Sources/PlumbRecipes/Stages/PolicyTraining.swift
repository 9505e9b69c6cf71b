import Foundation
import PlumbData
import PlumbModels
import PlumbObjectives
import PlumbPreferences
import PlumbRollouts
import PlumbTensors
import PlumbTokenizers

/// How policies sample while they train.
///
/// No filters: log-probabilities are those of the distribution
/// that was sampled.
public struct SamplingConfiguration: ConfigurationSection {
  /// Divides the logits, in sampling and in every log-probability.
  public var temperature = 1.0
  /// The longest response, in tokens.
  public var maxNewTokens = 64

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require(
      "temperature", (0.01...100).contains(temperature), "a number from 0.01 to 100", temperature)
    try requireCount("max_new_tokens", maxNewTokens)
  }

  func options(seed: UInt64) -> SamplingOptions {
    SamplingOptions(
      temperature: Float(temperature), maximumNewTokens: maxNewTokens, seed: seed)
  }
}

/// A prompt, ready for a policy.
struct PolicyPrompt {
  let id: String
  let messages: [Message]
  let tokens: [Int32]
  /// The known answer, where the row has one.
  var answer: String?
}

extension RolloutBuffer {
  /// Fills a buffer by sampling K responses to each prompt; known answers go along.
  static func sample(
    policy: CausalLM, prompts: [PolicyPrompt], encoder: ConversationEncoder, count: Int,
    options: SamplingOptions, step: Int = 0, origin: String = "policy",
    progress: ((SamplingEngine.Progress) throws -> Void)? = nil
  ) throws -> RolloutBuffer {
    var buffer = try sample(
      policy: policy, prompts: prompts.map { ($0.id, $0.messages) }, encoder: encoder,
      count: count, options: options, step: step, origin: origin, progress: progress)
    for (index, prompt) in prompts.enumerated() { buffer.groups[index].answer = prompt.answer }
    return buffer
  }
}

/// Reads prompts and leaves out those that would not leave room for a response.
///
/// - Parameters:
///   - models: the policy and everything that reads its responses; the shortest context counts.
///   - newTokens: the longest response; the end marks that a judge reads come on top.
///   - limit: the number of prompts to keep; 0 for all.
func policyPrompts(
  _ context: StageContext, _ files: [String], encoder: ConversationEncoder,
  models: [DecoderConfiguration], newTokens: Int, limit: Int = 0
) throws -> [PolicyPrompt] {
  let contextLength = models.map(\.maximumPositions).min() ?? 0
  let room = newTokens + encoder.scored(prompt: [], response: "").response.count
  var prompts: [PolicyPrompt] = []
  var tooLong = 0
  for file in files {
    for row in context.usable(try DataFile.prompts(context.artifact(file))) {
      let tokens = encoder.prompt(row.prompt).map(Int32.init)
      if tokens.isEmpty || tokens.count + room > contextLength {
        tooLong += 1
      } else {
        prompts.append(
          PolicyPrompt(id: row.id, messages: row.prompt, tokens: tokens, answer: row.answer))
      }
    }
  }
  if tooLong > 0 {
    context.warn(
      "\(tooLong) prompts left out: with \(room) new tokens they exceed the context of \(contextLength)"
    )
  }
  guard !prompts.isEmpty else { throw RunError.noPrompts(files: files, tooLong: tooLong) }
  return limit > 0 ? Array(prompts.prefix(limit)) : prompts
}

/// Loads a language model with its tokenizer and template.
///
/// - Parameters:
///   - longest: the longest sequence that the stage will make, in tokens.
///   - adapter: what the stage trains; without it, an adapter on disk is merged.
/// - Throws: `RunError.doesNotFit` if the sequences or the tokenizer do not fit the model.
func loadPolicy(
  _ context: StageContext, _ reference: String, longest: Int = 0,
  adapter: AdapterConfiguration = AdapterConfiguration()
) throws -> (model: CausalLM, encoder: ConversationEncoder) {
  let folder = try context.artifact(reference)
  let model = try adapter.load(folder, seed: context.seed)
  let encoder = try ConversationEncoder.load(from: AdapterFolder.tokenizerFolder(of: folder))
  try requireFit(
    reference, stage: context.stage, configuration: model.configuration, encoder: encoder,
    longest: longest)
  return (model, encoder)
}

/// Refuses sequences longer than a model's context, and a tokenizer with more ids than it has rows.
func requireFit(
  _ reference: String, stage: String, configuration: DecoderConfiguration,
  encoder: ConversationEncoder, longest: Int
) throws {
  guard longest <= configuration.maximumPositions else {
    throw RunError.doesNotFit(
      stage: stage, what: "the longest sequence", model: reference,
      limit: configuration.maximumPositions, found: longest)
  }
  guard encoder.tokenizer.vocabularySize <= configuration.vocabularySize else {
    throw RunError.doesNotFit(
      stage: stage, what: "the number of tokens of the tokenizer", model: reference,
      limit: configuration.vocabularySize, found: encoder.tokenizer.vocabularySize)
  }
}

extension RolloutBuffer {
  /// Statistics of the responses that every on-line optimiser logs.
  ///
  /// `objective/kl`: mean over responses of the summed log-ratio to the reference, nats (k1). `kl`: mean
  /// over response tokens of the estimate, nats per token.
  /// `objective/scores`: mean score. `completions/mean_length`: tokens.
  /// `completions/clipped_ratio`: share that ended by the length limit.
  ///
  /// - Parameter estimator: of `kl`.
  func statistics(estimator: KLEstimator = .k1) -> [String: Double] {
    let responses = groups.flatMap(\.responses)
    let count = Double(max(1, responses.count))
    let tokens = responses.reduce(0) { $0 + $1.tokens.count }
    var kl = 0.0
    var estimate = 0.0
    for response in responses {
      for (own, reference) in zip(response.behaviourLogprobs, response.referenceLogprobs) {
        kl += Double(own - reference)
      }
      estimate += zip(response.behaviourLogprobs, response.referenceLogprobs)
        .reduce(0.0) { $0 + Double(estimator($1.0 - $1.1)) }
    }
    var result = [
      "objective/kl": kl / count,
      "kl": estimate / Double(max(1, tokens)),
      "completions/mean_length": Double(tokens) / count,
      "completions/clipped_ratio":
        Double(responses.count { $0.finishReason == .length }) / count,
    ]
    let scores = responses.compactMap(\.score)
    if scores.count == responses.count {
      result["objective/scores"] = scores.reduce(0.0) { $0 + Double($1) } / count
    }
    return result
  }
}

/// Loads a reward model, refusing other models by name.
func rewardModel(_ context: StageContext, _ reference: String) throws -> RewardModel {
  let folder = try context.artifact(reference)
  switch try loadPreferenceModel(directory: folder) {
  case .reward(let model): return model
  case .generalPreference:
    throw RunError.wrongModel(
      stage: context.stage, model: reference, expected: "a reward model",
      found: "a general preference model")
  case .pair:
    throw RunError.wrongModel(
      stage: context.stage, model: reference, expected: "a reward model", found: "a pair model")
  }
}

/// A trained preference model as a judge of a policy with this encoder.
///
/// - Throws: where model and policy have other tokenizers or templates, naming both.
func modelJudge(
  _ context: StageContext, _ reference: String, policy: ConversationEncoder
) throws -> (judge: any Judge, configuration: DecoderConfiguration) {
  try modelJudge(
    context.artifact(reference), name: reference, stage: context.stage, policy: policy)
}

/// The preference model of a folder as a judge of a policy with this encoder.
///
/// - Throws: where model and policy have other tokenizers or templates, naming both.
func modelJudge(
  _ folder: URL, name: String, stage: String, policy: ConversationEncoder
) throws -> (judge: any Judge, configuration: DecoderConfiguration) {
  // The model first: what is wrong with a folder that is none, such as an adapter, is said by its reader.
  let model = try loadPreferenceModel(directory: folder)
  let encoder = try ConversationEncoder.load(from: folder)
  try requireFit(
    name, stage: stage, configuration: model.decoder.configuration, encoder: encoder, longest: 0)
  let judge: any Judge =
    switch model {
    case .reward(let model):
      try RewardModelJudge(model: model, encoder: encoder, policy: policy, name: name)
    case .generalPreference(let model):
      try GeneralPreferenceJudge(model: model, encoder: encoder, policy: policy, name: name)
    case .pair(let model):
      try PairPreferenceJudge(model: model, encoder: encoder, policy: policy, name: name)
    }
  return (judge, model.decoder.configuration)
}
