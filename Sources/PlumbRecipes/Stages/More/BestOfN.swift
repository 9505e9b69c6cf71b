import PlumbEvaluation
import PlumbPreferences

/// What choosing the best of n answers by each of several models gained under a judge.
struct BestOfN {
  /// The judge on all answers to each prompt: the n candidates, then the baseline's.
  let verdicts: [Judgement]
  let n: Int
  let entries: [ModelIndex.Entry]
  /// The chosen candidate of each prompt, model by model.
  let picks: [[Int]]
  let seed: UInt64

  /// The candidate that beats the others most: the highest mean log-odds, the first where several do.
  static func best(_ judgement: Judgement) -> Int {
    let means = judgement.opponentMeans()
    return means.indices.max { means[$0] < means[$1] || (means[$0] == means[$1] && $0 > $1) } ?? 0
  }

  /// The outcomes of the chosen candidates against every baseline answer, prompt by prompt.
  func outcomes(_ picks: [Int]) -> [[Outcome]] {
    zip(verdicts, picks).map { verdict, pick in
      (n..<verdict.preferenceLogits.count).map {
        Outcome(difference: verdict.preferenceLogits[pick][$0])
      }
    }
  }

  /// The win rate over the policy's single samples, intervals over prompts.
  func winRate(_ picks: [Int]) -> WinRate { WinRate(byPrompt: outcomes(picks), seed: seed) }

  /// The win rate of all models at these places together: prompts are drawn with all models' outcomes.
  func winRate(models: [Int]) -> WinRate {
    let all = models.map { outcomes(picks[$0]) }
    return WinRate(
      byPrompt: verdicts.indices.map { prompt in all.flatMap { $0[prompt] } }, seed: seed)
  }

  /// What the judge itself would choose: no model can gain more.
  var ceiling: [Int] {
    verdicts.map { verdict in
      Self.best(
        Judgement(
          preferenceLogits: verdict.preferenceLogits.prefix(n).map { Array($0.prefix(n)) },
          source: verdict.source))
    }
  }

  /// Always the first candidate: choosing without looking.
  var blind: [Int] { verdicts.map { _ in 0 } }

  /// The places of the models, by scheme, in their order.
  var schemes: [(name: String, models: [Int])] {
    var names: [String] = []
    for entry in entries where !names.contains(entry.scheme) { names.append(entry.scheme) }
    return names.map { name in (name, entries.indices.filter { entries[$0].scheme == name }) }
  }

  /// Wins, ties and losses of one scheme's choices against another's of the same seed.
  func duel(_ first: String, _ second: String) -> WinRate? {
    var pairs: [(Int, Int)] = []
    for own in entries.indices where entries[own].scheme == first {
      for other in entries.indices
      where entries[other].scheme == second && entries[other].seed == entries[own].seed {
        pairs.append((own, other))
      }
    }
    guard !pairs.isEmpty else { return nil }
    return WinRate(
      byPrompt: verdicts.indices.map { prompt in
        pairs.map { own, other in
          Outcome(
            difference: verdicts[prompt].preferenceLogits[picks[own][prompt]][picks[other][prompt]])
        }
      }, seed: seed)
  }

  /// A measured model as a point: its calibration error, its accuracy, and the gain.
  struct Point {
    let entry: ModelIndex.Entry
    let ece: Double
    let accuracy: Double
    /// The win rate over single samples, less one half.
    let gain: WinRate
    var alignmentGain: Double { gain.rate - 0.5 }
  }

  /// The models whose calibration is known.
  var points: [Point] {
    entries.indices.compactMap { index in
      guard let ece = entries[index].ece, let accuracy = entries[index].accuracy else { return nil }
      return Point(
        entry: entries[index], ece: ece, accuracy: accuracy, gain: winRate(picks[index]))
    }
  }
}
