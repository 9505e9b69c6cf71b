public import Foundation
public import PlumbCheckpoints
public import PlumbModels
import PlumbTensors

extension RewardModel.Head {
  /// What follows the family in the architecture's name.
  var architectureSuffix: String {
    switch self {
    case .worldPM: "ForRewardModel"
    case .linear: "ForSequenceClassification"
    }
  }
}

extension RewardModel {
  /// Loads a Hugging Face folder: `<Family>ForRewardModel` with WorldPM's head, or
  /// `<Family>ForSequenceClassification` with one label.
  /// - Throws: `PreferenceError` for other architectures, `ModelError` and `CheckpointError` for files
  ///   that do not fit or cannot be read.
  public init(directory: URL) throws {
    try self.init(ModelFolder(directory))
  }

  /// Loads the weights of a folder already opened; see `init(directory:)`.
  public init(_ folder: ModelFolder) throws {
    let stem = folder.configuration.family.architectureStem
    let head = Head.allCases.first { stem + $0.architectureSuffix == folder.architecture }
    guard let head else {
      throw PreferenceError.unknownArchitecture(
        path: folder.json.path, found: folder.architecture)
    }
    if let labels = folder.json.value("num_labels"), labels != .integer(1) {
      throw folder.json.invalid("num_labels", expected: "1", found: labels)
    }
    try self.init(
      configuration: folder.configuration, head: head, endOfText: folder.endOfText(), seed: 0)
    // Ports of language models to this head tend to keep the output matrix.
    parameters = try folder.load(parameters.layout, ignoring: ["lm_head.weight"])
    let keys = try folder.plumbKeys()
    if let gain = try keys.finiteNumber("reward_gain") {
      normalisation = RewardNormalisation(
        gain: gain, bias: try keys.finiteNumber("reward_bias") ?? 0)
    }
  }

  /// Writes a Hugging Face folder; see `ModelFolder.write`.
  /// - Parameters:
  ///   - directory: made where it does not exist; its other files stay.
  ///   - type: how the numbers are stored.
  ///   - padding: `pad_token_id` for other programs; as the trunk's configuration says if nil.
  public func write(
    to directory: URL, as type: ElementType = .float32, padding: Int? = nil
  ) throws {
    var keys = [JSONField(key: "end_of_text_id", value: .integer(Int(endOfText)))]
    if let normalisation {
      keys += [
        JSONField(key: "reward_gain", value: .number(normalisation.gain)),
        JSONField(key: "reward_bias", value: .number(normalisation.bias)),
      ]
    }
    var configuration = decoder.configuration
    configuration.padTokenID = padding ?? configuration.padTokenID
    try ModelFolder.write(
      parameters, configuration: configuration,
      architecture: configuration.family.architectureStem + head.architectureSuffix,
      extra: ["num_labels": .integer(1), "plumb": .object(keys)], as: type, to: directory)
  }
}
