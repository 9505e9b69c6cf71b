extension MetricTable {
  /// What the stages of the ground truth write.
  static let truthMetrics: [MetricEntry] = [
    MetricEntry(
      "gap", unit: "nats (log-odds)", over: "the policies of all rounds of one game's play",
      mask: "all responses of the game", .lower, trl: .none("no games"), stages: ["truth-games"],
      """
      Duality gap of the mean of the policies of GPO's exact play in the game's log-odds, `max π'ᵀS π̄ - min π̄ᵀS π'`: \
      twice what the best response to it gains, 0 for the von Neumann winner. One game a line.
      """)
  ]
}
