/// Swift values → nodes, fields in the order of declaration and in snake case.
///
/// Foundation's encoders lose either the order or the type of a number, and a recipe needs both.
enum ConfigurationEncoder {
  /// The node of a value; an optional that is nil leaves no trace.
  static func encode(_ value: some Encodable) throws -> ConfigurationNode {
    let cell = Cell()
    try cell.put(value, path: [])
    return cell.node
  }

  /// Where one value is built: containers write into it as they go.
  fileprivate final class Cell {
    enum Content {
      case leaf(ConfigurationNode.Content)
      case list([Cell])
      case mapping([(String, Cell)], open: Bool)
    }
    var content = Content.leaf(.scalar("", quoted: false))

    var node: ConfigurationNode {
      switch content {
      case .leaf(let leaf): ConfigurationNode(leaf)
      case .list(let cells): ConfigurationNode(.list(cells.map(\.node)))
      case .mapping(let cells, let open):
        ConfigurationNode(
          .mapping(
            cells.map { .init(key: $0.0, value: $0.1.node, place: .defaults) }, open: open))
      }
    }

    func put<T: Encodable>(_ value: T, path: [any CodingKey]) throws {
      switch value {
      case let text as String: content = .leaf(.scalar(text, quoted: true))
      case let flag as Bool: content = .leaf(.scalar(flag ? "true" : "false", quoted: false))
      case let number as any BinaryInteger: content = .leaf(.scalar("\(number)", quoted: false))
      case let number as any BinaryFloatingPoint:
        content = .leaf(.scalar("\(number)", quoted: false))
      case let dictionary as any StringKeyed:
        content = .mapping([], open: true)
        for (key, element) in dictionary.sortedPairs {
          let cell = Cell()
          try cell.put(element, path: path)
          append(key, cell)
        }
      default: try value.encode(to: ValueEncoder(cell: self, codingPath: path))
      }
    }

    func append(_ key: String, _ cell: Cell) {
      guard case .mapping(var cells, let open) = content else { return }
      cells.append((key, cell))
      content = .mapping(cells, open: open)
    }

    func append(_ cell: Cell) {
      guard case .list(var cells) = content else { return }
      cells.append(cell)
      content = .list(cells)
    }
  }
}

/// `maxPolicyKL` → `max_policy_kl`: Swift's way to write a name → the recipe's.
///
/// Capitals in a row are one word.
func snakeCase(_ name: String) -> String {
  let characters = Array(name)
  var result = ""
  for (index, character) in characters.enumerated() {
    if character.isUppercase, let last = result.last, last != "_", last != "." {
      let beginsWord =
        !characters[index - 1].isUppercase
        || (index + 1 < characters.count && characters[index + 1].isLowercase)
      if beginsWord { result += "_" }
    }
    result += character.lowercased()
  }
  return result
}

/// A dictionary, whose keys the recipe is free to choose.
private protocol StringKeyed {
  var sortedPairs: [(String, any Encodable)] { get }
}

extension Dictionary: StringKeyed where Key == String, Value: Encodable {
  fileprivate var sortedPairs: [(String, any Encodable)] {
    sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }
}

private struct ValueEncoder: Encoder {
  let cell: ConfigurationEncoder.Cell
  let codingPath: [any CodingKey]
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    cell.content = .mapping([], open: false)
    return KeyedEncodingContainer(Keyed<Key>(cell: cell, codingPath: codingPath))
  }

  func unkeyedContainer() -> any UnkeyedEncodingContainer {
    cell.content = .list([])
    return Unkeyed(cell: cell, codingPath: codingPath)
  }

  func singleValueContainer() -> any SingleValueEncodingContainer {
    Single(cell: cell, codingPath: codingPath)
  }
}

private struct Keyed<Key: CodingKey>: KeyedEncodingContainerProtocol {
  let cell: ConfigurationEncoder.Cell
  let codingPath: [any CodingKey]

  func encodeNil(forKey key: Key) {}

  func encode<T: Encodable>(_ value: T, forKey key: Key) throws {
    guard value is any InlineSection else {
      return try next(key).put(value, path: codingPath + [key])
    }
    let group = ConfigurationEncoder.Cell()
    try group.put(value, path: codingPath)
    if case .mapping(let entries, _) = group.content {
      for (name, entry) in entries { cell.append(name, entry) }
    }
  }

  func nestedContainer<Nested: CodingKey>(keyedBy keyType: Nested.Type, forKey key: Key)
    -> KeyedEncodingContainer<Nested>
  {
    ValueEncoder(cell: next(key), codingPath: codingPath + [key]).container(keyedBy: keyType)
  }

  func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
    ValueEncoder(cell: next(key), codingPath: codingPath + [key]).unkeyedContainer()
  }

  func superEncoder() -> any Encoder { ValueEncoder(cell: cell, codingPath: codingPath) }
  func superEncoder(forKey key: Key) -> any Encoder {
    ValueEncoder(cell: next(key), codingPath: codingPath + [key])
  }

  private func next(_ key: Key) -> ConfigurationEncoder.Cell {
    let new = ConfigurationEncoder.Cell()
    cell.append(snakeCase(key.stringValue), new)
    return new
  }
}

private struct Unkeyed: UnkeyedEncodingContainer {
  let cell: ConfigurationEncoder.Cell
  let codingPath: [any CodingKey]
  var count: Int { if case .list(let cells) = cell.content { cells.count } else { 0 } }

  func encodeNil() { _ = next() }
  func encode<T: Encodable>(_ value: T) throws { try next().put(value, path: codingPath) }

  func nestedContainer<Nested: CodingKey>(keyedBy keyType: Nested.Type)
    -> KeyedEncodingContainer<Nested>
  {
    ValueEncoder(cell: next(), codingPath: codingPath).container(keyedBy: keyType)
  }

  func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
    ValueEncoder(cell: next(), codingPath: codingPath).unkeyedContainer()
  }

  func superEncoder() -> any Encoder { ValueEncoder(cell: next(), codingPath: codingPath) }

  private func next() -> ConfigurationEncoder.Cell {
    let new = ConfigurationEncoder.Cell()
    cell.append(new)
    return new
  }
}

private struct Single: SingleValueEncodingContainer {
  let cell: ConfigurationEncoder.Cell
  let codingPath: [any CodingKey]

  func encodeNil() {}
  func encode<T: Encodable>(_ value: T) throws { try cell.put(value, path: codingPath) }
}
