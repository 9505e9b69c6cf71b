import PlumbEvaluation

extension SchemeResults {
  /// What every trained model and every average said of the sources that it is for: a single-source
  /// model of its own, all others of all.
  func predictions(_ sources: [PreferenceSource]) -> [MeasuredModels.Predictions] {
    func entry(
      _ name: String, of own: [Int], test: [[Double]], validation: [[Double]]
    ) -> MeasuredModels.Predictions {
      func scored(_ logOdds: [[Double]], _ pairs: [[EncodedPair]]) -> [ScoredPair] {
        guard logOdds.count == pairs.count else { return [] }
        return own.flatMap { [ScoredPair](logOdds[$0], pairs[$0].map(\.scoredFacts)) }
      }
      return .init(
        name: name, test: scored(test, sources.map(\.test)),
        validation: scored(validation, sources.map(\.validation)))
    }
    let all = Array(sources.indices)
    let trained = zip(cells, records).map { cell, record in
      entry(
        cell.name, of: cell.source.map { [$0] } ?? all, test: record.logOdds,
        validation: record.validationLogOdds ?? [])
    }
    let averages = (scores(of: .averaging)?.bySeed ?? []).enumerated().map { index, logOdds in
      let members = zip(cells, records).filter { $0.0.scheme == .top && $0.0.seed == index + 1 }
      let said = members.compactMap(\.1.validationLogOdds)
      return entry(
        "averaging-seed\(index + 1)", of: all, test: logOdds,
        validation: said.count == members.count ? Self.mean(said) : [])
    }
    return trained + averages
  }
}
