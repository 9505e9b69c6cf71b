/// Names one entry of a `ParameterLayout`.
public struct ParameterID: Hashable, Sendable {
  let index: Int
}

/// How the scalars of a parameter start out.
public enum Initialization: Hashable, Sendable {
  /// All 0.
  case zeros
  /// All 1.
  case ones
  /// Independent draws from a uniform distribution between -bound and bound.
  case uniform(bound: Float)
  /// Independent draws from a normal distribution around 0.
  case normal(standardDeviation: Float)
}

/// The names, shapes and places of all parameters of a model in one flat block.
public struct ParameterLayout: Hashable, Sendable {
  /// One parameter.
  public struct Entry: Hashable, Sendable {
    /// The Hugging Face name, for example `model.norm.weight`.
    public let name: String
    /// The extents.
    public let shape: Shape
    /// The index of the first scalar in the block.
    public let offset: Int
    /// How the scalars start out.
    public let initialization: Initialization
    /// Whether weight decay applies: to matrices, not to biases and norm gains.
    public var decays: Bool { shape.rank >= 2 }
  }

  /// The parameters in the order of their declaration, adjacent in memory.
  public private(set) var entries: [Entry] = []

  /// An empty layout.
  public init() {}

  /// The number of scalars in all entries.
  public var count: Int { entries.last.map { $0.offset + $0.shape.count } ?? 0 }

  /// Declares a parameter behind all others; names must differ.
  public mutating func add(
    _ name: String, _ shape: Shape, _ initialization: Initialization
  ) -> ParameterID {
    precondition(id(named: name) == nil, "ParameterLayout: '\(name)' is declared twice")
    entries.append(
      Entry(name: name, shape: shape, offset: count, initialization: initialization))
    return ParameterID(index: entries.count - 1)
  }

  /// The entry with a name, if there is one.
  public func id(named name: String) -> ParameterID? {
    entries.firstIndex { $0.name == name }.map(ParameterID.init)
  }

  /// The entry with an identifier that this layout gave out.
  public subscript(_ id: ParameterID) -> Entry { entries[id.index] }
}
