import PlumbEvaluation
import PlumbPreferences
import PlumbRollouts

/// What one held-out judge says of all policies' answers: every pair of policies, with and without the
/// effect of length, and how far the judge itself runs in circles.
struct HeadToHead {
  /// The judge as the recipe names it.
  let judge: String
  /// The policies, the baseline first.
  let names: [String]
  /// Win rate of policy i over policy j, [P][P].
  let rates: [[WinRate]]
  /// The same at equal length, [P][P].
  let controlled: [[LengthControlledWinRate]]
  /// How cyclic the judge is over all answers to each prompt.
  let cyclicity: Cyclicity
  /// Prompts.
  let prompts: Int
  /// The same over the seeds of each method; nil where every method has one run.
  let methods: MethodComparison?

  /// Counts verdicts.
  ///
  /// - Parameters:
  ///   - answers: of each policy to the same prompts, the baseline first.
  ///   - judged: one judgement per prompt over the answers of all policies, in their order.
  ///   - judge: the judge's name.
  ///   - seed: of the bootstraps.
  init(_ answers: [PolicyAnswers], judged: [Judgement], judge: String, seed: UInt64) {
    self.judge = judge
    names = answers.map(\.name)
    prompts = judged.count
    var rates: [[WinRate]] = []
    var controlled: [[LengthControlledWinRate]] = []
    for own in answers.indices {
      rates.append([])
      controlled.append([])
      for other in answers.indices {
        let found = Self.comparisons(answers, judged: judged, own, other)
        rates[own].append(WinRate(byPrompt: found.map { $0.map(\.outcome) }, seed: seed))
        controlled[own].append(
          other < own
            ? controlled[other][own].exchanged
            : LengthControlledWinRate(byPrompt: found, seed: seed))
      }
    }
    self.rates = rates
    self.controlled = controlled
    methods = MethodComparison(answers, judged: judged, judge: judge, seed: seed)
    cyclicity = Cyclicity(tables: judged.map(\.preferenceLogits), seed: seed)
  }
}

extension HeadToHead {
  /// The verdicts on the answers of two policies, prompt by prompt.
  ///
  /// Answers with one number in the two policies are drawn with one key, so they are compared.
  static func comparisons(
    _ answers: [PolicyAnswers], judged: [Judgement], _ own: Int, _ other: Int
  ) -> [[LengthControlledWinRate.Comparison]] {
    let counts = answers.map { $0.buffer.groups.first?.responses.count ?? 0 }
    let starts = [own, other].map { counts[..<$0].reduce(0, +) }
    return judged.enumerated().map { prompt, judgement in
      (0..<min(counts[own], counts[other])).map { number in
        let lengths = [own, other].map {
          answers[$0].buffer.groups[prompt].responses[number].tokens.count
        }
        return LengthControlledWinRate.Comparison(
          outcome: Outcome(
            difference: judgement.preferenceLogits[starts[0] + number][starts[1] + number]),
          lengthDifference: Double(lengths[0] - lengths[1]))
      }
    }
  }

  /// Figures of this judge.
  ///
  /// - Parameter isFurther: whether the judge is one beside the comparison's first: its name then stands
  ///   behind each figure's.
  func figures(isFurther: Bool) -> [Figure] {
    let suffix = isFurther ? "/\(judge)" : ""
    var figures: [Figure] = []
    for own in names.indices {
      for other in names.indices where other != own {
        let (rate, controlled) = (rates[own][other], controlled[own][other])
        if isFurther {
          figures.append(
            Figure(
              "\(names[own])/win_rate_vs_\(names[other])\(suffix)", rate.rate,
              interval: rate.interval.range, sampleSize: prompts))
        }
        figures.append(
          Figure(
            "\(names[own])/lc_win_rate_vs_\(names[other])\(suffix)", controlled.rate,
            interval: controlled.interval.range, sampleSize: prompts))
      }
    }
    figures.append(
      Figure(
        "cyclic_share/\(judge)", cyclicity.cyclicShare.value,
        interval: cyclicity.cyclicShare.interval.range, sampleSize: prompts))
    figures.append(
      Figure(
        "strict_cycles/\(judge)", cyclicity.cycles.value,
        interval: cyclicity.cycles.interval.range, sampleSize: prompts))
    return figures
  }

  /// Every policy against the baseline, with and without the effect of length.
  var table: TextTable {
    TextTable(
      title: "Judge '\(judge)': win rates over \(names[0])",
      columns: ["policy", "win rate", "at equal length", "weight of length (nats)", ""],
      rows: names.indices.dropFirst().map { policy in
        let (rate, controlled) = (rates[policy][0], controlled[policy][0])
        return [
          names[policy],
          NumberText.interval(rate.rate, [rate.interval.lower, rate.interval.upper]),
          controlled.text, controlled.weightText, controlled.warning,
        ]
      })
  }

  /// Win rates of all pairs, as they are and at equal length.
  var matrices: [Chart] {
    [
      matrix(
        "win rate of the row over the column", rates.map { $0.map { ($0.rate, $0.interval) } }),
      matrix(
        "the same at equal length", controlled.map { $0.map { ($0.rate, $0.interval) } },
        caption: controlled.joined().allSatisfy(\.isIdentified)
          ? "" : "0.5 ± 0.5: not identified, one side is longer almost throughout."),
    ]
  }

  private func matrix(
    _ title: String, _ cells: [[(rate: Double, interval: Interval)]], caption: String = ""
  ) -> Chart {
    Chart(
      "\(judge): \(title)", caption: caption, x: .init(""), y: .init(""),
      .matrix(
        Chart.WinMatrix(
          names: names, shares: cells.map { $0.map(\.rate) },
          halfWidths: cells.map { $0.map { ($0.interval.upper - $0.interval.lower) / 2 } })))
  }

  /// The judge's cycles, in a sentence.
  var cycles: String {
    let (share, cycles) = (cyclicity.cyclicShare, cyclicity.cycles)
    return "'\(judge)' over all answers to each of \(prompts) prompts: "
      + "\(NumberText.interval(share.value, [share.interval.lower, share.interval.upper])) of the energy "
      + "of its log-odds is cyclic; "
      + "\(NumberText.interval(cycles.value, [cycles.interval.lower, cycles.interval.upper])) of the "
      + "decided triples are strict cycles (\(cyclicity.counts.cycles) of "
      + "\(cyclicity.counts.decided))."
  }
}
