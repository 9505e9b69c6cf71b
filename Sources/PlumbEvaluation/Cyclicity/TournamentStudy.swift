import Foundation
public import PlumbData
import PlumbTensors

/// How well forms of preference models predict verdicts of a tournament that they have not seen.
///
/// Verdicts are held out in folds; the penalty of each fit is chosen on other verdicts, validation ones,
/// never on those that are counted. Intervals draw whole prompts.
public struct TournamentStudy: Sendable {
  /// What is told apart by the model, and so what is held out.
  public enum Level: String, Codable, Hashable, Sendable, CaseIterable {
    /// One vector per system; whole prompts are held out.
    case system
    /// One vector per system and deviations for categories; whole prompts are held out.
    case category
    /// One vector per system and deviations for prompts; of every pair of answers that was judged in
    /// both orders, one order is held out.
    case prompt
  }

  /// What one form got at one level.
  public struct Result: Hashable, Codable, Sendable {
    /// What was told apart.
    public let level: Level
    /// The form of the model.
    public let form: TournamentModel.Form
    /// Mean negative log-likelihood of a held-out verdict, nats; a coin has 0.693.
    public let nll: Double
    /// Its bootstrap interval over prompts.
    public let interval: Interval
    /// Nats per verdict below ratings at the same level, positive where the form is better.
    public let gain: Double
    /// Its paired bootstrap interval over prompts.
    public let gainInterval: Interval
    /// Held-out verdicts.
    public let verdicts: Int
    /// The penalties that validation chose, fold by fold.
    public let penalties: [TournamentModel.Penalty]
    /// The share of the strict cycles of net verdicts whose three edges a fit to all verdicts of the
    /// level's training kind agrees with.
    public let capturedCycles: Double
  }

  private let tournament: Tournament
  private let seed: UInt64
  private let resamples: Int
  private let cycles: [(prompt: Int, items: [Int])]

  /// Prepares a study.
  ///
  /// - Parameters:
  ///   - tournament: what was compared.
  ///   - seed: of folds, beginnings and bootstraps.
  ///   - resamples: of the bootstraps.
  public init(_ tournament: Tournament, seed: UInt64 = 0, resamples: Int = 500) {
    self.tournament = tournament
    self.seed = seed
    self.resamples = resamples
    cycles = PreferenceGraph.graphs(of: tournament).enumerated().flatMap { prompt, graph in
      graph.strictCycles().cycles.map { (prompt, $0) }
    }
  }

  /// Strict cycles of net verdicts.
  public var strictCycleCount: Int { cycles.count }

  /// Measures forms at one level; ratings are measured too, since they are what gains are held against.
  ///
  /// - Parameters:
  ///   - level: what is told apart.
  ///   - forms: the models.
  ///   - folds: how many parts prompts fall into, at least 3; each is held out once.
  ///   - progress: is told after every form.
  public func results(
    _ level: Level, forms: [TournamentModel.Form], folds: Int = 5,
    progress: (TournamentModel.Form) throws -> Void = { _ in }
  ) rethrows -> [Result] {
    precondition(folds >= 3, "TournamentStudy: expected at least 3 folds, found \(folds)")
    let splits = level == .prompt ? [orderSplit()] : promptSplits(level, folds: folds)
    var all = forms
    if !all.contains(.ratings) { all.insert(.ratings, at: 0) }
    var measured:
      [(form: TournamentModel.Form, losses: [Loss], penalties: [TournamentModel.Penalty])]
    measured = []
    for form in all {
      var losses = [Loss](repeating: Loss(), count: tournament.prompts.count)
      var penalties: [TournamentModel.Penalty] = []
      for split in splits {
        let (model, penalty) = fit(form, level, split)
        penalties.append(penalty)
        for index in split.test {
          let prompt = tournament.comparisons[index].prompt
          losses[prompt].sum += model.loss(observation(index, level))
          losses[prompt].count += 1
        }
      }
      measured.append((form, losses, penalties))
      try progress(form)
    }
    let base = measured.first { $0.form == .ratings }?.losses ?? []
    return measured.map { one in
      let rows = one.losses.indices.filter { one.losses[$0].count > 0 }
      func mean(_ rows: [Int], _ value: (Int) -> Double) -> Double {
        rows.reduce(0) { $0 + value($1) }
          / max(1, rows.reduce(0.0) { $0 + one.losses[$1].count })
      }
      func gain(_ row: Int) -> Double { base[row].sum - one.losses[row].sum }
      func interval(_ value: @escaping (Int) -> Double) -> Interval {
        .bootstrap(rows: rows.count, resamples: resamples, seed: seed) { drawn in
          mean(drawn.map { rows[$0] }, value)
        }
      }
      return Result(
        level: level, form: one.form, nll: mean(rows) { one.losses[$0].sum },
        interval: interval { one.losses[$0].sum }, gain: mean(rows, gain),
        gainInterval: interval(gain),
        verdicts: Int(rows.reduce(0.0) { $0 + one.losses[$1].count }),
        penalties: one.penalties,
        capturedCycles: captured(one.form, level, one.penalties[0], splits))
    }
  }

  private struct Loss {
    var sum = 0.0
    var count = 0.0
  }

  /// Indices into the tournament's comparisons.
  private struct Split {
    var train: [Int] = []
    var validation: [Int] = []
    var test: [Int] = []
  }

