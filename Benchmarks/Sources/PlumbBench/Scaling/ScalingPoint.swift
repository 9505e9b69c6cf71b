import PlumbModels
import PlumbTensors

/// One point of the cost curves: a shape, a length, and what is done with them.
struct ScalingPoint: Codable, Hashable {
  /// What is measured.
  enum Work: String, Codable, CaseIterable {
    case training, logprobs, sampling
  }

  /// Which curve it belongs to.
  enum Curve: String, Codable, CaseIterable {
    case length, parameters
  }

  var curve: Curve
  var work: Work
  var shape: String
  /// Tokens of a sequence; in sampling, half of them are the prompt.
  var length: Int

  /// Tokens of a step, whatever the length of a sequence.
  static let tokensPerStep = 4096
  /// Rows that sample side by side.
  static let rows = 16

  /// All points of both curves.
  static let all: [ScalingPoint] = Curve.allCases.flatMap { curve in
    Work.allCases.flatMap { work in
      switch curve {
      case .length:
        [64, 128, 256, 512, 1024, 2048].map {
          ScalingPoint(curve: curve, work: work, shape: "5M", length: $0)
        }
      case .parameters:
        Self.shapes.map {
          ScalingPoint(curve: curve, work: work, shape: $0.name, length: 256)
        }
      }
    }
  }

  /// Shapes from 1 to 135 million parameters; the second and the last are those of the workloads.
  static let shapes: [(name: String, configuration: DecoderConfiguration)] = [
    ("1M", shape(2048, 128, 352, 4, 4, 2)),
    ("5M", shape(4096, 256, 704, 6, 8, 4)),
    ("16M", shape(8192, 384, 1024, 8, 6, 3)),
    ("44M", shape(16_384, 512, 1408, 12, 8, 4)),
    ("135M", shape(49_152, 576, 1536, 30, 9, 3)),
  ]

  private static func shape(
    _ vocabulary: Int, _ hidden: Int, _ intermediate: Int, _ layers: Int, _ heads: Int,
    _ keyValueHeads: Int
  ) -> DecoderConfiguration {
    DecoderConfiguration(
      family: .llama, vocabularySize: vocabulary, hiddenSize: hidden,
      intermediateSize: intermediate, layerCount: layers, headCount: heads,
      keyValueHeadCount: keyValueHeads, maximumPositions: 2048, eosTokenIDs: [0])
  }

  /// Makes the model and the inputs.
  func load() throws -> (workload: any Workload, parameters: Int) {
    guard let configuration = Self.shapes.first(where: { $0.name == shape })?.configuration else {
      throw BenchError(
        "no shape \(shape); there are \(Self.shapes.map(\.name).joined(separator: ", "))")
    }
    let model = CausalLM(configuration, seed: 1)
    var sizes = Specification.Workload(unit: "tokens/s")
    switch work {
    case .training, .logprobs:
      sizes.sequences = max(1, Self.tokensPerStep / length)
      sizes.length = length
    case .sampling:
      sizes.batch = Self.rows
      sizes.prompt = length / 2
      sizes.newTokens = length - length / 2
    }
    let workload: any Workload =
      switch work {
      case .training: try SFTWorkload(model, sizes)
      case .logprobs: try LogprobsWorkload(model, sizes)
      case .sampling: try GenerateWorkload(model, sizes)
      }
    return (workload, model.parameters.layout.count)
  }
}

/// What was measured at a point.
struct ScalingResult: Codable {
  var point: ScalingPoint
  var parameters: Int
  /// The median over the repetitions.
  var tokensPerSecond: Double
  /// Of a process that did nothing else.
  var peakMegabytes: Double
}
