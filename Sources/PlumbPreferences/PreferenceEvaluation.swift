import Foundation
public import PlumbData
public import PlumbTokenizers

extension PreferenceGroup {
  /// Encodes a preference pair as a preference model reads it: chosen first, both ending with
  /// end-of-text.
  public init(_ pair: PreferencePair, encoder: ConversationEncoder) {
    self.init(
      prompt: encoder.prompt(pair.prompt).map(Int32.init),
      chosen: Self.response(pair.chosen, to: pair.prompt, encoder),
      rejected: Self.response(pair.rejected, to: pair.prompt, encoder))
  }

  private static func response(
    _ text: String, to prompt: [Message], _ encoder: ConversationEncoder
  ) -> [Int32] {
    encoder.scored(prompt: prompt, response: text).response.map(Int32.init)
  }

  /// Encodes pairs, leaving out those that do not fit.
  ///
  /// - Parameters:
  ///   - pairs: from a data set.
  ///   - encoder: tokenizer and template of the preference model.
  ///   - maximumTokens: of prompt and longer response together.
  /// - Returns: the encoded pairs, and the index of each in `pairs`.
  public static func encode(
    _ pairs: [PreferencePair], encoder: ConversationEncoder, maximumTokens: Int
  ) -> (groups: [PreferenceGroup], indices: [Int]) {
    var groups: [PreferenceGroup] = []
    var indices: [Int] = []
    for (index, pair) in pairs.enumerated() {
      let group = PreferenceGroup(pair, encoder: encoder)
      let longest = group.responses.map(\.count).max() ?? 0
      guard group.prompt.count + longest <= maximumTokens else { continue }
      groups.append(group)
      indices.append(index)
    }
    return (groups, indices)
  }
}

/// What a preference model says about pairs whose outcome is known, chosen first.
public struct PreferenceEvaluation: Sendable {
  /// Log-odds that the chosen response is preferred, one per pair: `r_chosen - r_rejected`, or
  /// `s(chosen > rejected) / tau`.
  public let logOdds: [Double]
  /// Accuracy, negative log-likelihood, Brier score and calibration error.
  public let metrics: Calibration
  /// What the place of a response is worth to each pair, where it was asked for and the model is a
  /// pair model: its log-odds as given and as concluded from the swapped order.
  public let inBothOrders: [(asGiven: Double, swapped: Double)]?

  /// Probability that the chosen response is preferred, one per pair.
  public var probabilities: [Double] { logOdds.map(sigmoid) }

  /// Runs a model over pairs.
  ///
  /// - Parameters:
  ///   - model: its weights are only read.
  ///   - pairs: at least one, chosen first.
  ///   - tokenBudget: tokens computed at once.
  ///   - progress: told, after each part of the work, how many more pairs are done.
  /// - Throws: `PreferenceError` naming the pair at fault, `.noPairs` if there is none.
  public init(
    model: PreferenceModel, pairs: [PreferenceGroup], tokenBudget: Int = 4096,
    progress: (Int) -> Void = { _ in }
  ) throws(PreferenceError) {
    try self.init(
      model: PreferenceEnsemble([model], rule: .mean), pairs: pairs, tokenBudget: tokenBudget,
      progress: progress)
  }

  /// Runs several models as one over pairs.
  ///
  /// - Parameters:
  ///   - model: its weights are only read.
  ///   - pairs: at least one, chosen first.
  ///   - places: of a mixture, for each pair the place of the member that judges its people, nil where
  ///     that is not known; without it, all members judge every pair.
  ///   - tokenBudget: tokens computed at once.
  ///   - measuresOrder: whether a pair model that stands alone is read in both orders even where it
  ///     answers in one, for `inBothOrders`; others have no order.
  ///   - progress: told, after each part of the work, how many more pairs are done.
  /// - Throws: `PreferenceError` naming the pair at fault, `.noPairs` if there is none.
  public init(
    model: PreferenceEnsemble, pairs: [PreferenceGroup], by places: [Int?]? = nil,
    tokenBudget: Int = 4096, measuresOrder: Bool = false, progress: (Int) -> Void = { _ in }
  ) throws(PreferenceError) {
    if pairs.isEmpty { throw .noPairs }
    var ordered: PairPreferenceModel?
    if measuresOrder, model.members.count == 1, case .pair(let pair) = model.members[0] {
      ordered = pair
    }
    var logOdds: [Double] = []
    var orders: [(asGiven: Double, swapped: Double)] = []
    logOdds.reserveCapacity(pairs.count)
    // Parts of several passes each: the batches inside them are the model's own.
    for range in chunks(of: pairs, tokenBudget: 8 * tokenBudget) {
      let part = Array(pairs[range])
      do {
        if let ordered {
          let found = try ordered.logOddsInBothOrders(pairs: part, tokenBudget: tokenBudget)
          orders += found
          logOdds += found.map { ordered.answer(asGiven: $0.asGiven, swapped: $0.swapped) }
        } else if let places {
          logOdds += try model.scores(
            groups: part, by: Array(places[range]), tokenBudget: tokenBudget
          ).map { $0[0] - $0[1] }
        } else {
          logOdds += try model.logOdds(pairs: part, tokenBudget: tokenBudget)
        }
      } catch {
        throw error.movedDown(by: range.lowerBound)
      }
      progress(range.count)
    }
    self.logOdds = logOdds
    inBothOrders = ordered == nil ? nil : orders
    metrics = Calibration(rewardDifferences: logOdds)
  }
}
