extension MetricTable {
  /// Stages that learn from pairs, or from rows that stand for half a pair.
  static let pairStages = ["dpo", "kto", "online-dpo"]

  /// What the DPO family writes beside what all policies do.
  static let pairMetrics: [MetricEntry] = [
    MetricEntry(
      "loss/{name}", unit: "nats/pair", over: "pairs of the batch", mask: "response tokens", .lower,
      trl: .none("it logs the sum alone"), stages: ["dpo", "online-dpo"],
      "One of several losses of a weighted sum, before its weight: `loss/sigmoid`, `loss/nca`, …"),
    MetricEntry(
      "rewards/accuracies_shorter", over: "pairs whose chosen response has fewer tokens",
      mask: "validation pairs", .higher, trl: .none("no split by length"), stages: ["dpo"],
      "`rewards/accuracies` where length speaks against the chosen response."),
    MetricEntry(
      "rewards/accuracies_longer", over: "pairs whose chosen response has more tokens",
      mask: "validation pairs", .higher, trl: .none("no split by length"), stages: ["dpo"],
      "`rewards/accuracies` where length speaks for the chosen response."),
    MetricEntry(
      "lengths/chosen", unit: "tokens", over: "pairs of the batch (kto: its rows)",
      mask: "end of turn included", .neither, trl: .none("it does not log lengths"),
      stages: pairStages, "Mean length of the chosen responses."),
    MetricEntry(
      "lengths/rejected", unit: "tokens", over: "pairs of the batch (kto: its rows)",
      mask: "end of turn included", .neither, trl: .none("it does not log lengths"),
      stages: pairStages, "Mean length of the rejected responses."),
    MetricEntry(
      "nll_loss", unit: "nats/token", over: "tokens of the chosen responses",
      mask: "response tokens", .lower, trl: .same("nll_loss"), stages: ["dpo", "online-dpo"],
      "The SFT term on the chosen responses, before its weight."),
    MetricEntry(
      "anchor/log_ratio", unit: "nats/response", over: "pairs of the batch",
      mask: "all tokens of the reference's own answers", .neither, trl: .none("no such method"),
      stages: ["dpo", "online-dpo"],
      "`log π - log π_ref` of answers that the reference itself gave (BAPO)."),
    MetricEntry(
      "anchor/distance", unit: "nats/response", over: "pairs of the batch",
      mask: "all tokens of the reference's own answers", .lower, trl: .none("no such method"),
      stages: ["dpo", "online-dpo"], "Its size: the anchor's term before its weight."),
    MetricEntry(
      "desirable", over: "rows of the batch", mask: "all rows", .neither,
      trl: .none("it counts them apart"), stages: ["kto"], "Share of rows marked desirable."),
    MetricEntry(
      "objective/scores_margin", unit: "units of the judge", over: "pairs of the round",
      mask: "all pairs", .higher, trl: .same("objective/scores_margin"), stages: ["online-dpo"],
      "Score of the best less that of the worst response to a prompt."),
    MetricEntry(
      "pairs/count", unit: "pairs", over: "sum over the round", mask: "all prompts", .higher,
      trl: .none("every prompt has a pair"), stages: ["online-dpo"],
      "Prompts with a best and a worst response."),
    MetricEntry(
      "pairs/skipped", over: "prompts of the round", mask: "all prompts", .lower,
      trl: .none("every prompt has a pair"), stages: ["online-dpo"],
      "Share of prompts whose responses tie or are the same."),
  ]
}
