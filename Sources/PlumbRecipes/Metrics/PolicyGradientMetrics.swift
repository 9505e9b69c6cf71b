extension MetricTable {
  /// Policy-gradient methods without a critic.
  static let policyGradientStages = ["grpo", "rloo", "reinforce"]

  /// What they write beside what all policies do, and what they share with PPO.
  static let policyGradientMetrics: [MetricEntry] = [
    MetricEntry(
      "reward", unit: "reward units", over: "responses of the round", mask: "all responses",
      .higher, trl: .same("reward"), stages: policyGradientStages,
      "Mean reward that the advantages are made of: score, penalties, and the KL where it is in the reward."
    ),
    MetricEntry(
      "reward_std", unit: "reward units", over: "prompts of the round", mask: "all responses",
      .neither, trl: .same("reward_std"), stages: policyGradientStages,
      "Standard deviation of the reward within a prompt, unbiased."),
    MetricEntry(
      "frac_reward_zero_std", over: "prompts of the round", mask: "all prompts", .lower,
      trl: .same("frac_reward_zero_std"), stages: policyGradientStages,
      "Share of prompts all of whose responses have the same reward: they teach nothing."),
    MetricEntry(
      "policy/skipped_prompts", unit: "prompts", over: "sum over the round", mask: "all prompts",
      .lower, trl: .none("it trains on them"), stages: policyGradientStages,
      "Prompts left out of the round's steps because all their advantages are 0."),
    MetricEntry(
      "entropy", unit: "nats/token", over: "tokens of the round", mask: "response tokens",
      .neither, trl: .same("entropy"), stages: policyGradientStages,
      "Exact entropy of the sampling distribution at each response token, before the updates; PPO calls it `policy/entropy_avg`."
    ),
    MetricEntry(
      "policy/logprob_avg", unit: "nats/token", over: "tokens of the round's steps",
      mask: "response tokens", .neither, trl: .none("it does not log them"),
      stages: policyGradientStages, "Mean log-probability of the response tokens."),
    MetricEntry(
      "loss/kl_avg", unit: "nats/token", over: "tokens of the round's steps",
      mask: "response tokens", .lower, trl: .none("not apart"),
      stages: policyGradientStages + ["ppo"],
      "The KL term of the loss before its weight, where the recipe puts the KL there."),
    MetricEntry(
      "loss/entropy_avg", unit: "nats/token", over: "tokens of the round's steps",
      mask: "response tokens", .neither, trl: .none("no entropy bonus"),
      stages: policyGradientStages + ["ppo"],
      "The entropy bonus of the loss before its weight, with its sign."),
    MetricEntry(
      "policy/guarded_steps", over: "steps of the round", mask: "all steps", .lower,
      trl: .none("no such guard"), stages: policyGradientStages + ["ppo"],
      "Share of steps left out because the mean ratio was beyond `ratio_threshold`."),
    MetricEntry(
      "policy/clipfrac_low_avg", over: "tokens of the round's steps", mask: "response tokens",
      .neither, trl: .same("clip_ratio/low_mean"), stages: policyGradientStages + ["ppo"],
      "Share of tokens that the lower bound of the ratio clips."),
    MetricEntry(
      "policy/clipfrac_high_avg", over: "tokens of the round's steps", mask: "response tokens",
      .neither, trl: .same("clip_ratio/high_mean"), stages: policyGradientStages + ["ppo"],
      "Share of tokens that the upper bound of the ratio clips."),
  ]
}
