import Foundation
import PlumbTensors

/// Log-odds of the verdicts of a tournament: ratings, or low-rank skew embeddings that can hold cycles.
///
/// The judge saw the answer of system i first and that of j second, to a prompt of group g:
/// `z = m_g(i, j) + b`, where `b` is what the first place alone is worth and
///
/// - `.ratings`: `m_g(i, j) = (r_i + d_gi) - (r_j + d_gj)` (Bradley and Terry 1952);
/// - `.skew(k)`: `m_g(i, j) = s(v_i + d_gi, v_j + d_gj)` with the score of a general preference model
///   (arXiv 2410.02197, eq. 4.1) on vectors of 2k numbers. With k = 1 and `v = [r, 1]` it is the former.
/// - `.place`: 0, a judge who looks at the place alone.
///
/// The deviations `d` are there only where groups are told apart (categories, or single prompts). All
/// numbers but `b` are pulled to 0 by a quadratic penalty.
public struct TournamentModel: Hashable, Codable, Sendable {
  /// What the systems are described by.
  public enum Form: Hashable, Codable, Sendable {
    /// Nothing: only the place counts.
    case place
    /// One number.
    case ratings
    /// k planes.
    case skew(Int)

    /// "BT", "GPM k = 2".
    public var name: String {
      switch self {
      case .place: "place only"
      case .ratings: "BT"
      case .skew(let planes): "GPM k = \(planes)"
      }
    }

    /// Numbers per system.
    var width: Int {
      switch self {
      case .place: 0
      case .ratings: 1
      case .skew(let planes): 2 * planes
      }
    }
  }

  /// A verdict, or several with the same systems, group and order.
  public struct Observation: Hashable, Sendable {
    /// The system that stood first.
    public let first: Int
    /// The system that stood second.
    public let second: Int
    /// The group of the prompt.
    public let group: Int
    /// Points of the first, from 0 to `count`.
    public let points: Double
    /// The number of verdicts.
    public let count: Double

    /// An observation from its parts.
    public init(first: Int, second: Int, group: Int = 0, points: Double, count: Double = 1) {
      self.first = first
      self.second = second
      self.group = group
      self.points = points
      self.count = count
    }
  }

  /// Weights of the squared numbers, halved, in the sum of the negative log-likelihoods.
  public struct Penalty: Hashable, Codable, Sendable {
    /// Of what the groups share.
    public var shared: Double
    /// Of the deviations of groups; infinite for none.
    public var local: Double

    /// A penalty.
    public init(shared: Double, local: Double = .infinity) {
      self.shared = shared
      self.local = local
    }
  }

  /// What the systems are described by.
  public let form: Form
  /// One vector per system.
  public let shared: [[Double]]
  /// One vector per group and system; empty without deviations.
  public let local: [[[Double]]]
  /// The log-odds of the first place, `b`.
  public let place: Double

  /// `m_g(i, j)`: log-odds that i is better than j, the place apart.
  public func logOdds(_ i: Int, over j: Int, group: Int = 0) -> Double {
    func vector(_ item: Int) -> [Double] {
      local.isEmpty ? shared[item] : zip(shared[item], local[group][item]).map { $0 + $1 }
    }
    return Self.strength(form, vector(i), vector(j))
  }

  /// The negative log-likelihood of an observation, nats; a tie counts as half of either verdict.
  public func loss(_ observation: Observation) -> Double {
    let z = logOdds(observation.first, over: observation.second, group: observation.group) + place
    return observation.points * softplus(-z)
      + (observation.count - observation.points) * softplus(z)
  }

  static func strength(_ form: Form, _ a: [Double], _ b: [Double]) -> Double {
    switch form {
    case .place: return 0
    case .ratings: return a[0] - b[0]
    case .skew(let planes):
      var sum = 0.0
      for plane in 0..<planes {
        let (even, odd) = (2 * plane, 2 * plane + 1)
        sum += a[even] * b[odd] - a[odd] * b[even]
      }
      return sum
    }
  }

