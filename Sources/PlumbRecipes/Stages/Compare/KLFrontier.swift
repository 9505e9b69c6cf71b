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

  /// The way that each method went in training: its held-out judge's score of a round's samples against KL.
  ///
  /// Means over the runs of a method. Methods can be compared at equal KL there, not only where they ended. Of a
  /// round the metrics have the mean alone, so the caption says of how many responses and that there is no interval.
  /// - Parameter runs: the metrics of each policy's rounds; those without a held-out judge draw nothing.
  /// - Returns: nil where no policy has such rounds.
  static func paths(
    _ runs: [(name: String, rounds: [(step: Int, values: [String: Double])])]
  ) -> Chart? {
    var methods: [(name: String, rounds: [Int: [Sample]])] = []
    for run in runs {
      let name = StageSeeds.method(of: run.name)
      let place = methods.firstIndex { $0.name == name } ?? methods.count
      if place == methods.count { methods.append((name, [:])) }
      for round in run.rounds {
        guard let kl = round.values["objective/kl"], let score = round.values["held_out/score"]
        else { continue }
        methods[place].rounds[round.step, default: []].append(
          Sample(kl: kl, score: score, responses: round.values["held_out/responses"]))
      }
    }
    let series = methods.filter { !$0.rounds.isEmpty }.map { method in
      Chart.Series(
        method.name,
        method.rounds.sorted { $0.key < $1.key }.map { _, found in
          let count = Double(found.count)
          return Chart.Point(
            found.reduce(0) { $0 + $1.kl } / count, found.reduce(0) { $0 + $1.score } / count)
        })
    }
    guard !series.isEmpty else { return nil }
    return Chart(
      "Held-out judge against KL, round by round",
      caption:
        "Samples of the training rounds, means over the runs of a method: each point is the mean of "
        + "\(responses(methods.flatMap { $0.rounds.values })), without interval.",
      x: .init("KL from the start (nats/response)"), y: .init("held-out score"), .lines(series))
  }

  /// What one run has of a round: means over its responses, and how many they are.
  private struct Sample {
    let kl: Double
    let score: Double
    let responses: Double?
  }

  /// How many responses are behind the points, each of some runs: "64 responses", "32 to 96 responses".
  private static func responses(_ points: [[Sample]]) -> String {
    let counts = points.compactMap { runs -> Int? in
      let known = runs.compactMap(\.responses)
      return known.count == runs.count ? Int(known.reduce(0, +)) : nil
    }
    guard counts.count == points.count, let least = counts.min(), let most = counts.max() else {
      return "the round's responses"
    }
    return least == most ? "\(most) responses" : "\(least) to \(most) responses"
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
