public import Foundation
public import PlumbTensors

/// A LoRA adapter: low-rank changes to the linear layers of a model.
///
/// It holds only A and B, under peft's names. Put on a model, the two act as one, and only the
/// adapter trains; the model's own block is shared by everyone that uses it.
///
/// ```swift
/// var policy = try CausalLM(directory: base)
/// let reference = policy                                     // shares the weights
/// policy.adapter = try LoRAAdapter(LoRAConfiguration(rank: 8, alpha: 16), for: policy, seed: 1)
/// ```
public struct LoRAAdapter: Sendable {
  /// Size and targets.
  public let configuration: LoRAConfiguration
  /// The folder of the model it belongs to, where that is known.
  public var base: URL?
  /// A and B with the weights that they change.
  public var updates: LowRankUpdates

  /// A fresh adapter that changes nothing yet: B is 0.
  ///
  /// A is uniform between -1 / sqrt(inputs) and 1 / sqrt(inputs), as peft draws it (Kaiming's bound
  /// with a = sqrt 5).
  /// - Parameters:
  ///   - configuration: size and targets.
  ///   - model: the model to change.
  ///   - base: the folder that the model came from.
  ///   - seed: the same seed gives the same bits.
  /// - Throws: `LoRAError` for a configuration that does not fit the model.
  public init(
    _ configuration: LoRAConfiguration, for model: CausalLM, base: URL? = nil, seed: UInt64
  ) throws(LoRAError) {
    try self.init(configuration, for: model, base: base) {
      ParameterBlock(layout: $0, seed: seed)
    }
  }

  /// An adapter whose block `make` fills.
  init(
    _ configuration: LoRAConfiguration, for model: CausalLM, base: URL?,
    make: (ParameterLayout) -> ParameterBlock
  ) throws(LoRAError) {
    let family = model.configuration.family
    try configuration.validate(for: family)
    let places = configuration.places(in: model.parameters.layout, family: family)
    for target in configuration.targetModules {
      var one = configuration
      one.targetModules = [target]
      guard places.contains(where: { one.targets($0.module) }) else {
        throw .noWeight(target: target)
      }
    }
    var layout = ParameterLayout()
    // All A before all B: those of one fused product lie adjacent, and are one product again.
    let downs = places.map { place in
      layout.add(
        Self.name(place.module, "A"), [configuration.rank, place.inputs],
        .uniform(bound: 1 / Float(place.inputs).squareRoot()))
    }
    let ups = places.map { place in
      layout.add(Self.name(place.module, "B"), [place.outputs, configuration.rank], .zeros)
    }
    var factors: [ParameterID: LowRankUpdates.Factors] = [:]
    for (index, place) in places.enumerated() {
      factors[place.weight] = LowRankUpdates.Factors(
        down: downs[index], up: ups[index], isTransposed: family.storesInputsFirst)
    }
    self.configuration = configuration
    self.base = base
    updates = LowRankUpdates(
      parameters: make(layout), factors: factors, scale: configuration.scale)
  }

  /// A and B of all targets.
  public var parameters: ParameterBlock { updates.parameters }

  /// The name that peft stores a matrix by.
  static func name(_ module: String, _ matrix: String) -> String {
    "base_model.model.\(module).lora_\(matrix).weight"
  }
}

extension CausalLM {
  /// The adapter on the model; nil where the model stands alone.
  ///
  /// Setting it copies no weights. An adapter must have been made for a model of this shape.
  public var adapter: LoRAAdapter? {
    get {
      guard let carried, let updates = parameters.updates else { return nil }
      return LoRAAdapter(configuration: carried.configuration, base: carried.base, updates: updates)
    }
    set {
      carried = newValue.map { CarriedAdapter(configuration: $0.configuration, base: $0.base) }
      parameters.updates = newValue?.updates
    }
  }

  /// The model with the adapter off: exactly the base, sharing its weights.
  public var withoutAdapter: CausalLM {
    var result = self
    result.adapter = nil
    return result
  }

  /// The model with the adapter's changes written into weights of its own; itself without an adapter.
  public var merged: CausalLM {
    var result = self
    result.merge()
    return result
  }

  /// Writes the adapter's changes into the weights, in place where nobody shares them.
  public mutating func merge() {
    parameters.mergeUpdates()
    adapter = nil
  }

  /// Takes an adapter's changes out of weights that they were merged into, up to rounding.
  public mutating func unmerge(_ adapter: LoRAAdapter) {
    parameters.add(adapter.updates, factor: -1)
  }
}

extension LoRAAdapter {
  fileprivate init(configuration: LoRAConfiguration, base: URL?, updates: LowRankUpdates) {
    self.configuration = configuration
    self.base = base
    self.updates = updates
  }
}

/// What a model remembers of its adapter beside the matrices, which travel with its parameters.
struct CarriedAdapter: Sendable {
  let configuration: LoRAConfiguration
  let base: URL?
}
