import Foundation

/// How the learning rate moves over the steps of a run.
///
/// The formulas are transformers' (`get_constant_schedule`, `get_constant_schedule_with_warmup`,
/// `get_linear_schedule_with_warmup`, `get_cosine_schedule_with_warmup`), in double precision.
public enum Schedule: Hashable, Codable, Sendable {
  /// The peak at every step.
  case constant
  /// Up from 0 in a line over the warm-up, then the peak.
  case constantWithWarmup(warmupSteps: Int)
  /// Up from 0 over the warm-up, then in a line to `minimum` times the peak at the last step.
  case linear(warmupSteps: Int, totalSteps: Int, minimum: Double = 0)
  /// Up from 0 over the warm-up, then along half a cosine to `minimum` times the peak.
  case cosine(warmupSteps: Int, totalSteps: Int, minimum: Double = 0)

  /// The factor of the peak learning rate, 0...1.
  ///
  /// - Parameter step: 0 for the first update, so that with a warm-up the first update has factor 0,
  ///   as in transformers; past `totalSteps` the factor stays at its end.
  public func factor(at step: Int) -> Double {
    precondition(step >= 0, "Schedule: expected step >= 0, found \(step)")
    switch self {
    case .constant: return 1
    case .constantWithWarmup(let warmup):
      return Self.warmup(step, warmup) ?? 1
    case .linear(let warmup, let total, let minimum):
      if let rising = Self.warmup(step, warmup) { return rising }
      let rest = max(0, Double(total - step) / Double(max(1, total - warmup)))
      return minimum + (1 - minimum) * rest
    case .cosine(let warmup, let total, let minimum):
      if let rising = Self.warmup(step, warmup) { return rising }
      let progress = min(1, Double(step - warmup) / Double(max(1, total - warmup)))
      return minimum + (1 - minimum) * max(0, 0.5 * (1 + cos(.pi * progress)))
    }
  }

  /// The learning rate of an update.
  ///
  /// - Parameters:
  ///   - step: 0 for the first update.
  ///   - peak: the highest learning rate.
  public func learningRate(at step: Int, peak: Double) -> Double { peak * factor(at: step) }

  /// The rising line, nil once the warm-up is over.
  private static func warmup(_ step: Int, _ warmupSteps: Int) -> Double? {
    step < warmupSteps ? Double(step) / Double(max(1, warmupSteps)) : nil
  }
}
