import PlumbObjectives
import PlumbPreferences
import PlumbTensors

extension GeneralPreferenceConfiguration {
  /// The loss of some pairs of a batch, as the recipe asks for it.
  ///
  /// - Parameters:
  ///   - model: with its graph.
  ///   - rows: the pairs.
  ///   - batchCount: the pairs of the whole batch.
  func objective(
    _ model: GeneralPreferenceModel, _ rows: [EncodedPair], batchCount: Int
  ) throws -> Objective {
    let batch = try model.batch(rows.map(\.group))
    let (responses, gates, hidden) = model.outputs(batch)
    let scores = skewScores(
      responses.rows(at: batch.chosenIndices), responses.rows(at: batch.rejectedIndices),
      gates: gates)
    let preference = objective(scores, model.rawTau, rows, batchCount: batchCount)
    guard languageCoefficient > 0 else { return preference }
    let targets = batch.chosenTargets
    guard let weight = model.embeddingMatrix else {
      preconditionFailure("general-preference: expected a trunk with tied embeddings")
    }
    let logprobs = tokenLogprobs(
      hidden: hidden, weight: weight, rows: targets.rows, targets: targets.targets
    ).logprobs
    let language = regulariser(
      logprobs: logprobs, lengths: targets.counts, beta: Float(languageBeta),
      batchCount: batchCount)
    let share = Float(languageCoefficient)
    return Objective(
      loss: preference.loss * (1 - share) + language * share,
      statistics: preference.statistics.merging([
        "language_loss": Double(language.item) * Double(batchCount) / Double(rows.count)
      ]) { $1 },
      count: preference.count)
  }

  private func objective(
    _ scores: Tensor, _ rawTau: Tensor?, _ rows: [EncodedPair], batchCount: Int
  ) -> Objective {
    let margins = rows.map { Float(($0.margin ?? 0) * marginScale) }
    let labels = rows.map { Float($0.probability ?? 1) }
    switch loss {
    case .regression:
      return generalPreferenceRegression(
        scores: scores, tau: Float(tau),
        targets: zip(margins, labels).map {
          target(margin: $0, label: $1, tau: Float(tau))
        }, batchCount: batchCount)
    case .logistic:
      let usedMargins = marginScale > 0 ? margins : nil
      let usedLabels = softLabels ? labels : nil
      if let rawTau {
        return generalPreference(
          scores: scores, rawTau: rawTau, margins: usedMargins, labels: usedLabels,
          labelSmoothing: Float(labelSmoothing), batchCount: batchCount)
      }
      return generalPreference(
        scores: scores, tau: Float(tau), margins: usedMargins, labels: usedLabels,
        labelSmoothing: Float(labelSmoothing), batchCount: batchCount)
    }
  }

  private var target: RegressionTarget {
    switch regressionTarget {
    case .constant: .constant(Float(targetLogOdds))
    case .sigmoidMargin: .sigmoidOfMargin
    case .margin: .margin
    case .label: .labelLogOdds
    }
  }

  private var regulariser: LanguageRegulariser {
    switch languageLoss {
    case .sum: .sum
    case .mean: .mean
    case .nll: .nll
    }
  }
}
