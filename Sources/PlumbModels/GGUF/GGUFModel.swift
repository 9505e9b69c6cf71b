public import PlumbCheckpoints
import PlumbTensors

/// A decoder in a GGUF file: its configuration, and its tensors under Hugging Face's names.
///
/// Opening checks everything but the numbers; they are read when the model is written.
public struct GGUFModel: Sendable {
  /// A parameter of the decoder and where its numbers come from.
  struct Source: Sendable {
    /// The name and shape that Hugging Face gives it.
    let name: String
    let shape: [Int]
    let tensor: GGUFTensor
    /// Heads whose rows the file keeps in pairs (query and key of `llama`), nil elsewhere.
    let pairedHeads: Int?
  }

  /// The file.
  public let file: GGUFFile
  /// What the metadata say about the decoder.
  public private(set) var configuration: DecoderConfiguration
  let sources: [Source]

  /// A tensor of factors for the rotary frequencies; passed over where all are 1.
  static let rotaryFactors = "rope_freqs.weight"

  /// Reads the metadata of `file` and finds every parameter among its tensors.
  /// - Throws: `ModelError` for what does not fit or is not implemented, `CheckpointError` for
  ///   metadata of the wrong type.
  public init(_ file: GGUFFile) throws {
    self.file = file
    configuration = try DecoderConfiguration(file)
    sources = try Self.sources(file, configuration)
  }

  /// Writes another padding id into the folder than the metadata have, or none.
  public mutating func pad(with id: Int?) { configuration.padTokenID = id }

  /// The number of parameters.
  public var parameterCount: Int { sources.reduce(0) { $0 + $1.tensor.count } }

  /// The decoder's own declaration decides which tensors there must be, and of which shape.
  private static func sources(
    _ file: GGUFFile, _ configuration: DecoderConfiguration
  ) throws -> [Source] {
    var layout = ParameterLayout()
    _ = Decoder(configuration, declaringIn: &layout)
    var tensors: [String: GGUFTensor] = [:]
    for tensor in file.tensors { tensors[tensor.name] = tensor }
    tensors[rotaryFactors] = nil
    var sources: [Source] = []
    var problems: [TensorProblem] = []
    for entry in layout.entries {
      let shape = entry.shape.extents
      let name = try ggufName(of: entry.name, path: file.path)
      guard let tensor = tensors.removeValue(forKey: name) else {
        problems.append(.missing(name: name, expected: shape))
        continue
      }
      guard tensor.shape == shape else {
        problems.append(.shape(name: name, expected: shape, found: tensor.shape))
        continue
      }
      sources.append(
        Source(
          name: entry.name, shape: shape, tensor: tensor,
          pairedHeads: pairedHeads(entry.name, configuration)))
    }
    for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
      problems.append(.unexpected(name: name, found: tensor.shape))
    }
    guard problems.isEmpty else {
      throw ModelError.tensorMismatch(path: file.path, problems: problems)
    }
    return sources
  }

  private static func pairedHeads(
    _ name: String, _ configuration: DecoderConfiguration
  ) -> Int? {
    guard configuration.family == .llama else { return nil }
    if name.hasSuffix(".q_proj.weight") { return configuration.headCount }
    if name.hasSuffix(".k_proj.weight") { return configuration.keyValueHeadCount }
    return nil
  }
}

extension GGUFModel {
  private static let wholeNames = [
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
  ]

  private static let partNames = [
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
  ]

  /// `blk.3.attn_q.bias` for `model.layers.3.self_attn.q_proj.bias`.
  static func ggufName(of name: String, path: String) throws(ModelError) -> String {
    let parts = name.split(separator: ".")
    let kind = parts[parts.count - 1]
    let stem = parts.dropLast().joined(separator: ".")
    if let whole = wholeNames[stem] { return "\(whole).\(kind)" }
    if parts.count > 4, stem.hasPrefix("model.layers."),
      let part = partNames[parts[3...].dropLast().joined(separator: ".")]
    {
      return "blk.\(parts[2]).\(part).\(kind)"
    }
    throw .unsupported(
      path: path, feature: "the parameter \(name) in a GGUF file", found: name,
      supported: "parameters with a name there")
  }
}
