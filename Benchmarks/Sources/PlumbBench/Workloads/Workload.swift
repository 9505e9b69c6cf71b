import PlumbModels
import PlumbRecipes
import PlumbTensors

/// Something that is repeated and timed.
protocol Workload {
  /// What one repetition gets done: tokens, or updates of PPO or GPO.
  var units: Double { get }
  /// One repetition.
  mutating func run() throws
}

extension WorkloadName {
  /// Loads the model and makes the inputs.
  func load(_ specification: Specification, checkpoint: Checkpoint) throws -> any Workload {
    guard let sizes = specification.workloads[base] else {
      throw BenchError("workloads.json: expected a workload \(base), found none")
    }
    var model = try CausalLM(directory: checkpoint.folder)
    model.checkpointsLayers = variant == .checkpointed
    switch base {
    case "logprobs": return try LogprobsWorkload(model, sizes)
    case "sft": return try SFTWorkload(model, sizes)
    case "reward": return try RewardWorkload(model, sizes)
    case "dpo": return try DPOWorkload(model, sizes)
    case "ppo":
      return try PPOWorkload(
        model, sizes, valueModel: variant == .sharedTrunk ? .shared : .separate)
    case "gpo": return try GPOWorkload(model, sizes)
    default: return try GenerateWorkload(model, sizes)
    }
  }
}

extension Specification.Workload {
  /// A size that a workload cannot do without.
  func require(_ size: KeyPath<Self, Int?>, _ name: String) throws -> Int {
    guard let value = self[keyPath: size], value > 0 else {
      throw BenchError("workloads.json: expected \(name) above 0")
    }
    return value
  }
}

/// Token ids that stand for data: uniform above the special ones.
struct RandomTokens {
  private var stream: RandomStream
  private let vocabulary: Int

  init(_ model: CausalLM, purpose: String) {
    stream = RandomStream(seed: 0, purpose: "benchmark/" + purpose)
    vocabulary = model.configuration.vocabularySize
  }

  mutating func sequence(_ count: Int) -> [Int32] {
    (0..<count).map { _ in Int32(Int.random(in: 3..<vocabulary, using: &stream)) }
  }
}