  /// The group of every prompt at a level.
  private func groups(_ level: Level) -> (count: Int, ofPrompt: (Int) -> Int) {
    switch level {
    case .system: return (1, { _ in 0 })
    case .prompt: return (tournament.prompts.count, { $0 })
    case .category:
      let names = Set(tournament.prompts.map(\.category)).sorted()
      let index = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
      return (names.count, { [tournament] in index[tournament.prompts[$0].category] ?? 0 })
    }
  }

  private func observation(_ index: Int, _ level: Level) -> TournamentModel.Observation {
    let one = tournament.comparisons[index]
    return TournamentModel.Observation(
      first: one.first, second: one.second, group: groups(level).ofPrompt(one.prompt),
      points: one.points)
  }

  /// Equal systems, order and group added up: the sum of losses does not change.
  private func observations(_ indices: [Int], _ level: Level) -> [TournamentModel.Observation] {
    var sums: [[Int]: (points: Double, count: Double)] = [:]
    let group = groups(level).ofPrompt
    for index in indices {
      let one = tournament.comparisons[index]
      let key = [group(one.prompt), one.first, one.second]
      let old = sums[key] ?? (0, 0)
      sums[key] = (old.points + one.points, old.count + 1)
    }
    return sums.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { key, sum in
      TournamentModel.Observation(
        first: key[1], second: key[2], group: key[0], points: sum.points, count: sum.count)
    }
  }

  /// Folds over prompts, by a hash of their names, in equal parts.
  private func promptSplits(_ level: Level, folds: Int) -> [Split] {
    let order = tournament.prompts.indices.sorted {
      let (a, b) = (
        StableHash.of(tournament.prompts[$0].id, seed: seed),
        StableHash.of(tournament.prompts[$1].id, seed: seed)
      )
      return a == b ? $0 < $1 : a < b
    }
    var fold = [Int](repeating: 0, count: order.count)
    for (place, prompt) in order.enumerated() { fold[prompt] = place % folds }
    return (0..<folds).map { held in
      var split = Split()
      for (index, one) in tournament.comparisons.enumerated() {
        switch fold[one.prompt] {
        case held: split.test.append(index)
        case (held + 1) % folds: split.validation.append(index)
        default: split.train.append(index)
        }
      }
      return split
    }
  }

  /// One order of every pair of answers to train on, the other to test on.
  ///
  /// A fifth of the former validates; a pair judged in one order only is trained on.
  private func orderSplit() -> Split {
    var orders: [[Int]: [Int]] = [:]
    for (index, one) in tournament.comparisons.enumerated() {
      orders[
        [one.prompt, min(one.first, one.second), max(one.first, one.second)], default: []
      ].append(index)
    }
    var split = Split()
    let pairs = orders.sorted { $0.key.lexicographicallyPrecedes($1.key) }
    for (row, pair) in pairs.enumerated() {
      var stream = RandomStream(seed: seed, purpose: "tournament orders", row: row)
      let starts = Dictionary(grouping: pair.value) { tournament.comparisons[$0].first }
        .sorted { $0.key < $1.key }.map(\.value)
      let kept = starts.count == 2 ? stream.uniform(below: 2) : 0
      if starts.count == 2 { split.test += starts[1 - kept] }
      if stream.uniform() < 0.2 {
        split.validation += starts[kept]
      } else {
        split.train += starts[kept]
      }
    }
    return split
  }

  /// The penalties that validation chooses among.
  private func grid(_ form: TournamentModel.Form, _ level: Level) -> [TournamentModel.Penalty] {
    if form == .place { return [.init(shared: 1)] }
    switch level {
    case .system: return [0.01, 0.1, 1, 10].map { .init(shared: $0) }
    case .category: return [1, 3, 10, 30].map { .init(shared: 0.1, local: $0) }
    case .prompt: return [0.3, 1, 3, 10].map { .init(shared: 0.1, local: $0) }
    }
  }

  private func fit(
    _ form: TournamentModel.Form, _ level: Level, _ split: Split
  ) -> (model: TournamentModel, penalty: TournamentModel.Penalty) {
    let grid = grid(form, level)
    var penalty = grid[0]
    if grid.count > 1 {
      let train = observations(split.train, level)
      let validation = observations(split.validation, level)
      let losses = grid.map { penalty in
        let model = model(form, level, penalty, train)
        return validation.reduce(0) { $0 + model.loss($1) }
      }
      penalty = grid[losses.indices.min { losses[$0] < losses[$1] } ?? 0]
    }
    return (
      model(form, level, penalty, observations(split.train + split.validation, level)), penalty
    )
  }

  private func model(
    _ form: TournamentModel.Form, _ level: Level, _ penalty: TournamentModel.Penalty,
    _ observations: [TournamentModel.Observation]
  ) -> TournamentModel {
    TournamentModel(
      fitting: observations, systems: tournament.systems.count, groups: groups(level).count,
      form: form, penalty: penalty, seed: seed, restarts: level == .prompt ? 1 : 3)
  }

  /// The strict cycles that a model fitted to everything but the held-out orders agrees with.
  private func captured(
    _ form: TournamentModel.Form, _ level: Level, _ penalty: TournamentModel.Penalty,
    _ splits: [Split]
  ) -> Double {
    guard !cycles.isEmpty else { return 0 }
    let indices =
      level == .prompt
      ? splits[0].train + splits[0].validation : Array(tournament.comparisons.indices)
    let model = model(form, level, penalty, observations(indices, level))
    let group = groups(level).ofPrompt
    let hits = cycles.count { cycle in
      (0..<3).allSatisfy {
        model.logOdds(cycle.items[$0], over: cycle.items[($0 + 1) % 3], group: group(cycle.prompt))
          > 0
      }
    }
    return Double(hits) / Double(cycles.count)
  }
}
