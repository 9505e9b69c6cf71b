import Foundation
import PlumbModels

/// `workloads.json`: the shapes of the models and the sizes of the workloads.
struct Specification: Decodable {
  /// A model's shape, under the keys of a Hugging Face `config.json`.
  struct Model: Codable {
    var architecture: String
    var vocabSize: Int
    var hiddenSize: Int
    var intermediateSize: Int
    var numHiddenLayers: Int
    var numAttentionHeads: Int
    var numKeyValueHeads: Int
    var tieWordEmbeddings: Bool
    var ropeTheta: Double
  }

  /// A workload's sizes; those that it does not need are absent.
  struct Workload: Codable {
    var unit: String
    var note: String?
    var batch: Int?
    var prompt: Int?
    var newTokens: Int?
    var sequences: Int?
    var length: Int?
    var pairs: Int?
    var prompts: Int?
    var responses: Int?
    var epochs: Int?
    var minibatches: Int?
  }

  var models: [String: Model]
  var workloads: [String: Workload]

  /// Reads `workloads.json` of a folder.
  init(folder: String) throws {
    let url = URL(filePath: folder).appending(path: "workloads.json")
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    do {
      self = try decoder.decode(Specification.self, from: Data(contentsOf: url))
    } catch {
      throw BenchError("\(url.path): expected models and workloads, found: \(error)")
    }
  }

  func model(_ name: String) throws -> Model {
    guard let model = models[name] else {
      throw BenchError(
        "no model \(name); workloads.json has \(models.keys.sorted().joined(separator: ", "))")
    }
    return model
  }
}

extension Specification.Model {
  /// The shape as Plumb's models read it.
  ///
  /// - Parameter maximumPositions: the longest sequence.
  func configuration(maximumPositions: Int = 1024) throws -> DecoderConfiguration {
    guard let family = ModelFamily(architecture: architecture) else {
      throw BenchError("workloads.json: Plumb has no architecture \(architecture)")
    }
    return DecoderConfiguration(
      family: family, vocabularySize: vocabSize, hiddenSize: hiddenSize,
      intermediateSize: intermediateSize, layerCount: numHiddenLayers,
      headCount: numAttentionHeads, keyValueHeadCount: numKeyValueHeads,
      maximumPositions: maximumPositions, ropeBase: ropeTheta, tiesEmbeddings: tieWordEmbeddings,
      bosTokenID: 0, eosTokenIDs: [0], padTokenID: 0)
  }
}

/// What can be run: a workload of the file, or a variant of one that only Plumb has.
struct WorkloadName: Hashable, CustomStringConvertible {
  /// What a variant does otherwise.
  enum Variant: String, Hashable {
    /// PPO with the value head on the policy's trunk.
    case sharedTrunk = "shared_trunk"
    /// Training that computes each layer twice in place of keeping it.
    case checkpointed
  }

  /// The workload in `workloads.json`.
  let base: String
  let variant: Variant?

  var description: String { variant.map { "\(base)_\($0.rawValue)" } ?? base }

  /// Everything that Plumb's side runs, in the order of the table.
  static let all: [WorkloadName] = [
    "generate_b1", "generate_b16", "generate_b64", "logprobs", "sft", "reward", "dpo", "ppo",
    "gpo",
  ].flatMap { base in
    [WorkloadName(base: base, variant: nil)]
      + variants(of: base).map {
        WorkloadName(base: base, variant: $0)
      }
  }

  private static func variants(of base: String) -> [Variant] {
    switch base {
    case "ppo": [.sharedTrunk]
    case "sft", "dpo": [.checkpointed]
    default: []
    }
  }

  /// Whether a repetition is an update with its own rollouts, which takes seconds.
  var isPolicyUpdate: Bool { base == "ppo" || base == "gpo" }

  /// The programs that run the same workload.
  var peers: [Peer] {
    switch base {
    case "reward", "dpo": [.pytorch, .trl]
    case "ppo": [.trl]
    default: base.hasPrefix("generate") ? [.transformers] : [.pytorch]
    }
  }

  init(base: String, variant: Variant?) {
    self.base = base
    self.variant = variant
  }

  /// A name as users write it.
  init(_ name: String) throws {
    guard let known = Self.all.first(where: { $0.description == name }) else {
      throw BenchError(
        "no workload \(name); there are \(Self.all.map(\.description).joined(separator: ", "))")
    }
    self = known
  }
}

/// A program that Plumb is measured beside.
enum Peer: String, Codable, CaseIterable {
  case transformers, pytorch, trl
}
