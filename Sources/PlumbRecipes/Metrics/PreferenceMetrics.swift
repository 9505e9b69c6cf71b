extension MetricTable {
  /// What preference models write: pairs in, one log-odds per pair out.
  static let preferenceMetrics: [MetricEntry] = [
    MetricEntry(
      "accuracy", over: "pairs of the batch", mask: "all pairs, an exact tie half", .higher,
      trl: .same("accuracy"), stages: preferenceStages + ["cyclic", "preference-finetune"],
      "Share of pairs whose chosen response the model prefers."),
    MetricEntry(
      "nll", unit: "nats/pair", over: "pairs of the batch", mask: "all pairs", .lower,
      trl: .none("its loss, where no further term is on"), stages: preferenceStages,
      "`-log σ(s)` of the log-odds s of the chosen over the rejected response, without further terms of the loss."
    ),
    MetricEntry(
      "margin", over: "pairs of the batch", mask: "all pairs", .higher, trl: .same("margin"),
      stages: ["reward-model"], "Reward of the chosen less that of the rejected response."),
    MetricEntry(
      "score", over: "pairs of the batch", mask: "all pairs", .higher,
      trl: .none("no such model"), stages: ["general-preference"],
      "Skew-symmetric score of the chosen over the rejected response, before division by tau."),
    MetricEntry(
      "probability", over: "pairs of the batch", mask: "all pairs", .higher,
      trl: .none("no such model"), stages: ["general-preference"],
      "`σ(s / tau)`: the probability that the model gives to the chosen response."),
    MetricEntry(
      "tau", over: "–", mask: "–", .neither, trl: .none("no such model"),
      stages: ["general-preference"],
      "The temperature that scores are divided by, before the step; only where `learn_tau` is on."),
    MetricEntry(
      "error", unit: "nats", over: "pairs of the batch", mask: "all pairs", .lower,
      trl: .none("no such model"), stages: ["general-preference"],
      "Mean distance of the log-odds from their target; only with `loss: regression`."),
    MetricEntry(
      "logit", unit: "nats", over: "pairs of the batch", mask: "all pairs", .higher,
      trl: .none("no such model"), stages: ["pair-preference"],
      "Log-odds of the chosen over the rejected response."),
    MetricEntry(
      "test_accuracy", over: "test pairs", mask: "all pairs, an exact tie half", .higher,
      trl: .none("no test rows in its trainers"), stages: ["cyclic"],
      "`accuracy` on pairs that neither training nor the choice of a step has seen; one model a step."
    ),
    MetricEntry(
      "pairs", unit: "pairs", over: "sum", mask: "training pairs of one model",
      trl: .none("its num_tokens is nearest"), stages: ["preference-finetune"],
      "Pairs that a fine-tuned model was trained on; one model a step."),
    MetricEntry(
      "strength", over: "–", mask: "–", .neither, trl: .none("no such stage"),
      stages: ["reward-probe"], "The ridge of one trial of the fit; one trial a step."),
    MetricEntry(
      "train_loss", unit: "nats/pair", over: "training pairs", mask: "all pairs", .lower,
      trl: .none("no such stage"), stages: ["reward-probe"],
      "Mean negative log-likelihood of the fitted head; `eval_loss` is that on the validation pairs."
    ),
    MetricEntry(
      "mean_lambda/{source}", over: "steps of the training", mask: "steps that saw the source",
      trl: .none("no such method"), stages: ["more"],
      "MORE's mean weight of a source in the common descent direction (arXiv 2312.07401)."),
    MetricEntry(
      "objective", unit: "nats/pair", over: "pairs of the round", mask: "training pairs", .lower,
      trl: .none("no such method"), stages: ["max-min"],
      "Mean negative log-likelihood of the pairs, each under the model of its group; one round of the mixture a step."
    ),
    MetricEntry(
      "kept_round", over: "–", mask: "–", trl: .none("no such method"), stages: ["max-min"],
      "The round whose mixture is kept: the best on validation."),
  ]

  /// Stages that train preference models.
  static let preferenceStages = ["reward-model", "general-preference", "pair-preference"]
}
