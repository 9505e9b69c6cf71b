public import Foundation
import PlumbCheckpoints
public import PlumbTensors

/// Names in an optimizer file: `first_moment.<parameter>`, `second_moment.<parameter>`, and counters in
/// the metadata.
private enum Key {
  static let first = "first_moment."
  static let second = "second_moment."
  static let step = "step"
  static let skippedSteps = "skipped_steps"
}

extension AdamW {
  /// Writes moments and counters to a safetensors file, atomically and without rounding.
  ///
  /// - Parameter url: the file, for example `optimizer.safetensors` in a checkpoint folder.
  /// - Throws: `CheckpointError` if the file cannot be written.
  public func write(to url: URL) throws {
    var tensors: [(name: String, shape: [Int], values: [Float])] = []
    for (prefix, values) in [(Key.first, moments.first), (Key.second, moments.second)] {
      for entry in layout.entries {
        let range = entry.offset..<entry.offset + entry.shape.count
        tensors.append((prefix + entry.name, entry.shape.extents, Array(values[range])))
      }
    }
    try Safetensors.write(
      tensors, metadata: [Key.step: "\(step)", Key.skippedSteps: "\(skippedSteps)"], to: url)
  }

  /// Reads what `write(to:)` wrote; an optimizer so restored goes on in the same bits.
  ///
  /// - Parameters:
  ///   - url: the file.
  ///   - configuration: what stays the same over the run; not part of the file.
  ///   - parameters: the block to be updated, with the names and shapes of the file.
  /// - Throws: `CheckpointError` if the file is damaged or belongs to other parameters.
  public init(
    contentsOf url: URL, configuration: Configuration, for parameters: ParameterBlock
  ) throws {
    self.init(configuration, for: parameters)
    let file = try SafetensorsFile(contentsOf: url)
    try Self.refuseOthers(in: file, layout: layout)
    var (first, second): ([Float], [Float]) = ([], [])
    first.reserveCapacity(layout.count)
    second.reserveCapacity(layout.count)
    for entry in layout.entries {
      first += try file.floats(named: Key.first + entry.name, shape: entry.shape.extents)
      second += try file.floats(named: Key.second + entry.name, shape: entry.shape.extents)
    }
    moments.first = first
    moments.second = second
    step = try Self.counter(Key.step, in: file)
    skippedSteps = try Self.counter(Key.skippedSteps, in: file)
  }

  /// Throws if the file holds a tensor that belongs to none of the parameters.
  private static func refuseOthers(in file: SafetensorsFile, layout: ParameterLayout) throws {
    let known = Set(layout.entries.flatMap { [Key.first + $0.name, Key.second + $0.name] })
    if let stranger = file.names.first(where: { !known.contains($0) }) {
      throw CheckpointError(
        .mismatch, path: file.url.path(percentEncoded: false),
        "the optimizer belongs to other parameters",
        expected: "the moments of \(layout.entries.count) parameters", found: "'\(stranger)'")
    }
  }

  /// A counter of the metadata.
  private static func counter(_ key: String, in file: SafetensorsFile) throws -> Int {
    guard let text = file.metadata[key], let value = Int(text), value >= 0 else {
      throw CheckpointError(
        .malformed, path: file.url.path(percentEncoded: false), "metadata '\(key)'",
        expected: "a whole number, 0 or more", found: file.metadata[key].map { "'\($0)'" } ?? "none"
      )
    }
    return value
  }
}
