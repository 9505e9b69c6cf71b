/// The three ways in which WorldPM asks what a preference model knows (arXiv 2505.10527, 3.1.3).
public enum PreferenceSuite: String, Codable, Hashable, Sendable, CaseIterable {
  /// Answers made worse on purpose, so that the better one can be told without knowing the subject.
  case adversarial
  /// Answers with a known truth.
  case objective
  /// Answers that people preferred.
  case subjective
}

/// One test: a pair whose better answer is known, in a task of a suite.
public struct SuitePair: Codable, Hashable, Sendable {
  /// The suite.
  public var suite: PreferenceSuite
  /// What is asked in particular, such as `numbers-altered`; unique over all suites.
  public var task: String
  /// The pair.
  public var pair: PreferencePair

  /// A test from its parts.
  public init(suite: PreferenceSuite, task: String, pair: PreferencePair) {
    self.suite = suite
    self.task = task
    self.pair = pair
  }
}
