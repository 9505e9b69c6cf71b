extension MetricTable {
  /// What PPO writes beside what all policies do.
  static let ppoMetrics: [MetricEntry] = [
    MetricEntry(
      "objective/rlhf_reward", unit: "reward units", over: "responses of the round",
      mask: "all response tokens", .higher, trl: .same("objective/rlhf_reward"), stages: ["ppo"],
      "Sum of a response's token rewards: score, penalties, and `-kl_coefficient · k1`."),
    MetricEntry(
      "objective/kl_coefficient", unit: "reward units/nat", over: "–", mask: "–", .neither,
      trl: .none("its coefficient is fixed"), stages: ["ppo"],
      "The penalty's weight in this round; moves where `kl_target` is set."),
    MetricEntry(
      "policy/approxkl_avg", unit: "nats/token", over: "tokens of the round's steps",
      mask: "response tokens", .neither,
      trl: .differs("policy/approxkl_avg", how: "TRL counts padding, whose difference is 0"),
      stages: policyGradientStages + ["ppo"],
      "`d²/2` of d = log π - log π_old: how far the round has moved the policy."),
    MetricEntry(
      "policy/approxkl_k3_avg", unit: "nats/token", over: "tokens of the round's steps",
      mask: "response tokens", .neither, trl: .none("it logs k2 alone"),
      stages: policyGradientStages + ["ppo"],
      "`e^d - 1 - d` of the same d: an estimate of KL(π_old ‖ π) that is never negative."),
    MetricEntry(
      "policy/clipfrac_avg", over: "tokens of the round's steps", mask: "response tokens",
      .neither, trl: .same("policy/clipfrac_avg"), stages: policyGradientStages + ["ppo"],
      "Share of tokens whose clipped term is the larger loss."),
    MetricEntry(
      "policy/entropy_avg", unit: "nats/token", over: "tokens of the round",
      mask: "response tokens", .neither,
      trl: .differs("policy/entropy_avg", how: "TRL counts padding"), stages: ["ppo"],
      "Exact entropy of the sampling distribution at each response token, before the updates."),
    MetricEntry(
      "val/ratio", over: "tokens of the round's steps", mask: "response tokens", .neither,
      trl: .differs("val/ratio", how: "TRL counts padding, whose ratio is 1"),
      stages: policyGradientStages + ["ppo"],
      "Mean of `π / π_old`; exactly 1 at the first minibatch, or the stage stops."),
    MetricEntry(
      "val/clipfrac_avg", over: "tokens of the round's steps", mask: "response tokens", .neither,
      trl: .differs("val/clipfrac_avg", how: "TRL counts one slot after the response"),
      stages: ["ppo"],
      "Share of tokens whose clipped value term is the larger loss."),
    MetricEntry(
      "val/value_avg", unit: "reward units", over: "tokens of the round's steps",
      mask: "response tokens", .neither, trl: .none("it does not log values"), stages: ["ppo"],
      "Mean value estimate V."),
    MetricEntry(
      "val/return_avg", unit: "reward units", over: "tokens of the round's steps",
      mask: "response tokens", .neither, trl: .none("it does not log returns"), stages: ["ppo"],
      "Mean return R: advantage before whitening plus old value."),
    MetricEntry(
      "val/error_avg", unit: "reward units", over: "tokens of the round's steps",
      mask: "response tokens", .neither, trl: .none("it does not log errors"), stages: ["ppo"],
      "Mean of V - R: the critic's bias."),
    MetricEntry(
      "val/explained_variance", over: "tokens of the round", mask: "response tokens", .higher,
      trl: .none("it does not log it"), stages: ["ppo"],
      "`1 - Var(R - V) / Var(R)` before the updates: 1 is a perfect critic, 0 a constant one."),
    MetricEntry(
      "val/grad_norm", over: "parameters of the value model; mean over the round's steps",
      mask: "all of them", .neither, trl: .none("one norm for both models"), stages: ["ppo"],
      "Norm of the separate value model's gradient before clipping; absent with a shared trunk."),
    MetricEntry(
      "loss/policy_avg", unit: "reward units", over: "tokens of the round's steps",
      mask: "response tokens", .neither, trl: .same("loss/policy_avg"),
      stages: policyGradientStages + ["ppo"],
      "The clipped policy loss (arXiv 1707.06347, eq. 7). Near 0 by construction: no measure of progress."
    ),
    MetricEntry(
      "loss/value_avg", unit: "reward units²", over: "tokens of the round's steps",
      mask: "response tokens", .lower,
      trl: .differs("loss/value_avg", how: "TRL counts one slot after the response"),
      stages: ["ppo"],
      "Half the clipped squared error of the values, before `value_coefficient`."),
  ]
}
