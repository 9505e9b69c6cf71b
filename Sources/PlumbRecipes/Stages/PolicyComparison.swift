import Foundation
import PlumbEvaluation
import PlumbPreferences
import PlumbRollouts
import PlumbTokenizers

/// A policy's answers to the held-out prompts.
struct PolicyAnswers {
  let name: String
  let buffer: RolloutBuffer
  /// Of the best of n: how far choosing takes it from its policy, beside the log-ratios of the chosen.
  var selection: SelectionDivergence?
}

extension PolicyAnswers {
  /// The log-ratio to the baseline of every answer, nats, prompt by prompt.
  ///
  /// Of the best of n, `log π_n/π_0 = log π_n/π + log π/π_0`: what choosing adds, and the policy's own.
  var logRatios: [[Double]] {
    let chosen = selection?.estimates
    return buffer.groups.enumerated().map { index, group in
      group.responses.enumerated().map { number, response in
        zip(response.behaviourLogprobs, response.referenceLogprobs).reduce(
          chosen?[index][number] ?? 0
        ) { $0 + Double($1.0 - $1.1) }
      }
    }
  }

  /// The length of every answer, tokens.
  var lengths: [[Double]] { buffer.groups.map { $0.responses.map { Double($0.tokens.count) } } }
}

/// All policies' answers with the verdicts of the judge.
struct PolicyComparison {
  /// Answers, the baseline first.
  let answers: [PolicyAnswers]
  /// The judge's scores, policy by prompt by answer; nil for a judge that only compares.
  let scores: [[[Double]]]?
  /// The same of the optimisers' reward model.
  let rewards: [[[Double]]]?
  /// Every pair of policies under the judge.
  let head: HeadToHead
  private let seed: UInt64

  /// Counts verdicts.
  ///
  /// - Parameters:
  ///   - answers: of each policy to the same prompts, the baseline first.
  ///   - judged: one judgement per prompt over the answers of all policies, in their order.
  ///   - rewarded: the same of the optimisers' reward model, if there is one.
  ///   - judge: the judge's name.
  ///   - seed: of the bootstraps.
  init(
    _ answers: [PolicyAnswers], judged: [Judgement], rewarded: [Judgement]?, judge: String,
    seed: UInt64
  ) {
    self.answers = answers
    self.seed = seed
    scores = Self.scores(judged, answers)
    rewards = rewarded.flatMap { Self.scores($0, answers) }
    head = HeadToHead(answers, judged: judged, judge: judge, seed: seed)
  }

  /// Win rate of policy i over policy j, [P][P].
  private var rates: [[WinRate]] { head.rates }

  private static func scores(
    _ judged: [Judgement], _ answers: [PolicyAnswers]
  ) -> [[[Double]]]? {
    guard judged.allSatisfy({ $0.scores != nil }) else { return nil }
    var start = 0
    return answers.map { policy in
      let count = policy.buffer.groups.first?.responses.count ?? 0
      defer { start += count }
      return judged.map { Array(($0.scores ?? [])[start..<start + count]) }
    }
  }

  var promptCount: Int { answers.first?.buffer.groups.count ?? 0 }

  /// The win rates of all but the baseline over the baseline.
  var wins: [(name: String, rate: WinRate)] {
    answers.indices.dropFirst().map { (answers[$0].name, rates[$0][0]) }
  }

  /// Mean over answers of the summed log-ratio to the baseline, nats.
  func kl(_ policy: Int) -> Double { mean(answers[policy].logRatios) }

  private func mean(_ values: [[Double]]) -> Double {
    let all = values.flatMap { $0 }
    return all.reduce(0, +) / Double(max(1, all.count))
  }

  /// A mean over answers with its bootstrap interval over prompts.
  private func figure(_ name: String, _ values: [[Double]], unit: String = "") -> Figure {
    let interval = Interval.bootstrap(rows: values.count, resamples: 500, seed: seed) { rows in
      mean(rows.map { values[$0] })
    }
    return Figure(
      name, mean(values), interval: interval.range, unit: unit,
      sampleSize: values.reduce(0) { $0 + $1.count })
  }

