public import Foundation
public import PlumbCheckpoints
public import PlumbTensors

/// A model in Hugging Face layout on disk: `config.json` and its safetensors, one file or sharded.
///
/// The architecture is kept as named, so that whoever opens the folder chooses the head: `CausalLM`
/// takes language models, a reward model takes `Qwen2ForRewardModel`.
public struct ModelFolder: Sendable {
  /// The folder.
  public let url: URL
  /// The class name in `config.json`, for example `Qwen2ForCausalLM`.
  public let architecture: String
  /// What `config.json` says about the trunk.
  public let configuration: DecoderConfiguration
  /// All keys of `config.json`, for heads with keys of their own.
  public let json: JSONObject

  /// Reads `config.json`, and `generation_config.json` where there is one.
  ///
  /// End-of-sequence tokens of the latter win, as they do in transformers' `generate`.
  /// - Parameter url: the folder.
  /// - Throws: `ModelError`, `CheckpointError` where a file is missing or not JSON, or `LoRAError`
  ///   for a folder that holds only an adapter.
  public init(_ url: URL) throws {
    guard !AdapterFolder.isAdapter(url) else {
      throw LoRAError.adapterInPlaceOfModel(path: url.relativePath)
    }
    self.url = url
    json = try JSONObject(contentsOf: url.appending(path: "config.json"))
    architecture = try DecoderConfiguration.architecture(json)
    var configuration = try DecoderConfiguration(json)
    let generation = url.appending(path: "generation_config.json")
    if FileManager.default.fileExists(atPath: generation.path) {
      let values = try JSONObject(contentsOf: generation)
      let end = try values.tokenIDs("eos_token_id")
      if !end.isEmpty { configuration.eosTokenIDs = end }
      configuration.padTokenID = try values.tokenID("pad_token_id") ?? configuration.padTokenID
      try configuration.validate(path: generation.path)
    }
    self.configuration = configuration
  }

  /// Loads the tensors that a layout asks for, by name and shape.
  ///
  /// Everything must fit: a tensor that is missing, has another shape, or has no place in the layout
  /// is an error that lists them all. Left aside are the buffers that some programs save
  /// (`rotary_emb.inv_freq`, GPT-2's `attn.bias` and `attn.masked_bias`) and a `lm_head.weight`
  /// that only repeats a tied embedding. GPT-2 checkpoints without the prefix `transformer.` are
  /// understood.
  /// - Parameters:
  ///   - layout: what the model needs.
  ///   - initializing: parameters that the files may lack; they then start out as the layout says.
  ///   - ignoring: tensors that the files may hold beyond the layout, for example another head's.
  ///   - seed: for the parameters initialized.
  /// - Throws: `ModelError.tensorMismatch`, or `CheckpointError` where a file cannot be read.
  public func load(
    _ layout: ParameterLayout, initializing: Set<String> = [], ignoring: Set<String> = [],
    seed: UInt64 = 0
  ) throws -> ParameterBlock {
    let files = try ShardedSafetensors(directory: url)
    let stored = storedNames(files.names)
    var problems: [TensorProblem] = []
    for entry in layout.entries {
      let expected = entry.shape.extents
      guard let name = stored[entry.name] else {
        if !initializing.contains(entry.name) {
          problems.append(.missing(name: entry.name, expected: expected))
        }
        continue
      }
      if let found = files.shape(of: name), found != expected {
        problems.append(.shape(name: entry.name, expected: expected, found: found))
      }
    }
    let known = Set(layout.entries.map(\.name))
    for (name, file) in stored.sorted(by: { $0.key < $1.key })
    where !known.contains(name) && !ignoring.contains(name) && !isHarmless(name) {
      problems.append(.unexpected(name: name, found: files.shape(of: file) ?? []))
    }
    guard problems.isEmpty else {
      throw ModelError.tensorMismatch(path: url.path, problems: problems)
    }
    var parameters =
      initializing.isEmpty
      ? ParameterBlock(layout: layout) : ParameterBlock(layout: layout, seed: seed)
    for entry in layout.entries {
      guard let name = stored[entry.name], let id = layout.id(named: entry.name) else { continue }
      parameters.assign(try files.floats(named: name), to: id)
    }
    return parameters
  }

