import PlumbEvaluation

extension LengthControlledWinRate {
  /// The rate with its interval; a dash where it is not identified.
  var text: String {
    isIdentified ? NumberText.interval(rate, [interval.lower, interval.upper]) : "–"
  }

  /// What the weight of length is, nats; a dash where it is not identified.
  var weightText: String { isIdentified ? NumberText.fixed(lengthWeight, 2) : "–" }

  /// What stands beside the rate, so that nobody reads more into it than it says; empty where nothing must.
  var warning: String {
    [
      isSeparated ? "separated: the size says nothing" : nil,
      isIdentified ? nil : "not identified: one side is longer almost throughout",
    ].compactMap { $0 }.joined(separator: "; ")
  }
}
