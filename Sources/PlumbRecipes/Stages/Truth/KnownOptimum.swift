import Foundation

/// Distributions over all responses to one prompt that are optima of policy objectives.
///
/// All take log-probabilities of the reference and give log-probabilities, [N], in double precision.
enum KnownOptimum {
  /// `π* ∝ π_ref exp(f)`, the maximum of `E f − KL(π ‖ π_ref)`.
  ///
  /// Rafailov et al. 2023, arXiv 2305.18290, eq. 4, with `f = r / β`.
  static func tilted(_ reference: [Double], by f: [Double]) -> [Double] {
    logNormalised(zip(reference, f).map { $0 + $1 })
  }

  /// The normalised π with the least `E_{y∼π_ref} (log π/π_ref − f)²`: GPO and SPPO with log Z at 0.
  ///
  /// No normalised π has `log π/π_ref = f` unless `Z = E exp f` is 1. With a multiplier λ for the
  /// normalisation, `h + λ exp h = f`, λ by bisection. `Z` must be at least 1, as it is for every f whose
  /// mean under the reference is 0.
  static func leastSquares(_ reference: [Double], target f: [Double]) -> [Double] {
    func ratios(_ multiplier: Double) -> [Double] {
      f.map { f in
        // The left side is convex and rising, and too large at h = f: Newton's steps fall towards the root.
        var h = f
        for _ in 0..<200 {
          let step = (h + multiplier * exp(h) - f) / (1 + multiplier * exp(h))
          h -= step
          if abs(step) <= 1e-14 * max(1, abs(h)) { break }
        }
        return h
      }
    }
    let multiplier = decreasingRoot { mass(reference, ratios($0)) }
    return logNormalised(zip(reference, ratios(multiplier)).map { $0 + $1 })
  }

  /// The maximum of `E_π r − β KL(π_ref ‖ π)`, which is `β π_ref / (λ − r)`.
  ///
  /// The gradient of the k3 estimate as a loss, on samples of π, is that of `KL(π_ref ‖ π)` and not of
  /// `KL(π ‖ π_ref)`: here is where GRPO as published (arXiv 2402.03300, eq. 3-4) ends on responses of one
  /// token, without its division by the deviation.
  static func reverseKL(_ reference: [Double], rewards: [Double], beta: Double) -> [Double] {
    let greatest = rewards.max() ?? 0
    // λ − r above 0 for every response: λ = greatest + x with x > 0.
    let x = decreasingRoot { x in
      zip(reference, rewards).reduce(0) { $0 + beta * exp($1.0) / (greatest + x - $1.1) }
    }
    return logNormalised(
      zip(reference, rewards).map { log(beta) + $0 - log(greatest + x - $1) })
  }

  /// Chances of being marked desirable under which KTO's optimum is a given one.
  ///
  /// KTO on responses of π_ref with equal weights climbs `Σ π_ref (2q − 1) σ(β(log ρ − z))` over
  /// `ρ = π/π_ref` with `Σ π_ref ρ = 1` (Ethayarajh et al. 2024, arXiv 2402.01306, eq. 8). Its condition is
  /// `(2q − 1) u / (ρ (1 + u)²) = λ` with `u = (ρ e^−z)^β`. So `2q − 1 ∝ ρ (1 + u)² / u`, with z of the
  /// wanted optimum, puts it there. For β ≤ 1 the objective is concave, and the optimum for that z the
  /// only one.
  /// - Parameters:
  ///   - reference: log-probabilities of the reference.
  ///   - optimum: log-probabilities of the wanted optimum.
  ///   - baseline: z, the mean of `KL(π ‖ π_ref)` over all prompts at the wanted optimum.
  ///   - beta: at most 1.
  static func ktoLabels(
    _ reference: [Double], optimum: [Double], baseline: Double, beta: Double
  ) -> [Double] {
    let gains = zip(optimum, reference).map { 1 / ktoSlope($0 - $1, baseline, beta) }
    let greatest = gains.max() ?? 1
    return gains.map { 0.5 + 0.5 * $0 / greatest }
  }

