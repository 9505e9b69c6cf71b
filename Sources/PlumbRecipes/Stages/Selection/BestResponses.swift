import Foundation
import PlumbPreferences
import PlumbRollouts

/// The best responses to the prompts of a judged buffer.
struct BestResponses {
  /// The kept responses, the best of each prompt first.
  let places: [ResponsePlace]
  /// The same, one list per group of the buffer; empty where the group teaches nothing.
  let byGroup: [[ResponsePlace]]
  /// What was chosen by, group by group: scores, or mean preferences.
  let values: [[Double]]
  /// Means over the buffer.
  let statistics: [String: Double]

  /// Chooses by score, or by mean preference where the judge has no scores; the first of equals.
  ///
  /// Equal responses are kept once: a policy that says the same thing n times has said one thing.
  /// - Parameters:
  ///   - keep: responses of each prompt, at most.
  ///   - minScore: those with a lower score are not kept; not looked at for judges without scores.
  ///   - skipsTies: leaves out prompts whose responses all tie.
  /// - Throws: `RolloutError.missing` for a group that was not judged.
  init(
    _ buffer: RolloutBuffer, keep: Int, minScore: Double, skipsTies: Bool
  ) throws(RolloutError) {
    var byGroup: [[ResponsePlace]] = []
    var chosenBy: [[Double]] = []
    var all: [Double] = []
    var kept: [Double] = []
    var flat = 0
    for (index, group) in buffer.groups.enumerated() {
      guard let means = group.opponentMeans() else {
        throw .missing(
          group: index, response: 0, field: "preference table", remedy: "judge the buffer first")
      }
      let scores = group.responses.compactMap { $0.score.map(Double.init) }
      let values = scores.count == means.count ? scores : means
      let hasScores = scores.count == means.count
      all += values
      chosenBy.append(values)
      let isFlat = values.allSatisfy { $0 == values[0] }
      if isFlat { flat += 1 }
      var seen: Set<[Int32]> = []
      let best =
        isFlat && skipsTies
        ? []
        : values.indices.sorted { values[$0] != values[$1] ? values[$0] > values[$1] : $0 < $1 }
          .filter {
            (!hasScores || values[$0] >= minScore)
              && seen.insert(group.responses[$0].tokens).inserted
          }
          .prefix(keep)
      kept += best.map { values[$0] }
      byGroup.append(best.map { ResponsePlace(group: index, response: $0) })
    }
    self.byGroup = byGroup
    values = chosenBy
    places = byGroup.flatMap { $0 }
    func mean(_ values: [Double]) -> Double {
      values.reduce(0, +) / Double(max(1, values.count))
    }
    var statistics = [
      "rejection/kept_responses": Double(places.count),
      "rejection/flat_groups": Double(flat) / Double(max(1, buffer.groups.count)),
    ]
    if !kept.isEmpty {
      statistics["rejection/kept_score"] = mean(kept)
      statistics["rejection/score_gain"] = mean(kept) - mean(all)
    }
    self.statistics = statistics
  }
}

/// The most that the best of n can differ from the policy it is chosen from, nats per response.
///
/// `log n - (n - 1)/n` (Stiennon et al. 2020, arXiv 2009.01325, appendix G.3). It is exact where no two
/// responses tie, and an upper bound in every case (Beirami et al. 2024, arXiv 2401.01879, theorem 1).
public func bestOfNDivergenceBound(_ n: Int) -> Double {
  precondition(n >= 1, "bestOfNDivergenceBound: expected n of at least 1, found \(n)")
  return log(Double(n)) - Double(n - 1) / Double(n)
}

/// How far the best of n is from its policy at one prompt, estimated from the scores of n responses.
///
/// Choosing changes how probable each level of score is, and nothing within a level. With `p_l` the share of
/// the responses at level l and `F_l` of those at or below it, the best of n is at level l with probability
/// `F_l^n - F_{l-1}^n`, and the divergence is that of these two distributions over levels. Ties count as ties: n
/// equal responses give 0. The levels are those of a sample, so the estimate is a little low; it never exceeds
/// ``bestOfNDivergenceBound(_:)``.
/// - Parameter scores: of the n responses of which the best is taken; at least one.
func bestOfNDivergence(_ scores: [Double]) -> Double {
  precondition(!scores.isEmpty, "bestOfNDivergence: expected at least one score, found none")
  let n = Double(scores.count)
  var counts: [Double: Int] = [:]
  for score in scores { counts[score, default: 0] += 1 }
  var below = 0.0
  var divergence = 0.0
  for level in counts.keys.sorted() {
    let share = Double(counts[level] ?? 0) / n
    let chosen = pow(below + share, n) - pow(below, n)
    if chosen > 0 { divergence += chosen * log(chosen / share) }
    below += share
  }
  return divergence
}
