import Foundation
import PlumbCheckpoints
import PlumbModels
import PlumbPreferences
import PlumbTensors
import PlumbTokenizers

extension CausalLM {
  /// Writes the weights with the tokenizer and template that they were trained with.
  func write(
    to directory: URL, encoder: ConversationEncoder, as type: ElementType = .float32
  ) throws {
    try write(to: directory, as: type)
    try encoder.write(to: directory)
  }
}

extension RewardModel {
  /// Writes the weights with the tokenizer and template that they were trained with.
  ///
  /// A sequence classifier gets a padding token that is not the one it reads at, so that
  /// transformers gives the same scores to a padded batch.
  func write(to directory: URL, encoder: ConversationEncoder) throws {
    let padding = head == .linear ? encoder.paddingBesidesEnd : nil
    try write(to: directory, padding: padding)
    try encoder.write(to: directory, padding: padding)
  }
}

extension GeneralPreferenceModel {
  /// Writes the weights with the tokenizer and template that they were trained with.
  func write(to directory: URL, encoder: ConversationEncoder) throws {
    try write(to: directory)
    try encoder.write(to: directory)
  }
}

extension PairPreferenceModel {
  /// Writes the weights with the tokenizer and template that they were trained with.
  func write(to directory: URL, encoder: ConversationEncoder) throws {
    try write(to: directory)
    try encoder.write(to: directory)
  }
}

extension ParameterBlock {
  /// Writes every parameter under its name, bit for bit.
  func write(to url: URL) throws {
    try Safetensors.write(
      layout.entries.compactMap { entry in
        layout.id(named: entry.name).map { (entry.name, entry.shape.extents, values(of: $0)) }
      }, to: url)
  }

  /// Replaces every parameter by the one of the same name in a file that `write` made.
  mutating func read(from url: URL) throws {
    let file = try SafetensorsFile(contentsOf: url)
    for entry in layout.entries {
      guard let id = layout.id(named: entry.name) else { continue }
      let values = try file.floats(named: entry.name)
      guard values.count == entry.shape.count else {
        throw RunError.damaged(
          path: url.relativePath,
          detail: "'\(entry.name)' has \(values.count) values, expected \(entry.shape.count)")
      }
      assign(values, to: id)
    }
  }
}
