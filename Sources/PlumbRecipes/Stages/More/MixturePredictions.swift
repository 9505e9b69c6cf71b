import PlumbEvaluation

extension AnnotatorGroups {
  /// What one training said: the single model; or the mixture, every pair under the cluster of its
  /// people, each of its models on the people of its own cluster, and the minimum over the clusters.
  ///
  /// - Parameter name: of the training.
  func predictions(
    _ name: String, seed: Int, _ record: MaxMinStage.Record
  ) -> [MeasuredModels.Predictions] {
    /// Log-odds of some people's pairs in one list.
    func scored(
      _ logOdds: [[Double]]?, _ pairs: [[EncodedPair]], _ groups: [[Int?]],
      _ isIn: (_ group: Int?) -> Bool
    ) -> [ScoredPair] {
      guard let logOdds, logOdds.count == pairs.count else { return [] }
      return pairs.indices.flatMap { source in
        zip([ScoredPair](logOdds[source], pairs[source].map(\.scoredFacts)), groups[source])
          .filter { isIn($0.1) }.map(\.0)
      }
    }
    func entry(
      _ name: String, _ test: [[Double]]?, _ validation: [[Double]]?,
      where isIn: (_ group: Int?) -> Bool = { _ in true }
    ) -> MeasuredModels.Predictions {
      .init(
        name: name, test: scored(test, sources.map(\.test), testGroups, isIn),
        validation: scored(validation, sources.map(\.validation), validationGroups, isIn))
    }
    let own = entry(name, record.logOdds, record.validationLogOdds)
    guard let last = record.clusters.max() else { return [own] }
    let clusters = (0..<(last + 1)).filter { record.clusters.contains($0) }.map { cluster in
      entry("\(name)/cluster-\(cluster + 1)", record.logOdds, record.validationLogOdds) { group in
        group.map { record.clusters[$0] } == cluster
      }
    }
    return [own] + clusters
      + [entry("max-min-seed\(seed)", record.minimum, record.validationMinimum)]
  }
}
