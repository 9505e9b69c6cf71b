import PlumbPreferences

/// What a recipe writes where it wants a judge: a model, a rule, several judges, or an endpoint.
///
/// ```yaml
/// judge: preference                                     # a stage or a folder: reward, preference or pair model
/// judge: {model: preference, preference_reward: opponents, on_failure: skip}
/// judge: {rule: regex, pattern: '^please'}
/// judge: {ensemble: [reward, {rule: length-penalty, target: 200}], weights: [1, 0.01]}
/// judge: {endpoint: "http://127.0.0.1:8000/judge", timeout: 30}
/// ```
/// `Documentation/Judges.md` has every form.
public struct JudgeChoice: Codable, Hashable, Sendable {
  /// The forms of a judge; each is a group of settings, told apart by its first key.
  public enum Form: Hashable, Sendable {
    /// A trained model.
    case model(ModelJudgeConfiguration)
    /// A rule that needs no model.
    case rule(RuleJudgeConfiguration)
    /// Several judges as one.
    case ensemble(EnsembleJudgeConfiguration)
    /// A program that listens on this machine.
    case endpoint(EndpointJudgeConfiguration)
  }

  /// What was chosen.
  public let form: Form

  /// Nothing chosen yet.
  public init() { self.init(model: "") }

  /// A trained model, by its stage or folder.
  public init(model: String) {
    var configuration = ModelJudgeConfiguration()
    configuration.model = model
    form = .model(configuration)
  }

  /// A judge of any form.
  public init(_ form: Form) {
    self.form = form
  }

  /// Whether nothing was chosen.
  public var isEmpty: Bool {
    if case .model(let configuration) = form { configuration.model.isEmpty } else { false }
  }

  /// The stages and folders that the judge reads.
  public var inputs: [String] {
    switch form {
    case .model(let configuration): [configuration.model]
    case .ensemble(let configuration): configuration.ensemble.flatMap(\.inputs)
    case .rule, .endpoint: []
    }
  }

  /// The models among them, with what each must be.
  ///
  /// - Parameter need: why each response needs one number; nil where preferences are enough.
  func models(scores need: ScoreNeed? = nil) -> [ModelUse] {
    let need = handling.preferenceReward == .off ? need : nil
    switch form {
    case .model(let configuration):
      return [ModelUse(configuration.model, as: need.map(ModelUse.Role.scorer) ?? .judge)]
    case .ensemble(let configuration):
      let member = configuration.combine == .minimum ? .lowest : need
      return configuration.ensemble.flatMap { $0.models(scores: member) }
    case .rule, .endpoint: return []
    }
  }

  /// The judge in a few words, for plans and reports; also its name in buffers.
  public var summary: String {
    switch form {
    case .model(let configuration): configuration.model
    case .rule(let configuration): configuration.summary
    case .ensemble(let configuration):
      "\(configuration.combine.rawValue) of "
        + configuration.ensemble.map(\.summary).joined(separator: ", ")
    case .endpoint(let configuration): configuration.endpoint
    }
  }

  /// What holds for judges of every form.
  var handling: JudgeHandling {
    switch form {
    case .model(let configuration): configuration.handling
    case .rule(let configuration): configuration.handling
    case .ensemble(let configuration): configuration.handling
    case .endpoint(let configuration): configuration.handling
    }
  }

  /// Whether the score of a response is its preference over the others to its prompt: one alone has none.
  public var needsOpponents: Bool {
    if handling.preferenceReward != .off { return true }
    guard case .ensemble(let configuration) = form else { return false }
    return configuration.ensemble.contains { $0.needsOpponents }
  }

  /// Refuses a judge that was not chosen; throws `ConfigurationProblem` for the field `key`.
  public func validate(_ key: String) throws {
    try require(
      key, !isEmpty, "a stage or a model folder, or a rule, an ensemble or an endpoint", "nothing")
  }
}

extension JudgeChoice {
  private struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  private static let forms = ["model", "rule", "ensemble", "endpoint"]

  /// Reads a name, or a group of settings with the key of one form.
  public init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if value.decodeNil() {
      self.init()
    } else if let name = try? value.decode(String.self) {
      self.init(model: name)
    } else {
      let keys = (try? decoder.container(keyedBy: Key.self).allKeys.map(\.stringValue)) ?? []
      switch keys.filter(Self.forms.contains) {
      case ["model"]: self.init(.model(try value.decode(ModelJudgeConfiguration.self)))
      case ["rule"]: self.init(.rule(try value.decode(RuleJudgeConfiguration.self)))
      case ["ensemble"]: self.init(.ensemble(try value.decode(EnsembleJudgeConfiguration.self)))
      case ["endpoint"]: self.init(.endpoint(try value.decode(EndpointJudgeConfiguration.self)))
      default:
        throw ConfigurationProblem(
          "",
          expected: "a stage or a folder, or a mapping with one of model, rule, ensemble, endpoint",
          found: keys.isEmpty ? "" : "the keys \(keys.joined(separator: ", "))")
      }
    }
  }

  /// Writes a name where there is nothing but a name, else the group of settings.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch form {
    case .model(let configuration):
      if configuration.handling == JudgeHandling() {
        try container.encode(configuration.model)
      } else {
        try container.encode(configuration)
      }
    case .rule(let configuration): try container.encode(configuration)
    case .ensemble(let configuration): try container.encode(configuration)
    case .endpoint(let configuration): try container.encode(configuration)
    }
  }
}
