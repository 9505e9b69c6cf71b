import Foundation
import PlumbTensors

/// Test losses of the same rows at several sizes, in several runs of one training.
///
/// A run is a training with its own seed; the rows are a test set in strata (tasks), each of which
/// counts alike, and in groups (prompts), whose rows resemble each other.
public struct ScalingLosses: Sendable {
  /// The sizes, rising: pairs trained on, parameters or compute.
  public let sizes: [Double]
  /// [run][size][row], nats.
  public let values: [[[Double]]]
  /// The group of each row, 0..<number of groups.
  public let groups: [Int]
  /// The stratum of each row.
  public let strata: [Int]

  let groupCount: Int
  let weights: [Double]

  /// Losses from their parts.
  ///
  /// Traps unless there are two rising sizes, a run, two groups, and a loss for each row.
  public init(sizes: [Double], values: [[[Double]]], groups: [Int], strata: [Int]) {
    precondition(
      sizes.count >= 2 && zip(sizes, sizes.dropFirst()).allSatisfy { 0 < $0 && $0 < $1 },
      "ScalingLosses: expected rising sizes above 0, found \(sizes)")
    let rows = groups.count
    precondition(
      strata.count == rows && !values.isEmpty
        && values.allSatisfy { $0.count == sizes.count && $0.allSatisfy { $0.count == rows } },
      "ScalingLosses: expected losses [run][\(sizes.count)][\(rows)]")
    groupCount = (groups.max() ?? -1) + 1
    precondition(groupCount >= 2, "ScalingLosses: expected two groups of rows")
    self.sizes = sizes
    self.values = values
    self.groups = groups
    self.strata = strata
    var counts = [Int: Int]()
    for stratum in strata { counts[stratum, default: 0] += 1 }
    weights = strata.map { 1 / (Double(counts.count) * Double(counts[$0] ?? 1)) }
  }

  /// The mean loss at each size of each run, [run][size].
  public var curves: [[Double]] {
    values.map { $0.map { zip($0, weights).reduce(0) { $0 + $1.0 * $1.1 } } }
  }

  /// The mean loss at each size over all runs.
  public var means: [Double] { mean(of: curves) }

  private func mean(of curves: [[Double]]) -> [Double] {
    sizes.indices.map { size in curves.reduce(0) { $0 + $1[size] } / Double(curves.count) }
  }

  /// Mean curves of resamples: whole groups and whole runs drawn with replacement.
  ///
  /// Losses are linear in the rows, so sums by group and stratum are all that is drawn from.
  func resampledMeans(resamples: Int, seed: UInt64) -> [[Double]] {
    var sums: [[(stratum: Int, count: Double, losses: [Double])]] = Array(
      repeating: [], count: groupCount)
    let columns = values.count * sizes.count
    var places: [[Int: Int]] = Array(repeating: [:], count: groupCount)
    for row in groups.indices {
      let group = groups[row]
      let place = places[group][strata[row]] ?? sums[group].count
      if place == sums[group].count {
        places[group][strata[row]] = place
        sums[group].append((strata[row], 0, [Double](repeating: 0, count: columns)))
      }
      sums[group][place].count += 1
      var column = 0
      for run in values {
        for size in run {
          sums[group][place].losses[column] += size[row]
          column += 1
        }
      }
    }
    let stratumCount = (strata.max() ?? 0) + 1
    return (0..<resamples).map { resample in
      var stream = RandomStream(seed: seed, purpose: "scaling bootstrap", step: resample)
      var totals = [[Double]](
        repeating: [Double](repeating: 0, count: columns), count: stratumCount)
      var counts = [Double](repeating: 0, count: stratumCount)
      for _ in 0..<groupCount {
        for part in sums[stream.uniform(below: groupCount)] {
          counts[part.stratum] += part.count
          for column in 0..<columns { totals[part.stratum][column] += part.losses[column] }
        }
      }
      let drawn = counts.indices.filter { counts[$0] > 0 }
      let runs = values.indices.map { _ in stream.uniform(below: values.count) }
      return sizes.indices.map { size in
        let means = runs.map { run in
          drawn.reduce(0) { $0 + totals[$1][run * sizes.count + size] / counts[$1] }
            / Double(drawn.count)
        }
        return means.reduce(0, +) / Double(means.count)
      }
    }
  }
}

/// A weighted sum of a curve's points with its uncertainty: a slope, a bend, a change.
public struct Contrast: Hashable, Codable, Sendable {
  /// The estimate.
  public let value: Double
  /// Its standard error.
  public let standardError: Double
  /// Degrees of freedom of the standard error.
  public let degrees: Double
  /// Two-sided, against 0.
  public let pValue: Double
  /// The 95 % interval.
  public let interval: Interval

  /// `Σ_i factors_i · loss_i`, from rows and runs that both vary.
  ///
  /// The variance is the sum of two: that between groups of rows (each row's contrast as a mean over
  /// runs, in clusters, around its stratum's mean) and that between runs. Their overlap counts twice,
  /// so the error is a little too large, never too small. Degrees of freedom by Satterthwaite (1946).
  /// A single run tells nothing about runs: the error is that of the rows alone.
  public init(_ losses: ScalingLosses, factors: [Double]) {
    precondition(factors.count == losses.sizes.count, "Contrast: expected a factor for each size")
    let runs = losses.values.map { run in
      losses.groups.indices.map { row in
        zip(factors, run).reduce(0) { $0 + $1.0 * $1.1[row] }
      }
    }
    let rows = losses.groups.indices.map { row in
      runs.reduce(0) { $0 + $1[row] } / Double(runs.count)
    }
    func weighted(_ values: [Double]) -> Double {
      zip(values, losses.weights).reduce(0) { $0 + $1.0 * $1.1 }
    }
    let estimate = weighted(rows)
    value = estimate

    var stratumMeans: [Int: (sum: Double, count: Double)] = [:]
    for (row, stratum) in losses.strata.enumerated() {
      let old = stratumMeans[stratum] ?? (0, 0)
      stratumMeans[stratum] = (old.sum + rows[row], old.count + 1)
    }
    var influence = [Double](repeating: 0, count: losses.groupCount)
    for (row, group) in losses.groups.enumerated() {
      let mean = stratumMeans[losses.strata[row]].map { $0.sum / $0.count } ?? 0
      influence[group] += losses.weights[row] * (rows[row] - mean)
    }
    let groupCount = Double(losses.groupCount)
    let ofRows = groupCount / (groupCount - 1) * influence.reduce(0) { $0 + $1 * $1 }
    let perRun = runs.map(weighted)
    let count = Double(perRun.count)
    let ofRuns =
      perRun.count < 2
      ? 0 : perRun.reduce(0) { $0 + ($1 - estimate) * ($1 - estimate) } / (count - 1) / count
    let variance = ofRows + ofRuns
    let spread =
      ofRows * ofRows / (groupCount - 1) + (count < 2 ? 0 : ofRuns * ofRuns / (count - 1))
    let error = variance.squareRoot()
    standardError = error
    let freedom = spread > 0 ? variance * variance / spread : groupCount - 1
    degrees = freedom
    pValue =
      error > 0
      ? Distributions.studentTwoSided(estimate / error, degrees: freedom) : estimate == 0 ? 1 : 0
    let half = error * Distributions.studentQuantile(level: 0.95, degrees: freedom)
    interval = Interval(lower: estimate - half, upper: estimate + half)
  }
}
