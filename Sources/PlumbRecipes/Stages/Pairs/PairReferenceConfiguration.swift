import PlumbObjectives

/// A stage whose recipe says what its pairs are compared with, and whether answers are anchored.
protocol PairReferenceConfiguration: PairLossConfiguration, ConfigurationSection {
  var references: [String] { get }
  var referenceWeights: [Double] { get }
  var anchorWeight: Double { get }
  var anchorTokens: Int { get }
}

extension PairReferenceConfiguration {
  /// The losses with the tie to the reference's own answers.
  var pairSettings: PairLossSettings {
    var settings = lossSettings
    settings.anchorWeight = Float(anchorWeight)
    return settings
  }

  /// How much each reference counts, with sum 1; a single 1 where none is named.
  var mergeWeights: [Float] {
    guard !references.isEmpty else { return [1] }
    let given = referenceWeights.isEmpty ? references.map { _ in 1.0 } : referenceWeights
    let sum = given.reduce(0, +)
    return given.map { Float($0 / sum) }
  }

  /// Refuses weights that do not fit the references, and what no loss would read.
  ///
  /// Throws `ConfigurationProblem`.
  func validateReferences() throws {
    try require(
      "anchor_weight", (0...1000).contains(anchorWeight), "a number from 0 to 1000", anchorWeight)
    try requireCount("anchor_tokens", anchorTokens)
    try require(
      "anchor_tokens", anchorWeight > 0 || anchorTokens == Self().anchorTokens,
      "\(Self().anchorTokens) where anchor_weight is 0", anchorTokens)
    try require(
      "reference_weights", referenceWeights.isEmpty || referenceWeights.count == references.count,
      "none, or one for each of the \(references.count) references", referenceWeights.count)
    for weight in referenceWeights {
      try require(
        "reference_weights", (1e-6...1e6).contains(weight), "numbers above 0", weight)
    }
    try requireReader("references", isUnset: references.isEmpty)
    try requireReader("anchor_weight", isUnset: anchorWeight == 0)
  }

  /// Refuses a setting about the reference where none of the losses reads one.
  func requireReader(_ name: String, isUnset: Bool) throws {
    try require(
      name, isUnset || lossSettings.losses.contains { $0.loss.usesReference },
      "nothing with the loss '\(loss.rawValue)', which reads no reference", "a value")
  }
}
