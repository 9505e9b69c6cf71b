/// What to do: stages in order, each with all its settings, and what holds for all of them.
public struct Recipe: Sendable {
  /// One stage of a recipe.
  public struct Stage: Sendable {
    /// The name, unique in the recipe; later stages refer to it.
    public let name: String
    /// The type of the stage.
    public var kind: String { type(of: configuration).kind }
    /// All settings, defaults included.
    public let configuration: any StageConfiguration
    /// The stage's own seed; nil where the recipe's holds.
    public let seed: UInt64?
    /// The settings as they stand in the resolved recipe.
    let node: ConfigurationNode
  }

  /// The name of the run directory under `runs/`, unless another is asked for.
  public let name: String
  /// What the recipe shows, in a sentence or two.
  public let description: String
  /// The one source of randomness, but for stages with a seed of their own.
  public let seed: UInt64
  /// The number of threads; results hold bit for bit for one number only.
  public let threads: Int
  /// The stages in the order of the file.
  public let stages: [Stage]
  /// The file that the recipe came from; nil for one made from text.
  public let file: String?
  /// The recipe as YAML with every default filled in.
  ///
  /// Loading it again gives an equal recipe.
  public let yaml: String
}

/// The settings beside `stages`.
struct RecipeHeader: ConfigurationSection {
  var name = ""
  var description = ""
  var seed: UInt64 = 17
  var threads = 2

  func validate() throws {
    let allowed = name.unicodeScalars.allSatisfy {
      $0.properties.isAlphabetic || ("0"..."9").contains($0) || "-_.".unicodeScalars.contains($0)
    }
    if name.isEmpty || !allowed || name.hasPrefix(".") {
      throw ConfigurationProblem(
        "name", expected: "a name of letters, digits, '-', '_' and '.'", found: "'\(name)'")
    }
    if threads < 1 {
      throw ConfigurationProblem("threads", expected: "an integer above 0", found: "\(threads)")
    }
  }
}
