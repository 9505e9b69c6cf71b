public import Foundation

/// Reads recipes: YAML laid over the defaults of each stage's configuration.
///
/// ```yaml
/// name: quickstart
/// seed: 17
/// threads: 2
/// stages:
///   data: {threads_per_question: 4}            # the kind is the stage's own name …
///   preference-base: {kind: reward-model, …}   # … unless it is given
///   ppo: {seeds: [1, 2, 3], …}                 # the stages ppo-seed1, ppo-seed2, ppo-seed3
/// ```
/// Keys that no default has, duplicate keys and values of another type are refused, with the path,
/// the line and the nearest known name.
public struct RecipeLoader: Sendable {
  private let kinds: [any StageConfiguration.Type]

  /// A loader that knows the given types of stages.
  public init(kinds: [any StageConfiguration.Type]) {
    self.kinds = kinds
  }

  /// Reads a recipe file.
  ///
  /// - Parameter overrides: `path=value`, as after `--set`; see `load(yaml:overrides:file:)`.
  /// - Throws: `RecipeError`.
  public func load(contentsOf url: URL, overrides: [String] = []) throws -> Recipe {
    let text: String
    do {
      text = try String(contentsOf: url, encoding: .utf8)
    } catch {
      throw RecipeError(
        .unreadable(cause: FileFault.reason(error, at: url)), file: url.relativePath)
    }
    return try load(yaml: text, overrides: overrides, file: url.relativePath)
  }

  /// Reads a recipe from text.
  ///
  /// - Parameters:
  ///   - overrides: Each `path=value`: `stages.ppo.updates=4`, or shorter `ppo.updates=4`, or a key
  ///     at the top, `seed=3`. The value is read as YAML. Later ones win.
  ///   - file: The name that errors carry.
  /// - Throws: `RecipeError`.
  public func load(yaml: String, overrides: [String] = [], file: String? = nil) throws -> Recipe {
    do {
      var root = try ConfigurationReader.parse(yaml)
      for text in overrides { try Override(text).apply(to: &root) }
      return try resolve(root, file: file)
    } catch var error as RecipeError {
      error.file = file ?? ""
      throw error
    }
  }

  private func resolve(_ root: ConfigurationNode, file: String?) throws -> Recipe {
    guard let entries = root.entries else {
      throw RecipeError(
        .wrongType(expected: "a mapping with 'name' and 'stages'", found: root.spoken),
        place: root.place)
    }
    var defaults = try ConfigurationEncoder.encode(RecipeHeader())
    defaults.set("stages", to: ConfigurationNode(.mapping([], open: true)))
    let complete = try defaults.overlaid(by: root, path: [])
    let headerEntries = complete.entries?.filter { $0.key != "stages" } ?? []
    let headerNode = ConfigurationNode(.mapping(headerEntries, open: false), at: root.place)
    let header = try ConfigurationDecoder.decode(RecipeHeader.self, from: headerNode)

    let written = entries.first { $0.key == "stages" }
    guard let written, let stageEntries = written.value.entries, !stageEntries.isEmpty else {
      throw RecipeError(
        .wrongType(
          expected: "a mapping of at least one stage",
          found: written?.value.spoken ?? "no 'stages'"),
        path: ["stages"], place: written?.place ?? root.place)
    }
    let stages = try StageSeeds.expanded(stageEntries).map(stage)
    let stageNodes = stages.map {
      ConfigurationNode.Entry(key: $0.name, value: $0.node, place: .defaults)
    }
    var resolved = headerNode
    resolved.set("stages", to: ConfigurationNode(.mapping(stageNodes, open: true)))
    return Recipe(
      name: header.name, description: header.description, seed: header.seed,
      threads: header.threads, stages: stages, file: file,
      yaml: try ConfigurationWriter.yaml(resolved))
  }

  private func stage(_ entry: ConfigurationNode.Entry) throws -> Recipe.Stage {
    let path = ["stages", entry.key]
    guard entry.key.allSatisfy({ $0.isLetter || $0.isNumber || "-_".contains($0) }),
      !entry.key.isEmpty
    else {
      throw RecipeError(
        .refused(
          expected: "a stage name of letters, digits, '-' and '_'", found: "'\(entry.key)'"),
        path: ["stages"], place: entry.place)
    }
    var kind = entry.key
    var kindPlace = entry.place
    var seed: UInt64?
    var node = entry.value
    if case .mapping(let fields, let open) = node.content {
      if let field = fields.first(where: { $0.key == "kind" }) {
        kind = try ConfigurationDecoder.decode(
          String.self, from: field.value, path: path + ["kind"])
        kindPlace = field.place
      }
      if let field = fields.first(where: { $0.key == "seed" }) {
        seed = try ConfigurationDecoder.decode(
          UInt64.self, from: field.value, path: path + ["seed"])
      }
      node.content = .mapping(
        fields.filter { $0.key != "kind" && $0.key != "seed" }, open: open)
    }
    guard let type = kinds.first(where: { $0.kind == kind }) else {
      let known = kinds.map { $0.kind }
      throw RecipeError(
        .unknownKind(kind, nearest: nearestName(to: kind, among: known), known: known),
        path: path, place: kindPlace)
    }
    let configuration = try ConfigurationDecoder.decode(type, from: node, path: path)
    let kindNode = ConfigurationNode(.scalar(kind, quoted: true))
    let fields = try ConfigurationEncoder.encode(configuration).entries ?? []
    var complete = [ConfigurationNode.Entry(key: "kind", value: kindNode, place: .defaults)]
    if let seed {
      let seedNode = ConfigurationNode(.scalar("\(seed)", quoted: false))
      complete.append(.init(key: "seed", value: seedNode, place: .defaults))
    }
    complete += fields
    return Recipe.Stage(
      name: entry.key, configuration: configuration, seed: seed,
      node: ConfigurationNode(.mapping(complete, open: false)))
  }
}
