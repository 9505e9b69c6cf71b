import Foundation
import PlumbData
import PlumbModels
import PlumbObjectives
import PlumbTensors
import PlumbTestSupport

@testable import PlumbRecipes

/// A small policy with opinions, and pairs of random tokens.
enum TinyPairs {
  static func policy(seed: UInt64) -> CausalLM {
    var model = CausalLM(
      DecoderConfiguration(
        family: .qwen2, vocabularySize: 40, hiddenSize: 16, intermediateSize: 24, layerCount: 2,
        headCount: 2, keyValueHeadCount: 1, maximumPositions: 32, eosTokenIDs: [0]), seed: seed)
    for (row, entry) in model.parameters.layout.entries.enumerated() {
      guard let id = model.parameters.layout.id(named: entry.name) else { continue }
      var stream = RandomStream(seed: seed, purpose: "tiny pairs", row: row)
      model.parameters.assign(
        model.parameters.values(of: id).map { $0 + 0.2 * stream.normal() }, to: id)
    }
    return model
  }

  static func tokens(_ count: Int, seed: Int) -> [Int32] {
    var stream = RandomStream(seed: 5, purpose: "tiny tokens", row: seed)
    return (0..<count).map { _ in Int32(1 + stream.permutation(39)[0]) }
  }

  /// Pairs of different lengths, some of one length, with the sums of another model as reference.
  static func pairs(
    _ count: Int, reference: CausalLM, withBase: Bool = false
  ) throws -> [PolicyPair] {
    try (0..<count).map { number in
      var pair = PolicyPair(
        prompt: tokens(2 + number % 4, seed: 3 * number),
        chosen: tokens(3 + number % 5, seed: 3 * number + 1),
        rejected: tokens(2 + number % 6, seed: 3 * number + 2))
      pair.reference.chosen = try sum(pair.prompt, pair.chosen, reference)
      pair.reference.rejected = try sum(pair.prompt, pair.rejected, reference)
      if withBase {
        pair.base = tokens(4, seed: 1000 + number)
        pair.reference.base = try sum(pair.prompt, pair.base, reference)
      }
      return pair
    }
  }

  /// The log-probability of a response, from a forward pass of its own.
  static func sum(_ prompt: [Int32], _ response: [Int32], _ model: CausalLM) throws -> Float {
    let logprobs = try model.logprobs(of: prompt + response)
    return Float(logprobs.suffix(response.count).reduce(0.0) { $0 + Double($1) })
  }

  static func settings(
    _ loss: PairLoss, sft: Float = 0, anchor: Float = 0, isPerToken: Bool = false
  ) -> PairLossSettings {
    PairLossSettings(
      losses: [(loss, 1)],
      options: PairLossOptions(
        beta: 0.3, labelSmoothing: 0.1, margin: 0.4, lambda: 0.5, tau: 0.2),
      isPerToken: isPerToken, sftWeight: sft, anchorWeight: anchor)
  }

  /// The gradient of a step, and its statistics.
  static func gradient(
    _ step: PairStep, _ pairs: [PolicyPair], _ model: CausalLM
  ) -> (values: [Float], statistics: [String: Double]) {
    var gradients = GradientBlock(for: model.parameters)
    let outcome = step.accumulate(pairs, model: model, gradients: &gradients)
    return (values(of: gradients), outcome.statistics)
  }

  static func values(of gradients: GradientBlock) -> [Float] {
    gradients.layout.entries.flatMap { entry in
      gradients.layout.id(named: entry.name).map { gradients[$0].scalars } ?? []
    }
  }
}

/// The largest and the mean difference of two gradients, relative to the largest entry.
func relativeDifferences(_ a: [Float], _ b: [Float]) -> (largest: Double, mean: Double) {
  let scale = Double(b.map { abs($0) }.max() ?? 1)
  let all = zip(a, b).map { Double(abs($0 - $1)) / scale }
  return (all.max() ?? .nan, all.reduce(0, +) / Double(all.count))
}

/// Notes and warnings of a run.
final class Messages: RunObserver {
  var notes: [String] = []
  var warnings: [String] = []

  func receive(_ event: RunEvent) {
    switch event {
    case .note(_, let message): notes.append(message)
    case .warning(_, let message): warnings.append(message)
    default: break
    }
  }
}

/// One stage of a recipe run on the tiny world.
struct TinyStage {
  let folder: TemporaryFolder
  let messages: Messages

  /// Runs a stage whose settings are given as in a recipe.
  init(
    _ kind: String, _ settings: String, seed: Int = 3, in folder: TemporaryFolder? = nil,
    overrides: [String] = []
  ) throws {
    self.folder = try folder ?? TemporaryFolder()
    messages = Messages()
    try runTiny(
      """
      name: one
      seed: \(seed)
      threads: 2
      stages:
        \(kind): {\(settings)}
      """, in: self.folder.url, overrides: overrides, observers: [messages])
    self.kind = kind
  }

  let kind: String

  func series(_ name: String) throws -> [Double] { try folder.series(name, kind) }

  var weights: Data { get throws { try folder.data("stages/\(kind)/model.safetensors") } }
}
