public import Foundation
public import PlumbCheckpoints
public import PlumbModels
import PlumbTensors

extension GeneralPreferenceModel {
  /// What follows the family in the architecture's name.
  static let architectureSuffix = "ForGeneralPreference"

  /// Loads a folder of the architecture `<Family>ForGeneralPreference`.
  /// - Throws: `PreferenceError` for other architectures, `ModelError` and `CheckpointError` for files
  ///   that do not fit or cannot be read.
  public init(directory: URL) throws {
    try self.init(ModelFolder(directory))
  }

  /// Loads the weights of a folder already opened; see `init(directory:)`.
  public init(_ folder: ModelFolder) throws {
    try folder.requireArchitecture(Self.architectureSuffix)
    let json = folder.json
    let gate = try folder.plumbKeys().choice("gate", default: Gate.softmax)
    try self.init(
      configuration: folder.configuration,
      options: Options(
        dimension: json.positiveInteger("value_head_dim"),
        normalises: json.boolean("l2_normalize", default: false),
        isGated: json.boolean("add_prompt_head", default: false), gate: gate,
        tau: json.positiveNumber("tau", default: 0.1)),
      endOfText: folder.endOfText(), seed: 0)
    // The paper's checkpoints keep the output matrix of the language model.
    parameters = try folder.load(parameters.layout, ignoring: ["lm_head.weight"])
  }

  /// Writes a folder in Hugging Face layout; see `ModelFolder.write`.
  /// - Parameters:
  ///   - directory: made where it does not exist; its other files stay.
  ///   - type: how the numbers are stored.
  public func write(to directory: URL, as type: ElementType = .float32) throws {
    let configuration = decoder.configuration
    // A trained temperature is stored as the number it came to.
    var stored = parameters
    if options.learnsTau {
      var fixed = options
      fixed.learnsTau = false
      stored = try GeneralPreferenceModel(
        configuration: configuration, trunk: parameters, options: fixed,
        endOfText: Int(endOfText), seed: 0
      ).parameters
    }
    try ModelFolder.write(
      stored, configuration: configuration,
      architecture: configuration.family.architectureStem + Self.architectureSuffix,
      extra: [
        "value_head_dim": .integer(options.dimension),
        "add_prompt_head": .bool(options.isGated),
        "l2_normalize": .bool(options.normalises),
        "tau": .number(tau),
        "plumb": .object([
          JSONField(key: "end_of_text_id", value: .integer(Int(endOfText))),
          JSONField(key: "gate", value: .string(options.gate.rawValue)),
        ]),
      ], as: type, to: directory)
  }
}
