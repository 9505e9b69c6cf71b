/// One `--set path=value`.
struct Override {
  private let text: String
  private let path: [String]
  private let value: ConfigurationNode

  /// - Throws: `RecipeError` where there is no `=`, no path, or the value is not YAML.
  init(_ text: String) throws(RecipeError) {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    let path = parts[0].split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2, !path.contains("") else {
      throw RecipeError(
        .badOverride("expected path=value, such as ppo.updates=4"), place: .override(text))
    }
    self.text = text
    self.path = path
    value = try ConfigurationReader.parse(String(parts[1]), override: text)
  }

  /// Writes the value into a recipe that was read and not yet laid over the defaults.
  ///
  /// The first part of the path is `stages`, a stage's name or a key at the top of the recipe.
  func apply(to root: inout ConfigurationNode) throws(RecipeError) {
    if root.isEmpty { root.content = .mapping([], open: false) }
    let stageNames = root["stages"]?.entries?.map(\.key) ?? []
    let top = ["name", "description", "seed", "threads", "stages"]
    var path = path
    if !top.contains(path[0]) {
      guard stageNames.contains(path[0]) else {
        throw unknown(path[0], among: top + stageNames, at: [])
      }
      path.insert("stages", at: 0)
    }
    if path[0] == "stages", path.count > 1, !stageNames.contains(path[1]) {
      throw unknown(path[1], among: stageNames, at: ["stages"])
    }
    try put(path[...], into: &root, above: [])
  }

  private func put(
    _ rest: ArraySlice<String>, into node: inout ConfigurationNode, above: [String]
  ) throws(RecipeError) {
    guard let key = rest.first else {
      node = value
      return
    }
    if node.isEmpty { node.content = .mapping([], open: false) }
    switch node.content {
    case .mapping:
      var child =
        node[key] ?? ConfigurationNode(.scalar("", quoted: false), at: .override(text))
      try put(rest.dropFirst(), into: &child, above: above + [key])
      node.set(key, to: child)
    case .list(var items):
      guard let index = Int(key), items.indices.contains(index) else {
        throw RecipeError(
          .refused(expected: "an index from 0 to \(items.count - 1)", found: "'\(key)'"),
          path: above, place: .override(text))
      }
      try put(rest.dropFirst(), into: &items[index], above: above + [key])
      node.content = .list(items)
    case .scalar:
      throw RecipeError(
        .wrongType(expected: "a mapping to set '\(key)' in", found: node.spoken), path: above,
        place: .override(text))
    }
  }

  private func unknown(_ key: String, among known: [String], at path: [String]) -> RecipeError {
    RecipeError(
      .unknownKey(key, nearest: nearestName(to: key, among: known), known: known), path: path,
      place: .override(text))
  }
}
