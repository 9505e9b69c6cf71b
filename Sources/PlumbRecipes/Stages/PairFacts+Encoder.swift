public import PlumbData
public import PlumbEvaluation
public import PlumbTokenizers

extension PairFacts {
  /// The facts of a pair, answers measured in tokens of a model: of the whole answers, however much of them
  /// the model reads.
  ///
  /// - Parameters:
  ///   - pair: with its texts.
  ///   - encoder: of the model.
  ///   - source: in place of the pair's own.
  public init(_ pair: PreferencePair, encoder: ConversationEncoder, source: String? = nil) {
    // The mark of the end is not counted.
    self.init(pair) { encoder.response($0).count - 1 }
    if let source { self.source = source }
  }
}
