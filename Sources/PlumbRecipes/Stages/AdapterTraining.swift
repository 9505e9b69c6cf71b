import Foundation
import PlumbModels
import PlumbTensors

/// Settings of a LoRA adapter that a stage trains in place of all weights (arXiv 2106.09685).
///
/// A weight W acts as `W + (alpha / rank) B A`; only A and B are trained and stored.
public struct AdapterConfiguration: ConfigurationSection {
  /// The rank of every change; 0 trains all weights, without an adapter.
  public var rank = 0
  /// Divided by the rank, the factor of every change.
  public var alpha = 16.0
  /// Names of the linear layers to change, such as `q_proj`; none changes all of the blocks'.
  public var targetModules: [String] = []
  /// Whether the factor is alpha / sqrt(rank) (rsLoRA).
  public var rankStabilized = false

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require("rank", (0...4096).contains(rank), "an integer from 0 to 4096", rank)
    try requirePositive("alpha", alpha)
    let known = ModelFamily.allCases.flatMap(\.linearModules)
    for target in targetModules {
      let name = target.split(separator: ".").last.map(String.init) ?? target
      var seen: Set<String> = []
      try require(
        "target_modules", known.contains(name),
        "some of \(known.filter { seen.insert($0).inserted }.joined(separator: ", "))", target)
    }
  }

  var isOn: Bool { rank > 0 }

  fileprivate var model: LoRAConfiguration {
    LoRAConfiguration(
      rank: rank, alpha: alpha, targetModules: targetModules, isRankStabilized: rankStabilized)
  }
}

extension AdapterConfiguration {
  /// The model of a folder, ready to train.
  ///
  /// A whole model gets a fresh adapter where one is asked for. An adapter is trained on where the
  /// settings are its own; without an adapter in the settings it is merged, and all weights train.
  /// - Throws: `LoRAError.otherConfiguration` for an adapter with other settings.
  func load(_ folder: URL, seed: UInt64) throws -> CausalLM {
    var model = try CausalLM(directory: folder)
    guard isOn else { return model.merged }
    guard let found = model.adapter else {
      model.adapter = try LoRAAdapter(self.model, for: model, base: folder, seed: seed)
      return model
    }
    guard found.configuration.isEquivalent(to: self.model, for: model.configuration.family) else {
      throw LoRAError.otherConfiguration(
        path: folder.relativePath, expected: self.model.description,
        found: found.configuration.description)
    }
    return model
  }
}

/// How many numbers a model with an adapter trains, and how many it has; nothing without an adapter.
func parameterFigures(_ model: CausalLM) -> [Figure] {
  guard model.adapter != nil else { return [] }
  let (trained, frozen) = (model.parameters.trainable.layout.count, model.parameters.layout.count)
  return [
    Figure("trainable_parameters", Double(trained), sampleSize: 1),
    Figure("parameters", Double(trained + frozen), sampleSize: 1),
  ]
}

/// The part of a plan's summary that names the adapter; empty without one.
func adapterNote(_ adapter: AdapterConfiguration) -> String {
  adapter.isOn ? ", LoRA of rank \(adapter.rank)" : ""
}
