extension MetricTable {
  /// What every training stage writes.
  static let trainingMetrics: [MetricEntry] = [
    MetricEntry(
      "loss", unit: "nats/token (pretrain, sft), nats/pair (pairs), nats² (gpo)",
      over: "the rows of the step's batch, whatever the micro-batches", mask: "rows of the batch",
      .lower, trl: .same("loss"),
      stages: [
        "pretrain", "sft", "reward-model", "general-preference", "pair-preference", "dpo", "kto",
        "online-dpo", "gpo", "grpo", "rloo", "reinforce", "rejection-sampling", "cyclic",
        "preference-scaling", "preference-finetune", "reward-probe", "truth-bandit", "truth-tokens",
      ],
      """
      What the stage minimises, before weight decay. PPO writes `loss/policy_avg` and \
      `loss/value_avg` in its place. `preference-scaling` and `preference-finetune` write a trained model's \
      validation loss, one model a step; `truth-bandit` and `truth-tokens` their `kl`.
      """),
    MetricEntry(
      "language_loss", unit: "nats/token", over: "tokens of the demonstrations of the batch",
      mask: "response tokens of the demonstrations", .lower,
      trl: .none("no trainer mixes the two losses"), stages: ["general-preference"],
      "Negative log-likelihood of demonstrations, where they are mixed in to keep the trunk a language model."
    ),
    MetricEntry(
      "learning_rate", over: "the last optimizer step (the mean over the round's steps, on-line)",
      mask: "–", trl: .same("learning_rate"),
      stages: trainingStages,
      "The rate that was applied, after warm-up and schedule."),
    MetricEntry(
      "grad_norm", over: "all trainable parameters; on-line, the mean over the round's steps",
      mask: "all of them", trl: .same("grad_norm"), stages: trainingStages,
      "Global Euclidean norm of the gradient before clipping. For PPO with a separate value model: of the policy alone."
    ),
    MetricEntry(
      "skipped_steps", over: "optimizer steps of the round", mask: "–", .lower,
      trl: .none("TRL does not skip"), stages: onlineStages,
      "Share of optimizer steps that were left out because a gradient was not finite."),
    MetricEntry(
      "optimizer_steps", unit: "steps", over: "sum over the round", mask: "–",
      trl: .none("fixed in TRL"), stages: onlineStages,
      "Optimizer steps taken in the round; fewer than `epochs · minibatches` after an early stop."
    ),
    MetricEntry(
      "train/tokens", unit: "tokens", over: "sum over the optimizer steps of the round",
      mask: "all response tokens of the step, end of turn included",
      trl: .none("not counted"), stages: onlineStages,
      "Tokens that optimizer steps were taken on; one that two passes read counts twice."),
  ]

  /// Stages that take optimizer steps.
  static let trainingStages = [
    "pretrain", "sft", "reward-model", "general-preference", "pair-preference", "dpo", "kto",
    "online-dpo", "gpo", "ppo", "grpo", "rloo", "reinforce", "rejection-sampling",
  ]

  /// Stages that sample from the policy while they train it.
  static let onlineStages = [
    "ppo", "grpo", "rloo", "reinforce", "gpo", "online-dpo", "rejection-sampling",
  ]
}
