import PlumbEvaluation
import PlumbPreferences

/// Methods that were trained with several seeds: what holds of the method and not of one lucky run.
///
/// The runs of a method are the policies whose names differ in the seed only (`ppo-seed1`, `ppo-seed2`). Their
/// intervals account for seeds and prompts (``CrossedMean``), those of single policies for prompts alone.
struct MethodComparison {
  /// The methods, the baseline first.
  let names: [String]
  /// The policies of each method, as indices of the comparison.
  let members: [[Int]]
  /// Win rate of method i over method j, [M][M]; runs of one number play each other.
  let rates: [[CrossedMean]]
  /// The same at equal length, [M][M], all runs together.
  let controlled: [[LengthControlledWinRate]]
  /// Mean log-ratio to the baseline, nats per response.
  let kl: [CrossedMean]
  /// Mean length, tokens.
  let lengths: [CrossedMean]
  private let judge: String

  /// Nil unless a method has several runs.
  ///
  /// - Parameter judged: one judgement per prompt over the answers of all policies, in their order.
  init?(_ answers: [PolicyAnswers], judged: [Judgement], judge: String, seed: UInt64) {
    let policies = answers.map(\.name)
    var names: [String] = []
    var members: [[Int]] = []
    for (index, policy) in policies.enumerated() {
      let method = StageSeeds.method(of: policy)
      if let place = names.firstIndex(of: method) {
        members[place].append(index)
      } else {
        names.append(method)
        members.append([index])
      }
    }
    guard members.contains(where: { $0.count > 1 }) else { return nil }
    func comparisons(_ own: Int, _ other: Int) -> [[LengthControlledWinRate.Comparison]] {
      HeadToHead.comparisons(answers, judged: judged, own, other)
    }
    // Over itself and those before it, the baseline among them; the other direction is the same exchanged, to
    // the bit, where draws in another order would give intervals of their own.
    let rates = members.indices.map { own in
      members[...own].map { other in
        let pairing = RunPairing(members[own], other)
        return CrossedMean(
          pairing.pairs.map { a, b in
            comparisons(a, b).map { prompt in
              prompt.reduce(0.0) { $0 + $1.outcome.points } / Double(prompt.count)
            }
          }, sides: pairing.sides, within: 0...1, seed: seed)
      }
    }
    let controlled = members.indices.map { own in
      members[...own].map { other in
        let pairing = RunPairing(members[own], other)
        return LengthControlledWinRate(
          byRun: pairing.pairs.map { a, b in comparisons(a, b) }, sides: pairing.sides, seed: seed)
      }
    }
    let all = members.indices
    self.rates = all.map { a in all.map { $0 > a ? rates[$0][a].exchanged : rates[a][$0] } }
    self.controlled = all.map { a in
      all.map { $0 > a ? controlled[$0][a].exchanged : controlled[a][$0] }
    }
    func crossed(_ values: (Int) -> [[Double]]) -> [CrossedMean] {
      members.map { runs in
        CrossedMean(
          runs.map { values($0).map { $0.reduce(0, +) / Double(max(1, $0.count)) } },
          within: 0 ... .infinity, seed: seed)
      }
    }
    kl = crossed { answers[$0].logRatios }
    lengths = crossed { answers[$0].lengths }
    self.names = names
    self.members = members
    self.judge = judge
  }

  /// The interval of every method's win rate over the baseline.
  var wins: [(name: String, interval: Interval)] {
    names.indices.dropFirst().map { (names[$0], rates[$0][0].interval) }
  }

  /// - Parameter isFurther: whether the judge is one beside the comparison's first: its name then stands
  ///   behind each figure's.
  func figures(isFurther: Bool) -> [Figure] {
    let suffix = isFurther ? "/\(judge)" : ""
    return names.indices.flatMap { own -> [Figure] in
      // A method of one run has the figures of its policy.
      guard members[own].count > 1 else { return [] }
      func figure(_ name: String, _ mean: CrossedMean, unit: String = "") -> Figure {
        Figure(
          "\(names[own])/\(name)", mean.value, interval: mean.interval.range, unit: unit,
          sampleSize: mean.bySeed.count * mean.prompts)
      }
      var figures = names.indices.filter { $0 != own }.map { other in
        figure("win_rate_vs_\(names[other])\(suffix)", rates[own][other])
      }
      figures += names.indices.filter { $0 != own }.map { other in
        let fair = controlled[own][other]
        return Figure(
          "\(names[own])/lc_win_rate_vs_\(names[other])\(suffix)", fair.rate,
          interval: fair.interval.range, sampleSize: fair.comparisons)
      }
      guard !isFurther else { return figures }
      return figures + [
        figure("kl_from_\(names[0])", kl[own], unit: "nats/response"),
        figure("mean_length", lengths[own], unit: "tokens"),
      ]
    }
  }

  var table: TextTable {
    TextTable(
      title: "Methods over seeds, judge '\(judge)'",
      columns: [
        "method", "runs", "win rate over \(names[0])", "run by run", "at equal length",
        "KL (nats)", "length (tokens)", "",
      ],
      rows: names.indices.dropFirst().map { method in
        let (rate, fair) = (rates[method][0], controlled[method][0])
        return [
          names[method], "\(members[method].count)",
          NumberText.interval(rate.value, [rate.interval.lower, rate.interval.upper]),
          rate.bySeed.map { NumberText.fixed($0, 3) }.joined(separator: ", "),
          fair.text,
          NumberText.interval(
            kl[method].value, [kl[method].interval.lower, kl[method].interval.upper], decimals: 2),
          NumberText.interval(
            lengths[method].value,
            [lengths[method].interval.lower, lengths[method].interval.upper],
            decimals: 1),
          fair.warning,
        ]
      })
  }

  /// All methods against each other.
  var matrix: Chart {
    Chart(
      "\(judge): win rate of the row over the column, all runs",
      caption: "95 % intervals over seeds and prompts.", x: .init(""), y: .init(""),
      .matrix(
        Chart.WinMatrix(
          names: names, shares: rates.map { $0.map(\.value) },
          halfWidths: rates.map { $0.map { ($0.interval.upper - $0.interval.lower) / 2 } })))
  }
}
