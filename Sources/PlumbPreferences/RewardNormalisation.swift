/// Gain and bias that bring the rewards of reference samples to mean 0 and variance 1.
///
/// `normalised = gain * reward + bias` (Ziegler 2019, §2; lm-human-preferences). Off unless set. It changes
/// the scale a policy optimiser sees, never the preference `r_i - r_j`, which is read from raw rewards.
public struct RewardNormalisation: Codable, Hashable, Sendable {
  /// Factor of the raw reward.
  public var gain: Double
  /// Added after the gain.
  public var bias: Double

  /// Makes a normalisation from its numbers.
  public init(gain: Double, bias: Double) {
    self.gain = gain
    self.bias = bias
  }

  /// Fits to raw rewards of reference samples.
  /// - Throws: `PreferenceError` if there are fewer than two samples, a sample is not finite, or all
  ///   are equal.
  public init(fitting rewards: [Float]) throws(PreferenceError) {
    for (row, reward) in rewards.enumerated() where !reward.isFinite {
      throw .notFinite(row: row, what: "reward", value: "\(reward)")
    }
    let count = Double(rewards.count)
    let mean = rewards.reduce(0) { $0 + Double($1) } / max(count, 1)
    let variance =
      rewards.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / max(count, 1)
    let deviation = variance.squareRoot()
    guard rewards.count >= 2, deviation > 1e-12 else {
      throw .degenerateNormalisation(samples: rewards.count, standardDeviation: deviation)
    }
    self.init(gain: 1 / deviation, bias: -mean / deviation)
  }

  /// The normalised reward.
  public func callAsFunction(_ reward: Float) -> Float { Float(gain * Double(reward) + bias) }
}
