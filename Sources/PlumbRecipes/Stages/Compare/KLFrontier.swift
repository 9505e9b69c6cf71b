import PlumbEvaluation

/// What each policy gained for the KL that it spent.
struct KLFrontier {
  /// Mean KL of each policy from the baseline, nats per response, the baseline first.
  let kl: [Double]

  /// Win rate over the baseline against KL, with intervals; the baseline itself stands at 1/2.
  func winRates(_ heads: HeadToHead) -> Chart {
    chart(
      "\(heads.judge): win rate over \(heads.names[0]) against KL", "win rate", heads.names
    ) { policy in
      policy == 0
        ? Chart.Point(kl[0], 0.5)
        : Chart.Point(
          kl[policy], heads.rates[policy][0].rate, interval: heads.rates[policy][0].interval.range)
    }
  }

  /// Mean score of a judge against KL, with intervals.
  func scores(_ figures: [Figure], names: [String], label: String) -> Chart {
    chart("\(label) against KL", "mean score", names) { policy in
      let figure = figures[policy]
      return Chart.Point(
        kl[policy], figure.value, interval: figure.interval.map { $0[0]...max($0[0], $0[1]) })
    }
  }

  private func chart(
    _ title: String, _ label: String, _ names: [String], point: (Int) -> Chart.Point
  ) -> Chart {
    Chart(
      title, caption: "95 % intervals over prompts.",
      x: .init("KL from \(names[0]) (nats/response)"), y: .init(label),
      .scatter(names.indices.map { Chart.Series(names[$0], [point($0)]) }))
  }
}
