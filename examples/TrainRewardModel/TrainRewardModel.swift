// Trains a reward model on a preference file, with the libraries alone: no recipe, no run directory.
//
//   swift run -c release TrainRewardModel examples/models/plumb-5m examples/data/preferences.jsonl.zst /tmp/reward 100
import Foundation
import PlumbData
import PlumbModels
import PlumbObjectives
import PlumbOptimizers
import PlumbPreferences
import PlumbTensors
import PlumbTokenizers

@main
struct TrainRewardModel {
  static func main() throws {
    let arguments = CommandLine.arguments
    guard arguments.count == 5, let steps = Int(arguments[4]), steps > 0 else {
      print("usage: TrainRewardModel MODEL PREFERENCES OUTPUT STEPS")
      exit(64)
    }
    let source = URL(filePath: arguments[1], directoryHint: .isDirectory)

    // A language model, its tokenizer and its template; a fresh head on top.
    let encoder = try ConversationEncoder.load(from: source)
    var model = try RewardModel(
      from: CausalLM(directory: source), head: .worldPM, endOfText: encoder.endOfText, seed: 1)

    // Pairs, split by prompt, encoded as the model reads them.
    let pairs = try DataFile.preferencePairs(URL(filePath: arguments[2])).rows
    let split = try Split([.init("train", 0.9), .init("test", 0.1)])
    let parts = split.divide(pairs)
    let (train, _) = PreferenceGroup.encode(
      parts["train"] ?? [], encoder: encoder, maximumTokens: 256)
    let (test, _) = PreferenceGroup.encode(
      parts["test"] ?? [], encoder: encoder, maximumTokens: 256)
    print("\(train.count) pairs to train on, \(test.count) held out")

    var optimizer = AdamW(for: model.parameters)
    var gradients = GradientBlock(for: model.parameters)
    let schedule = Schedule.linear(warmupSteps: steps / 10, totalSteps: steps)
    let plan = BatchPlan(costs: train.map(\.tokenCount), size: .examples(16), seed: 1)
    for step in 0..<steps {
      let batches = plan.batches(epoch: step / plan.batches(epoch: 0).count)
      let batch = batches[step % batches.count].map { train[$0] }
      gradients.reset()
      let loss = try accumulate(batch, model, &gradients)
      optimizer.update(
        &model.parameters, gradients: gradients,
        learningRate: Float(schedule.learningRate(at: step, peak: 2e-4)))
      if step % 10 == 9 { print("step \(step + 1): loss \(loss)") }
    }

    let measured = try PreferenceEvaluation(model: .reward(model), pairs: test).metrics
    print("held-out accuracy \(measured.accuracy), NLL \(measured.nll), ECE \(measured.ece)")
    let output = URL(filePath: arguments[3], directoryHint: .isDirectory)
    try model.write(to: output)
    try encoder.write(to: output)
  }

  /// The graph of a loss dies with this scope, so that the optimizer can write in place.
  static func accumulate(
    _ batch: [PreferenceGroup], _ model: RewardModel, _ gradients: inout GradientBlock
  ) throws -> Float {
    let rewards = try model.pairRewards(model.batch(batch))
    let objective = bradleyTerry(chosen: rewards.chosen, rejected: rewards.rejected)
    gradients.accumulate(objective.loss)
    return objective.loss.item
  }
}