  /// KTO's optimum for given chances of being marked desirable, where β ≤ 1, [P][N].
  ///
  /// The ρ of every response by bisection in its condition (see `ktoLabels`), λ of every prompt from the
  /// normalisation, and z, which is one for the whole batch, the mean of `KL(π ‖ π_ref)`, and carries no
  /// gradient, by iteration to its fixed point. Responses that are more often undesirable get no
  /// probability at all (of two with contradictory preferences the majority's gets all of it: arXiv
  /// 2402.01306, section 4).
  /// - Parameters:
  ///   - references: log-probabilities of the reference, [P][N].
  ///   - chances: q, [P][N].
  ///   - beta: at most 1.
  static func kto(
    _ references: [[Double]], desirable chances: [[Double]], beta: Double
  ) -> [[Double]] {
    var baseline = 0.0
    var ratios = references
    for _ in 0..<60 {
      let (z, old) = (baseline, ratios)
      ratios = zip(references, chances).map { reference, q in
        let lambda = decreasingRoot { mass(reference, ktoRatios(q, $0, z, beta)) }
        return ktoRatios(q, lambda, z, beta)
      }
      let sum = zip(references, ratios).reduce(0.0) { sum, row in
        zip(row.0, row.1).reduce(sum) { $1.1 == -.infinity ? $0 : $0 + exp($1.0 + $1.1) * $1.1 }
      }
      baseline = max(0, sum / Double(max(1, references.count)))
      let isSettled = zip(old.joined(), ratios.joined()).allSatisfy {
        $0 == $1 || abs($0 - $1) < 1e-12
      }
      if isSettled { break }
    }
    return zip(references, ratios).map { row in
      logNormalised(zip(row.0, row.1).map { $0 + $1 })
    }
  }

  /// `u / (ρ (1 + u)²)` at `log ρ = h`: falls in ρ for β ≤ 1.
  private static func ktoSlope(_ h: Double, _ baseline: Double, _ beta: Double) -> Double {
    let u = exp(beta * (h - baseline))
    return u / (exp(h) * (1 + u) * (1 + u))
  }

  private static func ktoRatios(
    _ q: [Double], _ lambda: Double, _ baseline: Double, _ beta: Double
  ) -> [Double] {
    q.map { q in
      let gain = 2 * q - 1
      var (low, high) = (-80.0, 80.0)
      guard gain * ktoSlope(low, baseline, beta) > lambda else { return -.infinity }
      for _ in 0..<60 {
        let middle = (low + high) / 2
        if gain * ktoSlope(middle, baseline, beta) > lambda { low = middle } else { high = middle }
      }
      return (low + high) / 2
    }
  }

  /// `Σ π_ref exp h`.
  private static func mass(_ reference: [Double], _ h: [Double]) -> Double {
    zip(reference, h).reduce(0) { $0 + exp($1.0 + $1.1) }
  }

  /// Where a falling function of x ≥ 0 passes 1, by bisection; 0 where it never is above 1.
  private static func decreasingRoot(_ function: (Double) -> Double) -> Double {
    var (low, high) = (0.0, 1.0)
    while function(high) > 1, high < 1e30 { high *= 2 }
    for _ in 0..<100 {
      let middle = (low + high) / 2
      if function(middle) > 1 { low = middle } else { high = middle }
    }
    return (low + high) / 2
  }
}

/// `KL(p ‖ q)` in nats from log-probabilities; a response that p never gives costs nothing.
func divergence(_ p: [Double], _ q: [Double]) -> Double {
  zip(p, q).reduce(0) { $1.0 == -.infinity ? $0 : $0 + exp($1.0) * ($1.0 - $1.1) }
}

/// The mean over prompts of `KL(p ‖ q)`.
func meanDivergence(_ p: [[Double]], _ q: [[Double]]) -> Double {
  zip(p, q).reduce(0) { $0 + divergence($1.0, $1.1) } / Double(max(1, p.count))
}
