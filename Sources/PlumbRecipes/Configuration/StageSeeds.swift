/// Stages that a recipe runs once per seed.
///
/// `ppo: {seeds: [1, 2], …}` stands for the stages `ppo-seed1` and `ppo-seed2`, alike but for `seed:`. In the
/// lists of later stages the name `ppo` stands for all of them, so `policies: [ppo, dpo]` becomes
/// `policies: [ppo-seed1, ppo-seed2, dpo]`. The resolved recipe shows the stages that were run.
enum StageSeeds {
  private static let key = "seeds"

  /// The stages with every list of seeds written out.
  /// - Throws: `RecipeError` for seeds that are not different integers, or a name that is there already.
  static func expanded(
    _ stages: [ConfigurationNode.Entry]
  ) throws -> [ConfigurationNode.Entry] {
    var groups: [String: [String]] = [:]
    var result: [ConfigurationNode.Entry] = []
    for entry in stages {
      let value = naming(groups, in: entry.value)
      // A number is a setting of the stage's own: how often it trains.
      guard let fields = value.entries, let field = fields.first(where: { $0.key == key }),
        case .list = field.value.content
      else {
        result.append(.init(key: entry.key, value: value, place: entry.place))
        continue
      }
      let path = ["stages", entry.key]
      let seeds = try ConfigurationDecoder.decode(
        [UInt64].self, from: field.value, path: path + [key])
      guard !seeds.isEmpty, Set(seeds).count == seeds.count else {
        throw RecipeError(
          .refused(expected: "a list of different integers", found: "\(seeds)"),
          path: path + [key], place: field.place)
      }
      if let single = fields.first(where: { $0.key == "seed" }) {
        throw RecipeError(
          .refused(expected: "either 'seed' or 'seeds'", found: "both"), path: path,
          place: single.place)
      }
      var members: [String] = []
      for seed in seeds {
        var copy = ConfigurationNode(
          .mapping(fields.filter { $0.key != key }, open: false), at: value.place)
        if copy["kind"] == nil {
          copy.set("kind", to: ConfigurationNode(.scalar(entry.key, quoted: true), at: entry.place))
        }
        copy.set(
          "seed", to: ConfigurationNode(.scalar("\(seed)", quoted: false), at: field.place))
        let name = "\(entry.key)-seed\(seed)"
        guard !stages.contains(where: { $0.key == name }) else {
          throw RecipeError(
            .refused(expected: "no other stage of the name '\(name)'", found: "one"),
            path: path + [key], place: field.place)
        }
        members.append(name)
        result.append(.init(key: name, value: copy, place: entry.place))
      }
      groups[entry.key] = members
    }
    return result
  }

  /// A stage's name without the seed, so that the runs of one method can be told to belong together.
  static func method(of stage: String) -> String {
    guard let mark = stage.ranges(of: "-seed").last,
      !stage[mark.upperBound...].isEmpty, stage[mark.upperBound...].allSatisfy(\.isNumber)
    else { return stage }
    return String(stage[..<mark.lowerBound])
  }

  /// The settings of a stage with the members of a group in place of its name, in lists.
  private static func naming(
    _ groups: [String: [String]], in node: ConfigurationNode
  ) -> ConfigurationNode {
    if groups.isEmpty { return node }
    var node = node
    switch node.content {
    case .scalar: break
    case .list(let items):
      node.content = .list(
        items.flatMap { item -> [ConfigurationNode] in
          guard case .scalar(let text, _) = item.content, let members = groups[text] else {
            return [naming(groups, in: item)]
          }
          return members.map { ConfigurationNode(.scalar($0, quoted: true), at: item.place) }
        })
    case .mapping(let entries, let open):
      node.content = .mapping(
        entries.map { .init(key: $0.key, value: naming(groups, in: $0.value), place: $0.place) },
        open: open)
    }
    return node
  }
}