  /// The tensors of the files by the names that the layout uses.
  private func storedNames(_ names: [String]) -> [String: String] {
    let prefix = "transformer."
    let isBare =
      configuration.family == .gpt2 && !names.contains { $0.hasPrefix(prefix) }
      && names.contains("wte.weight")
    var stored: [String: String] = [:]
    for name in names {
      let isTrunk = ["wte.", "wpe.", "h.", "ln_f."].contains { name.hasPrefix($0) }
      stored[isBare && isTrunk ? prefix + name : name] = name
    }
    return stored
  }

  /// Buffers that carry no weights, and the copy of a tied embedding.
  private func isHarmless(_ name: String) -> Bool {
    switch configuration.family {
    case .gpt2:
      if name.hasPrefix("transformer.h.")
        && (name.hasSuffix(".attn.bias") || name.hasSuffix(".attn.masked_bias"))
      {
        return true
      }
    case .qwen2, .qwen3, .llama:
      if name.hasSuffix("rotary_emb.inv_freq") { return true }
    }
    return name == "lm_head.weight" && configuration.tiesEmbeddings
  }
}

extension ModelFolder {
  /// Writes a model in Hugging Face layout: `model.safetensors`, then the configurations.
  ///
  /// Each file is written in full or not at all, `config.json` last, so that a folder without it is
  /// not yet a model; a folder that this call made is removed again if it fails. Other files of the
  /// folder (a tokenizer) stay.
  /// - Parameters:
  ///   - parameters: the weights; all entries are stored under their names.
  ///   - configuration: the trunk's.
  ///   - architecture: the class name to store; the family's language model if nil.
  ///   - extra: keys of the head for `config.json`.
  ///   - type: how the numbers are stored; rounding to 16 bits is to nearest even.
  ///   - directory: the folder, made where it does not exist.
  /// - Throws: `CheckpointError` with path and cause.
  public static func write(
    _ parameters: ParameterBlock, configuration: DecoderConfiguration,
    architecture: String? = nil, extra: [String: JSONValue] = [:],
    as type: ElementType = .float32, to directory: URL
  ) throws {
    let manager = FileManager.default
    let existed = manager.fileExists(atPath: directory.path)
    do {
      try manager.createDirectory(at: directory, withIntermediateDirectories: true)
    } catch {
      throw CheckpointError(
        .unwritable, path: directory.path,
        "cannot create the folder: \(error.localizedDescription)")
    }
    do {
      try Safetensors.write(
        parameters.namedTensors, as: type, metadata: ["format": "pt"],
        to: directory.appending(path: "model.safetensors"))
      try writeConfigurations(
        configuration, architecture: architecture, extra: extra, as: type, to: directory)
    } catch {
      if !existed { try? manager.removeItem(at: directory) }
      throw error
    }
  }

  /// Writes `generation_config.json` (for language models) and then `config.json`.
  static func writeConfigurations(
    _ configuration: DecoderConfiguration, architecture: String? = nil,
    extra: [String: JSONValue] = [:], as type: ElementType, to directory: URL
  ) throws {
    if architecture == nil || architecture == configuration.family.causalArchitecture {
      try AtomicFile.write(
        JSONValue(sorting: configuration.generationJSON).indented,
        to: directory.appending(path: "generation_config.json"))
    }
    let json = configuration.json(
      architecture: architecture, storedAs: type.torchName, extra: extra)
    try AtomicFile.write(
      JSONValue(sorting: json).indented, to: directory.appending(path: "config.json"))
  }
}

extension ElementType {
  /// The name that torch gives the type, as `torch_dtype` stores it.
  var torchName: String {
    switch self {
    case .float64: "float64"
    case .float32: "float32"
    case .float16: "float16"
    case .bfloat16: "bfloat16"
    case .int64: "int64"
    case .int32: "int32"
    case .int16: "int16"
    case .int8: "int8"
    case .uint8: "uint8"
    case .bool: "bool"
    }
  }
}

extension ParameterBlock {
  /// All parameters as a weights file names and shapes them.
  var namedTensors: [(name: String, shape: [Int], values: [Float])] {
    layout.entries.compactMap { entry in
      layout.id(named: entry.name).map { id in
        (name: entry.name, shape: entry.shape.extents, values: values(of: id))
      }
    }
  }
}
