import Foundation
import Yams

/// YAML text → nodes with line numbers.
enum ConfigurationReader {
  /// Parses one YAML document.
  ///
  /// - Parameter override: The `--set` argument the text belongs to; nil for a file.
  /// - Throws: `RecipeError` for text that is not YAML and for duplicate keys.
  static func parse(_ text: String, override: String? = nil) throws(RecipeError)
    -> ConfigurationNode
  {
    let place = override.map(ConfigurationNode.Place.override) ?? .line(1)
    let root: Node?
    do {
      // The basic resolver tags nothing: types are decided by the field that is read.
      root = try Parser(yaml: text, resolver: .basic).singleRoot()
    } catch let error as YamlError {
      throw recipeError(from: error, place: place)
    } catch {
      throw RecipeError(.invalidYAML("\(error)"), place: place)
    }
    guard let root else { return ConfigurationNode(.scalar("", quoted: false), at: place) }
    return try convert(root, path: [], override: override)
  }

  private static func convert(_ node: Node, path: [String], override: String?)
    throws(RecipeError) -> ConfigurationNode
  {
    let place =
      override.map(ConfigurationNode.Place.override)
      ?? node.mark.map { .line($0.line) } ?? .defaults
    switch node {
    case .scalar(let scalar):
      let plain = scalar.style == .plain || scalar.style == .any
      return ConfigurationNode(.scalar(scalar.string, quoted: !plain), at: place)
    case .sequence(let items):
      var converted: [ConfigurationNode] = []
      for (index, item) in items.enumerated() {
        converted.append(try convert(item, path: path + ["\(index)"], override: override))
      }
      return ConfigurationNode(.list(converted), at: place)
    case .mapping(let mapping):
      var entries: [ConfigurationNode.Entry] = []
      for (key, value) in mapping {
        guard case .scalar(let name) = key else {
          throw RecipeError(
            .wrongType(expected: "a name as the key", found: "a list or mapping"), path: path,
            place: place)
        }
        let keyPlace =
          override == nil ? key.mark.map { ConfigurationNode.Place.line($0.line) } : nil
        let converted = try convert(value, path: path + [name.string], override: override)
        entries.append(.init(key: name.string, value: converted, place: keyPlace ?? place))
      }
      return ConfigurationNode(.mapping(entries, open: false), at: place)
    case .alias:
      throw RecipeError(.invalidYAML("an alias without its anchor"), path: path, place: place)
    }
  }

  private static func recipeError(
    from error: YamlError, place: ConfigurationNode.Place
  ) -> RecipeError {
    func at(_ mark: Mark) -> ConfigurationNode.Place {
      if case .override = place { place } else { .line(mark.line) }
    }
    switch error {
    case .scanner(let context, let problem, let mark, _),
      .parser(let context, let problem, let mark, _),
      .composer(let context, let problem, let mark, _):
      let detail = [context?.text, problem].compactMap { $0 }.joined(separator: ", ")
      return RecipeError(.invalidYAML(detail.oneLine), place: at(mark))
    case .duplicatedKeysInMapping(let duplicates, let context):
      return RecipeError(.duplicateKey(duplicates.sorted().first ?? ""), place: at(context.mark))
    default:
      return RecipeError(.invalidYAML("\(error)".oneLine), place: place)
    }
  }
}

extension String {
  /// The text with every run of white space made one blank.
  var oneLine: String { split(whereSeparator: \.isWhitespace).joined(separator: " ") }
}
