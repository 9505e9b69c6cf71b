extension MetricTable {
  /// What the watch over on-line stages writes; see Documentation/Watching.md.
  static let watchMetrics: [MetricEntry] = [
    MetricEntry(
      "watch/length_growth", over: "responses of the round", mask: "end of turn included",
      .neither, trl: .none("no monitors"), stages: onlineStages,
      "Mean length over that of the first `baseline_updates` rounds."),
    MetricEntry(
      "watch/distinct_2", over: "pairs of neighbouring tokens of the round",
      mask: "response tokens", .higher, trl: .none("no monitors"), stages: onlineStages,
      "Distinct bigrams as a share of all (Li et al. 2016, arXiv 1510.03055); falls when responses loop or become alike."
    ),
    MetricEntry(
      "watch/repeated_run", unit: "tokens", over: "responses of the round",
      mask: "response tokens", .lower, trl: .none("no monitors"), stages: onlineStages,
      "Length of the longest stretch that is one n-gram (n ≤ 8) said over and over; 0 where nothing is said twice in a row."
    ),
    MetricEntry(
      "watch/looping", over: "responses of the round", mask: "all responses", .lower,
      trl: .none("no monitors"), stages: onlineStages,
      "Share of responses half of which, and 8 tokens or more, are one n-gram said three times or more in a row."
    ),
    MetricEntry(
      "watch/entropy", unit: "nats/token", over: "tokens of the round", mask: "response tokens",
      .neither,
      trl: .differs(
        "objective/entropy", how: "TRL sums over the tokens of a response; this is the mean"),
      stages: onlineStages,
      "Mean of `-log π` of the sampled tokens: an unbiased estimate of the entropy of the sampling distribution."
    ),
    MetricEntry(
      "held_out/score", unit: "units of the held-out judge", over: "responses of the round",
      mask: "all responses", .higher, trl: .none("no held-out judge"), stages: onlineStages,
      "Mean score of the held-out judge, in rounds that it judges; absent where it gives preferences only."
    ),
    MetricEntry(
      "held_out/responses", unit: "responses", over: "sum over the round", mask: "all responses",
      .neither, trl: .none("no held-out judge"), stages: onlineStages,
      "Responses that the held-out judge was asked about, in rounds that it judges; `judge/responses` does not count them."
    ),
    MetricEntry(
      "held_out/agreement", over: "responses of the round",
      mask: "each response less the mean of its prompt, where there are two or more", .higher,
      trl: .none("no held-out judge"), stages: onlineStages,
      "Spearman's rank correlation of the training judge's and the held-out judge's scores; mean log-odds against the other responses where a judge has no scores."
    ),
    MetricEntry(
      "held_out/divergence", unit: "standard deviations", over: "responses of the round",
      mask: "all responses", .lower, trl: .none("no held-out judge"), stages: onlineStages,
      """
      How much more the training score has risen than the held-out score: each mean less its mean at \
      the start, over its standard deviation at the start. The gap of Gao et al. (arXiv 2210.10760) \
      between proxy and gold reward.
      """),
  ]
}
