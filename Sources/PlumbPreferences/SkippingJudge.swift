/// A judge that passes over what it cannot judge, in place of ending a run.
///
/// A group that fails (NaN from a model, garbage or silence from an endpoint) comes back as a judgement
/// with a reason and nothing else; see ``Judgement/skipReason``.
public struct SkippingJudge: Judge {
  /// The judge that may fail.
  public let base: any Judge
  /// Name of the judge that may fail.
  public var name: String { base.name }

  /// Makes a judge that does not fail.
  public init(_ base: any Judge) {
    self.base = base
  }

  /// Judges every group that can be judged; never throws.
  public func judge(groups: [JudgeGroup]) -> [Judgement] {
    zip(groups, base.outcomes(of: groups)).map { group, outcome in
      switch outcome {
      case .success(let judgement): judgement
      case .failure(let error):
        Judgement(skipping: group.responses.count, because: "\(error)", source: name)
      }
    }
  }
}
