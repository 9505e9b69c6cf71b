/// The types of stages that a program has.
public struct StageRegistry: Sendable {
  private let types: [any Stage.Type]
  /// The kinds, as recipes name them.
  var kinds: [String] { types.map { Self.kind(of: $0) } }

  /// A registry of these types; their kinds must differ.
  public init(_ types: [any Stage.Type]) {
    self.types = types
    precondition(
      Set(kinds).count == kinds.count, "StageRegistry: expected distinct kinds, found \(kinds)")
  }

  /// A loader of recipes made of these stages.
  public var loader: RecipeLoader { RecipeLoader(kinds: types.map { Self.configuration(of: $0) }) }

  /// The stages of a recipe, in order.
  ///
  /// - Throws: `RecipeError` where the recipe was loaded with a kind that is not here.
  func stages(of recipe: Recipe) throws -> [any Stage] {
    try recipe.stages.map { entry in
      for type in types {
        if let stage = Self.make(type, entry.configuration) { return stage }
      }
      throw RecipeError(
        .unknownKind(entry.kind, nearest: nearestName(to: entry.kind, among: kinds), known: kinds),
        path: ["stages", entry.name])
    }
  }

  private static func kind<S: Stage>(of type: S.Type) -> String { S.Configuration.kind }

  private static func configuration<S: Stage>(of type: S.Type) -> any StageConfiguration.Type {
    S.Configuration.self
  }

  private static func make<S: Stage>(
    _: S.Type, _ configuration: any StageConfiguration
  ) -> (any Stage)? {
    (configuration as? S.Configuration).map(S.init(configuration:))
  }
}
