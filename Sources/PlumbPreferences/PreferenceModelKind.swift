public import PlumbModels

/// What a folder's `config.json` says that its weights are.
public enum PreferenceModelKind: String, Sendable, CaseIterable {
  /// A ``RewardModel``.
  case reward
  /// A ``GeneralPreferenceModel``.
  case generalPreference
  /// A ``PairPreferenceModel``.
  case pair

  /// The kind of a folder; nil for models of other kinds, such as language models.
  public init?(_ folder: ModelFolder) {
    let stem = folder.configuration.family.architectureStem
    switch folder.architecture {
    case stem + GeneralPreferenceModel.architectureSuffix: self = .generalPreference
    case stem + PairPreferenceModel.architectureSuffix: self = .pair
    case let name where RewardModel.Head.allCases.contains { stem + $0.architectureSuffix == name }:
      self = .reward
    default: return nil
    }
  }
}
