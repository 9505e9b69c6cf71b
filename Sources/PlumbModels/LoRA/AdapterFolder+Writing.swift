public import Foundation
public import PlumbCheckpoints
import PlumbTensors

extension LoRAAdapter {
  /// Writes the adapter as peft stores it: `adapter_model.safetensors`, then `adapter_config.json`.
  ///
  /// A base beside the folder is named by its relative path (`../sft`), so that a run directory can
  /// be moved; every other one by its absolute path.
  /// - Parameters:
  ///   - directory: made where it does not exist; its other files stay.
  ///   - family: of the model that the adapter changes.
  ///   - type: how the numbers are stored.
  /// - Throws: `CheckpointError` with path and cause.
  public func write(
    to directory: URL, family: ModelFamily, as type: ElementType = .float32
  ) throws {
    do {
      try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    } catch {
      throw CheckpointError(
        .unwritable, path: directory.path,
        "cannot create the folder: \(error.localizedDescription)")
    }
    try Safetensors.write(
      parameters.namedTensors, as: type, metadata: ["format": "pt"],
      to: directory.appending(path: AdapterFolder.weightsName))
    try AtomicFile.write(
      JSONValue(sorting: json(in: directory, family: family)).indented,
      to: directory.appending(path: AdapterFolder.configurationName))
  }

  private func json(in directory: URL, family: ModelFamily) -> [String: JSONValue] {
    let targets =
      configuration.targetModules.isEmpty ? family.linearModules : configuration.targetModules
    return [
      "base_model_name_or_path": baseName(in: directory).map(JSONValue.string) ?? .null,
      "bias": .string("none"),
      "fan_in_fan_out": .bool(family.storesInputsFirst),
      "inference_mode": .bool(true),
      "init_lora_weights": .bool(true),
      "lora_alpha": Int(exactly: configuration.alpha).map(JSONValue.integer)
        ?? .number(configuration.alpha),
      "lora_dropout": .number(0),
      "modules_to_save": .null,
      "peft_type": .string("LORA"),
      "r": .integer(configuration.rank),
      "target_modules": .array(targets.map(JSONValue.string)),
      "task_type": .string("CAUSAL_LM"),
      "use_dora": .bool(false),
      "use_rslora": .bool(configuration.isRankStabilized),
    ]
  }

  private func baseName(in directory: URL) -> String? {
    guard let base = base?.absoluteURL.standardizedFileURL else { return nil }
    let own = directory.absoluteURL.standardizedFileURL
    let isBeside =
      own.deletingLastPathComponent().path == base.deletingLastPathComponent().path
    return isBeside ? "../\(base.lastPathComponent)" : base.path
  }
}
