extension MetricTable {
  /// What the preference games write: GPO, and SPPO under its own name.
  static let gameMetrics: [MetricEntry] = ["gpo", "sppo"].flatMap { game in
    [
      MetricEntry(
        "\(game)/score_std", unit: game == "gpo" ? "nats" : "", over: "responses of the round",
        mask: "all responses", .neither, trl: .none("no such method"), stages: ["gpo"],
        game == "gpo"
          ? "Standard deviation of the mean preference score ŝ (arXiv 2410.02197, eq. 5.2): the signal that the round has."
          : "Standard deviation of the win probability against the policy less 1/2 (arXiv 2405.00675): the signal that the round has."
      ),
      MetricEntry(
        "\(game)/flat_groups", over: "prompts of the round", mask: "all prompts", .lower,
        trl: .none("no such method"), stages: ["gpo"],
        "Share of prompts no two of whose responses the judge tells apart: they teach nothing."),
      MetricEntry(
        "\(game)/log_partition", unit: "nats", over: "prompts of the round", mask: "all prompts",
        .neither, trl: .none("no such method"), stages: ["gpo"],
        "Log of the mean over K responses of `exp(score / β)`: log Z, whether or not the recipe takes it off the targets."
      ),
      MetricEntry(
        "\(game)/trained_responses", unit: "responses", over: "sum over the round",
        mask: "all responses", .neither, trl: .none("no such method"), stages: ["gpo"],
        "Responses that the round's steps read: all K of a prompt, or its best and worst."),
      MetricEntry(
        "\(game)/log_ratio", unit: "nats/response", over: "responses of the round's steps",
        mask: "all response tokens", .neither, trl: .none("no such method"), stages: ["gpo"],
        "`log π - log π_t`, π_t the policy that sampled (or the start, where the recipe says so); divided by the length where `length_normalize` is on."
      ),
      MetricEntry(
        "\(game)/target", unit: "nats/response", over: "responses of the round's steps",
        mask: "all responses", .neither, trl: .none("no such method"), stages: ["gpo"],
        "The score over β less log Z, clamped by `target_bound`: where the log-ratio is pulled to."),
      MetricEntry(
        "\(game)/error", unit: "nats/response", over: "responses of the round's steps",
        mask: "all responses", .lower, trl: .none("no such method"), stages: ["gpo"],
        "Mean size of the log-ratio less its target."),
    ]
  }

  /// What rejection sampling and the labelling of pairs write.
  static let selectionMetrics: [MetricEntry] = [
    MetricEntry(
      "rejection/kept_responses", unit: "responses", over: "sum over the round",
      mask: "all responses", .neither, trl: .none("no such method"),
      stages: ["rejection-sampling"], "Responses that the round trains on: the best of each prompt."
    ),
    MetricEntry(
      "rejection/flat_groups", over: "prompts of the round", mask: "all prompts", .lower,
      trl: .none("no such method"), stages: ["rejection-sampling"],
      "Share of prompts no two of whose responses the judge tells apart."),
    MetricEntry(
      "rejection/kept_score", unit: "units of the judge", over: "kept responses of the round",
      mask: "kept responses", .higher, trl: .none("no such method"),
      stages: ["rejection-sampling"],
      "Mean score (or mean log-odds) of the responses that are kept."),
    MetricEntry(
      "rejection/score_gain", unit: "units of the judge", over: "responses of the round",
      mask: "all responses", .higher, trl: .none("no such method"),
      stages: ["rejection-sampling"], "`rejection/kept_score` less the mean over all responses."),
    MetricEntry(
      "label/pairs", unit: "pairs", over: "sum over the step", mask: "all pairs", .neither,
      trl: .none("no such stage"), stages: ["label-pairs"], "Pairs that the step labelled."),
    MetricEntry(
      "label/ties", unit: "pairs", over: "sum over the step", mask: "all pairs", .lower,
      trl: .none("no such stage"), stages: ["label-pairs"],
      "Pairs left out because the judge could not tell their responses apart."),
    MetricEntry(
      "label/margin", unit: "nats", over: "pairs of the step", mask: "labelled pairs", .neither,
      trl: .none("no such stage"), stages: ["label-pairs"],
      "Mean log-odds of the chosen over the rejected response by the judge that labels."),
  ]
}
