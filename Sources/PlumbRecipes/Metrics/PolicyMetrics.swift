extension MetricTable {
  /// What policies write, on-line and off-line.
  static let policyMetrics: [MetricEntry] = [
    MetricEntry(
      "judge/responses", unit: "responses", over: "sum over the round", mask: "all responses",
      trl: .none("not counted"), stages: onlineStages,
      "Responses that the judge was asked about, those of prompts that it left out included."),
    MetricEntry(
      "judge/skipped_groups", unit: "prompts", over: "sum over the round", mask: "all prompts",
      .lower, trl: .none("no such guard"), stages: onlineStages + ["label-pairs"],
      "Prompts left out of the round because the judge failed on them or gave scores that are not finite."
    ),
    MetricEntry(
      "rewards/chosen", unit: "nats (policies), reward units (reward-model)",
      over: "pairs of the batch (kto: its rows)",
      mask: "all tokens of the chosen response, end of turn included",
      .higher, trl: .same("rewards/chosen"), stages: pairStages + ["reward-model"],
      """
      Implicit reward `β (log π - log π_ref)` of the chosen response. For a reward model: its reward \
      (TRL's mean_reward is over both responses).
      """),
    MetricEntry(
      "rewards/rejected", unit: "nats (policies), reward units (reward-model)",
      over: "pairs of the batch (kto: its rows)",
      mask: "all tokens of the rejected response, end of turn included",
      .lower, trl: .same("rewards/rejected"), stages: pairStages + ["reward-model"],
      "The same of the rejected response."),
    MetricEntry(
      "rewards/margins", unit: "nats", over: "pairs of the batch (kto: its rows)",
      mask: "all pairs", .higher,
      trl: .same("rewards/margins"), stages: pairStages,
      "`rewards/chosen` less `rewards/rejected`."),
    MetricEntry(
      "rewards/accuracies", over: "pairs of the batch (kto: its rows)",
      mask: "all pairs; a tie counts as wrong",
      .higher, trl: .same("rewards/accuracies"), stages: pairStages,
      "Share of pairs whose chosen response has the higher implicit reward."),
    MetricEntry(
      "logps/chosen", unit: "nats/response", over: "pairs of the batch (kto: its rows)",
      mask: "all tokens of the chosen response, end of turn included", .neither,
      trl: .same("logps/chosen"), stages: pairStages,
      """
      Summed log-probability of the chosen response. It may fall while the margin rises \
      (trl#800): watch it, and mix in the SFT loss where it falls far.
      """),
    MetricEntry(
      "logps/rejected", unit: "nats/response", over: "pairs of the batch (kto: its rows)",
      mask: "all tokens of the rejected response, end of turn included", .neither,
      trl: .same("logps/rejected"), stages: pairStages,
      "Summed log-probability of the rejected response."),
    MetricEntry(
      "objective/kl", unit: "nats/response", over: "responses of the round",
      mask: "all response tokens, end of turn included", .neither, trl: .same("objective/kl"),
      stages: onlineStages,
      """
      k1: the sum over a response's tokens of `log π - log π_ref`, π the policy that sampled, at the \
      sampling temperature. The first round is 0; chance may make it negative, the watch warns when its \
      mean over ten rounds is. Divide by the length for nats/token.
      """),
    MetricEntry(
      "objective/scores", unit: "reward units", over: "responses of the round",
      mask: "all responses", .higher,
      trl: .differs(
        "objective/scores", how: "TRL has the penalty for a missing end already taken off"),
      stages: onlineStages,
      """
      Mean score of the judge, before penalties, normalised where the stage normalises. Absent where \
      the judge gives preferences only.
      """),
    MetricEntry(
      "completions/mean_length", unit: "tokens", over: "responses of the round",
      mask: "end of turn included", .neither, trl: .same("completions/mean_length"),
      stages: onlineStages, "Mean number of tokens of a response."),
    MetricEntry(
      "completions/clipped_ratio", over: "responses of the round", mask: "all responses", .lower,
      trl: .same("completions/clipped_ratio"), stages: onlineStages,
      "Share of responses that were cut by the limit of new tokens or of the context."),
  ]
}
