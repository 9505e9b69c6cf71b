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
    if pairs.isEmpty { throw .noPairs }
    var logOdds: [Double] = []
    logOdds.reserveCapacity(pairs.count)
    // Parts of several passes each: the batches inside them are the model's own.
    for range in chunks(of: pairs, tokenBudget: 8 * tokenBudget) {
      do {
        logOdds += try model.logOdds(pairs: Array(pairs[range]), tokenBudget: tokenBudget)
      } catch {
        throw error.movedDown(by: range.lowerBound)
      }
      progress(range.count)
    }
    self.logOdds = logOdds
    metrics = Calibration(rewardDifferences: logOdds)
  }
}
