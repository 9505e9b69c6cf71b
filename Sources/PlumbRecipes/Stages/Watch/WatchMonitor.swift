/// One thing that is watched: a number, its limit, and what to do where it crosses.
struct WatchMonitor {
  /// Which side of the limit is wrong.
  enum Side: String, Codable {
    case above
    case below
  }

  /// The monitor's name, such as `kl`.
  let name: String
  /// What the number is, for a person.
  let what: String
  let unit: String
  let side: Side
  let limit: Double
  /// The setting that changes the limit.
  let setting: String
  /// What the crossing may mean, and what to do about it.
  let advice: String

  /// Whether a value is beyond the limit.
  func isCrossed(_ value: Double) -> Bool { side == .above ? value > limit : value < limit }

  /// Whether a value is so far inside the limit again that the next crossing is a new one.
  ///
  /// By a tenth of the limit, at least 0.01: values that play around the limit must not ring at every
  /// round.
  func isInside(_ value: Double) -> Bool {
    let margin = max(0.1 * abs(limit), 0.01)
    return side == .above ? value <= limit - margin : value >= limit + margin
  }
}

/// An alarm that went off.
struct WatchAlarm: Codable, Equatable {
  let update: Int
  let monitor: String
  let what: String
  let unit: String
  let side: WatchMonitor.Side
  let value: Double
  let limit: Double
  let advice: String

  /// The alarm in a sentence or two.
  var text: String {
    let unit = unit.isEmpty ? "" : " \(unit)"
    return "update \(update): \(what) is \(NumberText.short(value))\(unit), \(side.rawValue) the "
      + "limit of \(NumberText.short(limit)): \(advice)"
  }
}

extension WatchConfiguration {
  /// The monitors that are on, in the order in which they are reported.
  var monitors: [WatchMonitor] {
    [
      WatchMonitor(
        name: "length", what: "the mean length against the start", unit: "", side: .above,
        limit: maxLengthGrowth, setting: "max_length_growth",
        advice: "the judge may pay for length; take a penalty or raise the KL coefficient"),
      WatchMonitor(
        name: "clipped", what: "the share of responses cut by the limit", unit: "", side: .above,
        limit: maxClipped, setting: "max_clipped",
        advice: "cut responses teach no end; raise sampling.max_new_tokens or set a penalty"),
      WatchMonitor(
        name: "distinct", what: "the share of distinct bigrams against the start", unit: "",
        side: .below, limit: minDistinct, setting: "min_distinct",
        advice: "responses loop or become alike; raise the KL coefficient, lower the learning rate"),
      WatchMonitor(
        name: "looping", what: "the share of responses caught in a loop", unit: "", side: .above,
        limit: maxLooping, setting: "max_looping",
        advice: "the judge pays for repetition; raise the KL coefficient"),
      WatchMonitor(
        name: "kl", what: "the KL from the reference", unit: "nats/response", side: .above,
        limit: maxKL, setting: "max_kl",
        advice: "the budget is spent, gains from here on are often the judge's mistakes; "
          + "raise the KL coefficient or take fewer updates"),
      WatchMonitor(
        name: "entropy", what: "the entropy against the start", unit: "", side: .below,
        limit: minEntropy, setting: "min_entropy",
        advice: "the policy has little left to explore; lower the learning rate, raise the KL "
          + "coefficient"),
      WatchMonitor(
        name: "divergence", what: "the rise of the training score over the held-out score",
        unit: "standard deviations", side: .above, limit: maxDivergence, setting: "max_divergence",
        advice: "the policy exploits the training judge; use an earlier checkpoint, a stronger KL "
          + "penalty or an ensemble of judges"),
      WatchMonitor(
        name: "agreement", what: "the rank correlation of training and held-out scores", unit: "",
        side: .below, limit: minAgreement, setting: "min_agreement",
        advice: "the training judge no longer tells what the held-out judge finds better"),
    ].filter { $0.name == "agreement" ? $0.limit > -1 : $0.limit > 0 }
      + [
        WatchMonitor(
          name: "negative-kl", what: "the mean KL of ten updates, in standard errors", unit: "",
          side: .below, limit: -4, setting: "",
          advice: "a KL cannot be negative beyond chance; sampling and log-probabilities disagree "
            + "(temperature, padding, template)")
      ]
  }
}
