import Foundation
import PlumbEvaluation

/// What the games say: gaps of averages and last policies, and of reward-based training.
struct TruthGamesReport {
  let stage: String
  let configuration: TruthGamesConfiguration
  let games: [TruthGame]
  let records: [TruthGamesStage.Record]

  /// The bounds of the claims: of a game's own payoffs for self-play, and in win probability for rewards.
  static let reached = 0.02
  static let exploitable = 0.2

  var result: StageResult {
    var result = StageResult()
    result.tables = [selfPlay(&result), rewardBased(&result)]
    result.sections = [
      ReportSection(
        "\(stage): von Neumann winners",
        [.paragraph(explanation), .table(result.tables[0]), .charts(selfPlayCharts)]),
      ReportSection(
        "\(stage): what a reward makes of a circle",
        [.paragraph(rewardExplanation), .table(result.tables[1]), .charts(rewardCharts)]),
    ]
    return result
  }

  private var explanation: String {
    "The duality gap is the most that any policy gains against this one, twice: 0 for the von Neumann "
      + "winner, which a linear program finds. GPO plays for log-odds, SPPO for win probabilities; each "
      + "gap is in the units of its game, whose largest entry is \(NumberText.short(configuration.strength)) "
      + "in log-odds. The mean of the policies of all rounds converges. The last policy does not: in a circle it "
      + "runs around the winner, and outwards, whatever the step. With a tie to the uniform policy "
      + "(s − τ log π, τ = \(NumberText.short(configuration.anchor))) it does, but to a policy that the tie pulls "
      + "aside. Samples: \(configuration.samples) responses a round, each the opponent of the others."
  }

  private var rewardExplanation: String {
    "The best Bradley-Terry rewards for pairs whose responses come from the start, then PPO. Gaps are in "
      + "win probability: 1 says that some response always wins. What the best rewards of a circle are depends on "
      + "the data. If all pairs of a circle of equal edges are asked alike, all rewards are equal, and PPO "
      + "stays at its reference, whatever that is: at the winner only if it began there. If they come from a "
      + "policy that is not the winner, some response wins most of them, PPO goes there, and the response "
      + "that beats it exploits it. New rewards for the new policy's pairs move the favourite around the circle."
  }

  private func selfPlay(_ result: inout StageResult) -> TextTable {
    var table = TextTable(
      title: "\(stage): duality gap of self-play",
      columns: [
        "game", "loss", "gradient", "rounds", "average", "promised at most", "last",
        "anchored, last", "distance to the winner",
      ], rows: [])
    for (game, record) in zip(games, records) {
      for update in GameUpdate.allCases {
        let winner = record.winners[update.rawValue] ?? []
        result.figures.append(
          Figure(
            "\(game.name)/\(update.rawValue)/winner_gap", game.payoffs(update).dualityGap(winner),
            sampleSize: game.start.count))
        for (kind, course) in [
          ("exact", record.exact[update.rawValue]), ("sampled", record.sampled[update.rawValue]),
        ] {
          guard let course, let last = course.points.last else { continue }
          let name = "\(game.name)/\(update.rawValue)/\(kind)"
          let anchored = kind == "exact" ? record.anchored[update.rawValue]?.points.last?.last : nil
          result.figures += [
            Figure("\(name)/average_gap", last.average, sampleSize: last.round),
            Figure("\(name)/last_gap", last.last, sampleSize: last.round),
          ]
          if let anchored {
            result.figures.append(
              Figure("\(name)/anchored_last_gap", anchored, sampleSize: last.round))
          }
          if kind == "exact" {
            result.figures.append(
              Figure("\(name)/promised_gap", course.guarantee, sampleSize: last.round))
          }
          result.claims.append(
            Claim(
              "\(update.rawValue.uppercased()), \(kind), reaches the winner of '\(game.name)' on average",
              measured: last.average, .atMost, Self.reached,
              paper: "duality gap O(1/√T) (arXiv 2410.02197, theorem 5.1)"))
          table.rows.append([
            game.name, update.rawValue, kind, "\(last.round)", NumberText.short(last.average),
            kind == "exact" ? NumberText.short(course.guarantee) : "–",
            NumberText.short(last.last), anchored.map { NumberText.short($0) } ?? "–",
            NumberText.short(
              zip(course.average, winner).reduce(0) { $0 + abs($1.0 - $1.1) } / 2),
          ])
        }
      }
      guard game.name == "rps", let course = record.exact["gpo"] else { continue }
      result.claims.append(
        Claim(
          "the last policy of GPO without an anchor does not reach the winner of 'rps'",
          measured: course.points.last?.last ?? 0, .above, Self.reached))
    }
    return table
  }

