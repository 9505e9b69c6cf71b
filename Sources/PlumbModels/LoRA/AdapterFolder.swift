public import Foundation
import PlumbCheckpoints
import PlumbTensors

/// A LoRA adapter on disk in peft's layout: `adapter_config.json` and `adapter_model.safetensors`.
public struct AdapterFolder: Sendable {
  /// The folder.
  public let url: URL
  /// Size and targets.
  public let configuration: LoRAConfiguration
  /// The folder of the model that the adapter changes.
  public let base: URL

  static let configurationName = "adapter_config.json"
  static let weightsName = "adapter_model.safetensors"

  /// The file of the matrices.
  public var weights: URL { url.appending(path: Self.weightsName) }

  /// Whether a folder holds an adapter and no whole model.
  public static func isAdapter(_ url: URL) -> Bool {
    exists(url.appending(path: configurationName)) && !exists(url.appending(path: "config.json"))
  }

  /// The folder whose tokenizer goes with a model folder: itself, or the base of an adapter that was
  /// stored without one.
  public static func tokenizerFolder(of url: URL, base: URL? = nil) throws -> URL {
    let hasTokenizer = ["tokenizer.json", "vocab.json"].contains { exists(url.appending(path: $0)) }
    return hasTokenizer || !isAdapter(url) ? url : try AdapterFolder(url, base: base).base
  }

  /// Reads `adapter_config.json` and finds the base model.
  ///
  /// `base_model_name_or_path` may be absolute, or relative to the folder or to the working
  /// directory.
  /// - Parameters:
  ///   - url: the folder.
  ///   - base: the base model's folder, in place of the one that the file names.
  /// - Throws: `LoRAError`, `ModelError`, or `CheckpointError` where a file is missing or not JSON.
  public init(_ url: URL, base: URL? = nil) throws {
    let file = url.appending(path: Self.configurationName)
    guard Self.exists(file) else { throw LoRAError.notAnAdapter(path: url.relativePath) }
    let json = try JSONObject(contentsOf: file)
    self.url = url
    configuration = try LoRAConfiguration(json)
    let found =
      try base ?? Self.base(named: json.string("base_model_name_or_path", default: ""), url)
    guard !Self.isAdapter(found) else {
      throw LoRAError.baseIsAdapter(path: file.relativePath, base: found.relativePath)
    }
    self.base = found
  }

  private static func base(named name: String, _ url: URL) throws -> URL {
    let places =
      name.hasPrefix("/") ? [""] : [url.path + "/", FileManager.default.currentDirectoryPath + "/"]
    var looked: [String] = []
    for place in places where !name.isEmpty {
      let candidate = URL(filePath: place + name, directoryHint: .isDirectory).standardizedFileURL
      if exists(candidate.appending(path: "config.json")) || isAdapter(candidate) {
        return candidate
      }
      looked.append(candidate.path)
    }
    throw LoRAError.missingBase(
      path: url.appending(path: configurationName).relativePath, base: name, looked: looked)
  }

  private static func exists(_ url: URL) -> Bool {
    FileManager.default.fileExists(atPath: url.path)
  }

  /// Reads the matrices for a model.
  /// - Parameter model: the base.
  /// - Throws: `LoRAError.tensors` for matrices that do not fit, `CheckpointError` for a bad file.
  public func adapter(for model: CausalLM) throws -> LoRAAdapter {
    let file = self.weights
    let pickle = url.appending(path: "adapter_model.bin")
    if !Self.exists(file), Self.exists(pickle) {
      throw LoRAError.unsupportedFile(
        path: url.relativePath, expected: Self.weightsName, found: "adapter_model.bin")
    }
    let weights = try SafetensorsFile(contentsOf: file)
    var result = try LoRAAdapter(configuration, for: model, base: base) {
      ParameterBlock(layout: $0)
    }
    let layout = result.parameters.layout
    var problems: [TensorProblem] = []
    for entry in layout.entries {
      let expected = entry.shape.extents
      guard let found = weights.shape(of: entry.name) else {
        problems.append(.missing(name: entry.name, expected: expected))
        continue
      }
      if found != expected {
        problems.append(.shape(name: entry.name, expected: expected, found: found))
      }
    }
    for name in weights.names where layout.id(named: name) == nil {
      problems.append(.unexpected(name: name, found: weights.shape(of: name) ?? []))
    }
    guard problems.isEmpty else {
      throw LoRAError.tensors(
        path: file.relativePath, base: base.relativePath, rank: configuration.rank,
        problems: problems)
    }
    for entry in layout.entries {
      guard let id = layout.id(named: entry.name) else { continue }
      result.updates.parameters.assign(try weights.floats(named: entry.name), to: id)
    }
    return result
  }

  /// Loads the base with the adapter on.
  public func model() throws -> CausalLM {
    var model = try CausalLM(ModelFolder(base))
    model.adapter = try adapter(for: model)
    return model
  }
}