  /// Fits by penalised maximum likelihood.
  ///
  /// Embeddings have several local optima: the best of `restarts` random beginnings is kept.
  /// - Parameters:
  ///   - observations: verdicts; equal ones may be added up.
  ///   - systems: how many there are.
  ///   - groups: how many groups of prompts.
  ///   - form: what the systems are described by.
  ///   - penalty: pulls all numbers to 0.
  ///   - seed: of the random beginnings.
  ///   - restarts: for embeddings only.
  public init(
    fitting observations: [Observation], systems: Int, groups: Int = 1, form: Form,
    penalty: Penalty, seed: UInt64 = 0, restarts: Int = 3
  ) {
    let problem = Problem(
      observations: observations, systems: systems,
      groups: penalty.local.isFinite ? groups : 0, form: form, penalty: penalty)
    var best: (point: [Double], value: Double)?
    let beginnings: Int
    if case .skew = form { beginnings = max(1, restarts) } else { beginnings = 1 }
    for beginning in 0..<beginnings {
      var stream = RandomStream(seed: seed, purpose: "tournament embeddings", step: beginning)
      var start = [Double](repeating: 0, count: problem.size)
      if beginnings > 1 || form.width > 1 {
        for index in 1..<1 + systems * form.width { start[index] = 0.5 * Double(stream.normal()) }
      }
      let found = limitedMemoryBFGS(from: start, tolerance: 1e-6, problem.value)
      if found.value < best?.value ?? .infinity { best = found }
    }
    let point = best?.point ?? [Double](repeating: 0, count: problem.size)
    let width = form.width
    func vectors(_ start: Int) -> [[Double]] {
      (0..<systems).map { Array(point[start + $0 * width..<start + ($0 + 1) * width]) }
    }
    self.form = form
    place = point[0]
    shared = vectors(1)
    local = (0..<problem.groups).map { vectors(1 + ($0 + 1) * systems * width) }
  }

  /// The penalised negative log-likelihood over one flat list: `b`, the shared vectors, the deviations.
  struct Problem {
    let observations: [Observation]
    let systems: Int
    let groups: Int
    let form: Form
    let penalty: Penalty

    var size: Int { 1 + (1 + groups) * systems * form.width }

    func value(_ x: [Double]) -> (value: Double, gradient: [Double]) {
      var gradient = [Double](repeating: 0, count: x.count)
      var loss = 0.0
      let width = form.width
      let sharedEnd = 1 + systems * width
      for index in 1..<x.count {
        let weight = index < sharedEnd ? penalty.shared : penalty.local
        loss += 0.5 * weight * x[index] * x[index]
        gradient[index] = weight * x[index]
      }
      var a = [Double](repeating: 0, count: width)
      var b = a
      for one in observations {
        let offset = groups == 0 ? 0 : (1 + one.group) * systems * width
        let (i, j) = (1 + one.first * width, 1 + one.second * width)
        for index in 0..<width {
          a[index] = x[i + index] + (groups == 0 ? 0 : x[i + offset + index])
          b[index] = x[j + index] + (groups == 0 ? 0 : x[j + offset + index])
        }
        let z = strength(form, a, b) + x[0]
        loss += one.points * softplus(-z) + (one.count - one.points) * softplus(z)
        let slope = one.count / (1 + exp(-z)) - one.points
        gradient[0] += slope
        func add(_ place: Int, _ value: Double) {
          gradient[place] += value
          if groups > 0 { gradient[place + offset] += value }
        }
        switch form {
        case .place: break
        case .ratings:
          add(i, slope)
          add(j, -slope)
        case .skew(let planes):
          for plane in 0..<planes {
            let (even, odd) = (2 * plane, 2 * plane + 1)
            add(i + even, slope * b[odd])
            add(i + odd, -slope * b[even])
            add(j + odd, slope * a[even])
            add(j + even, -slope * a[odd])
          }
        }
      }
      return (loss, gradient)
    }
  }
}

/// `log(1 + e^x)` without overflow.
func softplus(_ x: Double) -> Double { max(x, 0) + log1p(exp(-abs(x))) }
