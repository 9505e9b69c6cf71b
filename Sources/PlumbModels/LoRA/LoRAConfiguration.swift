import PlumbTensors

/// The size of a LoRA adapter and where it sits.
///
/// Hu et al. 2021, arXiv 2106.09685: a weight W acts as `W + (alpha / rank) B A` with A [rank, inputs] and B [outputs, rank].
public struct LoRAConfiguration: Hashable, Sendable {
  /// r, the rank of every change.
  public var rank: Int
  /// Divided by the rank, the factor of every change.
  public var alpha: Double
  /// Names of linear layers, such as `q_proj`; a longer path such as `layers.0.self_attn.q_proj`
  /// names fewer of them, and an empty list names all.
  public var targetModules: [String]
  /// Whether the factor is alpha / sqrt(rank) (rsLoRA, Kalajdzievski 2023, arXiv 2312.03732).
  public var isRankStabilized: Bool

  /// A configuration; `LoRAAdapter` checks it.
  public init(
    rank: Int, alpha: Double, targetModules: [String] = [], isRankStabilized: Bool = false
  ) {
    self.rank = rank
    self.alpha = alpha
    self.targetModules = targetModules
    self.isRankStabilized = isRankStabilized
  }

  /// The factor of every change.
  public var scale: Float {
    Float(isRankStabilized ? alpha / Double(rank).squareRoot() : alpha / Double(rank))
  }

  /// Refuses a rank or alpha that cannot be meant, and targets that the family does not have.
  /// - Throws: `LoRAError.invalidRank`, `.invalidAlpha` or `.unknownTarget`.
  public func validate(for family: ModelFamily) throws(LoRAError) {
    guard (1...4096).contains(rank) else { throw .invalidRank(found: rank) }
    guard alpha > 0, alpha <= 1e6 else { throw .invalidAlpha(found: alpha) }
    for target in targetModules {
      let name = target.split(separator: ".").last.map(String.init) ?? target
      guard family.linearModules.contains(name) else {
        throw .unknownTarget(target, family: family)
      }
    }
  }

  /// Whether a module is among the targets, as peft decides it: by the end of its path.
  func targets(_ path: String) -> Bool {
    targetModules.isEmpty
      || targetModules.contains { path == $0 || path.hasSuffix(".\($0)") }
  }

  /// Whether two configurations describe the same change of a model of a family.
  public func isEquivalent(to other: LoRAConfiguration, for family: ModelFamily) -> Bool {
    func targets(_ configuration: LoRAConfiguration) -> Set<String> {
      Set(
        configuration.targetModules.isEmpty
          ? family.linearModules : configuration.targetModules)
    }
    return rank == other.rank && scale == other.scale && targets(self) == targets(other)
  }
}

extension ModelFamily {
  /// The linear layers of a block, which an adapter may change.
  public var linearModules: [String] {
    switch self {
    case .qwen2, .qwen3, .llama:
      ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    case .gpt2: ["c_attn", "c_proj", "c_fc"]
    }
  }

  /// Whether linear layers are stored [inputs, outputs], as GPT-2's Conv1D is.
  var storesInputsFirst: Bool { self == .gpt2 }
}

extension LoRAConfiguration {
  /// The weights of a model that the adapter changes, in their order, with the module's path.
  func places(
    in layout: ParameterLayout, family: ModelFamily
  ) -> [(module: String, weight: ParameterID, inputs: Int, outputs: Int)] {
    let suffix = ".weight"
    let modules = Set(family.linearModules)
    return layout.entries.compactMap { entry in
      guard entry.name.hasSuffix(suffix), entry.shape.rank == 2 else { return nil }
      let path = String(entry.name.dropLast(suffix.count))
      let name = path.split(separator: ".").last.map(String.init) ?? path
      guard modules.contains(name), targets(path), let id = layout.id(named: entry.name) else {
        return nil
      }
      let (first, second) = (entry.shape[0], entry.shape[1])
      return family.storesInputsFirst
        ? (path, id, inputs: first, outputs: second) : (path, id, inputs: second, outputs: first)
    }
  }
}
