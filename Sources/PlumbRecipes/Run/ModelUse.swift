public import PlumbPreferences

/// The model that a stage leaves in its folder, or that a folder holds.
public enum ModelKind: Hashable, Sendable, CustomStringConvertible {
  /// A language model, or an adapter of one.
  case language
  /// A reward, general preference or pair model.
  case preference(PreferenceModelKind)

  /// The kind for a message, with its article.
  public var description: String {
    switch self {
    case .language: "a language model"
    case .preference(.reward): "a reward model"
    case .preference(.generalPreference): "a general preference model"
    case .preference(.pair): "a pair model"
    }
  }
}

/// What a stage leaves in its own folder for stages that name it as a model.
public enum StageProduct: Hashable, Sendable {
  /// Only loading will tell.
  case unknown
  /// No model, or several in folders of their own.
  case noModel
  /// A model.
  case model(ModelKind)
}

/// Why preferences between responses are not enough; the value is what is expected instead.
public enum ScoreNeed: String, Hashable, Sendable {
  /// The optimiser learns from one number per response.
  case training = "a judge that scores each response, or 'preference_reward: opponents' beside it"
  /// Of several judges the lowest score counts.
  case lowest =
    "scores, of which the lowest counts, or 'preference_reward: opponents' beside it"
  /// A held-out judge with one response to a prompt has nothing to compare.
  case heldOut = "as watch.held_out a judge with scores, or two responses to a prompt or more"
}

/// A model that a stage reads, and what it must be: checked before the first stage runs.
public struct ModelUse: Hashable, Sendable {
  /// What a stage does with a model.
  public enum Role: Hashable, Sendable {
    /// It answers, or is trained to.
    case policy
    /// Its trunk gets a head.
    case trunk
    /// Its trunk gets a reward head, or it goes on with the one that it has.
    case rewardStart
    /// It gives one number to each response, and no other kind of judge would do.
    case reward
    /// It judges, in whatever way.
    case judge
    /// It judges where each response needs a score.
    case scorer(ScoreNeed)
  }

  /// The stage or folder, as the recipe names it.
  public let reference: String
  /// What it is needed for.
  public let role: Role

  /// A use of the model `reference`.
  public init(_ reference: String, as role: Role) {
    self.reference = reference
    self.role = role
  }
}

extension ModelUse.Role {
  func accepts(_ kind: ModelKind) -> Bool {
    switch (self, kind) {
    case (.policy, .language), (.trunk, _), (.rewardStart, .language), (.judge, .preference),
      (.rewardStart, .preference(.reward)), (.reward, .preference(.reward)),
      (.scorer, .preference(.reward)):
      true
    default: false
    }
  }

  /// What would have done, for a message about a model that does not.
  func expectation(found: ModelKind?) -> String {
    switch self {
    case .policy: return "a language model"
    case .trunk: return "a language model or a preference model"
    case .rewardStart: return "a language model or a reward model"
    case .reward: return "a reward model"
    case .scorer(let need):
      // Of what is no judge at all, scores are not the trouble.
      if case .preference = found { return need.rawValue }
      fallthrough
    case .judge: return "a reward, general preference or pair model"
    }
  }
}
