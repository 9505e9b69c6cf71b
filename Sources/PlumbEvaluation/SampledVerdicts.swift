public import PlumbData
public import PlumbPreferences

/// What a judge says of a pair that it is asked about several times, in both orders.
///
/// Only the verdicts count, whatever the judge gives beside them: so judges without probabilities have a
/// confidence too, how far their verdicts agree (``SampleConsistency``).
public struct SampledVerdicts: Hashable, Sendable {
  /// What one ask gave.
  public enum Answer: String, Hashable, Sendable {
    /// The response that people chose.
    case chosen
    /// The other one.
    case rejected
    /// Neither: equal scores.
    case tie
    /// No verdict.
    case invalid = "[invalid]"
  }

  /// The answers, in the order of asking.
  public let answers: [Answer]
  /// Whether the chosen response stood first, ask by ask.
  public let isChosenFirst: [Bool]

  /// Answers with the orders in which they were given.
  public init(_ answers: [Answer], isChosenFirst: [Bool]) {
    precondition(
      answers.count == isChosenFirst.count,
      "SampledVerdicts: expected orders of \(answers.count) answers, found \(isChosenFirst.count)")
    self.answers = answers
    self.isChosenFirst = isChosenFirst
  }

  /// Asks a judge about a pair.
  ///
  /// The order changes with every ask; which comes first is drawn, so that a judge who favours a place is
  /// wrong as often as right even if it is asked once. The asks are named `ID#1`, `ID#2`, ….
  /// - Parameters:
  ///   - pair: its chosen response is never told.
  ///   - judge: what it throws is an ask without a verdict.
  ///   - count: how often it is asked.
  ///   - seed: of the first order.
  ///   - failed: told why an ask has no verdict.
  public init(
    of pair: PreferencePair, by judge: any Judge, count: Int, seed: UInt64,
    failed: (any Error) -> Void
  ) {
    let beginsWithChosen = StableHash.of(pair.id, seed: seed) & 1 == 0
    let orders = (0..<count).map { ($0 % 2 == 0) == beginsWithChosen }
    let groups = orders.enumerated().map { place, isChosenFirst in
      // A judge of texts needs no ids.
      var group = JudgeGroup(
        prompt: pair.prompt,
        responses: isChosenFirst ? [pair.chosen, pair.rejected] : [pair.rejected, pair.chosen],
        tokens: PreferenceGroup(prompt: [], responses: [[], []]))
      group.id = "\(pair.id)#\(place + 1)"
      return group
    }
    var answers: [Answer] = []
    for (isChosenFirst, outcome) in zip(orders, judge.outcomes(of: groups)) {
      switch outcome {
      case .success(let judgement):
        let first = judgement.preferenceLogits[0][1]
        answers.append(
          first == 0 ? .tie : (first > 0) == isChosenFirst ? .chosen : .rejected)
      case .failure(let error):
        failed(error)
        answers.append(.invalid)
      }
    }
    self.init(answers, isChosenFirst: orders)
  }

  /// Whether any ask gave a verdict.
  public var hasVerdict: Bool { answers.contains { $0 != .invalid } }

  /// How far the answers agree; nil without answers.
  public var consistency: SampleConsistency? { SampleConsistency(answers.map(\.rawValue)) }

  /// `(chosen - rejected) / verdicts` of the asks in one order, -1...1; nil where none has a verdict.
  func lead(chosenFirst: Bool) -> Double? {
    var (sum, count) = (0.0, 0.0)
    for (answer, isFirst) in zip(answers, isChosenFirst) where isFirst == chosenFirst {
      guard answer != .invalid else { continue }
      count += 1
      sum += answer == .chosen ? 1 : answer == .rejected ? -1 : 0
    }
    return count > 0 ? sum / count : nil
  }
}

/// What the order of the responses decides for a judge that gives verdicts alone.
public struct VerdictOrder: Sendable {
  /// Pairs with a verdict in both orders.
  public let pairs: Int
  /// The share of those whose verdict, the commoner one of each order, changes with the order; 0...1.
  ///
  /// A tie in one order only counts half. Nil without pairs.
  public let flips: Double?
  /// Its 95 % interval; nil where there are too few prompts.
  public let flipsInterval: Interval?
  /// The share of verdicts for the response that stood first, the mean of both orders; 0...1.
  ///
  /// One half for a judge without bias, however often it is right. Ties count half. Nil where an order
  /// has no verdict.
  public let firstPlace: Double?
  /// Its 95 % interval; nil where there are too few prompts.
  public let firstPlaceInterval: Interval?

  /// Measures verdicts.
  ///
  /// - Parameters:
  ///   - rows: at least one.
  ///   - prompts: the prompt of each row; those that share one are drawn together.
  ///   - resamples: of the bootstrap; 0 for no intervals.
  ///   - seed: of the bootstrap.
  public init(_ rows: [SampledVerdicts], prompts: [String], resamples: Int, seed: UInt64) {
    precondition(
      rows.count == prompts.count && !rows.isEmpty,
      "VerdictOrder: expected prompts of \(rows.count) rows, at least one, found \(prompts.count)")
    let leads = rows.map { row -> (asGiven: Double, swapped: Double)? in
      guard let a = row.lead(chosenFirst: true), let b = row.lead(chosenFirst: false) else {
        return nil
      }
      return (a, b)
    }
    func flips(_ drawn: [Int]) -> Double {
      let both = drawn.compactMap { leads[$0] }
      return both.isEmpty ? .nan : OrderBias(both).flips
    }
    func firstPlace(_ drawn: [Int]) -> Double {
      let shares = [true, false].map { chosenFirst in
        let answers = drawn.flatMap { row in
          zip(rows[row].answers, rows[row].isChosenFirst).filter {
            $1 == chosenFirst && $0 != .invalid
          }.map { answer, _ in answer }
        }
        let first = answers.reduce(0.0) { sum, answer in
          sum + (answer == .tie ? 0.5 : (answer == .chosen) == chosenFirst ? 1 : 0)
        }
        return first / Double(answers.count)
      }
      return (shares[0] + shares[1]) / 2
    }
    let all = Array(rows.indices)
    let intervals = GroupedBootstrap(keys: prompts, resamples: resamples, seed: seed).intervals {
      [flips($0), firstPlace($0)]
    }
    pairs = leads.count { $0 != nil }
    let (flipped, first) = (flips(all), firstPlace(all))
    self.flips = flipped.isFinite ? flipped : nil
    self.firstPlace = first.isFinite ? first : nil
    (flipsInterval, firstPlaceInterval) = (intervals[0], intervals[1])
  }
}
