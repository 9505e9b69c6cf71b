import PlumbObjectives
import PlumbPreferences
import PlumbRollouts

/// One round of a preference game: what each response scored against its policy, and what it asks for.
struct PreferenceGame {
  /// The responses to learn from, prompt by prompt; prompts without any are left out.
  let groups: [[ResponsePlace]]
  /// The log-ratio that each response asks for.
  let targets: [ResponsePlace: Float]
  /// Means over the round, without the name of the loss before them.
  let statistics: [String: Double]

  /// Reads the preference tables of a judged buffer.
  ///
  /// The tables are log-odds: a judge with a temperature has applied it, and nothing here does so again; nor
  /// is a table added to its transpose, which for a skew-symmetric one would double every score.
  /// - Throws: `RolloutError.missing` for a group that was not judged.
  init(_ buffer: RolloutBuffer, configuration: GPOConfiguration) throws(RolloutError) {
    var groups: [[ResponsePlace]] = []
    var targets: [ResponsePlace: Float] = [:]
    var all: [Float] = []
    var partitions = 0.0
    var flat = 0
    for (index, group) in buffer.groups.enumerated() {
      guard let table = group.preferenceLogits else {
        throw .missing(
          group: index, response: 0, field: "preference table", remedy: "judge the buffer first")
      }
      let scores = configuration.loss.scores(table, includingSelf: configuration.includeSelf)
      let own = gameTargets(
        scores, beta: configuration.beta, partition: configuration.logPartition,
        bound: configuration.targetBound > 0 ? configuration.targetBound : nil)
      let places = scores.indices.map { ResponsePlace(group: index, response: $0) }
      for (place, target) in zip(places, own) { targets[place] = target }
      all += scores.map { Float($0) }
      partitions += PlumbObjectives.logPartition(scores, beta: configuration.beta)
      if scores.allSatisfy({ $0 == scores[0] }) { flat += 1 }
      let trained = configuration.trainOn == .all ? places : Self.ends(places, scores)
      if !trained.isEmpty { groups.append(trained) }
    }
    self.groups = groups
    self.targets = targets
    let count = Double(max(1, buffer.groups.count))
    statistics = [
      "score_std": standardDeviation(all), "flat_groups": Double(flat) / count,
      "log_partition": partitions / count,
      "trained_responses": Double(groups.reduce(0) { $0 + $1.count }),
    ]
  }

  /// The best and the worst, the first of equals; none where all are equal.
  private static func ends(_ places: [ResponsePlace], _ scores: [Double]) -> [ResponsePlace] {
    guard let highest = scores.max(), let lowest = scores.min(), highest > lowest,
      let best = scores.firstIndex(of: highest), let worst = scores.firstIndex(of: lowest)
    else { return [] }
    return [places[best], places[worst]]
  }
}

extension GameLoss {
  /// The score of each response against all K, from their log-odds.
  func scores(_ table: [[Double]], includingSelf: Bool) -> [Double] {
    let judgement = Judgement(preferenceLogits: table, source: rawValue)
    switch self {
    case .gpo: return judgement.opponentMeans(includingSelf: includingSelf)
    case .sppo: return judgement.winProbabilities(includingSelf: includingSelf).map { $0 - 0.5 }
    }
  }
}
