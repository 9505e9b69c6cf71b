import Foundation
import PlumbData
import PlumbModels
import PlumbObjectives
import PlumbPreferences
import PlumbRollouts
import PlumbTensors
import PlumbTokenizers

/// How policies sample while they train. No filters: log-probabilities are those of the distribution
/// that was sampled.
public struct SamplingConfiguration: ConfigurationSection {
  /// Divides the logits, in sampling and in every log-probability.
  public var temperature = 1.0
  /// The longest response, in tokens.
  public var maxNewTokens = 64

  /// The defaults.
  public init() {}

  public func validate() throws {
    try require(
      "temperature", temperature > 0 && temperature.isFinite, "a number above 0", temperature)
    try require("max_new_tokens", maxNewTokens > 0, "an integer above 0", maxNewTokens)
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
}

/// Reads prompts and leaves out those that would not leave room for a response.
func policyPrompts(
  _ context: StageContext, _ files: [String], encoder: ConversationEncoder,
  configuration: DecoderConfiguration, room: Int, limit: Int = 0
) throws -> [PolicyPrompt] {
  var prompts: [PolicyPrompt] = []
  var tooLong = 0
  for file in files {
    for row in try DataFile.prompts(context.artifact(file)).rows {
      let tokens = encoder.prompt(row.prompt).map(Int32.init)
      if tokens.count + room > configuration.maximumPositions {
        tooLong += 1
      } else {
        prompts.append(PolicyPrompt(id: row.id, messages: row.prompt, tokens: tokens))
      }
    }
  }
  if tooLong > 0 {
    context.warn(
      "\(tooLong) prompts left out: with \(room) new tokens they exceed the context of \(configuration.maximumPositions)"
    )
  }
  guard !prompts.isEmpty else { throw RunError.noPrompts(files: files, tooLong: tooLong) }
  return limit > 0 ? Array(prompts.prefix(limit)) : prompts
}

/// Loads a policy and refuses a judge that was trained with another tokenizer or template.
func loadPolicy(_ context: StageContext, _ reference: String) throws -> (
  model: CausalLM, encoder: ConversationEncoder
) {
  let folder = try context.artifact(reference)
  return (try CausalLM(directory: folder), try ConversationEncoder.load(from: folder))
}

extension RolloutBuffer {
  /// Statistics of the responses that every on-line optimiser logs.
  ///
  /// `objective/kl`: mean over responses of the summed log-ratio to the reference, nats (k1).
  /// `objective/scores`: mean score. `completions/mean_length`: tokens.
  /// `completions/clipped_ratio`: share that ended by the length limit.
  func statistics() -> [String: Double] {
    let responses = groups.flatMap(\.responses)
    let count = Double(max(1, responses.count))
    var kl = 0.0
    for response in responses {
      for (own, reference) in zip(response.behaviourLogprobs, response.referenceLogprobs) {
        kl += Double(own - reference)
      }
    }
    var result = [
      "objective/kl": kl / count,
      "completions/mean_length": Double(responses.reduce(0) { $0 + $1.tokens.count }) / count,
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

/// A trained preference model as a judge of a policy with this encoder.
///
/// - Throws: where model and policy have other tokenizers or templates, naming both.
func modelJudge(
  _ context: StageContext, _ reference: String, policy: ConversationEncoder
) throws -> any Judge {
  let folder = try context.artifact(reference)
  let encoder = try ConversationEncoder.load(from: folder)
  switch try loadPreferenceModel(directory: folder) {
  case .reward(let model):
    return try RewardModelJudge(model: model, encoder: encoder, policy: policy, name: reference)
  case .generalPreference(let model):
    return try GeneralPreferenceJudge(
      model: model, encoder: encoder, policy: policy, name: reference)
  }
}
