// Plugs a judge of one's own into GPO: no model, just a rule that says which of two answers is better.
//
//   swift run -c release CustomJudge examples/models/plumb-5m 20
import Foundation
import PlumbModels
import PlumbObjectives
import PlumbOptimizers
import PlumbPreferences
import PlumbRollouts
import PlumbTensors
import PlumbTokenizers

/// Prefers answers that end in a full stop, and among equals the one whose length is nearer to 80 characters.
struct TidyJudge: Judge {
  let name = "tidy"

  func judge(groups: [JudgeGroup]) throws -> [Judgement] {
    groups.map { group in
      let scores = group.responses.map { text in
        (text.hasSuffix(".") ? 2.0 : 0) - abs(Double(text.count) - 80) / 80
      }
      return Judgement(scores: scores, source: name)
    }
  }
}

@main
struct CustomJudge {
  static func main() throws {
    let arguments = CommandLine.arguments
    guard arguments.count == 3, let rounds = Int(arguments[2]), rounds > 0 else {
      print("usage: CustomJudge MODEL ROUNDS")
      exit(64)
    }
    let source = URL(filePath: arguments[1], directoryHint: .isDirectory)
    let encoder = try ConversationEncoder.load(from: source)
    var policy = try CausalLM(directory: source)
    var optimizer = AdamW(for: policy.parameters)
    var gradients = GradientBlock(for: policy.parameters)
    let prompts = [
      "What is the best way to make coffee?", "Write a sentence about the sea.",
      "Why is the sky blue?", "Name three fruits.", "How do I learn a language?",
      "What is a good gift for a friend?", "Describe a quiet morning.", "What makes bread rise?",
    ].map { [Message(role: "user", content: $0)] }
    let options = SamplingOptions(temperature: 1, maximumNewTokens: 40, seed: 7)

    for round in 1...rounds {
      // Four answers to each prompt, judged against each other.
      var buffer = try RolloutBuffer.sample(
        policy: policy, prompts: prompts.enumerated().map { ("\($0.offset)", $0.element) },
        encoder: encoder, count: 4, options: options, step: round)
      try buffer.judge(by: TidyJudge(), encoder: encoder)
      buffer.recomputeLogprobs(policy: policy)
      let scores = buffer.groups.flatMap { $0.responses.compactMap(\.score) }
      print("round \(round): mean score \(scores.reduce(0, +) / Float(scores.count))")

      gradients.reset()
      try accumulate(buffer, policy, &gradients)
      optimizer.update(&policy.parameters, gradients: gradients, learningRate: 2e-4)
    }
    if let group = try RolloutBuffer.sample(
      policy: policy, prompts: [("last", prompts[0])], encoder: encoder, count: 1,
      options: options
    ).groups.first {
      print("\(group.prompt[0].content)\n\(group.responses[0].text)")
    }
  }

  /// One GPO step: the log-ratio to the sampling policy is drawn towards each answer's mean preference.
  static func accumulate(
    _ buffer: RolloutBuffer, _ policy: CausalLM, _ gradients: inout GradientBlock
  ) throws {
    let batch = buffer.batch()
    let old = try buffer.values(of: .behaviourLogprobs, in: batch)
    let logRatio = batch.sequenceLogprobs(batch.logprobs(model: policy).logprobs - Tensor(old))
    let objective = gpo(
      logRatio: logRatio, preferenceScores: try buffer.opponentMeans(), beta: 1)
    gradients.accumulate(objective.loss)
  }
}