  var figures: [Figure] {
    let n = promptCount
    return answers.indices.flatMap { policy -> [Figure] in
      let name = answers[policy].name
      var figures = [
        figure(
          "\(name)/kl_from_\(answers[0].name)", answers[policy].logRatios, unit: "nats/response"),
        figure("\(name)/mean_length", answers[policy].lengths, unit: "tokens"),
      ]
      if let selection = answers[policy].selection {
        figures.append(
          figure("\(name)/best_of_n_kl", selection.estimates, unit: "nats/response"))
        figures.append(
          Figure(
            "\(name)/best_of_n_kl_bound", selection.bound, unit: "nats/response", sampleSize: n))
      }
      if let scores {
        figures.append(figure("\(name)/judge_score", scores[policy]))
      }
      if let rewards {
        figures.append(figure("\(name)/reward", rewards[policy]))
      }
      for other in answers.indices where other != policy {
        figures.append(
          Figure(
            "\(name)/win_rate_vs_\(answers[other].name)", rates[policy][other].rate,
            interval: rates[policy][other].interval.range, sampleSize: n))
      }
      return figures
    }
  }

  func table(judge: String, reward: String) -> TextTable {
    TextTable(
      title: "Policies under the held-out judge",
      columns: [
        "policy", "win rate vs \(answers[0].name)", "KL (nats)", "length (tokens)",
        "judge score", "reward",
      ],
      rows: answers.indices.map { policy in
        let rate = rates[policy][0]
        return [
          answers[policy].name,
          policy == 0
            ? "–" : NumberText.interval(rate.rate, [rate.interval.lower, rate.interval.upper]),
          text(answers[policy].logRatios, decimals: 2), text(answers[policy].lengths, decimals: 1),
          scores.map { text($0[policy], decimals: 3) } ?? "–",
          rewards.map { text($0[policy], decimals: 3) } ?? "–",
        ]
      })
  }

  /// A mean with its interval.
  private func text(_ values: [[Double]], decimals: Int) -> String {
    let found = figure("", values)
    return NumberText.interval(found.value, found.interval, decimals: decimals)
  }

  var winBars: Chart {
    Chart(
      "Win rate against \(answers[0].name)", caption: "95 % intervals over prompts.",
      x: .init(""), y: .init("win rate", range: 0...1),
      .bars(
        wins.map {
          Chart.Bar(
            $0.name, $0.rate.rate,
            interval: $0.rate.interval.range)
        }))
  }

  /// What each policy gained for its KL: scores of the judge and the reward model, where they have any.
  var frontiers: [Chart] {
    let frontier = KLFrontier(kl: answers.indices.map(kl))
    return [("judge score", scores), ("reward", rewards)].compactMap { label, values in
      values.map { values in
        frontier.scores(
          values.map { figure(label, $0) }, names: answers.map(\.name), label: label)
      }
    }
  }

  func samples(_ count: Int) -> [SampleRow] {
    (0..<min(count, promptCount)).map { index in
      SampleRow(
        prompt: answers[0].buffer.groups[index].prompt.map(\.content).joined(separator: "\n\n"),
        answers: answers.indices.map { policy in
          SampleRow.Answer(
            model: answers[policy].name,
            text: answers[policy].buffer.groups[index].responses.first?.text ?? "",
            note: scores.map { "judge \(NumberText.fixed($0[policy][index].first ?? 0, 2))" } ?? "")
        })
    }
  }

  /// One line per prompt and policy: `policy, prompt, responses, scores`.
  func write(to url: URL) throws {
    struct Line: Encodable {
      let id: String
      let policy: String
      let prompt: [Message]
      let responses: [String]
      let scores: [Double]?
    }
    let lines = (0..<promptCount).flatMap { index in
      answers.enumerated().map { policy, own in
        let group = own.buffer.groups[index]
        return Line(
          id: group.id, policy: own.name, prompt: group.prompt,
          responses: group.responses.map(\.text), scores: scores?[policy][index])
      }
    }
    try RunFiles.write(lines: lines, to: url)
  }
}
