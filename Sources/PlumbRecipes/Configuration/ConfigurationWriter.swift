import Yams

/// Nodes → YAML text, in the order of the entries.
enum ConfigurationWriter {
  /// Block style, two blanks of indentation, `[a, b]` for lists of scalars, a line feed at the end.
  static func yaml(_ node: ConfigurationNode) throws -> String {
    try Yams.serialize(node: convert(node), indent: 2, width: -1, allowUnicode: true)
  }

  private static func convert(_ node: ConfigurationNode) -> Node {
    switch node.content {
    case .scalar(let text, let quoted):
      // A text that a YAML reader would take for a number or a boolean keeps its quotes.
      let ambiguous = quoted && (Node.Scalar(text).resolvesToOther || text.isEmpty)
      return .scalar(.init(text, .implicit, ambiguous ? .singleQuoted : .any))
    case .list(let items):
      let flow = items.allSatisfy { if case .scalar = $0.content { true } else { false } }
      return .sequence(.init(items.map(convert), .implicit, flow ? .flow : .block))
    case .mapping(let entries, _):
      let pairs = entries.map { (Node($0.key), convert($0.value)) }
      return .mapping(.init(pairs, .implicit, entries.isEmpty ? .flow : .block))
    }
  }
}

extension Node.Scalar {
  /// Without quotes, YAML 1.1 reads this scalar as something that is not text.
  fileprivate var resolvesToOther: Bool {
    Resolver.default.resolveTag(of: .scalar(self)) != .str
  }
}
