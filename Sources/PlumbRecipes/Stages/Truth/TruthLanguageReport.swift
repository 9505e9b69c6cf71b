import Foundation
import PlumbEvaluation

/// What a language game says: shares of the classes and exploitability under the judge itself.
struct TruthLanguageReport {
  let stage: String
  let configuration: TruthLanguageConfiguration
  let game: LanguageGame
  let names: [String]
  let records: [TruthLanguageStage.Record]
  let prompts: [String]
  let seed: UInt64

  private var wins: MatrixGame { game.scores.winGame }

  private func gap(_ rows: [[Int]], _ chosen: [Int]) -> Double {
    var sums = game.classes.map { _ in 0 }
    for row in chosen { for place in sums.indices { sums[place] += rows[row][place] } }
    return wins.dualityGap(LanguageGame.shares(sums))
  }

  /// The gap of counts [groups][classes] summed up, with a bootstrap interval over the groups.
  private func measured(_ rows: [[Int]]) -> (gap: Double, interval: Interval) {
    (
      gap(rows, Array(rows.indices)),
      Interval.bootstrap(rows: rows.count, resamples: 500, seed: seed) { gap(rows, $0) }
    )
  }

  /// Counts of the classes, one row per test prompt.
  private func testCounts(_ record: TruthLanguageStage.Record) -> [[Int]] {
    record.test.map { row in game.classes.indices.map { number in row.count { $0 == number } } }
  }

  var result: StageResult {
    var result = StageResult()
    var table = TextTable(
      title: "\(stage): exploitability under the judge, in win probability",
      columns: ["policy", "gap of the last"] + game.classes
        + ["gap of the average of all rounds", "KL from the start, last round"],
      rows: [])
    for (name, record) in zip(names, records) {
      let last = measured(testCounts(record))
      result.figures.append(figure("\(name)/last_win_gap", last, record.test.count))
      let shares = LanguageGame.shares(
        testCounts(record).reduce(game.classes.map { _ in 0 }) { zip($0, $1).map { $0 + $1 } })
      for (kind, share) in zip(game.classes, shares) {
        result.figures.append(
          Figure("\(name)/share_\(kind)", share, sampleSize: record.test.count))
      }
      var average: (gap: Double, interval: Interval)?
      if !record.rounds.isEmpty {
        let found = measured(record.rounds)
        result.figures.append(figure("\(name)/average_win_gap", found, record.rounds.count))
        average = found
      }
      if let kl = record.kl.last {
        result.figures.append(
          Figure("\(name)/kl", kl, unit: "nats", sampleSize: record.rounds.last?.reduce(0, +) ?? 0))
      }
      table.rows.append(
        [name, text(last)] + shares.map { NumberText.percent($0) }
          + [
            average.map { text($0) } ?? "–",
            record.kl.last.map { NumberText.fixed($0, 2) } ?? "–",
          ])
    }
    result.claims = claims(result.figures)
    result.tables = [table]
    result.sections = [
      ReportSection(
        "\(stage): a language model in a circle",
        [
          .paragraph(explanation), .table(table), .charts(charts), .claims(result.claims),
          .samples(samples),
        ])
    ]
    return result
  }

  private func figure(
    _ name: String, _ found: (gap: Double, interval: Interval), _ size: Int
  ) -> Figure {
    Figure(
      name, found.gap,
      interval: min(found.gap, found.interval.lower)...max(found.gap, found.interval.upper),
      sampleSize: size)
  }

  private func text(_ found: (gap: Double, interval: Interval)) -> String {
    NumberText.interval(found.gap, [found.interval.lower, found.interval.upper], decimals: 2)
  }

  private func claims(_ figures: [Figure]) -> [Claim] {
    func figure(_ name: String) -> Figure? { figures.first { $0.name == name } }
    func value(_ name: String) -> Double? { figure(name)?.value }
    var claims: [Claim] = []
    if let ppo = figure("ppo/last_win_gap") {
      claims.append(
        Claim(
          "PPO with the reward model fitted to the judge stays exploitable", measured: ppo.value,
          .atLeast, TruthGamesReport.exploitable, interval: ppo.interval.map { $0[0]...$0[1] },
          paper: "a scalar reward cannot express cycles (arXiv 2410.02197, section 4)"))
    }
    // Like with like: of self-play the theorem promises the average, so it is held against PPO's average.
    for player in ["gpo", "sppo"] {
      guard let average = value("\(player)/average_win_gap"),
        let other = value("ppo/average_win_gap")
      else { continue }
      claims.append(
        Claim(
          "the average policy of \(player.uppercased()) is less exploitable than PPO's average, by at least 0.1",
          measured: other - average, .atLeast, 0.1,
          paper: "duality gap O(1/√T) of the average (arXiv 2410.02197, theorem 5.1)"))
    }
    return claims
  }

  private var explanation: String {
    "The judge reads answers: \(game.suite.judge.cycle.map(\.rawValue).joined(separator: " beats ")) "
      + "beats \(game.suite.judge.cycle[0].rawValue), and all of them beat an answer without any. All "
      + "policies start from the same small model. PPO is paid by a Bradley-Terry model of the judge's "
      + "verdicts, GPO and SPPO ask the judge about K responses. The gap is measured on the shares of the "
      + "classes under the judge itself: of the last policy on unseen prompts (interval over prompts), "
      + "and of the average policy, which draws a round and answers as the policy of that round, on the "
      + "samples that each round trained on (interval over rounds)."
  }

  private var charts: [Chart] {
    zip(names, records).compactMap { name, record in
      guard !record.rounds.isEmpty else { return nil }
      let shares = record.rounds.map { LanguageGame.shares($0) }
      return Chart(
        "\(name.uppercased()): shares of the classes", x: .init("round"),
        y: .init("share of the samples", range: 0...1),
        .lines(
          game.classes.enumerated().map { number, kind in
            Chart.Series(
              kind, shares.enumerated().map { Chart.Point(Double($0 + 1), $1[number]) })
          }))
    } + [gapChart, divergenceChart]
  }

  private var gapChart: Chart {
    let series = zip(names, records).flatMap { name, record -> [Chart.Series] in
      guard !record.rounds.isEmpty else { return [] }
      return [
        Chart.Series(
          "\(name), last",
          record.rounds.indices.map { Chart.Point(Double($0 + 1), gap(record.rounds, [$0])) }),
        Chart.Series(
          "\(name), average",
          record.rounds.indices.map {
            Chart.Point(Double($0 + 1), gap(record.rounds, Array(0...$0)))
          }, dashed: true),
      ]
    }
    return Chart(
      "Exploitability", x: .init("round"), y: .init("duality gap (win probability)"),
      .lines(series))
  }

  /// How far each player went: one that leaves language altogether is seen here first.
  private var divergenceChart: Chart {
    Chart(
      "KL from the start", x: .init("round"), y: .init("nats per response"),
      .lines(
        zip(names, records).compactMap { name, record in
          guard !record.kl.isEmpty else { return nil }
          return Chart.Series(
            name, record.kl.enumerated().map { Chart.Point(Double($0 + 1), $1) })
        }))
  }

  private var samples: [SampleRow] {
    prompts.prefix(4).enumerated().map { row, prompt in
      SampleRow(
        prompt: prompt,
        answers: zip(names, records).map { name, record in
          let text = record.samples.indices.contains(row) ? record.samples[row] : ""
          return .init(model: name, text: text, note: game.classes[game.number(of: text)])
        })
    }
  }
}