  private func rewardBased(_ result: inout StageResult) -> TextTable {
    var table = TextTable(
      title: "\(stage): duality gap of reward-based training, in win probability",
      columns: [
        "game", "start", "best reward, exact optimum", "PPO on samples",
        "refitted, least of all rounds",
        "all pairs alike", "GPO's average",
      ], rows: [])
    for (game, record) in zip(games, records) {
      let wins = game.scores.winGame
      let refits = record.refitted.map { wins.dualityGap($0) }
      let gaps: [(String, Double)] = [
        ("start", wins.dualityGap(game.start)), ("reward_optimum", wins.dualityGap(record.optimum)),
        ("ppo", wins.dualityGap(record.ppo)), ("refitted_least", refits.min() ?? .nan),
        ("uniform_pairs_optimum", wins.dualityGap(record.uniformOptimum)),
        ("gpo_average", wins.dualityGap(record.exact["gpo"]?.average ?? game.start)),
      ]
      for (name, gap) in gaps where gap.isFinite {
        result.figures.append(
          Figure("\(game.name)/\(name)_win_gap", gap, sampleSize: game.start.count))
      }
      table.rows.append([game.name] + gaps.map { NumberText.short($0.1) })
      guard game.name.hasPrefix("rps") else { continue }
      for (name, gap) in [
        ("the exact optimum of the best Bradley-Terry reward", gaps[1].1),
        ("PPO with the best Bradley-Terry reward", gaps[2].1),
      ] {
        result.claims.append(
          Claim(
            "\(name) stays exploitable in '\(game.name)'", measured: gap, .atLeast,
            Self.exploitable,
            paper: "a scalar reward cannot express cycles (arXiv 2410.02197, section 4)"))
      }
    }
    return table
  }

  private var selfPlayCharts: [Chart] {
    GameUpdate.allCases.flatMap { update -> [Chart] in
      let name = update.rawValue.uppercased()
      let units = update == .gpo ? "log-odds" : "win probability"
      func line(_ course: GameCourse?, _ label: String) -> Chart.Series? {
        course.map { course in
          Chart.Series(
            label,
            course.points.map { Chart.Point(Double($0.round), max($0.average, 1e-6)) })
        }
      }
      let courses = zip(games, records).compactMap { line($1.exact[update.rawValue], $0.name) }
      let horizons = zip(games, records).compactMap { game, record -> Chart.Series? in
        guard var points = record.horizons[update.rawValue], !points.isEmpty else { return nil }
        if let last = record.exact[update.rawValue]?.points.last { points.append(last) }
        return Chart.Series(
          game.name, points.map { Chart.Point(Double($0.round), max($0.average, 1e-6)) })
      }
      return [
        Chart(
          "\(name): gap of the average policy",
          caption:
            "One play of \(configuration.rounds) rounds with the exact expectation; dashed: a line of slope −1/2.",
          x: .init("round", scale: .logarithmic),
          y: .init("duality gap (\(units))", scale: .logarithmic),
          .lines(courses + [root(courses)])),
        Chart(
          "\(name): gap after T rounds with the step for T",
          caption: "Dashed: the bound 2ρ √(2D/T) for 'rps', and a line of slope −1/2.",
          x: .init("T", scale: .logarithmic),
          y: .init("duality gap (\(units))", scale: .logarithmic),
          .lines(horizons + [promised(update), root(horizons)].compactMap { $0 })),
      ]
    }
  }

  /// `c / √T` through the greatest of the first points.
  private func root(_ series: [Chart.Series]) -> Chart.Series {
    let points = series.flatMap(\.points)
    let (low, high) = (points.map(\.x).min() ?? 1, points.map(\.x).max() ?? 1)
    let level = series.compactMap(\.points.first).map { $0.y * $0.x.squareRoot() }.max() ?? 1
    return Chart.Series(
      "∝ 1/√T", [low, high].map { Chart.Point($0, level / $0.squareRoot()) }, dashed: true)
  }

  private func promised(_ update: GameUpdate) -> Chart.Series? {
    guard let game = games.first, !configuration.horizons.isEmpty else { return nil }
    return Chart.Series(
      "bound, \(game.name)",
      (configuration.horizons + [configuration.rounds]).map {
        Chart.Point(
          Double($0), GamePlay(game: game, update: update, rounds: $0).guarantee)
      }, dashed: true)
  }

  private var rewardCharts: [Chart] {
    let series = zip(games, records).filter { $0.0.name.hasPrefix("rps") }.map { game, record in
      Chart.Series(
        game.name,
        record.refitted.enumerated().map {
          Chart.Point(Double($0 + 1), game.scores.winGame.dualityGap($1))
        })
    }
    guard let rounds = series.first?.points.count, rounds > 0 else { return [] }
    return [
      Chart(
        "Rewards fitted anew to the policy's own pairs",
        caption: "The exact optimum of each round's best reward; dashed: the bound of the claim.",
        x: .init("round"), y: .init("duality gap (win probability)"),
        .lines(
          series + [
            Chart.Series(
              "bound", [1, Double(rounds)].map { Chart.Point($0, Self.exploitable) }, dashed: true)
          ]))
    ]
  }
}
