public import PlumbPreferences
import PlumbTensors

/// What a preference model computes to compare K responses with each other.
public struct PreferenceCost: Hashable, Codable, Sendable {
  /// The kinds of models.
  public enum Kind: String, Codable, Hashable, Sendable, CaseIterable {
    /// A scalar per response.
    case reward
    /// An embedding per response.
    case generalPreference = "general-preference"
    /// Two responses read together.
    case pair
  }

  /// The kind of model.
  public let kind: Kind
  /// Responses to one prompt.
  public let responses: Int
  /// Counted while the table of all pairs was made.
  public let passes: ForwardPasses
  /// The shortest of the repeated measurements, wall-clock.
  public let seconds: Double
}

extension PreferenceCost {
  /// Counts and times the K x K table of one prompt's responses.
  ///
  /// - Parameters:
  ///   - model: any kind.
  ///   - responses: K.
  ///   - promptTokens: the length of the prompt.
  ///   - responseTokens: the length of each response, its end of text included.
  ///   - repeats: measurements, of which the shortest counts.
  /// - Throws: `PreferenceError` where the sequences do not fit the model.
  public init(
    of model: PreferenceModel, responses: Int, promptTokens: Int, responseTokens: Int,
    repeats: Int = 1
  ) throws {
    let group = Self.group(
      model, responses: responses, promptTokens: promptTokens, responseTokens: responseTokens)
    var best = Double.infinity
    var passes = ForwardPasses()
    for _ in 0..<max(1, repeats) {
      let start = ContinuousClock.now
      passes = try ForwardMeter.measure { try Self.table(model, group) }.passes
      best = min(best, start.duration(to: .now) / .seconds(1))
    }
    switch model {
    case .reward: kind = .reward
    case .generalPreference: kind = .generalPreference
    case .pair: kind = .pair
    }
    self.responses = responses
    self.passes = passes
    seconds = best
  }

  private static func table(_ model: PreferenceModel, _ group: PreferenceGroup) throws
    -> [[Double]]
  {
    switch model {
    case .reward(let model):
      let scores = try model.rawScores(groups: [group])[0].map(Double.init)
      return Judgement(scores: scores, source: "cost").preferenceLogits
    case .generalPreference(let model):
      return try model.embeddings(groups: [group])[0].preferenceLogits(tau: model.tau)
    case .pair(let model):
      return try model.preferenceLogits(groups: [group])[0]
    }
  }

  /// Random tokens: what is computed does not depend on what they say.
  private static func group(
    _ model: PreferenceModel, responses: Int, promptTokens: Int, responseTokens: Int
  ) -> PreferenceGroup {
    let size = model.limits.vocabularySize
    // A head that reads the last token needs no end of text; any id will do.
    var end: Int32 = 0
    if case .firstEndOfText(let id) = model.readout { end = id }
    func draw(_ count: Int, row: Int) -> [Int32] {
      var stream = RandomStream(seed: 0, purpose: "preference cost", row: row)
      return (0..<count).map { _ in
        let id = Int32(stream.uniform(below: size))
        return id == end ? (end == 0 ? 1 : 0) : id
      }
    }
    return PreferenceGroup(
      prompt: draw(promptTokens, row: 0),
      responses: (0..<responses).map { draw(responseTokens - 1, row: $0 + 1) + [end] })
  }
}
