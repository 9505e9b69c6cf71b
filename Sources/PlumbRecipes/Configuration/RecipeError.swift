/// What is wrong with a recipe, and where.
public struct RecipeError: Error, Equatable, CustomStringConvertible {
  /// The kinds of fault.
  public enum Problem: Equatable, Sendable {
    /// The file could not be read; `cause` says why.
    case unreadable(cause: String)
    /// The file is not YAML.
    case invalidYAML(String)
    /// One mapping has the same key twice.
    case duplicateKey(String)
    /// A key that no default has, with the nearest one that there is.
    case unknownKey(String, nearest: String?, known: [String])
    /// A stage type that the program does not have.
    case unknownKind(String, nearest: String?, known: [String])
    /// A value of another type than the field's.
    case wrongType(expected: String, found: String)
    /// A value of the right type that is refused.
    case refused(expected: String, found: String)
    /// An override that cannot be understood.
    case badOverride(String)
  }

  /// What is wrong.
  public let problem: Problem
  /// The path inside the recipe, such as `stages.ppo.updates`; empty for the whole file.
  public let path: String
  /// The recipe file, where there is one.
  public var file: String
  /// The line in the file, starting at 1.
  public let line: Int?
  /// The `--set` argument that brought the value, where it was not the file.
  public let override: String?

  init(
    _ problem: Problem, path: [String] = [], place: ConfigurationNode.Place = .defaults,
    file: String = ""
  ) {
    self.problem = problem
    self.path = path.joined(separator: ".")
    self.file = file
    if case .line(let number) = place { line = number } else { line = nil }
    if case .override(let text) = place { override = text } else { override = nil }
  }

  /// A sentence for the user: file, path, what, line.
  public var description: String {
    var text = file.isEmpty || override != nil ? "" : "\(file): "
    if !path.isEmpty { text += "\(path): " }
    text += sentence
    if let override { text += " (--set \(override))" }
    if let line { text += " (line \(line))" }
    return text
  }

  private var sentence: String {
    switch problem {
    case .unreadable(let cause): "cannot read the recipe: \(cause)"
    case .invalidYAML(let detail): "not valid YAML: \(detail)"
    case .duplicateKey(let key): "the key '\(key)' is there twice"
    case .unknownKey(let key, let nearest, let known):
      "unknown key '\(key)'" + Self.hint(nearest: nearest, known: known)
    case .unknownKind(let kind, let nearest, let known):
      "unknown kind of stage '\(kind)'" + Self.hint(nearest: nearest, known: known)
    case .wrongType(let expected, let found): "expected \(expected), found \(found)"
    case .refused(let expected, let found): "expected \(expected), found \(found)"
    case .badOverride(let detail): detail
    }
  }

  private static func hint(nearest: String?, known: [String]) -> String {
    if let nearest { return "; did you mean '\(nearest)'?" }
    return known.isEmpty ? "" : "; known are \(known.joined(separator: ", "))"
  }
}

/// The candidate that a typing mistake most likely meant, or nil where none is near.
///
/// Near means an edit distance (insert, delete, replace, swap of neighbours) of at most a third of
/// the longer name, and at least 1; ties go to the earlier candidate.
func nearestName(to name: String, among candidates: [String]) -> String? {
  var best: (name: String, distance: Int)?
  for candidate in candidates {
    let distance = editDistance(Array(name.lowercased()), Array(candidate.lowercased()))
    let limit = max(1, (max(name.count, candidate.count) + 1) / 3)
    if distance <= limit, distance < best?.distance ?? .max { best = (candidate, distance) }
  }
  return best?.name
}

/// Damerau–Levenshtein distance in its optimal string alignment form.
private func editDistance(_ a: [Character], _ b: [Character]) -> Int {
  var older = [Int](repeating: 0, count: b.count + 1)
  var previous = Array(0...b.count)
  for i in a.indices {
    var row = [i + 1] + [Int](repeating: 0, count: b.count)
    for j in b.indices {
      row[j + 1] = min(
        previous[j + 1] + 1, row[j] + 1, previous[j] + (a[i] == b[j] ? 0 : 1))
      if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
        row[j + 1] = min(row[j + 1], older[j - 1] + 1)
      }
    }
    older = previous
    previous = row
  }
  return previous[b.count]
}
