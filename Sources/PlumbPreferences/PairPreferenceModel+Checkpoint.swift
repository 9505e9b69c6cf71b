public import Foundation
public import PlumbCheckpoints
public import PlumbModels
import PlumbTensors

extension PairPreferenceModel {
  /// What follows the family in the architecture's name.
  static let architectureSuffix = "ForPairPreference"

  /// Loads a folder of the architecture `<Family>ForPairPreference`.
  /// - Throws: `PreferenceError` for other architectures, `ModelError` and `CheckpointError` for files
  ///   that do not fit or cannot be read.
  public init(directory: URL) throws {
    try self.init(ModelFolder(directory))
  }

  /// Loads the weights of a folder already opened; see `init(directory:)`.
  public init(_ folder: ModelFolder) throws {
    try folder.requireArchitecture(Self.architectureSuffix)
    let keys = try folder.plumbKeys()
    let orders = try keys.choice("pair_orders", default: Orders.both)
    try self.init(
      configuration: folder.configuration,
      opening: keys.tokenIDs("pair_opening_ids").map { Int32(clamping: $0) }, orders: orders,
      endOfText: folder.endOfText(), seed: 0)
    parameters = try folder.load(parameters.layout, ignoring: ["lm_head.weight"])
  }

  /// Writes a folder in Hugging Face layout; see `ModelFolder.write`.
  /// - Parameters:
  ///   - directory: made where it does not exist; its other files stay.
  ///   - type: how the numbers are stored.
  public func write(to directory: URL, as type: ElementType = .float32) throws {
    let configuration = decoder.configuration
    try ModelFolder.write(
      parameters, configuration: configuration,
      architecture: configuration.family.architectureStem + Self.architectureSuffix,
      extra: [
        "plumb": .object([
          JSONField(key: "end_of_text_id", value: .integer(Int(endOfText))),
          JSONField(
            key: "pair_opening_ids", value: .array(opening.map { .integer(Int($0)) })),
          JSONField(key: "pair_orders", value: .string(orders.rawValue)),
        ])
      ], as: type, to: directory)
  }
}
