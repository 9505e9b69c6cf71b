/// A group of settings in a recipe: every field has a default, and none is an optional.
///
/// A recipe file only says what differs from the defaults. Nested groups and the elements of lists
/// conform too, so that they also may leave out fields. A recipe writes names in snake case
/// (`kl_coefficient`), Swift in camel case (`klCoefficient`): no coding keys are needed. Instead of an optional, use an empty string
/// or an enum with a case `off`: the resolved recipe shows every field.
public protocol ConfigurationSection: Codable, Sendable {
  /// All defaults.
  init()

  /// Refuses values that have the right type and yet cannot be meant, such as a negative rate.
  ///
  /// - Throws: `ConfigurationProblem`, which the loader completes with the path and the line.
  func validate() throws
}

extension ConfigurationSection {
  /// Accepts every value.
  public func validate() throws {}
}

/// A group of settings that a recipe writes beside those of the group that holds it, without a key of its
/// own: what several stages have in common.
public protocol InlineSection: ConfigurationSection {}

/// A group whose fields are in part those of an inline section, which it passes on as if they were its own.
@dynamicMemberLookup
public protocol SharingSettings {
  /// The section that groups have in common.
  associatedtype Settings: InlineSection

  /// What the group has in common with others.
  var settings: Settings { get set }
}

extension SharingSettings {
  /// A field of the settings in common.
  public subscript<Value>(dynamicMember field: WritableKeyPath<Settings, Value>) -> Value {
    get { settings[keyPath: field] }
    set { settings[keyPath: field] = newValue }
  }
}

/// The settings of one stage of a recipe.
public protocol StageConfiguration: ConfigurationSection {
  /// The name under `kind:` in a recipe, such as `reward-model`.
  static var kind: String { get }
}

/// A value that a configuration refuses in `validate()`.
public struct ConfigurationProblem: Error, CustomStringConvertible, Equatable {
  /// The field, in either case; dots lead into nested groups.
  public let field: String
  /// What the field accepts, such as "a number above 0".
  public let expected: String
  /// What was found.
  public let found: String

  /// Says that `field` accepts `expected` but has `found`.
  public init(_ field: String, expected: String, found: String) {
    self.field = field
    self.expected = expected
    self.found = found
  }

  /// Field, expected, found.
  public var description: String { "\(field): expected \(expected), found \(found)" }
}

/// The spellings of an enum that lists its cases, which an error message prints.
func allowedSpellings(of type: Any.Type) -> [String]? {
  func spellings<Cases: CaseIterable>(_: Cases.Type) -> [String]? {
    let names = Cases.allCases.compactMap { ($0 as? any RawRepresentable)?.rawValue as? String }
    return names.count == Cases.allCases.count ? names : nil
  }
  guard let cases = type as? any CaseIterable.Type else { return nil }
  return spellings(cases)
}
