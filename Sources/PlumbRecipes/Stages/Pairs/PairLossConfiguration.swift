import PlumbObjectives

/// A stage whose recipe chooses a loss on pairs.
protocol PairLossConfiguration {
  var loss: PairLoss { get }
  var extraLosses: [String: Double] { get }
  var beta: Double { get }
  var labelSmoothing: Double { get }
  var margin: Double { get }
  var lambda: Double { get }
  var tau: Double { get }
  var lengthNormalize: Bool { get }
  var sftWeight: Double { get }
}

/// The losses of a stage, with all that they are told.
struct PairLossSettings {
  /// The losses with their weights, the main one first.
  let losses: [(loss: PairLoss, weight: Float)]
  let options: PairLossOptions
  /// Whether log-ratios are divided by the length of the response.
  let isPerToken: Bool
  /// The weight of the negative log-probability of the chosen responses, nats per token.
  let sftWeight: Float
  /// The weight of the tie to the reference's own answers.
  var anchorWeight: Float = 0

  /// Whether any of the losses compares the policy with a reference.
  var usesReference: Bool { losses.contains { $0.loss.usesReference } || anchorWeight > 0 }
  /// Whether any of the losses cannot be cut into parts.
  var comparesWholeBatch: Bool { losses.contains { $0.loss.comparesWholeBatch } }
}

extension PairLossConfiguration {
  /// What the recipe asks for, once it is validated.
  var lossSettings: PairLossSettings {
    PairLossSettings(
      losses: [(loss, 1)]
        + extraLosses.sorted { $0.key < $1.key }.compactMap { name, weight in
          PairLoss(rawValue: name).map { ($0, Float(weight)) }
        },
      options: PairLossOptions(
        beta: Float(beta), labelSmoothing: Float(labelSmoothing), margin: Float(margin),
        lambda: Float(lambda), tau: Float(tau)),
      isPerToken: lengthNormalize, sftWeight: Float(sftWeight))
  }

  /// What a plan says about the losses.
  var lossSummary: String {
    ([loss.rawValue] + extraLosses.keys.sorted()).joined(separator: " + ") + " loss"
  }

  /// Refuses losses that are not known, options that none of the losses reads, and the lack of those
  /// that one needs; throws `ConfigurationProblem`.
  func validateLosses() throws {
    try requirePositive("beta", beta)
    try require(
      "label_smoothing", (0...0.499).contains(labelSmoothing), "a number from 0 to 0.499",
      labelSmoothing)
    try require("margin", (0...1000).contains(margin), "a number from 0 to 1000", margin)
    try require("lambda", (0...1000).contains(lambda), "a number from 0 to 1000", lambda)
    try require("tau", (0..<1).contains(tau), "a number from 0 to below 1", tau)
    try require(
      "sft_weight", (0...1000).contains(sftWeight), "a number from 0 to 1000", sftWeight)
    for (name, weight) in extraLosses.sorted(by: { $0.key < $1.key }) {
      guard let extra = PairLoss(rawValue: name), extra != loss else {
        let others = PairLoss.allCases.filter { $0 != loss }.map(\.rawValue)
        throw ConfigurationProblem(
          "extra_losses", expected: "weights of some of \(others.joined(separator: ", "))",
          found: name)
      }
      try require(
        "extra_losses.\(name)", (1e-6...1000).contains(weight), "a number above 0, at most 1000",
        weight)
    }
    let losses = lossSettings.losses.map(\.loss)
    let values: [PairLoss.Option: (value: Double, unset: Double)] = [
      .beta: (beta, 0.1), .labelSmoothing: (labelSmoothing, 0), .margin: (margin, 0),
      .lambda: (lambda, 0), .tau: (tau, 0),
    ]
    for option in PairLoss.Option.allCases {
      guard let (value, unset) = values[option] else { continue }
      if let needing = losses.first(where: { $0.needs.contains(option) }) {
        try require(option.rawValue, value > 0, needing.hint(for: option), value)
      }
      try require(
        option.rawValue, value == unset || losses.contains { $0.reads.contains(option) },
        "\(unset) with \(Self.list(losses)): it is read by \(Self.list(option.readers)) only", value
      )
    }
    // The odds ratio of ORPO, SimPO and CPO's uniform reference have nothing to divide.
    try require(
      "length_normalize", !lengthNormalize || losses.contains { $0.usesReference },
      "false with \(Self.list(losses)), which reads no reference", lengthNormalize)
    try require(
      "sft_weight", loss != .cpo || sftWeight > 0,
      "a number above 0 for the loss 'cpo' (1 in the paper)", sftWeight)
  }

  private static func list(_ losses: [PairLoss]) -> String {
    (losses.count == 1 ? "the loss " : "the losses ")
      + losses.map { "'\($0.rawValue)'" }.joined(separator: ", ")
  }
}

extension PairLoss.Option {
  /// The losses that read this option.
  var readers: [PairLoss] { PairLoss.allCases.filter { $0.reads.contains(self) } }
}

extension PairLoss {
  /// What an option that this loss needs may be, with the values of its paper.
  func hint(for option: Option) -> String {
    let range =
      switch option {
      case .labelSmoothing where self == .exo: "such as 0.001"
      case .labelSmoothing: "such as 0.1, the share of labels that are wrong"
      case .margin: "such as 1, with beta 2 to 2.5: log-probabilities per token are small"
      case .lambda: "such as 0.1"
      case .tau: "such as 0.05"
      case .beta: "such as 0.1"
      }
    return "a number above 0 for the loss '\(rawValue)' (\(range))"
  }
}
