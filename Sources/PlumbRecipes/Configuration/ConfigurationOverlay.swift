extension ConfigurationNode {
  /// The defaults with what a recipe says laid over them.
  ///
  /// Groups are merged field by field; scalars, lists and dictionaries are replaced as a whole.
  /// - Throws: `RecipeError` for a key that the defaults do not have.
  func overlaid(by user: ConfigurationNode, path: [String]) throws(RecipeError)
    -> ConfigurationNode
  {
    guard case .mapping(var entries, open: false) = content else {
      // Dictionaries and everything else: the decoder checks the type.
      guard case .mapping(_, open: true) = content, case .mapping(let new, _) = user.content
      else { return user }
      return ConfigurationNode(.mapping(new, open: true), at: user.place)
    }
    if user.isEmpty { return self }
    guard let new = user.entries else {
      throw RecipeError(
        .wrongType(expected: "a mapping", found: user.spoken), path: path, place: user.place)
    }
    for entry in new {
      guard let index = entries.firstIndex(where: { $0.key == entry.key }) else {
        let known = entries.map(\.key)
        throw RecipeError(
          .unknownKey(
            entry.key, nearest: nearestName(to: entry.key, among: known), known: known),
          path: path, place: entry.place)
      }
      entries[index].value = try entries[index].value.overlaid(
        by: entry.value, path: path + [entry.key])
      entries[index].place = entry.place
    }
    return ConfigurationNode(.mapping(entries, open: false), at: user.place)
  }
}
