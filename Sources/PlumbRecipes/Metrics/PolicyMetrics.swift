extension MetricTable {
  /// What policies write, on-line and off-line.
  static let policyMetrics: [MetricEntry] = [
    MetricEntry(
      "judge/responses", unit: "responses", over: "sum over the round", mask: "all responses",
      trl: .none("not counted"), stages: onlineStages + ["label-pairs"],
      """
      Responses that the judge was asked about, those of prompts that it left out included; in the first \
      round also those on which `normalize_rewards` found its shift and scale.
      """),
    MetricEntry(
      "judge/flat_groups", over: "prompts of the round", mask: "prompts with two responses or more",
      .lower, trl: .none("of rewards: frac_reward_zero_std"), stages: onlineStages,
      """
      Share of prompts no two of whose responses the judge tells apart: they teach nothing. With one \
      response to each prompt, 1 where all scores of the round are equal, else 0.
      """),
    MetricEntry(
      "sample/tokens", unit: "tokens", over: "sum over the round",
      mask: "all response tokens, end of turn included",
      trl: .none("num_tokens counts prompts too"),
      stages: onlineStages + ["label-pairs"],
      "Tokens that were sampled, those of prompts that the judge left out included."),
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
      mean over ten rounds is. `kl` is the same per token.
      """),
    MetricEntry(
      "kl", unit: "nats/token (kto, truth-bandit, truth-tokens: nats/response)",
      over: "response tokens of the round; kto: mismatched rows of the batch",
      mask: "response tokens", .neither, trl: .same("kl"),
      stages: onlineStages + ["kto", "truth-bandit", "truth-tokens"],
      """
      KL from the reference by `kl_estimator`, k1 where the stage has no such setting, a mean over tokens. \
      For KTO: the baseline z, the mean log-ratio of answers under other prompts, not below 0. \
      For `truth-bandit` and `truth-tokens`: the exact KL from the optimum to the policy, one training a line.
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
